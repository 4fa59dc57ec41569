"""Records of a JSON file that is too large to be held: one after the other, from wherever they lie.

A file of records is a container of containers: an array of plays, an object with a key "scrobbles", pages
that each have a key "track". `json_records` enters arrays and the keys it is told to enter, and gives
whatever it meets there that cannot be entered further. Memory follows the largest record, not the file.

A record that is not JSON costs itself: brackets and quotes alone tell where it ends, and reading goes on there.
"""

import codecs
import contextlib
import json
import re
from collections.abc import Collection, Iterator
from typing import IO, Any

from crossfade.core.errors import InputError
from crossfade.formats import streams

# Read ahead by so much; most records, and most pages of records, lie whole within it.
_CHUNK = 1 << 20
# A single value longer than this is not part of any record that people have: a playlist of ten thousand
# tracks has some 3 MiB.
_LONGEST_VALUE = 64 << 20
# Deeper nesting than any known file's, and far from Python's own limit.
_DEEPEST = 64

_OPENING = ("[", "{", '"')
_AFTER = (" ", "\t", "\r", "\n", ",", ":", "]", "}")
_BLANKS = re.compile(r"[ \t\r\n]*")
_BLANKS_AND_COMMAS = re.compile(r"[ \t\r\n,]*")
# A whole string, the beginning of one that does not end here, or a bracket.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{}]', re.DOTALL)
# Where something ends that is no string, list or object.
_DELIMITER = re.compile(r'[\[\]{}",]')
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def json_records(file: IO[bytes], inside: Collection[str], name: str) -> Iterator[tuple[int, Any]]:
    """(number from 1, value) of every record in ``file``; None for one that is not JSON.

    Arrays are entered, and of objects the keys in ``inside``; an object that has none of these keys is a
    record, and so is anything else that is met. The file may hold several JSON values, one after the other.
    Bytes that are not text, and halves of surrogate pairs, become U+FFFD. Raises InputError, naming ``name`` and
    the number of the last record, where what lies around the records is not JSON or ends too early.
    """
    walker = _Walker(file, frozenset(inside), name)
    for number, record in enumerate(walker.records(), start=1):
        walker.given = number
        yield number, record


class _NotJsonError(Exception):
    """The value that begins here is not JSON, but where it ends is known."""


