"""Records of a JSON file too large for memory, one after the other.

A file of records is a container of containers: an array of plays, an object with a key "scrobbles", pages
that each have a key "track". `json_records` enters arrays and the keys that it is told to enter, and yields every value
that cannot be entered further. Memory follows the largest record, not the file.

A record that is not JSON costs only itself: its brackets and quotes tell where it ends, and reading goes on there.

Records of one array mostly begin with the same key. All of them in a block of text are decoded at once, from the first
to the last that begins so; what cannot be decoded so is walked over value by value. Every value is first delimited,
then decoded, so that the time grows with the bytes, whatever is wrong with them.
"""

import codecs
import json
import re
from collections.abc import Collection, Iterator
from typing import IO, Any

import msgspec

from crossfade.core.errors import InputError
from crossfade.formats import streams
from crossfade.formats.contract import Place, Source

_CHUNK = 1 << 20  # bytes read ahead: most records, and most pages of records, fit whole
_BLOCK = 128 << 10  # characters decoded at once, if no record in it is broken: some hundred records
_LONGEST_VALUE = 64 << 20  # characters; a playlist of ten thousand tracks has some 3 MiB
_DEEPEST = 64  # levels of nesting: more than any real file has, and far below Python's own limit

_BLANKS = re.compile(r"[ \t\r\n]*")
_BLANKS_AND_COMMAS = re.compile(r"[ \t\r\n,]*")
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# Everything up to the next bracket, or up to a string that does not end here. The string is an atomic group: without it
# Python before 3.11.5 also takes the part of a string that does not end.
_FLAT = re.compile(r'(?:[^"\[\]{}]++|(?>"[^"\\]*+(?:\\.[^"\\]*+)*+"))*+', re.DOTALL)
# Where a number or a word ends, and where something ends that is no value.
_AFTER_WORD = re.compile(r'[\[\]{}",: \t\r\n]')
_DELIMITER = re.compile(r'[\[\]{}",]')
# How a record begins; its first key is all that is compared.
_BEGINNING = re.compile(r'\{[ \t\r\n]*"[^"\\]{1,100}"[ \t\r\n]*:')
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def json_rows(source: Source, inside: Collection[str]) -> Iterator[tuple[Place, Any]]:
    """Yield (place, value) of every record in every member of ``source``, as `json_records` does."""
    for member in source.members:
        with source.open(member) as file:
            for number, record in json_records(file, inside, member.name):
                yield (member, number), record


