"""Co-occurrence: every measure against its definition over dense matrices, and DIMSUM against its promises."""

import dataclasses
import itertools
from fractions import Fraction

import numpy as np
import pytest

from crossfade.core.csr import CSR
from crossfade.core.interactions import Interactions
from crossfade.models.cooccurrence import Cooccurrence, nearest_items
from crossfade.models.cooccurrence_columns import CooccurrenceSettings, columns_of, matrix_of

MEASURES = ["cosine", "jaccard", "bm25"]
EVERYTHING = {"sampling": "dimsum", "threshold": 0.001, "relative_error": 0.001}


@pytest.fixture
def interactions(rng):
    """120 users and 70 items of falling popularity, 1,500 pairs with long-tailed plays."""
    chances = np.repeat(1 / np.arange(3, 73), 120)
    keys = rng.choice(120 * 70, 1500, replace=False, p=chances / chances.sum())
    names = rng.permutation(70)
    return Interactions.from_counts(
        [f"u{key % 120:03d}" for key in keys], [f"i{names[key // 120]:02d}" for key in keys], rng.geometric(0.3, 1500)
    )


def dense_of(interactions, measure, damping="log", shrinkage=10.0):
    """All similarities as they are written, (items, items), 0 on the diagonal."""
    plays = interactions.matrix().toarray().astype(np.float64)
    has = (plays > 0).astype(np.float64)
    weights = {"binary": has, "log": np.log(1 + plays), "none": plays}[damping]
    together, (_, items) = has.T @ has, has.shape
    if measure == "cosine":
        lengths = np.sqrt((weights**2).sum(axis=0))
        found = weights.T @ weights / np.outer(lengths, lengths)
    elif measure == "jaccard":
        listeners = has.sum(axis=0)
        found = together / (listeners[:, None] + listeners - together)
    else:
        degree, length = has.sum(axis=1, keepdims=True), weights.sum(axis=0)
        rarity = np.log(1 + (items - degree + 0.5) / (degree + 0.5))
        values = rarity * 2.2 * weights / (weights + 1.2 * (0.25 + 0.75 * length / length.mean()))
        found = values.T @ values
    found = found * (together / (together + shrinkage) if shrinkage else 1)
    np.fill_diagonal(found, 0)
    return found


def as_dense(lists, items):
    found = np.zeros((items, items))
    rows = np.repeat(np.arange(items), np.diff(lists.indptr))
    found[rows, lists.indices] = lists.values
    return found


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("fields", [{}, {"damping": "binary"}, {"damping": "none"}, {"shrinkage": 0.0}])
def test_similarities_are_those_of_the_definition(interactions, measure, fields):
    settings = CooccurrenceSettings(measure=measure, neighbours=70, **fields)
    found = nearest_items(interactions, settings, threads=2)
    np.testing.assert_allclose(
        as_dense(found.lists, 70), dense_of(interactions, measure, **fields), rtol=2e-5, atol=1e-6
    )
    # No more pairs were added up than there are: of a user with n items n (n - 1) / 2.
    lengths = np.diff(interactions.indptr)
    assert found.pairs == found.emitted == (lengths * (lengths - 1)).sum() // 2


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("damping", ["log", "none"])
def test_sums_are_exact_in_any_order(rng, measure, damping):
    # Weights over nine orders of magnitude, and long histories, which stand for many.
    has = rng.random((300, 20)) < np.linspace(0.05, 1, 300)[:, None]
    has[:, 0] = True
    users, items = np.nonzero(has)
    played = Interactions.from_counts(users, items, 10 ** rng.uniform(-3, 6, len(users)))
    settings = CooccurrenceSettings(measure=measure, damping=damping, longest_history=9)
    matrix = matrix_of(played, 0, 300, columns_of(played, settings), settings)
    columns = [CSR(matrix.item_indptr, matrix.users, matrix.item_weights).of(item) for item in range(20)]
    dense = np.zeros((20, 300))
    for item, column in enumerate(columns):
        dense[item, matrix.users[column]] = matrix.item_weights[column]
    for one, other in itertools.combinations(range(20), 2):
        terms = dense[one] * dense[other]
        exact = sum(map(Fraction, terms.tolist()))
        assert {Fraction(sum(rng.permutation(terms).tolist())) for _ in range(5)} == {exact}
        together = matrix.stands[terms > 0].astype(np.float64)
        assert sum(rng.permutation(together).tolist()) == sum(map(Fraction, together.tolist()))
    # What rounding takes away is little.
    drawn = CooccurrenceSettings(measure=measure, damping=damping, longest_history=0, shrinkage=0, neighbours=20)
    lists = nearest_items(played, drawn, threads=1).lists
    np.testing.assert_allclose(as_dense(lists, 20), dense_of(played, measure, damping, 0.0), rtol=2e-5)


