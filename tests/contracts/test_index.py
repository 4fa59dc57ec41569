"""What every index must do, whatever is behind it."""

import dataclasses
import json

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, InputError, SpaceMismatchError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.spaces import VectorSpace
from crossfade.kernels.search.oracle import all_scores, top_k, units
from crossfade.nearest.backends import BACKENDS, backend_class, load_index
from crossfade.nearest.contract import IndexSettings, Restriction

ITEMS, FACTORS = 3000, 12

# Narrow, so that the graph itself answers; see `small_graphs_answer`.
SETTINGS = IndexSettings(links=16, build_breadth=128, search_breadth=64, trees=20, search_nodes=1500)


@pytest.fixture(autouse=True)
def small_graphs_answer(monkeypatch):
    """The graph goes over to exact search only where it would have to look at 1 item in 32."""
    monkeypatch.setattr("crossfade.nearest.graph.EXACT_SHARE", 32)


@pytest.fixture(params=sorted(BACKENDS))
def backend(request):
    for name, library, extra in (("graph", "usearch", "index"), ("forest", "annoy", "annoy")):
        if request.param == name:
            pytest.importorskip(library, reason=f"needs {library}: pip install 'crossfade[{extra}]'")
    return backend_class(request.param)


@pytest.fixture(params=["dot", "cosine"])
def metric(request):
    return request.param


def space_of(vectors, *, biased=False):
    return VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        biased=biased,
        item_ids=Ids.of(f"{row:05}" for row in range(len(vectors))),
        item_vectors=np.asarray(vectors, dtype=np.float32),
    )


@pytest.fixture(scope="module")
def space():
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((40, FACTORS))
    vectors = centres[rng.integers(40, size=ITEMS)] + 0.4 * rng.standard_normal((ITEMS, FACTORS))
    return space_of(vectors * rng.lognormal(0.0, 0.2, (ITEMS, 1)))


@pytest.fixture(scope="module")
def queries(space):
    """Near items, as those of listeners are: what is far from all items has neighbours everywhere."""
    rng = np.random.default_rng(8)
    near = space.item_vectors[rng.choice(ITEMS, 40, replace=False)]
    return near + 0.3 * rng.standard_normal((40, FACTORS)).astype(np.float32)


@pytest.fixture(scope="module")
def built(space):
    """Indexes by backend and metric, built once."""
    made = {}

    def build(backend, metric):
        key = backend.backend, metric
        if key not in made:
            made[key] = backend.build(space, metric, SETTINGS)
        return made[key]

    return build


def true_scores(space, queries, metric):
    if metric == "cosine":
        return all_scores(units(space.item_vectors), units(queries))
    return all_scores(space.item_vectors, queries)


def expected(space, queries, metric, k, opened=None, excluded=None):
    opened = np.ones(len(space.item_ids), dtype=bool) if opened is None else opened
    return top_k(true_scores(space, queries, metric), k, opened, excluded or [[]] * len(queries))


def recall(found, truth):
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), truth.tolist(), strict=True)])


def equal(one, other):
    return np.array_equal(one.rows, other.rows) and np.array_equal(one.scores, other.scores)


def test_it_finds_the_nearest(backend, metric, built, space, queries):
    found = built(backend, metric).search(queries, 10)
    assert recall(found.rows, expected(space, queries, metric, 10)[0]) >= (1.0 if backend.backend == "exact" else 0.95)


def test_scores_are_exact_and_best_first(backend, metric, built, space, queries):
    found = built(backend, metric).search(queries, 10)
    truth = np.take_along_axis(true_scores(space, queries, metric), found.rows, axis=1)
    np.testing.assert_array_equal(found.scores, truth)
    assert found.rows.dtype == np.int32
    assert found.scores.dtype == np.float32
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert all(len(set(row)) == 10 for row in found.rows.tolist())


def test_the_number_of_threads_and_the_batch_change_nothing(backend, metric, built, space):
    queries = np.concatenate([space.item_vectors[:600], np.zeros((1, FACTORS), dtype=np.float32)])
    index = built(backend, metric)
    together = index.search(queries, 7, threads=1)
    assert equal(together, index.search(queries, 7, threads=2))
    for query in (0, 17, 599, 600):
        alone = index.search(queries[query : query + 1], 7)
        np.testing.assert_array_equal(alone.rows[0], together.rows[query])
        np.testing.assert_array_equal(alone.scores[0], together.scores[query])


