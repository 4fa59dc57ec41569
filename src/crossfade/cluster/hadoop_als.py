"""Fits ALS by jobs on Hadoop: one for each half-iteration, and one for the final vectors of users.

The ratings are put into the folder of jobs once, by user and by item. This process has the vectors of both sides: it
writes them for the distributed cache before each job, by block, and takes in those that the reducers solved.
"""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crossfade.cluster.hadoop import Counters, Hadoop, Job
from crossfade.cluster.mapreduce_als import CELL, HalfStep, cells_of, vectors_in
from crossfade.cluster.sequence_files import Record
from crossfade.core.csr import CSR
from crossfade.core.replacing import make_directory, remove
from crossfade.kernels.als.half_step import FixedSide, half_step_of_sums
from crossfade.kernels.als.sums import length_of
from crossfade.kernels.lanes import Floats, aligned
from crossfade.models import als_objective
from crossfade.models.als_objective import Objective

SIDES = "users", "items"


@dataclass(frozen=True)
class Moved:
    """What a job moved, in bytes.

    side     that it solved
    shipped  to each machine, by the distributed cache
    """

    side: str
    shipped: int
    counters: Counters


@dataclass(frozen=True)
class HadoopALS:
    """Solves the rows of ALS on Hadoop: the ``elsewhere`` of `ALS.fit`.

    name   of the fit: begins the names of its jobs and inputs, and should be that of no other in the folder
    work   a directory of this machine
    moved  by each job so far
    """

    hadoop: Hadoop
    name: str
    work: Path
    moved: list[Moved] = field(default_factory=list)

    @contextlib.contextmanager
    def __call__(
        self, objective: Objective, columns: int, rows: tuple[CSR, CSR]
    ) -> Iterator[tuple[als_objective.HalfStep, als_objective.HalfStep]]:
        """Put the ratings where mappers read them, and yield what solves users and what solves items."""
        settings = self.hadoop.settings
        blocks = settings.user_blocks, settings.item_blocks
        inputs = [f"{self.name}-{side}" for side in SIDES]
        try:
            for own, name in enumerate(inputs):
                self.hadoop.put(name, _files(rows[own], blocks[own], blocks[1 - own], settings.mappers))
            users, items = (_Solver(self, objective, columns, own, blocks) for own in (0, 1))
            yield users, items
        finally:
            for name in inputs:
                self.hadoop.discard(name)


@dataclass(frozen=True)
class _Solver:
    """Solves one side by a job; ``blocks`` are those of users and items."""

    als: HadoopALS
    objective: Objective
    columns: int
    own: int
    blocks: tuple[int, int]

    def __call__(
        self, fixed: FixedSide, vectors: Floats, solved: Floats, *, steps: int, tolerance: float = 0.0
    ) -> None:
        step = HalfStep(
            objective=self.objective,
            solver=fixed.solver,
            frozen=fixed.frozen,
            factors=self.columns,
            others=len(vectors),
            steps=steps,
            tolerance=tolerance,
        )
        blocks, fixed_blocks = self.blocks[self.own], self.blocks[1 - self.own]
        hadoop, side = self.als.hadoop, SIDES[self.own]
        name = f"{self.als.name}-{side}"
        cache = self.als.work / name
        make_directory(cache)
        try:
            step.save(cache, fixed)
            for kind, array, count in (("rows", solved, blocks), ("fixed", vectors, fixed_blocks)):
                for block in range(count):
                    np.save(cache / f"{kind}-{block}.npy", array[block::count], allow_pickle=False)
            shipped = sum(path.stat().st_size for path in cache.iterdir())
            reducers = hadoop.settings.reducers or blocks
            job = Job(
                name=f"{name}-{len(self.als.moved) + 1}",
                mapper="map-cells",
                reducer="reduce-sums",
                inputs=name,
                cache=cache,
                reducers=reducers,
            )
            missing = np.ones(len(solved), dtype=np.bool_)
            with hadoop.run(job) as (records, counters):
                for record in records:
                    block, places, part = vectors_in(record, step)
                    rows = places.astype(np.int64) * blocks + block
                    solved[rows, : self.columns] = part
                    missing[rows] = False
        finally:
            remove(cache)
        self.als.moved.append(Moved(side, shipped, counters))
        self._solve_without_ratings(np.flatnonzero(missing), fixed, step, solved)

    def _solve_without_ratings(
        self, rows: "np.ndarray[tuple[int], np.dtype[np.intp]]", fixed: FixedSide, step: HalfStep, solved: Floats
    ) -> None:
        """Solve the rows that no reducer heard of: zero, unless a coordinate is frozen."""
        empty = aligned(len(rows), solved.shape[1])
        empty[:] = solved[rows]
        nothing = aligned(len(rows), length_of(step.factors))
        penalties = self.objective.penalties(np.zeros(len(rows), dtype=np.int64), step.others)
        half_step_of_sums(
            nothing, fixed, empty, penalties=penalties, factors=step.factors, steps=step.steps, tolerance=step.tolerance
        )
        solved[rows] = empty


def _files(ratings: CSR, blocks: int, fixed_blocks: int, mappers: int) -> Iterator[Iterator[Record]]:
    """Yield the records of each mapper's file, in as many files or one for each cell."""
    cells, mappers = blocks * fixed_blocks, min(mappers or blocks * fixed_blocks, blocks * fixed_blocks)
    numbered = cells_of(ratings, blocks, fixed_blocks)
    for _, together in itertools.groupby(
        numbered, key=lambda cell: (cell[0] * fixed_blocks + cell[1]) * mappers // cells
    ):
        yield ((CELL.pack(block, source), cell.packed()) for block, source, cell in together)
