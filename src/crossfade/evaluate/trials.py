"""Fit a model on one part of the histories and measure it on the other, with what that took."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.core.memory import peak_bytes, restart_peak
from crossfade.core.progress import Progress, silent
from crossfade.core.sequences import Sequences
from crossfade.core.settings import as_table, from_table
from crossfade.evaluate.recommendation import Report, evaluate
from crossfade.models.contract import Model
from crossfade.models.registry import model_class


@dataclass(frozen=True, eq=False, kw_only=True)
class Trial:
    """How a model did, with which settings, and what fitting it took.

    seconds     of fitting, on the clock; the first fit on a machine compiles kernels too
    peak_bytes  the most memory that the process used meanwhile, the data included
    """

    report: Report
    settings: Mapping[str, Any]
    seconds: float
    peak_bytes: int


def sequences_of(interactions: Interactions) -> Sequences:
    """Return the items of each user as one sequence, in the order of their ids."""
    return Sequences(
        kind=interactions.kind,
        item_ids=interactions.item_ids,
        indptr=interactions.indptr,
        indices=interactions.indices,
    )


def learned_from(model: type[Model[Any]], train: Interactions) -> Interactions | Sequences:
    """Return ``train`` as ``model`` learns from it: a model of sequences from each user's items as one."""
    return train if model.learns_from == "interactions" else sequences_of(train)


def try_model(
    name: str,
    train: Interactions,
    test: Interactions,
    *,
    settings: Mapping[str, Any] | None = None,
    k: int = 20,
    threads: int | None = None,
    progress: Progress = silent,
) -> Trial:
    """Fit the model registered as ``name`` on ``train`` and measure its lists of ``k`` on ``test``.

    A model of sequences is fitted on each user's items as one. Raises SettingsError for an unknown model or setting,
    InputError for a model of texts, or if it knows no user of ``test``.
    """
    chosen = model_class(name)
    if chosen.learns_from == "texts":
        raise InputError(f"The model {name} is fitted on {chosen.learns_from}; these files have interactions only.")
    made = from_table(chosen.settings_class, settings or {}, name)
    restart_peak()
    started = time.perf_counter()
    model = chosen(made).fit(learned_from(chosen, train), threads=threads, progress=progress)
    seconds, peak = time.perf_counter() - started, peak_bytes()
    report = evaluate(model, train, test, k, percentile_ranks=False, lists_alone=True, threads=threads)
    return Trial(report=report, settings=as_table(made), seconds=seconds, peak_bytes=peak)
