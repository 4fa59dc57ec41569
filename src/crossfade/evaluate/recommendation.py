"""How good recommendations are: ranked lists for users, compared with what those users played and the model never saw.

Users without test items are skipped, and so are those that the model has neither been fitted on nor been shown a
history of, which are counted. The metrics and their conventions are in `crossfade.evaluate.metrics`.

Repeats (items of train that a user played again) are measured apart from discoveries: the user's own history is ranked,
and nothing else.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from crossfade.core.csr import CSR, starts_of
from crossfade.core.errors import InputError
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.evaluate import metrics
from crossfade.evaluate.intervals import Estimate, mean_estimates
from crossfade.evaluate.metrics import PerUser
from crossfade.models.contract import Fitted
from crossfade.nearest.contract import Restriction

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CELLS = 8_000_000
"""Scores in memory at a time for the percentile rank, 32 MB."""

QUARTILES = 4
"""Parts of the users by the length of their history."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """What a model is asked about n users, by its own item rows.

    profiles  the model's profiles of the users
    excluded  (users, items) their histories, which are not recommended again
    hidden    (users, items) their test items; MISSING for an item that the model does not know
    skipped   users with test items but without a profile
    asked     the ids of the users
    """

    profiles: Any
    excluded: CSR
    hidden: CSR
    skipped: int
    asked: Ids


@dataclass(frozen=True, kw_only=True)
class Slice:
    """The metrics of a part: of the test items of one popularity, or of the users with a history of one length.

    by         "decile" (of popularity) or "history"
    name       which part: "1" (least played items) to "10", or "1–12 items"
    users      how many users have such test items, or such a history
    exposure   of a popularity: the share of all list entries that it has
    estimates  by metric, as in a `Report`
    """

    by: str
    name: str
    users: int
    exposure: float | None = None
    estimates: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Report:
    """How a model did.

    estimates  by metric, such as "recall@20": the mean over users and its 95 % interval
    totals     by metric: numbers of all lists together
    per_user   by metric: the values (users,) behind the estimates, for paired comparisons; NaN where one has none
    users      how many users were asked about
    asked      their ids
    skipped    how many have test items, but are unknown to the model
    slices     by popularity of items and by length of histories
    repeats    how well the model tells which items of a history are played again, where the split has any
    """

    model: str
    k: int
    users: int
    asked: Ids
    skipped: int
    estimates: Mapping[str, Estimate]
    totals: Mapping[str, float]
    per_user: Mapping[str, PerUser]
    slices: Sequence[Slice] = ()
    repeats: "Report | None" = None

    def __repr__(self) -> str:
        numbers = {name: str(one) for name, one in self.estimates.items()}
        numbers |= {name: f"{one:.4f}" for name, one in self.totals.items()}
        skipped = f", {self.skipped:,} skipped" if self.skipped else ""
        lines = [f"Report({self.model}: {self.users:,} users{skipped}, lists of {self.k})"]
        return "\n".join([*lines, *(f"  {name:<{max(map(len, numbers))}}  {one}" for name, one in numbers.items())])

    def minus(self, other: "Report") -> dict[str, Estimate]:
        """Return by metric the mean difference to ``other``, user by user, with its 95 % interval.

        An interval without 0 is a difference that is not by chance. Raises InputError for reports of other users.
        """
        if self.k != other.k or self.asked != other.asked:
            raise InputError("these reports are of other users or other lengths of lists, so they cannot be compared")
        both = [name for name in self.per_user if name in other.per_user]
        return mean_estimates({name: self.per_user[name] - other.per_user[name] for name in both})


def evaluate(
    model: Fitted[Any],
    train: Interactions,
    test: Interactions,
    k: int = 20,
    *,
    shown: Interactions | None = None,
    repeats: Interactions | None = None,
    percentile_ranks: bool = True,
    lists_alone: bool = False,
    seed: int = 0,
    threads: int | None = None,
) -> Report:
    """Return every metric of `crossfade.evaluate.metrics` for the users of ``test``.

    train             what ``model`` was fitted on
    shown             histories of users that it was not fitted on, as in a strong split; None: those of train
    repeats           pairs of train that were played again, to be measured apart
    percentile_ranks  whether to include them: they take the scores of all pairs of users and items
    lists_alone       whether to compute accuracy, coverage, gini and novelty alone, as a search of settings does
    seed              of the resamples of the intervals

    Raises InputError if no user can be asked about, for items of different kinds, and for k below 1.
    """
    history = train if shown is None else shown
    task = validate(model, history, test, k, fold_in=shown is not None, threads=threads)
    ranked = ranked_lists(model, task, k, threads=threads)
    ranks = {"percentile_rank": ranks_of_hidden(model, task, threads=threads)} if percentile_ranks else {}
    report = report_of(
        model.name, ranked, task, k, listeners_of(model.item_ids, train), more=ranks, lists_alone=lists_alone, seed=seed
    )
    if repeats is None or not repeats.pairs:
        return report
    again = validate(model, history, repeats, k, fold_in=shown is not None, threads=threads)
    per_user = metrics.accuracy(repeat_lists(model, again, k, threads=threads), again.hidden, k)
    return replace(
        report,
        repeats=Report(
            model=model.name,
            k=k,
            users=again.hidden.rows,
            asked=again.asked,
            skipped=again.skipped,
            estimates=mean_estimates(per_user, seed=seed),
            totals={},
            per_user=per_user,
        ),
    )


def validate(
    model: Fitted[Any],
    shown: Interactions,
    test: Interactions,
    k: int,
    *,
    fold_in: bool = False,
    threads: int | None = None,
) -> Task:
    """Return what ``model`` is asked about the users of ``test``, given their histories in ``shown``.

    Profiles are the trained ones, or with ``fold_in`` or where the model has no users those of the histories. The
    errors are those of `evaluate`.
    """
    if k < 1:
        raise InputError(f"a list has at least one place, not {k}")
    given: tuple[object, ...] = (shown, test)
    if wrong := [type(one).__name__ for one in given if not isinstance(one, Interactions)]:
        raise InputError(f"train, shown and test are Interactions, not a {wrong[0]}")
    if not shown.kind == test.kind == model.kind:
        raise InputError(f"a model of {model.kind}s cannot be evaluated on {shown.kind}s and {test.kind}s")
    trained = None if fold_in else model.user_ids
    names = test.user_ids.select(np.flatnonzero(np.diff(test.indptr)))
    present = (shown.user_ids if trained is None else trained).rows(names, missing="mark") != MISSING
    if not present.any():
        raise InputError("The model knows no user of the test set, so there is nobody to recommend to.")
    users = Ids.of(itertools.compress(names, present))
    histories, hidden = shown.histories(users), test.histories(users)
    return Task(
        profiles=model.profiles(histories, threads=threads)
        if trained is None
        else model.trained_profiles(trained.rows(list(users))),
        excluded=model.histories_of(histories),
        hidden=CSR(hidden.indptr, _translated(test.item_ids, model.item_ids)[hidden.indices], hidden.weights),
        skipped=int(np.count_nonzero(~present)),
        asked=users,
    )


def ranked_lists(model: Fitted[Any], task: Task, k: int, *, threads: int | None = None) -> Rows:
    """Return the lists (users, k) of item rows, best first, padded with MISSING, without the users' histories."""
    excluded = Restriction(indptr=task.excluded.indptr, indices=task.excluded.indices)
    return model.best(task.profiles, k, excluded, threads=threads).rows


