"""Several processes that serve from one saved index hold one copy of it in memory."""

import sys
from pathlib import Path

import pytest

from benchmarks.shared_memory import LIBRARIES, asked, memory_of, saved, serving

ITEMS, FACTORS, PROCESSES = 8_000, 48, 3


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason=f"{sys.platform} does not tell what processes share")
@pytest.mark.parametrize("backend", ["clusters", "graph", "forest"])
def test_processes_share_the_pages_of_an_index(tmp_path, backend, monkeypatch):
    if backend in LIBRARIES:
        pytest.importorskip(LIBRARIES[backend], reason=f"needs {LIBRARIES[backend]}")
    monkeypatch.chdir(Path(__file__).parents[2])
    saved(tmp_path, ITEMS, FACTORS, [backend])
    asked(tmp_path, backend)  # so that the processes find its kernels compiled
    with serving(tmp_path, PROCESSES, backend) as numbers:
        found = [memory_of(number, tmp_path) for number in numbers]
    vectors = ITEMS * FACTORS * 4
    # Each one has looked at nearly all items, so that their pages are in its memory ...
    assert all(one.file_resident > 0.7 * vectors for one in found)
    # ... but together they hold them once: their shares add up to what one alone has resident.
    most = max(one.file_resident for one in found)
    assert sum(one.file_share for one in found) < 1.3 * most
    assert sum(one.file_resident for one in found) > 2 * most
