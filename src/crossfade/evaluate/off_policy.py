"""What another way of recommending would have earned, estimated from logged slots with propensities.

A slot is a place where an item was shown: the chance π₀ that the logging policy showed it, whether it paid (r), and the
chance π that the policy in question would have shown the same item. With w = min(π / π₀, clip):

    IPS      mean(w r)                              unbiased without a clip; its variance grows with the weights
    SNIPS    Σ w r / Σ w                            slightly biased, much less variance
    DR       mean(q(x, π) + w (r - q(x, a)))        unbiased if the propensities are right or the model q is

q(x, a) is what a model expects of the item that was shown, q(x, π) what it expects of the policy: Σ_a π(a | x) q(x, a).

All three rest on the slots that both policies would show. Their effective number is (Σw)² / Σw². Below `LEAST_SLOTS`
or `LEAST_SHARE` of all slots no estimate is given: the policies are too different for this log. Intervals are those of
a ratio of sums over units (users), by the delta method.

Horvitz & Thompson, JASA 1952 (IPS); Swaminathan & Joachims, "The self-normalized estimator for counterfactual
learning", NIPS 2015; Dudík, Langford & Li, "Doubly robust policy evaluation and learning", ICML 2011.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import InputError
from crossfade.core.training import converted
from crossfade.evaluate.experiments import ratio
from crossfade.evaluate.intervals import Estimate

LEAST_SLOTS = 1000
"""Effective slots that an estimate needs."""

LEAST_SHARE = 0.01
"""Share of all slots that the effective ones are at least."""


@dataclass(frozen=True)
class OffPolicyEstimate(Estimate):
    """The reward a slot, its 95 % interval, and what it rests on.

    effective  slots, as above
    slots      all of them
    clipped    share of the slots whose weight was cut
    """

    effective: float
    slots: int
    clipped: float


def ips(rewards: Any, logged: Any, target: Any, *, clip: float | None = None, units: Any = None) -> OffPolicyEstimate:
    """Return the estimate by inverse propensities, from n slots.

    rewards  (n,) what each slot earned
    logged   (n,) chances that the logging policy showed the item, above 0
    target   (n,) chances that the policy in question would have, from 0
    clip     largest weight; None for none
    units    (n,) whose slots these are, so that slots of one user do not count as independent; None: all are

    Raises InputError for chances outside of their ranges, for units of a single user, and for too few effective slots.
    """
    slots = _Slots(rewards, logged, target, clip, units)
    return slots.estimate(slots.weights * slots.rewards, np.ones(len(slots.rewards)))


def snips(rewards: Any, logged: Any, target: Any, *, clip: float | None = None, units: Any = None) -> OffPolicyEstimate:
    """Return the self-normalised estimate; arguments and errors as for `ips`."""
    slots = _Slots(rewards, logged, target, clip, units)
    return slots.estimate(slots.weights * slots.rewards, slots.weights)


def doubly_robust(
    rewards: Any,
    logged: Any,
    target: Any,
    expected_of_shown: Any,
    expected_of_target: Any,
    *,
    clip: float | None = None,
    units: Any = None,
) -> OffPolicyEstimate:
    """Return the doubly robust estimate; other arguments and errors as for `ips`.

    expected_of_shown   (n,) q(x, a): what a model that was not fitted on these slots expects of what was shown
    expected_of_target  (n,) q(x, π): what it expects of what the policy in question would show
    """
    slots = _Slots(rewards, logged, target, clip, units)
    shown, other = (
        _column(name, one, len(slots.rewards))
        for name, one in (("expected_of_shown", expected_of_shown), ("expected_of_target", expected_of_target))
    )
    return slots.estimate(other + slots.weights * (slots.rewards - shown), np.ones(len(slots.rewards)))


def effective_slots(weights: npt.NDArray[np.float64]) -> float:
    """Return (Σw)² / Σw², 0 without any weight."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares else 0.0


class _Slots:
    """Slots that have been checked, with their weights."""

    def __init__(self, rewards: Any, logged: Any, target: Any, clip: float | None, units: Any) -> None:
        self.rewards = _column("rewards", rewards, None)
        count = len(self.rewards)
        chances, others = _column("logged", logged, count), _column("target", target, count)
        if not (chances.min() > 0 and chances.max() <= 1 and others.min() >= 0 and others.max() <= 1):
            raise InputError("logged chances are above 0 and target chances from 0, both up to 1")
        if clip is not None and not clip > 0:
            raise InputError(f"the largest weight is above 0, not {clip}")
        full = others / chances
        self.weights = full if clip is None else np.minimum(full, clip)
        self.clipped = float(np.mean(self.weights < full))
        self.units = np.arange(count) if units is None else np.unique(np.asarray(units), return_inverse=True)[1]
        if len(self.units) != count:
            raise InputError(f"{count} slots do not fit {len(self.units)} units")
        if not self.units.any():
            raise InputError("an interval needs slots of two units or more")
        self.effective = effective_slots(self.weights)
        least = max(LEAST_SLOTS, LEAST_SHARE * count)
        if self.effective < least:
            raise InputError(
                f"These {count:,} slots say as much about the other policy as {self.effective:,.0f} of its own; an "
                f"estimate needs {least:,.0f}. Log more, explore more, or ask about a policy that is closer."
            )

    def estimate(self, above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> OffPolicyEstimate:
        """The ratio of the sums of these values (n,)."""
        found = ratio(np.bincount(self.units, above), np.bincount(self.units, below))
        return OffPolicyEstimate(found.value, found.low, found.high, self.effective, len(self.rewards), self.clipped)


def _column(name: str, values: Any, count: int | None) -> npt.NDArray[np.float64]:
    found = converted(name, values, np.float64)
    if not len(found) or not np.isfinite(found).all():
        raise InputError(f"{name} are finite numbers, one or more")
    if count is not None and len(found) != count:
        raise InputError(f"{name} are {len(found)} numbers for {count} slots")
    return found
