"""Releases in files: damage, interruptions, and what lies where."""

import dataclasses
import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from tests.programs import started

from crossfade.core import artifacts
from crossfade.core.artifacts import MANIFEST, verify
from crossfade.core.errors import ArtifactError, BusyError, NotReadyError
from crossfade.core.home import Home
from crossfade.stores import files
from crossfade.stores import releases as releases_module
from crossfade.stores.contract import Active, Version
from crossfade.stores.files import CURRENT, REGISTERED, FileRegistry
from crossfade.stores.sqlite_schema import FILE

CONFTEST = Path(__file__).parents[1] / "conftest.py"


def database_of(directory, version):
    return directory / "tables" / version / FILE


def test_a_release_is_an_artifact_with_its_parts(releases, directory, release_parts):
    version = release_parts.publish(releases).version
    manifest = verify(directory / version)
    parts = {
        f"parts/{name}/{path.relative_to(place).as_posix()}"
        for name, place in release_parts.parts.items()
        for path in place.rglob("*")
        if path.is_file()
    }
    assert manifest.files.keys() == parts
    assert manifest.identity.kind == "release"
    assert manifest.identity.inputs == release_parts.inputs
    assert manifest.identity.settings == release_parts.settings
    assert (directory / CURRENT).read_text() == f"{version}\n"
    assert {path.name for path in directory.iterdir()} == {CURRENT, REGISTERED, "tables", version}
    releases.activate(version)
    assert (directory / CURRENT).read_text() == f"{version} pinned\n"


def test_an_open_release_says_what_it_has(releases, release_parts):
    version = release_parts.publish(releases).version
    with releases.open() as release:
        assert repr(release).startswith(f"Release({version}: tables ")
        assert "discover-artist" in repr(release)
        assert repr(release).endswith(f"parts {', '.join(release.parts)})")


def test_a_release_outlives_what_it_was_made_from(releases, release_parts):
    release_parts.publish(releases)
    for place in release_parts.parts.values():
        shutil.rmtree(place)
    with releases.open() as release:
        for name in release.parts:
            verify(release.part(name))


def test_parts_are_linked_where_that_is_possible(releases, directory, release_parts):
    version = release_parts.publish(releases).version
    source = release_parts.parts["als-artist"] / "item_vectors.npy"
    assert source.samefile(directory / version / "parts" / "als-artist" / "item_vectors.npy")


def test_parts_are_copied_where_links_are_not_possible(releases, directory, release_parts, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    version = release_parts.publish(releases).version
    source = release_parts.parts["als-artist"] / "item_vectors.npy"
    copy = directory / version / "parts" / "als-artist" / "item_vectors.npy"
    assert not source.samefile(copy)
    assert source.read_bytes() == copy.read_bytes()


def test_linked_parts_are_read_once(releases, directory, release_parts, monkeypatch):
    read = []
    digest = artifacts.file_digest
    monkeypatch.setattr(artifacts, "file_digest", lambda path: read.append(path.name) or digest(path))
    version = release_parts.publish(releases).version
    names = [Path(name).name for place in release_parts.parts.values() for name in artifacts.read_manifest(place).files]
    # Besides them the tables, and the manifest of each part.
    assert Counter(read) == Counter([*names, FILE, *[MANIFEST] * len(release_parts.parts)])
    verify(directory / version)


@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: replace(path, path.read_bytes()[:-1] + b"x")]
)
def test_damaged_parts_are_not_published(releases, directory, release_parts, damage):
    release_parts.publish(releases, day="1")
    damage(release_parts.parts["als-artist"] / "item_vectors.npy")
    with pytest.raises(ArtifactError, match="item_vectors"):
        release_parts.publish(releases, day="2")
    assert len(releases.versions()) == len(list((directory / "tables").iterdir())) == 1
    releases.verify()


def replace(path, content):
    # Not in place, which would damage the release that has a link to the file.
    path.unlink()
    path.write_bytes(content)


