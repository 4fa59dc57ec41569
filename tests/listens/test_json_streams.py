"""Elements of JSON arrays, found without decoding them."""

import contextlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.errors import InputError
from crossfade.listens import json_streams
from crossfade.listens.json_streams import array_elements

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Trickle(io.BytesIO):
    """Gives few bytes at a time, so that every token is cut somewhere."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._few = size

    def read1(self, size: int | None = -1) -> bytes:
        return self.read(self._few)


def elements(content: bytes, *path: str, size: int = 1 << 20) -> list[object]:
    return [json.loads(text) for _, text in array_elements(Trickle(content, size), *path)]


@given(st.lists(VALUES, max_size=6), st.integers(1, 9), st.sampled_from([None, 2]), st.booleans())
def test_every_element_comes_whole(values, size, indent, plain) -> None:
    content = json.dumps(values, indent=indent, ensure_ascii=plain).encode(errors="surrogatepass")
    assert elements(content, size=size) == values


@given(VALUES, st.lists(VALUES, max_size=3), st.integers(1, 9))
def test_an_array_is_found_behind_other_keys(before, values, size) -> None:
    content = json.dumps({"first": before, "payload": {"x": before, "listens": values}}).encode()
    assert elements(content, "payload", "listens", size=size) == values


def test_elements_are_numbered_and_a_bad_one_is_given_as_it_stands() -> None:
    found = list(array_elements(io.BytesIO(b'\xef\xbb\xbf[{"a": 1}, {"a": nonsense}, 7 ,"x"]')))
    assert found == [(1, b'{"a": 1}'), (2, b'{"a": nonsense}'), (3, b"7"), (4, b'"x"')]


@pytest.mark.parametrize(
    ("content", "path", "good", "why"),
    [
        (b'[{"a": 1}, {"a"', (), 1, "cut short"),
        (b'[{"a": 1}', (), 1, "cut short"),
        (b'[1, "unfinished', (), 1, "cut short"),
        (b"[1, 23", (), 1, "cut short"),
        (b'{"payload": 3}', ("payload", "listens"), 0, "no object"),
        (b'{"other": []}', ("payload",), 0, "no 'payload'"),
        (b"", (), 0, "no a list|no list|where one should begin"),
        (b"<html>", (), 0, "where one should begin"),
        (b"[" * 100_000, (), 0, "nested"),
    ],
)
def test_what_does_not_end_or_is_no_array_is_refused_after_the_good_elements(content, path, good, why) -> None:
    source = array_elements(io.BytesIO(content), *path)
    for _ in range(good):
        next(source)
    with pytest.raises(InputError, match=why):
        next(source)


def test_an_endless_element_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_streams, "MAX_ELEMENT_BYTES", 1000)
    with pytest.raises(InputError, match="element of more than"):
        list(array_elements(Trickle(b'["' + b"x" * 100_000 + b'"]', 500)))


@given(st.binary(max_size=200))
def test_garbage_is_an_array_or_refused(content) -> None:
    with contextlib.suppress(InputError):
        list(array_elements(io.BytesIO(b"[" + content)))
