"""Sixteen numbers at once."""

import numpy as np
import pytest

from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import (
    EXPONENTS,
    add,
    aligned,
    divide,
    exponential,
    load,
    load_four,
    multiply,
    multiply_add,
    padded,
    prefetch,
    reaching,
    scratch,
    spread,
    spread_first,
    spread_fourth,
    spread_from,
    spread_second,
    spread_third,
    store,
    store_four,
    store_totals,
    total,
    totals_of_four,
    zero,
)


@jit
def _everything(numbers, written):
    first, second = load(numbers, 3), load(numbers, 19)
    prefetch(numbers, 0)
    store(written, 0, add(first, second))
    store(written, 16, multiply(first, second))
    store(written, 32, multiply_add(first, second, spread(np.float32(2.0))))
    store(written, 48, multiply(first, spread_from(numbers, 5)))
    store(written, 64, zero())
    written[80] = total(first)


@jit
def _quotients_and_exponentials(numbers, written):
    store(written, 0, divide(load(numbers, 0), load(numbers, 16)))
    store(written, 16, exponential(load(numbers, 0)))


@jit
def _totals(numbers, written):
    a, b, c, d = load(numbers, 0), load(numbers, 16), load(numbers, 32), load(numbers, 48)
    e, f, g, h = load(numbers, 64), load(numbers, 80), load(numbers, 96), load(numbers, 112)
    store_totals(written, 1, a, b, c, d, e, f, g, h)


@jit
def _reaching(numbers, at, floor):
    return reaching(numbers, at, floor)


@jit
def _address_of_scratch(size):
    room = scratch(size)
    return room.ctypes.data % 64, len(room), room.sum()


def test_each_operation_is_that_of_numpy(rng):
    numbers, written = rng.normal(size=40).astype(np.float32), np.ones(81, dtype=np.float32)
    _everything(numbers, written)
    first, second = numbers[3:19], numbers[19:35]
    np.testing.assert_array_equal(written[:16], first + second)
    np.testing.assert_array_equal(written[16:32], first * second)
    np.testing.assert_allclose(written[32:48], first * second + 2, rtol=1e-6)
    np.testing.assert_array_equal(written[48:64], first * numbers[5])
    assert not written[64:80].any()
    assert written[80] == pytest.approx(first.sum(), rel=1e-5)


def test_a_bit_for_each_number_that_reaches_a_floor():
    numbers = np.array([9, *range(16)], dtype=np.float32)
    numbers[[3, 16]] = -np.inf, np.nan
    assert _reaching(numbers, 1, np.float32(12)) == 0b0111_0000_0000_0000
    assert _reaching(numbers, 1, np.float32(np.finfo(np.float32).min)) == 0b0111_1111_1111_1011


def test_eight_totals_stand_in_order(rng):
    # Small integers add up exactly in any order.
    numbers = rng.integers(-50, 50, 128).astype(np.float32)
    written = np.full(10, -1e9, dtype=np.float32)
    _totals(numbers, written)
    np.testing.assert_array_equal(written[1:9], numbers.reshape(8, 16).sum(axis=1))
    assert written[0] == written[9] == -1e9


@jit
def _fours(numbers, written):
    a, b, c, d = load(numbers, 0), load(numbers, 16), load(numbers, 32), load(numbers, 48)
    sums = totals_of_four(a, b, c, d)
    store_four(written, 1, sums)
    store(written, 16, multiply(sums, load_four(numbers, 3)))
    for at, lanes in ((32, spread_first(sums)), (48, spread_second(sums))):
        store(written, at, lanes)
    for at, lanes in ((64, spread_third(sums)), (80, spread_fourth(sums))):
        store(written, at, lanes)


def test_four_totals_stand_four_times_and_can_be_taken_apart(rng):
    numbers = rng.integers(-50, 50, 64).astype(np.float32)
    written = np.full(96, -1e9, dtype=np.float32)
    _fours(numbers, written)
    totals = numbers.reshape(4, 16).sum(axis=1)
    np.testing.assert_array_equal(written[1:5], totals)
    assert written[0] == written[5] == -1e9
    np.testing.assert_array_equal(written[16:32], np.tile(totals * numbers[3:7], 4))
    np.testing.assert_array_equal(written[32:], np.repeat(totals, 16))


@pytest.mark.parametrize("shape", [(1,), (7, 16), (3, 5, 16)])
def test_aligned_arrays_start_on_a_cache_line(shape):
    made = aligned(*shape)
    assert made.shape == shape
    assert made.ctypes.data % 64 == 0
    assert made.flags.c_contiguous
    assert not made.any()


def test_scratch_starts_on_a_cache_line():
    for size in (1, 100, 1000):
        assert _address_of_scratch(size) == (0, size, 0.0)


@pytest.mark.parametrize(("width", "expected"), [(1, 16), (16, 16), (17, 32), (40, 48), (64, 64)])
def test_widths_are_padded_to_whole_lanes(width, expected):
    assert padded(width) == expected


def test_quotients_are_those_of_numpy(rng):
    numbers, written = rng.normal(size=32).astype(np.float32), np.zeros(32, dtype=np.float32)
    _quotients_and_exponentials(numbers, written)
    np.testing.assert_array_equal(written[:16], numbers[:16] / numbers[16:])


def test_exponentials_are_right_to_the_last_digits_and_bounded(rng):
    written = np.zeros(32, dtype=np.float32)
    for scale in (0.1, 1.0, 10.0, 59.0):
        for _ in range(50):
            numbers = rng.uniform(-scale, scale, 32).astype(np.float32)
            _quotients_and_exponentials(numbers, written)
            np.testing.assert_allclose(written[16:], np.exp(numbers[:16].astype(np.float64)), rtol=3e-7)
    numbers[:4] = 0.0, -1e30, 1e30, np.inf
    _quotients_and_exponentials(numbers, written)
    np.testing.assert_allclose(
        written[16:20], [1.0, np.exp(-EXPONENTS), np.exp(EXPONENTS), np.exp(EXPONENTS)], rtol=3e-7
    )