def test_equal_input_gives_equal_bytes_in_another_process(tmp_path):
    script = (
        "import runpy, sys\n"
        "from pathlib import Path\n"
        "from crossfade.core.home import Home\n"
        "from crossfade.stores.registry import open_releases\n"
        "parts = runpy.run_path(sys.argv[1])['small_release'](Path(sys.argv[2]))\n"
        "parts.publish(open_releases(Home(Path(sys.argv[2]) / 'home')))\n"
    )
    contents = []
    for name, seed in (("one", "1"), ("other", "2")):
        place = tmp_path / name
        place.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", script, CONFTEST, place], check=True, env=environment)
        found = [path for path in (place / "home").rglob("*") if path.is_file()]
        contents.append({path.relative_to(place): path.read_bytes() for path in found})
    assert contents[0]
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff", b"../../etc\n", b"000001-000000000000\n", b"000001-zzzzzzzzzzzz\n", b"1\n", b"\n\n",
        b"000001-000000000000 pinned\n", b"000001-000000000000 stuck\n",
    ],
)  # fmt: skip
def test_a_damaged_pointer_is_named_and_fixed_by_rolling_back(releases, directory, release_parts, content):
    version = release_parts.publish(releases).version
    (directory / CURRENT).write_bytes(content)
    for ask in (releases.active, releases.open, releases.verify):
        with pytest.raises(ArtifactError, match=r"CURRENT|active release.* is missing"):
            ask()
    # Any release may be the active one, so none may go.
    assert releases.prune(0) == []
    if b"000001-000000000000" in content and b"stuck" not in content:
        releases.activate(version)
    else:
        assert releases.roll_back() == version
    assert releases.active() == Active(version, pinned=True)


def test_a_damaged_pointer_is_fixed_by_publishing(releases, directory, release_parts):
    first = release_parts.publish(releases).version
    (directory / CURRENT).write_bytes(b"\xff")
    second, active = release_parts.publish(releases)
    assert active
    assert second == first.replace("000001", "000002")
    assert releases.versions() == [first, second]


def test_a_pointer_of_one_line_is_read(releases, directory, release_parts):
    """As it was before there were pins."""
    version = release_parts.publish(releases).version
    for content in (version, f"{version}\n"):
        (directory / CURRENT).write_text(content)
        shutil.rmtree(directory / REGISTERED)
        assert releases.active() == Active(version, pinned=False)
        assert releases.versions() == [version]
        with releases.open() as release:
            assert release.version == version
        releases.activate(version)
        releases.unpin()


def test_a_damaged_release_is_skipped_when_rolling_back(releases, directory, release_parts):
    first, second, third = (release_parts.publish(releases, day=day).version for day in "123")
    replace(database_of(directory, second), b"")
    with pytest.raises(ArtifactError):
        releases.activate(second)
    assert releases.active() == Active(third, pinned=False)
    assert releases.roll_back() == first


def test_a_damaged_release_is_skipped_when_unpinning(releases, directory, release_parts):
    first, second, third = (release_parts.publish(releases, day=day).version for day in "123")
    releases.activate(first)
    part = directory / third / "parts" / "als-artist" / "item_vectors.npy"
    replace(part, b"")
    assert releases.unpin() == second
    assert releases.active() == Active(second, pinned=False)


@pytest.mark.parametrize("damaged", ["tables", "parts", "manifest"])
def test_a_damaged_release_is_published_anew(releases, directory, release_parts, damaged):
    first = release_parts.publish(releases).version
    path = {
        "tables": database_of(directory, first),
        "parts": directory / first / "parts" / "als-artist" / "item_vectors.npy",
        "manifest": directory / first / MANIFEST,
    }[damaged]
    replace(path, b"")
    with pytest.raises(ArtifactError):
        releases.verify()
    second = release_parts.publish(releases).version
    assert second == first.replace("000001", "000002")
    assert releases.verify().fingerprint[:12] == second[7:]