@pytest.mark.parametrize("neighbours", [1, 5, 20])
@pytest.mark.parametrize("measure", MEASURES)
def test_the_largest_are_kept_best_first_and_ties_by_row(interactions, measure, neighbours):
    settings = CooccurrenceSettings(measure=measure, damping="binary", neighbours=neighbours, shrinkage=3.0)
    lists = nearest_items(interactions, settings, threads=2).lists
    everything = dataclasses.replace(settings, neighbours=70)
    whole = as_dense(nearest_items(interactions, everything, threads=1).lists, 70).astype(np.float32)
    for item in range(70):
        span = slice(lists.indptr[item], lists.indptr[item + 1])
        expected = np.lexsort((np.arange(70), -whole[item]))[:neighbours]
        expected = expected[whole[item][expected] > 0]
        assert lists.indices[span].tolist() == expected.tolist()
        np.testing.assert_array_equal(lists.values[span], whole[item][expected])


def test_items_that_few_share_are_found_as_those_that_many_do(rng):
    # 2,000 items: what three users share touches few sums, which are listed, and what two hundred do touches all.
    pairs = {(user, item) for user in range(3) for item in rng.choice(np.arange(1990, 2000), 5, replace=False)}
    pairs |= {(user, int(item)) for user in range(3, 203) for item in rng.choice(1990, 60, replace=False)}
    pairs |= {(user, 0) for user in range(3, 203)}
    users, items = zip(*sorted(pairs), strict=True)
    played = Interactions.from_counts(
        [str(user) for user in users], [f"{item:04d}" for item in items], np.ones(len(pairs))
    )
    count = len(played.item_ids)
    for shrinkage in (0.0, 2.0):
        settings = CooccurrenceSettings(measure="cosine", shrinkage=shrinkage, neighbours=count)
        found = as_dense(nearest_items(played, settings, threads=1).lists, count)
        np.testing.assert_allclose(found, dense_of(played, "cosine", shrinkage=shrinkage), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_dimsum_that_draws_everything_is_exact(interactions, measure):
    fields = {"measure": measure, "neighbours": 30, "shrinkage": 5.0}
    exact = nearest_items(interactions, CooccurrenceSettings(**fields), threads=2)
    drawn = nearest_items(interactions, CooccurrenceSettings(**fields, **EVERYTHING), threads=2)
    for one, other in zip(exact.lists, drawn.lists, strict=True):
        np.testing.assert_array_equal(one, other)
    assert drawn.emitted == exact.pairs


def test_dimsum_is_unbiased_and_as_exact_as_its_bound_says(rng):
    # γ = 1 / (0.5 · 0.5²) = 8: items of up to 300 listeners are drawn with chances down to 0.16.
    has = rng.random((300, 12)) < np.linspace(0.15, 0.95, 12)
    users, items = np.nonzero(has)
    played = Interactions.from_counts(
        [f"{user:03d}" for user in users], [f"{item:02d}" for item in items], np.ones(len(users))
    )
    truth, runs, emitted = dense_of(played, "cosine", "binary", 0.0), [], []
    for seed in range(300):
        settings = CooccurrenceSettings(
            measure="cosine",
            damping="binary",
            shrinkage=0.0,
            sampling="dimsum",
            threshold=0.5,
            relative_error=0.5,
            seed=seed,
        )
        found = nearest_items(played, settings, threads=1)
        runs.append(as_dense(found.lists, 12))
        emitted.append(found.emitted / found.pairs)
    runs = np.array(runs)
    np.testing.assert_array_equal(runs, runs.transpose(0, 2, 1))
    pairs = np.triu_indices(12, 1)
    spread = runs.std(axis=0, ddof=1)[pairs]
    # 66 pairs within three standard errors, but for the one in four hundred that chance lets out, twice over.
    away = np.abs(runs.mean(axis=0) - truth)[pairs] / (spread / np.sqrt(300))
    assert np.count_nonzero(away > 3) <= 1
    assert away.max() < 4
    # The relative spread is √((1 - p_i p_j) / (s γ)), by the chances of the two.
    chances = np.minimum(1, np.sqrt(8 / has.sum(axis=0)))
    expected = np.sqrt((1 - np.outer(chances, chances)) / (np.maximum(truth, 1e-9) * 8))[pairs]
    np.testing.assert_allclose(spread / truth[pairs], expected, rtol=0.2)
    above = truth[pairs] >= 0.5
    # The bound holds of the true spread; what 300 runs show of it is out by some 4 %.
    assert np.all((spread / truth[pairs])[above] < 0.5 * 1.1)
    # What is saved is what was expected: Σ p_i p_j n_ij of Σ n_ij.
    together = (has.T.astype(int) @ has)[pairs]
    assert np.mean(emitted) == pytest.approx(together @ np.outer(chances, chances)[pairs] / together.sum(), rel=0.02)


@pytest.mark.parametrize("measure", ["jaccard", "bm25"])
def test_dimsum_is_near_the_exact_in_every_measure(rng, measure):
    has = rng.random((4000, 10)) < np.linspace(0.3, 0.9, 10)
    users, items = np.nonzero(has)
    played = Interactions.from_counts([str(user) for user in users], [str(item) for item in items], np.ones(len(users)))
    exact, drawn = (
        as_dense(
            nearest_items(played, CooccurrenceSettings(measure=measure, damping="binary", **fields), threads=1).lists,
            10,
        )
        for fields in ({}, {"sampling": "dimsum", "threshold": 0.3, "relative_error": 0.05})
    )
    off = ~np.eye(10, dtype=bool)
    errors = (drawn[off] - exact[off]) / exact[off]
    assert 0 < np.abs(errors).mean() < 0.08


def test_long_histories_are_sampled_without_bias(rng):
    # One user in two has all 40 items and is cut to 8; the others have five.
    pairs = [
        (user, item) for user in range(40) for item in (range(40) if user % 2 else rng.choice(40, 5, replace=False))
    ]
    played = Interactions.from_counts(
        [f"{user:02d}" for user, _ in pairs], [f"{item:02d}" for _, item in pairs], np.ones(len(pairs))
    )
    for measure in ("cosine", "jaccard"):
        fields = {"measure": measure, "damping": "binary", "neighbours": 40, "shrinkage": 0.0}
        runs = np.array(
            [
                as_dense(
                    nearest_items(
                        played, CooccurrenceSettings(**fields, longest_history=8, seed=seed), threads=1
                    ).lists,
                    40,
                )
                for seed in range(100)
            ]
        )
        whole = dense_of(played, measure, "binary", 0.0)
        if measure == "cosine":
            assert runs.mean() == pytest.approx(whole.mean(), rel=0.01)
        at_most = CooccurrenceSettings(**fields, longest_history=40)
        np.testing.assert_allclose(
            as_dense(nearest_items(played, at_most, threads=1).lists, 40), whole, rtol=1e-5, atol=1e-7
        )


def test_items_with_few_listeners_are_similar_to_none(interactions):
    rare = interactions.listeners() < 12
    assert rare.any()
    assert not rare.all()
    settings = CooccurrenceSettings(measure="cosine", neighbours=70, least_listeners=12)
    found = as_dense(nearest_items(interactions, settings, threads=1).lists, 70)
    expected = dense_of(interactions, "cosine")
    expected[rare], expected[:, rare] = 0, 0
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


def test_planted_groups_are_each_others_nearest(rng):
    pairs = [
        (f"u{group}{user}", f"i{group}{item}")
        for group in range(4)
        for user in range(25)
        for item in rng.choice(8, 5, replace=False)
    ]
    pairs += [(f"u{rng.integers(4)}{rng.integers(25)}", f"i{rng.integers(4)}{rng.integers(8)}") for _ in range(40)]
    played = Interactions.from_counts([user for user, _ in pairs], [item for _, item in pairs], np.ones(len(pairs)))
    for measure in MEASURES:
        model = Cooccurrence(measure=measure, factors=8).fit(played)
        names = list(model.item_ids)
        for name, found in zip(names, model.similar(names, 7).rows, strict=True):
            assert {names[row][:2] for row in found} == {name[:2]}


@pytest.mark.parametrize("fields", [{"sampling": "dimsum", "threshold": 0.9, "relative_error": 0.9}, {}])
def test_what_is_drawn_follows_from_the_seed_whatever_the_threads(interactions, fields):
    lists = [
        nearest_items(
            interactions, CooccurrenceSettings(longest_history=20, seed=seed, **fields), threads=threads
        ).lists.values
        for seed, threads in ((0, 1), (0, 3), (1, 1))
    ]
    np.testing.assert_array_equal(lists[0], lists[1])
    assert not np.array_equal(lists[0], lists[2])
