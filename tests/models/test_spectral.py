"""Spectral filters: the polynomial against a dense eigendecomposition, and what the model makes of it."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.csr import CSR
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.models import spectral_choice
from crossfade.models.graph_filter import Graph, interpolated, linear, plateau
from crossfade.models.histories import damped_histories
from crossfade.models.spectral import Spectral
from crossfade.models.spectral_choice import Filter, _scores, best_filter, grid

ITEMS = 300


@pytest.fixture
def interactions(rng):
    """200 users of four tastes, 300 items, some 4,000 pairs."""
    users = np.repeat(np.arange(200), 20)
    items = np.where(rng.random(4000) < 0.8, (users % 4) * 75 + rng.integers(0, 75, 4000), rng.integers(0, ITEMS, 4000))
    # Each item once, so that all 300 are there.
    users, items = np.append(users, rng.integers(0, 200, ITEMS)), np.append(items, np.arange(ITEMS))
    pairs = np.unique(users * ITEMS + items)
    users, items = pairs // ITEMS, pairs % ITEMS
    return Interactions.from_counts([f"u{user:03d}" for user in users], [f"i{item:03d}" for item in items])


def eigenpairs(interactions):
    """The eigenvalues of L, ascending, its eigenvectors, and the listeners of each item, in double precision."""
    known = (interactions.matrix().toarray() > 0).astype(np.float64)
    scaled = known / np.sqrt(known.sum(axis=1, keepdims=True)) / np.sqrt(known.sum(axis=0))
    values, vectors = np.linalg.eigh(np.eye(ITEMS) - scaled.T @ scaled)
    return values, vectors, known.sum(axis=0)


def dense(model):
    """The similarities (items, items) of a model that keeps them all."""
    assert not isinstance(model.similarities, CSR)
    return model.similarities


def without_diagonal(matrix):
    return matrix * (1 - np.eye(len(matrix)))


@pytest.mark.parametrize("degree", [1, 2, 8])
def test_the_polynomial_is_that_of_the_eigenvalues(interactions, degree, rng):
    values, vectors, _ = eigenpairs(interactions)
    coefficients = interpolated(plateau(3.0), degree)
    polynomial = np.polynomial.chebyshev.chebval(2 * values - 1, coefficients)
    signals = rng.standard_normal((ITEMS, 5)).astype(np.float32)
    graph = Graph.of(damped_histories(interactions, "binary"), ITEMS)
    found, doubled = graph.filtered([coefficients, 2 * coefficients], signals)
    np.testing.assert_allclose(found, (vectors * polynomial) @ (vectors.T @ signals), atol=1e-5)
    np.testing.assert_allclose(doubled, 2 * found, atol=1e-5)
    # However many signals are filtered at a time, each is the same to the bit.
    np.testing.assert_array_equal(graph.filtered([coefficients], signals[:, 3:])[0], found[:, 3:])


def test_a_polynomial_equals_its_filter_at_the_nodes_and_comes_close_between():
    eigenvalues = np.linspace(0, 1, 1001)
    for degree in (1, 4, 9):
        coefficients = interpolated(plateau(2.5), degree)
        nodes = (np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1)) + 1) / 2
        np.testing.assert_allclose(
            np.polynomial.chebyshev.chebval(2 * nodes - 1, coefficients), plateau(2.5)(nodes), atol=1e-12
        )

    def error(degree):
        polynomial = np.polynomial.chebyshev.chebval(2 * eigenvalues - 1, interpolated(plateau(2.5), degree))
        return np.abs(polynomial - plateau(2.5)(eigenvalues)).max()

    errors = [error(degree) for degree in (4, 16, 64)]
    assert errors[0] > 4 * errors[1] > 16 * errors[2]
    assert errors[2] < 1e-3


def test_a_plateau_falls_from_one_to_zero_and_is_flat_between():
    np.testing.assert_allclose(plateau(2.0)(np.array([0, 0.25, 0.5, 0.75, 1])), [1, 0.625, 0.5, 0.375, 0])
    np.testing.assert_allclose(plateau(50.0)(np.array([0.2, 0.8])), 0.5, atol=1e-6)


@pytest.mark.parametrize("popularity", [0.0, 0.4])
def test_scores_are_those_of_the_dense_filter(interactions, popularity):
    values, vectors, listeners = eigenpairs(interactions)
    model = Spectral(
        flatness=3.0, degree=64, ideal=4, ideal_weight=0.5, popularity_weight=popularity, neighbours=0, factors=8
    )
    fitted = model.fit(interactions)
    ideal = vectors[:, :4] @ vectors[:, :4].T
    middle = (vectors * plateau(3.0)(values)) @ vectors.T + 0.5 * ideal
    weights = listeners**popularity
    # x as a row: x D^-β (…) D^β.
    np.testing.assert_allclose(dense(fitted), without_diagonal(middle / weights[:, None] * weights), atol=2e-4)
    # What compares items is the filter alone.
    found = fitted.similar(["i007"], 5)
    expected = np.argsort(-without_diagonal(middle)[7])[:5]
    assert [name for name, _ in found.listed(0)] == [f"i{row:03d}" for row in expected]
    np.testing.assert_allclose(found.scores[0], middle[7, expected], rtol=1e-3)


def test_gf_cf_is_the_linear_filter_and_a_low_pass_weighed_by_popularity(interactions):
    values, vectors, listeners = eigenpairs(interactions)
    model = Spectral(filter="gf-cf", ideal=4, ideal_weight=0.3, popularity_weight=0.5, neighbours=0, factors=8)
    fitted, roots = model.fit(interactions), np.sqrt(listeners)
    ideal = vectors[:, :4] @ vectors[:, :4].T
    expected = (vectors * (1 - values)) @ vectors.T + 0.3 * ideal / roots[:, None] * roots
    np.testing.assert_allclose(dense(fitted), without_diagonal(expected), atol=1e-4)
    np.testing.assert_allclose(interpolated(linear, 1), [0.5, -0.5], atol=1e-12)


def test_the_order_of_users_changes_nothing(interactions):
    settings = {"flatness": 3.0, "ideal": 6, "ideal_weight": 0.5, "popularity_weight": 0.2, "factors": 8}
    names = [f"{199 - int(name[1:]):03d}" for name in interactions.user_ids]
    users = np.repeat(np.arange(200), np.diff(interactions.indptr))
    other = Interactions.from_counts(
        [names[user] for user in users], [interactions.item_ids[int(item)] for item in interactions.indices]
    )
    one, turned = (Spectral(neighbours=0, **settings).fit(each) for each in (interactions, other))
    np.testing.assert_allclose(dense(one), dense(turned), atol=1e-5)


@pytest.mark.parametrize("degree", [0, 8])
def test_kept_entries_are_the_largest_and_blocks_change_nothing(interactions, monkeypatch, degree):
    settings = {
        "degree": degree,
        "flatness": 3.0,
        "ideal": 6,
        "ideal_weight": 0.5,
        "popularity_weight": 0.2,
        "factors": 8,
    }
    everything = dense(Spectral(neighbours=0, **settings).fit(interactions))
    monkeypatch.setattr("crossfade.models.spectral.BLOCK", 7)
    lists = Spectral(neighbours=20, **settings).fit(interactions).similarities
    assert lists.rows == ITEMS
    for row in (0, 63, 64, 299):
        best = np.argsort(-everything[row], kind="stable")[:20]
        np.testing.assert_array_equal(lists.indices[lists.of(row)], best)
        np.testing.assert_allclose(lists.values[lists.of(row)], everything[row, best], atol=1e-6)


def test_what_is_unset_is_chosen_by_what_was_hidden(interactions):
    fitted = Spectral(factors=8, neighbours=20).fit(interactions)
    chosen = {name: fitted.settings[name] for name in ("flatness", "ideal", "ideal_weight", "popularity_weight")}
    assert None not in chosen.values()
    # Given, they are used as they are, and nothing is searched.
    given = Spectral(factors=8, neighbours=20, **chosen).fit(interactions)
    np.testing.assert_array_equal(given.similarities.values, fitted.similarities.values)
    assert Spectral(factors=8, popularity_weight=0.7).fit(interactions).settings["popularity_weight"] == 0.7


def test_of_two_filters_the_one_that_finds_more_is_chosen(interactions):
    # Items of a thousandth of the weight of their listeners cannot be found.
    good = Filter(flatness=3.0, degree=8, ideal=6, ideal_weight=0.1, popularity=0.2)
    bad = dataclasses.replace(good, popularity=-1.0)
    histories = damped_histories(interactions, "binary")
    assert best_filter([bad, good], histories, ITEMS, 0, 2) == good
    assert best_filter([good, bad], histories, ITEMS, 0, 1) == good
    few = histories.take(np.arange(20))
    assert best_filter([bad, good], few, ITEMS, 0, 1) == bad


def test_all_filters_are_tried_on_a_fifth_of_the_users_and_the_best_on_the_others(interactions, monkeypatch):
    asked = []

    def gains(filters, graph, smoothest, shown, hidden, threads):
        asked.append((len(filters), shown.rows))
        # What the first users like, the others do not, by as much.
        return np.array([one.ideal_weight if shown.rows < 100 else -one.ideal_weight for one in filters])

    monkeypatch.setattr(spectral_choice, "_gains", gains)
    filters = [Filter(flatness=3.0, degree=0, ideal=6, ideal_weight=weight / 8, popularity=0.2) for weight in range(20)]
    # Of the twelve that were best at first, the sums are equal; the first of these was the best.
    assert best_filter(filters, damped_histories(interactions, "binary"), ITEMS, 0, 1) == filters[-1]
    assert asked == [(20, 40), (12, 160)]


def test_the_grid_has_every_setting_that_is_left_open():
    one = Filter(flatness=3.0, degree=0, ideal=6, ideal_weight=0.5, popularity=0.1)
    assert grid([3.0], 0, 6, 0.5, 0.1) == [one]
    # Three of β, four of α, two of η, and what is given of φ.
    assert len({*grid([3.0, 9.0], 0, None, None, None)}) == 3 * 4 * 2 * 2


def test_without_a_degree_the_plateau_is_exact_on_the_smoothest_and_a_line_beyond(interactions):
    values, vectors, listeners = eigenpairs(interactions)
    settings = {"flatness": 3.0, "ideal": 4, "ideal_weight": 0.5, "popularity_weight": 0.3, "neighbours": 0}
    fitted = Spectral(factors=8, **settings).fit(interactions)
    shares = 1 - values
    # The line through two Chebyshev nodes between 0 and the last of the four.
    nodes = shares[3] * (1 + np.array([-1, 1]) / np.sqrt(2)) / 2
    low, high = plateau(3.0)(1 - nodes)
    response = (high - low) / (nodes[1] - nodes[0]) * shares
    response[:4] = plateau(3.0)(values[:4]) + 0.5
    weights = listeners**0.3
    expected = (vectors * response) @ vectors.T / weights[:, None] * weights
    np.testing.assert_allclose(dense(fitted), without_diagonal(expected), atol=1e-4)


@pytest.mark.parametrize("degree", [0, 8])
def test_what_is_searched_is_what_is_fitted(interactions, degree):
    filters = grid([3.0, 10.0], degree, 4, 0.5, None)
    histories = damped_histories(interactions, "binary")
    graph = Graph.of(histories, ITEMS)
    some = histories.take(np.arange(5))
    signals = np.zeros((ITEMS, 5), dtype=np.float32)
    signals[some.indices, np.repeat(np.arange(5), np.diff(some.indptr))] = 1
    for place, scores in _scores(filters, graph, graph.smoothest(4, 0, 1), signals):
        one = filters[place]
        fitted = Spectral(
            flatness=one.flatness,
            degree=degree,
            ideal=4,
            ideal_weight=0.5,
            popularity_weight=one.popularity,
            neighbours=0,
            factors=8,
        ).fit(interactions)
        # What an item gives itself does not count in a fitted model, and is for items that are played anyway.
        others = signals.T == 0
        np.testing.assert_allclose(scores[others], (signals.T @ dense(fitted))[others], atol=1e-4)


def test_items_without_listeners_are_related_to_none(interactions):
    item_ids = Ids.of([*interactions.item_ids, "z"])
    fitted = Spectral(factors=8, neighbours=20).fit(dataclasses.replace(interactions, item_ids=item_ids))
    assert np.isfinite(fitted.similarities.values).all()
    assert not len(fitted.similarities.values[fitted.similarities.of(ITEMS)])


def test_of_few_items_all_entries_are_kept_and_of_more_the_largest(interactions, monkeypatch):
    given = {"flatness": 3.0, "ideal": 6, "ideal_weight": 0.5, "popularity_weight": 0.2, "factors": 8}
    few = Spectral(**given).fit(interactions)
    assert few.settings["neighbours"] == 0
    assert dense(few).shape == (ITEMS, ITEMS)
    monkeypatch.setattr("crossfade.models.spectral.ALL_OF", ITEMS - 1)
    monkeypatch.setattr("crossfade.models.spectral.KEPT", 20)
    many = Spectral(**given).fit(interactions)
    assert many.settings["neighbours"] == 20
    assert np.diff(many.similarities.indptr).max() == 20
    # Of lists only what is above zero is kept, of a matrix everything.
    assert (dense(few) < 0).any()
    most = Spectral(neighbours=ITEMS - 2, **given).fit(interactions).similarities
    assert len(most.values) == (dense(few) > 0).sum()
    assert most.values.min() > 0
