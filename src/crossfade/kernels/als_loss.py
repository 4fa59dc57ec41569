"""What the entries of each row add to the loss of alternating least squares."""

import numpy as np
import numpy.typing as npt

from crossfade.kernels.als_equations import Equations
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, load, multiply_add, total, zero


@jit
def add_losses(
    first: int, last: int, equations: Equations, row_vectors: Floats, losses: npt.NDArray[np.float64]
) -> None:
    """Add to losses[row] Σⱼ aⱼ s² - 2 cⱼ s + cⱼ with s = x · yⱼ, for the rows ``first`` to ``last``."""
    indptr, indices, weights = equations.indptr, equations.indices, equations.weights
    alpha, counted = np.float64(equations.alpha), np.float64(equations.counted)
    width = row_vectors.shape[1]
    rows, columns = row_vectors.reshape(-1), equations.fixed.reshape(-1)
    for row in range(first, last):
        for entry in range(indptr[row], indptr[row + 1]):
            if weights[entry] <= 0:
                continue
            products = zero()
            for k in range(0, width, WIDTH):
                part = load(columns, np.int64(indices[entry]) * width + k)
                products = multiply_add(load(rows, row * width + k), part, products)
            score = np.float64(total(products))
            strength = alpha * weights[entry]
            losses[row] += (strength + counted) * score * score + (strength + 1.0) * (1.0 - 2.0 * score)
