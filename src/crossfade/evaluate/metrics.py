"""Metrics of ranked lists: arrays in, a value for each user out.

Conventions
-----------
- Every item of the model is a candidate, except those in the user's own history. Nothing is sampled.
- Equal scores stand in ascending row order, as everywhere in Crossfade.
- Test says only which items a user played, not how often; except for the mean percentile rank, which weighs them.
- A test item that the model does not know can never be hit, and counts against it.
- Lists are cut at k. With h hits, t test items and rel_r = 1 where the item at rank r (from 1) is a hit:

    recall            h / t
    recall, capped    h / min(k, t)
    precision         h / k
    ndcg              Σ rel_r / log2(r + 1), divided by the same sum for hits at ranks 1 to min(k, t)
    map               Σ rel_r · (hits up to r) / r, divided by min(k, t)
    mrr               1 / r of the first hit, 0 without one
    hit rate          1 if h > 0, else 0
    percentile rank   Σ w · rank / Σ w over test pairs of weight w; rank from 0 (first) to 1 (last of the
                      candidates), ties counted in the middle; random is 0.5, and low is good
    novelty           mean over entries of -log2 of the share of train's users that play the item, in bits
    arp               mean over entries of that share itself: the average popularity of what is recommended
    diversity         1 - the mean cosine of two entries, of an item as the set of train's users that play it
    miscalibration    Jensen-Shannon divergence, 0 to 1 bit, of the popularity of the list from that of the user's
                      history, both as distributions over ten groups of items
    coverage          share of all items that are in at least one list
    gini              of how often items are in lists, all items counted: 0 even, towards 1 concentrated

The ten groups have a tenth of train's pairs each: 1 the least played items, 10 the few that everybody plays.

Hu, Koren & Volinsky, ICDM 2008 (percentile rank); Liang et al., "Variational autoencoders for collaborative
filtering", WWW 2018 (capped recall, NDCG); Abdollahpouri et al., "The unfairness of popularity bias in
recommendation", RMSE 2019 (popularity of profiles and lists); Steck, "Calibrated recommendations", RecSys 2018.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.ids import MISSING, Rows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PerUser = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int8]

GROUPS = 10
"""Groups of items by popularity, each with as many of train's pairs."""

DIVERSITY_USERS = 2000
"""Users whose lists' diversity is computed, evenly among all: a mean of so many is exact to three digits."""

CELLS = 20_000_000
"""Cells of a product of sparse matrices at a time, to bound its memory."""


def accuracy(ranked: Rows, hidden: CSR, k: int) -> dict[str, PerUser]:
    """Return by name the metrics (users,) of accuracy of the lists ``ranked`` (users, k), padded with MISSING.

    ``hidden`` (users, items) are the test items; each user has at least one.
    """
    counts = np.diff(hidden.indptr)
    hits = hits_of(ranked, hidden)
    ranks = np.arange(1, k + 1)
    gains = 1 / np.log2(ranks + 1)
    possible = np.minimum(counts, k)
    hit = hits.sum(axis=1)
    return {
        f"recall@{k}": hit / counts,
        f"capped_recall@{k}": hit / possible,
        f"precision@{k}": hit / k,
        f"ndcg@{k}": hits @ gains / np.cumsum(gains)[possible - 1],
        f"map@{k}": (hits * (np.cumsum(hits, axis=1) / ranks)).sum(axis=1) / possible,
        f"mrr@{k}": (hits / ranks).max(axis=1),
        f"hit_rate@{k}": (hit > 0).astype(np.float64),
    }


