"""Co-occurrence on many machines: the similarities of `crossfade.models.cooccurrence`, with the same bytes.

Users are divided into parts. The task of a part adds up the products of each pair of items within the histories of its
users, in a sum for each pair, so that what travels is a sum, however many users it is of. The sums of an item with the
others lie together in the part's files, item by item; no object is made of one. Then items are divided into ranges of
about as many sums. The task of a range adds up what the parts have of its items, one after the other, and keeps the
best of each. It holds the sums of one item in memory, and reads those of a few at a time.

Sums are exact, and draws are functions of seed, user and item, so results depend neither on parts nor on ranges.

With P parts, an item and another that share users in p of the parts travel p ≤ P times. Without sampling (γ = ∞) that
are all pairs that any user has. DIMSUM draws s · γ pairs for an item and another of cosine s, on average, of however
many users: that bounds what travels by γ times the sum of all similarities, whatever the number of users.

Zadeh & Carlsson, "Dimension independent matrix square using MapReduce", 2013.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.cluster.copies import local_artifact
from crossfade.cluster.engine import Engine
from crossfade.cluster.slices import Arrays, write_arrays
from crossfade.core.arrays import GrowingArray, load_array
from crossfade.core.artifacts import Identity, is_whole, read_manifest, writing
from crossfade.core.csr import CSR, Starts, starts_of
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.replacing import make_directory, remove
from crossfade.core.texts import load_parts, save_parts
from crossfade.kernels import cooccurrence as kernels
from crossfade.models.contract import require_interactions
from crossfade.models.cooccurrence import Cooccurrence, Similar
from crossfade.models.cooccurrence_columns import Columns, CooccurrenceSettings, columns_of, matrix_of, pivots_of
from crossfade.models.histories import damped_histories
from crossfade.models.similarity import FittedSimilarity, fitted

PAIRS, ADDITIONS = 1 << 25, 1 << 33
"""The most (user, item) pairs and additions of a part: about 2 GB of memory, and half a minute."""

SUMS = 1 << 22
"""Sums that a task reads or writes at a time, 84 MB."""

TASKS_A_SLOT = 4
"""Ranges for each task that is carried out at a time: the last ones to end then keep few machines waiting."""

COLUMNS = "columns"
COLUMN_TYPES = dict.fromkeys(Columns._fields, np.float32) | {
    "order": np.int32,
    "numbers": np.int32,
    "kept": np.bool_,
}

SUM_TYPES: Mapping[str, Any] = {"others": np.int32, "sums": np.float64, "shared": np.float64}
"""What a part has of each of its sums: the other item, the total, and the users in common where they are counted."""


def fit_on(
    engine: Engine,
    interactions: Path,
    settings: CooccurrenceSettings,
    *,
    kind: str,
    workspace: Path,
    threads: int = 1,
    parts: int = 0,
    progress: Progress = silent,
) -> FittedSimilarity:
    """Return what `Cooccurrence.fit` fits on the artifact ``interactions``; the arguments are those of `similar_on`.

    threads  of the driver, for the vectors that approximate similarities
    """
    played = Interactions.load(interactions, kind=kind)
    similar = similar_on(engine, interactions, settings, kind=kind, workspace=workspace, parts=parts, progress=progress)
    histories = damped_histories(played, settings.damping)
    return fitted(Cooccurrence.name, played, settings, histories, similar.lists, threads)


def similar_on(
    engine: Engine,
    interactions: Path,
    settings: CooccurrenceSettings,
    *,
    kind: str,
    workspace: Path,
    parts: int = 0,
    progress: Progress = silent,
) -> Similar:
    """Return the most similar items of each item, as `crossfade.models.cooccurrence.nearest_items` does.

    interactions  an artifact on the shared folder
    workspace     a directory of this fit's own on the shared folder; parts that are complete there are used again
    parts         of the users; 0 for as many as there are slots, or as their memory and time want

    Raises InputError for interactions that nothing can be learned from.
    """
    played = Interactions.load(interactions, kind=kind)
    require_interactions(played, Cooccurrence.name)
    bounds = _parts(played, settings, parts, engine.slots)
    identity = Identity(
        kind="cooccurrence-parts",
        version=Cooccurrence.version,
        inputs={"interactions": read_manifest(interactions).fingerprint},
        settings={**asdict(settings), "parts": len(bounds) - 1},
    )
    directory = workspace / identity.fingerprint[:16]
    make_directory(directory)
    place = directory / COLUMNS
    if not is_whole(place, identity.fingerprint):
        with writing(place, identity) as draft:
            save_parts(draft.path, columns_of(played, settings)._asdict())
    fit = _Fit(interactions, kind, settings, identity, directory, tuple(bounds))
    counts = engine.each(_AddUp(fit), fit.parts)
    progress(1, 2, "rounds")
    sums = sum(np.diff(fit.starts(part)) for part in range(fit.parts))
    ranges = _even(starts_of(sums), TASKS_A_SLOT * engine.slots)
    engine.each(best := _KeepBest(fit, tuple(ranges)), len(ranges) - 1)
    progress(2, 2, "rounds")
    found = [best.lists(number) for number in range(len(ranges) - 1)]
    ranked = CSR(*(np.concatenate([getattr(lists, name) for lists in found]) for name in CSR._fields))
    by_number = ranked._replace(indptr=starts_of(ranked.indptr))
    similar = Similar(by_number.take(fit.columns().numbers), *np.sum(counts, axis=0).tolist())
    remove(directory)
    return similar


@dataclass(frozen=True)
class _Fit:
    """What tasks know: the arguments of `similar_on`, the directory of this fit, and between which users parts lie."""

    interactions: Path
    kind: str
    settings: CooccurrenceSettings
    identity: Identity
    directory: Path
    bounds: tuple[int, ...]

    @property
    def parts(self) -> int:
        """How many there are."""
        return len(self.bounds) - 1

    def part(self, number: int) -> Path:
        """Where the sums of a part lie."""
        return self.directory / f"part-{self.bounds[number]}"

    def starts(self, number: int) -> Starts:
        """(items + 1,) where the sums of each item begin in the files of a part."""
        return load_array(self.part(number) / "starts.npy", dtype=np.int64, ndim=1)

    def columns(self) -> Columns:
        """The columns of all items, from the disk of this machine."""
        place = local_artifact(self.directory / COLUMNS)
        # Copies, since kernels are compiled for arrays that can be written.
        return Columns(*map(np.array, load_parts(place, COLUMN_TYPES).values()))


@dataclass(frozen=True)
class _AddUp:
    """Writes the sums of a part; gives how many pairs were drawn, and how many there are."""

    fit: _Fit

    def __call__(self, number: int) -> tuple[int, int]:
        fit, place = self.fit, self.fit.part(number)
        if not place.exists():
            with writing(place, fit.identity) as draft:
                np.save(draft.path / "pairs.npy", self._write(number, draft.path))
        drawn, pairs = load_array(place / "pairs.npy", dtype=np.int64, ndim=1).tolist()
        return drawn, pairs

    def _write(self, number: int, directory: Path) -> npt.NDArray[np.int64]:
        fit, columns = self.fit, self.fit.columns()
        first, last = fit.bounds[number : number + 2]
        interactions = Interactions.load(fit.interactions, kind=fit.kind)
        matrix = matrix_of(interactions, first, last, columns, fit.settings)
        pivots = pivots_of(matrix, first, columns, fit.settings)
        counted, items = columns.measure(fit.settings).counted, len(columns.order)
        lengths = np.zeros(items, dtype=np.int64)
        drawn = 0
        most = starts_of(np.minimum(kernels.work_of(matrix), items))
        with ExitStack() as files:
            others, sums, shared = (
                files.enter_context(GrowingArray(directory / f"{name}.npy", kind)) for name, kind in SUM_TYPES.items()
            )
            for start, end in pairwise(_within(most, SUMS)):
                room = int(most[end] - most[start])
                found = (np.empty(room, np.int32), np.empty(room), np.empty(room if counted else 0))
                drawn += kernels.partial_sums(start, end, matrix, pivots, counted, lengths[start:end], *found)
                written = int(lengths[start:end].sum())
                others.append(found[0][:written])
                sums.append(found[1][:written])
                shared.append(found[2][:written])
        np.save(directory / "starts.npy", starts_of(lengths))
        histories = np.diff(matrix.indptr)
        return np.array([drawn, int((histories * (histories - 1)).sum()) // 2], dtype=np.int64)


@dataclass(frozen=True)
class _KeepBest:
    """Writes the lists of a range of items, which lies between two of ``bounds``, from the sums of all parts."""

    fit: _Fit
    bounds: tuple[int, ...]

    def __call__(self, number: int) -> None:
        place = self._place(number)
        if not place.exists():
            pieces = list(self._pieces(*self.bounds[number : number + 2]))
            write_arrays(place, {name: np.concatenate([piece[name] for piece in pieces]) for name in CSR._fields})

    def lists(self, number: int) -> CSR:
        """What was written for a range: lengths in place of indptr, the rows of items, and similarities."""
        with np.load(self._place(number)) as arrays:
            return CSR(*(arrays[name] for name in CSR._fields))

    def _place(self, number: int) -> Path:
        return self.fit.directory / f"lists-{self.bounds[number]}-{self.bounds[number + 1]}.npz"

    def _pieces(self, first: int, last: int) -> Iterator[Arrays]:
        """The lists of so few items at a time that their sums fit into memory."""
        fit, columns = self.fit, self.fit.columns()
        measure = columns.measure(fit.settings)
        width = min(fit.settings.neighbours, len(columns.order))
        starts = np.array([fit.starts(part)[first : last + 1] for part in range(fit.parts)])
        parts = [load_parts(fit.part(part), SUM_TYPES) for part in range(fit.parts)]
        total = starts.sum(axis=0)
        for start, end in pairwise(_within(total - total[0], SUMS)):
            spans = [slice(int(one[start]), int(one[end])) for one in starts]
            others, sums, shared = (
                np.concatenate([part[name][span] for part, span in zip(parts, spans, strict=True)])
                for name in SUM_TYPES
            )
            lengths = starts_of([span.stop - span.start for span in spans])[:-1]
            local = starts[:, start : end + 1] - starts[:, start : start + 1] + lengths[:, None]
            lists = np.empty((end - start, width), dtype=np.int32)
            scores = np.empty((end - start, width), dtype=np.float32)
            tables = columns.chances, measure, columns.order
            kernels.nearest_of_parts(first + start, local, others, sums, shared, *tables, lists, scores)
            kept = lists >= 0
            yield {"indptr": kept.sum(axis=1), "indices": lists[kept], "values": scores[kept]}


def _parts(interactions: Interactions, settings: CooccurrenceSettings, parts: int, slots: int) -> list[int]:
    """Between which users the parts lie, about as expensive as each other."""
    lengths = np.diff(interactions.indptr)
    if settings.longest_history:
        lengths = np.minimum(lengths, settings.longest_history)
    work = starts_of(lengths**2)
    wanted = parts or max(slots, -(-interactions.pairs // PAIRS), -(-int(work[-1]) // ADDITIONS))
    return _even(work, wanted)


def _even(starts: Starts, ranges: int) -> list[int]:
    """The bounds of at most so many ranges with about even shares of what ``starts`` (n + 1,) adds up."""
    inner = np.searchsorted(starts, starts[-1] * np.arange(1, ranges) / ranges)
    bounds: list[int] = np.unique([0, *inner, len(starts) - 1]).tolist()
    return bounds


def _within(starts: Starts, most: int) -> list[int]:
    """The bounds of consecutive ranges of at most ``most`` in all of what ``starts`` (n + 1,) adds up, or of one."""
    bounds = [0]
    while bounds[-1] < len(starts) - 1:
        end = int(np.searchsorted(starts, starts[bounds[-1]] + most, side="right")) - 1
        bounds.append(max(end, bounds[-1] + 1))
    return bounds
