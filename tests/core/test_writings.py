"""Writings: kept, and refused where they do not fit."""

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, InputError
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
    ("wrong", "says"),
    [
        ({"items": [1, 2]}, "0 to 1, not 1 to 2"),
        ({"sources": [0, 3]}, "sources must be below 3"),
        ({"counts": [3, 0]}, "counts 1 or more"),
        ({"counts": [3]}, "of equal length"),
        ({"names": Texts.of(["Abba"])}, "2 items cannot have 1 names"),
    ],
)
def test_parts_that_do_not_fit_are_refused(some, wrong, says):
    with pytest.raises(InputError, match=says):
        Writings(**{**vars(some), **wrong})


def test_parts_on_the_disk_that_do_not_fit_are_refused(some, tmp_path):
    some.save(tmp_path)
    Texts.of(["Abba"]).save(tmp_path / "names")
    with pytest.raises(ArtifactError, match="2 items cannot have 1 names"):
        Writings.load(tmp_path, kind="artist")


def test_they_are_shown_in_a_line(some):
    assert repr(some) == "Writings(2 texts about 2 artist ids)"
