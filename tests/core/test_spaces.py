"""Vector spaces and neighbours."""

import dataclasses
import json
import sys

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, InputError, MissingExtraError, SpaceMismatchError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.spaces import Neighbours, VectorSpace


def make(**changes):
    parts = {
        "model": "als",
        "kind": "artist",
        "metric": "dot",
        "item_ids": Ids.of("abc"),
        "item_vectors": np.arange(6, dtype=np.float32).reshape(3, 2),
        "user_ids": Ids.of("u"),
        "user_vectors": np.ones((1, 2), dtype=np.float32),
        "settings": {"factors": 2},
    }
    return VectorSpace(**{**parts, **changes})


def test_a_space_knows_its_width():
    assert make().factors == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"item_ids": Ids.of("ab")},
        {"item_vectors": np.zeros(3, dtype=np.float32)},
        {"user_ids": None},
        {"user_vectors": None},
        {"user_vectors": np.ones((2, 2), dtype=np.float32)},
        {"user_vectors": np.ones((1, 3), dtype=np.float32)},
        {"biased": True, "metric": "cosine"},
        {"metric": "euclidean"},
        {"item_ids": ["c", "b", "a"]},
        {"item_vectors": np.full((3, 2), np.nan)},
        {"item_vectors": np.full((3, 2), 1e300)},
        {"user_vectors": np.array([[np.inf, 0]])},
        {"item_vectors": [["1", "2"]] * 3},
        {"item_vectors": np.ones((3, 2), complex)},
        {"biased": True, "item_vectors": np.ones((3, 1), dtype=np.float32), "user_vectors": np.ones((1, 1), "f4")},
    ],
)
def test_parts_that_do_not_fit_are_refused(changes):
    with pytest.raises(InputError):
        make(**changes)


@pytest.mark.parametrize("dtype", [">f4", np.float64, np.float16, int])
def test_vectors_of_other_types_are_the_same_space(dtype):
    made, wanted = make(item_vectors=np.asfortranarray(make().item_vectors.astype(dtype))), make()
    assert made.item_vectors.dtype == wanted.item_vectors.dtype == np.float32
    assert made.item_vectors.dtype.isnative
    assert made.space_id == wanted.space_id


def test_a_bias_is_no_place():
    assert make().points.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert make(biased=True).points.tolist() == [[0], [2], [4]]


def test_equal_spaces_have_equal_ids():
    assert make().space_id == make().space_id
    assert len(make().space_id) == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "bpr"},
        {"kind": "track"},
        {"metric": "cosine"},
        {"biased": True},
        {"settings": {"factors": 3}},
        {"item_vectors": np.arange(1, 7, dtype=np.float32).reshape(3, 2)},
        {"user_vectors": np.zeros((1, 2), dtype=np.float32)},
        {"user_ids": None, "user_vectors": None},
    ],
)
def test_whatever_changes_a_space_changes_its_id(changes):
    assert make(**changes).space_id != make().space_id


def test_what_belongs_to_another_space_is_refused():
    space = make()
    space.require_same(space.space_id, "the index")
    with pytest.raises(SpaceMismatchError, match="the index"):
        space.require_same(make(model="bpr").space_id, "the index")


@pytest.mark.parametrize("changes", [{}, {"user_ids": None, "user_vectors": None}, {"biased": True}])
def test_a_saved_space_is_the_same(tmp_path, changes):
    space = make(**changes)
    space.save(tmp_path)
    loaded = VectorSpace.load(tmp_path)
    for field in dataclasses.fields(VectorSpace):
        one, other = getattr(space, field.name), getattr(loaded, field.name)
        assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other
    assert isinstance(loaded.item_vectors, np.memmap)


def test_what_holds_no_space_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="no readable vector space"):
        VectorSpace.load(tmp_path)
    make().save(tmp_path)
    np.save(tmp_path / "user_vectors.npy", np.zeros((5, 2), dtype=np.float32))
    with pytest.raises(ArtifactError):
        VectorSpace.load(tmp_path)


@pytest.mark.parametrize(
    "wrong", ["[]", "{}", "null", '{"has_users": false, "model": "als"}', '{"has_users": true, "x": 1}']
)
def test_a_description_of_something_else_is_refused(tmp_path, wrong):
    make().save(tmp_path)
    (tmp_path / "space.json").write_text(wrong)
    with pytest.raises(ArtifactError, match="no readable vector space"):
        VectorSpace.load(tmp_path)


