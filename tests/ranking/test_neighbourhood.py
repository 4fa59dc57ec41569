"""The table of what is near to what: what it holds, and what it refuses to be taken for."""

import json

import numpy as np
import pytest

from crossfade.core.csr import CSR
from crossfade.core.errors import ArtifactError, SettingsError, SpaceMismatchError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import VectorSpace
from crossfade.models.similarity import SimilaritySpace
from crossfade.nearest.contract import IndexSettings
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings

LISTENERS = np.array([100, 3, 100, 50, 0])


@pytest.fixture
def space():
    return VectorSpace(
        model="planted",
        kind="artist",
        metric="dot",
        item_ids=Ids.of("abcde"),
        item_vectors=np.array([[1, 0], [2, 0], [0.8, 0.6], [-1, 0.1], [1, 1]], dtype=np.float32),
    )


def equal(one, other):
    return all(
        getattr(one.table, name).tobytes() == getattr(other.table, name).tobytes() for name in ("rows", "scores")
    )


def test_lists_are_the_others_by_shrunk_cosine(space):
    table = Neighbourhood.build(space, LISTENERS, NeighbourSettings(size=3, shrinkage=2)).table
    # b has three listeners, e none; d points away from a, b and c.
    none = [MISSING] * 3
    assert table.rows.tolist() == [[2, 1, MISSING], [0, 2, MISSING], [0, 1, MISSING], none, none]
    many, few = 100 / 102, 3 / 5
    expected = [0.8 * many**2, many * few, many * few, 0.8 * many * few, 0.8 * many**2, 0.8 * many * few]
    assert table.scores[table.rows != MISSING].tolist() == pytest.approx(expected)


def test_the_table_keeps_so_many_and_the_index_has_the_rest(space):
    near = Neighbourhood.build(space, LISTENERS, NeighbourSettings(size=1))
    assert near.table.rows.tolist() == [[2], [0], [0], [MISSING], [MISSING]]
    assert near.deeper(np.array([0], dtype=np.int32), 2).rows.tolist() == [[2, 1]]


@pytest.mark.parametrize("backend", ["exact", "graph"])
def test_saved_and_loaded_it_is_the_same(space, tmp_path, backend):
    if backend == "graph":
        pytest.importorskip("usearch", reason="needs usearch: pip install 'crossfade[index]'")
    built = Neighbourhood.build(space, LISTENERS, NeighbourSettings(size=2), IndexSettings(backend=backend))
    built.save(tmp_path)
    loaded = Neighbourhood.load(tmp_path, space, LISTENERS, 2.0)
    assert equal(built, loaded)
    assert loaded.size == built.size == 2
    keys = np.arange(5, dtype=np.int32)
    assert loaded.deeper(keys, 4).rows.tobytes() == built.deeper(keys, 4).rows.tobytes()


def test_any_number_of_threads_gives_the_same_table(rng):
    vectors = rng.standard_normal((700, 8)).astype(np.float32)
    ids = Ids.of(f"{row:03d}" for row in range(700))
    space = VectorSpace(model="planted", kind="track", metric="dot", item_ids=ids, item_vectors=vectors)
    listeners = rng.integers(0, 9, 700)
    one, three = (Neighbourhood.build(space, listeners, threads=threads) for threads in (1, 3))
    assert equal(one, three)


def test_what_was_made_from_something_else_is_refused(space, tmp_path):
    Neighbourhood.build(space, LISTENERS).save(tmp_path)
    for listeners, shrinkage in ((LISTENERS + 1, 2.0), (LISTENERS, 3.0)):
        with pytest.raises(SpaceMismatchError, match="table of neighbours"):
            Neighbourhood.load(tmp_path, space, listeners, shrinkage)


@pytest.mark.parametrize("broken", ["neighbourhood.json", "rows.npy", "scores.npy"])
def test_a_part_that_is_missing_or_does_not_fit_is_named(space, tmp_path, broken):
    Neighbourhood.build(space, LISTENERS).save(tmp_path)
    if broken == "rows.npy":
        np.save(tmp_path / broken, np.zeros((1, 1), dtype=np.int32))
    else:
        (tmp_path / broken).unlink()
    with pytest.raises(ArtifactError):
        Neighbourhood.load(tmp_path, space, LISTENERS, 2.0)


def test_a_strange_description_is_refused(space, tmp_path):
    Neighbourhood.build(space, LISTENERS).save(tmp_path)
    (tmp_path / "neighbourhood.json").write_text(json.dumps(["points"]))
    with pytest.raises(ArtifactError, match="neighbours"):
        Neighbourhood.load(tmp_path, space, LISTENERS, 2.0)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": 2001}, {"shrinkage": -1}, {"shrinkage": float("nan")}])
def test_settings_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        NeighbourSettings(**wrong)


@pytest.fixture
def similarities():
    """a and b are most similar, then a and c, b and c; d is like nothing."""
    played = Interactions.from_counts(list("uuvvwwxy"), list("abababcc")[:8], [1] * 8)
    pairs = {(0, 1): 0.9, (0, 2): 0.5, (1, 2): 0.4}
    dense = np.zeros((4, 4), dtype=np.float32)
    for (one, other), score in pairs.items():
        dense[one, other] = dense[other, one] = score
    return SimilaritySpace(
        model="planted",
        kind="artist",
        metric="dot",
        item_ids=Ids.of("abcd"),
        item_vectors=np.eye(4, dtype=np.float32),
        user_ids=played.user_ids,
        user_vectors=np.zeros((len(played.user_ids), 4), dtype=np.float32),
        settings={"damping": "binary"},
        histories=CSR(played.indptr, played.indices, played.weights),
        similarities=dense,
    )


def test_a_model_of_similarities_says_itself_what_is_near(similarities, tmp_path):
    listeners = np.array([98, 2, 98, 98])
    near = Neighbourhood.build(similarities, listeners, NeighbourSettings(size=3, shrinkage=2))
    # b is known by two, so that c, less like a but known by many, is nearer to a.
    assert near.table.rows.tolist() == [[2, 1, MISSING], [0, 2, MISSING], [0, 1, MISSING], [MISSING] * 3]
    assert near.table.scores[0, :2].tolist() == pytest.approx([0.5 * 0.98**2, 0.9 * 0.98 * 0.5])
    near.save(tmp_path)
    loaded = Neighbourhood.load(tmp_path, similarities, listeners, 2.0)
    assert equal(near, loaded)
    assert loaded.deeper(np.array([0], dtype=np.int32), 4).rows.tolist() == [[2, 1, MISSING, MISSING]]
