"""Writings: kept, and refused where they do not fit."""

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids
from crossfade.core.texts import Texts
from crossfade.core.writings import Writings


@pytest.fixture
def some():
    return Writings(
        kind="artist",
        item_ids=Ids.of("ab"),
        names=Texts.of(["Abba", "Beck"]),
        sources=np.array([0, 2], dtype=np.uint8),
        items=np.array([1, 0], dtype=np.int32),
        counts=np.array([3, 1]),
        texts=Texts.of(["lo-fi", "From Sweden"]),
    )


def test_saved_and_loaded_they_are_the_same(some, tmp_path):
    some.save(tmp_path)
    loaded = Writings.load(tmp_path, kind="artist")
    assert list(loaded.texts) == ["lo-fi", "From Sweden"]
    assert list(loaded.names) == ["Abba", "Beck"]
    assert [loaded.sources.tolist(), loaded.items.tolist(), loaded.counts.tolist()] == [[0, 2], [1, 0], [3, 1]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": np.array([1, 2], dtype=np.int32)},
        {"sources": np.array([0, 3], dtype=np.uint8)},
        {"counts": np.array([3])},
        {"names": Texts.of(["Abba"])},
    ],
)
def test_parts_that_do_not_fit_are_refused(some, tmp_path, wrong):
    Writings(**{**vars(some), **wrong}).save(tmp_path)
    with pytest.raises(ArtifactError, match="do not fit"):
        Writings.load(tmp_path, kind="artist")