def test_a_metric_that_does_not_exist_is_refused(tmp_path):
    make().save(tmp_path)
    said = json.loads((tmp_path / "space.json").read_text())
    (tmp_path / "space.json").write_text(json.dumps({**said, "metric": "euclidean"}))
    with pytest.raises(ArtifactError, match="euclidean"):
        VectorSpace.load(tmp_path)


def test_neighbours_are_listed_without_padding():
    found = Neighbours(
        rows=np.array([[2, 0], [1, MISSING]], dtype=np.int32),
        scores=np.array([[0.5, 0.25], [1, -np.inf]], dtype=np.float32),
    )
    assert len(found) == 2
    assert found.listed(0, Ids.of("abc")) == [("c", 0.5), ("a", 0.25)]
    assert found.listed(1, Ids.of("abc")) == [("b", 1.0)]


def test_neighbours_are_a_table_without_padding():
    found = Neighbours(
        rows=np.array([[2, 0], [1, MISSING]], dtype=np.int32),
        scores=np.array([[0.5, 0.25], [1, -np.inf]], dtype=np.float32),
    )
    table = found.to_arrow(Ids.of("abc"), ["ann", "ben"])
    assert table.to_pylist() == [
        {"query": "ann", "rank": 1, "item": "c", "score": 0.5},
        {"query": "ann", "rank": 2, "item": "a", "score": 0.25},
        {"query": "ben", "rank": 1, "item": "b", "score": 1.0},
    ]
    assert found.to_arrow(Ids.of("abc"))["query"].to_pylist() == [0, 0, 1]
    nothing = Neighbours(np.full((1, 2), MISSING, np.int32), np.full((1, 2), -np.inf, np.float32))
    assert (nothing.to_arrow(Ids.of("abc")).num_rows, nothing.to_arrow(Ids.of([]), ["ann"]).num_rows) == (0, 0)


def test_they_are_shown_in_a_line():
    assert repr(make()) == "VectorSpace(als, artist: 1 users, 3 items, 2 factors, dot)"
    assert repr(make(user_ids=None, user_vectors=None)) == "VectorSpace(als, artist: 3 items, 2 factors, dot)"
    found = Neighbours(rows=np.zeros((3, 2), np.int32), scores=np.zeros((3, 2), np.float32))
    assert repr(found) == "Neighbours(3 queries × 2 items)"
    named = Neighbours([[2, 0], [1, MISSING]], [[0.5, 0.25], [1, -np.inf]], Ids.of("abc"), ["ann", 7])
    assert repr(named) == "Neighbours(2 queries × 2 items)\n  ann: c (0.5), a (0.25)\n  7: b (1)"


@pytest.mark.parametrize(
    "parts",
    [
        ([[0]], [[1.0, 2.0]]),
        ([0], [1.0]),
        ([[0.5]], [[1.0]]),
        ([[0]], [["high"]]),
        ([[0]], [[1.0]], Ids.of("abc"), ["ann", "ben"]),
    ],
)
def test_neighbours_that_do_not_fit_are_refused(parts):
    with pytest.raises(InputError, match="do not fit"):
        Neighbours(*parts)


def test_ids_that_neighbours_cannot_be_of_are_refused():
    found = Neighbours([[2, 0]], [[0.5, 0.25]])
    for ask in (found.to_arrow, lambda **parts: found.listed(0, parts["item_ids"])):
        with pytest.raises(InputError, match="indices of 2 items"):
            ask(item_ids=Ids.of("ab"))
        with pytest.raises(InputError, match="row numbers only"):
            ask(item_ids=["a", "b", "c"])
    with pytest.raises(InputError, match="2 query ids do not fit 1 queries"):
        found.to_arrow(Ids.of("abc"), ["ann", "ben"])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_neighbours_are_data_frames(library, monkeypatch):
    found = Neighbours([[2, 0]], [[0.5, 0.25]], Ids.of([7, 8, 9]), [42])
    make_frame = getattr(found, f"to_{library}")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, library, None)
        with pytest.raises(MissingExtraError, match=f"pip install {library}"):
            make_frame()
    pytest.importorskip(library)
    frame = make_frame()
    assert list(frame.columns) == ["query", "rank", "item", "score"]
    assert [frame[name].to_list() for name in frame.columns] == [[42, 42], [1, 2], [9, 7], [0.5, 0.25]]
