"""The elements of a JSON array that is too large to be held, one by one.

Only brackets and quotes are looked at to find where an element ends; the element itself is decoded by its
format, into the types that the format expects. Memory follows the largest element.
"""

import re
from collections.abc import Iterator
from typing import IO

from crossfade.core.errors import InputError
from crossfade.listens.streams import pieces

MAX_ELEMENT_BYTES = 64 << 20  # a playlist of ten thousand tracks has some 3 MiB
MAX_DEPTH = 64  # nothing people export is nested deeper, and a decoder's recursion has its limit

# A whole string, the beginning of one that does not end here, or a bracket.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|"|[\[\]{}]', re.DOTALL)
_SEPARATOR = re.compile(rb"[\s,]*")


def array_elements(stream: IO[bytes], *path: str) -> Iterator[tuple[int, bytes]]:
    """(number from 1, JSON text) of each element of the array that stands at ``path`` in the document.

    ``path`` are the keys of objects around the array; none if the document is the array. Raises InputError, after the
    good elements, if there is no such array or it does not end.
    """
    window = _Window(stream)
    for key in path:
        window.enter_key(key)
    window.expect(b"[", "a list")
    number = 0
    while (element := window.element()) is not None:
        number += 1
        yield number, element


class _Window:
    """The part of the stream that is being looked at."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._pieces = pieces(stream)
        self._text = b""
        self._at = 0
        self._failure: InputError | None = None
        self._skip_blank()
        if self._text.startswith(b"\xef\xbb\xbf", self._at):
            self._at += 3

    def expect(self, bracket: bytes, what: str) -> None:
        """Step over ``bracket``."""
        self._skip_blank()
        if self._text[self._at : self._at + 1] != bracket:
            raise self._failure or InputError(f"is not the JSON expected: no {what} where one should begin")
        self._at += 1

    def enter_key(self, key: str) -> None:
        """Step into the object here, up to the value of ``key``."""
        self.expect(b"{", "object")
        wanted = f'"{key}"'.encode()
        while True:
            name = self.element()
            if name is None:
                raise InputError(f"is not the JSON expected: no {key!r} in it")
            self.expect(b":", "value")
            if name.strip() == wanted:
                return
            self.element()

    def element(self) -> bytes | None:
        """The next element of the list or object here, None at its end."""
        while True:
            self._at = _SEPARATOR.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                break
            if not self._more():
                raise self._failure or InputError("ends in the middle of a list: it was cut short")
        if self._text[self._at] in b"]}":
            self._at += 1
            return None
        return self._complex() if self._text[self._at] in b'[{"' else self._plain()

    def _complex(self) -> bytes:
        """A list, an object or a string."""
        depth, position = 0, self._at
        while True:
            token = _TOKEN.search(self._text, position)
            if token is None or token.group() == b'"':
                # Nothing more here, or a string that goes on behind the window: look again when there is more.
                position = len(self._text) if token is None else token.start()
                position -= self._at
                if not self._more():
                    raise self._failure or InputError("ends in the middle of an element: it was cut short")
                position += self._at
                continue
            position = token.end()
            first = self._text[token.start()]
            if first in b"[{":
                depth += 1
            elif first in b"]}":
                depth -= 1
            if depth > MAX_DEPTH:
                raise InputError(f"is nested more than {MAX_DEPTH} deep")
            if depth <= 0:
                text = self._text[self._at : position]
                self._at = position
                return text

    def _plain(self) -> bytes:
        """A number or a word."""
        while (end := re.search(rb"[\s,\]}:]", self._text[self._at :])) is None:
            if not self._more():
                raise self._failure or InputError("ends in the middle of an element: it was cut short")
        text = self._text[self._at : self._at + end.start()]
        self._at += max(end.start(), 1)
        return text

    def _skip_blank(self) -> None:
        while not (rest := self._text[self._at :].lstrip()) and self._more():
            pass
        self._at = len(self._text) - len(rest) if rest else len(self._text)

    def _more(self) -> bool:
        """Widen the window by a piece, dropping what lies behind; False at the end or at damage."""
        if len(self._text) - self._at > MAX_ELEMENT_BYTES:
            raise InputError(f"has an element of more than {MAX_ELEMENT_BYTES >> 20} MiB")
        try:
            piece = next(self._pieces, b"")
        except InputError as error:
            self._failure, piece = error, b""
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)
