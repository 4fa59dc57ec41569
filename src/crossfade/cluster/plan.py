"""Which grid and which schemes of alternating least squares suit given machines, and what an iteration takes there.

The ratings lie in K × L blocks: K of users, L of items. An iteration solves the users against the items and then the
items against the users, each side by a scheme of `crossfade.cluster.costs`. A half-step takes about

    operations / (flops · cores that work) + bytes that other machines send / network + starting its tasks

where the busiest core counts. It fits if a machine has room for all tasks that it carries out at a time.

A row with many ratings is split: its ratings are dealt to tasks of their own, which send on what they add to its normal
equations. What remains of a block is then never much more than the mean, and no task has a row that is too large.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from crossfade.cluster.costs import FLOAT, HEAVY, RATING, SCHEMES, Cost, Degrees, Grid, Stage
from crossfade.core.errors import InputError

RUN = ("half", "full", "streamed")
"""The schemes that the engine carries out; the others are shown beside them."""

FLOPS = 20e9
"""Floating-point operations a second of a core in the kernels.

Measured as processor seconds of an iteration on 7.75 million ratings by one thread (`python -m benchmarks.als
--threads 1`), from 40 to 128 factors, on a server's processor of 2.5 GHz with AVX-512: 13 to 25 · 10⁹."""

TASK_SECONDS = 0.05
"""What starting and ending a task takes, on a core."""

MOST_BLOCKS = 4096
"""Of a side, of those that are considered."""

MOST_CELLS = 100_000
"""Blocks of the grid that are considered; each is a file or a message."""

ALIKE = 1.05
"""Plans whose times differ by less count as equally fast: no estimate is better than that."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The machines that there are.

    machines  how many work
    cores     of each; a core carries out a task at a time
    memory    bytes that each machine has for tasks
    network   bytes a second that each machine receives
    folder    bytes a second that a shared folder delivers to all machines together; None: as much as they receive
    flops     floating-point operations a second of one core in the kernels
    """

    machines: int
    cores: int
    memory: float
    network: float
    folder: float | None = None
    flops: float = FLOPS

    def __post_init__(self) -> None:
        """Raise InputError for a cluster that cannot exist."""
        speeds = (self.memory, self.network, self.flops, math.inf if self.folder is None else self.folder)
        if not (self.machines >= 1 and self.cores >= 1 and all(number > 0 for number in speeds)):
            raise InputError(f"A cluster has machines, cores, memory, network and speed above zero, not {self}.")

    @property
    def slots(self) -> int:
        """Tasks that run at a time."""
        return self.machines * self.cores

    def receiving(self, moved: float) -> float:
        """Return the seconds that ``moved`` bytes take; those that a machine has itself do not travel."""
        arriving = moved * (1 - 1 / self.machines) / (self.network * self.machines)
        return arriving if self.folder is None else max(arriving, moved / self.folder)


