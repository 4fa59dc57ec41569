"""The axes along which the equations of alternating least squares come apart.

All rows of a half share the matrix G. In the basis of its eigenvectors, G = QΛQᵀ, it is diagonal, so a row's own
matrix is λI + Λ plus what its entries add: a product with it costs nothing beyond the entries, and its inverse
without the entries is known. Turning both sides, X → XQ and Y → YQ, changes no inner product and no length, thus
neither the loss nor the recommendations. It costs 2 (rows + columns) · f² for a half, as one product of large
matrices, and f³ for the eigenvectors.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, aligned, scratch, spread_from
from crossfade.kernels.strips import Blocks, add_multiple, load_strip, store_strip, zeros
from crossfade.kernels.threads import each, one_blas_thread
from crossfade.kernels.transposing import constant

BLOCK = 64
"""Rows that are turned at a time: a second-level cache holds them and what becomes of them."""

TURNED_ROWS = 1024
"""Rows that a thread takes at a time."""

FOUR = 4
"""Rows that meet a tile of the matrix in registers: each number of it that is loaded serves as many multiplications."""


def principal_axes(gram: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The eigenvectors (width, width) of ``gram`` as columns, and their eigenvalues (width,), greatest first.

    A column of zeros, such as padding, stays where it is, and no other column mixes with it.
    """
    used = np.flatnonzero(np.diag(gram) > 0)
    axes, spectrum = np.eye(len(gram)), np.zeros(len(gram))
    # The rounding of LAPACK depends on how many threads it takes.
    with one_blas_thread():
        values, vectors = np.linalg.eigh(gram[np.ix_(used, used)])
    axes[np.ix_(used, used)] = vectors[:, ::-1]
    spectrum[used] = values[::-1].clip(min=0.0)
    return axes, spectrum


class Axes(NamedTuple):
    """The axes of G for kernels, in float32.

    spectrum  (width,) G along them
    into      (width, width) the row vector v becomes v · into; (0, 0) if all vectors lie along the axes already
    back      (width, width) its transpose, the way back
    """

    spectrum: Floats
    into: Floats
    back: Floats

    @classmethod
    def of(cls, gram: npt.NDArray[np.float64]) -> "Axes":
        """The axes of ``gram`` (width, width), which vectors have to be turned to."""
        axes, spectrum = principal_axes(gram)
        into, back = _single(axes), _single(axes.T)
        return cls(_single(spectrum), into, back)

    @classmethod
    def along(cls, gram: npt.NDArray[np.float64]) -> "Axes":
        """Those of a ``gram`` (width, width) that is diagonal."""
        nothing = _single(np.zeros((0, 0)))
        return cls(_single(np.diag(gram)), nothing, nothing)


def _single(numbers: npt.NDArray[np.float64]) -> Floats:
    copy = aligned(*numbers.shape)
    copy[:] = numbers
    return constant(copy)


def turn(vectors: Floats, axes: npt.NDArray[np.float64], threads: int) -> None:
    """Replace ``vectors`` (n, width) by their coordinates along ``axes`` (width, width), in place."""
    rows, width = vectors.shape
    flat, matrix, tile = vectors.reshape(-1), _single(axes).reshape(-1), tile_of(width)

    def turn_some(first: int) -> None:
        _turn_in_place(flat, first * width, min(TURNED_ROWS, rows - first), matrix, width, tile)

    each(turn_some, range(0, rows, TURNED_ROWS), threads)


def turned(vectors: Floats, into: Floats, threads: int) -> Floats:
    """``vectors`` (n, width) · ``into`` (width, width)."""
    rows, width = vectors.shape
    copy, tile = aligned(rows, width), tile_of(width)
    source, target, matrix = constant(vectors).reshape(-1), copy.reshape(-1), into.reshape(-1)

    def turn_some(first: int) -> None:
        at = first * width
        turn_rows(source, at, min(TURNED_ROWS, rows - first), matrix, target, at, width, tile)

    each(turn_some, range(0, rows, TURNED_ROWS), threads)
    return copy


def tile_of(width: int) -> Blocks:
    """The tile of `turn_rows`: four rows times four lanes are as many sums as registers hold beside all else."""
    return (0,) * min(FOUR, width // WIDTH)


@jit
def turn_rows(
    vectors: Floats, at: int, count: int, matrix: Floats, turned: Floats, turned_at: int, width: int, tile: Blocks
) -> None:
    """Write to ``turned`` the products with ``matrix`` (width, width) of ``count`` row vectors of ``vectors``.

    All are flat, the rows one after the other from ``at`` and ``turned_at`` on. ``tile`` stands for the lanes of a row
    that are formed at a time; the last ones are formed twice where it does not divide the width.
    """
    across = WIDTH * len(tile)
    for block in range(0, count, BLOCK):
        last = min(block + BLOCK, count) - 1
        # The columns of the matrix that a tile needs stay in the first-level cache for all rows of a block.
        for column in range(0, width, across):
            left = min(column, width - across)
            for row in range(block, last + 1, FOUR):
                a, b = row * width, min(row + 1, last) * width
                c, d = min(row + 2, last) * width, min(row + 3, last) * width
                sum_a = sum_b = sum_c = sum_d = zeros(tile)
                for k in range(width):
                    part = load_strip(matrix, k * width + left, tile)
                    sum_a = add_multiple(part, spread_from(vectors, at + a + k), sum_a)
                    sum_b = add_multiple(part, spread_from(vectors, at + b + k), sum_b)
                    sum_c = add_multiple(part, spread_from(vectors, at + c + k), sum_c)
                    sum_d = add_multiple(part, spread_from(vectors, at + d + k), sum_d)
                store_strip(turned, turned_at + a + left, sum_a)
                store_strip(turned, turned_at + b + left, sum_b)
                store_strip(turned, turned_at + c + left, sum_c)
                store_strip(turned, turned_at + d + left, sum_d)


@jit
def _turn_in_place(vectors: Floats, at: int, count: int, matrix: Floats, width: int, tile: Blocks) -> None:
    rows = scratch(BLOCK * width)
    for block in range(0, count, BLOCK):
        part, start = min(BLOCK, count - block), at + block * width
        turn_rows(vectors, start, part, matrix, rows, 0, width, tile)
        # Numba would compile half a second's worth of checks of shapes for slices.
        for place in range(part * width):
            vectors[start + place] = rows[place]