def ranks_of_hidden(model: Fitted[Any], task: Task, *, threads: int | None = None) -> PerUser:
    """Return each user's mean percentile rank (users,)."""
    users, items = task.hidden.rows, len(model.item_ids)
    ranks, everything = np.empty(users), np.arange(items, dtype=np.int32)
    chunk = max(1, CELLS // items)
    for first in range(0, users, chunk):
        last = min(first + chunk, users)
        pairs = np.zeros(users, dtype=np.int64)
        pairs[first:last] = items
        scores = model.scores(task.profiles, starts_of(pairs), np.tile(everything, last - first), threads=threads)
        for user, row in enumerate(scores.reshape(-1, items), start=first):
            row[task.excluded.indices[task.excluded.of(user)]] = np.nan
            own = task.hidden.of(user)
            ranks[user] = np.average(
                metrics.percentiles(row, task.hidden.indices[own]), weights=task.hidden.values[own]
            )
    return ranks


def repeat_lists(model: Fitted[Any], task: Task, k: int, *, threads: int | None = None) -> Rows:
    """Return the ``k`` best items (users, k) of each user's own history, best first, padded with MISSING."""
    history = task.excluded
    scores = model.scores(task.profiles, history.indptr, history.indices, threads=threads)
    users = np.repeat(np.arange(history.rows), np.diff(history.indptr))
    order = np.lexsort((history.indices, -scores, users))
    place = np.arange(len(users)) - history.indptr[users]
    ranked = np.full((history.rows, k), MISSING, dtype=np.int32)
    listed = place < k
    ranked[users[listed], place[listed]] = history.indices[order][listed]
    return ranked


def report_of(
    name: str,
    ranked: Rows,
    task: Task,
    k: int,
    listeners: "csr_array",
    *,
    more: Mapping[str, PerUser] | None = None,
    lists_alone: bool = False,
    seed: int = 0,
) -> Report:
    """Return the report of any lists ``ranked`` (users, k); ``listeners`` as by `listeners_of`.

    more         further values (users,) by metric
    lists_alone  as for `evaluate`
    """
    per_user = {**metrics.accuracy(ranked, task.hidden, k), **(more or {})}
    items, train_users = listeners.shape
    counts = np.diff(listeners.indptr)
    if lists_alone:
        shares = np.maximum(counts, 1) / max(train_users, 1)
        per_user[f"novelty@{k}"] = metrics.mean_of_entries(ranked, -np.log2(shares))
    else:
        per_user |= metrics.beyond_accuracy(ranked, k, listeners, task.excluded)
    return Report(
        model=name,
        k=k,
        users=task.hidden.rows,
        asked=task.asked,
        skipped=task.skipped,
        estimates=mean_estimates(per_user, seed=seed),
        totals={f"coverage@{k}": metrics.coverage(ranked, items), f"gini@{k}": metrics.gini(ranked, items)},
        per_user=per_user,
        slices=() if lists_alone else slices_of(ranked, task, k, metrics.popularity_groups(counts), per_user, seed),
    )


def slices_of(
    ranked: Rows, task: Task, k: int, groups: metrics.Groups, per_user: Mapping[str, PerUser], seed: int
) -> list[Slice]:
    """Return recall by the popularity of test items, and recall and NDCG by the length of histories."""
    recalls = metrics.recall_by_group(ranked, task.hidden, groups)
    exposure = metrics.exposure_by_group(ranked, groups)
    estimates = mean_estimates(dict(enumerate(recalls.T)), seed=seed)
    slices = [
        Slice(
            by="decile",
            name=str(group + 1),
            users=int(np.isfinite(recalls[:, group]).sum()),
            exposure=float(exposure[group]),
            estimates={f"recall@{k}": estimates[group]} if group in estimates else {},
        )
        for group in range(metrics.GROUPS)
    ]
    lengths = np.diff(task.excluded.indptr)
    bounds = np.unique(np.quantile(lengths, np.arange(1, QUARTILES) / QUARTILES, method="lower"))
    part = np.searchsorted(bounds, lengths)  # a length equal to a bound is in the part below it
    for quarter in np.unique(part):
        users = part == quarter
        least, most = int(lengths[users].min()), int(lengths[users].max())
        chosen = {name: per_user[name][users] for name in (f"recall@{k}", f"ndcg@{k}")}
        slices.append(
            Slice(
                by="history",
                name=f"{least:,} items" if least == most else f"{least:,}–{most:,} items",
                users=int(users.sum()),
                estimates=mean_estimates(chosen, seed=seed),
            )
        )
    return slices


def listeners_of(item_ids: Ids, train: Interactions) -> "csr_array":
    """Return the items (of ``item_ids``) × users matrix of train with an entry 1 for each pair."""
    from scipy.sparse import csr_array

    rows = _translated(train.item_ids, item_ids)[train.indices]
    kept = rows != MISSING
    users = np.repeat(np.arange(len(train.user_ids)), np.diff(train.indptr))
    shape = len(item_ids), len(train.user_ids)
    return csr_array((np.ones(kept.sum(), np.float32), (rows[kept], users[kept])), shape=shape)


def _translated(ids: Ids, others: Ids) -> Rows:
    """(ids,) the rows of ``ids`` among ``others``, MISSING for those that are not there."""
    return np.arange(len(ids), dtype=np.int32) if ids == others else others.rows(list(ids), missing="mark")
