"""Several models on one split: fitted side by side, measured on the same users, and compared pair by pair.

    crossfade.evaluate(["als", "ease", "popularity"], interactions)

The result prints as a table, becomes a data frame, and draws plots.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np

from crossfade.core.errors import InputError
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.evaluate.comparison import Comparison
from crossfade.evaluate.fitting import Budget, Fit, Resolved, Watch, Work, side_by_side
from crossfade.evaluate.intervals import mean_estimates
from crossfade.evaluate.recommendation import Report
from crossfade.evaluate.splits import Split, cut_of, random_holdout, temporal
from crossfade.evaluate.trials import Trial, for_scores_alone, made_of
from crossfade.kernels.threads import one_blas_thread, processors
from crossfade.models.contract import Fitted, Model, missing_extra
from crossfade.models.registry import MODELS, model_class

if TYPE_CHECKING:
    from crossfade.models.blend import Blend  # it loads kernels, as whoever plans a run need not

HIDDEN = 0.2
"""The default share of the pairs that is hidden."""

SHARES = (0.25, 0.5, 0.75)
"""Shares of the users that learning curves are fitted on, besides all."""

MEMORY_BYTES = 4 << 30
"""What the estimates of fits that run side by side may add up to; a fit that exceeds it runs alone."""

RANKED_PAIRS = 50_000_000
"""The most pairs of users and items that are scored for percentile ranks by default; they take seconds a model."""

Asked = str | Model[Any] | Fitted[Any]
"""A model by name, with settings of its own, or fitted on the train part already."""

Settings = Mapping[str, Mapping[str, Any]]
"""The settings of models by name."""


def compare(
    models: str | Iterable[Asked] | Mapping[str, Asked] | None,
    split: Split | Sequence[Split] | Interactions,
    *,
    k: int = 20,
    settings: Settings | Sequence[Settings] | None = None,
    curves: bool = False,
    pages: bool = True,
    percentile_ranks: bool | None = None,
    seed: int = 0,
    threads: int | None = None,
    jobs: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
    watch: Watch | None = None,
) -> Comparison:
    """Fit ``models`` on a split, measure their lists of ``k`` on the same users, and return the comparison.

    models            names, or models such as ``ALS(factors=128)``, or fitted ones; a mapping calls them by its keys.
                      None: all that the split has the input of
    split             a `Split`, the splits of `k_fold`, or interactions: of these the last fifth is hidden by time
                      where they have times, and otherwise a random fifth of each user's items
    settings          of models that are given by name, and of those that a blend is made of; a list: for each split
    curves            whether to fit on parts of the users too, for learning curves
    pages             whether to measure Discover too, where the split is one of a library
    percentile_ranks  whether to include them: they take the scores of all pairs of users and items. None: if these are
                      at most `RANKED_PAIRS`
    seed              of splits, of parts and of the resamples of intervals
    threads           processors that each fit may use; None for all
    jobs              fits that run side by side at most; None for as many as processors. 1 measures their memory too
    memory_bytes      what the estimates of fits that run side by side may add up to
    watch             told what is being fitted

    Raises SettingsError for unknown models and settings, InputError for a split that cannot be used.
    """
    splits = [default_split(split, seed)] if isinstance(split, Interactions) else split
    splits = [splits] if isinstance(splits, Split) else [*splits]
    if not splits or not all(isinstance(one, Split) for one in splits):
        raise InputError("a split is a Split, a list of them, or Interactions")
    each = [settings or {}] * len(splits) if isinstance(settings, Mapping | None) else [*settings]
    if len(each) != len(splits):
        raise InputError(f"settings of {len(each)} splits do not fit {len(splits)} splits")
    named = _named(models, splits[0])
    made = [_made(named, one) for one in each]
    chosen = made[0]
    watch = watch or Watch()
    if percentile_ranks is None:
        percentile_ranks = len(splits[0].test.user_ids) * len(splits[0].train.item_ids) <= RANKED_PAIRS
    work = Work(k, seed, threads, percentile_ranks, jobs == 1, watch, Budget(memory_bytes))
    blends = _blends(chosen)
    single = {label: model for label, model in chosen.items() if label not in blends}
    with one_blas_thread(), side_by_side(jobs or processors(), work.stopping) as submit:
        fits = {
            label: [submit(work.trial, label, models[label], one) for models, one in zip(made, splits, strict=True)]
            for label in single
        }
        fits |= _blended(made, each, splits, fits, work, submit)
        points = {
            label: [submit(work.point, label, for_scores_alone(model), splits[0], share) for share in SHARES]
            for label, model in single.items()
            if curves and not isinstance(model, Fitted)
        }
        trials = {label: merged([one.result() for one in fits[label]], seed) for label in chosen}
        drawn = {label: [one.result() for one in found] for label, found in points.items()}
        last = {label: submit(work.whole, trials[label], splits[0]) for label in drawn}
        drawn = {label: [*found, last[label].result()] for label, found in drawn.items()}
    comparison = Comparison(
        k=k,
        split=splits[0].how if len(splits) == 1 else f"{len(splits)} folds",
        kind=splits[0].train.kind,
        users=len(splits[0].train.user_ids),
        items=len(splits[0].train.item_ids),
        train_pairs=splits[0].train.pairs,
        test_pairs=sum(one.test.pairs for one in splits),
        trials=trials,
        curves=drawn,
    )
    if not pages or len(splits) > 1 or type(splits[0]) is Split:
        return comparison
    # Here, since surfaces take long to import.
    from crossfade.evaluate.library import LibrarySplit
    from crossfade.evaluate.pages import with_pages

    if isinstance(splits[0], LibrarySplit):
        watch.begun("pages", "Make pages")
        comparison = with_pages(comparison, splits[0], chosen, seed=seed, threads=threads)
        watch.ended("pages")
    return comparison


def default_split(interactions: Interactions, seed: int = 0) -> Split:
    """Return interactions with times split at the moment after which a fifth was last played; others at random."""
    times = interactions.last_played
    if interactions.pairs and times.all() and times.min() < times.max():
        # Later than the first time, so that something is left to fit on where most times are equal.
        second = times[times > times.min()].min()
        return temporal(interactions, int(max(np.quantile(times, 1 - HIDDEN, method="higher"), second)))
    return random_holdout(interactions, HIDDEN, np.random.default_rng(seed))


def fittable(split: Split) -> list[str]:
    """Return the names of all models that the split has the input of and this installation the libraries."""
    classes = {name: model_class(name) for name in MODELS}
    return [
        name
        for name, one in classes.items()
        if (one.learns_from != "texts" or "texts" in split.inputs) and missing_extra(one) is None
    ]


def members_of(blend: object, split: Split) -> list[str]:
    """Return the names of the models that ``blend`` is made of: those of its settings, or by default all; none of
    another model.

    By default a model whose input the split lacks, or whose fit takes too much memory, is left out.
    """
    from crossfade.models.blend import MOST_BYTES, Blend

    if not isinstance(blend, Blend):
        return []
    if blend.settings.models:
        return list(dict.fromkeys(blend.settings.models))
    possible = {"interactions", *split.inputs}
    return [
        name
        for name in fittable(split)
        if not model_class(name).blends
        and model_class(name).learns_from in possible
        and model_class(name)().memory_bytes(len(split.train.item_ids)) <= MOST_BYTES
    ]


def merged(trials: Sequence[Trial], seed: int = 0) -> Trial:
    """Return one trial of those on several folds: each user's mean over the folds, and the settings of the first."""
    if len(trials) == 1:
        return trials[0]
    reports = [trial.report for trial in trials]
    asked = Ids.of(name for report in reports for name in report.asked)
    per_user = {}
    for name in reports[0].per_user:
        summed, counted = np.zeros((2, len(asked)))
        for report in reports:
            values = report.per_user[name]
            rows = asked.rows(list(report.asked))[np.isfinite(values)]
            summed[rows] += values[np.isfinite(values)]
            counted[rows] += 1
        per_user[name] = np.divide(summed, counted, out=np.full(len(asked), np.nan), where=counted > 0)
    report = Report(
        model=reports[0].model,
        k=reports[0].k,
        users=len(asked),
        asked=asked,
        skipped=max(one.skipped for one in reports),
        estimates=mean_estimates(per_user, seed=seed),
        totals={name: float(np.mean([one.totals[name] for one in reports])) for name in reports[0].totals},
        per_user=per_user,
    )
    return Trial(
        report=report,
        settings=trials[0].settings,
        seconds=sum(trial.seconds for trial in trials),
        peak_bytes=None if trials[0].peak_bytes is None else max(trial.peak_bytes or 0 for trial in trials),
    )


