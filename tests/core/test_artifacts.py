"""Artifacts: whole and verified, or not there."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from crossfade import __version__
from crossfade.core import artifacts
from crossfade.core.artifacts import (
    LEAST_KEPT,
    MANIFEST,
    Identity,
    digests_kept,
    discard,
    file_digest,
    is_whole,
    read_manifest,
    translated_storage_errors,
    verify,
    verify_unless_replaced,
    write_file,
    writing,
)
from crossfade.core.errors import ArtifactError, StorageError

IDENTITY = Identity(kind="space", version=3, inputs={"listens": "ab" * 32}, settings={"factors": 8}, seed=7)


@pytest.fixture
def place(tmp_path):
    """An artifact with nested files and an empty directory."""
    place = tmp_path / "runs" / "space"
    with writing(place, IDENTITY) as draft:
        (draft.path / "deep" / "er").mkdir(parents=True)
        (draft.path / "deep" / "er" / "b.npy").write_bytes(b"bbb")
        (draft.path / "a.npy").write_bytes(b"a")
        (draft.path / "nothing").mkdir()
        draft.rows["items"] = 2
    return place


def test_the_manifest_says_what_is_there(place):
    manifest = verify(place)
    assert manifest == read_manifest(place)
    assert manifest.identity == IDENTITY
    assert manifest.code == __version__
    assert manifest.rows == {"items": 2}
    assert manifest.files == {
        "a.npy": (1, hashlib.sha256(b"a").hexdigest()),
        "deep/er/b.npy": (3, hashlib.sha256(b"bbb").hexdigest()),
    }
    assert manifest.empty_directories == ("nothing",)


def test_nothing_else_is_left_beside_it(place):
    assert [path.name for path in place.parent.iterdir()] == ["space"]


def test_equal_content_gives_equal_manifests(place, tmp_path):
    with writing(tmp_path / "again", IDENTITY) as draft:
        (draft.path / "nothing").mkdir()
        (draft.path / "a.npy").write_bytes(b"a")
        (draft.path / "deep" / "er").mkdir(parents=True)
        (draft.path / "deep" / "er" / "b.npy").write_bytes(b"bbb")
        draft.rows["items"] = 2
    assert (tmp_path / "again" / MANIFEST).read_bytes() == (place / MANIFEST).read_bytes()


def test_a_manifest_names_neither_the_hour_nor_the_machine(place):
    assert json.loads((place / MANIFEST).read_text()).keys() == {
        "identity", "fingerprint", "code", "rows", "files", "empty_directories",
    }  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "index"},
        {"version": 4},
        {"inputs": {"listens": "cd" * 32}},
        {"inputs": {"plays": "ab" * 32}},
        {"settings": {"factors": 9}},
        {"settings": {"factors": 8, "more": None}},
        {"seed": 8},
    ],
)
def test_another_identity_has_another_fingerprint(place, other):
    said = {"kind": "space", "version": 3, "inputs": {"listens": "ab" * 32}, "settings": {"factors": 8}, "seed": 7}
    assert Identity(**said).fingerprint == IDENTITY.fingerprint
    assert Identity(**{**said, **other}).fingerprint != IDENTITY.fingerprint
    assert is_whole(place, IDENTITY.fingerprint)
    assert not is_whole(place, Identity(**{**said, **other}).fingerprint)


def test_the_order_of_inputs_and_settings_means_nothing():
    one = Identity(kind="x", version=1, inputs={"a": "1", "b": "2"}, settings={"c": 3, "d": (1, 2)})
    other = Identity(kind="x", version=1, inputs={"b": "2", "a": "1"}, settings={"d": [1, 2], "c": 3})
    assert one.fingerprint == other.fingerprint


def test_another_version_of_the_code_has_another_fingerprint(monkeypatch):
    before = IDENTITY.fingerprint
    monkeypatch.setattr(artifacts, "__version__", "99")
    assert IDENTITY.fingerprint != before


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda place: flip_a_bit(place / "deep" / "er" / "b.npy"), r"b\.npy does not match its checksum"),
        (lambda place: (place / "a.npy").write_bytes(b""), r"a\.npy has 0 bytes, not 1"),
        (lambda place: (place / "a.npy").write_bytes(b"aa"), r"a\.npy has 2 bytes, not 1"),
        (lambda place: (place / "a.npy").unlink(), r"a\.npy is missing"),
        (lambda place: (place / "deep" / "c").write_bytes(b""), "deep/c is not listed"),
        (lambda place: (place / "deep" / MANIFEST).write_bytes(b""), "deep/manifest.json is not listed"),
        (lambda place: (place / "nothing").rmdir(), "empty directory nothing"),
        (lambda place: (place / "more").mkdir(), "empty directory more"),
        (lambda place: (place / MANIFEST).unlink(), "it was not finished"),
        (lambda place: (place / MANIFEST).write_bytes(b""), "cannot be read"),
        (lambda place: (place / MANIFEST).write_bytes(b"\xff\xfe"), "cannot be read"),
        (lambda place: (place / MANIFEST).write_bytes(b"[" * 100_000), "cannot be read"),
        (lambda place: (place / "more").symlink_to("/etc/hostname"), "more is a link or a device"),
        (lambda place: (place / "more").symlink_to(place / "deep"), "more is a link or a device"),
        (lambda place: os.mkfifo(place / "more"), "more is a link or a device"),
    ],
)
def test_damage_is_named(place, damage, says):
    damage(place)
    with pytest.raises(ArtifactError, match=says):
        verify(place)
    assert not is_whole(place, IDENTITY.fingerprint)


def test_a_file_that_became_a_link_to_the_same_content_is_refused(place, tmp_path):
    (place / "a.npy").rename(tmp_path / "elsewhere")
    (place / "a.npy").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="link"):
        verify(place)


def test_a_manifest_that_is_a_link_is_refused(place, tmp_path):
    (place / MANIFEST).rename(tmp_path / "elsewhere")
    (place / MANIFEST).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="link"):
        verify(place)


def altered(place, change):
    said = json.loads((place / MANIFEST).read_text())
    change(said)
    (place / MANIFEST).write_text(json.dumps(said))


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/hostname", "deep/../a.npy", "./a.npy", "a.npy/", "deep//er/b.npy", "", ".", "a\x00", MANIFEST],
)
def test_a_manifest_that_leads_elsewhere_is_refused(place, name):
    (place.parent / "outside").write_bytes(b"a")
    altered(place, lambda said: said["files"].update({name: said["files"]["a.npy"]}))
    with pytest.raises(ArtifactError, match="manifest"):
        read_manifest(place)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["identity"]["inputs"].update(listens="cd" * 32),
        lambda said: said["identity"]["settings"].update(factors=16),
        lambda said: said["identity"].update(seed=1),
        lambda said: said.update(code="99"),
        lambda said: said.update(fingerprint="0" * 64),
        lambda said: said.update(identity=None),
        lambda said: said["identity"].update(mood="blue"),
        lambda said: said["identity"].pop("kind"),
        lambda said: said.pop("files"),
        lambda said: said.pop("empty_directories"),
        lambda said: said.update(rows={"items": "many"}),
        lambda said: said.update(rows=[]),
        lambda said: said.update(files=[]),
        lambda said: said["files"].update({"a.npy": [1]}),
        lambda said: said["files"].update({"a.npy": [-1, "0" * 64]}),
        lambda said: said["files"].update({"a.npy": [1, "0" * 63]}),
        lambda said: said["files"].update({"a.npy": None}),
    ],
)
def test_a_manifest_that_was_altered_is_refused(place, change):
    altered(place, change)
    with pytest.raises(ArtifactError, match="manifest"):
        read_manifest(place)


@pytest.mark.parametrize("content", ["null", "[]", "3", '"x"'])
def test_a_manifest_of_something_else_is_refused(place, content):
    (place / MANIFEST).write_text(content)
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_manifest(place)


def test_a_place_that_is_a_file_holds_no_artifact(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtifactError, match="it was not finished"):
        verify(tmp_path / "file")


def test_a_disk_that_cannot_be_read_is_damage(place, monkeypatch):
    def fail(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(artifacts, "file_digest", fail)
    with pytest.raises(ArtifactError, match="Input/output error"):
        verify(place)


def test_an_error_in_the_block_leaves_what_was_there(place):
    with pytest.raises(FileNotFoundError), writing(place, IDENTITY) as draft:
        (draft.path / "new" / "deep").write_bytes(b"")
    assert is_whole(place, IDENTITY.fingerprint)
    assert [path.name for path in place.parent.iterdir()] == ["space"]


def test_writing_again_replaces(place):
    other = Identity(kind="space", version=4)
    with writing(place, other) as draft:
        (draft.path / "new").write_bytes(b"n")
        # The old one is served while the new one is being written.
        assert is_whole(place, IDENTITY.fingerprint)
    assert verify(place).files.keys() == {"new"}
    assert [path.name for path in place.parent.iterdir()] == ["space"]


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/hostname"), os.mkfifo])
def test_links_and_pipes_cannot_be_written(tmp_path, make):
    with pytest.raises(ArtifactError, match="link or a device"), writing(tmp_path / "x", IDENTITY) as draft:
        make(draft.path / "more")
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_an_odd_name_is_verified(tmp_path):
    with writing(tmp_path / "x", IDENTITY) as draft:
        (draft.path / 'é \n"').write_bytes(b"1")
        (draft.path / os.fsdecode(b"\xff")).write_bytes(b"2")
    assert len(verify(tmp_path / "x").files) == 2


def test_a_discarded_artifact_is_gone(place):
    discard(place)
    assert list(place.parent.iterdir()) == []


def test_a_small_file_is_replaced_whole(tmp_path):
    write_file(tmp_path / "CURRENT", b"one")
    write_file(tmp_path / "CURRENT", b"two")
    assert (tmp_path / "CURRENT").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["CURRENT"]


def test_a_digest_is_that_of_the_content(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    # From FIPS 180-2, appendix B.1.
    assert file_digest(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_within_a_block_a_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    read = []

    def digest(file, name, digesting=hashlib.file_digest):
        read.append(Path(file.name).name)
        return digesting(file, name)

    monkeypatch.setattr(hashlib, "file_digest", digest)
    large, link, small = (tmp_path / name for name in ("large", "link", "small"))
    large.write_bytes(bytes(LEAST_KEPT))
    link.hardlink_to(large)
    small.write_bytes(bytes(LEAST_KEPT - 1))
    with digests_kept():
        zeros = file_digest(large)
        with digests_kept():
            assert file_digest(link) == zeros
        assert file_digest(small) == file_digest(small) != zeros
        assert read == ["large", "small", "small"]
        with large.open("r+b") as file:
            file.write(b"x")
        os.utime(large, ns=(0, 0))  # the clock of a file system may not have moved on yet
        assert file_digest(link) == hashlib.sha256(b"x" + bytes(LEAST_KEPT - 1)).hexdigest()
        assert file_digest(large) == file_digest(link)
    assert read == ["large", "small", "small", "link"]
    assert file_digest(large) == file_digest(large)
    assert read[4:] == ["large", "large"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "failed"),
        (errno.EFBIG, "ulimit"),
    ],
)
def test_what_the_disk_says_becomes_a_storage_error(tmp_path, code, says):
    with pytest.raises(StorageError, match=says) as caught, translated_storage_errors(tmp_path):
        raise OSError(code, os.strerror(code), "some/file")
    assert str(caught.value).startswith("some/file: ")
    assert isinstance(caught.value.__cause__, OSError)


def test_other_errors_of_the_system_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), translated_storage_errors(tmp_path):
        (tmp_path / "x").read_bytes()


def test_an_array_that_the_disk_took_in_part_is_a_storage_error(tmp_path):
    """NumPy says so without an error number; under a limit on the size of files it is the same as on a full disk."""
    script = (
        "import resource, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from crossfade.core.artifacts import Identity, writing\n"
        "from crossfade.core.errors import StorageError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try:\n"
        "    with writing(Path(sys.argv[1]), Identity(kind='x', version=1)) as draft:\n"
        "        np.save(draft.path / 'a.npy', np.zeros(100_000))\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, tmp_path / "x"], capture_output=True, text=True, check=True)
    assert "full or failing" in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_arrays_written_inside_are_verified(tmp_path):
    with writing(tmp_path / "x", IDENTITY) as draft:
        np.save(draft.path / "a.npy", np.arange(5))
    assert np.load(tmp_path / "x" / "a.npy").tolist() == [0, 1, 2, 3, 4]
    assert verify(tmp_path / "x").files["a.npy"][0] == 128 + 5 * 8  # NumPy's header and five int64


def test_everything_is_on_the_disk_before_the_artifact_has_its_name(tmp_path, monkeypatch):
    """A kill does not show this; after a power loss it decides whether a name leads to content."""
    done = []
    fsync, rename = os.fsync, type(tmp_path).rename

    def noted_fsync(descriptor):
        done.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def noted_rename(path, target):
        done.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(type(tmp_path), "rename", noted_rename)
    with writing(tmp_path / "x", IDENTITY) as draft:
        (draft.path / "deep").mkdir()
        (draft.path / "deep" / "a").write_bytes(b"a")
    inside = ("", "/deep", "/deep/a", f"/{MANIFEST}")
    before, after = done[: done.index("renamed")], done[done.index("renamed") :]
    assert {f"{draft.path}{name}" for name in inside} <= set(before)
    assert after == ["renamed", str(tmp_path)]
    done.clear()
    write_file(tmp_path / "CURRENT", b"one")
    assert len(done) == 3
    assert done[0].startswith(str(tmp_path / ".CURRENT."))
    assert done[1:] == ["renamed", str(tmp_path)]


def test_an_artifact_that_is_replaced_or_removed_meanwhile_is_not_damaged(place, monkeypatch):
    def acting_first(act):
        def acted(path):
            monkeypatch.setattr(artifacts, "read_manifest", read_manifest)
            manifest = read_manifest(path)
            act()
            return manifest

        monkeypatch.setattr(artifacts, "read_manifest", acted)

    def replace():
        with writing(place, IDENTITY) as draft:
            (draft.path / "other").write_bytes(b"other")

    acting_first(replace)
    assert verify_unless_replaced(place).files.keys() == {"other"}
    acting_first(lambda: (place / "other").write_bytes(b"OTHER"))
    with pytest.raises(ArtifactError, match="does not match its checksum"):
        verify_unless_replaced(place)
    acting_first(lambda: discard(place))
    assert verify_unless_replaced(place) is None


def test_verifying_beside_a_writer_finds_no_damage(tmp_path):
    place, done, found = tmp_path / "space", threading.Event(), []

    def write():
        for number in range(60):
            with writing(place, IDENTITY) as draft:
                for name in "abc"[: 1 + number % 3]:
                    (draft.path / name).write_bytes(bytes([number]) * 1000)
            if number % 4 == 3:
                discard(place)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        found.append(verify_unless_replaced(place))
    writer.join()
    assert None in found
    assert any(found)
