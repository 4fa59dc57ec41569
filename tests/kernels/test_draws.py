"""Draws that are functions: even, apart from each other, and nothing else than what they are drawn for."""

import numpy as np
import pytest

from crossfade.kernels.draws import draw_entries, drawn, fraction, mixed, streams

# In Python, where numbers that are meant to overflow warn of it.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")


def test_mixing_is_the_published_generator():
    # SplitMix64 from the seed 1234567: its first three numbers as its authors' code prints them.
    state = np.uint64(1234567)
    found = [int(drawn(state, number)) for number in range(3)]
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert int(mixed(np.uint64(0))) == 0


def test_fractions_are_even_and_below_one():
    draws = [fraction(np.uint64(drawn(stream, number))) for stream in streams(3, 1, 20) for number in range(1000)]
    counts = np.bincount((np.array(draws) * 10).astype(int), minlength=10)
    # 20,000 in ten parts: 2,000 each, with a standard deviation of 42.
    assert len(counts) == 10
    assert np.abs(counts - 2000).max() < 5 * 42
    assert fraction(np.uint64(2**64 - 1)) < 1


def test_streams_differ_by_seed_purpose_and_row():
    found = np.concatenate([streams(seed, purpose, 100) for seed in (0, 1, 2) for purpose in (0, 1)])
    assert len(np.unique(found)) == 600


def test_long_rows_are_cut_at_random_and_short_ones_left(rng):
    lengths = np.array([3, 0, 40, 12])
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    indices = np.concatenate([np.arange(length) for length in lengths]).astype(np.int32)
    times = np.zeros(len(indices))
    for seed in range(400):
        kept = np.ones(len(indices), dtype=np.bool_)
        draw_entries(indptr, indices, 10, streams(seed, 0, 4), kept)
        assert np.add.reduceat(kept, [0, 3, 43]).tolist() == [3, 10, 10]
        times += kept
    # 400 times 10 of 40: 100 each, with a standard deviation of 9.
    assert np.abs(times[3:43] - 100).max() < 4.5 * 9
