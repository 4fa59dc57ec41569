"""The demo through the real import, and its truth beside it."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.core.artifacts import verify
from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.core.ids import Ids
from crossfade.demo.importing import NAME, import_demo
from crossfade.demo.settings import SMALL, DemoSettings, truth_place
from crossfade.demo.truth import Truth
from crossfade.demo.world import simulate

SETTINGS = replace(SMALL, private_share=0.06, duplicate_share=0.02)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("home"))
    told = []
    ledger = import_demo(home, SETTINGS, lambda done, total, unit: told.append((done, total, unit)))
    return home, ledger, told


@pytest.fixture(scope="module")
def chunks():
    return list(simulate(SETTINGS).history())


def read(home, table):
    return pa.concat_tables(pq.read_table(path) for path in sorted((home.listens / NAME).rglob(f"{table}*/*.parquet")))


def test_every_row_is_accounted_for(imported, chunks):
    _, ledger, _ = imported
    private = sum(int(chunk.plays.private.sum()) for chunk in chunks)
    again = sum(int((chunk.plays.again & ~chunk.plays.private).sum()) for chunk in chunks)
    assert ledger.read == sum(chunk.listens.num_rows for chunk in chunks) + ledger.playlist_items
    assert private > 0
    assert again > 0
    assert ledger.dropped["private"] == private
    assert ledger.dropped["duplicate"] == again
    # What else the import may find fault with is a track on repeat for hours.
    assert set(ledger.dropped) <= {"private", "duplicate", "loop"}


def test_no_private_row_survives(imported, chunks):
    home, _, _ = imported
    kept = read(home, "listens")
    seen = set(zip(kept["user_id"].to_pylist(), kept["listened_at"].to_pylist(), strict=True))
    hidden = set()
    for chunk in chunks:
        rows = chunk.listens.filter(pa.array(chunk.plays.private))
        hidden |= set(zip(rows["user_id"].to_pylist(), rows["listened_at"].to_pylist(), strict=True))
    assert hidden
    assert not seen & hidden


def test_the_rest_of_the_world_arrives(imported):
    _, ledger, _ = imported
    world = simulate(SETTINGS)
    for name, table in world.tables().items():
        assert ledger.tables[name] == table.num_rows, name
    assert ledger.tables["feedback"] > 0


def test_progress_is_reported(imported):
    _, _, told = imported
    assert told == [(done, SETTINGS.listeners, "listeners") for done in range(SETTINGS.listeners + 1)]


def test_the_same_world_adds_nothing(imported):
    home, _, _ = imported
    again = import_demo(home, replace(SETTINGS, chunk=13))
    assert again.already_imported == NAME
    assert again.accepted == 0


def test_a_world_that_another_version_made_is_simulated_again(tmp_path, monkeypatch):
    home, few = Home(tmp_path), DemoSettings(listeners=2, artists=10, playlists=0, days=7)
    import_demo(home, few)
    assert import_demo(home, few).already_imported == NAME
    monkeypatch.setattr("crossfade.core.artifacts.__version__", "0.0.0")
    assert import_demo(home, few).already_imported is None


def test_the_truth_lies_beside_the_library(imported, chunks):
    home, _, _ = imported
    verify(truth_place(home))
    truth, world = Truth.load(truth_place(home)), simulate(SETTINGS)
    assert truth.user_ids == Ids.of(world.people.ids)
    assert truth.artist_vectors.shape == (SETTINGS.artists, 12)
    left = np.concatenate([chunk.left_at for chunk in chunks])
    for row, name in enumerate(world.people.ids[:20]):
        user = truth.user_ids.row(name)
        assert truth.left_at[user] == left[row]
        assert np.array_equal(truth.interests[user], world.people.interests[row])
    for row in (0, 7, 100):
        artist = truth.artist_ids.row(f"demo:artist:{row}")
        assert truth.artist_genres[artist] == world.catalogue.genre[row]
        assert np.array_equal(truth.artist_vectors[artist], world.catalogue.vectors[row])


def test_a_lost_truth_is_made_again(imported):
    home, _, _ = imported
    before = (truth_place(home) / "left_at.npy").read_bytes()
    (truth_place(home) / "left_at.npy").write_bytes(b"damaged")
    import_demo(home, SETTINGS)
    verify(truth_place(home))
    assert (truth_place(home) / "left_at.npy").read_bytes() == before


def test_affinity_is_its_equation(imported):
    home, _, _ = imported
    truth = Truth.load(truth_place(home))
    for user in range(5):
        expected = [
            np.log(
                sum(
                    share * np.exp(-((centre - vector) ** 2).sum() / (2 * truth.breadth[user] ** 2))
                    for share, centre in zip(truth.shares[user], truth.interest_vectors[user], strict=True)
                )
            )
            for vector in truth.artist_vectors[:10]
        ]
        np.testing.assert_allclose(truth.affinity(user, np.arange(10)), expected, rtol=1e-9)
    assert truth.affinity(0).shape == (SETTINGS.artists,)


def test_users_play_what_they_have_an_affinity_for(imported):
    home, _, _ = imported
    truth, kept = Truth.load(truth_place(home)), read(home, "listens")
    better = []
    for user in range(0, len(truth.user_ids), 4):
        played = kept.filter(pa.compute.equal(kept["user_id"], truth.user_ids[user]))["parent_id"].unique().to_pylist()
        if len(played) >= 5:
            affinity = truth.affinity(user)
            better.append(np.median(affinity[truth.artist_ids.rows(played)]) > np.median(affinity))
    assert np.mean(better) > 0.95


def test_another_artifact_is_no_truth(imported):
    home, _, _ = imported
    with pytest.raises(ArtifactError, match="not the truth"):
        Truth.load(home.listens / NAME)
