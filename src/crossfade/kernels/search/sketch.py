"""Vectors in bytes, and how far a score may lie from what the bytes say.

A vector is sketched by one byte a factor: y = s ŷ + e, with ŷ whole numbers up to 127 and e what rounding left. By
Cauchy and Schwarz, with q = r q̂ + d in the same way,

    | q · y - r s (q̂ · ŷ) |  =  | q · e + d · s ŷ |  ≤  |q| |e| + |d| |s ŷ|

so one product of bytes bounds a score from both sides. Items are kept in descending length, in chunks of one scale s.
Bounds are compared so that rounding, their own and that of the score's chain of multiply-adds
(`panels`), can only make them wider.

O(items · factors) to make; memory is one copy of the vectors and a quarter more.

Li, Chan, Yiu & Mamoulis, "FEXIPRO: fast and exact inner product retrieval in recommender systems", SIGMOD 2017
(bounds from whole numbers).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, aligned
from crossfade.kernels.search.byte_lanes import FOUR, Bytes, Words
from crossfade.kernels.search.panels import Lengths, lengths_of

Counts = npt.NDArray[np.int64]

PAIR = 2 * WIDTH
"""Items that a group of queries meets at once: sixteen sums fit the vector registers and share their loads."""

CHUNK = 32 * PAIR
"""Items of one scale. Fewer: tighter bounds, and queries end sooner; more: less work between the products."""

ZERO = 128
"""The byte that stands for 0 among the items, since the instruction wants them without a sign."""

LARGEST = 127
"""The largest number of a sketch."""

BEYOND = 1 << 30
"""More than a sum of products of bytes can be, up to 30,000 factors."""

WIDEST = 16384
"""Factors up to which sums stay below BEYOND."""


class Sketch(NamedTuple):
    """Items in bytes, longest first, in chunks of 1,024.

    vectors  (items, factors) the vectors themselves in that order, so that those of a chunk lie together in the cache
    order    (items,) the row of each place; equal lengths in ascending row order
    places   (items,) the place of each row
    bytes    flat (pairs, steps, 2, 16, 4): thirty-two items side by side, four factors at a time, padded with zeros
    scales   (chunks,) s, what one step of a byte stands for
    misses   (chunks,) the largest |e|
    lengths  (chunks,) the largest |y|
    """

    vectors: Floats
    order: Rows
    places: Rows
    bytes: Bytes
    scales: Lengths
    misses: Lengths
    lengths: Lengths


def sketched(vectors: Floats) -> Sketch:
    """The sketch of ``vectors`` (items, factors), contiguous and finite."""
    items, factors = vectors.shape
    steps, chunks = -(-factors // FOUR), -(-items // CHUNK)
    lengths = lengths_of(vectors)
    order = np.argsort(-lengths, kind="stable").astype(np.int32)
    places = np.empty_like(order)
    places[order] = np.arange(items, dtype=np.int32)
    sketch = Sketch(
        vectors=vectors[order],
        order=order,
        places=places,
        bytes=aligned(-(-items // PAIR) * steps * PAIR).view(np.uint8),
        scales=np.zeros(chunks),
        misses=np.zeros(chunks),
        lengths=lengths[order[::CHUNK]],
    )
    sketch.bytes.fill(ZERO)
    _sketch_items(sketch)
    return sketch


@jit
def _sketch_items(sketch: Sketch) -> None:
    vectors = sketch.vectors
    items, factors = vectors.shape
    steps = (factors + FOUR - 1) // FOUR
    for chunk in range(len(sketch.scales)):
        first, end = chunk * CHUNK, min((chunk + 1) * CHUNK, items)
        largest = np.float32(0)
        for place in range(first, end):
            for k in range(factors):
                largest = max(largest, abs(vectors[place, k]))
        scale = np.float64(largest) / LARGEST
        sketch.scales[chunk] = scale
        for place in range(first, end):
            at = (place // PAIR * steps * PAIR + place % PAIR // WIDTH * WIDTH + place % WIDTH) * FOUR
            missed = 0.0
            for k in range(factors):
                whole = np.rint(np.float64(vectors[place, k]) / scale) if scale > 0 else 0.0
                sketch.bytes[at + k // FOUR * PAIR * FOUR + k % FOUR] = np.uint8(np.int64(whole) + ZERO)
                missed += (np.float64(vectors[place, k]) - scale * whole) ** 2
            sketch.misses[chunk] = max(sketch.misses[chunk], np.sqrt(missed))


@jit
def sketch_queries(queries: Floats, words: Words, shapes: Lengths, shifts: Counts) -> None:
    """Four factors to a word; of each query the scale r, |q| and |d|, and 128 Σ q̂, by which sums are too large."""
    factors = queries.shape[1]
    for query in range(len(queries)):
        largest, length = np.float32(0), 0.0
        for k in range(factors):
            largest = max(largest, abs(queries[query, k]))
            length += np.float64(queries[query, k]) ** 2
        scale, missed, total = np.float64(largest) / LARGEST, 0.0, 0
        for k in range(factors):
            whole = np.rint(np.float64(queries[query, k]) / scale) if scale > 0 else 0.0
            missed += (np.float64(queries[query, k]) - scale * whole) ** 2
            total += int(whole)
            words[query, k // FOUR] |= np.int32((np.int64(whole) & 255) << (8 * (k % FOUR)))
        shapes[query, 0], shapes[query, 1], shapes[query, 2] = scale, np.sqrt(length), np.sqrt(missed)
        shifts[query] = ZERO * total


@jit
def rounding(reach: float, factors: int) -> float:
    """More than what rounding can change of a chain of multiply-adds whose vectors' lengths have product ``reach``.

    A step changes at most 2⁻²⁴ of what the products so far can be, or the smallest number there is.
    """
    return float((factors + 4) * (reach * 2.0**-23 + 2.0**-149))


@jit
def slack_of(sketch: Sketch, chunk: int, shape: Lengths, factors: int) -> float:
    """How far a score may lie from what the bytes say: |q| |e| + |d| |s ŷ|, and rounding."""
    length, missed = sketch.lengths[chunk], sketch.misses[chunk]
    return float(shape[1] * missed + shape[2] * (length + missed) + rounding(shape[1] * length, factors))


@jit
def least_sum(worst: float, sketch: Sketch, chunk: int, shape: Lengths, shift: int, factors: int) -> int:
    """The least sum in a chunk with which an item's score may reach ``worst``."""
    unit = shape[0] * sketch.scales[chunk]
    wanted = worst - slack_of(sketch, chunk, shape, factors)
    if unit > 0:
        # One less than needed, for the rounding of this line.
        return int(np.floor(min(max(wanted / unit + shift, -BEYOND + 1.0), np.float64(BEYOND)))) - 1
    return BEYOND if wanted > 0 else -BEYOND
