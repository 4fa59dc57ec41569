"""Surface tables."""

import json

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids
from crossfade.core.tables import SurfaceTable


def make(**changes):
    parts = {
        "surface": "related",
        "key": "artist",
        "kind": "artist",
        "keys": Ids.of("ab"),
        "indptr": np.array([0, 2, 3]),
        "items": np.array([1, 2, 0], dtype=np.int32),
        "columns": {"score": np.array([0.5, 0.25, 1], dtype=np.float32)},
    }
    return SurfaceTable(**{**parts, **changes})


def test_the_entries_of_a_key():
    table = make()
    assert table.items[table.of_key(0)].tolist() == [1, 2]
    assert table.items[table.of_key(1)].tolist() == [0]


@pytest.mark.parametrize(
    "changes",
    [
        {"keys": Ids.of("a")},
        {"indptr": np.array([0, 2, 4])},
        {"items": np.array([1, 2], dtype=np.int32)},
        {"columns": {"score": np.zeros(2, dtype=np.float32)}},
        {"columns": {"score": np.zeros(3, dtype=np.float64)}},
        {"columns": {"mood": np.zeros(3, dtype=np.float32)}},
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes):
    with pytest.raises(ArtifactError, match="related"):
        make(**changes)


def test_a_saved_table_is_the_same(tmp_path):
    table = make(kind="track", reason_kind="artist")
    table.save(tmp_path)
    loaded = SurfaceTable.load(tmp_path)
    assert (loaded.name, loaded.surface, loaded.key, loaded.kind) == ("related-track", "related", "artist", "track")
    assert (loaded.keys, loaded.reason_kind) == (table.keys, "artist")
    assert loaded.indptr.tolist() == [0, 2, 3]
    assert loaded.items.tolist() == [1, 2, 0]
    assert loaded.columns["score"].tolist() == [0.5, 0.25, 1]


def test_an_empty_table_is_a_table(tmp_path):
    empty = make(keys=Ids.of([]), indptr=np.array([0]), items=np.zeros(0, np.int32), columns={})
    empty.save(tmp_path)
    assert len(SurfaceTable.load(tmp_path).keys) == 0


def test_what_holds_no_table_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="no readable surface table"):
        SurfaceTable.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"columns": ["mood"]}, {"columns": ["../score"]}, {"extra": 1}, {"columns": 3}, {"kind": "mood"}, {"key": "mood"}],
)
def test_a_description_of_something_else_is_refused(tmp_path, change):
    make().save(tmp_path)
    said = json.loads((tmp_path / "table.json").read_text())
    (tmp_path / "table.json").write_text(json.dumps({**said, **change}))
    with pytest.raises(ArtifactError, match="no readable surface table"):
        SurfaceTable.load(tmp_path)
