"""The fits and measurements of a comparison, each in a thread: side by side within memory, stopped together."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from crossfade.core.holdout import new_pairs, part_of, seen_pairs
from crossfade.core.memory import peak_bytes, restart_peak
from crossfade.core.progress import Progress, silent
from crossfade.core.sequences import Sequences
from crossfade.evaluate.comparison import Point
from crossfade.evaluate.recommendation import evaluate
from crossfade.evaluate.splits import Split
from crossfade.evaluate.trials import Trial, input_of, settings_of
from crossfade.models.contract import Fitted, Model

if TYPE_CHECKING:
    from crossfade.models.blend import Blend  # it loads kernels, as whoever plans a run need not

COPIES = 3
"""Copies of its input that a fit has in memory, at most."""

Resolved = Model[Any] | Fitted[Any]


@dataclass(frozen=True)
class Watch:
    """Callbacks for each fit: ``begun`` gets its name and title, ``ended`` its name."""

    begun: Callable[[str, str], Progress] = lambda name, title: silent
    ended: Callable[[str], None] = lambda name: None


@contextlib.contextmanager
def side_by_side(jobs: int, stopping: threading.Event) -> Iterator[Callable[..., Future[Any]]]:
    """Yield what submits work to ``jobs`` threads; an error or an interruption stops all others."""
    pool = ThreadPoolExecutor(jobs)
    try:
        yield pool.submit
    except BaseException:
        stopping.set()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def part_of_users(split: Split, share: float, seed: int) -> Split:
    """Return the split with train cut to a ``share`` of the users, the others' histories shown to the model later.

    Parts of the same seed contain each other. Of sequences a share is drawn, texts stay whole.
    """
    order = np.random.default_rng(seed).permutation(len(split.train.user_ids))
    chosen = np.isin(np.arange(len(order)), order[: max(1, round(share * len(order)))])
    inputs = dict(split.inputs)
    if isinstance(sequences := inputs.get("sequences"), Sequences):
        some = np.sort(np.random.default_rng(seed).permutation(len(sequences))[: max(1, round(share * len(sequences)))])
        lengths = np.diff(sequences.indptr)
        kept = np.repeat(np.isin(np.arange(len(lengths)), some), lengths)
        starts = np.concatenate(([0], np.cumsum(lengths[some])))
        inputs["sequences"] = replace(sequences, indptr=starts, indices=sequences.indices[kept])
    return replace(
        split,
        train=part_of(split.train, np.repeat(chosen, np.diff(split.train.indptr))),
        shown=split.shown or split.train,
        inputs=inputs,
    )


class Fit(NamedTuple):
    """A fitted model, the seconds that took, and the peak of memory where nothing ran beside it."""

    model: Fitted[Any]
    seconds: float
    peak_bytes: int | None


@dataclass
class Work:
    """The work on one model; each method runs in a thread."""

    k: int
    seed: int
    threads: int | None
    percentile_ranks: bool
    alone: bool
    watch: Watch
    budget: "Budget"
    stopping: threading.Event = field(default_factory=threading.Event)

    def trial(self, label: str, model: Resolved, split: Split) -> Trial:
        return self.tried(label, split, self.fitted(label, f"Fit {label}", model, split))

    def member(self, name: str, title: str, model: Resolved, split: Split) -> "Fit":
        fit = self.fitted(name, title, model, split)
        self.watch.ended(name)
        return fit

    def blend(
        self,
        label: str,
        model: "Blend",
        split: Split,
        cut: Split,
        whole: Mapping[str, "Future[Fit | Trial]"],
        parts: Mapping[str, "Future[Fit]"],
    ) -> Trial:
        """The models blended that were fitted on ``whole`` train, by weights from those fitted on ``parts`` of it."""
        fits: dict[str, Fit] = {}
        members: dict[str, Fitted[Any]] = {}
        for name in whole:
            fits[name], joined = parts[name].result(), whole[name].result().model
            assert joined is not None
            members[name] = joined
        self.watch.begun(label, f"Blend {len(members)} models")
        started = time.perf_counter()
        hidden = new_pairs(cut.test, cut.train)
        again = None if cut.repeats is None else seen_pairs(cut.repeats, cut.train)
        parted = {name: fit.model for name, fit in fits.items()}
        weights = model.weigh(parted, cut.train, hidden, again, threads=self.threads)
        fitted = model.join(members, weights, split.train)
        took = time.perf_counter() - started + sum(fit.seconds for fit in fits.values())
        return self.tried(label, split, Fit(fitted, took, None))

    def tried(self, label: str, split: Split, fit: "Fit") -> Trial:
        fitted, seconds, peak = fit
        report = evaluate(
            fitted,
            split.train,
            split.test,
            self.k,
            shown=split.shown,
            repeats=split.repeats,
            percentile_ranks=self.percentile_ranks,
            seed=self.seed,
            threads=self.threads,
        )
        self.watch.ended(label)
        return Trial(report=report, settings=settings_of(fitted), seconds=seconds, peak_bytes=peak, model=fitted)

    def point(self, label: str, model: Resolved, split: Split, share: float) -> Point:
        part, name = part_of_users(split, share, self.seed), f"{label} {share}"
        fitted = self.fitted(name, f"Fit {label} on {share:.0%} of the users", model, part).model
        point = self.measured(fitted, part, share)
        self.watch.ended(name)
        return point

    def whole(self, trial: Trial, split: Split) -> Point:
        """The last point of a curve: the model of all users, asked as those of parts are."""
        assert trial.model is not None
        return self.measured(trial.model, replace(split, shown=split.shown or split.train), 1.0)

    def measured(self, fitted: Fitted[Any], split: Split, share: float) -> Point:
        options: dict[str, Any] = {"percentile_ranks": False, "lists_alone": True, "seed": self.seed}
        report = evaluate(fitted, split.train, split.test, self.k, shown=split.shown, threads=self.threads, **options)
        users = int(np.count_nonzero(np.diff(split.train.indptr)))
        return Point(share=share, users=users, estimates=report.estimates)

    def fitted(self, name: str, title: str, model: Resolved, split: Split) -> "Fit":
        if isinstance(model, Fitted):
            return Fit(model, 0.0, None)
        learned = input_of(model, split)
        arrays = [value for value in vars(learned).values() if isinstance(value, np.ndarray)]
        wanted = COPIES * sum(array.nbytes for array in arrays) + model.memory_bytes(len(split.train.item_ids))
        with self.budget.taking(wanted):
            if self.stopping.is_set():
                raise _StoppedError
            progress = self.watch.begun(name, title)

            def stoppable(done: float, total: float | None, unit: str) -> None:
                if self.stopping.is_set():
                    raise _StoppedError
                progress(done, total, unit)

            if self.alone:
                restart_peak()
            started = time.perf_counter()
            fitted = model.fit(learned, threads=self.threads, progress=stoppable)
            return Fit(fitted, time.perf_counter() - started, peak_bytes() if self.alone else None)


class _StoppedError(Exception):
    """Ends a fit from inside its report of progress."""


class Budget:
    """Memory that threads take before they fit, and give back."""

    def __init__(self, most: int) -> None:
        self._most, self._free, self._changed = most, most, threading.Condition()

    @contextlib.contextmanager
    def taking(self, wanted: int) -> Iterator[None]:
        """Wait until ``wanted`` bytes are free; more than there ever are, until nothing else runs."""
        wanted = min(wanted, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()
