"""Settings that a library needs, found by a short search on a part of its own data.

How much of a taste is fine, and how much of a history is chance, differs between libraries, and no formula tells it
from sizes alone. A part of each user's items is hidden, short fits with neighbouring settings are asked for it, and the
best settings win. Nothing but the training data is looked at.

The settings in `Model.searched` are taken one after the other. A number that costs nothing, such as a regularization,
goes up or down by `RATIO` for as long as NDCG@20 grows. A whole number that costs time and memory, such as the factors,
is doubled for as long as that pays (`WORTH`), up to `MOST`.

Work is bounded by sizes, never by a clock: equal data and settings give equal results on any machine.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossfade.core.holdout import part_of
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import as_table, declared, from_table
from crossfade.evaluate.metrics import accuracy
from crossfade.evaluate.recommendation import ranked_lists, validate
from crossfade.evaluate.splits import Split, random_holdout
from crossfade.evaluate.trials import learned_from
from crossfade.models.registry import model_class

K = 20

HIDDEN = 0.1
"""The share of each user's items that fits are asked for."""

LEAST_USERS, LEAST_PAIRS = 500, 20_000
"""Users of whom something can be hidden, and pairs. With less the hidden part is too small to choose by: the defaults
stay."""

MOST_PAIRS, MOST_ASKED = 1_000_000, 3_000
"""Users are drawn at random until they have so many pairs; so many of them are asked."""

SHORT = {"iterations": 5, "passes": 5}
"""Settings of fits while searching, at most. They rank settings as long fits do: docs/models/als.md has the numbers."""

RATIO, GAIN = 1.5, 0.005
"""A step of a number that costs nothing, and the relative gain in NDCG@20 that is not taken for chance."""

WORTH, MOST, MOST_WORK = 0.03, 256, 2e10
"""The relative gain that a doubling has to bring, the largest whole number that is tried, and the work of an iteration
above which none is: (users + items) n² + 12 pairs n."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """NDCG@20 of one fit, with the settings that were tried in it."""

    settings: Mapping[str, Any]
    ndcg: float


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found.

    settings  those to fit with, by name, where they differ from the defaults
    tried     every fit, in order
    """

    settings: Mapping[str, Any]
    tried: tuple[Tried, ...]


NOTHING_FOUND = Found(settings={}, tried=())
"""No fit was made: the defaults stay."""


def search_settings(
    name: str,
    interactions: Interactions,
    given: Mapping[str, Any],
    *,
    threads: int | None = None,
    progress: Progress = silent,
    seed: int = 0,
) -> Found:
    """Search the settings of the model registered as ``name`` for ``interactions``, its training data.

    given  the settings that somebody has set, which stay as they are
    seed   of the sample of users and of what is hidden

    Finds nothing for a library below `LEAST_USERS` and `LEAST_PAIRS`. Raises SettingsError for an unknown model or
    setting.
    """
    model = model_class(name)
    defaults = as_table(from_table(model.settings_class, given, name))
    wanted = [names[0] for names in model.searched if not {*names} & given.keys()]
    asked = int(np.count_nonzero(np.diff(interactions.indptr) * HIDDEN >= 0.5))
    if not wanted or asked < LEAST_USERS or interactions.pairs < LEAST_PAIRS:
        return NOTHING_FOUND
    search = _Search(name, interactions, given, threads, progress, seed)
    best = {setting: defaults[setting] for setting in wanted}
    for setting in wanted:
        best = search.doubled(best, setting) if isinstance(best[setting], int) else search.moved(best, setting)
    settings = {setting: value for setting, value in best.items() if value != defaults[setting]}
    return Found(settings=settings, tried=tuple(search.tried))


