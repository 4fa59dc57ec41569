"""Shares of the users, by buckets of their ids, which the tasks of a step take; and what tasks leave to later ones."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from crossfade.cluster.copies import local_directory
from crossfade.cluster.engine import Engine
from crossfade.cluster.slices import TASKS_A_SLOT
from crossfade.core.artifacts import Draft, Identity, is_whole, translated_storage_errors, writing
from crossfade.core.buckets import BUCKETS, buckets_of_part
from crossfade.core.queries import SMALLEST_MEMORY, Queries, open_queries
from crossfade.core.replacing import make_directory

LEAST = 4 << 20
"""Bytes of a share, in Parquet files: a million listens, which take a second."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """What tasks of one step share.

    workspace     a directory of the step on the shared folder, for what stages leave to the next ones
    fingerprint   of the step: what is complete there is used again if it was made for the same one
    starts        the first bucket of each share of the users, ascending from 0
    memory_bytes  of a task
    threads       of a task
    """

    workspace: Path
    fingerprint: str
    starts: tuple[int, ...]
    memory_bytes: int
    threads: int = 1

    @property
    def number(self) -> int:
        """How many shares there are."""
        return len(self.starts)

    def buckets(self, share: int) -> tuple[int, int]:
        """Return the first and the last bucket of the users of a share."""
        return self.starts[share], (*self.starts, BUCKETS)[share + 1] - 1

    def place(self, stage: str, number: int = 0) -> Path:
        """Return where the artifact of a stage lies, or that of one of its tasks."""
        return self.workspace / f"{stage}-{number}"

    @contextlib.contextmanager
    def making(self, stage: str, number: int = 0) -> Iterator[Draft | None]:
        """Yield the draft of such an artifact, None if it is complete."""
        settings = {"stage": stage, "number": number, "starts": list(self.starts), "memory_bytes": self.memory_bytes}
        identity = Identity(kind="share", version=1, inputs={"step": self.fingerprint}, settings=settings)
        if is_whole(self.place(stage, number), identity.fingerprint):
            yield None
        else:
            with writing(self.place(stage, number), identity) as draft:
                yield draft

    @contextlib.contextmanager
    def queries(self) -> Iterator[Queries]:
        """Open a connection whose spilled tables are on this machine's own disk."""
        directory = local_directory()
        with translated_storage_errors(directory):
            make_directory(directory)
            spill = Path(tempfile.mkdtemp(dir=directory, prefix="spill-"))
        try:
            limit = max(self.memory_bytes, SMALLEST_MEMORY)
            with open_queries(spill, memory_limit=limit, threads=self.threads) as queries:
                yield queries
        finally:
            shutil.rmtree(spill, ignore_errors=True)


def shared_out(engine: Engine, paths: Sequence[Path]) -> tuple[int, ...]:
    """Return the first bucket of each share of the users whose plays are in ``paths``, for the tasks of ``engine``.

    A share has whole files of the import with the most listens, so that hardly any file is read for several shares.
    """
    most = engine.slots * TASKS_A_SLOT
    imports: dict[Path, list[tuple[int, int]]] = {}
    for path in paths:
        if (buckets := buckets_of_part(path)) is not None:
            imports.setdefault(path.parent, []).append((buckets[0], path.stat().st_size))
    if not imports:
        return evenly(min(most, 1 + sum(path.stat().st_size for path in paths) // LEAST, BUCKETS))
    parts = sorted(max(imports.values(), key=lambda parts: sum(size for _, size in parts)))
    room = max(sum(size for _, size in parts) / most, LEAST)
    starts, filled = [0], 0
    for (_, size), (following, _) in pairwise(parts):
        filled += size
        if filled >= room:
            starts.append(following)
            filled = 0
    return tuple(starts)


def evenly(number: int) -> tuple[int, ...]:
    """Return the first bucket of each of so many shares of equal size."""
    return tuple(share * BUCKETS // number for share in range(number))