def _named(models: str | Iterable[Asked] | Mapping[str, Asked] | None, split: Split) -> dict[str, Asked]:
    """Return the models by their names in the comparison; a name that is taken gets a number."""
    if models is None or isinstance(models, str):
        models = fittable(split) if models is None else [models]
    pairs = models.items() if isinstance(models, Mapping) else [(None, one) for one in models]
    named: dict[str, Asked] = {}
    for label, one in pairs:
        if not (isinstance(one, str | Fitted) or hasattr(one, "fit")):
            raise InputError(f"a model is a name, a model or a fitted one, not a {type(one).__name__}")
        name = label or (one if isinstance(one, str) else one.name)
        number = 2
        while name in named:
            name, number = f"{name.partition(' ')[0]} {number}", number + 1
        named[name] = one
    if not named:
        raise InputError("there is no model to evaluate")
    return named


def _made(named: Mapping[str, Asked], settings: Settings) -> dict[str, Resolved]:
    return {label: made_of(one, settings.get(one, {})) if isinstance(one, str) else one for label, one in named.items()}


def _blends(models: Mapping[str, object]) -> dict[str, "Blend"]:
    from crossfade.models.blend import Blend

    return {label: model for label, model in models.items() if isinstance(model, Blend)}


def _blended(
    made: Sequence[Mapping[str, Resolved]],
    settings: Sequence[Settings],
    splits: Sequence[Split],
    fits: Mapping[str, list[Future[Trial]]],
    work: "Work",
    submit: Callable[..., Future[Any]],
) -> dict[str, list[Future[Trial]]]:
    """Submit the fits of blends, after all that they wait for: a model of the same name is fitted on train once."""
    members: dict[Any, Future[Fit]] = {}

    def fit(name: str, split: Split, number: int, *cut: Any) -> Future[Fit]:
        key = name, number, *cut
        if key not in members:
            model = made[number].get(name)
            if model is None or isinstance(model, Fitted):
                model = made_of(name, settings[number].get(name, {}))
            model = for_scores_alone(model) if cut else model
            title = f"Fit {name} on a cut" if cut else f"Fit {name}"
            members[key] = submit(work.member, f"{name} cut" if cut else name, title, model, split)
        return members[key]

    found: dict[str, list[Future[Trial]]] = {}
    for number, split in enumerate(splits):
        for label, blend in _blends(made[number]).items():
            names, hidden, seed = members_of(blend, splits[0]), blend.settings.hidden, blend.settings.seed
            cut = cut_of(split, hidden, seed)
            whole: dict[str, Future[Any]] = {
                name: fits[name][number] if name in fits else fit(name, split, number) for name in names
            }
            parts = {name: fit(name, cut, number, hidden, seed) for name in names}
            found.setdefault(label, []).append(submit(work.blend, label, blend, split, cut, whole, parts))
    return found
