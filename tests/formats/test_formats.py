import re
import time
from pathlib import Path

import pytest

from crossfade.core.home import Home
from crossfade.formats.columns import NAMES
from crossfade.formats.registry import FORMATS, load_format
from crossfade.importing.imports import import_paths


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_called_what_it_is_registered_as(name):
    assert load_format(name).name == name
    assert load_format(name).title


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_of_an_example_is_recognised_as_what_it_is(name, examples, recognised):
    for file, content in examples[name].items():
        sureness = {kind: recognised(kind, file, content) for kind in FORMATS}
        rest = [sure for kind, sure in sureness.items() if kind != name]
        assert 0 < sureness[name] <= 1
        assert sureness[name] > max(rest), (file, sureness)


@pytest.mark.parametrize("name", FORMATS)
def test_every_example_is_read_without_a_fault(name, examples, read):
    found = read(name, examples[name])
    assert found.damage is None
    assert found.listened or found.counted or found.items or any(found.described.values())
    assert {reason for _, reason in found.reasons} <= {"incomplete"}  # what was still playing


@pytest.mark.parametrize("name", FORMATS)
def test_every_example_is_imported_from_its_folder(name, examples, read, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for file, content in examples[name].items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    (ledger,) = import_paths(Home(tmp_path / "home"), [folder])
    found = read(name, examples[name])
    assert ledger.formats == [name]
    assert (ledger.skipped, ledger.damaged) == ([], [])
    assert ledger.plays + ledger.skips == len(found.listened)
    assert ledger.counts == len(found.counted)
    assert ledger.playlist_items == ledger.tables.get("playlist_items", 0) == len(found.items)
    assert ledger.read == len(found.listened) + len(found.counted) + len(found.items) + len(found.dropped)
    assert ledger.tables.get("friends", 0) == len(found.friends)
    assert ledger.tables.get("tags", 0) == len(found.tags)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\x00\x01\x02\xff\xfe binary",
        b"Music Listening Dataset\r\nAudioscrobbler.com\r\n6 May 2005\r\n",
        b"0 148 2800 2079 151\n1 2793 1398\n2 2887 2566 350 150 151\n",  # one line a user
        b'{"albums": [{"title": "x"}]}',
        b"<html><body>playlist</body></html>",
        b"id;colour\n1;red\n2;green\n",
    ],
)
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_none_of_them_is_not_recognised(name, content, recognised):
    assert recognised(name, "something.txt", content) == 0


def spoilt(content, rng):
    """``content`` with a few bytes changed, a piece cut out or doubled, or its end missing."""
    spoiling = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at, to = sorted(rng.integers(0, len(spoiling) + 1, size=2))
        match rng.integers(4):
            case 0:
                spoiling[at : at + 1] = rng.choice(
                    [b"\0", b"\xff", b'"', b"\t", b"\n", b"{", b"]", b"-", b"\\ud800", b"9" * 400]
                )
            case 1:
                del spoiling[at:to]
            case 2:
                spoiling[at:at] = spoiling[at:to]
            case 3:
                del spoiling[max(to, 1) :]
    return bytes(spoiling)


@pytest.mark.parametrize("name", FORMATS)
def test_spoilt_files_cost_rows_or_files_and_nothing_else(name, examples, read, recognised, rng):
    for _ in range(60):
        files = {file: spoilt(content, rng) for file, content in examples[name].items()}
        # Whatever is wrong is dropped with a reason or is damage: any other error would end the test.
        read(name, files)
        for file, content in files.items():
            assert 0 <= recognised(name, file, content) <= 1


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["lastfm-csv", "lastfm-1k", "lastfm-360k", "m3u", "scrobbler-log"])
def test_marks_of_other_encodings_change_nothing(name, mark, examples, read, recognised):
    plain = examples[name]
    marked = {file: content.decode().encode(mark) for file, content in plain.items()}
    expected, found = read(name, plain), read(name, marked)
    assert (found.listened, found.counted, found.items) == (expected.listened, expected.counted, expected.items)
    for file, content in marked.items():
        assert recognised(name, file, content) > 0.5


@pytest.mark.parametrize(
    "name", ["lastfm-csv", "lastfm-1k", "lastfm-360k", "taste-profile", "hetrec", "audioscrobbler", "scrobbler-log"]
)
def test_line_ends_change_nothing(name, examples, read):
    plain = {file: content.replace(b"\r\n", b"\n") for file, content in examples[name].items()}
    found = read(name, {file: content.replace(b"\n", b"\r\n") for file, content in plain.items()})
    assert found == read(name, plain)


def test_the_names_of_columns_are_those_of_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    rows = [row.split("|") for row in page.splitlines() if row.startswith("| `")]
    said = {
        ours: re.findall(r"\w+", names.replace("_", ""))
        for row in rows
        for ours, names in zip(re.findall(r"`(\w+)`", row[1]), row[2].split(";"), strict=False)
        if ours in NAMES
    }
    assert {ours: tuple(names) for ours, names in said.items()} == NAMES


SIZE = 400_000
HOSTILE = {
    "broken records": ("lastfm-json", "x", b"[" + b'{"ts": nope},\n' * (SIZE // 14) + b"]"),
    "every second record is broken": (
        "maloja",
        "x",
        b'{"scrobbles": [' + b'{"time": 1},{"time": nope},' * (SIZE // 27),
    ),
    "texts without an end": ("lastfm-json", "x", b"[" + b'{"a": "x},\n' * (SIZE // 11)),
    "words": ("jspf", "x", b"[" + b"nope, " * (SIZE // 6) + b"]"),
    "quotes": ("spotify", "x", b"[" + b'"' * SIZE),
    "braces": ("spotify-extended", "x", b"[" + (b"{" * 50 + b"}" * 50 + b",") * (SIZE // 101)),
    "a broken page": ("lastfm-json", "x", b'{"track": [' + b'{"a": {}, "b" 1},' * (SIZE // 17) + b"]}"),
    "a directive of blanks": ("m3u", "x.m3u", b"#EXTM3U\n#EXTINF:" + b" " * SIZE + b"x\nx.mp3\n"),
    "an unordered pile of accents": (
        "columns",
        "x.csv",
        b"artist,plays\n" + b"\xcc\x95\xcc\x80" * (SIZE // 4) + b",1\n",
    ),
    "a chain of aliases": (
        "audioscrobbler",
        "artist_alias.txt",
        b"".join(b"%d\t%d\n" % (number, number + 1) for number in range(SIZE // 13)),
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_content_takes_no_longer_than_its_bytes(case, read, recognised):
    format_name, name, content = HOSTILE[case]
    begun = time.process_time()
    recognised(format_name, name, content)
    read(format_name, {name: content})
    # Each takes well under two seconds, and took from ten to thousands where some part was quadratic.
    assert time.process_time() - begun < 6


def test_a_listenbrainz_dump_with_every_second_line_broken(tmp_path):
    good = b'{"listened_at": 1600000000, "track_metadata": {"artist_name": "a", "track_name": "b"}}\n'
    (tmp_path / "x.listens").write_bytes((good + b"nope\n") * 20_000)
    begun = time.process_time()
    (ledger,) = import_paths(Home(tmp_path / "home"), [tmp_path / "x.listens"])
    assert (ledger.read, ledger.plays, ledger.dropped) == (40_000, 1, {"malformed": 20_000, "duplicate": 19_999})
    assert time.process_time() - begun < 6
