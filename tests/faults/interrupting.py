"""Interrupts an act on a home at its first step, its second (or every few), … until it survives.

    python interrupting.py

reads lines of ACT MANNER EVERY DIRECTORY, and answers each with the last step that was interrupted, or with "failed"
and the reason on its standard error. A program of its own, since it forks, and a process with threads must not. A step
is whatever changes or flushes the disk. MANNER is "kill" (SIGKILL), "full" (the step fails with ENOSPC) or "failing"
(EIO). After each interruption the old or the new content must be there, whole; a disk error must have come out as a
StorageError; and doing the same again under the home's lock must succeed and leave nothing half-written.
"""

import dataclasses
import errno
import itertools
import os
import runpy
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from crossfade.core import checkpoints as checkpoints_module
from crossfade.core import replacing
from crossfade.core.artifacts import Identity, verify, write_file, writing
from crossfade.core.checkpoints import checkpoints
from crossfade.core.errors import StorageError
from crossfade.core.home import Home
from crossfade.importing.forgetting import begin, changes, clean_imports, pending
from crossfade.importing.imports import import_paths
from crossfade.importing.library import imports, people_of
from crossfade.stores.registry import open_releases

STEPS = {"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "sqlite3.connect"}
CONFTEST = runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"))
NOT_REACHED, STORAGE_ERROR, ABSORBED = 0, 9, 3


def interrupt(number: int, manner: str, home: Path) -> Callable[[], int]:
    """Make the step ``number`` of this process the one that is interrupted; tells how many steps there were."""
    steps: list[None] = []

    def step() -> None:
        steps.append(None)
        if len(steps) != number:
            return
        if manner == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC if manner == "full" else errno.EIO, "interrupted", str(home))

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if writes and str(path).startswith(str(home)):
                step()
        elif event in STEPS:
            step()

    def stepping(function: Callable[..., object]) -> Callable[..., object]:
        def stepped(*arguments: object) -> object:
            step()
            return function(*arguments)

        return stepped

    os.fsync = stepping(os.fsync)  # type: ignore[assignment]
    replacing._exchanged = stepping(replacing._exchanged)  # type: ignore[assignment]
    sys.addaudithook(hook)
    return lambda: len(steps)


class Scene:
    """Something in a home that is made once, and acted on in a copy of that home for each step."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def make(self) -> None:
        """Fill the home."""

    def act(self) -> None:
        """Make new of old."""

    def content(self) -> str:
        """Return "old" or "new", after checking that it is whole."""
        raise NotImplementedError


class Replacing(Scene):
    """An artifact is replaced by another."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.place = home.runs / "space"

    def make(self) -> None:
        self.write("old")

    def write(self, content: str) -> None:
        with writing(self.place, Identity(kind="test", version=1, settings={"content": content})) as draft:
            (draft.path / "deep").mkdir()
            for name in ("a", "deep/b"):
                (draft.path / name).write_text(content)

    def act(self) -> None:
        self.write("new")

    def content(self) -> str:
        said = str(verify(self.place).identity.settings["content"])
        assert (self.place / "deep" / "b").read_text() == said
        return said


class ReplacingWithoutExchange(Replacing):
    """The same where the file system cannot let two names change places; a kill may need the sweep."""

    def __init__(self, home: Home) -> None:
        replacing._renameat2 = lambda: None  # type: ignore[assignment]
        super().__init__(home)

    def content(self) -> str:
        replacing.sweep(self.home.runs)
        return super().content()


class WritingAFile(Scene):
    """A small file is replaced by another."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.path = home.path / "crossfade.toml"

    def make(self) -> None:
        write_file(self.path, b"old")

    def act(self) -> None:
        write_file(self.path, b"new")

    def content(self) -> str:
        return self.path.read_text()


class SavingAState(Scene):
    """The state of long work is replaced by a later one."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        checkpoints_module.EVERY_SECONDS = checkpoints_module.TIMES_ITS_COST = 0.0
        self.place = home.unfinished / "fit"
        self.identity = Identity(kind="test", version=1)

    def make(self) -> None:
        self.save("old")

    def save(self, content: str) -> None:
        with checkpoints(self.place, self.identity) as states:
            states.offer(len(content), {"content": np.frombuffer(content.encode(), dtype=np.uint8)})

    def act(self) -> None:
        self.save("newer")

    def content(self) -> str:
        with checkpoints(self.place, self.identity) as states:
            state = states.latest()
            assert state is not None
            said = state.array("content", dtype=np.uint8, ndim=1).tobytes().decode()
            assert state.steps == len(said)
        return {"old": "old", "newer": "new"}[said]


class Publishing(Scene):
    """A second release is published."""

    made = ("old",)
    parts: Any

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.releases = open_releases(home)
        self.first = next(iter(self.releases.versions()), "")

    def make(self) -> None:
        parts = CONFTEST["small_release"](self.home.path)
        Publishing.parts = dataclasses.replace(parts, parts={"als-artist": parts.parts["als-artist"]})
        for content in self.made:
            self.parts.publish(self.releases, content=content)
        self.first = self.releases.versions()[0]

    def act(self) -> None:
        self.parts.publish(self.releases, content="new")

    def content(self) -> str:
        for version in self.releases.versions():
            self.releases.verify(version)
        with self.releases.open() as release:
            assert release.tables.item("artist", "bjork").id == "mb:bjork"
            for name in release.parts:
                verify(release.part(name))
            return str(release.manifest.identity.inputs["content"])


class PublishingUnderAPin(Publishing):
    """A third release is published while the first one is pinned."""

    made = ("old", "middle")

    def make(self) -> None:
        super().make()
        self.releases.activate(self.first)

    def content(self) -> str:
        assert super().content() == "old"
        assert self.releases.active() == (self.first, True)
        return "new" if len(self.releases.versions()) > 2 else "old"


