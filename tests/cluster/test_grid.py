"""Ratings as a grid of blocks."""

import numpy as np
import pytest

from crossfade.cluster.costs import HEAVY, Degrees
from crossfade.cluster.grid import Block, Placement, dealt
from crossfade.core.csr import CSR
from crossfade.kernels.transposing import transposed

NONE = np.zeros(0, dtype=np.int64)


def ratings(rng, users, items, pairs):
    """Distinct random pairs, some items far more popular than others, as users, items and weights."""
    popular = rng.zipf(1.5, pairs) % items
    numbers = np.unique(rng.integers(users, size=pairs) * items + popular)
    return numbers // items, numbers % items, rng.exponential(1.0, len(numbers)).astype(np.float32)


@pytest.mark.parametrize("rows", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("blocks", [1, 3, 14, 112])
def test_every_row_has_one_place_that_gives_it_back(rng, rows, blocks):
    placement = Placement.of(rng.zipf(1.3, rows).clip(max=10_000), blocks)
    block, position = placement.places(np.arange(rows))
    for row in range(rows):
        assert placement.rows_of(int(block[row]))[position[row]] == row
    assert len({*zip(block.tolist(), position.tolist(), strict=True)}) == rows
    light = [placement.size(block) for block in range(blocks)]
    assert max(light) - min(light) <= 1
    assert sum(light) == rows
    assert placement.size(blocks) == len(placement.heavy)


def test_rows_that_follow_each_other_come_to_different_blocks():
    block, _ = Placement(100_000, 14, NONE).places(np.arange(500, 600))
    counts = np.bincount(block, minlength=14)
    assert counts.min() >= 4
    assert counts.max() <= 11


def test_no_block_has_twice_the_ratings_of_the_average(rng):
    pairs = rng.zipf(1.2, 3000).clip(max=100_000)
    pairs[7] = 1_000_000
    placement = Placement.of(pairs, 14)
    assert 7 in placement.heavy
    block, _ = placement.places(np.arange(3000))
    loads = np.bincount(block, weights=pairs, minlength=15)[:14]
    assert loads.max() <= 2 * pairs.sum() / 14
    assert pairs[np.setdiff1d(np.arange(3000), placement.heavy)].max() < HEAVY * pairs.sum() / 14


@pytest.mark.parametrize("cells", [None, 1, 3])
@pytest.mark.parametrize(("user_blocks", "item_blocks"), [(1, 1), (3, 5), (14, 112)])
def test_blocks_have_every_rating_once(rng, user_blocks, item_blocks, cells):
    users, items, weights = ratings(rng, 400, 60, 3000)
    of_users = Placement.of(np.bincount(users, minlength=400), user_blocks)
    of_items = Placement.of(np.bincount(items, minlength=60), item_blocks)
    found = []
    # What a block gets comes in several parts, as several machines read the ratings.
    parts = [
        dealt(of_users, users[part], items[part], weights[part]) for part in np.array_split(np.arange(len(users)), 3)
    ]
    for number in range(user_blocks + 1):
        came = [type(all_)(*(array[starts[number] : starts[number + 1]] for array in all_)) for starts, all_ in parts]
        block = Block.of(of_users.size(number), of_items, came, cells=cells)
        rows = of_users.rows_of(number)
        assert block.pairs.sum() == sum(len(one.weights) for one in came)
        if cells is not None:
            assert block.cells == cells
        seen = np.zeros(of_users.size(number), dtype=np.int64)
        for place in range(block.cells):
            cell = block.cell(place)
            others = np.concatenate(
                [
                    of_items.rows_of(one)[cell.needed[cell.starts[one] : cell.starts[one + 1]]]
                    for one in range(item_blocks + 1)
                ]
            )
            matrix = cell.of_all(of_users.size(number))
            lengths = np.diff(matrix.indptr)
            seen += lengths
            assert np.all(np.diff(np.unique(cell.ratings.indices)) == 1)
            found += zip(
                np.repeat(rows, lengths).tolist(), others[matrix.indices].tolist(), matrix.values.tolist(), strict=True
            )
        np.testing.assert_array_equal(seen, block.pairs)
    assert sorted(found) == [*zip(users.tolist(), items.tolist(), weights.tolist(), strict=True)]


def test_what_blocks_need_is_what_the_costs_say(rng):
    users, items, weights = ratings(rng, 5000, 800, 60_000)
    by_user = CSR(np.searchsorted(users, np.arange(5001)).astype(np.int64), items.astype(np.int32), weights)
    by_item = transposed(by_user, 800)
    of_users, of_items = Placement(5000, 14, NONE), Placement(800, 20, NONE)
    starts, all_ = dealt(of_users, users, items, weights)
    needed = 0
    for number in range(14):
        came = type(all_)(*(array[starts[number] : starts[number + 1]] for array in all_))
        needed += len(Block.of(of_users.size(number), of_items, [came], cells=1).needed)
    assert needed == pytest.approx(Degrees.of(by_item.indptr).touched(14), rel=0.02)
