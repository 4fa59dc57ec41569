"""The contract of a format, tested on every registered one.

Its own example is recognised and read. Garbage costs rows or files but never more: nothing but InputError
is raised, and the ledger adds up.
"""

import io
import json
import re
import runpy
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.core.home import Home
from crossfade.formats import streams
from crossfade.formats.contract import REASONS
from crossfade.formats.registry import FORMATS, load_format
from crossfade.importing.cleaning import CleaningSettings
from crossfade.importing.feeding import feed
from crossfade.importing.imports import import_paths
from crossfade.importing.ledger import Ledger
from crossfade.importing.publishing import publish
from crossfade.importing.recognition import Recognised, recognise
from crossfade.importing.sink import ImportSink
from crossfade.importing.sources import Input

NOW = 1_800_000_000.0
EXAMPLES: Mapping[str, Mapping[str, bytes]] = runpy.run_path(
    str(Path(__file__).parents[1] / "formats" / "examples.py")
)["EXAMPLES"]

JSON_FORMATS = sorted(name for name, files in EXAMPLES.items() if all(text[:1] in b"[{" for text in files.values()))

every_format = pytest.mark.parametrize("name", sorted(FORMATS))
# The examples are small; the tests are about how they are spoiled.
spoiled = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def in_memory(files: Mapping[str, bytes]) -> Input:
    """Files in memory, opened as those on a disk are."""
    found = Input("memory")
    for file, content in sorted(files.items()):
        raw = content

        def opener(raw: bytes = raw, file: str = file) -> io.BufferedReader:
            inner = io.BytesIO(raw)
            return streams.decompressed(inner, file, inner.tell)

        found.add(file, PurePosixPath(file), opener)
    return found


def read(name: str, files: Mapping[str, bytes], place: Path) -> Ledger:
    """Return the checked ledger of an import of ``files`` as the format ``name``."""
    ledger = Ledger(name="test", source="memory")
    source = in_memory(files)
    sink = ImportSink(place / "staging", ledger, CleaningSettings(), user="me", now=NOW)
    if source.members:
        feed(Recognised(load_format(name), source.members), source, sink)
    sink.finish()
    place.mkdir(exist_ok=True)
    ledger.tables = publish(sink, place, [])
    ledger.check()
    for reason in ledger.dropped:
        assert reason in REASONS
    return ledger


def test_every_format_has_an_example() -> None:
    assert set(EXAMPLES) == set(FORMATS)


@every_format
def test_its_own_example_is_recognised_and_no_other_is(name: str) -> None:
    own = load_format(name)
    for other, files in EXAMPLES.items():
        found, unknown = recognise(Path("memory"), in_memory(files).members, None)
        assert not unknown
        assert ([reading.format.name for reading in found] == [name]) is (other == name)
    assert own.name == name
    assert own.title


@every_format
def test_its_example_as_a_folder_becomes_an_import(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for file, content in EXAMPLES[name].items():
        (place := folder / file.lstrip(".")).parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (ledger,) = import_paths(Home(tmp_path / "home"), [folder], now=NOW)
    assert ledger.formats == [name]
    assert ledger.accepted > 0 or ledger.tables
    assert ledger.damaged == []
    assert set(ledger.dropped) <= {"incomplete"}


@every_format
def test_its_example_makes_no_use_of_how_it_is_packed(name: str, tmp_path: Path) -> None:
    plain = read(name, EXAMPLES[name], tmp_path / "plain")
    packed = {f"{file}.zst": pa.compress(content, "zstd", asbytes=True) for file, content in EXAMPLES[name].items()}
    again = read(name, packed, tmp_path / "packed")
    assert (again.read, again.accepted, again.dropped, again.tables) == (
        plain.read,
        plain.accepted,
        plain.dropped,
        plain.tables,
    )


@every_format
@spoiled
@given(data=st.data())
def test_garbage_after_a_valid_beginning_costs_no_more_than_it_hits(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = dict(EXAMPLES[name])
    file = data.draw(st.sampled_from(sorted(files)))
    cut = data.draw(st.integers(0, len(files[file])))
    garbage = data.draw(
        st.binary(max_size=200)
        | st.text(st.sampled_from('[]{}",:\t\r\n0123456789-e.\0 nulltrue<>#'), max_size=200).map(str.encode)
    )
    files[file] = files[file][:cut] + garbage + data.draw(st.sampled_from([b"", files[file][cut:]]))
    read(name, files, tmp_path_factory.mktemp("spoiled"))


def halved(value: Any) -> Any:
    """Return ``value`` with half a surrogate pair after every name in it: the texts without a digit."""
    if isinstance(value, str):
        return value if re.search(r"\d", value) else value + "\ud800"
    if isinstance(value, list):
        return [halved(part) for part in value]
    return {key: halved(part) for key, part in value.items()} if isinstance(value, dict) else value


def json_texts(content: bytes) -> list[bytes]:
    """Return the JSON values of a file: one, or one a line."""
    lines = content.strip().split(b"\n")
    return lines if all(line[:1] == b"{" for line in lines) else [content]


@pytest.mark.parametrize("name", JSON_FORMATS)
def test_half_a_surrogate_pair_costs_its_row_or_becomes_another_sign(name: str, tmp_path: Path) -> None:
    files = {
        file: b"\n".join(json.dumps(halved(json.loads(part))).encode() for part in json_texts(content))
        for file, content in EXAMPLES[name].items()
    }
    plain, found = read(name, EXAMPLES[name], tmp_path / "plain"), read(name, files, tmp_path / "found")
    assert not found.damaged
    assert found.accepted + found.dropped.get("malformed", 0) == plain.accepted
    if found.accepted:
        titles = pq.read_table(tmp_path / "found" / "tracks.parquet")["name"].to_pylist()
        assert titles
        assert all(title.endswith("\ufffd") for title in titles)


@every_format
def test_the_other_formats_examples_are_no_fault_either(name: str, tmp_path: Path) -> None:
    for other, files in EXAMPLES.items():
        read(name, files, tmp_path / other)


@every_format
def test_a_damaged_file_leaves_the_others(name: str, tmp_path: Path) -> None:
    files = dict(EXAMPLES[name])
    whole = read(name, files, tmp_path / "whole")
    first = min(files)
    # The same file once more, cut in the middle of its compression, before the sound ones.
    cut = pa.compress(files[first] * 50, "zstd", asbytes=True)
    spoilt = read(name, {**files, f"!{first}.zst": cut[: len(cut) // 2]}, tmp_path / "spoilt")
    assert spoilt.accepted >= whole.accepted
    assert all(spoilt.tables.get(table, 0) >= rows for table, rows in whole.tables.items())
