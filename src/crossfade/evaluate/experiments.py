"""The arithmetic of A/B tests: who is in which arm, how many users it takes, and what the result says.

    users an arm      n = 2 (z_{1-α/2} + z_{power})² σ² / δ²        about 16 σ² / δ² for 5 % and 80 %
    difference        Welch's: the means' difference ± z √(s²_a / n_a + s²_b / n_b)
    ratio             R = Σy / Σx over users; Var R ≈ Var(y - R x) / (n x̄²), the delta method
    CUPED             y - θ (x - x̄), θ = Cov(y, x) / Var(x), x from before the test: the same mean, less variance
    sample ratio      χ² of users in arms against the planned shares; below p = 0.001 the test is broken: stop

The unit is the user who was assigned, never a listen or a session. Intervals are for a test that ends when it was
planned to: looking every day and stopping at the first interval without 0 makes errors many times as frequent.

Kohavi, Tang & Xu, "Trustworthy Online Controlled Experiments", 2020; Deng et al., "Improving the sensitivity of online
controlled experiments by utilizing pre-experiment data", WSDM 2013 (CUPED); Fabijan et al., "Diagnosing sample ratio
mismatch in online controlled experiments", KDD 2019.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, ndtr, ndtri

from crossfade.core.errors import InputError
from crossfade.core.ids import Id, as_text
from crossfade.core.training import converted
from crossfade.evaluate.intervals import Estimate

Values = npt.NDArray[np.float64]

SAMPLE_RATIO_P = 0.001
"""Below this the shares of the arms are not those that were planned, and no other number of the test can be trusted."""

Z95 = float(ndtri(0.975))


@dataclass(frozen=True)
class Difference(Estimate):
    """A difference with its 95 % interval and its p-value against 0 (two-sided)."""

    p: float


def arm_of(user: Id, salt: str, shares: Sequence[float] = (0.5, 0.5)) -> int:
    """Return the arm, from 0, of a user in the test called ``salt``: the same one always, and unrelated in other tests.

    ``shares`` of the users, above 0 and 1 together. Raises InputError for others.
    """
    if not shares or min(shares) <= 0 or not math.isclose(sum(shares), 1):
        raise InputError(f"the shares of arms are above 0 and 1 together, not {tuple(shares)}")
    digest = hashlib.blake2b(as_text(user).encode(), key=hashlib.blake2b(salt.encode()).digest()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    return min(int(np.searchsorted(np.cumsum(shares), place, side="right")), len(shares) - 1)


def users_per_arm(deviation: float, difference: float, *, error: float = 0.05, power: float = 0.8) -> int:
    """Return how many users an arm needs to find a ``difference`` of means with a chance of ``power``.

    deviation  standard deviation of a user's value
    error      chance of finding a difference where there is none

    Raises InputError for a difference of 0, and for chances that are not between 0 and 1.
    """
    if not (deviation > 0 and abs(difference) > 0 and 0 < error < 1 and 0 < power < 1):
        raise InputError("users are counted for a deviation above 0, a difference, and chances between 0 and 1")
    return math.ceil(2 * _both(error, power) ** 2 * deviation**2 / difference**2)


def detectable_difference(deviation: float, users: int, *, error: float = 0.05, power: float = 0.8) -> float:
    """Return the difference of means that so many ``users`` an arm find with a chance of ``power``."""
    if not (deviation > 0 and users >= 1 and 0 < error < 1 and 0 < power < 1):
        raise InputError("a difference is computed for a deviation above 0, users, and chances between 0 and 1")
    return _both(error, power) * deviation * math.sqrt(2 / users)


def difference_of_means(treated: Any, control: Any) -> Difference:
    """Return the mean of ``treated`` minus that of ``control``, values of users, two or more in each."""
    one, other = _values("treated", treated), _values("control", control)
    error = math.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))
    return _difference(float(one.mean() - other.mean()), error)


def ratio(above: Any, below: Any) -> Estimate:
    """Return Σ ``above`` / Σ ``below``, sums of each user, such as streams and sessions, with its 95 % interval.

    Raises InputError unless ``below`` has a sum above 0.
    """
    value, error = _ratio(above, below)
    return Estimate(value, value - Z95 * error, value + Z95 * error)


def difference_of_ratios(treated: tuple[Any, Any], control: tuple[Any, Any]) -> Difference:
    """Return `ratio` of ``treated`` (above, below) minus that of ``control``."""
    (one, its), (other, others) = _ratio(*treated), _ratio(*control)
    return _difference(one - other, math.hypot(its, others))


def cuped(values: Any, before: Any, arms: Any = None) -> Values:
    """Return the ``values`` (users,) without what the same users' values ``before`` the test foretell.

    The mean over all users stays, and the variance falls by the square of their correlation. Give all arms together,
    so that one θ is used; with ``arms`` (users,) it is that within the arms, which an effect does not blur.
    """
    after, prior = _values("values", values), _values("before", before)
    if len(after) != len(prior):
        raise InputError(f"{len(after)} values do not fit {len(prior)} from before")
    groups = np.zeros(len(after), dtype=np.int64) if arms is None else np.unique(arms, return_inverse=True)[1]
    if len(groups) != len(after):
        raise InputError(f"{len(after)} values do not fit {len(groups)} arms")
    sizes = np.bincount(groups)
    own, past = (one - (np.bincount(groups, one) / sizes)[groups] for one in (after, prior))
    spread = float(past @ past)
    adjusted: Values = after - (float(own @ past) / spread if spread else 0.0) * (prior - prior.mean())
    return adjusted


def sample_ratio_p(users: Sequence[int], shares: Sequence[float] | None = None) -> float:
    """Return the chance of arms as uneven as these ``users`` if ``shares`` (None: equal) are what was planned.

    Below `SAMPLE_RATIO_P` stop, and look for the fault: assignment, logging, or a filter that depends on the arm.
    """
    counts = np.asarray(users, dtype=np.float64)
    planned = np.full(len(counts), 1 / max(len(counts), 1)) if shares is None else np.asarray(shares, dtype=np.float64)
    if len(counts) < 2 or len(counts) != len(planned) or counts.sum() <= 0 or planned.min() <= 0:
        raise InputError("a sample ratio is of two arms or more, each with a share above 0")
    expected = counts.sum() * planned / planned.sum()
    return float(chdtrc(len(counts) - 1, float(((counts - expected) ** 2 / expected).sum())))


def _both(error: float, power: float) -> float:
    return float(ndtri(1 - error / 2) + ndtri(power))


def _difference(value: float, error: float) -> Difference:
    p = float(2 * ndtr(-abs(value) / error)) if error > 0 else float(value == 0)
    return Difference(value, value - Z95 * error, value + Z95 * error, p)


def _ratio(above: Any, below: Any) -> tuple[float, float]:
    """The ratio of sums and its standard error."""
    top, bottom = _values("above", above), _values("below", below)
    if len(top) != len(bottom):
        raise InputError(f"{len(top)} values above do not fit {len(bottom)} below")
    if not bottom.sum() > 0:
        raise InputError("a ratio has a sum above 0 below it")
    value = float(top.sum() / bottom.sum())
    spread = float((top - value * bottom).std(ddof=1))
    return value, spread / (math.sqrt(len(top)) * float(bottom.mean()))


def _values(name: str, values: Any) -> Values:
    found = converted(name, values, np.float64)
    if len(found) < 2 or not np.isfinite(found).all():
        raise InputError(f"{name} are two finite numbers or more")
    return found
