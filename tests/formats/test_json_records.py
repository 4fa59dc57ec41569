"""Records of JSON files, however they are nested, cut and spoiled."""

import contextlib
import io
import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crossfade.core.errors import InputError
from crossfade.formats import json_records as module
from crossfade.formats.json_records import json_records

KEYS = st.text(max_size=6).filter(lambda key: key not in ("page", "plays"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


class Trickle(io.BytesIO):
    """Gives few bytes at a time, so that every token is cut somewhere."""

    def __init__(self, content, size):
        super().__init__(content)
        self._few = size

    def read1(self, size=-1):
        return self.read(self._few)


def parsed(content, inside=(), size=1 << 20):
    return list(json_records(Trickle(content, size), inside, "file.json"))


def records(content, inside=(), size=1 << 20):
    return [record for _, record in parsed(content, inside, size)]


def parsed_until_damage(file):
    """The records before the damage, and what is said of it."""
    found = []
    try:
        found.extend(record for _, record in json_records(file, (), "file.json"))
    except InputError as error:
        return found, str(error)
    return found, None


def unlisted(value):
    """What is in a list, or in lists in it."""
    return [inner for part in value for inner in unlisted(part)] if isinstance(value, list) else [value]


@pytest.fixture(params=[1, 1 << 20])
def chunk(request, monkeypatch):
    """Read as little ahead as can be, and so much that every record lies ahead."""
    monkeypatch.setattr(module, "_CHUNK", request.param)


def test_arrays_are_entered_and_all_else_is_a_record():
    assert parsed(b'[{"a": 1}, [2, "x"], [], null]') == [(1, {"a": 1}), (2, 2), (3, "x"), (4, None)]


def test_keys_are_entered_where_told():
    pages = b'{"meta": {"n": 1}, "page": [{"track": [{"a": 1}, {"a": 2}]}, {"track": {"a": 3}}, {"track": []}]}'
    assert [record["a"] for record in records(pages, ("page", "track"))] == [1, 2, 3]


def test_several_values_follow_each_other():
    assert parsed(b'{"a": 1}\n{"a": 2}  {"a": 3}\n') == [(1, {"a": 1}), (2, {"a": 2}), (3, {"a": 3})]


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_where_the_pieces_end_changes_nothing(size):
    content = json.dumps(
        {
            "head": {"x": [1, 2, {"y": "}]{["}]},
            "plays": [{"a": 12345, "b": 'Bj\u00f6rk \\ "q" \U0001f3b5'}, {"c": [True, None, -1.5e3]}, {}, 6789],
            "tail": "end",
        },
        ensure_ascii=False,
    ).encode()
    expected = [{"a": 12345, "b": 'Björk \\ "q" 🎵'}, {"c": [True, None, -1500.0]}, {}, 6789]
    assert records(content, ("plays",), size) == expected


@example([], {"0\x1f": None}, 1, 1, None, False)  # the pieces of a string end in the middle
@given(
    st.lists(VALUES, max_size=6), VALUES, st.integers(1, 9), st.sampled_from([1, 30]), st.sampled_from([None, 2]),
    st.booleans(),
)  # fmt: skip
def test_every_record_comes_whole(values, before, size, chunk, indent, plain):
    content = json.dumps({"b": before, "page": {"x": before, "plays": values}}, indent=indent, ensure_ascii=plain)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", chunk)
        assert records(content.encode(), ("page", "plays"), size) == unlisted(values)


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings_of_json(encoding, size):
    assert parsed('[{"a": "Jóga"}]'.encode(encoding), size=size) == [(1, {"a": "Jóga"})]


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    "bad",
    [
        b'{"a": nonsense}',
        b'{"a": nonsense, "b": [{"c": "}"}, 2]}',
        b'{"a": }',
        b'{"a": 1, "b" 2}',
        b"{1: 2}",
        b'{"a": {"b": "\\q}"}}',
        b'{"a": "\n]"}',
        b"nonsense",
        b"nullnull",
        b"1.x",
        b"some nonsense",
        b'"\\q, "',
    ],
)
def test_a_record_that_is_not_json_costs_itself(bad, size):
    content = b'{"head": 1, "plays": [{"a": 1}, %s, {"a": 2}], "tail": 2}' % bad
    assert records(content, ("plays",), size) == [{"a": 1}, None, {"a": 2}]


@pytest.mark.usefixtures("chunk")
def test_what_follows_good_records_is_not_lost_silently():
    assert records(b'{"plays": [{"a": 1}], "tail": nonsense}', ("plays",)) == [{"a": 1}, None]


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("tail", [b"", b', {"a": 3', b', {"a": "x', b", {nonsense", b" ]]", b"}", b"] nonsense"])
def test_damage_keeps_the_records_before_it(tail):
    found, damage = parsed_until_damage(io.BytesIO(b'[{"a": 1}, {"a": 2}' + tail))
    assert found == [{"a": 1}, {"a": 2}]
    assert damage.startswith("file.json: stopped after 2 records: ")


@pytest.mark.parametrize("content", [b"<html><p>Sign in</p></html>", b"\x00\x01\x02", b"ts,artist\n1,Low\n"])
def test_what_is_no_json_at_all_is_damage(content):
    assert parsed_until_damage(io.BytesIO(content))[1].endswith("after 0 records: this is not JSON.")


@pytest.mark.usefixtures("chunk")
def test_what_is_not_text_becomes_the_replacement_character():
    content = b'[{"a": "x\xffy"}, {"a": "\\ud800"}, {"\\uDC00": ["\\ud83d\\ude00 \\udc00\\ud800"]}, "\xed\xa0\x80"]'
    assert records(content) == [{"a": "x\ufffdy"}, {"a": "\ufffd"}, {"\ufffd": ["😀 \ufffd\ufffd"]}, "\ufffd" * 3]


def test_what_json_has_no_word_for_is_not_known():
    assert records(b'[{"a": NaN}, {"a": -Infinity}]') == [{"a": None}, {"a": None}]


@pytest.mark.parametrize("last", [b'{"a": 2}, {"a"', b'{"a": 2}]'])
def test_a_stream_that_breaks_gives_what_came_before(last):
    pieces = iter([b'[{"a": 1}, ', last])

    class Breaking(io.RawIOBase):
        def read1(self, size):
            for piece in pieces:
                return piece
            raise InputError("damaged")

    assert parsed_until_damage(Breaking()) == ([{"a": 1}, {"a": 2}], "damaged")


@pytest.mark.parametrize(
    "content",
    [
        *(b"[" * 100_000, b'{"a":' * 100_000, b'[{"a": ' + b"[" * 100_000),
        *(b'[{"a":' * 400 + b'"\\ud800"' + b"}]" * 400, b'{"a":' * 400 + b"1" + b"}" * 400),
    ],
)
def test_nesting_without_end_is_damage(content):
    with pytest.raises(InputError, match="nested too deeply"):
        parsed(content, ("a",))


def test_an_endless_record_is_damage(monkeypatch):
    monkeypatch.setattr(module, "_LONGEST_VALUE", 1000)
    monkeypatch.setattr(module, "_CHUNK", 100)
    assert records(b'["' + b"x" * 900 + b'"]', size=50) == ["x" * 900]
    with pytest.raises(InputError, match="a value has more than"):
        parsed(b'["' + b"x" * 100_000 + b'"]', size=50)


def test_an_empty_file_has_no_records():
    assert parsed(b"") == []
    assert parsed(b" \n") == []


@given(
    st.sampled_from([b"", b"[", b'{"a": ', b'[{"b": 1, ']),
    st.binary(max_size=60) | st.text('[]{}",:\\nul019.ae ', max_size=60).map(str.encode),
    st.sampled_from([1, 1 << 20]),
)
def test_garbage_is_records_or_damage(beginning, garbage, chunk):
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(InputError):
        patch.setattr(module, "_CHUNK", chunk)
        parsed(beginning + garbage, ("a",), 7)


ALIKE = [
    {"a": {"a": 1}, "b": '}, {"a": '},
    {"a": [{"a": 1}, {"a": 2}]},
    {"a": "\u2028 ] }"},
    {"b": 1},
    {"a": None},
]


@given(chosen=st.lists(st.sampled_from(range(7)), min_size=1), indent=st.sampled_from([None, 1]))
def test_records_that_are_decoded_together_are_those_that_stand_there(chosen: list[int], indent: int | None) -> None:
    whole = [ALIKE[number] if number < 5 else f"broken {number}" for number in chosen]
    text = json.dumps(whole, indent=indent)
    # A record that is not JSON, and one with a number that only some decoders take.
    text = text.replace('"broken 5"', '{"a": nope}').replace('"broken 6"', '{"a": NaN}')
    odd = {"broken 5": None, "broken 6": {"a": None}}
    found = [record for _, record in json_records(io.BytesIO(text.encode()), (), "x")]
    assert found == [odd[record] if isinstance(record, str) else record for record in whole]


class _A(msgspec.Struct):
    a: int | None = None


def test_columns_are_a_structure_where_records_have_them() -> None:
    text = json.dumps([{"a": number} for number in range(9)] + [{"a": "x"}, {"a": 1}, {"a": 2}])
    found = [record for _, record in json_records(io.BytesIO(text.encode()), (), "x", _A)]
    assert [record.a if isinstance(record, _A) else record["a"] for record in found] == [*range(9), "x", 1, 2]
    many = json.dumps([{"a": number} for number in range(99)])
    found = [record for _, record in json_records(io.BytesIO(many.encode()), (), "x", _A)]
    assert sum(isinstance(record, _A) for record in found) == 98
