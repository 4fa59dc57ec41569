"""A half-step of alternating least squares on a grid of ratings: what is computed for a block, wherever it runs.

A half-step solves the rows of one side against the vectors of the other. Each block gets the vectors that its ratings
need, and the Gram matrix of all. By scheme:

half      a block's ratings are one cell: all vectors that they need are gathered, and its rows solved at once
streamed  a cell for each block of the other side: vectors are gathered cell by cell, and the sums of the rows' normal
          equations grow; the rows are solved from the sums
full      the same cells, each a task of its own that sends its sums to the task that adds them up and solves

Vectors are those of the single machine (`crossfade.models.als`), to rounding: with solver "pcg" both sides are turned
to the axes of the Gram matrix of the side held fixed, half-step after half-step.

Johnson, "Music recommendations at scale with Spark", Spark Summit 2014 (full and half gridify).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from crossfade.cluster.grid import Block, Cell, Positions
from crossfade.core.csr import CSR
from crossfade.kernels.als.axes import principal_axes, turn
from crossfade.kernels.als.half_step import (
    FixedSide,
    Matrix,
    Solver,
    add_to_sums,
    half_step_of_sums,
)
from crossfade.kernels.als.sums import length_of
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.models.als import ALSSettings
from crossfade.models.als_objective import EXACT_STEPS, EXACT_TOLERANCE, Objective

Scheme = Literal["half", "streamed", "full"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

Gather = Callable[[int, Positions], npt.NDArray[np.float32]]
"""The vectors (n, columns) of a block of the side held fixed at n positions."""


@dataclass(frozen=True, kw_only=True)
class HalfStep:
    """What all blocks of a half-step have in common.

    settings  with nothing left unset
    side      that is solved: 0 users, 1 items
    gram      (width, width) VᵀV of the side held fixed
    others    how many rows that side has
    turned    (width, width) the Gram matrix of the rows' own old vectors, whose axes they were turned to when they were
              held fixed in the half-step before; None where they were not
    exact     whether rows are solved exactly, as the last vectors of users are
    """

    settings: ALSSettings
    side: int
    gram: Matrix
    others: int
    turned: Matrix | None = None
    exact: bool = False

    @property
    def _solver(self) -> Solver:
        return self.settings.exact_solver if self.exact else self.settings.training_solver

    @property
    def _frozen(self) -> int:
        return self.settings.ones[self.side]

    def at_once(self, block: Block, gather: Gather, start: Floats) -> Floats:
        """Return the vectors of a block of one cell, from the old ones in ``start`` (n, width), which are used up."""
        start = self._started(start)
        cell = block.cell(0)
        fixed = self._fixed(self._gathered(cell, gather))
        self._objective.half_step(
            cell.of_all(len(block.pairs)),
            fixed,
            start,
            others=self.others,
            steps=EXACT_STEPS if self.exact else self.settings.cg_steps,
            tolerance=EXACT_TOLERANCE if self.exact else 0.0,
        )
        return start

    def sums(self, cell: Cell, gather: Gather) -> Floats:
        """Return what the ratings of a cell add to the equations of its r rows: (r, f (f + 3) / 2)."""
        sums = aligned(len(cell.rows), length_of(self.settings.columns))
        self._add(cell.ratings, self._gathered(cell, gather), sums)
        return sums

    def streamed(self, block: Block, arriving: Iterable[tuple[int, Gather]], start: Floats) -> Floats:
        """Return the vectors of a block from its cells, by number, as what they need is ``arriving`` in any order."""
        sums = aligned(len(block.pairs), length_of(self.settings.columns))
        for number, gather in arriving:
            cell = block.cell(number)
            if len(cell.rows):
                self._add(cell.of_all(len(block.pairs)), self._gathered(cell, gather), sums)
        return self._solved(block, sums, start)

    def added_up(self, block: Block, parts: Iterable[tuple[Positions, Floats]], start: Floats) -> Floats:
        """Return the vectors of a block from the rows and the sums of its cells."""
        added = np.zeros((len(block.pairs), length_of(self.settings.columns)), dtype=np.float64)
        for rows, sums_of_cell in parts:
            added[rows] += sums_of_cell
        sums = aligned(*added.shape)
        sums[:] = added
        return self._solved(block, sums, start)

    @property
    def _objective(self) -> Objective:
        return Objective.of(self.settings)

    def _started(self, start: Floats) -> Floats:
        if self.exact:
            start[:] = 0.0
            if self._frozen >= 0:
                start[:, self._frozen] = 1.0
        elif self.turned is not None:
            turn(start, principal_axes(self.turned)[0], 1)
        return start

    def _fixed(self, vectors: Floats) -> FixedSide:
        return FixedSide.of(vectors, self.gram, self._solver, shared=self._objective.shared, frozen=self._frozen)

    def _gathered(self, cell: Cell, gather: Gather) -> Floats:
        vectors = aligned(len(cell.needed), padded(self.settings.columns))
        for block, (first, last) in enumerate(zip(cell.starts[:-1].tolist(), cell.starts[1:].tolist(), strict=True)):
            if first < last:
                vectors[first:last, : self.settings.columns] = gather(block, cell.needed[first:last])
        return vectors

    def _add(self, ratings: CSR, vectors: Floats, sums: Floats) -> None:
        objective = self._objective
        # Turned in place, for a solver that wants it.
        self._fixed(vectors)
        add_to_sums(
            ratings, vectors, sums, factors=self.settings.columns, alpha=objective.alpha, counted=objective.counted
        )

    def _solved(self, block: Block, sums: Floats, start: Floats) -> Floats:
        start = self._started(start)
        half_step_of_sums(
            sums,
            self._fixed(aligned(0, start.shape[1])),
            start,
            penalties=self._objective.penalties(block.pairs, self.others),
            factors=self.settings.columns,
            steps=EXACT_STEPS if self.exact else self.settings.cg_steps,
            tolerance=EXACT_TOLERANCE if self.exact else 0.0,
        )
        return start


def turned_while_fixed(settings: ALSSettings) -> bool:
    """Return whether a half-step leaves the side held fixed turned to the axes of its Gram matrix."""
    return settings.training_solver == "pcg" and not settings.biases
