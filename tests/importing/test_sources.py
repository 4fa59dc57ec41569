"""What a person names, opened: folders and archives, sound and hostile."""

import gzip
import io
import os
import tarfile
import time
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from crossfade.core.errors import InputError
from crossfade.formats import streams
from crossfade.importing.opening import open_input
from crossfade.importing.sources import Input


def contents(found: Input) -> dict[str, bytes]:
    return {member.name: found.open(member).read() for member in found.members}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


FILES = {"b/2.csv": b"two\n" * 9, "a/1.csv": b"one\n" * 9, "c.csv": b"three\n"}


def test_a_file_is_one_member(tmp_path: Path) -> None:
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(b"one\n"))
    found = open_input(tmp_path / "log.csv.gz")
    (member,) = found.members
    assert (member.name, str(member.relative), member.head) == ("log.csv.gz", "log.csv", b"one\n")
    assert contents(found) == {"log.csv.gz": b"one\n"}


def test_a_folder_is_its_files_by_path_without_links_and_hidden_ones(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".hidden").write_bytes(b"x")
    (tmp_path / "link.csv").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe")  # would wait for ever if it were opened
    (tmp_path / "empty.csv").touch()
    found = open_input(tmp_path)
    assert [member.name for member in found.members] == ["a/1.csv", "b/2.csv", "c.csv"]
    assert contents(found) == FILES
    assert dict(found.skipped) == {
        "link.csv": "a link or a device, not a file",
        "pipe": "a link or a device, not a file",
        "empty.csv": "an empty file",
    }


def test_a_zip_is_its_files_by_path(tmp_path: Path) -> None:
    found = open_input(zipped(tmp_path / "my.zip", {**FILES, "d.csv.gz": gzip.compress(b"four\n")}))
    assert [member.name for member in found.members] == [
        "my.zip:a/1.csv",
        "my.zip:b/2.csv",
        "my.zip:c.csv",
        "my.zip:d.csv.gz",
    ]
    assert str(found.members[0].relative) == "a/1.csv"
    assert contents(found)["my.zip:d.csv.gz"] == b"four\n"
    assert contents(found)["my.zip:b/2.csv"] == FILES["b/2.csv"]


@pytest.mark.parametrize("packed", [lambda tar: tar, gzip.compress, lambda tar: pa.compress(tar, "zstd", asbytes=True)])
def test_a_tar_is_its_files_in_any_order_they_are_asked_for(tmp_path: Path, packed) -> None:
    (tmp_path / "dump.tar.zst").write_bytes(packed(tarred({**FILES, "d.csv.gz": gzip.compress(b"four\n")})))
    found = open_input(tmp_path / "dump.tar.zst")
    assert [str(member.relative) for member in found.members] == ["b/2.csv", "a/1.csv", "c.csv", "d.csv"]
    expected = [*FILES.values(), b"four\n"]
    assert list(contents(found).values()) == expected
    backwards = [found.open(member).read() for member in reversed(found.members)]
    assert backwards == expected[::-1]


