"""The nearest others of each item: what the table has, what lists make of it, and what is refused."""

import json

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, InputError, SettingsError, SpaceMismatchError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import Neighbours, VectorSpace
from crossfade.models.cooccurrence import Cooccurrence
from crossfade.models.factors import FittedItems
from crossfade.models.popularity import Popularity
from crossfade.nearest.contract import IndexSettings
from crossfade.ranking.lists import Grouping
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings, nearest_lists, percentile_of_pairs

LISTENERS = np.array([100, 3, 100, 50, 0])
VECTORS = [[1, 0], [2, 0], [0.8, 0.6], [-1, 0.1], [1, 1]]


def fitted(vectors, support, kind="artist"):
    ids = Ids.of(f"{row:04d}" for row in range(len(vectors)))
    vectors = np.array(vectors, dtype=np.float32)
    space = VectorSpace(model="planted", kind=kind, metric="dot", item_ids=ids, item_vectors=vectors)
    return FittedItems(space=space, support=np.asarray(support))


@pytest.fixture
def model():
    return fitted(VECTORS, LISTENERS)


def equal(one, other):
    return all(
        getattr(one.table, name).tobytes() == getattr(other.table, name).tobytes() for name in ("rows", "scores")
    )


def test_lists_are_the_others_by_shrunk_cosine(model):
    table = Neighbourhood.build(model, NeighbourSettings(size=3, shrinkage=2, hubs=0)).table
    # The second has three listeners, the last none; the fourth points away from the first three.
    none = [MISSING] * 3
    assert table.rows.tolist() == [[2, 1, MISSING], [0, 2, MISSING], [0, 1, MISSING], none, none]
    many, few = 100 / 102, 3 / 5
    expected = [0.8 * many**2, many * few, many * few, 0.8 * many * few, 0.8 * many**2, 0.8 * many * few]
    assert table.scores[table.rows != MISSING].tolist() == pytest.approx(expected)


def test_the_table_keeps_so_many_and_the_index_has_the_rest(model):
    near = Neighbourhood.build(model, NeighbourSettings(size=1))
    assert near.table.rows.tolist() == [[2], [0], [0], [MISSING], [MISSING]]
    assert near.nearest(np.array([0], dtype=np.int32), 2).rows.tolist() == [[2, 1]]


@pytest.mark.parametrize("backend", ["exact", "graph"])
def test_saved_and_loaded_it_is_the_same(model, tmp_path, backend):
    if backend == "graph":
        pytest.importorskip("usearch", reason="needs usearch: pip install 'crossfade[index]'")
    built = Neighbourhood.build(model, NeighbourSettings(size=2, shrinkage=3), IndexSettings(backend=backend))
    built.save(tmp_path)
    loaded = Neighbourhood.load(tmp_path, model)
    assert equal(built, loaded)
    assert (loaded.threshold, loaded.recall) == (built.threshold, built.recall)
    assert loaded.scales.tolist() == built.scales.tolist()
    keys = np.arange(5, dtype=np.int32)
    assert loaded.nearest(keys, 4).rows.tobytes() == built.nearest(keys, 4).rows.tobytes()


def test_a_table_made_in_files_is_the_same(model, tmp_path):
    written = Neighbourhood.build(model, NeighbourSettings(size=2), directory=tmp_path)
    written.save(tmp_path)
    assert equal(Neighbourhood.load(tmp_path, model), Neighbourhood.build(model, NeighbourSettings(size=2)))


def test_any_number_of_threads_gives_the_same_table(rng):
    model = fitted(rng.standard_normal((700, 8)), rng.integers(0, 9, 700), "track")
    one, three = (Neighbourhood.build(model, threads=threads) for threads in (1, 3))
    assert equal(one, three)


def test_that_of_another_model_is_refused(model, tmp_path):
    Neighbourhood.build(model).save(tmp_path)
    with pytest.raises(SpaceMismatchError, match="neighbour table"):
        Neighbourhood.load(tmp_path, fitted([*VECTORS[1:], [3, 4]], LISTENERS))


def test_a_model_that_compares_nothing_has_no_neighbours():
    model = Popularity().fit(Interactions.from_counts(["u", "v"], ["a", "b"], [1, 2]))
    with pytest.raises(InputError, match="popularity doesn't compare"):
        Neighbourhood.build(model)


