"""Neighbour tables that machines share: any backend, copies, and what is complete when the driver is lost."""

import numpy as np
import pytest

from crossfade.cluster import retrieval, slices
from crossfade.cluster.engine import LocalEngine
from crossfade.cluster.retrieval import compute_neighbours
from crossfade.core.artifacts import Identity, writing
from crossfade.core.ids import Ids
from crossfade.core.spaces import VectorSpace
from crossfade.models.factors import FittedItems
from crossfade.nearest.contract import IndexSettings
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings

ITEMS, SETTINGS = 700, NeighbourSettings(size=9)


@pytest.fixture
def model(rng, tmp_path, monkeypatch):
    """The artifact of a model of 700 items, whose neighbours are searched by slices of at least 50."""
    monkeypatch.setattr(retrieval, "LEAST", 50)
    ids = Ids.of(f"{row:04d}" for row in range(ITEMS))
    vectors = rng.standard_normal((ITEMS, 8)).astype(np.float32)
    space = VectorSpace(model="word2vec", kind="track", metric="cosine", item_ids=ids, item_vectors=vectors)
    with writing(tmp_path / "model", Identity(kind="fit", version=1)) as draft:
        FittedItems(space=space, support=rng.integers(0, 9, ITEMS)).save(draft.path)
    return tmp_path / "model"


def compute(model, place, backend="exact", slots=2):
    place.mkdir()
    how = {"directory": place, "workspace": place.with_name("workspace")}
    compute_neighbours(LocalEngine(slots), model, SETTINGS, IndexSettings(backend=backend), **how).save(place)
    return content(place)


def content(place):
    return {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize("backend", ["exact", "clusters"])
def test_the_index_is_searched_alike_on_all_machines(model, tmp_path, backend):
    single = tmp_path / "single"
    single.mkdir()
    Neighbourhood.build(
        FittedItems.load(model), SETTINGS, IndexSettings(backend=backend), directory=single, threads=2
    ).save(single)
    assert compute(model, tmp_path / "shared", backend) == content(single)


def test_slices_that_were_complete_are_not_computed_again(model, tmp_path, monkeypatch):
    search, searched = retrieval._NearestItems.__call__, []

    def lost_on_the_way(self, first, last):
        if len(searched) == 5:
            raise KeyboardInterrupt
        searched.append(first)
        return search(self, first, last)

    monkeypatch.setattr(retrieval._NearestItems, "__call__", lost_on_the_way)
    with pytest.raises(KeyboardInterrupt):
        compute(model, tmp_path / "lost", slots=1)
    again = []
    monkeypatch.setattr(
        retrieval._NearestItems, "__call__", lambda self, *span: again.append(span[0]) or search(self, *span)
    )
    monkeypatch.setattr(Neighbourhood, "without_table", None)  # the index is there
    assert compute(model, tmp_path / "again", slots=1)
    assert len(searched) == 5
    assert sorted(searched + again) == [*range(0, ITEMS, 88)]


def test_a_slice_is_never_seen_half_written(tmp_path, monkeypatch):
    def fail(file, **arrays):
        file.write(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(slices.np, "savez", fail)
    with pytest.raises(KeyboardInterrupt):
        slices.write_arrays(tmp_path / "slice.npz", {"rows": np.zeros(3)})
    assert not [*tmp_path.iterdir()]