@pytest.mark.parametrize("best", [5, 60, 2990])
def test_what_a_query_excludes_is_not_given_and_k_still_are(backend, metric, built, space, queries, best):
    # Each query excludes its own best items, in no order and one of them twice.
    order = np.argsort(-true_scores(space, queries, metric), axis=1, kind="stable")[:, :best].astype(np.int32)
    rows = np.concatenate([order[:, ::-1], order[:, :1]], axis=1)
    restriction = Restriction(indptr=np.arange(len(queries) + 1, dtype=np.int64) * (best + 1), indices=rows.reshape(-1))
    found = built(backend, metric).search(queries, 8, restriction)
    truth = expected(space, queries, metric, 8, excluded=order.tolist())
    assert (found.rows != MISSING).all()
    assert not any(set(a) & set(b) for a, b in zip(found.rows.tolist(), order.tolist(), strict=True))
    assert recall(found.rows, truth[0]) >= (1.0 if backend.backend == "exact" else 0.9)


def test_an_item_bias_counts_by_dot_and_not_by_cosine(backend, metric, built, space, queries, rng, tmp_path):
    biases = rng.standard_normal((ITEMS, 1)).astype(np.float32)
    biased = space_of(np.hstack([space.item_vectors, biases]), biased=True)
    built_so = backend.build(biased, metric, SETTINGS)
    built_so.save(tmp_path)
    if metric == "cosine":
        asked, truth = queries, built(backend, metric).search(queries, 10)
    else:
        asked = np.hstack([queries, np.ones((len(queries), 1), dtype=np.float32)])
        # The same items without a word of what the last column means.
        truth = backend.build(space_of(biased.item_vectors), metric, SETTINGS).search(asked, 10)
    for index in (built_so, backend.load(tmp_path, biased)):
        assert equal(index.search(asked, 10), truth)


def test_fewer_than_k_are_padded(backend, metric, built, space, queries):
    allowed = np.array([9, 4, 2999, 4], dtype=np.int32)
    found = built(backend, metric).search(
        queries[:2],
        6,
        Restriction(indptr=np.array([0, 1, 1]), indices=np.array([9], dtype=np.int32), allowed=allowed),
    )
    assert sorted(found.rows[0].tolist()) == [-1, -1, -1, -1, 4, 2999]
    assert found.rows[0, 2:].tolist() == [-1] * 4
    assert np.isneginf(found.scores[0, 2:]).all()
    assert sorted(found.rows[1, :3].tolist()) == [4, 9, 2999]


@pytest.mark.parametrize("share", [0.02, 0.4, 0.9])
def test_only_allowed_items_are_given(backend, metric, built, space, queries, share, rng):
    opened = rng.random(ITEMS) < share
    allowed = np.flatnonzero(opened).astype(np.int32)
    barred = allowed[::10]
    opened[barred] = False
    found = built(backend, metric).search(queries, 10, Restriction(allowed=allowed, barred=barred))
    assert opened[found.rows].all()
    truth = expected(space, queries, metric, 10, opened=opened)
    assert recall(found.rows, truth[0]) >= (1.0 if backend.backend == "exact" else 0.9)


def test_nothing_is_left(backend, metric, built, queries):
    found = built(backend, metric).search(queries, 3, Restriction(allowed=np.zeros(0, dtype=np.int32)))
    assert (found.rows == MISSING).all()
    assert np.isneginf(found.scores).all()


def test_more_than_there_are(backend, metric, rng):
    space = space_of(rng.standard_normal((20, 3)))
    found = backend.build(space, metric).search(space.item_vectors[:5], 30)
    assert all(sorted(rows[:20].tolist()) == list(range(20)) for rows in found.rows)
    assert (found.rows[:, 20:] == MISSING).all()


def test_ties_stand_in_ascending_row_order(backend, metric):
    space = space_of(np.ones((50, 4)))
    found = backend.build(space, metric).search(np.ones((2, 4), dtype=np.float32), 9)
    assert (np.diff(found.rows, axis=1) > 0).all()
    assert len(np.unique(found.scores)) == 1


def test_zero_vectors_score_zero(backend, metric):
    space = space_of([[0, 0], [1, 0], [-1, 0]])
    found = backend.build(space, metric).search(np.array([[2, 0], [0, 0]], dtype=np.float32), 3)
    assert found.rows.tolist() == [[1, 0, 2], [0, 1, 2]]
    assert found.scores[:, 1].tolist() == [0, 0]


def test_a_space_without_items_and_no_queries_at_all(backend, metric, built, tmp_path):
    space = space_of(np.zeros((0, 3)))
    index = backend.build(space, metric)
    index.save(tmp_path)
    for empty in (index, backend.load(tmp_path, space)):
        assert empty.search(np.ones((2, 3), dtype=np.float32), 2).rows.tolist() == [[-1, -1], [-1, -1]]
    assert built(backend, metric).search(np.zeros((0, FACTORS), dtype=np.float32), 4).rows.shape == (0, 4)


def test_saved_and_loaded_it_answers_alike(backend, metric, built, space, queries, tmp_path):
    index = built(backend, metric)
    index.save(tmp_path)
    for loaded in (backend.load(tmp_path, space), load_index(tmp_path, space)):
        assert (loaded.backend, loaded.metric, loaded.space_id) == (backend.backend, metric, space.space_id)
        assert equal(loaded.search(queries, 10), index.search(queries, 10))


