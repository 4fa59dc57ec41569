"""Intervals of means."""

import numpy as np
import pytest

from crossfade.core.errors import InputError
from crossfade.evaluate.intervals import difference_estimate, mean_estimate, mean_estimates


def test_an_interval_is_as_wide_as_the_normal_one(rng):
    """1.96 standard errors on either side."""
    values = rng.normal(5, 2, 2000)
    estimate = mean_estimate(values)
    margin = 1.96 * values.std() / np.sqrt(2000)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - margin, abs=0.1 * margin + 0.005)
    assert estimate.high == pytest.approx(values.mean() + margin, abs=0.1 * margin + 0.005)


def test_pairs_are_compared_user_by_user(rng):
    """The same small gain for every user is certain, though users differ widely."""
    values = rng.normal(0, 10, 200)
    estimate = difference_estimate(values + 0.01, values)
    assert estimate.low == pytest.approx(0.01)
    assert estimate.high == pytest.approx(0.01)


def test_the_seed_decides_the_interval(rng):
    values = rng.random(50)
    assert mean_estimate(values, seed=1) == mean_estimate(values, seed=1) != mean_estimate(values, seed=2)


def test_an_interval_does_not_depend_on_what_is_estimated_beside_it(rng):
    one, other = rng.random((2, 300))
    other[::3] = np.nan
    both = mean_estimates({"one": one, "other": other, "none": np.full(300, np.nan)})
    assert both == {"one": mean_estimate(one), "other": mean_estimate(other)}
    known = mean_estimate(other[np.isfinite(other)])
    assert both["other"].value == known.value
    assert both["other"].low == pytest.approx(known.low, abs=0.01)


def test_it_reads_as_people_write_it():
    assert str(mean_estimate(np.full(3, 0.25))) == "0.2500 [0.2500, 0.2500]"


def test_nobody_has_no_mean():
    with pytest.raises(InputError, match="no user"):
        mean_estimate(np.zeros(0))
    with pytest.raises(InputError, match="2 users"):
        difference_estimate(np.zeros(2), np.zeros(3))