def beyond_accuracy(ranked: Rows, k: int, listeners: "csr_array", history: CSR) -> dict[str, PerUser]:
    """Return by name the other metrics (users,) of the lists ``ranked`` (users, k), NaN for an empty list.

    listeners  (items, train's users) with an entry for each pair of train
    history    (users, items) what each user had played
    """
    counts = np.diff(listeners.indptr)
    shares = np.maximum(counts, 1) / max(listeners.shape[1], 1)
    return {
        f"novelty@{k}": mean_of_entries(ranked, -np.log2(shares)),
        f"arp@{k}": mean_of_entries(ranked, counts / max(listeners.shape[1], 1)),
        f"diversity@{k}": diversity(ranked, listeners),
        f"miscalibration@{k}": miscalibration(ranked, popularity_groups(counts), history),
    }


def coverage(ranked: Rows, items: int) -> float:
    """Return the share of ``items`` that are in at least one of the lists ``ranked`` (users, k)."""
    return len(np.unique(ranked[ranked != MISSING])) / items


def gini(ranked: Rows, items: int) -> float:
    """Return how unevenly the places of the lists ``ranked`` (users, k) are shared among ``items``."""
    counts = np.sort(np.bincount(ranked[ranked != MISSING], minlength=items)).astype(np.float64)
    if not counts.sum():
        return 0.0
    return float((2 * np.arange(1, items + 1) - items - 1) @ counts / (items * counts.sum()))


def mean_of_entries(ranked: Rows, values: npt.NDArray[np.float64]) -> PerUser:
    """Return the mean (users,) over the entries of ``ranked`` (users, k) of the ``values`` (items,); NaN for none."""
    listed = ranked != MISSING
    lengths = listed.sum(axis=1)
    return _ratio((np.where(listed, values[ranked], 0)).sum(axis=1), lengths)


