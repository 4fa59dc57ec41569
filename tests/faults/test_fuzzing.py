"""Files of every format, spoiled at random and imported as a user would.

Whatever is in a file, an import ends in time, within memory, with rows that fit their tables, or with an `InputError`.
A failure names its case: run it again with CROSSFADE_FUZZ_CASE=SEED:NUMBER. CROSSFADE_FUZZ_SECONDS is how long the slow
test goes on, CROSSFADE_FUZZ_SEED where it begins.
"""

import bz2
import gzip
import io
import lzma
import os
import random
import re
import resource
import runpy
import shutil
import signal
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

from crossfade.core.errors import InputError
from crossfade.core.home import Home
from crossfade.core.kinds import KINDS
from crossfade.core.schemas import TABLES
from crossfade.formats.registry import FORMATS
from crossfade.importing.cleaning import MAX_TEXT
from crossfade.importing.imports import import_paths
from crossfade.importing.ledger import Ledger

NOW = 1_800_000_000.0
EXAMPLES: Mapping[str, Mapping[str, bytes]] = runpy.run_path(
    str(Path(__file__).parents[1] / "formats" / "examples.py")
)["EXAMPLES"]

SECONDS = 3.0  # of CPU, for any file
SECONDS_A_BYTE = 10e-6  # and for each byte of its content: the slowest formats take a tenth of that
MEMORY = 512 << 10  # KiB that all files together may add
LARGEST = 4 << 20  # bytes of a spoiled file before it is packed

Chance = random.Random
Mutator = Callable[[bytes, Chance, list[bytes]], bytes]


def span(content: bytes, chance: Chance) -> slice:
    """Some part of ``content``, more often a short one."""
    at = chance.randint(0, len(content))
    return slice(at, min(len(content), at + int(chance.expovariate(0.01))))


