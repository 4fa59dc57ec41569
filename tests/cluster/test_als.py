"""Alternating least squares in blocks that exchange files, against the single machine."""

import numpy as np
import pytest

from crossfade.cluster import als_files
from crossfade.cluster.als import fit_on
from crossfade.cluster.als_files import Files, block_of
from crossfade.cluster.als_work import KEPT_STATES, SIDES, Cut
from crossfade.cluster.engine import LocalEngine
from crossfade.core.errors import BusyError, InputError
from crossfade.core.interactions import Interactions
from crossfade.core.locking import locked
from crossfade.models.als import ALS

ENGINE = LocalEngine(2)


@pytest.fixture(scope="module")
def interactions():
    """500 users and 300 items, of which some are far heavier than others."""
    rng = np.random.default_rng(1)
    users, items = rng.zipf(1.3, 20_000) % 500, rng.zipf(1.3, 20_000) % 300
    return Interactions.from_counts([f"u{user}" for user in users], [f"i{item}" for item in items])


@pytest.fixture(scope="module")
def source(interactions, tmp_path_factory):
    place = tmp_path_factory.mktemp("interactions")
    interactions.save(place)
    return place


def fitted(model, source, folder, cuts, engine=ENGINE, **more):
    return fit_on(engine, source, model.settings, kind="artist", workspace=folder, cuts=cuts, **more)


def assert_same(one, other, within=1e-4):
    """The same scores and lengths; axes of nearly equal weight may turn by rounding."""
    mine, theirs = (
        (np.asarray(model.space.user_vectors), np.asarray(model.space.item_vectors)) for model in (one, other)
    )
    for a, b in (
        (mine[0] @ mine[1].T, theirs[0] @ theirs[1].T),
        *((np.linalg.norm(my, axis=1), np.linalg.norm(their, axis=1)) for my, their in zip(mine, theirs, strict=True)),
    ):
        assert np.abs(a - b).max() <= within * np.abs(b).max()
    np.testing.assert_array_equal(one.support, other.support)
    assert one.settings == other.settings
    if other.user_biases is not None:
        np.testing.assert_allclose(one.user_biases, other.user_biases, atol=1e-4)


GRIDS = [
    ("half", 1, "half", 1),
    ("half", 3, "half", 5),
    ("streamed", 3, "streamed", 5),
    ("full", 3, "full", 5),
    ("full", 5, "half", 3),
    ("half", 14, "half", 112),
]


