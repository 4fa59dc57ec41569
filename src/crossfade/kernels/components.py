"""Hash-to-Min over sorted pairs of vertices, each a number of 64 bits: label of the vertex · 2³² + label of a member.

In a sorted list the members of a vertex stand together, the least of them first.
"""

import numpy as np
import numpy.typing as npt

from crossfade.kernels.compile import jit

Pairs = npt.NDArray[np.uint64]
Labels = npt.NDArray[np.uint32]

HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)

_FIRST, _SECOND = 0x85EBCA6B, 0xC2B2AE35
"""Odd, so that multiplying by them can be undone; every bit of a number moves about half of the bits of its label."""


def labels_of(numbers: npt.NDArray[np.integer]) -> Labels:
    """Return another number of 32 bits for each of ``numbers`` (n,), below 2³²: the finalizer of MurmurHash3."""
    labels = numbers.astype(np.uint32)
    for shift, factor in ((16, _FIRST), (13, _SECOND), (16, 1)):
        labels ^= labels >> np.uint32(shift)
        labels *= np.uint32(factor)
    return labels


def numbers_of(labels: Labels) -> Labels:
    """Return the numbers that `labels_of` gives these ``labels`` (n,)."""
    numbers = labels.copy()
    for shift, factor in ((16, 1), (13, pow(_SECOND, -1, 1 << 32)), (16, pow(_FIRST, -1, 1 << 32))):
        numbers *= np.uint32(factor)
        numbers ^= numbers >> np.uint32(shift)
        numbers ^= numbers >> np.uint32(2 * shift)
    return numbers


def paired(vertices: Labels, members: Labels) -> Pairs:
    """Return the pairs (n,) of vertices and members."""
    pairs: Pairs = (vertices.astype(np.uint64) << HALF) | members
    return pairs


@jit
def pass_on(pairs: Pairs, least: np.uint64, sent: Pairs) -> int:
    """Fill ``sent`` (2 n,) with what the vertices of ``pairs`` (n,), sorted, send: pairs of receiver and member.

    A vertex sends all of its members to the least of them, and the least to all of them. ``least`` is that of the
    first vertex, since its members may begin before these pairs. Returns how many pairs are unsettled: their vertex is
    above its least member, and they have another one.
    """
    vertex, unsettled = pairs[0] >> HALF, 0
    for place in range(len(pairs)):
        pair = pairs[place]
        member = pair & LOW
        if pair >> HALF != vertex:
            vertex, least = pair >> HALF, member
        sent[2 * place] = (least << HALF) | member
        sent[2 * place + 1] = (member << HALF) | least
        unsettled += 1 if member != least and vertex > least else 0
    return unsettled


@jit
def heads(pairs: Pairs, least: np.uint64, found: Pairs) -> int:
    """Fill ``found`` (n,) with each vertex of ``pairs`` (n,), sorted, and its least member; returns how many."""
    vertex, count = pairs[0] >> HALF, 1
    found[0] = (vertex << HALF) | least
    for place in range(len(pairs)):
        if pairs[place] >> HALF != vertex:
            vertex = pairs[place] >> HALF
            found[count] = pairs[place]
            count += 1
    return count
