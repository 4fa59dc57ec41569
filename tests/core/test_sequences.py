"""Sequences: kept, and refused where they do not fit."""

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError
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


@pytest.mark.parametrize("wrong", [{"indptr": np.array([0, 3, 6])}, {"indices": np.array([0, 1, 0, 3, 1], np.int32)}])
def test_arrays_that_do_not_fit_are_refused(some, tmp_path, wrong):
    Sequences(**{**vars(some), **wrong}).save(tmp_path)
    with pytest.raises(ArtifactError, match="do not fit"):
        Sequences.load(tmp_path, kind="track")
