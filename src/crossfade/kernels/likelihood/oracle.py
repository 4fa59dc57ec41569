"""Factor models by maximum likelihood as one reads it: the oracle that the kernels must agree with to 1e-4."""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR

Matrix = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.float64]


def solve_rows(
    half: CSR,
    fixed: Matrix,
    offsets: Matrix,
    start: Matrix,
    intercepts: Matrix,
    *,
    penalties: npt.ArrayLike,
    columns: npt.NDArray[np.int32],
    weights: Matrix,
    part: int,
    link: str,
    free: bool,
    steps: int,
    cg_steps: int,
    stride: float = 1.0,
) -> tuple[Numbers, Numbers, Numbers]:
    """New vectors (rows, factors), intercepts (rows,) and Σ n z (rows,), float64.

    The arguments are those of `half_pass.solve_rows`, but ``columns`` and ``weights`` (samples,) are the sample, and
    the curvature is taken from its first ``part``.
    """
    vectors, biases = start.astype(np.float64), np.array(intercepts, dtype=np.float64)
    gains = np.zeros(half.rows)
    for row, penalty in enumerate(np.asarray(penalties, dtype=np.float64)):
        span = slice(half.indptr[row], half.indptr[row + 1])
        played, counts = half.indices[span], half.values[span].astype(np.float64)
        if not counts.sum() > 0:
            vectors[row] = 0.0
            continue
        others = ~np.isin(columns, played)
        seen = np.concatenate((played, columns[others]))
        problem = _Row(
            vectors=fixed[seen].astype(np.float64),
            offsets=offsets[seen].astype(np.float64),
            counts=np.concatenate((counts, np.zeros(others.sum()))),
            weights=np.concatenate((np.ones(len(played)), weights[others])),
            curved=np.concatenate(
                (np.ones(len(played)), np.where(np.arange(len(columns)) < part, len(columns) / part, 0)[others])
            ),
            penalty=penalty,
            link=link,
            free=free,
        )
        x, b = vectors[row].copy(), biases[row]
        for _ in range(steps):
            x, b = problem.step(x, problem.balanced(x, b), cg_steps)
        b = problem.balanced(x, b)
        gains[row] = problem.counts @ (problem.vectors @ x + problem.offsets + b)
        vectors[row] += stride * (x - vectors[row])
        biases[row] += stride * (b - biases[row])
    return vectors, biases, gains


class _Row:
    """One row's columns: vectors (n, factors), and by column its offset, count, weight and weight in the curvature."""

    def __init__(
        self,
        *,
        vectors: Numbers,
        offsets: Numbers,
        counts: Numbers,
        weights: Numbers,
        curved: Numbers,
        penalty: float,
        link: str,
        free: bool,
    ) -> None:
        self.vectors, self.offsets, self.counts, self.weights, self.curved = vectors, offsets, counts, weights, curved
        self.penalty, self.link, self.free = penalty, link, free

    def balanced(self, x: Numbers, b: float) -> float:
        """The intercept at which Poisson rates sum to the counts."""
        if self.link == "logistic" or not self.free:
            return b
        rates = self.weights * np.exp(self.vectors @ x + self.offsets + b)
        return float(b + np.log(self.counts.sum() / rates.sum()))

    def derivatives(self, x: Numbers, b: float) -> tuple[Numbers, Numbers]:
        """Of each column's likelihood by z: the first, and minus the second."""
        z = self.vectors @ x + self.offsets + b
        if self.link == "logistic":
            chance = 1 / (1 + np.exp(-z))
            return self.counts - (self.counts + self.weights) * chance, (self.counts + self.weights) * chance * (
                1 - chance
            )
        rates = self.weights * np.exp(z)
        return self.counts - rates, rates

    def step(self, x: Numbers, b: float, cg_steps: int) -> tuple[Numbers, float]:
        """One step of Newton's with conjugate gradients, halved until the slope along it has fallen by half."""
        slope, curvature = self.derivatives(x, b)
        curvature = curvature * self.curved
        mean = curvature @ self.vectors / curvature.sum() if self.free else np.zeros(len(x))
        lean = slope.sum() if self.free else 0.0
        centred = self.vectors - mean
        hessian = centred.T @ (curvature[:, None] * centred) + self.penalty * np.eye(len(x))
        gradient = self.vectors.T @ slope - lean * mean - self.penalty * x
        step = _conjugate_gradients(hessian, gradient, cg_steps)
        shift = lean / curvature.sum() - mean @ step if self.free else 0.0

        def along(part: float) -> float:
            ahead, _ = self.derivatives(x + part * step, b + part * shift)
            return float(ahead @ (self.vectors @ step + shift) - self.penalty * (x + part * step) @ step)

        steepness, part = along(0.0), 1.0
        if not steepness > 0:
            return x, b
        for _ in range(12):
            if along(part) >= -0.5 * steepness:
                break
            part /= 2
        return x + part * step, b + part * shift


def _conjugate_gradients(matrix: Numbers, right: Numbers, steps: int) -> Numbers:
    x = np.zeros(len(right))
    residual = right
    direction = residual
    for _ in range(steps):
        length = residual @ residual
        if length < 1e-20:
            break
        product = matrix @ direction
        pace = length / (direction @ product)
        x = x + pace * direction
        residual = residual - pace * product
        direction = residual + (residual @ residual) / length * direction
    return x
