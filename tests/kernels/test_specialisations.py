"""What Numba compiles for kernels that call each other."""

import fcntl
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import numpy as np
import pytest

from crossfade.kernels.compile import jit


@jit
def twice(number):
    return 2 * number


@jit(inline=True)
def inlined(number):
    return number + 1


@jit
def calling(numbers):
    return twice(1) + twice(numbers[0]) + twice(len(numbers)) + inlined(3)


def test_a_kernel_is_compiled_once_for_literals_and_whole_numbers_of_any_width():
    assert calling(np.array([5], dtype=np.int32)) == 2 + 10 + 2 + 4
    calling.recompile()  # also where its machine code was kept
    assert len(twice.signatures) == len(inlined.signatures) == 1


def test_a_kernel_that_exists_inside_others_runs_its_source_in_python():
    assert inlined(np.float64(1.5)) == 2.5


@jit
def thrice(number):
    return 3 * number


def test_one_process_at_a_time_compiles_a_kernel():
    # A lock of another process looks the same to this one as a lock of this one's by another file.
    cached, found = thrice._cache._cache_file, Queue()
    Path(cached._cache_path).mkdir(parents=True, exist_ok=True)
    with Path(cached._cache_path, f"{cached._index_name}.lock").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        calling = Thread(target=lambda: found.put(thrice(2.5)))
        calling.start()
        with pytest.raises(Empty):
            found.get(timeout=0.2)
    assert found.get(timeout=60) == 7.5
    calling.join()
