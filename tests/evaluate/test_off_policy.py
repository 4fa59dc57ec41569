"""Off-policy estimates of a simulated policy whose value is known."""

import numpy as np
import pytest

from crossfade.core.errors import InputError
from crossfade.evaluate.off_policy import LEAST_SLOTS, doubly_robust, effective_slots, ips, snips

CONTEXTS, ITEMS, SLOTS = 6, 5, 6000


class World:
    """Slots of users in six contexts, five items, and two policies; ``value`` is what the second one earns."""

    def __init__(self, rng):
        self.rng = rng
        self.pays = rng.uniform(0.05, 0.6, (CONTEXTS, ITEMS))
        self.logging, self.target = (
            np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            for scores in (rng.normal(0, 0.7, (CONTEXTS, ITEMS)), 3 * self.pays)
        )
        self.value = float((self.target * self.pays).sum(axis=1).mean())

    def logs(self, slots=SLOTS):
        contexts = self.rng.integers(0, CONTEXTS, slots)
        chances = self.logging[contexts].cumsum(axis=1)
        shown = (self.rng.random(slots)[:, None] > chances).sum(axis=1).clip(max=ITEMS - 1)
        rewards = (self.rng.random(slots) < self.pays[contexts, shown]).astype(float)
        return contexts, shown, (rewards, self.logging[contexts, shown], self.target[contexts, shown])

    def expected(self, model, contexts, shown):
        return model[contexts, shown], (self.target * model).sum(axis=1)[contexts]


@pytest.fixture
def world(rng):
    return World(rng)


def test_every_estimate_covers_the_truth_as_often_as_it_says(world):
    covered = {"ips": 0, "snips": 0, "dr": 0}
    widths = dict.fromkeys(covered, 0.0)
    for _ in range(300):
        contexts, shown, slots = world.logs(3000)
        found = {
            "ips": ips(*slots),
            "snips": snips(*slots),
            "dr": doubly_robust(*slots, *world.expected(world.pays, contexts, shown)),
        }
        for name, one in found.items():
            covered[name] += one.low <= world.value <= one.high
            widths[name] += one.high - one.low
    assert all(count / 300 == pytest.approx(0.95, abs=0.045) for count in covered.values()), covered
    # A good model leaves the least to chance, and normalised weights less than plain ones.
    assert widths["dr"] < widths["snips"] < widths["ips"]


def test_what_the_logging_policy_earns_is_the_mean(world):
    _, _, (rewards, logged, _) = world.logs()
    for estimate in (ips, snips):
        found = estimate(rewards, logged, logged)
        assert found.value == pytest.approx(rewards.mean())
        assert (found.effective, found.slots, found.clipped) == (pytest.approx(SLOTS), SLOTS, 0)


def test_doubly_robust_survives_a_wrong_model_or_wrong_propensities(world):
    contexts, shown, (rewards, logged, target) = world.logs(200_000)
    useless = np.full((CONTEXTS, ITEMS), 0.9)
    wrong_model = doubly_robust(rewards, logged, target, *world.expected(useless, contexts, shown))
    assert wrong_model.low < world.value < wrong_model.high
    even = np.full(len(logged), 1 / ITEMS)
    right_model = doubly_robust(rewards, even, target, *world.expected(world.pays, contexts, shown))
    assert right_model.value == pytest.approx(world.value, abs=0.005)
    assert abs(ips(rewards, even, target).value - world.value) > 0.01


def test_a_clip_trades_variance_for_bias(world):
    _, _, slots = world.logs(50_000)
    full, clipped = ips(*slots), ips(*slots, clip=1.0)
    assert clipped.clipped > 0.1
    assert clipped.effective > full.effective
    assert clipped.value < full.value  # rewards are never negative, so cut weights lose some
    assert clipped.high - clipped.low < full.high - full.low


def test_slots_of_one_user_are_not_independent(world):
    """The same log ten times over is no better known."""
    _, _, slots = world.logs(3000)
    once, often = ips(*slots), ips(*(np.tile(one, 10) for one in slots), units=np.tile(np.arange(3000), 10))
    assert often.value == pytest.approx(once.value)
    assert (often.high - often.low) == pytest.approx(once.high - once.low, rel=0.01)


def test_effective_slots_by_hand():
    assert effective_slots(np.array([1.0, 1, 1, 1])) == 4
    assert effective_slots(np.array([3.0, 1, 0, 0])) == pytest.approx(16 / 10)
    assert effective_slots(np.zeros(3)) == 0


def test_too_few_effective_slots_are_refused():
    rewards = np.ones(LEAST_SLOTS)
    assert ips(rewards, rewards / 2, rewards / 2).value == 1
    with pytest.raises(InputError, match="needs 1,000"):
        ips(rewards[1:], rewards[1:] / 2, rewards[1:] / 2)
    # Of 300,000 slots 2,000 have all the weight, less than one in a hundred.
    many = np.ones(300_000)
    target = np.where(np.arange(300_000) < 2000, 0.5, 0.0)
    for estimate in (ips, snips):
        with pytest.raises(InputError, match="needs 3,000"):
            estimate(many, many / 2, target)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"logged": np.zeros(2000)}, "above 0"),
        ({"target": np.full(2000, 1.5)}, "up to 1"),
        ({"rewards": np.full(2000, np.nan)}, "finite"),
        ({"logged": np.full(3, 0.5)}, "3 numbers for 2000"),
        ({"clip": 0.0}, "largest weight"),
        ({"units": [1, 2]}, "2 units"),
        ({"units": ["ann"] * 2000}, "two units or more"),
    ],
)
def test_what_is_no_log_is_refused(changed, told):
    slots = {"rewards": np.ones(2000), "logged": np.full(2000, 0.5), "target": np.full(2000, 0.5)}
    with pytest.raises(InputError, match=told):
        ips(**{**slots, **changed})