def test_an_archive_in_a_folder_is_opened_too(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    zipped(tmp_path / "deep" / "my.zip", {"1.csv": b"one\n"})
    (member,) = open_input(tmp_path).members
    assert (member.name, str(member.relative)) == ("deep/my.zip:1.csv", "deep/1.csv")


HOSTILE = ["../../etc/evil.csv", "/etc/evil.csv", "a/../../evil.csv", "..\\evil.csv", "C:\\evil.csv"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_lead_out_of_an_archive_are_not_read(tmp_path: Path, name: str) -> None:
    zipped(tmp_path / "evil.zip", {name: b"x\n", "good.csv": b"y\n"})
    (tmp_path / "evil.tar").write_bytes(tarred({name: b"x\n", "good.csv": b"y\n"}))
    for archive in ("evil.zip", "evil.tar"):
        found = open_input(tmp_path / archive)
        assert list(contents(found).values()) == [b"y\n"]
        assert [why for _, why in found.skipped] == ["its name points outside the archive"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["evil.tar", "evil.zip"]


def test_links_and_devices_in_a_tar_are_not_read(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"odd{kind!r}")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("good.csv")
        info.size = 2
        archive.addfile(info, io.BytesIO(b"y\n"))
    (tmp_path / "odd.tar").write_bytes(packed.getvalue())
    found = open_input(tmp_path / "odd.tar")
    assert list(contents(found).values()) == [b"y\n"]
    assert [why for _, why in found.skipped] == ["a link or a device, not a file"] * 4


def test_a_link_in_a_zip_is_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.csv", "y\n")
    assert list(contents(open_input(tmp_path / "odd.zip")).values()) == [b"y\n"]


def test_an_encrypted_member_is_skipped_by_name(tmp_path: Path) -> None:
    path = zipped(tmp_path / "locked.zip", {"locked.csv": b"x\n", "open.csv": b"y\n"})
    content = bytearray(path.read_bytes())
    # Bit 0 of the flags, in the entry's own header and in the central directory.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    found = open_input(path)
    assert list(contents(found).values()) == [b"y\n"]
    assert found.skipped[0][0] == "locked.zip:locked.csv"
    assert "encrypted" in found.skipped[0][1]


def test_a_zip_bomb_is_refused_unread(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", {f"{number}.csv": bytes(40 << 20) for number in range(3)})
    with pytest.raises(InputError, match="bomb"):
        open_input(path)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def test_a_tar_member_that_says_it_has_32_tebibytes_costs_the_rest_of_the_tar(tmp_path: Path) -> None:
    good = header("1.csv", 4) + b"one\n".ljust(512, b"\0")
    (tmp_path / "x.tar").write_bytes(good + header("2.csv", 32 << 40) + b"two\n")
    begun = time.process_time()
    found = open_input(tmp_path / "x.tar")
    assert contents(found) == {"x.tar:1.csv": b"one\n"}
    assert "expands to more than 100 times its size by its own account" in found.skipped[0][1]
    (tmp_path / "x.tar").write_bytes(header("2.csv", 32 << 40) + b"two\n")
    with pytest.raises(InputError, match="by its own account"):
        open_input(tmp_path / "x.tar")
    assert time.process_time() - begun < 5


def test_a_tar_that_is_cut_short_is_not_read_beyond_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossfade.formats.streams.FREE_BYTES", 1 << 60)
    (tmp_path / "x.tar").write_bytes(header("1.csv", 32 << 40) + b"one\n" + header("2.csv", 1))
    begun = time.process_time()
    with pytest.raises(InputError, match="was cut short"):
        open_input(tmp_path / "x.tar")
    assert time.process_time() - begun < 5


def test_a_sparse_file_in_a_tar_is_skipped(tmp_path: Path) -> None:
    sparse = bytearray(header("holes.csv", 512, tarfile.GNUTYPE_SPARSE))
    # One piece of 512 bytes at the beginning of a file of 32 TiB.
    sparse[386:410] = b"%011o\0%011o\0" % (0, 512)
    sparse[483:495] = b"\x80" + (32 << 40).to_bytes(11, "big")
    sparse[148:156] = b"%06o\0 " % (sum(sparse[:148]) + 8 * ord(" ") + sum(sparse[156:]))
    (tmp_path / "x.tar").write_bytes(bytes(sparse) + b"a,b\n".ljust(512) + header("1.csv", 4) + b"one\n".ljust(512))
    found = open_input(tmp_path / "x.tar")
    assert contents(found) == {"x.tar:1.csv": b"one\n"}
    assert found.skipped == [("x.tar:holes.csv", "a sparse file, most of which is not in the archive")]


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_an_endless_name_in_a_tar_is_not_read_into_memory(kind: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(header("x", 40 << 20, kind) + b"x" * 1000)
    with pytest.raises(InputError, match="damaged tar: a name or attribute of 41,943,040 bytes"):
        open_input(tmp_path / "x.tar")


def test_a_zip_that_lies_about_its_sizes_gives_no_more_than_it_said(tmp_path: Path) -> None:
    path = zipped(tmp_path / "liar.zip", {"1.csv": bytes(100 << 20)})
    content = bytearray(path.read_bytes())
    where = content.index(b"PK\x01\x02")
    content[where + 24 : where + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(content)
    found = open_input(path)
    for member in found.members:
        with pytest.raises(InputError):
            found.open(member).read()


def test_a_zip_in_a_zip_is_opened(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"folder/1.csv": b"x\n", ".DS_Store": b"z"}).read_bytes()
    middle = zipped(tmp_path / "middle.zip", {"inner.zip": inner}).read_bytes()
    found = open_input(zipped(tmp_path / "outer.zip", {"any.dat": middle, "2.csv": b"y\n"}))
    assert [(member.name, str(member.relative)) for member in found.members] == [
        ("outer.zip:2.csv", "2.csv"),
        ("outer.zip:any.dat:inner.zip:folder/1.csv", "folder/1.csv"),
    ]
    assert list(contents(found).values()) == [b"y\n", b"x\n"]
    assert found.skipped == []


ARCHIVE = "an archive inside an archive; unpack it and import it by itself"


def test_other_archives_in_archives_are_named_and_left(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"1.csv": b"x\n"}).read_bytes()
    (tmp_path / "y.tar").write_bytes(tarred({"inner.zip": inner, "2.csv": b"y\n"}))
    assert [why for _, why in open_input(tmp_path / "y.tar").skipped] == [ARCHIVE]
    found = open_input(zipped(tmp_path / "outer.zip", {"x.tar": tarred(FILES), "2.csv": b"y\n"}))
    assert [member.name for member in found.members] == ["outer.zip:2.csv"]
    assert [why for _, why in found.skipped] == [ARCHIVE]


def test_zips_in_zips_end_somewhere(tmp_path: Path) -> None:
    content = b"x\n"
    for _ in range(6):
        content = zipped(tmp_path / "x.zip", {"x": content}).read_bytes()
    found = open_input(tmp_path / "x.zip")
    assert found.members == []
    assert [why for _, why in found.skipped] == [ARCHIVE]


def test_a_damaged_or_exploding_zip_in_a_zip_costs_itself(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"1.csv": b"x\n"}).read_bytes()
    bomb = zipped(tmp_path / "bomb.zip", {f"{number}.csv": bytes(40 << 20) for number in range(3)}).read_bytes()
    parts = {"a.zip": inner[:-30], "b.zip": bomb, "c.csv": b"y\n", "d.zip": b"PK\3\4"}
    found = open_input(zipped(tmp_path / "outer.zip", parts))
    assert list(contents(found).values()) == [b"y\n"]
    assert [name for name, _ in found.skipped] == ["outer.zip:a.zip", "outer.zip:b.zip", "outer.zip:d.zip"]
    assert "decompression bombs" in found.skipped[1][1]


def test_a_damaged_zip_says_so(tmp_path: Path) -> None:
    path = zipped(tmp_path / "cut.zip", FILES)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="damaged zip"):
        open_input(path)


def test_a_cut_tar_keeps_what_came_before(tmp_path: Path) -> None:
    whole = tarred({"1.csv": b"one\n" * 500, "2.csv": b"two\n" * 5000})
    (tmp_path / "cut.tar").write_bytes(whole[:9000])
    found = open_input(tmp_path / "cut.tar")
    assert found.open(found.members[0]).read() == b"one\n" * 500
    assert found.skipped or len(found.members) == 2


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossfade.importing.sources.MAX_MEMBERS", 2)
    with pytest.raises(InputError, match="more than 2 files"):
        open_input(zipped(tmp_path / "many.zip", FILES))


def test_heads_are_short_after_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossfade.importing.sources.MANY", 1)
    found = open_input(zipped(tmp_path / "many.zip", {"1": b"x" * 100_000, "2": b"x" * 100_000}))
    assert [len(member.head) for member in found.members] == [64 << 10, 2 << 10]


def test_what_is_not_there_and_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        open_input(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        open_input(tmp_path / "pipe")


def test_a_parquet_file_shows_its_footer_wherever_it_lies(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"listened_at": range(100_000), "colour": ["red"] * 100_000}), tmp_path / "x.parquet")
    content = (tmp_path / "x.parquet").read_bytes()
    zipped(tmp_path / "x.zip", {"x.parquet": content})
    for path in (tmp_path / "x.parquet", tmp_path / "x.zip"):
        (member,) = open_input(path).members
        assert b"colour" in member.footer


def test_progress_never_falls_and_ends_at_the_size(tmp_path: Path) -> None:
    path = tmp_path / "log.tar.gz"
    path.write_bytes(gzip.compress(tarred({f"{n}.csv": os.urandom(100_000) for n in range(5)})))
    found = open_input(path)
    told: list[float] = []
    found.report(lambda done, total, unit: told.append(done), path.stat().st_size)
    for member in (*found.members, *found.members):
        found.open(member).read()
    assert told == sorted(told)
    assert told[-1] == path.stat().st_size


def test_limits_have_their_order() -> None:
    assert streams.PIECE_BYTES < streams.MAX_LINE_BYTES < streams.BLOCK_BYTES < streams.FREE_BYTES