class _Walker:
    """A place in a text of JSON, and what lies ahead of it."""

    def __init__(self, file: IO[bytes], inside: frozenset[str], name: str) -> None:
        self.given = 0
        self._pieces = streams.pieces(file)
        self._inside = inside
        self._name = name
        # NaN and infinities are no JSON, but some tools write them for what they do not know.
        self._json = json.JSONDecoder(parse_constant=lambda _: None)
        self._characters: codecs.IncrementalDecoder | None = None
        self._ahead = ""
        self._at = 0
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
        """The records of the value that begins here."""
        if depth > _DEEPEST:
            raise self._damage("values are nested too deeply")
        first = self._next()
        if first == "[":
            yield from self._listed(depth)
        elif first != "{":
            yield self._value()
        else:
            self._reach(_CHUNK)
            try:
                whole, self._at = self._decoded()
            except ValueError:
                yield from self._entered(depth)
            else:
                yield from self._within(whole, depth)

    def _listed(self, depth: int) -> Iterator[Any]:
        """The records of the array that begins here."""
        self._at += 1
        while (first := self._next(_BLANKS_AND_COMMAS)) != "]":
            if first in ("", "}"):
                raise self._damage("a list does not end: the file was cut short")
            try:
                yield from self._walked(depth + 1)
            except _NotJsonError:
                self._step_over(0)
                yield None
        self._at += 1

    def _entered(self, depth: int) -> Iterator[Any]:
        """The records of the object that begins here, which is unsound or too long to lie ahead: key by key."""
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
        """The records of a value that has been read."""
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

    def _value(self) -> Any:
        """The value that begins here, whatever its length; _NotJsonError, without a step, if it is none."""
        self._next()
        is_enclosed = self._ahead.startswith(_OPENING, self._at)
        while True:
            with contextlib.suppress(ValueError):
                value, end = self._decoded()
                # A number goes on as far as nothing shows its end.
                if is_enclosed or self._ahead.startswith(_AFTER, end) or (self._ended and end == len(self._ahead)):
                    self._at = end
                    return value
            if self._end(0) is not None:
                raise _NotJsonError
            self._reach_further()

    def _decoded(self) -> tuple[Any, int]:
        """The value that begins here, and where it ends; ValueError if none lies ahead as a whole."""
        try:
            value, end = self._json.raw_decode(self._ahead, self._at)
            if _SURROGATE_ESCAPE.search(self._ahead, self._at, end):
                value = _mended(value)
        except RecursionError as error:
            raise ValueError from error
        return value, end

    def _step_over(self, depth: int) -> None:
        """Go behind the value that begins here, or, with a ``depth`` of 1, behind the object that we are in."""
        while (end := self._end(depth)) is None:
            self._reach_further()
        self._at = end

    def _end(self, depth: int) -> int | None:
        """Where `_step_over` leads; None if that does not lie ahead."""
        if not depth and not self._ahead.startswith(_OPENING, self._at):
            mark = _DELIMITER.search(self._ahead, self._at + 1)
            return mark.start() if mark else len(self._ahead) if self._ended else None
        for token in _TOKEN.finditer(self._ahead, self._at):
            found = token.group()
            if found == '"':
                return None
            depth += (found in ("[", "{")) - (found in ("]", "}"))
            if depth <= 0:
                return token.end()
            if depth > _DEEPEST:
                raise self._damage("values are nested too deeply")
        return None

    def _next(self, passed: re.Pattern[str] = _BLANKS) -> str:
        """The next character that is not ``passed`` over, or "" at the end of the file."""
        while True:
            self._at = passed.match(self._ahead, self._at).end()  # type: ignore[union-attr] # it matches nothing too
            if self._at < len(self._ahead):
                return self._ahead[self._at]
            if self._ended:
                return ""
            self._reach(1)

    def _reach_further(self) -> None:
        """Read on because what lies ahead is not enough."""
        lying = len(self._ahead) - self._at
        if self._ended:
            raise self._damage("the file was cut short")
        if lying > _LONGEST_VALUE:
            raise self._damage(f"a value has more than {_LONGEST_VALUE >> 20} MiB")
        # Twice as much, so that a long value is not tried again for every piece of it.
        self._reach(max(2 * lying, _CHUNK))

    def _reach(self, length: int) -> None:
        """Forget what lies behind, and read on until ``length`` characters lie ahead, or the file ends.

        Damage is kept until all before it has been given.
        """
        lying = len(self._ahead) - self._at
        if lying >= length or self._ended:
            return
        texts = [self._ahead[self._at :]]
        while lying < length and not self._ended:
            texts.append(self._text())
            lying += len(texts[-1])
        self._ahead, self._at = "".join(texts), 0

    def _text(self) -> str:
        """The next piece of the file, decoded."""
        piece = b""
        try:
            piece = next(self._pieces, b"")
            while piece and self._characters is None and len(piece) < 4 and (more := next(self._pieces, b"")):
                piece += more
        except InputError as error:
            self._failure = error
        self._ended = not piece or self._failure is not None
        if self._characters is None:
            # Every encoding that JSON may have writes its first characters, which are ASCII, in its own way.
            self._characters = codecs.getincrementaldecoder(json.detect_encoding(piece))(errors="replace")
        return self._characters.decode(piece)

    def _damage(self, what: str) -> InputError:
        return self._failure or InputError(f"cannot be read on after {self.given} records: {what}.", path=self._name)


def _mended(value: Any) -> Any:
    """``value`` with U+FFFD for each half of a surrogate pair that stands alone, which is not text."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_mended(part) for part in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(part) for key, part in value.items()}
    return value
