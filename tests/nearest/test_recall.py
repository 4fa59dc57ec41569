"""The measured recall of an index against the share of the true neighbours that it lists."""

import numpy as np
import pytest

from crossfade.core.ids import Ids
from crossfade.core.spaces import VectorSpace
from crossfade.kernels.search.oracle import all_scores, top_k, units
from crossfade.nearest import recall
from crossfade.nearest.backends import build_index
from crossfade.nearest.contract import IndexSettings, each_but
from crossfade.nearest.recall import measured_recall

CLUSTERS = IndexSettings(backend="clusters", recall=0.9)


def space_of(vectors):
    return VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        item_ids=Ids.of(f"{row:05}" for row in range(len(vectors))),
        item_vectors=np.asarray(vectors, dtype=np.float32),
    )


@pytest.fixture
def vectors(rng):
    centres = rng.standard_normal((30, 10))
    around = centres[rng.integers(30, size=1200)] + 0.4 * rng.standard_normal((1200, 10))
    return (around * rng.lognormal(0, 0.4, (1200, 1))).astype(np.float32)


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_it_is_the_share_of_the_true_others(vectors, metric, monkeypatch):
    monkeypatch.setattr(recall, "SAMPLE", 1200)
    space, rows = space_of(vectors), np.arange(1200, dtype=np.int32)
    index = build_index(space, metric, CLUSTERS)
    ready = units(vectors) if metric == "cosine" else vectors
    truth, _ = top_k(all_scores(ready, ready), 20, np.ones(1200, bool), [[row] for row in rows])
    found = index.search(vectors, 20, each_but(rows)).rows
    share = np.mean([np.isin(one, best).mean() for one, best in zip(found, truth, strict=True)])
    assert measured_recall(index, space, 20) == pytest.approx(share)
    assert measured_recall(index, space, 20, threads=1) == measured_recall(index, space, 20, threads=2)
    assert 0.88 <= share < 1


def test_exact_search_and_items_without_neighbours_have_it_whole(vectors):
    for of, settings in (
        (vectors, IndexSettings(backend="exact")),
        (np.zeros((300, 4)), CLUSTERS),
        (np.ones((1, 4)), CLUSTERS),
        (np.zeros((0, 4)), CLUSTERS),
    ):
        space = space_of(of)
        assert measured_recall(build_index(space, "dot", settings), space) == 1.0
