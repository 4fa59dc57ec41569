"""How certain a mean over users is: percentile intervals by the bootstrap.

Users are drawn with replacement, as many as there are, a thousand times; the interval covers the middle 95 % of the
means. Two models are compared on the same users, pair by pair, which is far sharper than comparing their intervals.

Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import InputError

Name = TypeVar("Name")

RESAMPLES = 1000
"""Enough for the ends of a 95 % interval to be steady in their second digit."""

BATCH = 8_000_000
"""Counts of users in resamples in memory at a time, 64 MB."""


@dataclass(frozen=True)
class Estimate:
    """A mean, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"

    @property
    def differs(self) -> bool:
        """Whether 0 is outside of the interval, so that a difference is not by chance."""
        return not self.low <= 0 <= self.high


def mean_estimates(
    values: Mapping[Name, npt.NDArray[np.float64]], *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[Name, Estimate]:
    """Return the mean of each of the ``values`` (users,) of the same users, NaN left out; all NaN gives none.

    Raises InputError if there is no user.
    """
    table = np.column_stack([*values.values()]) if values else np.zeros((0, 0))
    users = len(table)
    if not users:
        raise InputError("there is no user to take a mean of")
    present = ~np.isnan(table)
    known, counts = (np.asfortranarray(one) for one in (np.where(present, table, 0.0), present.astype(np.float64)))
    complete = present.all()
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, table.shape[1]))
    batch = max(1, BATCH // users)
    for first in range(0, resamples, batch):
        size = min(batch, resamples - first)
        drawn = np.stack([np.bincount(rng.integers(0, users, users), minlength=users) for _ in range(size)])
        weights = drawn.astype(np.float64)
        below = np.float64(users) if complete else np.column_stack([weights @ column for column in counts.T])
        # A column at a time: a product with many columns rounds by how many there are.
        above = np.column_stack([weights @ column for column in known.T])
        means[first : first + size] = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    estimates = {}
    for place, name in enumerate(values):
        if present[:, place].any():
            low, high = np.nanpercentile(means[:, place], [2.5, 97.5])
            value = table[present[:, place], place].mean()
            estimates[name] = Estimate(float(value), float(low), float(high))
    return estimates


def mean_estimate(values: npt.NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Return the mean of ``values`` (users,), NaN left out. Raises InputError if there are none."""
    found = mean_estimates({"values": values}, seed=seed, resamples=resamples)
    if not found:
        raise InputError("there is no user to take a mean of")
    return found["values"]


def difference_estimate(
    first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES
) -> Estimate:
    """Return the mean of ``first`` - ``second``, values (users,) of the same users; InputError for unequal lengths."""
    if first.shape != second.shape:
        raise InputError(f"values of {len(first)} users cannot be compared with those of {len(second)}")
    return mean_estimate(first - second, seed=seed, resamples=resamples)
