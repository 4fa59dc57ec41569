"""The pairs that alternating least squares learns from, as its kernels want them, each array held once.

The rows of users are the interactions as they are, memory-mapped where they come from a file; their weights are
another array only where confidence is not linear in them. The rows of items are made once for a whole fit. With n pairs
that is 16 n bytes, of which 4 n to 8 n are the file's own.
"""

import hashlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import let_go
from crossfade.core.csr import CSR
from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.kernels.lanes import Floats
from crossfade.models.als_settings import ALSSettings

BLOCK = 1 << 20
"""Pairs that are looked at together, so that what comes between takes no memory."""

_NO_RECENT = (
    "these interactions do not say what was played of late: set recent_half_life_days of [interactions], or "
    "recent_share of [models.als] to 0"
)

Allocate: TypeAlias = Callable[[int, Any], npt.NDArray[Any]]
"""Gives an array of a length and a dtype."""


def scaled_weights(settings: ALSSettings, weights: Floats, allocate: Allocate = np.empty) -> Floats:
    """The weights (n,) that confidence is linear in; InputError for one that is negative or not finite."""
    if settings.confidence == "linear":
        for first in range(0, len(weights), BLOCK):
            _require_weights(weights[first : first + BLOCK], first)
        return weights
    scaled: Floats = allocate(len(weights), np.float32)
    for first in range(0, len(weights), BLOCK):
        block = weights[first : first + BLOCK]
        _require_weights(block, first)
        np.log1p(block / np.float32(settings.epsilon), out=scaled[first : first + BLOCK])
    let_go(weights)
    return scaled


def recent_half(settings: ALSSettings, interactions: Interactions) -> CSR:
    """The pairs that have been played of late, with what those plays alone weigh; there must be such weights."""
    if interactions.recent is None:
        raise InputError(_NO_RECENT)
    kept = np.flatnonzero(interactions.recent)
    weights = scaled_weights(settings, interactions.recent[kept])
    return CSR(np.searchsorted(kept, interactions.indptr), interactions.indices[kept], weights)


def require_interactions(settings: ALSSettings, interactions: Interactions) -> None:
    """Raise InputError for interactions that nothing can be learned from with these settings."""
    if settings.recent_share and interactions.recent is None:
        raise InputError(_NO_RECENT)
    if not interactions.pairs:
        raise InputError("ALS cannot learn from no interactions: import listens first, or lower what drops them.")
    if interactions.indices.min() < 0 or interactions.indices.max() >= len(interactions.item_ids):
        raise InputError("the interactions name items beyond their own item ids; run `crossfade verify`")


def digests(interactions: Interactions) -> dict[str, str]:
    """What of the interactions decides the vectors, as SHA-256 by name; one pass over the pairs."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "indptr": interactions.indptr,
        "indices": interactions.indices,
        "weights": interactions.weights,
    }
    if interactions.recent is not None:
        arrays["recent"] = interactions.recent
    said = {name: hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for name, array in arrays.items()}
    return {**said, "items": str(len(interactions.item_ids))}


def _require_weights(weights: Floats, first: int) -> None:
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        raise InputError(
            f"weight {weights[wrong[0]]} at position {first + wrong[0]}: weights must be finite numbers of at least 0"
        )
