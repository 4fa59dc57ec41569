"""Records of a JSON file that is too large to be held: one after the other, from wherever they lie.

A file of records is a container of containers: an array of plays, an object with a key "scrobbles", pages
that each have a key "track". `json_records` enters arrays and the keys it is told to enter, and gives
whatever it meets there that cannot be entered further. Memory follows the largest record, not the file.
"""

import codecs
import json
from collections.abc import Collection, Iterator
from typing import IO, Any

from crossfade.core.errors import InputError

# Read ahead by so much; most records, and most pages of records, lie whole within it.
_CHUNK = 1 << 20
# A single value longer than this is not part of any record that people have.
_LONGEST_VALUE = 64 << 20
# Deeper nesting than any known file's, and far from Python's own limit.
_DEEPEST = 16

_BLANK = " \t\r\n"


def json_records(file: IO[bytes], inside: Collection[str], name: str) -> Iterator[tuple[int, Any]]:
    """(number from 1, value) of every record in ``file``.

    Arrays are entered, and of objects the keys in ``inside``; an object that has none of these keys is a
    record, and so is anything else that is met. The file may hold several JSON values, one after the other.
    Raises InputError, naming ``name`` and the number of the last good record, where it is not JSON or ends
    too early.
    """
    walker = _Walker(file, frozenset(inside), name)
    for number, record in enumerate(walker.records(), start=1):
        walker.given = number
        yield number, record


class _Walker:
    """A place in a text of JSON, and what lies ahead of it."""

    def __init__(self, file: IO[bytes], inside: frozenset[str], name: str) -> None:
        self.given = 0
        # read1, because read would lose the good bytes before damage.
        self._read = getattr(file, "read1", file.read)
        self._inside = inside
        self._name = name
        self._decoder = json.JSONDecoder()
        self._ahead = ""
        self._at = 0
        self._ended = False
        self._failure: InputError | None = None
        self._not_text: str | None = None
        self._characters: codecs.IncrementalDecoder | None = None

    def records(self) -> Iterator[Any]:
        while self._next():
            yield from self._walked(0)
        if self._failure is not None or self._not_text is not None:
            raise self._damage("it ends here")

    def _walked(self, depth: int) -> Iterator[Any]:
        """The records of the value that begins here."""
        if depth > _DEEPEST:
            raise self._damage("values are nested too deeply")
        first = self._next()
        if first == "[":
            for _ in self._parts("]"):
                yield from self._walked(depth + 1)
        elif first != "{":
            yield self._value()
        elif (whole := self._whole()) is not None:
            yield from self._within(whole)
        else:
            yield from self._entered(depth)

    def _entered(self, depth: int) -> Iterator[Any]:
        """The records of the object that begins here, which is too long to lie ahead: one key at a time."""
        record: dict[str, Any] = {}
        is_record = True
        for _ in self._parts("}"):
            key = self._value()
            if not isinstance(key, str) or self._next() != ":":
                raise self._damage("a key is not followed by a value")
            self._at += 1
            if key in self._inside:
                is_record = False
                yield from self._walked(depth + 1)
            else:
                record[key] = self._value()
        if is_record:
            yield record

    def _within(self, value: Any) -> Iterator[Any]:
        """The records of a value that has been read."""
        if isinstance(value, list):
            for part in value:
                yield from self._within(part)
        elif isinstance(value, dict) and not self._inside.isdisjoint(value):
            for key in value:
                if key in self._inside:
                    yield from self._within(value[key])
        else:
            yield value

    def _parts(self, end: str) -> Iterator[None]:
        """Stop before each part of the array or object that begins here, and after its ``end``."""
        self._at += 1
        if self._next() == end:
            self._at += 1
            return
        while True:
            yield
            mark = self._next()
            self._at += 1
            if mark == end:
                return
            if mark != ",":
                raise self._damage("a comma is missing, or the file ends too early")

    def _whole(self) -> dict[str, Any] | None:
        """The object that begins here, if it lies ahead as a whole and is sound."""
        if len(self._ahead) - self._at < _CHUNK:
            self._fill()
        try:
            value, end = self._decoder.raw_decode(self._ahead, self._at)
        except (ValueError, RecursionError):
            return None
        self._at = end
        found: dict[str, Any] = value
        return found

    def _value(self) -> Any:
        """The value that begins here, whatever its length."""
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._ahead, self._at)
                # A number at the end of what lies ahead may go on.
                if end < len(self._ahead) or self._ended:
                    self._at = end
                    return value
            except (ValueError, RecursionError) as error:
                if self._ended or len(self._ahead) - self._at > _LONGEST_VALUE:
                    raise self._damage("this is not JSON, or the file ends too early") from error
            self._fill()

    def _next(self) -> str:
        """The next character that is not blank, or "" at the end of the file."""
        while True:
            while self._at < len(self._ahead):
                if self._ahead[self._at] not in _BLANK:
                    return self._ahead[self._at]
                self._at += 1
            if self._ended:
                return ""
            self._fill()

    def _fill(self) -> None:
        """Read on by a chunk, and forget what lies behind. Damage is kept until all before it has been given."""
        if self._ended:
            return
        read: list[bytes] = []
        try:
            while (piece := self._read(_CHUNK)) and sum(map(len, read)) < _CHUNK:
                read.append(piece)
            self._ended = not piece
            read.append(piece)
        except InputError as error:
            self._ended, self._failure = True, error
        self._ahead = self._ahead[self._at :] + self._decoded(b"".join(read))
        self._at = 0

    def _decoded(self, read: bytes) -> str:
        if self._characters is None:
            # Every encoding that JSON may have writes its first character, which is ASCII, in its own way.
            self._characters = codecs.getincrementaldecoder(json.detect_encoding(read))()
        try:
            return self._characters.decode(read, final=self._ended and self._failure is None)
        except UnicodeDecodeError as error:
            self._ended, self._not_text = True, f"it is not text in {error.encoding}"
            return error.object[: error.start].decode(error.encoding, errors="ignore")

    def _damage(self, what: str) -> InputError:
        if self._failure is not None:
            return self._failure
        return InputError(f"cannot be read on after {self.given} records: {self._not_text or what}.", path=self._name)