def test_a_memory_mapped_space_is_searched_alike(backend, metric, built, space, queries, tmp_path):
    space.save(tmp_path)
    mapped = backend.build(VectorSpace.load(tmp_path), metric, SETTINGS)
    assert equal(mapped.search(queries, 10), built(backend, metric).search(queries, 10))


def test_building_twice_gives_the_same_bytes(backend, metric, built, space, tmp_path):
    written = []
    for name, index in (("a", built(backend, metric)), ("b", backend.build(space, metric, SETTINGS))):
        (tmp_path / name).mkdir()
        index.save(tmp_path / name)
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[0] == written[1]


def test_another_space_is_refused(backend, metric, built, space, tmp_path):
    built(backend, metric).save(tmp_path)
    other = space_of(space.item_vectors[:, ::-1])
    for load in (backend.load, load_index):
        with pytest.raises(SpaceMismatchError):
            load(tmp_path, other)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"backend": "annoy"},
        {"metric": "euclid"},
        {"files": []},
        {"surplus": 1},
        {"files": {"../x": ""}},
    ],
)
def test_another_version_or_a_strange_description_is_refused(backend, metric, built, space, tmp_path, change):
    built(backend, metric).save(tmp_path)
    path = tmp_path / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    for load in (backend.load, load_index):
        with pytest.raises(ArtifactError, match=r"index\.json|of the kind"):
            load(tmp_path, space)


def test_every_file_that_is_damaged_or_missing_is_noticed(backend, metric, built, space, tmp_path):
    built(backend, metric).save(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        altered = bytearray(content)
        altered[len(altered) // 2] ^= 0x55
        for damaged in (content[: len(content) // 2], b"", bytes(altered) if path.suffix != ".json" else b"[]"):
            path.write_bytes(damaged)
            with pytest.raises(ArtifactError, match=path.name):
                backend.load(tmp_path, space)
        path.unlink()
        with pytest.raises(ArtifactError, match=path.name):
            backend.load(tmp_path, space)
        path.write_bytes(content)


def test_vectors_that_are_not_finite_are_refused(backend, metric, built, queries):
    for number in (np.nan, np.inf, 1e30):
        wrong = np.ones((4, FACTORS), dtype=np.float32)
        wrong[2, 1] = number
        with pytest.raises(InputError, match="row 2"):
            backend.build(dataclasses.replace(space_of(np.ones_like(wrong)), item_vectors=wrong), metric)
        with pytest.raises(InputError, match="row 2"):
            built(backend, metric).search(wrong, 3)


def test_numbers_of_other_types_and_byte_orders_give_the_same(backend, metric, built, queries):
    index = built(backend, metric)
    barred, starts, own = [3, 1], np.arange(len(queries) + 1), np.zeros(len(queries), dtype=int)
    wanted = index.search(queries, 3, Restriction(barred=barred, indptr=starts, indices=own))
    swapped = Restriction(barred=np.array(barred, ">i8"), indptr=starts.astype(">i4"), indices=own.astype(np.uint8))
    found = index.search(np.asfortranarray(queries.astype(">f8")), 3, swapped)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.scores, wanted.scores)


def test_questions_that_cannot_be_answered_are_refused(backend, metric, built, queries):
    index = built(backend, metric)
    with pytest.raises(InputError, match="not 0"):
        index.search(queries, 0)
    with pytest.raises(InputError, match="shape"):
        index.search(queries[:, :5], 3)
    with pytest.raises(InputError, match="40 queries"):
        index.search(queries, 3, Restriction(indptr=np.array([0, 0]), indices=np.zeros(0, dtype=np.int32)))
    for k in (2.5, "3", None):
        with pytest.raises(InputError, match="k must be a whole number"):
            index.search(queries, k)
    for wrong in (queries.astype(complex), queries.astype(str), queries.astype(object), queries[0]):
        with pytest.raises(InputError, match="queries must be"):
            index.search(wrong, 3)
    for threads in (0, -1):
        with pytest.raises(InputError, match="threads must be at least 1"):
            index.search(queries, 3, threads=threads)
    for rows in (np.array([0.5]), np.array([True, False]), [["0"]]):
        with pytest.raises(InputError, match="barred must be a 1-d array of whole numbers"):
            Restriction(barred=rows)
    for wrong in (-1, ITEMS):
        with pytest.raises(InputError, match=str(wrong)):
            index.search(queries, 3, Restriction(barred=np.array([wrong], dtype=np.int32)))


def test_building_tells_how_far_it_is(backend, metric, space):
    told = []
    backend.build(space, metric, SETTINGS, progress=lambda done, total, unit: told.append((done, total, unit)))
    assert told[-1] == (ITEMS, ITEMS, "items")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
