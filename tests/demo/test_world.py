"""The world as tables: shapes, references, determinism."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crossfade.core.errors import SettingsError
from crossfade.core.names import normalised
from crossfade.core.schemas import FEEDBACK, LISTENS, TABLES
from crossfade.core.settings import documented
from crossfade.demo.settings import SMALL, DemoSettings
from crossfade.demo.world import simulate

TINY = replace(SMALL, listeners=30, artists=80, playlists=12, days=30)


def whole(world):
    """All of a world as bytes, which are equal only if every value is."""
    chunks = list(world.history())
    tables = {**world.tables(), "listens": pa.concat_tables(chunk.listens for chunk in chunks)}
    tables["feedback"] = pa.concat_tables(chunk.feedback for chunk in chunks)
    sink = pa.BufferOutputStream()
    for name in sorted(tables):
        table = tables[name].combine_chunks()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    private = np.concatenate([chunk.plays.private for chunk in chunks])
    return sink.getvalue().to_pybytes() + private.tobytes()


def test_equal_settings_give_equal_bytes_whatever_the_chunk():
    reference = whole(simulate(TINY))
    assert whole(simulate(TINY)) == reference
    for chunk in (1, 7, 1_000):
        assert whole(simulate(replace(TINY, chunk=chunk))) == reference


def test_another_seed_gives_another_world():
    assert whole(simulate(replace(TINY, seed=TINY.seed + 1))) != whole(simulate(TINY))


def test_tables_have_the_vocabulary_of_columns(world, history):
    for name, table in world.tables().items():
        assert table.schema == TABLES[name]
        assert table.num_rows > 0
        for field in table.schema:
            assert field.nullable or table[field.name].null_count == 0, (name, field.name)
    for chunk in history:
        assert chunk.listens.schema == LISTENS
        assert chunk.feedback.schema == FEEDBACK


def test_every_reference_is_known(world, history):
    tables = world.tables()
    artists = set(tables["artists"]["item_id"].to_pylist())
    items = {"artist": artists, "track": set(tables["tracks"]["item_id"].to_pylist())}
    known = {
        "parent_id": artists,
        "playlist_id": set(tables["playlists"]["playlist_id"].to_pylist()),
        "user_id": set(world.people.ids),
    }
    known |= {"owner": known["user_id"], "friend_id": known["user_id"]}
    for table in [*tables.values(), *(chunk.listens for chunk in history), *(chunk.feedback for chunk in history)]:
        for column in known.keys() & set(table.schema.names):
            assert set(pc.unique(table[column]).to_pylist()) <= known[column]
        for kind in set(pc.unique(table["kind"]).to_pylist()) if "kind" in table.schema.names else ():
            assert set(table.filter(pc.equal(table["kind"], kind))["item_id"].to_pylist()) <= items[kind]


def test_a_listen_names_the_artist_and_the_length_of_its_track(world, history):
    tracks = world.tables()["tracks"].to_pydict()
    artist = dict(zip(tracks["item_id"], tracks["parent_id"], strict=True))
    length = dict(zip(tracks["item_id"], tracks["duration_ms"], strict=True))
    rows = history[0].listens.slice(0, 500).to_pylist()
    for row in rows:
        assert row["kind"] == "track"
        assert row["parent_id"] == artist[row["item_id"]]
        assert 0 <= row["ms_played"] <= row["duration_ms"] == length[row["item_id"]]


def test_skipped_means_less_than_half_a_minute_and_less_than_half_the_track(history):
    table = history[0].listens
    played, length = table["ms_played"].to_numpy(), table["duration_ms"].to_numpy()
    near = (np.abs(played - 30_000) < 2) | (np.abs(played - length / 2) < 2)  # milliseconds are rounded
    expected = (played < 30_000) & (played < length / 2)
    assert np.array_equal(table["skipped"].to_numpy()[~near], expected[~near])


def test_names_are_unique(world):
    names = [normalised(name) for name in world.catalogue.artist_names]
    assert len(set(names)) == len(names)
    assert len(set(world.people.ids)) == len(world.people.ids)
    original = np.flatnonzero(world.catalogue.recording == np.arange(len(world.catalogue.titles)))
    titles = {(int(world.catalogue.artist_of[row]), normalised(world.catalogue.titles[row])) for row in original}
    assert len(titles) == len(original)


@pytest.mark.parametrize(
    "wrong",
    [
        {"listeners": 1},
        {"artists": 9},
        {"days": 6},
        {"plays_per_day": 0.0},
        {"plays_per_day": float("nan")},
        {"churn": -0.1},
        {"private_share": 0.6},
        {"start": "yesterday"},
        {"start": "1999-12-31"},
        {"seed": -1},
        {"chunk": 0},
    ],
)
def test_settings_that_cannot_be_simulated_are_refused(wrong):
    with pytest.raises(SettingsError, match=f"^{next(iter(wrong))} must be"):
        DemoSettings(**wrong)


def test_every_setting_is_documented():
    assert all(setting.meaning for setting in documented(DemoSettings))


@pytest.mark.parametrize("bare", [{"playlists": 0}, {"newcomers": 0.0, "releases": 0.0}, {"activity_spread": 0.0}])
def test_a_world_may_lack_parts(bare):
    world = simulate(replace(TINY, **bare))
    assert sum(chunk.listens.num_rows for chunk in world.history()) > 0
    assert world.tables()["playlists"].num_rows == world.settings.playlists
