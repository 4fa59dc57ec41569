"""Kernels compiled beside a first run: what runs in a process of its own, and how it ends."""

import os
import subprocess
import sys
import time
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pyarrow.compute as pc
import pytest
from pyarrow.csv import read_csv
from tests.programs import started

from crossfade.core.home import Home
from crossfade.models.blend import BlendSettings
from crossfade.models.blend_weights import LEAST_HITS, LEAST_USERS
from crossfade.pipeline import compiling


def command(part, place):
    return [sys.executable, "-m", "crossfade.pipeline.compiling", part, str(place), str(place / "none.toml")]


def test_nothing_is_wanted_where_nothing_can_be_kept_and_on_one_processor(tmp_path, monkeypatch):
    monkeypatch.setattr("crossfade.kernels.compile.cache_directory", lambda: None)
    assert compiling.wanted() == []
    monkeypatch.setattr(compiling, "wanted", lambda: [compiling.PAGES])
    with compiling.compiled_aside(Home(tmp_path), 1) as begun:
        assert begun.processes == {}


def test_what_was_marked_is_not_compiled_again(tmp_path, monkeypatch):
    monkeypatch.setattr("crossfade.kernels.compile.cache_directory", lambda: tmp_path)
    assert compiling.wanted() == [compiling.PAGES, compiling.OTHERS]
    compiling._mark(compiling.PAGES).touch()
    assert compiling.wanted() == [compiling.OTHERS]


def test_processes_end_with_what_began_them(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "wanted", lambda: [compiling.PAGES])
    with compiling.compiled_aside(Home(tmp_path), 2) as begun:
        process = begun.processes[compiling.PAGES]
        place = Path(process.args[4])
        assert place.is_dir()
    assert process.returncode is not None
    assert not place.exists()


def test_a_process_whose_parent_was_killed_ends_and_leaves_nothing(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    with started(*command(compiling.PAGES, place), stdin=PIPE, stderr=DEVNULL) as process:
        while not (place / "home").exists() and process.poll() is None:
            time.sleep(0.01)
        # The operating system closes it when the parent ends.
        process.stdin.close()
        assert process.wait() == 1
        # Another process removes it.
        while place.exists():
            time.sleep(0.01)


def test_a_process_that_has_compiled_ends_well_with_its_input_open(tmp_path):
    watched = (
        "import sys, threading, time; from pathlib import Path\n"
        "from crossfade.pipeline.compiling import _end_with_parent\n"
        "threading.Thread(target=_end_with_parent, args=(Path(sys.argv[1]),), daemon=True).start(); time.sleep(0.3)\n"
    )
    with started(sys.executable, "-c", watched, tmp_path, stdin=PIPE) as process:
        assert process.wait() == 0


@pytest.mark.parametrize("kind", ["artist", "track"])
def test_the_tiny_library_has_enough_that_is_new_to_enough_users(kind, tmp_path):
    compiling.write_library(tmp_path)
    listens = read_csv(tmp_path / "listens.csv")
    moment = pc.quantile(listens["timestamp"], 1 - BlendSettings().hidden)[0]
    known, played = (
        set(zip(*(one[name].to_pylist() for name in ("user", kind)), strict=True))
        for one in (listens.filter(pc.less(listens["timestamp"], moment)), listens)
    )
    new = played - known
    assert len({user for user, _ in new}) >= LEAST_USERS
    assert len(new) >= LEAST_HITS


@pytest.mark.slow
def test_a_run_compiles_nothing_that_was_compiled_before(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    subprocess.run([sys.executable, "-m", "crossfade.pipeline.compiling"], env=environment, check=True)
    parts = {path.name.split("-")[0] for path in (tmp_path / "kept").rglob("*.compiled")}
    assert parts == {compiling.PAGES, compiling.OTHERS}
    code = (
        "import sys; sys.argv = ['crossfade', *sys.argv[1:]]\n"
        "from numba.core import event\n"
        "compiled = []\n"
        "class Listener(event.Listener):\n"
        "    def on_start(self, event): compiled.append(event.data['dispatcher'].py_func.__qualname__)\n"
        "    def on_end(self, event): pass\n"
        "event.register('numba:compile', Listener())\n"
        "from crossfade.core.home import Home; from pathlib import Path\n"
        "from crossfade.demo.importing import import_demo; from crossfade.demo.settings import SMALL\n"
        "from crossfade.pipeline.run import run; from crossfade.pipeline.runner import UNWATCHED\n"
        "home = Home(Path(sys.argv[1])); import_demo(home, SMALL)\n"
        "compiled.clear(); run(home, UNWATCHED); print(compiled)\n"
    )
    (tmp_path / "demo").mkdir()
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "demo")], env=environment, check=True, stdout=subprocess.PIPE
    )
    assert told.stdout.decode().strip() == "[]"
