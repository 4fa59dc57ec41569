import io
import json

import pytest

from crossfade.core.errors import InputError
from crossfade.listens import json_records as module
from crossfade.listens.json_records import json_records


def parsed(content, inside=()):
    return list(json_records(io.BytesIO(content), inside, "file.json"))


def parsed_until_damage(file):
    """The records before the damage, and what is said of it."""
    found = []
    try:
        found.extend(record for _, record in json_records(file, (), "file.json"))
    except InputError as error:
        return found, str(error)
    return found, None


def test_arrays_are_entered_and_all_else_is_a_record():
    assert parsed(b'[{"a": 1}, [2, "x"], [], null]') == [(1, {"a": 1}), (2, 2), (3, "x"), (4, None)]


def test_keys_are_entered_where_told():
    pages = b'{"meta": {"n": 1}, "page": [{"track": [{"a": 1}, {"a": 2}]}, {"track": {"a": 3}}, {"track": []}]}'
    assert [record["a"] for _, record in parsed(pages, ("page", "track"))] == [1, 2, 3]


def test_several_values_follow_each_other():
    assert parsed(b'{"a": 1}\n{"a": 2}  {"a": 3}\n') == [(1, {"a": 1}), (2, {"a": 2}), (3, {"a": 3})]


@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
def test_where_the_chunks_end_changes_nothing(chunk, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    content = json.dumps(
        {
            "head": {"x": [1, 2, {"y": "}]{["}]},
            "plays": [{"a": 12345, "b": 'Bj\u00f6rk \\ "q" \U0001f3b5'}, {"c": [True, None, -1.5e3]}, {}, 6789],
            "tail": "end",
        },
        ensure_ascii=False,
    ).encode()
    expected = [{"a": 12345, "b": 'Björk \\ "q" 🎵'}, {"c": [True, None, -1500.0]}, {}, 6789]
    assert [record for _, record in parsed(content, ("plays",))] == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings_of_json(encoding):
    assert parsed('[{"a": "Jóga"}]'.encode(encoding)) == [(1, {"a": "Jóga"})]


@pytest.mark.parametrize("chunk", [16, 1 << 20])
@pytest.mark.parametrize(
    "tail", [b"", b', {"a": 3', b', {"a": }]', b" ]]", b', {"a": "\xff"}]', b", {1: 2}]", b', {"a" 3}]', b"}", b" 34]"]
)
def test_damage_keeps_the_records_before_it(tail, chunk, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    found, damage = parsed_until_damage(io.BytesIO(b'[{"a": 1}, {"a": 2}' + tail))
    assert found == [{"a": 1}, {"a": 2}]
    assert damage.startswith("file.json: cannot be read on after 2 records: ")


def test_a_stream_that_breaks_gives_what_came_before():
    pieces = iter([b'[{"a": 1}, ', b'{"a": 2}, {"a"'])

    class Breaking(io.RawIOBase):
        def read1(self, size):
            for piece in pieces:
                return piece
            raise InputError("damaged")

    assert parsed_until_damage(Breaking()) == ([{"a": 1}, {"a": 2}], "damaged")


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b'[{"a": ' + b"[" * 100_000])
def test_nesting_without_end_is_damage(content):
    with pytest.raises(InputError):
        parsed(content, ("a",))


def test_an_empty_file_has_no_records():
    assert parsed(b"") == []
    assert parsed(b" \n") == []
