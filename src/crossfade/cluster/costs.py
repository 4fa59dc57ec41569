"""What a half-step of alternating least squares costs on a cluster: bytes that move, memory that a task holds.

Users are hashed into blocks and items into others, so that the ratings form a grid. A row with n ratings has them in

    t(n, B) = B · (1 − (1 − 1/B)ⁿ)    of B blocks of the other side, in expectation,

and the sum of t over the rows of a side is how many copies of its vectors travel if each block gets every vector that
it needs once. The schemes differ in what travels, for the side that is solved (its rows) and the side held fixed:

broadcast  every machine gets all fixed vectors; ratings are sent to the block of their row anew each time
full       each block of the grid gets the fixed vectors it needs, and sends on what they add to its rows' normal
           equations: f(f + 1)/2 + f numbers for a row and block
half       a row's ratings lie together, and its block gets the fixed vectors that they need, all at once
streamed   the same, but a block takes in the fixed side one block after the other, adds what each contributes to the
           normal equations of all its rows, and lets go of it: memory does not grow with the ratings

Johnson, "Music recommendations at scale with Spark", Spark Summit 2014 (broadcast, full and half gridify).
Sloane, "Machine learning & big data at Spotify", Madison Big Data Meetup 2015 (the grid on MapReduce).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

FLOAT = 4
"""Bytes of a coordinate of a vector."""

RATING = 8
"""Bytes of a rating beside its row: the place of a vector and a weight."""

SENT_RATING = 12
"""Bytes of a rating on its way to the block of its row."""

GRAM = 8
"""Bytes of a number of the Gram matrix."""

HEAVY = 0.25
"""A row is heavy from this share of an average block's ratings on, and solved by several tasks. Those of the other rows
of a block then hardly add up to twice the average."""


@dataclass(frozen=True, eq=False)
class Degrees:
    """How many ratings the rows of a side have.

    lengths  (n,) different numbers of ratings, above zero
    rows     (n,) how many rows have each
    """

    lengths: npt.NDArray[np.float64]
    rows: npt.NDArray[np.float64]
    _touched: dict[int, float] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, indptr: npt.NDArray[np.int64]) -> Self:
        """Count those of a matrix."""
        lengths, rows = np.unique(np.diff(indptr), return_counts=True)
        known = lengths > 0
        return cls(lengths[known].astype(np.float64), rows[known].astype(np.float64))

    @classmethod
    def even(cls, rows: float, ratings: float) -> Self:
        """Give each of ``rows`` the same share of ``ratings``: more blocks are touched than by any other degrees."""
        return cls(np.array([ratings / rows]), np.array([rows], dtype=np.float64))

    @classmethod
    def falling(cls, rows: float, ratings: float, exponent: float, most: float) -> Self:
        """Let the row of rank r have a share of ``ratings`` as r to the power of -``exponent``, at most ``most``."""
        ends = np.unique(np.geomspace(1, rows + 1, 2000).round())
        counts, shares = np.diff(ends), np.sqrt(ends[:-1] * (ends[1:] - 1)) ** -exponent
        lengths = ratings * shares / (counts @ shares)
        while (full := lengths >= most).any() and (counts @ np.minimum(lengths, most)) < ratings * (1 - 1e-9):
            lengths[full] = most
            lengths[~full] *= (ratings - most * counts[full].sum()) / (counts[~full] @ lengths[~full])
        return cls(np.minimum(lengths, most), counts)

    @property
    def total(self) -> float:
        """Rows that have ratings."""
        return float(self.rows.sum())

    @property
    def ratings(self) -> float:
        """Ratings of all rows."""
        return float(self.lengths @ self.rows)

    def touched(self, blocks: int) -> float:
        """Return the expected number of (row, block) pairs with a rating, if the other side has so many blocks."""
        if blocks not in self._touched:
            missed = np.exp(self.lengths * np.log1p(-1 / blocks)) if blocks > 1 else np.zeros(len(self.lengths))
            self._touched[blocks] = float(self.rows @ (blocks * (1 - missed)))
        return self._touched[blocks]

    def split(self, above: float) -> tuple[Self, Self]:
        """Return the rows with at most ``above`` ratings, and the others."""
        light, cls = self.lengths <= above, type(self)
        return cls(self.lengths[light], self.rows[light]), cls(self.lengths[~light], self.rows[~light])


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A half-step as it is cut: the rows that are solved, the side held fixed, and the cluster.

    rows, fixed    degrees of both sides
    blocks         of the rows
    fixed_blocks   of the other side
    factors        f
    machines       that hold vectors
    """

    rows: Degrees
    fixed: Degrees
    blocks: int
    fixed_blocks: int
    factors: int
    machines: int

    @property
    def vector(self) -> int:
        """Bytes of a vector."""
        return FLOAT * self.factors

    @property
    def equations(self) -> int:
        """Bytes of what some ratings add to the normal equations of a row: half a symmetric matrix, and a vector."""
        return FLOAT * (self.factors * (self.factors + 3) // 2)

    @property
    def vectors_moved(self) -> float:
        """Bytes of the fixed vectors, each sent once to every block of rows that needs it."""
        return self.fixed.touched(self.blocks) * self.vector

    @property
    def grams_moved(self) -> float:
        """Bytes of the Gram matrix of the fixed side, sent to every block of rows."""
        return GRAM * self.factors**2 * self.blocks

    @property
    def rows_held(self) -> float:
        """Bytes of the vectors of a block of rows."""
        return self.rows.total / self.blocks * self.vector


class Stage(NamedTuple):
    """Tasks that do not wait for each other, and the bytes of memory that the largest of them takes."""

    tasks: int
    held: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one half-step.

    moved   bytes that all tasks together read from other machines, and write for them
    stages  one after the other
    """

    moved: float
    stages: tuple[Stage, ...]

    @property
    def held(self) -> float:
        """Bytes of memory that the largest task takes."""
        return max(stage.held for stage in self.stages)

    @property
    def tasks(self) -> int:
        """Tasks of all stages."""
        return sum(stage.tasks for stage in self.stages)


def _broadcast(grid: Grid) -> Cost:
    everything = grid.fixed.total * grid.vector
    ratings = grid.rows.ratings
    return Cost(
        moved=grid.machines * everything + ratings * SENT_RATING,
        stages=(Stage(grid.blocks, everything + ratings / grid.blocks * RATING + grid.rows_held),),
    )


def _full(grid: Grid) -> Cost:
    cells = grid.blocks * grid.fixed_blocks
    sums = grid.rows.touched(grid.fixed_blocks) * grid.equations
    cell = (grid.vectors_moved + sums + grid.rows.ratings * RATING) / cells
    # Sums are added up in numbers of twice the size, and then rounded.
    solved = 3 * grid.rows.total / grid.blocks * grid.equations + sums / cells
    return Cost(
        moved=grid.vectors_moved + sums + grid.grams_moved,
        stages=(Stage(cells, cell), Stage(grid.blocks, solved + grid.rows_held)),
    )


def _half(grid: Grid) -> Cost:
    held = (grid.vectors_moved + grid.rows.ratings * RATING) / grid.blocks + grid.rows_held
    return Cost(moved=grid.vectors_moved + grid.grams_moved, stages=(Stage(grid.blocks, held),))


def _streamed(grid: Grid) -> Cost:
    chunk = (grid.vectors_moved + grid.rows.ratings * RATING) / (grid.blocks * grid.fixed_blocks)
    held = grid.rows.total / grid.blocks * grid.equations + chunk + grid.rows_held
    return Cost(moved=grid.vectors_moved + grid.grams_moved, stages=(Stage(grid.blocks, held),))


SCHEMES: Mapping[str, Callable[[Grid], Cost]] = {
    "broadcast": _broadcast,
    "full": _full,
    "half": _half,
    "streamed": _streamed,
}
"""What each scheme costs."""
