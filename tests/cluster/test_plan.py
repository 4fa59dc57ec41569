"""Costs against counted blocks, and plans against what is plain."""

from dataclasses import replace

import numpy as np
import pytest

from crossfade.cluster.costs import HEAVY, SCHEMES, Degrees, Grid
from crossfade.cluster.plan import Cluster, choose_scheme, half_step, plans
from crossfade.core.errors import InputError

USERS, ITEMS, RATINGS, FACTORS = 60e6, 4e6, 6e9, 40
BOTH = Degrees.even(USERS, RATINGS), Degrees.even(ITEMS, RATINGS)
LARGE = Cluster(machines=20, cores=8, memory=64e9, network=10e9 / 8)


def grid_of(rows, fixed, blocks, fixed_blocks, factors=FACTORS):
    return Grid(rows=rows, fixed=fixed, blocks=blocks, fixed_blocks=fixed_blocks, factors=factors, machines=20)


@pytest.mark.parametrize(
    ("scheme", "blocks", "of_users", "of_items"),
    [
        # The table of the talk's grid, 40 factors and 100 ratings a user, either way round; bytes moved.
        ("half", (14, 112), 9e9, 637e9),
        ("half", (112, 14), 72e9, 134e9),
        ("full", (14, 112), 13.7e12, 829e9),
        ("full", (112, 14), 3.0e12, 1.7e12),
        ("streamed", (14, 112), 9e9, 637e9),
    ],
)
def test_the_grid_of_the_talk_moves_what_was_computed_for_it(scheme, blocks, of_users, of_items):
    (plan,) = plans(*BOTH, FACTORS, LARGE, blocks=blocks, schemes=[scheme])
    assert plan.users.cost.moved == pytest.approx(of_users, rel=0.02)
    assert plan.items.cost.moved == pytest.approx(of_items, rel=0.02)


@pytest.fixture(scope="module")
def matrix():
    """Users and items of a random matrix whose users and items have long tails, one entry a rating."""
    rng = np.random.default_rng(5)
    popularity = np.arange(1, 801.0) ** -0.9
    users = np.repeat(np.arange(3000), rng.geometric(0.04, 3000))
    items = rng.choice(800, len(users), p=popularity / popularity.sum())
    return np.unique(np.column_stack([users, items]), axis=0).T


def degrees(ids):
    return Degrees.of(np.concatenate([[0], np.cumsum(np.bincount(ids))]))


def counted(rows, blocks_of_rows):
    """Return how many pairs of a row and a block there are."""
    return len(np.unique(np.column_stack([rows, blocks_of_rows]), axis=0))


@pytest.mark.parametrize(("of_users", "of_items"), [(3, 5), (14, 112), (40, 8)])
def test_bytes_are_those_of_counted_blocks(matrix, of_users, of_items):
    users, items = matrix
    rng = np.random.default_rng(1)
    user_blocks, item_blocks = rng.integers(of_users, size=3000)[users], rng.integers(of_items, size=800)[items]
    # The user step: item vectors go to blocks of users, and a user's partial sums leave each of the user's blocks.
    vectors, partial = counted(items, user_blocks), counted(users, item_blocks)
    grid = grid_of(degrees(users), degrees(items), of_users, of_items)
    gram = 8 * FACTORS**2 * of_users
    assert SCHEMES["half"](grid).moved == pytest.approx(4 * FACTORS * vectors + gram, rel=0.02)
    packed = FACTORS * (FACTORS + 3) // 2
    assert SCHEMES["full"](grid).moved == pytest.approx(4 * (FACTORS * vectors + packed * partial) + gram, rel=0.03)


@pytest.mark.parametrize("blocks", [4, 16, 64])
def test_the_largest_block_is_that_of_hashed_rows(matrix, blocks):
    items = matrix[1]
    rows = degrees(items)
    step = half_step("half", grid_of(rows, degrees(matrix[0]), blocks, 4), LARGE)
    assert step.split_above == HEAVY * rows.ratings / blocks
    lengths = np.bincount(items)
    light = np.where(lengths <= step.split_above, lengths, 0)
    rng = np.random.default_rng(2)
    largest = [np.bincount(rng.integers(blocks, size=800), light, blocks).max() for _ in range(50)]
    assert step.largest == pytest.approx(np.mean(largest) / (light.sum() / blocks), rel=0.1)
    # What is not split is as large as the most popular item makes it.
    whole = half_step("broadcast", grid_of(rows, degrees(matrix[0]), blocks, 4), LARGE)
    assert whole.largest >= lengths.max() / (rows.ratings / blocks)