@pytest.mark.parametrize("broken", ["neighbourhood.json", "rows.npy", "scores.npy", "scales.npy"])
def test_a_part_that_is_missing_or_does_not_fit_is_named(model, tmp_path, broken):
    Neighbourhood.build(model).save(tmp_path)
    if broken == "rows.npy":
        np.save(tmp_path / broken, np.zeros((1, 1), dtype=np.int32))
    else:
        (tmp_path / broken).unlink()
    with pytest.raises(ArtifactError):
        Neighbourhood.load(tmp_path, model)


def test_a_strange_description_is_refused(model, tmp_path):
    Neighbourhood.build(model).save(tmp_path)
    (tmp_path / "neighbourhood.json").write_text(json.dumps(["points"]))
    with pytest.raises(ArtifactError, match="neighbour"):
        Neighbourhood.load(tmp_path, model)


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"size": 2001}, {"shrinkage": -1}, {"hubs": -0.1}, {"close": float("nan")}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        NeighbourSettings(**wrong)


def test_a_model_of_similarities_is_asked_for_its_own(tmp_path):
    model = Cooccurrence().fit(Interactions.from_counts(list("uuvwwxy"), list("ababccc"), [1] * 7))
    near = Neighbourhood.build(model, NeighbourSettings(size=2, shrinkage=0, hubs=0))
    exact = model.similar(["a", "b", "c"], 2)
    assert exact.rows[0, 0] == 1
    assert near.table.rows.tolist() == np.where(exact.scores > 0, exact.rows, MISSING).tolist()
    near.save(tmp_path)
    assert equal(near, Neighbourhood.load(tmp_path, model))


def test_the_threshold_is_the_percentile_of_all_pairs(rng):
    points, scales = rng.normal(size=(50, 4)).astype(np.float32), rng.random(50).astype(np.float32)
    units = points / np.linalg.norm(points, axis=1, keepdims=True) * scales[:, None]
    closeness = [units[a] @ units[b] for a in range(50) for b in range(a)]
    assert percentile_of_pairs(points, scales, 99.5) == pytest.approx(np.percentile(closeness, 99.5), rel=1e-5)
    assert percentile_of_pairs(points[:1], scales[:1], 99.5) == np.inf
    assert Neighbourhood.build(fitted(points, [5] * 50), NeighbourSettings(close=60.0)).threshold < 0.5


def test_the_threshold_is_estimated_where_pairs_are_many(rng):
    points = rng.normal(size=(1800, 4)).astype(np.float32)
    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    exact = np.percentile((units @ units.T)[np.triu_indices(1800, k=1)], 99.5)
    assert percentile_of_pairs(points, np.ones(1800, np.float32), 99.5) == pytest.approx(exact, rel=0.02)


def test_lists_are_by_catalogue_rows_and_empty_for_what_the_model_lacks(model):
    near = Neighbourhood.build(model)
    catalogue = Ids.of(["0000", "0000a", "0001", "0002", "0003", "0004"])
    lists = nearest_lists(near, catalogue, 2)(np.array([0, 1, 2], dtype=np.int32))
    assert lists.indptr.tolist() == [0, 2, 2, 4]
    assert lists.indices.tolist() == [3, 2, 0, 3]


class FickleIndex:
    """Finds rows 1, 2, 3 at first, and in a deeper search only the last of them and what is no neighbour."""

    recall = 1.0

    def __init__(self):
        self.depths = []

    def nearest(self, rows, k, *, threads=None):
        self.depths.append(k)
        found = np.full((len(rows), k), MISSING, dtype=np.int32)
        scores = np.full((len(rows), k), -np.inf, dtype=np.float32)
        if len(self.depths) == 1:
            found[:, :3], scores[:, :3] = [1, 2, 3], [0.9, 0.8, 0.7]
        else:
            found[:, 0], scores[:, 0] = 3, 0.7
        return Neighbours(found, scores)


def test_a_deeper_search_that_finds_less_leaves_nothing_of_the_first():
    """As a graph can: it looks elsewhere when it looks at more."""
    index, model = FickleIndex(), fitted([[1, 0]] * 60, [5] * 60)
    near = Neighbourhood(model, 2.0, index.nearest(np.arange(60), 3), 1.0, 1.0, lambda: index)
    alone = Grouping(lambda rows: np.full(len(rows), -1), 1, 0)
    lists = nearest_lists(near, model.item_ids, 5, [alone])(np.arange(60, dtype=np.int32))
    assert index.depths == [3, 12]
    assert lists.indices.tolist() == [3] * 60
    assert lists.values.tolist() == pytest.approx([0.7] * 60)
