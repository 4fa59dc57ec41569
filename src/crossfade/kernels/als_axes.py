"""The axes along which the equations of alternating least squares come apart.

All rows of a half share the matrix G. In the basis of its eigenvectors, G = QΛQᵀ, it is diagonal, so a row's own
matrix is λI + Λ plus what its entries add: a product with it costs nothing beyond the entries, and its inverse
without the entries is known. Turning both sides, X → XQ and Y → YQ, changes no inner product and no length, thus
neither the loss nor the recommendations. It costs 2 (rows + columns) · f² for a half, as one product of large
matrices, and f³ for the eigenvectors.
"""

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from crossfade.kernels.als_passes import EIGHT
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, aligned, load, multiply_add, scratch, spread_from, store, zero
from crossfade.kernels.threads import each

BLOCK = 64
"""Rows that are turned at a time: a second-level cache holds them and what becomes of them."""

TURNED_BLOCKS = 16
"""Blocks that a thread takes at a time."""


def principal_axes(gram: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The eigenvectors (width, width) of ``gram`` as columns, and their eigenvalues (width,), greatest first.

    A column of zeros, such as padding, stays where it is, and no other column mixes with it.
    """
    used = np.flatnonzero(np.diag(gram) > 0)
    axes, spectrum = np.eye(len(gram)), np.zeros(len(gram))
    # The rounding of LAPACK depends on how many threads it takes.
    with threadpool_limits(1, user_api="blas"):
        values, vectors = np.linalg.eigh(gram[np.ix_(used, used)])
    axes[np.ix_(used, used)] = vectors[:, ::-1]
    spectrum[used] = values[::-1].clip(min=0.0)
    return axes, spectrum


def turn(vectors: Floats, axes: npt.NDArray[np.float64], threads: int) -> None:
    """Replace ``vectors`` (n, width) by their coordinates along ``axes`` (width, width), in place."""
    width = len(axes)
    panels = aligned(width // WIDTH, width, WIDTH)
    panels[:] = axes.reshape(width, -1, WIDTH).swapaxes(0, 1)
    pieces = range(0, len(vectors), TURNED_BLOCKS * BLOCK)
    each(lambda first: _turn(vectors, first, min(first + TURNED_BLOCKS * BLOCK, len(vectors)), panels), pieces, threads)


@jit
def _turn(vectors: Floats, first: int, last: int, panels: Floats) -> None:
    """Turn the rows ``first`` to ``last``; ``panels`` (panels, width, lanes) holds the axes, a lane of them together.

    Eight rows meet a panel in registers, and a panel stays in the first-level cache for all rows of a block.
    """
    width = vectors.shape[1]
    flat, axes = vectors.reshape(-1), panels.reshape(-1)
    rows, turned = scratch(BLOCK * width), scratch(BLOCK * width)
    for begin in range(first, last, BLOCK):
        size = min(BLOCK, last - begin) * width
        rows[:size] = flat[begin * width : begin * width + size]
        for column in range(0, width, WIDTH):
            # What is left of the block before fills up the last eight, and is not written back.
            for at in range(0, size, EIGHT * width):
                a = b = c = d = e = f = g = h = zero()
                for k in range(width):
                    across = load(axes, column * width + k * WIDTH)
                    a = multiply_add(across, spread_from(rows, at + k), a)
                    b = multiply_add(across, spread_from(rows, at + width + k), b)
                    c = multiply_add(across, spread_from(rows, at + 2 * width + k), c)
                    d = multiply_add(across, spread_from(rows, at + 3 * width + k), d)
                    e = multiply_add(across, spread_from(rows, at + 4 * width + k), e)
                    f = multiply_add(across, spread_from(rows, at + 5 * width + k), f)
                    g = multiply_add(across, spread_from(rows, at + 6 * width + k), g)
                    h = multiply_add(across, spread_from(rows, at + 7 * width + k), h)
                store(turned, at + column, a)
                store(turned, at + width + column, b)
                store(turned, at + 2 * width + column, c)
                store(turned, at + 3 * width + column, d)
                store(turned, at + 4 * width + column, e)
                store(turned, at + 5 * width + column, f)
                store(turned, at + 6 * width + column, g)
                store(turned, at + 7 * width + column, h)
        flat[begin * width : begin * width + size] = turned[:size]
