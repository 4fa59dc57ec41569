"""How good recommendations are: ranked lists for users, compared with what those users played and the model never saw.

Conventions
-----------
- Every item of the model is a candidate, except those in the user's own history. Nothing is sampled.
- Equal scores stand in ascending row order, as everywhere in Crossfade.
- Test says only which items a user played, not how often; except for the mean percentile rank, which weighs them.
- Users without test items are skipped, and so are those that the model has neither been fitted on nor been shown a
  history of, which are counted. A test item that the model does not know can never be hit, and counts against it.
- Lists are cut at k. With h hits, t test items and rel_r = 1 where the item at rank r (from 1) is a hit:

    recall            h / t
    recall, capped    h / min(k, t)
    ndcg              Σ rel_r / log2(r + 1), divided by the same sum for hits at ranks 1 to min(k, t)
    map               Σ rel_r · (hits up to r) / r, divided by min(k, t)
    percentile rank   Σ w · rank / Σ w over test pairs of weight w; rank from 0 (first) to 1 (last of the
                      candidates), ties counted in the middle; random is 0.5, and low is good
    coverage          share of all items that are in at least one list
    gini              of how often items are in lists, all items counted: 0 even, towards 1 concentrated
    novelty           mean over entries of -log2 of the share of train's users that play the item

Hu, Koren & Volinsky, ICDM 2008 (percentile rank); Liang et al., "Variational autoencoders for collaborative
filtering", WWW 2018 (capped recall, NDCG).
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR, starts_of
from crossfade.core.errors import InputError
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.evaluate.intervals import Estimate, difference_estimate, mean_estimate
from crossfade.models.contract import Fitted
from crossfade.nearest.contract import Restriction

PerUser = npt.NDArray[np.float64]

CELLS = 8_000_000
"""Scores in memory at a time for the percentile rank, 32 MB."""


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


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Report:
    """How a model did.

    estimates  by metric, such as "recall@20": the mean over users and its 95 % interval
    totals     by metric: numbers of all lists together
    per_user   by metric: the values (users,) behind the estimates, for paired comparisons
    users      how many users were asked about
    asked      their ids
    skipped    how many have test items, but are unknown to the model
    """

    model: str
    k: int
    users: int
    asked: Ids
    skipped: int
    estimates: Mapping[str, Estimate]
    totals: Mapping[str, float]
    per_user: Mapping[str, PerUser]

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
        return {name: difference_estimate(self.per_user[name], other.per_user[name]) for name in both}


def evaluate(
    model: Fitted[Any],
    train: Interactions,
    test: Interactions,
    k: int = 20,
    *,
    shown: Interactions | None = None,
    percentile_ranks: bool = True,
    seed: int = 0,
    threads: int | None = None,
) -> Report:
    """Return every metric above for the users of ``test``.

    train             what ``model`` was fitted on
    shown             histories of users that it was not fitted on, as in a `StrongSplit`; None: those of train
    percentile_ranks  whether to include them: they take the scores of all pairs of users and items
    seed              of the resamples of the intervals

    Raises InputError if no user can be asked about, for items of different kinds, and for k below 1.
    """
    task = validate(model, train if shown is None else shown, test, k, fold_in=shown is not None, threads=threads)
    ranked = ranked_lists(model, task, k, threads=threads)
    recall, capped, ndcg, precision = compute(ranked, task.hidden, k)
    per_user = {
        f"recall@{k}": recall,
        f"capped_recall@{k}": capped,
        f"ndcg@{k}": ndcg,
        f"map@{k}": precision,
    }
    if percentile_ranks:
        per_user["percentile_rank"] = ranks_of_hidden(model, task, threads=threads)
    items = len(model.item_ids)
    return Report(
        model=model.name,
        k=k,
        users=task.hidden.rows,
        asked=task.asked,
        skipped=task.skipped,
        estimates={name: mean_estimate(values, seed=seed) for name, values in per_user.items()},
        totals={
            f"coverage@{k}": coverage(ranked, items),
            f"gini@{k}": gini(ranked, items),
            f"novelty@{k}": novelty(ranked, _listeners(model, train), len(train.user_ids)),
        },
        per_user=per_user,
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


def compute(ranked: Rows, hidden: CSR, k: int) -> tuple[PerUser, PerUser, PerUser, PerUser]:
    """Return (recall, capped recall, ndcg, average precision), (users,) each, of the lists ``ranked`` (users, k)."""
    counts = np.diff(hidden.indptr)
    hits = _hits(ranked, hidden)
    ranks = np.arange(1, k + 1)
    gains = 1 / np.log2(ranks + 1)
    possible = np.minimum(counts, k)
    hit = hits.sum(axis=1)
    precision = (hits * (np.cumsum(hits, axis=1) / ranks)).sum(axis=1) / possible
    return hit / counts, hit / possible, hits @ gains / np.cumsum(gains)[possible - 1], precision


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
            ranks[user] = np.average(_percentiles(row, task.hidden.indices[own]), weights=task.hidden.values[own])
    return ranks


def coverage(ranked: Rows, items: int) -> float:
    """Return the share of ``items`` that are in at least one of the lists ``ranked`` (users, k)."""
    return len(np.unique(ranked[ranked != MISSING])) / items


def gini(ranked: Rows, items: int) -> float:
    """Return how unevenly the places of the lists ``ranked`` (users, k) are shared among ``items``."""
    counts = np.sort(np.bincount(ranked[ranked != MISSING], minlength=items)).astype(np.float64)
    if not counts.sum():
        return 0.0
    return float((2 * np.arange(1, items + 1) - items - 1) @ counts / (items * counts.sum()))


def novelty(ranked: Rows, listeners: npt.NDArray[np.int64], users: int) -> float:
    """Return the mean -log2 of the share of ``users`` that play an entry of ``ranked`` (users, k), in bits.

    ``listeners`` (items,) counts them; an item that nobody plays counts as played by one.
    """
    shares = np.maximum(listeners[ranked[ranked != MISSING]], 1) / users
    return float(-np.log2(shares).mean()) if len(shares) else 0.0


def _hits(ranked: Rows, hidden: CSR) -> npt.NDArray[np.bool_]:
    """(users, k) whether an entry is one of the user's test items."""
    # A pair of user and item is one number, so that all lists are looked up at once.
    rows = hidden.indices
    width = np.int64(max(ranked.max(initial=0), rows.max(initial=0)) + 1)
    users = np.arange(len(ranked), dtype=np.int64)
    wanted = (np.repeat(users, np.diff(hidden.indptr)) * width + rows)[rows != MISSING]
    hits: npt.NDArray[np.bool_] = np.isin(users[:, None] * width + ranked, wanted) & (ranked != MISSING)
    return hits


def _percentiles(scores: npt.NDArray[np.float32], rows: Rows) -> PerUser:
    """(n,) where ``rows`` (n,) stand among the ``scores`` (items,) that are not NaN; 1 for a MISSING row."""
    candidates = np.sort(scores[~np.isnan(scores)])
    if len(candidates) < 2:
        return np.where(rows == MISSING, 1.0, 0.0)
    own = scores[rows]
    above = len(candidates) - np.searchsorted(candidates, own, side="right")
    beside = len(candidates) - np.searchsorted(candidates, own, side="left") - above - 1
    return np.where(rows == MISSING, 1.0, (above + beside / 2) / (len(candidates) - 1))


def _listeners(model: Fitted[Any], train: Interactions) -> npt.NDArray[np.int64]:
    """(items,) of the model: how many of train's users play each."""
    rows = _translated(model.item_ids, train.item_ids)
    return np.where(rows == MISSING, 0, train.listeners()[rows]) if len(train.item_ids) else np.zeros(len(rows), int)


def _translated(ids: Ids, others: Ids) -> Rows:
    """(ids,) the rows of ``ids`` among ``others``, MISSING for those that are not there."""
    return np.arange(len(ids), dtype=np.int32) if ids == others else others.rows(list(ids), missing="mark")