def diversity(ranked: Rows, listeners: "csr_array") -> PerUser:
    """Return 1 - the mean cosine (users,) of the pairs of entries of a list; NaN for fewer than two entries.

    Of more than `DIVERSITY_USERS` users that many are computed, spread evenly; the others are NaN.
    """
    from scipy.sparse import csr_array

    found = np.full(len(ranked), np.nan)
    lengths = np.sqrt(np.maximum(np.diff(listeners.indptr), 1))
    unit = csr_array(
        (np.repeat(1 / lengths, np.diff(listeners.indptr)), listeners.indices, listeners.indptr), shape=listeners.shape
    )
    played = np.diff(listeners.indptr) > 0
    some = np.arange(0, len(ranked), max(1, -(-len(ranked) // DIVERSITY_USERS)))
    chunk = max(1, CELLS // max(listeners.shape[1], 1))
    for first in range(0, len(some), chunk):
        rows = some[first : first + chunk]
        lists = ranked[rows]
        listed = lists != MISSING
        sizes = listed.sum(axis=1)
        starts = np.concatenate(([0], np.cumsum(sizes)))
        chosen = csr_array((np.ones(listed.sum()), lists[listed], starts), shape=(len(rows), listeners.shape[0]))
        # The squared length of a sum of unit vectors: the vectors with themselves, and each pair twice.
        summed = chosen @ unit
        squared = np.asarray(summed.multiply(summed).sum(axis=1)).ravel()
        themselves = (listed & played[lists]).sum(axis=1)
        found[rows] = 1 - _ratio(squared - themselves, sizes * (sizes - 1))
    return found


def popularity_groups(listeners: npt.NDArray[np.integer]) -> Groups:
    """Return the group (items,) from 0 to 9 of each item by its number of ``listeners``; see the top of this file."""
    order = np.argsort(listeners, kind="stable")
    cumulated = np.cumsum(listeners[order], dtype=np.float64)
    total = cumulated[-1] if len(cumulated) else 0.0
    middle = cumulated - listeners[order] / 2
    groups = np.zeros(len(listeners), dtype=np.int8)
    groups[order] = np.minimum(GROUPS * middle / total, GROUPS - 1) if total else 0
    return groups


def miscalibration(ranked: Rows, groups: Groups, history: CSR) -> PerUser:
    """Return how far (users,) the ``groups`` (items,) of lists are from those of histories; NaN if one is empty."""
    users = np.repeat(np.arange(history.rows), np.diff(history.indptr))
    known = history.indices != MISSING
    own = _shares(users[known], groups[history.indices[known]], history.rows)
    listed = ranked != MISSING
    lists = _shares(np.nonzero(listed)[0], groups[ranked[listed]], len(ranked))
    middle = (own + lists) / 2

    def divergence(one: npt.NDArray[np.float64]) -> PerUser:
        terms = np.zeros_like(one)
        some = one > 0
        terms[some] = one[some] * np.log2(one[some] / middle[some])
        return np.asarray(terms.sum(axis=1))

    both = np.isfinite(middle[:, 0])
    found: PerUser = np.where(both, (divergence(own) + divergence(lists)) / 2, np.nan)
    return found


def recall_by_group(ranked: Rows, hidden: CSR, groups: Groups) -> npt.NDArray[np.float64]:
    """Return the recall (users, 10) of the test items of each group; NaN where a user has none.

    Items that the model does not know are in the first group, since nobody in train played them.
    """
    of_hidden = np.where(hidden.indices == MISSING, 0, groups[hidden.indices])
    users = np.repeat(np.arange(hidden.rows), np.diff(hidden.indptr))
    wanted = _counts(users, of_hidden, hidden.rows)
    hits = hits_of(ranked, hidden)
    found = _counts(np.nonzero(hits)[0], groups[ranked[hits]], hidden.rows)
    return _ratio(found, wanted)


def exposure_by_group(ranked: Rows, groups: Groups) -> npt.NDArray[np.float64]:
    """Return the share (10,) of all entries of ``ranked`` (users, k) that each group has."""
    counts = np.bincount(groups[ranked[ranked != MISSING]], minlength=GROUPS).astype(np.float64)
    shares: npt.NDArray[np.float64] = counts / max(counts.sum(), 1)
    return shares


def hits_of(ranked: Rows, hidden: CSR) -> npt.NDArray[np.bool_]:
    """Return (users, k) whether an entry is one of the user's test items."""
    # A pair of user and item is one number, so that all lists are looked up at once.
    rows = hidden.indices
    width = np.int64(max(ranked.max(initial=0), rows.max(initial=0)) + 1)
    users = np.arange(len(ranked), dtype=np.int64)
    wanted = (np.repeat(users, np.diff(hidden.indptr)) * width + rows)[rows != MISSING]
    hits: npt.NDArray[np.bool_] = np.isin(users[:, None] * width + ranked, wanted) & (ranked != MISSING)
    return hits


def percentiles(scores: npt.NDArray[np.float32], rows: Rows) -> PerUser:
    """Return (n,) where ``rows`` (n,) stand among the ``scores`` (items,) that are not NaN; 1 for a MISSING row."""
    candidates = np.sort(scores[~np.isnan(scores)])
    if len(candidates) < 2:
        return np.where(rows == MISSING, 1.0, 0.0)
    own = scores[rows]
    above = len(candidates) - np.searchsorted(candidates, own, side="right")
    beside = len(candidates) - np.searchsorted(candidates, own, side="left") - above - 1
    return np.where(rows == MISSING, 1.0, (above + beside / 2) / (len(candidates) - 1))


def _counts(users: npt.NDArray[np.integer], groups: npt.NDArray[np.integer], rows: int) -> npt.NDArray[np.float64]:
    """(rows, 10) how many entries of each group each user has."""
    return np.bincount(users * GROUPS + groups, minlength=rows * GROUPS).reshape(rows, GROUPS).astype(np.float64)


def _shares(users: npt.NDArray[np.integer], groups: Groups, rows: int) -> npt.NDArray[np.float64]:
    counts = _counts(users, groups, rows)
    return _ratio(counts, counts.sum(axis=1, keepdims=True))


def _ratio(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """``above`` / ``below``, NaN where that is 0."""
    below = np.broadcast_to(np.asarray(below, dtype=np.float64), above.shape)
    ratio: npt.NDArray[np.float64] = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return ratio
