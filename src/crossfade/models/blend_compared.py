"""How much each model of a blend counts where items are compared.

    closeness_ij = Σ_m a_m cos_m(i, j)

All inputs (plays, sequences, texts) count the same. How the models of one input share its part is learned from hidden
pairs: of the candidates for an item, those that share a hidden listener with it are hits, and the weights are found as
those of `crossfade.models.blend_weights` are.

The items are halved and only pairs within a half are looked at, so that no pair is in both. What one half teaches is
judged by the other, and the mean of both is taken if it ranks hits better than equal weights do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.computed import row_map
from crossfade.core.csr import starts_of
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import Vectors
from crossfade.kernels.search.panels import unit_vectors
from crossfade.kernels.threads import one_blas_thread
from crossfade.models.blend_weights import LEAST_GAIN, LEAST_USERS, Evidence, fitted, ndcg, standard_error
from crossfade.models.contract import ComparesItems, Fitted
from crossfade.models.factors import ComparedByCosine
from crossfade.models.sketch import along_largest

Compared = npt.NDArray[np.float32]
"""(models,) what each counts, at sum one; 0 for a model that takes no part."""

ITEMS = 1500
"""Items that the weights are learned from, at most: those with the most listeners."""

DEPTH = 50
"""Candidates of each model for an item."""


def even(models: Sequence[Fitted[Any]]) -> Compared:
    """Return equal weights: of inputs, and of the models of each.

    A model of similarities, whose points only approximate them, takes part where its input has no other model.
    """
    weights = np.zeros(len(models), dtype=np.float32)
    inputs = _inputs(models)
    for places in inputs:
        weights[places] = 1 / (len(inputs) * len(places))
    return weights


def learned(models: Sequence[Fitted[Any]], shown: Interactions, hidden: Interactions, seed: int = 0) -> Compared | None:
    """Return the weights of ``models``, fitted on ``shown``, by the pairs that were ``hidden`` from them.

    None where equal weights are as good, or where there is too little to learn from.
    """
    equal, inputs = even(models), _inputs(models)
    if max(map(len, inputs), default=0) < 2:
        return None
    places = sorted(place for own in inputs for place in own)
    known = np.argsort(-shown.listeners(), kind="stable")[:ITEMS].astype(np.int32)
    known = np.random.default_rng(seed).permutation(known[hidden.listeners()[known] > 0])
    points = [unit_points(models[place], shown.item_ids, known) for place in places]
    halves = [_evidence([one[first::2] for one in points], known[first::2], hidden) for first in (0, 1)]
    found = []
    for half in halves:
        weights = equal.copy()
        if half.hitting.sum() < LEAST_USERS:
            return None
        weights[places] = fitted(half, range(len(places)))
        for own in inputs:
            total = weights[own].sum()
            weights[own] = weights[own] * equal[own].sum() / total if total else equal[own]
        found.append(weights)
    gains = [
        (ndcg(half, half.columns @ weights[places]) - ndcg(half, half.columns @ equal[places]))[half.hitting]
        for half, weights in zip(halves, reversed(found), strict=True)
    ]
    gain = np.concatenate(gains)
    if gain.mean() <= LEAST_GAIN * standard_error(gain):
        return None
    mean: Compared = np.mean(found, axis=0, dtype=np.float32)
    return mean


def mean_cosines(models: Sequence[Fitted[Any]], weights: Compared, ids: Ids, factors: int) -> Vectors:
    """Return vectors (items, factors) whose inner products are closest to the ``weights`` mean of the cosines.

    An item that a model does not know has the cosine 0 there.
    """
    rows, counted = np.arange(len(ids), dtype=np.int32), np.flatnonzero(weights).tolist()
    points = [unit_points(models[place], ids, rows) * np.sqrt(weights[place]) for place in counted]
    return along_largest(np.concatenate([np.zeros((len(ids), 0), dtype=np.float32), *points], axis=1), factors)


def unit_points(model: Fitted[Any], ids: Ids, rows: Rows) -> Vectors:
    """Return the points (n, width) of ``rows`` (n,) of ``ids`` by ``model``, at length one; 0 where it knows none."""
    own = row_map(ids, model.item_ids)(rows)
    points = np.zeros((len(rows), model.space.points.shape[1]), dtype=np.float32)
    points[own != MISSING] = unit_vectors(np.array(model.space.points[own[own != MISSING]]))
    return points


def _inputs(models: Sequence[Fitted[Any]]) -> list[list[int]]:
    """The places of the models that take part, input by input."""
    from crossfade.models.registry import model_class

    found: dict[str, list[int]] = {}
    for place, model in enumerate(models):
        if isinstance(model, ComparesItems):
            found.setdefault(model_class(model.name).learns_from, []).append(place)
    return [[one for one in all_ if isinstance(models[one], ComparedByCosine)] or all_ for all_ in found.values()]


def _evidence(points: Sequence[Vectors], items: Rows, hidden: Interactions) -> Evidence:
    """The candidates among ``items`` of each of them, with their cosines, and which share a hidden listener.

    points  by model, those of ``items`` (items, width)
    """
    together = hidden.matrix()[:, items] > 0
    shared = (together.T.astype(np.float32) @ together.astype(np.float32)).toarray() > 0
    np.fill_diagonal(shared, False)
    # With more threads BLAS would add in another order.
    with one_blas_thread():
        cosines = np.stack([one @ one.T for one in points], axis=2)
    cosines[np.arange(len(items)), np.arange(len(items))] = -np.inf
    candidates = np.zeros(shared.shape, dtype=np.bool_)
    for each in np.moveaxis(cosines, 2, 0):
        best = np.argsort(-each, axis=1, kind="stable")[:, : min(DEPTH, len(items) - 1)]
        np.put_along_axis(candidates, best, True, axis=1)
    history = np.zeros(len(items), dtype=np.float32)
    indptr = starts_of(candidates.sum(axis=1))
    return Evidence(indptr, cosines[candidates], shared[candidates], shared.sum(axis=1), history)
