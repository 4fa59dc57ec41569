"""Bytes of damaged and hostile files."""

import bz2
import gzip
import hashlib
import io
import lzma

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.errors import InputError
from crossfade.formats import streams


def opened(content: bytes, name: str = "file") -> io.BufferedReader:
    raw = io.BytesIO(content)
    return streams.decompressed(raw, name, raw.tell)


def until_damage(content: bytes) -> tuple[list[bytes], str | None]:
    got: list[bytes] = []
    try:
        for _, line in streams.lines(opened(content)):
            got.append(line)
    except InputError as error:
        return got, str(error)
    return got, None


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


COMPRESSORS = {
    "gzip": gzip.compress,
    "zstd": zstd,
    "bzip2": lambda content: bz2.compress(content, 1),
    "xz": lzma.compress,
}
NUMBERED = b"".join(b"line number %d of a log\n" % number for number in range(100_000))


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_compression_is_told_by_content_and_taken_off(kind: str) -> None:
    packed = COMPRESSORS[kind](NUMBERED)
    assert streams.compression(packed) == kind
    assert opened(packed).read() == NUMBERED
    # Some tools write several frames one after the other.
    assert opened(packed + packed).read() == NUMBERED + NUMBERED


def test_layers_of_compression_are_taken_off_up_to_a_limit() -> None:
    assert opened(gzip.compress(zstd(b"a\n"))).read() == b"a\n"
    packed = b"a\n"
    for _ in range(streams.MAX_LAYERS + 1):
        packed = gzip.compress(packed)
    with pytest.raises(InputError, match="times over"):
        opened(packed)


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_what_was_good_before_a_cut_is_kept(kind: str) -> None:
    # Random text, so that half of the packed bytes is about half of the lines.
    noise = b"".join(hashlib.sha256(b"%d" % seed).hexdigest().encode() + b"\n" for seed in range(30_000))
    packed = COMPRESSORS[kind](noise)
    got, why = until_damage(packed[: len(packed) // 2])
    whole = noise.split(b"\n")
    assert why is not None
    assert "damaged" in why
    assert len(got) > 0.4 * len(whole)
    assert got[:-1] == whole[: len(got) - 1]


def test_a_flipped_byte_ends_a_gzip() -> None:
    packed = bytearray(gzip.compress(NUMBERED))
    packed[len(packed) // 2] ^= 0xFF
    got, why = until_damage(bytes(packed))
    assert why is not None or got != NUMBERED.splitlines()


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_a_decompression_bomb_is_refused_soon(kind: str) -> None:
    bomb = COMPRESSORS[kind](bytes(100 << 20))
    stream = opened(bomb, "bomb")
    passed: list[int] = []
    with pytest.raises(InputError, match="bomb"):
        passed.extend(map(len, streams.pieces(stream)))
    assert sum(passed) < 2 * streams.FREE_BYTES


def test_a_gzip_of_equal_rows_is_read_to_a_limit() -> None:
    row = b"anna,Low,Fly,2006-03-26T12:00:12Z\n"
    packed = gzip.compress(row * (40_000_000 // len(row)), 1)
    assert 40_000_000 / len(packed) < 200  # less than zeros, but no list of listens is like that
    passed: list[int] = []
    with pytest.raises(InputError, match="expands to more than 100 times its size"):
        passed.extend(map(len, streams.pieces(opened(packed))))
    # The file is read ahead of the decompressor by up to 256 KiB.
    assert sum(passed) < streams.FREE_BYTES + (streams.MAX_RATIO << 18)


def test_a_bomb_cannot_hide_in_layers() -> None:
    bomb = gzip.compress(gzip.compress(bytes(100 << 20)))
    with pytest.raises(InputError, match="bomb"):
        list(streams.pieces(opened(bomb)))


def test_a_line_of_ten_megabytes_is_cut_and_the_next_one_is_whole() -> None:
    content = b"first\n" + b"x" * 10_000_000 + b"\nlast"
    found = [(number, len(line)) for number, line in streams.lines(opened(content))]
    assert found == [(1, 5), (2, streams.MAX_LINE_BYTES), (3, 4)]


def test_a_last_line_of_ten_megabytes_is_cut() -> None:
    found = [len(line) for _, line in streams.lines(opened(b"x" * 10_000_000))]
    assert found == [streams.MAX_LINE_BYTES]


@given(content=st.binary(max_size=300), piece=st.integers(1, 7))
def test_lines_are_those_between_line_feeds(content: bytes, piece: int) -> None:
    class Trickle(io.RawIOBase):
        source = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:
            got = self.source.read(min(piece, len(buffer)))
            buffer[: len(got)] = got
            return len(got)

    expected = content.split(b"\n")
    if not expected[-1]:
        expected.pop()
    found = list(streams.lines(io.BufferedReader(Trickle(), 8)))
    assert [number for number, _ in found] == list(range(1, len(expected) + 1))
    assert [line for _, line in found] == [line.removesuffix(b"\r") for line in expected]


@given(content=st.binary(max_size=300))
def test_blocks_are_the_content_in_order(content: bytes) -> None:
    found = list(streams.blocks(io.BytesIO(content)))
    assert b"".join(block for _, block in found) == content


def test_blocks_number_their_first_lines() -> None:
    first, second = list(streams.blocks(io.BytesIO(NUMBERED * 3)))
    assert first[0] == 1
    assert second[0] == 1 + first[1].count(b"\n")
    assert len(first[1]) >= streams.BLOCK_BYTES
    assert first[1].endswith(b"\n")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("ä\nö".encode(), ["ä", "ö"]),
        ("ä\nö".encode("utf-8-sig"), ["ä", "ö"]),
        ("ä\r\nö\n".encode("utf-16"), ["ä", "ö"]),
        (b"\xfe\xff" + "ä\nö\n".encode("utf-16-be"), ["ä", "ö"]),
        ("a\nä\nö".encode("latin-1"), ["a", "ä", "ö"]),
        # The whole file is Latin-1 once its first odd line is, even where a later one could be UTF-8.
        (b"\xe4\n\xc3\xa4\n", ["ä", "Ã¤"]),
        # In a file of UTF-8 one odd line is Latin-1 by itself.
        (b"\xc3\xa4\n\xe4\n\xc3\xb6\n", ["ä", "ä", "ö"]),
        (b"a\x00b\n", ["a\x00b"]),
        (b"", []),
    ],
)
def test_text_is_read_in_its_encoding(content: bytes, expected: list[str]) -> None:
    assert [line for _, line in streams.text_lines(opened(content))] == expected
