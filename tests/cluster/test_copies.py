"""Copies of shared files on a machine's own disk."""

import os
import shutil
import time
from pathlib import Path

import pytest

from crossfade.cluster import copies
from crossfade.cluster.copies import local_artifact, local_copy
from crossfade.cluster.engine import LocalEngine
from crossfade.core.artifacts import Identity, verify, writing

SHARED = Path("/dev/shm")


@pytest.fixture
def shared(monkeypatch, tmp_path):
    """A file on another file system than the one of copies."""
    if not SHARED.is_dir() or SHARED.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    monkeypatch.setenv("CROSSFADE_LOCAL_DIR", str(tmp_path / "local"))
    path = SHARED / f"crossfade-test-{os.getpid()}"
    path.write_bytes(b"vectors")
    yield path
    path.unlink()


def test_a_file_on_the_same_disk_is_not_copied(monkeypatch, tmp_path):
    monkeypatch.setenv("CROSSFADE_LOCAL_DIR", str(tmp_path / "local"))
    path = tmp_path / "file"
    path.write_bytes(b"vectors")
    assert local_copy(path, "ab12") == path


def test_a_shared_file_is_copied_once(shared, monkeypatch):
    copied = []
    monkeypatch.setattr(copies.shutil, "copyfile", lambda source, place: copied.append(source) or Path(place).touch())
    places = LocalEngine(4).each(lambda _: local_copy(shared, "ab12"), 16)
    assert copied == [shared]
    assert set(places) == {copies.local_directory() / "ab12"}


def test_a_copy_has_the_content(shared):
    assert local_copy(shared, "ab12").read_bytes() == b"vectors"


def test_a_copy_that_failed_leaves_nothing(shared, monkeypatch):
    def fail(source, place):
        Path(place).write_bytes(b"vec")
        raise KeyboardInterrupt

    monkeypatch.setattr(copies.shutil, "copyfile", fail)
    with pytest.raises(KeyboardInterrupt):
        local_copy(shared, "ab12")
    assert [path.name for path in copies.local_directory().iterdir()] == ["ab12.lock"]


def test_what_was_long_unused_makes_room(shared):
    old = local_copy(shared, "ab12")
    long_ago = time.time() - copies.UNUSED_SECONDS - 1
    os.utime(old, (long_ago, long_ago))
    local_copy(shared, "cd34")
    assert not old.exists()


def test_tasks_are_in_order():
    assert LocalEngine(3).each(lambda task: task * task, 7) == [0, 1, 4, 9, 16, 25, 36]


@pytest.fixture
def artifact(shared):
    place = shared.with_name(f"{shared.name}-artifact")
    with writing(place, Identity(kind="model", version=1)) as draft:
        for name in ("item_vectors", "user_vectors", "members/als/user_vectors", "members/als/item_vectors"):
            path = draft.path / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode())
    yield place
    shutil.rmtree(place)


def test_of_an_artifact_the_files_are_copied_that_are_not_read_by_the_row(artifact):
    local = local_artifact(artifact, ["user_vectors"])
    own = copies.local_directory()
    for name in verify(artifact).files:
        assert (local / name).read_bytes() == (artifact / name).read_bytes()
        assert (local / name).resolve().is_relative_to(own) == ("user" not in name)
    assert local_artifact(artifact, ["user_vectors"]) == local


def test_copies_of_an_artifact_that_tasks_make_at_once_are_one(artifact):
    (place,) = {*LocalEngine(4).each(lambda _: local_artifact(artifact), 16)}
    assert (place / "item_vectors.npy").read_bytes() == b"item_vectors"
    assert not [path for path in copies.local_directory().iterdir() if path.name.startswith(".")]
