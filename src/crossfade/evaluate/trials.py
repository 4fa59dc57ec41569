"""Fit a model on one part of the histories and measure it on the other, with what that took."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.core.memory import peak_bytes, restart_peak
from crossfade.core.progress import Progress, silent
from crossfade.core.sequences import Sequences
from crossfade.core.settings import as_table, from_table
from crossfade.evaluate.recommendation import Report, evaluate
from crossfade.evaluate.splits import Split
from crossfade.models.contract import Configured, Fitted, Model
from crossfade.models.registry import model_class


@dataclass(frozen=True, eq=False, kw_only=True)
class Trial:
    """How a model did, with which settings, and what fitting it took.

    seconds     of fitting, on the clock; the first fit on a machine compiles kernels too
    peak_bytes  the most memory that the process used meanwhile, the data included; None where other fits ran beside it
    model       the fitted model
    """

    report: Report
    settings: Mapping[str, Any]
    seconds: float
    peak_bytes: int | None
    model: Fitted[Any] | None = None


def sequences_of(interactions: Interactions) -> Sequences:
    """Return the items of each user as one sequence, in the order of their ids."""
    return Sequences(
        kind=interactions.kind,
        item_ids=interactions.item_ids,
        indptr=interactions.indptr,
        indices=interactions.indices,
    )


def learned_from(model: Model[Any] | type[Model[Any]], train: Interactions) -> Interactions | Sequences:
    """Return ``train`` as ``model`` learns from it: a model of sequences from each user's items as one."""
    return train if model.learns_from == "interactions" else sequences_of(train)


def input_of(model: Model[Any] | type[Model[Any]], split: Split) -> Any:
    """Return what ``model`` is fitted on; of sequences, without any in the split, each user's items as one.

    Raises InputError for a model of texts if the split has none.
    """
    kind = model.learns_from
    if kind in split.inputs:
        return split.inputs[kind]
    if kind == "texts":
        raise InputError(f"The model {model.name} is fitted on texts, and these histories have interactions only.")
    return learned_from(model, split.train)


def made_of(name: str, settings: Mapping[str, Any]) -> Model[Any]:
    """Return the model registered as ``name`` with these settings; SettingsError for one that does not exist."""
    chosen = model_class(name)
    return chosen(from_table(chosen.settings_class, settings, name))


def for_scores_alone(model: Model[Any]) -> Model[Any]:
    """Return ``model`` with the settings for a fit whose items are never points; its scores are the same."""
    if not isinstance(model, Configured):
        return model
    return type(model)(replace(model.settings, **model.scoring_only))


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
    made = made_of(name, settings or {})
    learned = input_of(made, Split(train=train, test=test))
    restart_peak()
    started = time.perf_counter()
    model = made.fit(learned, threads=threads, progress=progress)
    seconds, peak = time.perf_counter() - started, peak_bytes()
    report = evaluate(model, train, test, k, percentile_ranks=False, lists_alone=True, threads=threads)
    return Trial(report=report, settings=settings_of(made), seconds=seconds, peak_bytes=peak, model=model)


def settings_of(model: Any) -> Mapping[str, Any]:
    """Return the settings of a model as a table, those of a fitted model as it has them."""
    settings = model.settings
    return dict(settings) if isinstance(settings, Mapping) else as_table(settings)