def json_records(
    file: IO[bytes], inside: Collection[str], name: str, columns: type[msgspec.Struct] | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield (number from 1, value) of every record in ``file``; the value is None for a record that is not JSON.

    Arrays are entered, and the keys ``inside`` of objects; an object without these keys is a record, and so is any
    other value. The file may hold several JSON values, one after the other. Bytes that are not text, and halves of
    surrogate pairs, become U+FFFD. Raises InputError, with ``name`` and the number of the last record, where the text
    around the records is not JSON or ends too early.

    With ``columns``, most records that have them come as such a structure, which is several times faster; others, and
    those that do not have them, come as plain values. ``inside`` has to be empty then.
    """
    walker = _Walker(file, frozenset(inside), name, columns)
    for number, record in enumerate(walker.records(), start=1):
        walker.yielded = number
        yield number, record


class _NotJsonError(Exception):
    """The value that begins here is not JSON, but its end can be told."""


class _Walker:
    """A position in a JSON text, and the text ahead of it."""

    def __init__(
        self, file: IO[bytes], inside: frozenset[str], name: str, columns: type[msgspec.Struct] | None
    ) -> None:
        self.yielded = 0
        self._pieces = streams.pieces(file)
        self._inside = inside
        self._marks = [json.dumps(key) for key in inside]
        self._name = name
        self._block = msgspec.json.Decoder(list[Any] if columns is None else list[columns])  # type: ignore[valid-type]
        # NaN and infinities are not JSON, but some tools write them for unknown values.
        self._json = json.JSONDecoder(parse_constant=lambda _: None)
        self._characters: codecs.IncrementalDecoder | None = None
        self._ahead = ""
        self._at = 0
        self._singly = 0  # up to this position values are read one by one: as a block they could not be decoded
        self._ended = False
        self._failure: InputError | None = None

    def records(self) -> Iterator[Any]:
        try:
            while self._next():
                yield from self._walked(0)
        except _NotJsonError:
            raise self._damage("this is not JSON") from None
        if self._failure is not None:
            raise self._failure

    def _walked(self, depth: int) -> Iterator[Any]:
        """Yield the records of the value that begins here."""
        if depth > _DEEPEST:
            raise self._damage("values are nested too deeply")
        first = self._next()
        if first == "[":
            yield from self._listed(depth)
        elif first != "{":
            yield self._value()
        else:
            self._reach(_CHUNK)
            end = self._end(self._at, most=self._at + _CHUNK)
            try:
                if end is None:
                    raise _NotJsonError
                whole = self._decoded(end)
            except _NotJsonError:
                if end is not None and not any(mark in self._ahead[self._at : end] for mark in self._marks):
                    raise
                yield from self._entered(depth)
            else:
                self._at = end
                yield from self._within(whole, depth)

    def _listed(self, depth: int) -> Iterator[Any]:
        """Yield the records of the array that begins here."""
        self._at += 1
        while (first := self._next(_BLANKS_AND_COMMAS)) != "]":
            if first in ("", "}"):
                raise self._damage("a list does not end: the file was cut short")
            if first == "{" and self._at >= self._singly and (records := self._decoded_block()):
                for record in records:
                    yield from self._within(record, depth + 1) if self._inside else (record,)
                continue
            try:
                yield from self._walked(depth + 1)
            except _NotJsonError:
                self._step_over(0)
                yield None
        self._at += 1

    def _entered(self, depth: int) -> Iterator[Any]:
        """Yield the records of an invalid or very long object that begins here, key by key."""
        record: dict[str, Any] = {}
        is_record = True
        self._at += 1
        try:
            while self._next(_BLANKS_AND_COMMAS) != "}":
                key = self._value()
                if not isinstance(key, str) or self._next() != ":":
                    raise _NotJsonError
                self._at += 1
                if key in self._inside:
                    is_record = False
                    yield from self._walked(depth + 1)
                else:
                    record[key] = self._value()
        except _NotJsonError:
            self._step_over(1)
            yield None
            return
        self._at += 1
        if is_record:
            yield record

    def _within(self, value: Any, depth: int) -> Iterator[Any]:
        """Yield the records of a value that has been decoded."""
        if depth > _DEEPEST:
            raise self._damage("values are nested too deeply")
        if isinstance(value, list):
            for part in value:
                yield from self._within(part, depth + 1)
        elif isinstance(value, dict) and not self._inside.isdisjoint(value):
            for key in value:
                if key in self._inside:
                    yield from self._within(value[key], depth + 1)
        else:
            yield value

    def _decoded_block(self) -> list[Any]:
        """Decode the records from here to the last that begins like this one, without that; none if that fails."""
        self._reach(_BLOCK)
        beginning = _BEGINNING.match(self._ahead, self._at)
        last = self._ahead.rfind(beginning.group(), self._at + 1, self._at + _BLOCK) if beginning else -1
        end = self._ahead.rfind("}", self._at, last) + 1 if last > 0 else 0
        if not end or self._ahead[end:last].strip(" \t\r\n") != ",":
            return []
        try:
            # If brackets around it make it a list, then it is whole records, even if the last of them was found within
            # another one or within a text.
            records: list[Any] = self._block.decode(f"[{self._ahead[self._at : end]}]")
        except (msgspec.DecodeError, RecursionError):
            self._singly = last
            return []
        self._at = end
        return records

    def _value(self) -> Any:
        """Read the value that begins here, whatever its length; _NotJsonError, without moving, if it is not JSON."""
        self._next()
        while (end := self._end(self._at, _AFTER_WORD)) is None:
            self._reach_further()
        value = self._decoded(end)
        self._at = end
        return value

    def _decoded(self, end: int) -> Any:
        """Decode the value from here to ``end``; _NotJsonError if it is not JSON."""
        text = self._ahead[self._at : end]
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            pass
        try:
            value = self._json.decode(text)
        except (ValueError, RecursionError) as error:
            raise _NotJsonError from error
        return _without_surrogates(value) if _SURROGATE_ESCAPE.search(text) else value

    def _step_over(self, depth: int) -> None:
        """Move behind the value that begins here or, with ``depth`` 1, behind the object around this position."""
        while (end := self._end(self._at, _DELIMITER, depth)) is None:
            self._reach_further()
        self._at = end

    def _end(
        self, at: int, after_word: re.Pattern[str] = _DELIMITER, depth: int = 0, most: int | None = None
    ) -> int | None:
        """Return where `_step_over` leads from ``at``; None if that is beyond ``most`` or the text read so far.

        Something that begins with neither bracket nor quote ends before ``after_word``.
        """
        text = self._ahead
        most = len(text) if most is None else min(most, len(text))
        if at >= most:
            return None
        if not depth and text[at] == '"':
            string = _STRING.match(text, at, most)
            return string.end() if string else None
        if not depth and text[at] not in "[{":
            mark = after_word.search(text, at + 1, most)
            return mark.start() if mark else len(text) if self._ended else None
        while True:
            at = _FLAT.match(text, at, most).end()  # type: ignore[union-attr] # it matches nothing too
            if at == most or text[at] == '"':
                return None
            depth += 1 if text[at] in "[{" else -1
            at += 1
            if depth <= 0:
                return at
            if depth > _DEEPEST:
                raise self._damage("values are nested too deeply")

    def _next(self, passed: re.Pattern[str] = _BLANKS) -> str:
        """Return the next character that is not ``passed`` over, or "" at the end of the file."""
        while True:
            self._at = passed.match(self._ahead, self._at).end()  # type: ignore[union-attr] # it matches nothing too
            if self._at < len(self._ahead):
                return self._ahead[self._at]
            if self._ended:
                return ""
            self._reach(1)

    def _reach_further(self) -> None:
        """Read more because the text ahead is too short."""
        length = len(self._ahead) - self._at
        if self._ended:
            raise self._damage("the file was cut short")
        if length > _LONGEST_VALUE:
            raise self._damage(f"a value has more than {_LONGEST_VALUE >> 20} MiB")
        # Doubled, so that a long value is not decoded again for every piece of it.
        self._reach(max(2 * length, _CHUNK))

    def _reach(self, length: int) -> None:
        """Discard the text behind, and read until ``length`` characters are ahead or the file ends.

        Damage is reported only after all records before it.
        """
        ready = len(self._ahead) - self._at
        if ready >= length or self._ended:
            return
        texts = [self._ahead[self._at :]]
        self._singly -= self._at
        while ready < length and not self._ended:
            texts.append(self._text())
            ready += len(texts[-1])
        self._ahead, self._at = "".join(texts), 0

    def _text(self) -> str:
        """Decode the next piece of the file."""
        piece = b""
        try:
            piece = next(self._pieces, b"")
            while piece and self._characters is None and len(piece) < 4 and (more := next(self._pieces, b"")):
                piece += more
        except InputError as error:
            self._failure = error
        self._ended = not piece or self._failure is not None
        if self._characters is None:
            # The first characters of JSON are ASCII, which tells the encodings that it may have apart.
            self._characters = codecs.getincrementaldecoder(json.detect_encoding(piece))(errors="replace")
        return self._characters.decode(piece)

    def _damage(self, what: str) -> InputError:
        return self._failure or InputError(f"stopped after {self.yielded} records: {what}.", path=self._name)


def _without_surrogates(value: Any) -> Any:
    """Replace each half of a surrogate pair that stands alone, which is not text, with U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_surrogates(part) for part in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(part) for key, part in value.items()}
    return value