def test_an_item_that_everybody_played_is_split_over_tasks_that_are_no_larger_than_the_others():
    lengths, rows = np.array([100.0, 5e6]), np.array([1e6, 1.0])
    items, users = Degrees(lengths, rows), Degrees.even(5e6, float(lengths @ rows))
    grid = grid_of(items, users, 50, 20)
    step = half_step("streamed", grid, LARGE)
    assert step.largest < 1.1
    # 105 million ratings in 50 blocks: the item has those of 2.4.
    assert [stage.tasks for stage in step.cost.stages] == [50 + 3, 1]
    without = half_step("streamed", replace(grid, rows=items.split(1000)[0]), LARGE)
    sent = 5e6 * 4 * FACTORS + 3 * 4 * FACTORS * (FACTORS + 3) / 2
    assert step.cost.moved - without.cost.moved == pytest.approx(sent)


def test_with_room_and_a_slow_network_rows_have_all_vectors_at_once_in_few_blocks():
    plan = choose_scheme(*BOTH, FACTORS, replace(LARGE, memory=1e12, network=1e9))
    assert (plan.users.scheme, plan.items.scheme) == ("half", "half")
    (spread,) = plans(*BOTH, FACTORS, LARGE, blocks=(160, 160), schemes=["half"])
    assert plan.moved < spread.moved


def test_without_room_for_the_vectors_a_block_takes_them_in_one_after_the_other():
    # An item block of 112 needs 6 GB of user vectors and ratings at once, and 0.6 GB streamed.
    plan = choose_scheme(*BOTH, FACTORS, replace(LARGE, cores=4, memory=8e9), blocks=(448, 112))
    assert plan.items.scheme == "streamed"
    assert plan.memory <= 8e9


def test_with_fewer_blocks_than_cores_and_a_fast_network_the_cells_of_the_grid_work():
    fast = Cluster(machines=100, cores=16, memory=1e12, network=1e12)
    plan = choose_scheme(*BOTH, FACTORS, fast, blocks=(14, 112))
    assert plan.users.scheme == "full"


def test_one_machine_without_neighbours_moves_nothing():
    alone = choose_scheme(*BOTH, FACTORS, replace(LARGE, machines=1, memory=1e12))
    assert alone.users.moving == alone.items.moving == 0


def test_a_shared_folder_is_as_slow_as_it_is():
    (plan,) = plans(*BOTH, FACTORS, replace(LARGE, folder=1e9), blocks=(112, 14), schemes=["half"])
    assert plan.items.moving == pytest.approx(plan.items.cost.moved / 1e9)


def test_broadcast_is_never_chosen_unless_it_is_asked_for():
    assert {"broadcast"}.isdisjoint({choose_scheme(*BOTH, FACTORS, replace(LARGE, memory=1e12)).users.scheme})
    asked = choose_scheme(*BOTH, FACTORS, replace(LARGE, memory=1e12), schemes=["broadcast"])
    assert asked.users.scheme == asked.items.scheme == "broadcast"


def test_where_nothing_fits_the_error_says_what_would():
    small = Cluster(machines=2, cores=8, memory=5e9, network=1e9)
    said = r"2 machines with 5 GB each.*half in 112 blocks and streamed in 112 blocks.*that much, use 28 machines"
    with pytest.raises(InputError, match=said):
        choose_scheme(*BOTH, FACTORS, small, blocks=(112, 112))
    assert choose_scheme(*BOTH, FACTORS, replace(small, machines=28), blocks=(112, 112)).memory <= 5e9
    with pytest.raises(InputError, match=r"Give each machine that much, or take more blocks"):
        choose_scheme(*BOTH, FACTORS, replace(small, memory=1e8), blocks=(112, 112))


@pytest.mark.parametrize("wrong", [{"machines": 0}, {"cores": 0}, {"memory": 0.0}, {"network": float("nan")}])
def test_a_cluster_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError):
        replace(LARGE, **wrong)
