"""Vectors ready to be searched: checked here, trusted in the kernels."""

import numpy as np

from crossfade.core.csr import Starts
from crossfade.core.errors import InputError
from crossfade.core.ids import Rows
from crossfade.core.spaces import Metric, Vectors, VectorSpace
from crossfade.kernels.search.panels import lengths_of, score_pairs, unit_vectors
from crossfade.kernels.threads import balanced, each, threads_for
from crossfade.kernels.transposing import constant

LONGEST = 1e18
"""Longer vectors could overflow a float32 product: |x · y| ≤ |x| |y| ≤ 1e36."""

PAIRS = 50
"""What a query costs besides its pairs, in pairs."""


def compared(space: VectorSpace, metric: Metric) -> Vectors:
    """Return what ``metric`` compares of the items of ``space``: (items, factors), by cosine without a bias."""
    return space.points if metric == "cosine" else space.item_vectors


def checked_items(space: VectorSpace, metric: Metric) -> Vectors:
    """Return `compared` contiguous; InputError if a vector is not finite or too long."""
    return _checked(compared(space, metric), f"the item vectors of space {space.space_id[:12]}")


def checked_queries(queries: Vectors, factors: int, metric: Metric) -> Vectors:
    """Return ``queries`` (n, factors) ready to be multiplied: contiguous float32, of length one for "cosine".

    Raises InputError for another shape, and for numbers that are not finite or too large.
    """
    try:
        queries = np.asarray(queries)
    except ValueError as error:
        raise InputError(f"queries must be (n, {factors}) numbers for this space: {error}") from error
    if queries.ndim != 2 or queries.shape[1] != factors or queries.dtype.kind not in "biuf":
        raise InputError(
            f"queries must be (n, {factors}) numbers for this space, not {queries.dtype} of shape {queries.shape}"
        )
    checked = _checked(queries, "the queries")
    return unit_vectors(checked) if metric == "cosine" else checked


def pair_scores(
    vectors: Vectors, metric: Metric, queries: Vectors, indptr: Starts, items: Rows, threads: int | None
) -> Vectors:
    """Return (n,) the exact scores of checked query q with the rows items[indptr[q]:indptr[q + 1]] of ``vectors``.

    They equal those of every search to the bit.
    """
    scores = np.empty(len(items), dtype=np.float32)
    unit, starts, rows = metric == "cosine", constant(indptr), constant(items)
    if unit and len(items) > len(vectors):
        # Each item's length once, instead of once a pair.
        vectors, unit = unit_vectors(np.ascontiguousarray(vectors)), False
    of, asking = constant(vectors), constant(queries)
    each(
        lambda piece: score_pairs(*piece, of, unit, asking, starts, rows, scores),
        balanced(indptr, PAIRS),
        threads_for(threads),
    )
    return scores


def require_count(k: object) -> None:
    """Raise InputError unless ``k`` is at least 1."""
    if not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"k must be a whole number, at least 1, not {k!r}")


def _checked(vectors: Vectors, what: str) -> Vectors:
    with np.errstate(over="ignore"):  # refused as infinite
        contiguous = np.ascontiguousarray(vectors, dtype=np.float32)
    lengths = lengths_of(contiguous)
    # Written positively, so that NaN is refused too.
    wrong = ~(lengths <= LONGEST)
    if np.any(wrong):
        raise InputError(
            f"{what} must be finite and no longer than {LONGEST:.0e}; {int(wrong.sum())} of {len(wrong)} are not, "
            f"the first in row {int(np.flatnonzero(wrong)[0])}"
        )
    return contiguous
