"""Sequences: kept, and refused where they do not fit."""

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, CrossfadeError
from crossfade.core.ids import Ids
from crossfade.core.sequences import Sequences


@pytest.fixture
def some():
    return Sequences(
        kind="track",
        item_ids=Ids.of("abc"),
        indptr=np.array([0, 3, 5]),
        indices=np.array([0, 1, 0, 2, 1], dtype=np.int32),
    )


def test_each_is_in_its_order(some):
    assert len(some) == 2
    assert some.of(0).tolist() == [0, 1, 0]
    assert some.of(1).tolist() == [2, 1]


def test_saved_and_loaded_they_are_the_same(some, tmp_path):
    some.save(tmp_path)
    loaded = Sequences.load(tmp_path, kind="track")
    assert loaded.item_ids == some.item_ids
    assert [loaded.of(row).tolist() for row in range(2)] == [[0, 1, 0], [2, 1]]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"indptr": [0, 3, 6]}, "end at 5"),
        ({"indptr": [1, 3, 5]}, "start at 0"),
        ({"indptr": [0, 6, 5]}, "never decrease"),
        ({"indptr": []}, "start at 0"),
        ({"indices": [0, 1, 0, 3, 1]}, "0 to 2, not 0 to 3"),
        ({"kind": "mood"}, "no kind of item 'mood'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(some, wrong, says):
    with pytest.raises(CrossfadeError, match=says):
        Sequences(**{**vars(some), **wrong})


def test_arrays_on_the_disk_that_do_not_fit_are_refused(some, tmp_path):
    some.save(tmp_path)
    np.save(tmp_path / "indptr.npy", np.array([0, 3, 6]))
    with pytest.raises(ArtifactError, match="end at 5"):
        Sequences.load(tmp_path, kind="track")


def test_they_are_made_of_lists_of_ids():
    made = Sequences.from_lists([[], [7, 7, 10, 7], [7], iter([]), (10, 10)], kind="track")
    assert (list(made.item_ids), made.kind) == (["10", "7"], "track")
    assert [made.item_ids.select(made.of(row)) for row in range(5)] == [[], ["7", "10", "7"], ["7"], [], ["10"]]
    assert len(Sequences.from_lists([])) == 0
    with pytest.raises(CrossfadeError, match="not binary"):
        Sequences.from_lists([[b"a"]])


def test_they_are_shown_in_a_line(some):
    assert repr(some) == "Sequences(2 of 3 track ids)"
