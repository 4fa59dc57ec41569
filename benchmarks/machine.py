"""What this machine can do at most: the limits that timings are held against, measured in the same run."""

import os
import platform
import time
from pathlib import Path

import numpy as np

from benchmarks.record import Machine
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import Floats, add, aligned, load, multiply_add, store, zero
from crossfade.kernels.threads import each

FMA_ROUNDS = 20_000_000
STREAM_FLOATS = 1 << 26


def named() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def described(threads: int | None) -> Machine:
    """This machine, with the limits of ``threads`` threads; without limits where that is None (it takes seconds)."""
    return Machine(
        processor=named(),
        processors=os.cpu_count() or 1,
        memory_gib=round(memory() / 2**30, 1),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        gflops=gflops(threads) if threads else None,
        gigabytes=gigabytes(threads) if threads else None,
    )


def sentence(machine: Machine) -> str:
    """What a table begins with."""
    limits = (
        f"; at most {machine.gflops:.0f} GFLOP/s in registers, {machine.gigabytes:.0f} GB/s from memory"
        if machine.gflops is not None and machine.gigabytes is not None
        else ""
    )
    return f"{machine.processor}, {machine.processors} processors, {machine.memory_gib:.0f} GiB{limits}"


def memory() -> int:
    """Bytes of memory that the machine has, 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def gflops(threads: int) -> float:
    """Float32 operations a second in 10⁹, of multiply-adds that need no memory; a multiply-add counts as two."""
    numbers = aligned(threads, 32)
    numbers[:] = 0.5
    return _best(lambda: each(lambda at: _multiply(numbers, at * 32, FMA_ROUNDS), range(threads), threads)) * (
        threads * FMA_ROUNDS * 8 * 16 * 2 / 1e9
    )


def gigabytes(threads: int) -> float:
    """Bytes a second in 10⁹ that are read from memory in order, from an array that no cache holds."""
    numbers = aligned(STREAM_FLOATS)
    share = STREAM_FLOATS // threads
    sums = aligned(threads, 16)
    return _best(lambda: each(lambda at: _read(numbers, at * share, share, sums, at * 16), range(threads), threads)) * (
        threads * share * 4 / 1e9
    )


def _best(work) -> float:
    """Times a second that ``work`` can be done, from the fastest of five."""
    work()
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return 1 / float(np.min(taken))


@jit
def _multiply(numbers: Floats, at: int, rounds: int) -> None:
    factor, term = load(numbers, at), load(numbers, at + 16)
    a = b = c = d = e = f = g = h = factor
    for _ in range(rounds):
        a, b = multiply_add(a, factor, term), multiply_add(b, factor, term)
        c, d = multiply_add(c, factor, term), multiply_add(d, factor, term)
        e, f = multiply_add(e, factor, term), multiply_add(f, factor, term)
        g, h = multiply_add(g, factor, term), multiply_add(h, factor, term)
    # At one half each sum ends at 1, its fixed point; keeping it keeps the compiler from dropping the work.
    store(numbers, at + 16, multiply_add(add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h))), zero(), term))


@jit
def _read(numbers: Floats, first: int, count: int, sums: Floats, at: int) -> None:
    a = b = c = d = load(sums, at)
    for k in range(first, first + count - 63, 64):
        a, b = add(load(numbers, k), a), add(load(numbers, k + 16), b)
        c, d = add(load(numbers, k + 32), c), add(load(numbers, k + 48), d)
    store(sums, at, add(add(a, b), add(c, d)))
