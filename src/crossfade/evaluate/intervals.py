"""How certain a mean over users is: percentile intervals by the bootstrap.

Users are drawn with replacement, as many as there are, a thousand times; the interval covers the middle 95 % of the
means. Two models are compared on the same users, pair by pair, which is far sharper than comparing their intervals.

Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import InputError

RESAMPLES = 1000
"""Enough for the ends of a 95 % interval to be steady in their second digit."""


@dataclass(frozen=True)
class Estimate:
    """A mean, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def mean_estimate(values: npt.NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Return the mean of ``values`` (users,). Raises InputError if there are none."""
    if not len(values):
        raise InputError("there is no user to take a mean of")
    rng = np.random.default_rng(seed)
    means = np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(resamples)])
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(float(values.mean()), float(low), float(high))


def difference_estimate(
    first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES
) -> Estimate:
    """Return the mean of ``first`` - ``second``, values (users,) of the same users; InputError for unequal lengths."""
    if first.shape != second.shape:
        raise InputError(f"values of {len(first)} users cannot be compared with those of {len(second)}")
    return mean_estimate(first - second, seed=seed, resamples=resamples)
