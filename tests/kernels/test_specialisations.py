"""What Numba compiles for kernels that call each other."""

import fcntl
from threading import Event, Thread

import numpy as np

from crossfade.kernels.compile import _save_alone, jit


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


def test_machine_code_is_kept_by_one_process_at_a_time(tmp_path):
    kept = Event()
    with (tmp_path / "kernels.lock").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        saving = Thread(target=_save_alone, args=(lambda key, code: kept.set(), tmp_path, "key", b"code"))
        saving.start()
        assert not kept.wait(0.2)
    assert kept.wait(10)
    saving.join()
