"""How good recommendations are: ranked lists for users, held against what those users played and hid.

Conventions
-----------
- Every item of the space is a candidate, except those that the user has in train. Nothing is sampled.
- Equal scores stand in ascending row order, as everywhere in Crossfade.
- Test says only which items a user played, not how often; save for the mean percentile rank, which weighs them.
- Users without test items are skipped, and so are users that the space does not know, which is counted. A test
  item that the space does not know can never be hit, and counts against it.
- Lists are cut at k. With h hits, t test items and rel_r = 1 where the item at rank r (from 1) is a hit:

    recall            h / t
    recall, capped    h / min(k, t)
    ndcg              Σ rel_r / log2(r + 1), divided by the same sum for hits at ranks 1 to min(k, t)
    map               Σ rel_r · (hits up to r) / r, divided by min(k, t)
    percentile rank   Σ w · rank / Σ w over test pairs of weight w; rank from 0 (first) to 1 (last of the
                      candidates), ties counted in the middle; random is 0.5, and low is good
    coverage          share of all items that stand in at least one list
    gini              of how often items stand in lists, all items counted: 0 even, towards 1 concentrated
    novelty           mean over entries of -log2 of the share of train's users that play the item

Hu, Koren & Volinsky, ICDM 2008 (percentile rank); Liang et al., "Variational autoencoders for collaborative
filtering", WWW 2018 (capped recall, NDCG).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import gathered, starts_of
from crossfade.core.errors import InputError
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.evaluate.intervals import Estimate, mean_estimate
from crossfade.models.contract import FittedSpace

PerUser = npt.NDArray[np.float64]

CELLS = 8_000_000
"""Scores that are held at a time for the percentile rank, 32 MB."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Hidden:
    """What n users are asked for and what they may not be given, by the rows of a space.

    users     (n,) rows of the users in the space
    asked     (indptr, rows, weights): the test items; MISSING for an item that the space does not know
    excluded  (indptr, rows): the train items
    skipped   test users that the space does not know
    """

    users: Rows
    asked: tuple[npt.NDArray[np.int64], Rows, npt.NDArray[np.float32]]
    excluded: tuple[npt.NDArray[np.int64], Rows]
    skipped: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Report:
    """What a space scored.

    estimates  by metric, as "recall@20": the mean over users and its 95 % interval
    totals     by metric: what is said of all lists together
    per_user   by metric: the values (users,) behind the estimates, for paired comparisons
    users      how many users were asked
    skipped    how many have test items but are not known to the space
    """

    model: str
    k: int
    users: int
    skipped: int
    estimates: Mapping[str, Estimate]
    totals: Mapping[str, float]
    per_user: Mapping[str, PerUser]


def evaluate_space(
    space: FittedSpace,
    train: Interactions,
    test: Interactions,
    k: int = 20,
    *,
    percentile_ranks: bool = True,
    seed: int = 0,
) -> Report:
    """Everything above, for the users of ``space``. ``seed`` draws the users of the intervals.

    ``percentile_ranks`` can be left out: they need the scores of all items, O(users · items · factors).
    Raises InputError for a space without users, if no user can be asked, and for k below 1.
    """
    hidden = validate(space, train, test, k)
    ranked = ranked_lists(space, train, hidden, k)
    recall, capped, ndcg, precision = compute(ranked, hidden, k)
    per_user = {
        f"recall@{k}": recall,
        f"capped_recall@{k}": capped,
        f"ndcg@{k}": ndcg,
        f"map@{k}": precision,
    }
    if percentile_ranks:
        per_user["percentile_rank"] = ranks_of_hidden(space, hidden)
    items, listeners = len(space.item_ids), _listeners(space, train)
    return Report(
        model=space.model,
        k=k,
        users=len(hidden.users),
        skipped=hidden.skipped,
        estimates={name: mean_estimate(values, seed=seed) for name, values in per_user.items()},
        totals={
            f"coverage@{k}": coverage(ranked, items),
            f"gini@{k}": gini(ranked, items),
            f"novelty@{k}": novelty(ranked, listeners, len(train.user_ids)),
        },
        per_user=per_user,
    )


def validate(space: FittedSpace, train: Interactions, test: Interactions, k: int) -> Hidden:
    """Train and test by the rows of ``space``; the errors are those of `evaluate_space`."""
    if k < 1:
        raise InputError(f"a list has at least one place, not {k}")
    if space.user_ids is None:
        raise InputError(f"the space of {space.model!r} has no users to recommend to")
    if not train.kind == test.kind == space.kind:
        raise InputError(f"a space of {space.kind}s cannot be held against {train.kind}s and {test.kind}s")
    asking = np.flatnonzero(np.diff(test.indptr))
    users = _translated(test.user_ids, space.user_ids)[asking]
    known = users != MISSING
    if not known.any():
        raise InputError("no user of the test set is known to the space, so there is nobody to ask")
    asked = _rows_of(test, asking[known], space.item_ids)
    in_train = _translated(space.user_ids, train.user_ids)[users[known]]
    indptr, rows, _ = _rows_of(train, in_train, space.item_ids)
    in_space = rows != MISSING
    return Hidden(
        users=users[known],
        asked=asked,
        excluded=(starts_of(in_space)[indptr], rows[in_space]),
        skipped=int(np.count_nonzero(~known)),
    )