@pytest.mark.parametrize("left", ["tables", "directory", "both", "registered"])
def test_what_a_killed_publication_left_is_removed(releases, directory, release_parts, left):
    first = release_parts.publish(releases, day="1").version
    second = Version("000002-0123456789ab")
    if left in ("tables", "both"):
        shutil.copytree(directory / "tables" / first, directory / "tables" / second)
    if left in ("directory", "both"):
        shutil.copytree(directory / first, directory / second)
    if left == "registered":
        # Removed from the registry, and killed before its files were.
        release_parts.publish(releases, day="2")
        (directory / REGISTERED / first).unlink()
        assert releases.prune(5) == []
        assert [path.name for path in (directory / "tables").iterdir()] == releases.versions()
        return
    third = release_parts.publish(releases, day="2").version
    assert third.startswith("000002")  # the other one never existed
    assert releases.versions() == [first, third]
    assert {path.name for path in (directory / "tables").iterdir()} == {first, third}
    assert not (directory / second).exists()


def test_the_release_that_the_pointer_names_exists_before_it_is_recorded(
    directory, releases, release_parts, monkeypatch
):
    """A kill between the two must not lose it, nor when another one becomes active."""
    first = release_parts.publish(releases, day="1").version
    with monkeypatch.context() as killed:
        killed.setattr(FileRegistry, "_record", lambda self, version: None)
        second = release_parts.publish(releases, day="2").version
    assert releases.versions() == [first, second]
    assert releases.prune(5) == []
    releases.roll_back()
    assert releases.versions() == [first, second]


def test_a_half_removed_release_is_no_obstacle(releases, directory, release_parts):
    first, second = (release_parts.publish(releases, day=day).version for day in "12")
    (directory / first / MANIFEST).unlink()
    with pytest.raises(NotReadyError):
        releases.roll_back()
    assert releases.prune(1) == [first]
    assert releases.versions() == [second]


def test_other_files_are_left_alone(releases, directory, release_parts):
    (directory / "notes").mkdir()
    (directory / "000009-zzz").write_text("")
    version = release_parts.publish(releases).version
    assert releases.versions() == [version]
    releases.prune(0)
    assert (directory / "notes").exists()
    assert (directory / "000009-zzz").exists()


def test_a_full_disk_loses_nothing(release_parts, directory, releases):
    # Of other tables: equal ones would be shared, not written.
    version = dataclasses.replace(release_parts, tables=release_parts.tables[1:]).publish(releases).version
    script = (
        "import resource, runpy, sys\n"
        "from pathlib import Path\n"
        "from crossfade.core.errors import StorageError\n"
        "from crossfade.core.home import Home\n"
        "from crossfade.stores.registry import open_releases\n"
        "parts = runpy.run_path(sys.argv[1])['small_release'](Path(sys.argv[2]) / 'made')\n"
        "home = Home(Path(sys.argv[2]) / 'home')\n"
        "for limit in map(int, sys.argv[3:]):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        parts.publish(open_releases(home), day='2')\n"
        "    except StorageError as error:\n"
        "        left = [*home.releases.iterdir(), *(home.releases / 'tables').iterdir()]\n"
        "        print(error, *sorted(path.name for path in left), sep='\\t')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, CONFTEST, directory.parent.parent, "0", "1", "4096", "20000"],
        capture_output=True,
        text=True,
        check=True,
    )
    told = run.stdout.splitlines()
    assert len(told) == 4
    for line in told:
        error, *left = line.split("\t")
        assert "previous content is untouched" in error
        assert left == sorted([CURRENT, REGISTERED, "tables", version, version])
    releases.verify()


def test_two_writers_are_kept_apart(tmp_path, release_parts):
    from crossfade.stores.registry import open_releases

    home = Home(tmp_path / "home")
    with home.locked("run"):
        release_parts.publish(open_releases(home))
        with pytest.raises(BusyError), home.locked("run"):
            pass