@dataclass(frozen=True, kw_only=True)
class HalfStep:
    """How one side is solved.

    scheme       of `SCHEMES`
    blocks       of the rows that are solved
    split_above  ratings of a row from which on it is split over tasks; infinite where none is
    cost         what moves and is held, split rows included
    largest      work of the largest task, in that of the mean one
    memory       bytes of the tasks that a machine carries out at a time
    computing    seconds of the busiest core
    moving       seconds in which the machines receive what moves
    starting     seconds in which tasks start and end
    """

    scheme: str
    blocks: int
    split_above: float
    cost: Cost
    largest: float
    memory: float
    computing: float
    moving: float
    starting: float

    @property
    def seconds(self) -> float:
        """Of the half-step."""
        return self.computing + self.moving + self.starting


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An iteration: users against items, then items against users.

    stored  bytes of the ratings on a disk, by user and by item
    """

    users: HalfStep
    items: HalfStep
    stored: float

    @property
    def seconds(self) -> float:
        """Of an iteration."""
        return self.users.seconds + self.items.seconds

    @property
    def moved(self) -> float:
        """Bytes that an iteration moves."""
        return self.users.cost.moved + self.items.cost.moved

    @property
    def memory(self) -> float:
        """Bytes that a machine needs for tasks."""
        return max(self.users.memory, self.items.memory)


def half_step(scheme: str, grid: Grid, cluster: Cluster, *, steps: int = 3) -> HalfStep:
    """Return what ``scheme`` costs and takes on ``cluster``.

    steps  of conjugate gradients; 0 for Cholesky
    """
    split = grid.blocks > 1 and scheme != "broadcast"
    above = HEAVY * grid.rows.ratings / grid.blocks if split else math.inf
    light, heavy = grid.rows.split(above)
    rest = replace(grid, rows=light)
    cost, work = SCHEMES[scheme](rest), _operations(scheme, rest, steps)
    largest = _largest(light, grid.blocks)
    # Of the other schemes a task has sums for its rows, and blocks have about as many rows each.
    stages = [stage._replace(held=stage.held * (largest if scheme == "half" else 1.0)) for stage in cost.stages]
    moved = cost.moved
    if heavy.total:
        # As many tasks as give each the ratings of a mean block at most, beside the others, and one that adds up.
        parts = math.ceil(heavy.ratings / (grid.rows.ratings / grid.blocks))
        sums = heavy.touched(parts) * grid.equations
        vectors = min(heavy.ratings, grid.fixed.total) * grid.vector
        moved += sums + vectors
        held = (sums + vectors + heavy.ratings * RATING) / parts
        stages[0] = Stage(stages[0].tasks + parts, max(stages[0].held, held))
        adding = stages[1] if len(stages) > 1 else Stage(0, 0.0)
        stages[1:] = [Stage(adding.tasks + 1, max(adding.held, 3 * heavy.total * grid.equations))]
        work += _operations("full", replace(grid, rows=heavy, blocks=1, fixed_blocks=parts), steps)
    waves = [math.ceil(stage.tasks / cluster.slots) for stage in stages]
    mean = work / (cluster.flops * stages[0].tasks)
    return HalfStep(
        scheme=scheme,
        blocks=grid.blocks,
        split_above=above,
        cost=Cost(moved=moved, stages=tuple(stages)),
        largest=largest,
        memory=max(stage.held * _at_a_time(stage, cluster) for stage in stages),
        computing=mean * max(waves[0], largest),
        moving=cluster.receiving(moved),
        starting=sum(waves) * TASK_SECONDS,
    )


def _at_a_time(stage: Stage, cluster: Cluster) -> int:
    """Return how many tasks of a stage a machine carries out at a time."""
    return min(cluster.cores, math.ceil(stage.tasks / cluster.machines))


def plans(
    users: Degrees,
    items: Degrees,
    factors: int,
    cluster: Cluster,
    *,
    blocks: tuple[int, int] | None = None,
    schemes: Sequence[str] = RUN,
    steps: int = 3,
) -> Iterator[Plan]:
    """Yield all plans that are considered, whether or not they fit; arguments as for `choose_scheme`."""
    stored = 2 * RATING * users.ratings
    for of_users, of_items in [blocks] if blocks else _grids(users, items, cluster.slots):
        sides = ((users, items, of_users, of_items), (items, users, of_items, of_users))
        solved = []
        for rows, fixed, own, other in sides:
            grid = Grid(
                rows=rows, fixed=fixed, blocks=own, fixed_blocks=other, factors=factors, machines=cluster.machines
            )
            solved.append([half_step(scheme, grid, cluster, steps=steps) for scheme in schemes])
        for one, another in itertools.product(*solved):
            yield Plan(users=one, items=another, stored=stored)


def choose_scheme(
    users: Degrees,
    items: Degrees,
    factors: int,
    cluster: Cluster,
    *,
    blocks: tuple[int, int] | None = None,
    schemes: Sequence[str] = RUN,
    steps: int = 3,
) -> Plan:
    """Return the fastest plan that fits ``cluster``; of plans that are about as fast, the one that moves least.

    users, items  how many ratings the rows of both sides have
    factors       width of a vector
    blocks        of users and of items, if there are so many
    schemes       that may be chosen, each for either side
    steps         of conjugate gradients; 0 for Cholesky

    Raises InputError if none fits, which says what would.
    """
    considered = list(plans(users, items, factors, cluster, blocks=blocks, schemes=schemes, steps=steps))
    fitting = [plan for plan in considered if plan.memory <= cluster.memory]
    if not fitting:
        raise InputError(_nothing_fits(considered, cluster))
    enough = ALIKE * min(plan.seconds for plan in fitting)
    return min((plan for plan in fitting if plan.seconds <= enough), key=lambda plan: (plan.moved, plan.memory))


def _nothing_fits(considered: Sequence[Plan], cluster: Cluster) -> str:
    """Say what the smallest plan needs, and how many machines like these would do."""
    least = min(considered, key=lambda plan: (plan.memory, plan.users.memory + plan.items.memory))
    what = " and ".join(f"{side.scheme} in {side.blocks:,} blocks" for side in (least.users, least.items))
    message = (
        f"No scheme fits {cluster.machines:,} machines with {_gigabytes(cluster.memory)} each for tasks. At least "
        f"{_gigabytes(least.memory)} are needed ({what}). Give each machine that much"
    )
    enough = [
        max(math.ceil(stage.tasks / (cluster.memory // stage.held)) for stage in stages)
        for stages in ((*plan.users.cost.stages, *plan.items.cost.stages) for plan in considered)
        if all(stage.held <= cluster.memory for stage in stages)
    ]
    if enough:
        return f"{message}, use {min(enough):,} machines, or use fewer cores of each."
    return f"{message}, or take more blocks."


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.3g} GB"


def _operations(scheme: str, grid: Grid, steps: int) -> float:
    """Return the floating-point operations of a half-step.

    A step of conjugate gradients multiplies a row's vector by all of its ratings' vectors and back, and by the Gram
    matrix; the first residual takes as much. Cholesky, and sums in any case, add f² / 2 products for each rating.
    """
    ratings, rows, factors = grid.rows.ratings, grid.rows.total, grid.factors
    square = 2.0 * factors**2
    if scheme in ("half", "broadcast") and steps:
        return (steps + 1) * (4.0 * factors * ratings + square * rows)
    solving = (steps + 1) * square if steps else factors**3 / 3
    sums = grid.rows.touched(grid.fixed_blocks) * grid.equations / FLOAT if scheme == "full" else 0.0
    return ratings * factors**2 + rows * solving + sums


def _largest(rows: Degrees, blocks: int) -> float:
    """Return the ratings of the largest of ``blocks`` into which rows are hashed, in those of the mean one.

    The ratings of a block are about normal, and the largest of B such numbers is some √(2 ln B) deviations above the
    mean; or a block is that of the longest row, with its share of the others.
    """
    if not rows.total:
        return 1.0
    mean, longest = rows.ratings / blocks, float(rows.lengths.max())
    variance = float(rows.lengths**2 @ rows.rows) * (blocks - 1) / blocks**2
    largest = mean + math.sqrt(2 * math.log(blocks) * variance)
    return min(max(largest, longest + (rows.ratings - longest) / blocks), rows.ratings) / mean


def _grids(users: Degrees, items: Degrees, slots: int) -> Iterator[tuple[int, int]]:
    """Yield the numbers of blocks of users and of items that are considered."""
    sides = (_numbers_of_blocks(users, slots), _numbers_of_blocks(items, slots))
    return ((one, other) for one, other in itertools.product(*sides) if one * other <= MOST_CELLS or one == other == 1)


def _numbers_of_blocks(rows: Degrees, slots: int) -> list[int]:
    """Return powers of two, and multiples of ``slots``, in which every core has as many tasks."""
    most = max(1, min(MOST_BLOCKS, int(rows.total * HEAVY)))
    powers = [1 << power for power in range(MOST_BLOCKS.bit_length())]
    numbers = {*powers, *(slots * power for power in powers), *(3 * slots * power for power in powers)}
    return sorted(number for number in numbers if number <= most)