@pytest.mark.parametrize(("user_scheme", "user_blocks", "item_scheme", "item_blocks"), GRIDS)
def test_vectors_are_those_of_the_single_machine(
    interactions, source, tmp_path, user_scheme, user_blocks, item_scheme, item_blocks
):
    """To the axes and signs, which the single machine has turned to half-step after half-step."""
    model = ALS(factors=40, iterations=2 if user_blocks < 14 else 1)
    cuts = Cut(user_scheme, user_blocks), Cut(item_scheme, item_blocks)
    one, other = fitted(model, source, tmp_path / "folder", cuts), model.fit(interactions)
    assert_same(one, other)
    for mine, theirs in zip(one.space.item_vectors, other.space.item_vectors, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


@pytest.mark.slow
def test_the_talks_grid_in_full(interactions, source, tmp_path):
    model = ALS(factors=40, iterations=2)
    for scheme in ("full", "streamed"):
        cuts = Cut(scheme, 14), Cut(scheme, 112)
        assert_same(fitted(model, source, tmp_path, cuts), model.fit(interactions))


@pytest.mark.parametrize("scheme", ["half", "streamed", "full"])
@pytest.mark.parametrize(
    "settings",
    [
        {"factors": 16},
        {"factors": 16, "biases": True},
        {"factors": 40, "biases": True},
        {"factors": 40, "solver": "cholesky", "objective": "hkv"},
        {"factors": 40, "solver": "cg"},
    ],
)
def test_every_solver_and_objective(interactions, source, tmp_path, settings, scheme):
    model = ALS(iterations=2, **settings)
    cuts = Cut(scheme, 3), Cut(scheme, 2)
    assert_same(fitted(model, source, tmp_path / "folder", cuts), model.fit(interactions))


def test_a_fit_that_starts_from_an_earlier_one(interactions, source, tmp_path):
    model = ALS(factors=40, iterations=4, warm_iterations=1)
    before = model.fit(interactions)
    cuts = Cut("half", 3), Cut("half", 5)
    assert_same(fitted(model, source, tmp_path / "folder", cuts, start=before), model.fit(interactions, start=before))


class Killed(BaseException):
    """Ends the process of a test's driver."""


class Dying(LocalEngine):
    """Carries out so many stages, and a part of the next one."""

    def __init__(self, stages):
        super().__init__(1)
        object.__setattr__(self, "left", stages)

    def each(self, work, tasks, *, cached=""):
        object.__setattr__(self, "left", self.left - 1)
        if self.left >= 0:
            return super().each(work, tasks, cached=cached)
        super().each(work, tasks // 2)
        raise Killed


def test_a_run_that_is_killed_anywhere_goes_on_to_the_same_bytes(source, tmp_path):
    model, cuts = ALS(factors=8, iterations=2), (Cut("half", 2), Cut("full", 2))
    undisturbed = fitted(model, source, tmp_path / "whole", cuts)
    killed = 0
    for stages in range(40):
        try:
            fitted(model, source, tmp_path / "folder", cuts, engine=Dying(stages))
            break
        except Killed:
            killed += 1
    again = fitted(model, source, tmp_path / "folder", cuts)
    assert killed > 5
    assert_same(again, undisturbed, within=0.0)


def test_a_run_goes_on_when_the_cluster_has_become_another_one(source, tmp_path, monkeypatch):
    model, cuts = ALS(factors=8, iterations=3), (Cut("half", 6), Cut("half", 3))
    undisturbed = fitted(model, source, tmp_path / "whole", cuts)
    with pytest.raises(Killed):
        fitted(model, source, tmp_path / "folder", cuts, engine=Dying(6))
    turns, half_step = [], Files.half_step
    monkeypatch.setattr(Files, "half_step", lambda self, turn: turns.append(turn.turn) or half_step(self, turn))
    again = fitted(model, source, tmp_path / "folder", None, engine=LocalEngine(1))
    assert turns[0] > 0
    assert_same(again, undisturbed, within=0.0)
    tiny = LocalEngine(1, memory_bytes=20_000)
    assert_same(fitted(model, source, tmp_path / "folder", None, engine=tiny), undisturbed)
    assert turns[-7:] == [*range(7)]  # in other blocks, which fit, from the beginning


def test_a_damaged_state_is_made_again(source, tmp_path):
    model, cuts = ALS(factors=8, iterations=2), (Cut("half", 2), Cut("half", 2))
    undisturbed = fitted(model, source, tmp_path, cuts)
    last = max((tmp_path / "states").iterdir())
    path = last / "00001.npy"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert_same(fitted(model, source, tmp_path, cuts), undisturbed, within=0.0)


def test_a_damaged_block_of_ratings_is_made_again(source, tmp_path):
    model, cuts = ALS(factors=8, iterations=1), (Cut("half", 2), Cut("half", 2))
    undisturbed = fitted(model, source, tmp_path, cuts)
    path = tmp_path / "ratings" / f"{SIDES[1]}-00000.npy"
    path.write_bytes(path.read_bytes()[:-1])
    als_files._block_at.cache_clear()
    assert_same(fitted(model, source, tmp_path, cuts), undisturbed, within=0.0)


class Twice(LocalEngine):
    """Carries out every task twice, as retries and speculation do."""

    def each(self, work, tasks, *, cached=""):
        doubled = super().each(lambda task: work(task // 2), 2 * tasks)
        return doubled[::2]


def test_tasks_that_run_twice_change_nothing(source, tmp_path):
    model, cuts = ALS(factors=8, iterations=2), (Cut("streamed", 2), Cut("full", 3))
    once = fitted(model, source, tmp_path / "once", cuts)
    assert_same(fitted(model, source, tmp_path / "twice", cuts, engine=Twice(2)), once, within=0.0)


def test_other_settings_or_cuts_do_not_go_on_from_what_was_there(interactions, source, tmp_path):
    cuts = Cut("half", 2), Cut("half", 3)
    fitted(ALS(factors=8, iterations=2), source, tmp_path, cuts)
    other = ALS(factors=8, iterations=2, seed=4)
    assert_same(fitted(other, source, tmp_path, cuts), other.fit(interactions))
    assert_same(fitted(other, source, tmp_path, (Cut("full", 3), Cut("half", 2))), other.fit(interactions))


def test_only_as_many_states_are_kept_as_are_read(source, tmp_path):
    fitted(ALS(factors=8, iterations=5), source, tmp_path, (Cut("half", 2), Cut("full", 2)))
    assert len([*(tmp_path / "states").iterdir()]) == KEPT_STATES
    assert not (tmp_path / "dealt").exists()
    assert not [*tmp_path.rglob("sums")]


def test_two_fits_in_one_folder_are_refused(source, tmp_path):
    with locked(tmp_path, "another"), pytest.raises(BusyError):
        fitted(ALS(factors=8), source, tmp_path, (Cut("half", 1), Cut("half", 1)))


def test_nothing_to_learn_from_is_an_error(tmp_path):
    nothing = Interactions.from_counts([], [])
    nothing.save(tmp_path / "source")
    with pytest.raises(InputError):
        fitted(ALS(factors=8), tmp_path / "source", tmp_path / "folder", (Cut("half", 1), Cut("half", 1)))


def worlds_heaviest(users):
    """Every user plays item 0, and user 0 every item; everybody else plays a few."""
    rng = np.random.default_rng(2)
    pairs = np.concatenate(
        [
            np.stack([np.arange(users), np.zeros(users, dtype=np.int64)]),
            np.stack([np.zeros(users // 2, dtype=np.int64), np.arange(users // 2)]),
            np.stack([rng.integers(users, size=3 * users), rng.integers(users // 2, size=3 * users)]),
        ],
        axis=1,
    )
    return Interactions.from_counts(*np.unique(pairs, axis=1))


@pytest.mark.parametrize("scheme", ["half", "streamed", "full"])
def test_the_heaviest_item_and_user_are_split_over_tasks(tmp_path, scheme):
    """A row with a quarter of an average block's ratings or more is cut, so that no task has twice the average."""
    interactions = worlds_heaviest(4000)
    interactions.save(tmp_path / "source")
    model, cuts = ALS(factors=16, iterations=2), (Cut(scheme, 8), Cut(scheme, 8))
    loads = {0: [], 1: []}

    class Counting(LocalEngine):
        def each(self, work, tasks, *, cached=""):
            if cached in SIDES:
                described, turn = work.args
                of_tasks = [block_of(described, turn.side, block) for block in range(described.at_once(turn.side))]
                loads[turn.side] = [len(block.indices) for block in of_tasks]
                for block, cell in described.sent(turn.side):
                    loads[turn.side].append(len(block_of(described, turn.side, block).cell(cell).ratings.indices))
            return super().each(work, tasks, cached=cached)

    one = fitted(model, tmp_path / "source", tmp_path / "folder", cuts, engine=Counting(2))
    assert_same(one, model.fit(interactions))
    for side in loads.values():
        assert max(side) <= 2 * interactions.pairs / 8
    assert (tmp_path / "folder" / "ratings" / "items-00008.npy").exists()


def test_what_moves_is_what_the_costs_say(source, interactions, tmp_path):
    from crossfade.cluster.costs import Degrees

    model, cuts = ALS(factors=16, iterations=1), (Cut("half", 3), Cut("half", 5))
    moved = []

    class Noting(LocalEngine):
        def each(self, work, tasks, *, cached=""):
            made = super().each(work, tasks, cached=cached)
            if cached in SIDES:
                moved.append(sum(bytes_moved.vectors for _, bytes_moved in made))
            return made

    fitted(model, source, tmp_path, cuts, engine=Noting(1))
    of_items = Degrees.of(np.concatenate(([0], np.cumsum(interactions.listeners()))))
    # Heavy rows are cells of their own beside the blocks, and need vectors once more.
    assert moved[0] == pytest.approx(of_items.touched(3) * 16 * 4, rel=0.25)


def test_cuts_are_chosen_for_the_machines(interactions, source, tmp_path):
    model = ALS(factors=16, iterations=1)
    assert_same(fitted(model, source, tmp_path, None, engine=LocalEngine(3)), model.fit(interactions))


def test_too_little_memory_is_said_before_work_starts(source, tmp_path):
    with pytest.raises(InputError, match="No scheme fits"):
        fitted(ALS(factors=256), source, tmp_path / "folder", None, engine=LocalEngine(2, memory_bytes=100_000))
    assert not (tmp_path / "folder").exists()
