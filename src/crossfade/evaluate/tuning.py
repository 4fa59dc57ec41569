"""Settings of any model by a long search on a part of its training data, with Optuna.

Every setting in `Model.tuned` is tried in a range around its default: from `SPAN` times less to `SPAN` times more, on a
logarithmic scale, within what the setting accepts; a setting with a narrow range, such as an exponent, in all of it; a
choice in all its values. The first trial has the defaults, the second what the short search finds. A trial is fitted
with few iterations first, and ends there if that is worse than the median of the others.

What wins on one cut wins in part by chance. So the winner and the defaults are fitted once more and compared on another
cut, and nothing is recommended unless the winner is better there too.

Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019; Bergstra et al.,
"Algorithms for Hyper-Parameter Optimization", NeurIPS 2011 (the sampler).
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.core.errors import InputError, MissingExtraError, SettingsError, StorageError
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.replacing import make_directory
from crossfade.core.settings import Declared, declared, from_table
from crossfade.core.version import __version__
from crossfade.evaluate.searching import GAIN, SHORT, ndcg_of, search_settings, validation_cut
from crossfade.models.registry import model_class

SPAN = 4.0
"""How far from its default a number is tried, as a factor."""

NARROW = 4.0
"""A range no wider than this is tried as a whole, evenly."""

LEAST_FOR_IMPORTANCE = 8
"""Complete trials from which on it is said what mattered."""


@dataclass(frozen=True, kw_only=True)
class TunedTrial:
    """One trial: NDCG@20 on the cut, of a pruned one with few iterations."""

    number: int
    settings: Mapping[str, Any]
    ndcg: float
    pruned: bool


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What tuning found.

    settings    the best ones, of all that were tried; empty if the defaults are as good
    default     NDCG@20 of the defaults on a cut that was not tuned on
    best        NDCG@20 of the best settings on it
    importance  the share of the differences in NDCG@20 that each setting explains; empty after few trials
    trials      all of them, in order
    """

    model: str
    settings: Mapping[str, Any]
    default: float
    best: float
    importance: Mapping[str, float]
    trials: tuple[TunedTrial, ...]


def tuned_settings(name: str, given: Mapping[str, Any]) -> list[Declared]:
    """Return what is tried of the model registered as ``name``: `Model.tuned` without what is ``given``."""
    model = model_class(name)
    from_table(model.settings_class, given, name)
    replaced = {names[0] for names in model.searched if {*names} & given.keys()}
    wanted = {*model.tuned} - given.keys() - replaced
    found = {one.name: one for one in declared(model.settings_class)}
    return [found[setting] for setting in model.tuned if setting in wanted]


def require_tunable(name: str, given: Mapping[str, Any]) -> list[Declared]:
    """Return `tuned_settings`; SettingsError if there are none, InputError for a model that is fitted on texts."""
    wanted = tuned_settings(name, given)
    if model_class(name).learns_from == "texts":
        raise InputError(f"The model {name} is fitted on texts; tuning hides interactions.")
    if not wanted:
        raise SettingsError(f"The model {name} has no settings to tune.")
    return wanted