class _Search:
    """The fits of one search, each made once."""

    def __init__(
        self,
        name: str,
        interactions: Interactions,
        given: Mapping[str, Any],
        threads: int | None,
        progress: Progress,
        seed: int,
    ) -> None:
        self._name, self._model, self._given = name, model_class(name), given
        self._threads, self._progress = threads, progress
        self._cost = interactions.shape, interactions.pairs
        self._cut = validation_cut(interactions, np.random.default_rng(seed))
        fields = {field.name: field.default for field in dataclasses.fields(self._model.settings_class)}
        self._limits = {one.name: one.limits for one in declared(self._model.settings_class)}
        self._short = {one: min(most, {**fields, **given}[one]) for one, most in SHORT.items() if one in fields}
        self.tried: list[Tried] = []

    def moved(
        self, start: Mapping[str, Any], setting: str, ratios: Sequence[float] = (1 / RATIO, RATIO)
    ) -> dict[str, Any]:
        """Go down from ``start`` for as long as it gains; up if the first step down does not."""
        for ratio in ratios:
            best, most = dict(start), self._ndcg(start)
            while (number := round(best[setting] * ratio, 6)) in self._limits[setting]:
                step = {**best, setting: number}
                if (ndcg := self._ndcg(step)) <= most * (1 + GAIN):
                    break
                best, most = step, ndcg
            if best != start:
                break
        return best

    def doubled(self, start: Mapping[str, Any], setting: str) -> dict[str, Any]:
        """Double while that is worth it; the numbers that cost nothing go down meanwhile."""
        best = dict(start)
        others = [name for name, value in start.items() if isinstance(value, float)]
        while self._affordable(2 * best[setting]):
            step, before = {**best, setting: 2 * best[setting]}, self._ndcg(best)
            if self._ndcg(step) < before * (1 + WORTH / 2):
                break
            for other in others:
                step = self.moved(step, other, ratios=[1 / RATIO])
            if self._ndcg(step) < before * (1 + WORTH):
                break
            best = step
        return best

    def _affordable(self, number: int) -> bool:
        shape, pairs = self._cost
        return number <= MOST and sum(shape) * number**2 + 12 * pairs * number <= MOST_WORK

    def _ndcg(self, settings: Mapping[str, Any]) -> float:
        for tried in self.tried:
            if tried.settings == settings:
                return tried.ndcg
        self._progress(len(self.tried), None, "settings")
        ndcg = ndcg_of(self._name, {**self._given, **self._short, **settings}, self._cut, self._threads)
        self.tried.append(Tried(settings=dict(settings), ndcg=ndcg))
        return self.tried[-1].ndcg


def ndcg_of(name: str, settings: Mapping[str, Any], cut: Split, threads: int | None = None) -> float:
    """Return NDCG@20 on the test part of ``cut`` of the model registered as ``name``, fitted on its train part."""
    model = model_class(name)
    fitted = model(**settings).fit(learned_from(model, cut.train), threads=threads)
    task = validate(fitted, cut.train, cut.test, K, threads=threads)
    return float(accuracy(ranked_lists(fitted, task, K, threads=threads), task.hidden, K)[f"ndcg@{K}"].mean())


def validation_cut(interactions: Interactions, rng: np.random.Generator) -> Split:
    """Return a cut of at most `MOST_PAIRS` pairs of random users, with a part of at most `MOST_ASKED` users hidden."""
    lengths = np.diff(interactions.indptr)
    if interactions.pairs > MOST_PAIRS:
        order = rng.permutation(len(lengths))
        drawn = np.zeros(len(lengths), dtype=np.bool_)
        drawn[order[: np.searchsorted(np.cumsum(lengths[order]), MOST_PAIRS)]] = True
        interactions = part_of(interactions, np.repeat(drawn, lengths))
    split = random_holdout(interactions, HIDDEN, rng)
    lengths = np.diff(split.test.indptr)
    asked = np.zeros(len(lengths), dtype=np.bool_)
    asked[rng.permutation(np.flatnonzero(lengths))[:MOST_ASKED]] = True
    return Split(train=split.train, test=part_of(split.test, np.repeat(asked, lengths)))