def test_a_reader_in_another_process_keeps_its_release(releases, home, release_parts):
    first = release_parts.publish(releases, day="1").version
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from crossfade.core.home import Home\n"
        "from crossfade.stores.registry import open_releases\n"
        "with open_releases(Home(Path(sys.argv[1]))).open() as release:\n"
        "    print(release.version, flush=True)\n"
        "    sys.stdin.read()\n"
        "    print(release.tables.item('artist', 'bjork').id)\n"
    )
    command = [sys.executable, "-c", script, home.path]
    with started(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout.readline() == f"{first}\n"
        release_parts.publish(releases, day="2")
        assert releases.prune(1) == []
        assert reader.communicate()[0] == "mb:bjork\n"
    assert releases.prune(1) == [first]


def test_a_release_that_is_pruned_while_it_is_opened_is_not_served(releases, release_parts, monkeypatch):
    """Between the opening of its manifest and the lock on it, a release can go."""
    first, _ = (release_parts.publish(releases, day=day).version for day in "12")
    flock = fcntl.flock

    def late(descriptor, how):
        if how == fcntl.LOCK_SH:
            monkeypatch.setattr(fcntl, "flock", flock)
            assert releases.prune(1) == [first]
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(ArtifactError, match="was removed while it was being opened"):
        releases.open(first)


def test_the_release_that_took_its_place_is_opened_instead(releases, release_parts, monkeypatch):
    first = release_parts.publish(releases, day="1").version
    active = releases.active

    def outdated():
        monkeypatch.setattr(releases, "active", active)
        release_parts.publish(releases, day="2")
        releases.prune(1)
        return Active(first, pinned=False)

    monkeypatch.setattr(releases, "active", outdated)
    with releases.open() as release:
        assert release.version == active().version != first


def test_readers_never_trip_over_publishing_and_pruning(releases, release_parts):
    release_parts.publish(releases, day="0")
    done, reads, errors = threading.Event(), Counter(), []

    def opened():
        with releases.open() as release:
            verify(release.part("als-artist"))
            assert release.tables.item("artist", "bjork").id == "mb:bjork"

    def verified():
        for version in releases.versions():
            releases.verify_unless_removed(version)

    def loop(read):
        while not done.is_set():
            try:
                read()
                reads[read] += 1
            except Exception as error:  # noqa: BLE001  # each is a failure, told below
                errors.append(error)

    readers = [threading.Thread(target=loop, args=(read,)) for read in (opened, opened, verified)]
    for reader in readers:
        reader.start()
    try:
        for day in range(1, 9):
            release_parts.publish(releases, day=str(day))
            releases.prune(1)
    finally:
        done.set()
    for reader in readers:
        reader.join()
    assert errors == []
    assert reads.keys() == {opened, verified}


def test_a_release_stays_while_it_is_verified(releases, release_parts, monkeypatch):
    first, second = (release_parts.publish(releases, day=day).version for day in "12")
    removed = []

    def pruning(place):
        monkeypatch.setattr(releases_module, "verify", verify)
        removed.append(releases.prune(1))
        return verify(place)

    monkeypatch.setattr(releases_module, "verify", pruning)
    assert releases.verify_unless_removed(first)
    assert removed == [[]]
    assert releases.prune(1) == [first]
    assert releases.verify_unless_removed(first) is None
    with pytest.raises(ArtifactError, match="There is no release"):
        releases.verify(first)
    assert releases.versions() == [second]


def test_a_pointer_that_moves_while_it_is_read_is_read_again(releases, release_parts, monkeypatch):
    first = release_parts.publish(releases, day="1").version
    active = files.FileRegistry.active

    def outdated(registry):
        monkeypatch.setattr(files.FileRegistry, "active", active)
        release_parts.publish(releases, day="2")
        releases.prune(1)
        return Active(first, pinned=False)

    monkeypatch.setattr(files.FileRegistry, "active", outdated)
    assert releases.active().version.startswith("000002")


def test_the_parts_of_a_release_are_complete_or_it_is_not_published(releases, release_parts, tmp_path):
    (tmp_path / "plain").mkdir()
    with pytest.raises(ArtifactError, match="it was not finished"):
        dataclasses.replace(release_parts, parts={"plain": tmp_path / "plain"}).publish(releases)
    assert releases.versions() == []