def tune(
    name: str,
    interactions: Interactions,
    given: Mapping[str, Any],
    directory: Path,
    *,
    trials: int = 30,
    seconds: float | None = None,
    threads: int | None = None,
    progress: Progress = silent,
    seed: int = 0,
) -> Tuned:
    """Tune the model registered as ``name`` on ``interactions``, its training data.

    given      settings that stay as they are
    directory  where the study is kept: tuning the same model on the same data goes on from it
    trials     how many there are to be in the end, those of earlier calls included
    seconds    after which no other trial begins

    Raises MissingExtraError without Optuna, SettingsError for a model without settings to tune, InputError for a model
    of texts or data that nothing can be hidden of, StorageError for a study that cannot be read.
    """
    optuna = _optuna()
    wanted = require_tunable(name, given)
    cut = validation_cut(interactions, np.random.default_rng(seed))
    if not cut.test.pairs:
        raise InputError("Nobody has played enough items to hide some of them. Tuning needs histories of five or more.")
    make_directory(directory)
    file = directory / "study.sqlite"
    try:
        study = optuna.create_study(
            study_name=f"{name}-{_digest(interactions, given, seed)}",
            storage=f"sqlite:///{file}",
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
            sampler=optuna.samplers.TPESampler(seed=seed),
        )
    except Exception as error:  # of SQLAlchemy, of Alembic or of Optuna itself
        cause = str(error).partition("\n")[0]
        raise StorageError(f"{file} cannot be read: {cause}. Remove it to begin again.") from error
    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    done = len(study.get_trials(states=ended))
    if not study.trials:
        study.enqueue_trial({one.name: one.default for one in wanted})
        found = search_settings(name, interactions, given, threads=threads, seed=seed).settings
        if found.keys() & {one.name for one in wanted}:
            study.enqueue_trial({one.name: found.get(one.name, one.default) for one in wanted})

    def ndcg(trial: Any) -> float:
        settings = {**given, **{one.name: suggested(trial, one) for one in wanted}}
        few = {one: most for one, most in SHORT.items() if one in fields and settings.get(one, fields[one]) > most}
        if few:
            trial.report(measured({**settings, **few}), 0)
            if trial.should_prune():
                raise optuna.TrialPruned
        return measured(settings)

    def measured(settings: Mapping[str, Any]) -> float:
        try:
            return ndcg_of(name, settings, cut, threads)
        except InputError:  # far from any good setting a fit may diverge
            return 0.0

    def told(study: Any, trial: Any) -> None:
        progress(len(study.get_trials(states=ended)), trials, "trials")

    fields = {one.name: one.default for one in declared(model_class(name).settings_class)}
    progress(done, trials, "trials")
    if done < trials:
        study.optimize(ndcg, n_trials=trials - done, timeout=seconds, callbacks=[told])
    return _result(name, study, interactions, given, wanted, threads, seed)


def suggested(trial: Any, setting: Declared) -> Any:
    """Return the value that ``trial`` tries for ``setting``."""
    if setting.choices:
        return trial.suggest_categorical(setting.name, list(setting.choices))
    low, high = tried_range(setting)
    suggest = trial.suggest_int if isinstance(setting.default, int) else trial.suggest_float
    return suggest(setting.name, low, high, log=low > 0 and not _narrow(setting))


def tried_range(setting: Declared) -> tuple[float, float]:
    """Return the least and the greatest value that are tried of a number."""
    limits, default = setting.limits, setting.default
    least = limits.low if limits.low is not None else limits.above
    if _narrow(setting):
        return limits.low, limits.high  # type: ignore[return-value]  # narrow ranges have both
    low, high = default / SPAN, default * SPAN
    low = low if least is None else max(low, least)
    high = high if limits.high is None else min(high, limits.high)
    return (max(1, round(low)), round(high)) if isinstance(default, int) else (low, high)


def _narrow(setting: Declared) -> bool:
    low, high = setting.limits.low, setting.limits.high
    return low is not None and high is not None and low <= 0 and 1 < high - low <= NARROW


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("Tuning", extra="tune") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _digest(interactions: Interactions, given: Mapping[str, Any], seed: int) -> str:
    """What tells studies apart: the data, what is given, the seed, and the version of Crossfade."""
    digest = hashlib.sha256(json.dumps([__version__, seed, given], sort_keys=True).encode())
    for array in (interactions.indptr, interactions.indices, interactions.weights):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def _result(
    name: str,
    study: Any,
    interactions: Interactions,
    given: Mapping[str, Any],
    wanted: list[Declared],
    threads: int | None,
    seed: int,
) -> Tuned:
    optuna = _optuna()
    complete = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    if not complete:
        raise InputError("No trial was complete in that time. Give it more seconds.")
    defaults = {one.name: one.default for one in wanted}
    winner = {**defaults, **study.best_params}
    other = validation_cut(interactions, np.random.default_rng(seed + 1))
    default = ndcg_of(name, {**given, **defaults}, other, threads)
    best = default if winner == defaults else ndcg_of(name, {**given, **winner}, other, threads)
    better = best > default * (1 + GAIN)
    importance = {}
    if len(complete) >= LEAST_FOR_IMPORTANCE:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            importance = optuna.importance.get_param_importances(study, evaluator=evaluator)
    pruned = optuna.trial.TrialState.PRUNED
    return Tuned(
        model=name,
        settings=winner if better else {},
        default=default,
        best=best if better else default,
        importance={key: float(share) for key, share in importance.items()},
        trials=tuple(
            TunedTrial(
                number=trial.number,
                settings=dict(trial.params),
                ndcg=float(trial.value if trial.value is not None else max(trial.intermediate_values.values())),
                pruned=trial.state == pruned,
            )
            for trial in study.get_trials(states=(optuna.trial.TrialState.COMPLETE, pruned))
        ),
    )