def flipped(content: bytes, chance: Chance, _: list[bytes]) -> bytes:
    spoiled = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8, 64)) if content else 0):
        spoiled[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(spoiled)


def cut(content: bytes, chance: Chance, _: list[bytes]) -> bytes:
    part = span(content, chance)
    return content[: part.start] if chance.random() < 0.5 else content[: part.start] + content[part.stop :]


def spliced(content: bytes, chance: Chance, others: list[bytes]) -> bytes:
    other = chance.choice(others)
    return content[: chance.randint(0, len(content))] + other[chance.randint(0, len(other)) :]


def repeated(content: bytes, chance: Chance, _: list[bytes]) -> bytes:
    part = span(content, chance)
    times = chance.choice((2, 3, 50, 2000, 200_000))
    return (
        content[: part.start]
        + content[part] * min(times, 1 + LARGEST // (len(content[part]) + 1))
        + content[part.stop :]
    )


NUMBERS = [
    *(b"0", b"-1", b"1e999", b"-1e400", b"9" * 400, b"NaN", b"Infinity", b"1_0", b"0x10", b"1.5", b"2147483648"),
    *(b"9223372036854775808", b"-9223372036854775809", b"253402300800000", "٣".encode(), b"true", b"null", b""),
]


def renumbered(content: bytes, chance: Chance, _: list[bytes]) -> bytes:
    """With another number in the place of some of the numbers, times and dates."""
    share = chance.choice((0.02, 0.2, 1.0))
    return re.sub(rb"\d+", lambda found: chance.choice(NUMBERS) if chance.random() < share else found[0], content)


def nested(content: bytes, chance: Chance, _: list[bytes]) -> bytes:
    begin, end = chance.choice(
        ((b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"<dict>", b"</dict>"), (b'"', b'"'))
    )
    depth = chance.choice((1, 3, 70, 5000, 100_000))
    part = span(content, chance)
    inside = begin * depth + content[part] + end * (depth if chance.random() < 0.5 else 0)
    return content[: part.start] + inside + content[part.stop :]


def recoded(content: bytes, chance: Chance, _: list[bytes]) -> bytes:
    text = content.decode("utf-8", "replace")
    codec = chance.choice(
        ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "utf-8-sig", "latin-1", "cp1252", "koi8-r")
    )
    return text.encode(codec, "replace")


def reheaded(content: bytes, chance: Chance, others: list[bytes]) -> bytes:
    """Below the first line of another file, or with the columns in another order."""
    first, end, rest = content.partition(b"\n")
    if chance.random() < 0.5:
        return chance.choice(others).partition(b"\n")[0] + end + rest
    mark = chance.choice((b",", b"\t", b";"))
    columns = first.split(mark)
    chance.shuffle(columns)
    return mark.join(columns) + end + rest


def shuffled(content: bytes, chance: Chance, _: list[bytes]) -> bytes:
    mark = chance.choice((b"\n", b",", b"}", b"<", b'"'))
    parts = content.split(mark)
    chance.shuffle(parts)
    return mark.join(parts)


WORDS = [
    *(
        b"\0",
        b"\xff\xfe",
        b"\r",
        b"\n\n",
        b'"',
        b'""',
        b"\\",
        b"\\ud800",
        b"\\u0000",
        b"&amp;",
        b"&lol;",
        b"<!--",
        b"]]>",
    ),
    *(b"<!DOCTYPE x [<!ENTITY lol 'x'>]>", b"<![CDATA[", b"{}", b"[]", b",", b"\t", b":", "\u202e\u2028".encode()),
    *(b"x" * 70_000, b" " * 70_000, b"../../x", b"2 Jan 2020, 10:00:00 CET", b"PK\3\4", b"PAR1", b"BZh9"),
]


def interrupted(content: bytes, chance: Chance, _: list[bytes]) -> bytes:
    for _ in range(chance.choice((1, 1, 3, 20))):
        part = span(content, chance)
        content = content[: part.start] + chance.choice(WORDS) + content[chance.choice((part.start, part.stop)) :]
    return content


MUTATORS: list[Mutator] = [
    flipped,
    cut,
    spliced,
    repeated,
    renumbered,
    nested,
    recoded,
    reheaded,
    shuffled,
    interrupted,
]


def spoiled(content: bytes, chance: Chance, others: list[bytes]) -> bytes:
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        content = chance.choice(MUTATORS)(content, chance, others)[:LARGEST]
    return content


def zipped(files: Mapping[str, bytes], name: str = "") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            archive.writestr(name + file, content)
    return packed.getvalue()


def tarred(files: Mapping[str, bytes], mode: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for file, content in files.items():
            info = tarfile.TarInfo(f"folder/{file}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def spreadsheet(files: Mapping[str, bytes]) -> bytes:
    """The lines of the first file as a sheet."""
    cells = re.sub(r"[<>&\x00-\x08\x0b-\x1f\ufffe\uffff]", "", next(iter(files.values())).decode("utf-8", "replace"))
    rows = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in line.split(",")) + "</row>"
        for line in cells.split("\n")[:5000]
    )
    parts = {
        "workbook.xml": '<workbook xmlns:r="r"><sheets><sheet name="A" r:id="a"/></sheets></workbook>',
        "_rels/workbook.xml.rels": '<Relationships><Relationship Id="a" Target="1.xml"/></Relationships>',
        "1.xml": f"<worksheet><sheetData>{rows}</sheetData></worksheet>",
    }
    return zipped({part: text.encode() for part, text in parts.items()}, "xl/")


def packed(files: Mapping[str, bytes], chance: Chance) -> dict[str, bytes]:
    """The files as they are, or in one archive, which may itself be spoiled."""
    compress = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
    how = chance.choice(("plain", "plain", "plain", "compressed", "zip", "zips", "tar", "tar.gz", "xlsx"))
    if how == "plain":
        return dict(files)
    if how == "compressed":
        suffix = chance.choice((*compress, ".zst"))
        pack = compress.get(suffix) or (lambda content: pa.compress(content, "zstd", asbytes=True))
        archives = {file + suffix: pack(content) for file, content in files.items()}
    elif how == "zips":
        inner = {chance.choice(("inner.zip", "x.json", "a/b")): zipped(files, "folder/")}
        archives = {"outer.zip": zipped({**inner, "readme.txt": b"x"})}
    else:
        make = {
            "zip": zipped,
            "xlsx": spreadsheet,
            "tar": lambda f: tarred(f, "w"),
            "tar.gz": lambda f: tarred(f, "w:gz"),
        }
        archives = {f"archive.{how}": make[how](files)}
    if chance.random() < 0.4:
        archives = {file: chance.choice((flipped, cut))(content, chance, []) for file, content in archives.items()}
    return archives


class Slow(BaseException):
    """An import that does not end."""


@contextmanager
def ending(seconds: float) -> Iterator[None]:
    """Raise Slow inside after ``seconds``."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise Slow(f"goes on for {seconds:.0f} seconds")

    before = signal.signal(signal.SIGALRM, late)
    left = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        # Of the whole test, there is a limit too.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *left)


def check_tables(place: Path, ledger: Ledger) -> None:
    """Assert that what an import kept fits its tables."""
    for name, schema in TABLES.items():
        files = sorted((place / name).glob("*.parquet")) if name == "listens" else sorted(place.glob(f"{name}.parquet"))
        rows = pa.concat_tables([ds.dataset(file).to_table() for file in files]) if files else schema.empty_table()
        assert ledger.tables.get(name, 0) == len(rows)
        rows.validate(full=True)
        assert rows.schema.names == schema.names
        for field in schema:
            column = rows[field.name]
            assert column.type == field.type
            assert field.nullable or not column.null_count, f"null in {name}.{field.name}"
            if field.type == pa.string() and len(rows) and field.name != "text":
                assert not pc.any(pc.match_substring(column, "\0")).as_py(), f"NUL in {name}.{field.name}"
                assert (pc.max(pc.utf8_length(column)).as_py() or 0) <= MAX_TEXT, f"a long {name}.{field.name}"
            if field.name == "kind":
                assert set(column.to_pylist()) <= set(KINDS)
        for column, (least, most) in BOUNDS.get(name, {}).items():
            low, high = pc.min_max(rows[column].cast(pa.int64())).as_py().values()
            assert low is None or (least <= low and high <= most), f"{low} to {high} in {name}.{column}"


DAY = 86_400_000
BOUNDS = {
    "listens": {
        "listened_at": (946_684_800_000, int(NOW * 1000) + DAY),
        "ms_played": (0, DAY),
        "duration_ms": (0, DAY),
    },
    "counts": {"plays": (1, 10**10)},
    "feedback": {"score": (-1, 1)},
    "playlist_items": {"position": (0, 2**31)},
}


def fuzz(case: str, directory: Path) -> bool:
    """Import the spoiled files of ``case``, and check the result; return whether anything was imported."""
    chance = random.Random(case)
    name = chance.choice(sorted(FORMATS))
    others = [content for files in EXAMPLES.values() for content in files.values()]
    files = {file: spoiled(content, chance, others) for file, content in EXAMPLES[name].items()}
    folder = directory / "in"
    folder.mkdir()
    stored = packed(files, chance)
    for file, content in stored.items():
        place = folder / file.lstrip(".")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    path = folder if len(stored) > 1 else folder / next(iter(stored)).lstrip(".")
    wanted = chance.choice((None, None, name, chance.choice(sorted(FORMATS))))
    limit = SECONDS + SECONDS_A_BYTE * sum(map(len, files.values()))
    home = Home(directory / "home")
    began, message = time.process_time(), ""
    try:
        with ending(20 * limit):
            (ledger,) = import_paths(home, [path], format=wanted, now=NOW)
    except InputError as error:
        ledger, message = None, str(error)
    seconds = time.process_time() - began
    assert seconds < limit, f"{seconds:.1f} s for {sum(map(len, files.values()))} bytes"
    assert len(message) < 4000
    if ledger is not None:
        ledger.check()
        check_tables(home.listens / ledger.name, ledger)
    shutil.rmtree(folder)
    shutil.rmtree(home.path, ignore_errors=True)
    return ledger is not None


def fuzz_all(seed: int, until: Callable[[int], bool], directory: Path) -> tuple[int, int]:
    """Try the cases of ``seed`` until that number is enough; return how many were tried and imported."""
    number = imported = 0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while not until(number):
        case = f"{seed}:{number}"
        try:
            imported += fuzz(case, directory)
        except BaseException as error:
            raise AssertionError(f"CROSSFADE_FUZZ_CASE={case}: {type(error).__name__}: {error}") from error
        number += 1
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used
        assert grown < MEMORY, f"CROSSFADE_FUZZ_CASE={case}: {grown >> 10} MiB more memory"
    return number, imported


def test_spoiled_files_of_every_format_cost_rows_or_files_and_nothing_else(directory: Path) -> None:
    if case := os.environ.get("CROSSFADE_FUZZ_CASE"):
        fuzz(case, directory)
        return
    _, imported = fuzz_all(1, lambda number: number == 120, directory)
    assert imported > 30


@pytest.mark.slow
def test_many_more_of_them(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("CROSSFADE_FUZZ_SEED") or random.SystemRandom().randrange(10**6))
    end = time.monotonic() + float(os.environ.get("CROSSFADE_FUZZ_SECONDS") or 600)
    with capsys.disabled():
        print(f"\nCROSSFADE_FUZZ_SEED={seed}", flush=True)
        tried, imported = fuzz_all(seed, lambda _: time.monotonic() > end, directory)
        print(f"{tried:,} spoiled files tried, {imported:,} imported")
    assert imported > tried / 10