class Pinning(Publishing):
    """The first release is activated."""

    made = ("old", "second")

    def act(self) -> None:
        self.releases.activate(self.first)

    def content(self) -> str:
        active = self.releases.active()
        assert active.pinned == (active.version == self.first)
        return {"second": "old", "old": "new"}[super().content()]


class RollingBack(Pinning):
    """The release before is activated."""

    def act(self) -> None:
        if self.releases.active().version != self.first:
            self.releases.roll_back()


class Unpinning(Pinning):
    """The newest release is served again."""

    def make(self) -> None:
        super().make()
        self.releases.activate(self.first)

    def act(self) -> None:
        self.releases.unpin()

    def content(self) -> str:
        return {"old": "new", "new": "old"}[super().content()]


class Pruning(Publishing):
    """All but the newest release are removed."""

    made = ("old", "middle", "new")

    def act(self) -> None:
        self.releases.prune(1)

    def content(self) -> str:
        assert super().content() == "new"
        return "old" if len(self.releases.versions()) > 1 else "new"


class Retiring(Publishing):
    """The active release and the one before are removed for good."""

    made = ("old", "middle", "new")

    def act(self) -> None:
        self.releases.retire([version for version in self.releases.versions() if version != self.first], patience=0.0)

    def content(self) -> str:
        served = super().content()
        assert served in ("old", "new")
        return "new" if self.releases.versions() == [self.first] else "old"


class ForgettingAListener(Scene):
    """Annika is taken out of two imports: one is named after her, and one is hers alone."""

    TEXTS = (b"annika", b"zyzzyva")

    def make(self) -> None:
        for name, users in (("bob", ["bob"]), ("annika-and-bob", ["annika", "bob", "carl"]), ("annika", ["annika"])):
            rows = [
                f"{user},{artist},{user} on {artist},{1_700_000_000 + 100 * len(name) + 600 * number}"
                for user in users
                for number, artist in enumerate(("Can", f"Zyzzyva {name}" if user == "annika" else "Neu"))
            ]
            table = self.home.path.parent / f"{name}.csv"
            table.write_text("\n".join(["user,artist,title,listened_at", *rows]))
            import_paths(self.home, [table])

    def act(self) -> None:
        if pending(self.home) is None and any("annika" in people_of(one) for one in imports(self.home)):
            begin(self.home, [], ["annika"], changes(self.home, [], ["annika"]), serve=True)
        clean_imports(self.home)

    def content(self) -> str:
        users = [user for one in imports(self.home) for user in sorted(people_of(one))]
        for one in imports(self.home):
            verify(one.path)
            one.ledger.check()
        assert sorted(user for user in users if user != "annika") == ["bob", "bob", "carl"]
        wish = pending(self.home)
        return "new" if wish is not None and not wish.users and not self.traces() else "old"

    def traces(self) -> list[Path]:
        found = []
        for path in self.home.path.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            if path.suffix == ".parquet":
                content += str(pq.read_table(path).to_pylist()).encode()
            if any(text in content.lower() or text in path.name.encode() for text in self.TEXTS):
                found.append(path)
        return found


def unregistered(home: Home) -> list[Path]:
    """What there is of releases that do not exist."""
    versions = set(open_releases(home).versions())
    places = [*home.releases.glob("*-*"), *home.releases.glob("tables/*-*")]
    return [place for place in places if place.name not in versions]


ACTS = {
    cls.__name__: cls
    for cls in (
        Replacing,
        ReplacingWithoutExchange,
        WritingAFile,
        SavingAState,
        Publishing,
        PublishingUnderAPin,
        Pinning,
        RollingBack,
        Unpinning,
        Pruning,
        Retiring,
        ForgettingAListener,
    )
}


def run(act: str, manner: str, every: int, directory: Path) -> int:
    """Interrupt the steps of ``act`` that are ``every`` apart; the last that was reached."""
    made = Home(directory / "made")
    made.prepare()
    ACTS[act](made).make()
    for number in itertools.count(1, every):
        home = Home(directory / f"{number:03d}")
        shutil.copytree(made.path, home.path)
        scene = ACTS[act](home)
        assert scene.content() == "old"
        child = os.fork()
        if child == 0:
            steps = interrupt(number, manner, home.path)
            try:
                scene.act()
            except StorageError:
                os._exit(STORAGE_ERROR)
            # What is only tidied up may fail without a word: the next holder of the lock sweeps.
            os._exit(ABSORBED if steps() >= number else NOT_REACHED)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        wanted = (-signal.SIGKILL,) if manner == "kill" else (STORAGE_ERROR, ABSORBED)
        assert status in (NOT_REACHED, *wanted), f"step {number} ended with {status}"
        content = scene.content()
        assert content == "new" if status in (NOT_REACHED, ABSORBED) else content in ("old", "new"), f"step {number}"
        with home.locked("run"):
            scene.act()
        assert scene.content() == "new", f"step {number}"
        left = [path for path in home.path.rglob("*") if path.name.endswith(replacing.PARTIAL)]
        left += unregistered(home)
        assert not left, f"step {number} left {left}"
        shutil.rmtree(home.path)
        if status == NOT_REACHED:
            return number - every
    raise AssertionError("unreachable")


if __name__ == "__main__":
    for line in sys.stdin:
        if os.fork() == 0:
            act, manner, every, directory = line.split()
            print(run(act, manner, int(every), Path(directory)), flush=True)
            sys.exit()
        if os.wait()[1] != 0:
            print("failed", flush=True)
