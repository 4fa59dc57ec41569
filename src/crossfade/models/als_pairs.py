"""The pairs that alternating least squares learns from, as its kernels want them, each array held once.

The rows of users are the interactions as they are, memory-mapped where they come from a file; their weights are
another array only where confidence is not linear in them. The rows of items are made once for a whole fit. With n pairs
that is 16 n bytes, of which 4 n to 8 n are the file's own.
"""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.kernels.lanes import Floats
from crossfade.models.als_settings import ALSSettings

BLOCK = 1 << 20
"""Pairs that are looked at together, so that what comes between takes no memory."""


def scaled_weights(settings: ALSSettings, weights: Floats) -> Floats:
    """The weights (n,) that confidence is linear in; InputError for one that is negative or not finite."""
    if settings.confidence == "linear":
        for first in range(0, len(weights), BLOCK):
            _require_weights(weights[first : first + BLOCK], first)
        return weights
    scaled = np.empty(len(weights), dtype=np.float32)
    for first in range(0, len(weights), BLOCK):
        block = weights[first : first + BLOCK]
        _require_weights(block, first)
        np.log1p(block / np.float32(settings.epsilon), out=scaled[first : first + BLOCK])
    return scaled


def require_interactions(interactions: Interactions) -> None:
    """Raise InputError for interactions that nothing can be learned from."""
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
    said = {name: hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for name, array in arrays.items()}
    return {**said, "items": str(len(interactions.item_ids))}


def _require_weights(weights: Floats, first: int) -> None:
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        raise InputError(
            f"weight {weights[wrong[0]]} at position {first + wrong[0]}: weights must be finite numbers of at least 0"
        )
