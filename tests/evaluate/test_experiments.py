"""The arithmetic of A/B tests against simulated ones."""

import numpy as np
import pytest

from crossfade.core.errors import InputError
from crossfade.evaluate.experiments import (
    SAMPLE_RATIO_P,
    arm_of,
    cuped,
    detectable_difference,
    difference_of_means,
    difference_of_ratios,
    ratio,
    sample_ratio_p,
    users_per_arm,
)


def test_about_sixteen_variances_over_the_squared_difference():
    assert users_per_arm(2.0, 0.1) == pytest.approx(16 * 4 / 0.01, rel=0.02)
    assert detectable_difference(2.0, users_per_arm(2.0, 0.1)) == pytest.approx(0.1, rel=1e-3)


def test_so_many_users_find_it_four_times_in_five(rng):
    users = users_per_arm(3.0, 0.5)
    found = [difference_of_means(rng.normal(1.5, 3, users), rng.normal(1, 3, users)).p < 0.05 for _ in range(1500)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.035)  # a standard error is 0.01


def test_a_test_of_nothing_finds_something_once_in_twenty(rng):
    tests = [difference_of_means(rng.exponential(1, 400), rng.exponential(1, 300)) for _ in range(2000)]
    assert np.mean([one.differs for one in tests]) == pytest.approx(0.05, abs=0.016)
    assert [one.differs for one in tests] == [one.p < 0.05 for one in tests]


def sessions(rng, users, streams):
    """(streams, sessions) of users who differ in how often they come and in how much they play then."""
    counts = rng.poisson(rng.gamma(2, 3, users)) + 1
    return rng.poisson(counts * rng.gamma(4, streams / 4, users)).astype(float), counts.astype(float)


def test_the_interval_of_a_ratio_covers_the_truth(rng):
    covered = []
    for _ in range(1500):
        one = ratio(*sessions(rng, 400, 5.0))
        covered.append(one.low <= 5.0 <= one.high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_a_difference_of_ratios_is_as_sure_as_it_says(rng):
    false, right = [], []
    for _ in range(800):
        control = sessions(rng, 400, 5.0)
        false.append(difference_of_ratios(sessions(rng, 400, 5.0), control).differs)
        right.append(difference_of_ratios(sessions(rng, 400, 6.0), control))
    assert np.mean(false) == pytest.approx(0.05, abs=0.025)
    assert np.mean([one.value for one in right]) == pytest.approx(1.0, abs=0.05)


def test_cuped_keeps_the_mean_and_removes_what_was_known_before(rng):
    before = rng.normal(10, 2, 40_000)
    values = 0.8 * before + rng.normal(0, 1.2, 40_000)  # a correlation of 0.8
    adjusted = cuped(values, before)
    assert adjusted.mean() == pytest.approx(values.mean())
    assert adjusted.var() / values.var() == pytest.approx(1 - 0.8**2, abs=0.01)
    np.testing.assert_allclose(cuped(values, np.full(40_000, 3.0)), values)


def test_cuped_finds_the_same_effect_more_surely(rng):
    before = rng.normal(10, 2, 8000)
    arms = rng.integers(0, 2, 8000)
    values = before + rng.normal(0, 0.5, 8000) + 0.05 * arms
    adjusted = cuped(values, before, arms)
    plain, sharper = (difference_of_means(one[arms == 1], one[arms == 0]) for one in (values, adjusted))
    assert sharper.low < 0.05 < sharper.high
    assert (sharper.high - sharper.low) < 0.3 * (plain.high - plain.low)
    assert sharper.differs


def test_the_chance_of_uneven_arms():
    assert sample_ratio_p([500, 500]) == 1
    # χ² = (30² + 30²) / 500 = 3.6 with one degree of freedom: p = 0.0578.
    assert sample_ratio_p([530, 470]) == pytest.approx(0.0578, abs=1e-4)
    assert sample_ratio_p([821_588, 815_482]) < SAMPLE_RATIO_P  # half a percent, and yet a fault
    assert sample_ratio_p([100, 900], [0.1, 0.9]) == 1


def test_arms_are_fixed_even_and_unrelated_between_tests():
    users = [f"user {number}" for number in range(20_000)]
    first, second = ([arm_of(user, salt) for user in users] for salt in ("hubs", "radio"))
    assert first == [arm_of(user, "hubs") for user in users]
    assert sample_ratio_p(np.bincount(first)) > SAMPLE_RATIO_P
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    thirds = np.bincount([arm_of(user, "x", (0.2, 0.3, 0.5)) for user in users])
    assert sample_ratio_p(thirds, (0.2, 0.3, 0.5)) > SAMPLE_RATIO_P
    assert arm_of(7, "x") == arm_of("7", "x")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: users_per_arm(1, 0),
        lambda: users_per_arm(1, 1, power=1),
        lambda: detectable_difference(1, 0),
        lambda: difference_of_means([1], [1, 2]),
        lambda: difference_of_means([1, np.nan], [1, 2]),
        lambda: ratio([1, 2], [0, 0]),
        lambda: ratio([1, 2], [1, 2, 3]),
        lambda: cuped([1, 2], [1, 2, 3]),
        lambda: cuped([1, 2], [1, 2], [0]),
        lambda: sample_ratio_p([5]),
        lambda: sample_ratio_p([5, 5], [1, 0]),
        lambda: arm_of("ann", "x", (0.5, 0.6)),
    ],
)
def test_what_cannot_be_computed_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()
