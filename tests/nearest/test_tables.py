"""Tables of the nearest others of every item, exact and in clusters, in memory and in files."""

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.ids import Ids
from crossfade.core.spaces import VectorSpace
from crossfade.kernels.topk_oracle import all_scores, top_k, units
from crossfade.nearest.contract import IndexSettings
from crossfade.nearest.tables import load_table, neighbour_table

CLUSTERS = IndexSettings(backend="clusters", recall=0.9)


def space_of(vectors, *, biased=False):
    return VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        biased=biased,
        item_ids=Ids.of(f"{row:05}" for row in range(len(vectors))),
        item_vectors=np.asarray(vectors, dtype=np.float32),
    )


@pytest.fixture
def vectors(rng):
    centres = rng.standard_normal((30, 10))
    near = centres[rng.integers(30, size=1200)] + 0.4 * rng.standard_normal((1200, 10))
    return (near * rng.lognormal(0, 0.4, (1200, 1))).astype(np.float32)


def truth(vectors, metric, k):
    ready = units(vectors) if metric == "cosine" else vectors
    return top_k(all_scores(ready, ready), k, np.ones(len(vectors), bool), [[row] for row in range(len(vectors))])


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_an_exact_table_has_the_nearest_others_of_every_item(vectors, metric, monkeypatch):
    monkeypatch.setattr("crossfade.nearest.tables.ENTRIES", 7 * 12)  # twelve lists at a time
    table = neighbour_table(space_of(vectors[:500]), 7, metric=metric)
    rows, scores = truth(vectors[:500], metric, 7)
    np.testing.assert_array_equal(table.neighbours.rows, rows)
    np.testing.assert_array_equal(table.neighbours.scores, scores)
    assert (table.index.backend, table.recall) == ("exact", 1.0)


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_a_table_from_clusters_says_how_much_of_the_truth_it_holds(vectors, metric, monkeypatch):
    monkeypatch.setattr("crossfade.nearest.tables.SAMPLE", 1200)
    table = neighbour_table(space_of(vectors), 20, CLUSTERS, metric=metric)
    rows, _ = truth(vectors, metric, 20)
    held = np.mean([np.isin(one, best).mean() for one, best in zip(table.neighbours.rows, rows, strict=True)])
    assert table.recall == pytest.approx(held)
    assert 0.88 <= held < 1
    assert not (table.neighbours.rows == np.arange(1200)[:, None]).any()


def test_the_number_of_threads_changes_nothing_and_files_hold_the_same(vectors, tmp_path):
    told = []
    alone = neighbour_table(space_of(vectors), 11, CLUSTERS, threads=1)
    filed = neighbour_table(
        space_of(vectors), 11, CLUSTERS, threads=2, directory=tmp_path, progress=lambda *said: told.append(said)
    )
    assert isinstance(filed.neighbours.rows, np.memmap)
    for found in (filed.neighbours, load_table(tmp_path, 1200)):
        np.testing.assert_array_equal(found.rows, alone.neighbours.rows)
        np.testing.assert_array_equal(found.scores, alone.neighbours.scores)
    assert told[-1] == (1200, 1200, "items")
    assert filed.recall == alone.recall


def test_item_biases_stay_out_of_cosines(vectors):
    biased = space_of(np.hstack([vectors[:300], np.arange(300)[:, None]]), biased=True)
    plain = neighbour_table(space_of(vectors[:300]), 5)
    np.testing.assert_array_equal(neighbour_table(biased, 5).neighbours.rows, plain.neighbours.rows)


def test_fewer_others_than_wanted_are_padded_and_none_is_no_error(tmp_path):
    table = neighbour_table(space_of([[1, 0], [1, 1], [0, 1]]), 4, directory=tmp_path)
    assert table.neighbours.rows.tolist() == [[1, 2, -1, -1], [0, 2, -1, -1], [1, 0, -1, -1]]
    (tmp_path / "none").mkdir()
    nothing = neighbour_table(space_of(np.zeros((0, 3))), 4, directory=tmp_path / "none")
    assert nothing.neighbours.rows.shape == (0, 4)
    assert len(load_table(tmp_path / "none", 0)) == 0
    zeros = neighbour_table(space_of(np.zeros((3, 2))), 2, CLUSTERS)
    assert zeros.neighbours.rows.tolist() == [[1, 2], [0, 2], [0, 1]]
    assert zeros.recall == 1.0


def test_what_cannot_be_is_refused(vectors, tmp_path):
    with pytest.raises(InputError, match="not 0"):
        neighbour_table(space_of(vectors), 0)
    neighbour_table(space_of(vectors[:50]), 3, directory=tmp_path)
    with pytest.raises(ArtifactError, match="51 items"):
        load_table(tmp_path, 51)
    (tmp_path / "scores.npy").unlink()
    with pytest.raises(ArtifactError, match=r"scores\.npy"):
        load_table(tmp_path, 50)