def ranked_lists(space: FittedSpace, train: Interactions, hidden: Hidden, k: int) -> Rows:
    """The lists (users, k) of item rows, best first, padded with MISSING, without what a user has in ``train``."""
    users = [] if space.user_ids is None else space.user_ids.select(hidden.users)
    return space.recommend(users, k, exclude=train).rows


def compute(ranked: Rows, hidden: Hidden, k: int) -> tuple[PerUser, PerUser, PerUser, PerUser]:
    """(recall, capped recall, ndcg, average precision), (users,) each, of the lists ``ranked`` (users, k)."""
    indptr, rows, _ = hidden.asked
    asked = np.diff(indptr)
    hits = _hits(ranked, indptr, rows)
    ranks = np.arange(1, k + 1)
    gains = 1 / np.log2(ranks + 1)
    possible = np.minimum(asked, k)
    found = hits.sum(axis=1)
    precision = (hits * (np.cumsum(hits, axis=1) / ranks)).sum(axis=1) / possible
    return found / asked, found / possible, hits @ gains / np.cumsum(gains)[possible - 1], precision


def ranks_of_hidden(space: FittedSpace, hidden: Hidden) -> PerUser:
    """(users,) each user's mean percentile rank."""
    indptr, rows, weights = hidden.asked
    excluded_ptr, excluded = hidden.excluded
    values = np.empty(len(hidden.users))
    chunk = max(1, CELLS // len(space.item_ids))
    for first in range(0, len(values), chunk):
        scores = space.scores(hidden.users[first : first + chunk])
        for user, ranked in enumerate(scores, start=first):
            ranked[excluded[excluded_ptr[user] : excluded_ptr[user + 1]]] = np.nan
            span = slice(indptr[user], indptr[user + 1])
            values[user] = np.average(_percentiles(ranked, rows[span]), weights=weights[span])
    return values


def coverage(ranked: Rows, items: int) -> float:
    """The share of ``items`` that stand in at least one of the lists ``ranked`` (users, k)."""
    return len(np.unique(ranked[ranked != MISSING])) / items


def gini(ranked: Rows, items: int) -> float:
    """How unevenly the places of the lists ``ranked`` (users, k) are shared among ``items``."""
    counts = np.sort(np.bincount(ranked[ranked != MISSING], minlength=items)).astype(np.float64)
    if not counts.sum():
        return 0.0
    return float((2 * np.arange(1, items + 1) - items - 1) @ counts / (items * counts.sum()))


def novelty(ranked: Rows, listeners: npt.NDArray[np.int64], users: int) -> float:
    """Mean -log2 of the share of ``users`` that play an entry of ``ranked`` (users, k), in bits.

    ``listeners`` (items,) counts them; an item that nobody plays counts as played by one.
    """
    shares = np.maximum(listeners[ranked[ranked != MISSING]], 1) / users
    return float(-np.log2(shares).mean()) if len(shares) else 0.0


def _hits(ranked: Rows, indptr: npt.NDArray[np.int64], rows: Rows) -> npt.NDArray[np.bool_]:
    """(users, k) whether an entry is one of the user's test items."""
    # A pair of user and item is one number, so that all lists are looked up at once.
    width = np.int64(max(ranked.max(initial=0), rows.max(initial=0)) + 1)
    users = np.arange(len(ranked), dtype=np.int64)
    wanted = (np.repeat(users, np.diff(indptr)) * width + rows)[rows != MISSING]
    found: npt.NDArray[np.bool_] = np.isin(users[:, None] * width + ranked, wanted) & (ranked != MISSING)
    return found


def _percentiles(scores: npt.NDArray[np.float32], rows: Rows) -> PerUser:
    """(n,) where ``rows`` (n,) stand among the ``scores`` (items,) that are not NaN; 1 for a MISSING row."""
    candidates = np.sort(scores[~np.isnan(scores)])
    if len(candidates) < 2:
        return np.where(rows == MISSING, 1.0, 0.0)
    own = scores[rows]
    above = len(candidates) - np.searchsorted(candidates, own, side="right")
    beside = len(candidates) - np.searchsorted(candidates, own, side="left") - above - 1
    return np.where(rows == MISSING, 1.0, (above + beside / 2) / (len(candidates) - 1))


def _listeners(space: FittedSpace, train: Interactions) -> npt.NDArray[np.int64]:
    """(items,) of the space: how many of train's users play each."""
    rows = _translated(space.item_ids, train.item_ids)
    return np.where(rows == MISSING, 0, train.listeners()[rows]) if len(train.item_ids) else np.zeros(len(rows), int)


def _rows_of(
    interactions: Interactions, users: npt.NDArray[np.integer], item_ids: Ids
) -> tuple[npt.NDArray[np.int64], Rows, npt.NDArray[np.float32]]:
    """What the rows ``users`` (n,) have, by the rows of ``item_ids``; nothing for a MISSING user."""
    indptr, places = gathered(interactions.indptr, users)
    rows = _translated(interactions.item_ids, item_ids)[interactions.indices[places]]
    return indptr, rows, interactions.weights[places]


def _translated(ids: Ids, others: Ids) -> Rows:
    """(ids,) the rows of ``ids`` among ``others``, MISSING for those that are not there."""
    return np.arange(len(ids), dtype=np.int32) if ids == others else others.rows(list(ids), missing="mark")
