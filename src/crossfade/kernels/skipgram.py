"""Skip-gram with negative sampling: one pass over sequences, on several processors, to the same bytes as on one.

For a pair of items c and o of a sequence, and k items n drawn at random, one step of gradient ascent on

    log σ(v_c · w_o) + Σ_n log σ(-v_c · w_n)

changes v_c, w_o and w_n. Items are dealt out to p parts, and with them the pairs to p² blocks by the parts of c and o.
Items n are drawn from the part of o. Blocks (1, 1 + s), (2, 2 + s), … then have no vector in common: they are trained
at the same time, each in the order of its pairs, for one s after the other. The parts depend on the number of items
alone, so results don't depend on the number of threads. A step costs O((k + 1) · factors).

Mikolov, Sutskever, Chen, Corrado & Dean, "Distributed representations of words and phrases and their compositionality",
NIPS 2013. Gemulla, Nijkamp, Haas & Sismanis, "Large-scale matrix factorization with distributed stochastic gradient
descent", KDD 2011 (the blocks). Lerer et al., "PyTorch-BigGraph", MLSys 2019 (drawing from the block's own part).
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from crossfade.core.csr import Starts
from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.draws import STEP, drawn, fraction, mixed, streams
from crossfade.kernels.lanes import (
    WIDTH,
    Floats,
    add,
    divide,
    exponential,
    load,
    multiply,
    multiply_add,
    scratch,
    spread,
    store,
    total,
    zero,
)
from crossfade.kernels.threads import each

CHUNK = 1 << 20
"""Items of sequences whose pairs are in memory at a time."""

RANGES = 64
"""Ranges of sequences that threads take in a chunk."""


class Corpus(NamedTuple):
    """Sequences of items, numbered so that the parts follow each other, ``size`` numbers each.

    indptr, items  (sequences + 1,), (n,) int32
    chances        (parts · size,) float32: how likely an item is used where it occurs; above 1, always
    drawn          (parts, any) int32: numbers of each part, each as often as it is to be drawn
    """

    indptr: Starts
    items: Rows
    chances: Floats
    drawn: Rows


class Draws(NamedTuple):
    """What pairs are made of, and what they are trained against.

    window  items on either side of one that make pairs with it; ``shrink`` draws that from 1 to ``window`` each time
    negative  k
    """

    window: int
    shrink: bool
    negative: int


def train(
    corpus: Corpus,
    draws: Draws,
    vectors: Floats,
    outputs: Floats,
    rate: Callable[[float], float],
    *,
    seed: int,
    epoch: int,
    threads: int,
) -> None:
    """Pass once over ``corpus``, changing the vectors v and the ``outputs`` w, (parts · size, width).

    rate   the length of a step, by the share of the pass that is done
    epoch  from 0; each draws other items

    Vectors come from `lanes.aligned`, padded with zeros to a multiple of `lanes.WIDTH`, and stay so.
    """
    sequences = len(corpus.indptr) - 1
    chunks = _ranges(corpus.indptr, 0, sequences, -(-len(corpus.items) // CHUNK))
    own = streams(seed, epoch, 1 + len(chunks))
    for number, chunk in enumerate(chunks):
        pairs, starts = _pairs(corpus, draws, chunk, len(vectors), own[0], threads)
        parts = len(corpus.drawn)
        for shift in range(parts):
            step = np.float32(rate((number + shift / parts) / len(chunks)))
            _train_blocks(corpus, draws, pairs, starts, shift, vectors, outputs, step, own[1 + number], threads)


def _pairs(
    corpus: Corpus, draws: Draws, chunk: tuple[int, int], numbers: int, stream: np.uint64, threads: int
) -> tuple[Rows, Starts]:
    """The pairs (n, 2) of the sequences of a chunk, block after block, each in their order; where blocks begin."""
    ranges = _ranges(corpus.indptr, *chunk, RANGES)
    size, blocks = numbers // len(corpus.drawn), len(corpus.drawn) ** 2
    places = np.zeros((len(ranges), blocks), dtype=np.int64)

    def place(number: int, pairs: Rows) -> None:
        place_pairs(*ranges[number], corpus, draws, size, stream, places[number], pairs)

    each(lambda number: place(number, np.empty((0, 2), dtype=np.int32)), range(len(ranges)), threads)
    # Where the pairs of each range begin within each block.
    ends = np.cumsum(places.T).reshape(blocks, len(ranges))
    places = np.ascontiguousarray((ends - places.T).T)
    starts = np.append(places[0], ends[-1, -1])
    pairs = np.empty((int(starts[-1]), 2), dtype=np.int32)
    each(lambda number: place(number, pairs), range(len(ranges)), threads)
    return pairs, starts


def _train_blocks(
    corpus: Corpus,
    draws: Draws,
    pairs: Rows,
    starts: Starts,
    shift: int,
    vectors: Floats,
    outputs: Floats,
    rate: np.float32,
    stream: np.uint64,
    threads: int,
) -> None:
    parts, width = len(corpus.drawn), vectors.shape[1]

    def block(part: int) -> None:
        other = (part + shift) % parts
        first, last = int(starts[part * parts + other]), int(starts[part * parts + other + 1])
        flat = vectors.reshape(-1), outputs.reshape(-1)
        train_block(first, last, pairs, *flat, width, corpus.drawn[other], draws.negative, rate, stream)

    each(block, range(parts), threads)


def _ranges(indptr: Starts, first: int, last: int, count: int) -> list[tuple[int, int]]:
    """Up to ``count`` ranges of the sequences ``first`` to ``last``, of about as many items each."""
    shares = np.linspace(indptr[first], indptr[last], max(count, 1) + 1)[1:-1]
    bounds = np.unique([first, last, *np.searchsorted(indptr[first : last + 1], shares) + first])
    return [(int(start), int(end)) for start, end in pairwise(bounds)]


@jit
def place_pairs(
    first: int,
    last: int,
    corpus: Corpus,
    draws: Draws,
    size: int,
    stream: np.uint64,
    places: Starts,
    pairs: Rows,
) -> None:
    """Write the pairs of the sequences ``first`` to ``last`` to ``pairs`` (n, 2), if it has room for any.

    places  (parts²,) where the next pair of each block goes; becomes where the one after the last would go
    """
    longest, parts = 0, len(corpus.drawn)
    for sequence in range(first, last):
        longest = max(longest, corpus.indptr[sequence + 1] - corpus.indptr[sequence])
    used = np.empty(longest, dtype=np.int32)
    for sequence in range(first, last):
        start, length = corpus.indptr[sequence], corpus.indptr[sequence + 1] - corpus.indptr[sequence]
        own, count = drawn(stream, sequence), 0
        for at in range(length):
            item = corpus.items[start + at]
            if fraction(drawn(own, at)) < corpus.chances[item]:
                used[count] = item
                count += 1
        for at in range(count):
            reach = draws.window
            if draws.shrink:
                reach -= int(np.int64(drawn(own, length + at) % np.uint64(draws.window)))
            for beside in range(max(at - reach, 0), min(at + reach + 1, count)):
                if beside != at:
                    block = used[at] // size * parts + used[beside] // size
                    if len(pairs):
                        pairs[places[block], 0], pairs[places[block], 1] = used[at], used[beside]
                    places[block] += 1


@jit
def train_block(
    first: int,
    last: int,
    pairs: Rows,
    vectors: Floats,
    outputs: Floats,
    width: int,
    candidates: Rows,
    negative: int,
    rate: np.float32,
    stream: np.uint64,
) -> None:
    """Make the steps of the pairs ``first`` to ``last``, drawing from ``candidates``; vectors lie flat."""
    change, one, pace = scratch(width), spread(np.float32(1.0)), spread(rate)
    choices = np.uint64(len(candidates))
    for pair in range(first, last):
        at, met, draw = pairs[pair, 0] * width, pairs[pair, 1], drawn(stream, pair)
        for k in range(0, width, WIDTH):
            store(change, k, zero())
        for trial in range(negative + 1):
            item, wanted = met, spread(np.float32(1.0))
            if trial:
                item, wanted = candidates[np.int64((draw >> np.uint64(32)) * choices >> np.uint64(32))], zero()
                draw = mixed(draw + STEP)
                if item == met:
                    continue
            other, sums = item * width, zero()
            for k in range(0, width, WIDTH):
                sums = multiply_add(load(vectors, at + k), load(outputs, other + k), sums)
            # σ(x) = 1 / (1 + e⁻ˣ)
            expected = divide(one, add(one, exponential(spread(-total(sums)))))
            step = multiply(pace, multiply_add(expected, spread(np.float32(-1.0)), wanted))
            for k in range(0, width, WIDTH):
                output = load(outputs, other + k)
                store(change, k, multiply_add(step, output, load(change, k)))
                store(outputs, other + k, multiply_add(step, load(vectors, at + k), output))
        for k in range(0, width, WIDTH):
            store(vectors, at + k, add(load(change, k), load(vectors, at + k)))
