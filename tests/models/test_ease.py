"""EASE: the closed form against the least-squares problem that it solves."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.kernels.inverse import invert
from crossfade.models.ease import EASE, noise_edge


@pytest.fixture
def interactions(rng):
    """80 users, 40 items, 900 pairs."""
    keys = rng.choice(80 * 40, 900, replace=False)
    return Interactions.from_counts(
        [f"u{key // 40:02d}" for key in keys], [f"i{key % 40:02d}" for key in keys], rng.geometric(0.3, 900)
    )


@pytest.mark.parametrize("damping", ["binary", "log", "none"])
@pytest.mark.parametrize("precision", ["single", "double"])
def test_the_solution_is_the_optimum_with_a_diagonal_of_zeros(interactions, damping, precision):
    model = EASE(regularization=3.0, damping=damping, precision=precision, factors=8).fit(interactions)
    solved = model.similarities.astype(np.float64)
    plays = interactions.matrix().toarray().astype(np.float64)
    known = {"binary": (plays > 0).astype(float), "log": np.log(1 + plays), "none": plays}[damping]
    gradient = known.T @ (known @ solved - known) + 3.0 * solved
    off = ~np.eye(40, dtype=bool)
    assert np.abs(gradient[off]).max() < 1e-5 * np.abs(known.T @ known).max()
    assert np.all(np.diag(solved) == 0)
    # The same by least squares, one item at a time: rows of √λ stand for the penalty.
    for item in (0, 17, 39):
        others = np.delete(np.arange(40), item)
        rows = np.vstack([known[:, others], np.sqrt(3.0) * np.eye(39)])
        wanted = np.concatenate([known[:, item], np.zeros(39)])
        np.testing.assert_allclose(solved[others, item], np.linalg.lstsq(rows, wanted, rcond=None)[0], atol=2e-5)


def test_lambda_follows_the_noise_of_the_data(interactions):
    # 900 ones on 80 users and 40 items: 0.6 · (√(900 / 80) + √(900 / 40))² = 0.6 · 900 · (80^-½ + 40^-½)².
    expected = 0.6 * (np.sqrt(900 / 80) + np.sqrt(900 / 40)) ** 2
    assert 0.6 * noise_edge(np.ones(900, dtype=np.float32), (80, 40)) == pytest.approx(expected)
    model = EASE(factors=8).fit(interactions)
    assert model.settings["regularization"] == pytest.approx(expected)
    given = EASE(factors=8, regularization=expected).fit(interactions)
    np.testing.assert_allclose(given.similarities, model.similarities, atol=1e-6)


def test_precision_follows_the_condition(interactions, monkeypatch):
    used = []

    def noted(matrix, threads, **how):
        used.append(matrix.dtype)
        return invert(matrix, threads, **how)

    monkeypatch.setattr("crossfade.models.ease.invert", noted)
    EASE(factors=8, regularization=3.0).fit(interactions)
    EASE(factors=8, regularization=1e-3).fit(interactions)
    assert used == [np.float32, np.float64]


def test_what_cannot_be_inverted_is_said(interactions):
    # Two items that the same users have: without any penalty their columns are one and the same.
    users = [f"u{user}" for user in range(40)] * 2
    twins = Interactions.from_counts(users, ["a"] * 40 + ["b"] * 40, np.ones(80))
    with pytest.raises(InputError, match="Raise it"):
        EASE(regularization=1e-30, precision="single").fit(twins)
    # The same beyond the items that are solved together.
    others = [f"v{user}" for user in range(50)]
    beside = Interactions.from_counts([*users, *others], ["a"] * 40 + ["b"] * 40 + ["c"] * 50)
    with pytest.raises(InputError, match="Raise it"):
        EASE(regularization=1e-30, exact_items=1).fit(beside)


@pytest.fixture
def in_blocks(interactions, monkeypatch):
    """EASE of 15 of the 40 items together, and the others in blocks of 10; its weights as a matrix by popularity."""
    monkeypatch.setattr("crossfade.models.ease_blocks.BLOCK", 10)
    monkeypatch.setattr("crossfade.models.ease_blocks.PIECE", 4)
    model = EASE(regularization=3.0, exact_items=15, neighbours=100, factors=8).fit(interactions)
    return in_order(model.similarities, np.argsort(-interactions.listeners(), kind="stable"))


def in_order(lists, order):
    """The matrix (items, items) of ``lists``, with items in this ``order``."""
    dense = np.zeros((lists.rows, lists.rows))
    dense[np.repeat(np.arange(lists.rows), np.diff(lists.indptr)), lists.indices] = lists.values
    return dense[order][:, order]


def exact(known, chosen):
    """B of the items ``chosen`` alone, in double precision."""
    some = known[:, chosen]
    inverse = np.linalg.inv(some.T @ some + 3.0 * np.eye(len(chosen)))
    return np.eye(len(chosen)) - inverse / np.diag(inverse)


def test_beyond_the_popular_items_each_block_is_solved_beside_them(interactions, in_blocks):
    order = np.argsort(-interactions.listeners(), kind="stable")
    known = (interactions.matrix().toarray() > 0).astype(float)[:, order]
    np.testing.assert_allclose(in_blocks[:15, :15], exact(known, np.arange(15)), atol=1e-5)
    # The items that an item has weights to are those of its block.
    blocks = {(number, *(np.flatnonzero(in_blocks[number, 15:]) + 15)) for number in range(15, 40)}
    blocks = {tuple(sorted(block)) for block in blocks}
    assert sorted(len(block) for block in blocks) == [5, 10, 10]
    assert sorted(item for block in blocks for item in block) == list(range(15, 40))
    for block in blocks:
        chosen = np.array([*range(15), *block])
        expected = exact(known, chosen)
        np.testing.assert_allclose(in_blocks[np.ix_(chosen[15:], chosen)], expected[15:], atol=1e-5)
        np.testing.assert_allclose(in_blocks[np.ix_(chosen, chosen[15:])], expected[:, 15:], atol=1e-5)


@pytest.mark.parametrize("few", [0.0, 1.1])
def test_popular_items_without_shared_listeners_may_be_left_out_of_products(interactions, in_blocks, monkeypatch, few):
    monkeypatch.setattr("crossfade.models.ease_blocks.FEW", few)
    model = EASE(regularization=3.0, exact_items=15, neighbours=100, factors=8).fit(interactions)
    found = in_order(model.similarities, np.argsort(-interactions.listeners(), kind="stable"))
    np.testing.assert_allclose(found, in_blocks, atol=1e-6)


def test_of_many_items_the_weights_of_the_largest_size_are_kept(interactions, in_blocks, monkeypatch):
    model = EASE(regularization=3.0, exact_items=15, neighbours=6, factors=8).fit(interactions)
    order = np.argsort(-interactions.listeners(), kind="stable")
    kept = in_order(model.similarities, order)
    for row in range(40):
        largest = np.sort(np.argsort(-np.abs(in_blocks[row]), kind="stable")[:6])
        np.testing.assert_array_equal(np.flatnonzero(kept[row]), largest)
        np.testing.assert_allclose(kept[row, largest], in_blocks[row, largest], atol=1e-6)
        listed = model.similarities.values[model.similarities.of(row)]
        assert (np.diff(listed) <= 0).all()


def test_many_items_give_equal_bytes_for_any_number_of_threads(interactions):
    one, other = (EASE(exact_items=15, factors=8).fit(interactions, threads=threads) for threads in (1, 3))
    for part, same in zip(one.similarities, other.similarities, strict=True):
        np.testing.assert_array_equal(part, same)


def test_its_memory_grows_with_the_square_of_the_items():
    # Four bytes for every pair, and twelve where the inverse may be of double precision; 64 factors thrice.
    assert EASE(precision="single").memory_bytes(1000) == 4 * 1000**2 + 3 * 4 * 64 * 1000
    assert EASE().memory_bytes(1000) == 12 * 1000**2 + 3 * 4 * 64 * 1000
    # Of more items than are solved together, the square is that of the latter.
    assert EASE().memory_bytes(100_000) == 12 * 10_000**2 + (3 * 4 * 64 + 24 * 500) * 100_000


def test_items_that_nobody_has_are_related_to_none(interactions):
    item_ids = type(interactions.item_ids).of([*interactions.item_ids, "z"])
    model = EASE(factors=8).fit(dataclasses.replace(interactions, item_ids=item_ids))
    assert not model.similarities[40].any()
    assert not model.similarities[:, 40].any()
