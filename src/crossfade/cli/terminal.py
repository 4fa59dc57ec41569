"""The streams that all output passes: no name can steer the terminal, and no failing output is a traceback."""

import contextlib
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from crossfade.core.errors import StorageError

_JOINERS = "\u200c\u200d"  # they shape letters and emoji, and cannot reorder or hide text
_SHAPES = str.maketrans({**dict.fromkeys("█▉▊▋▌▍▎▏━", "#"), "…": ".", "–": "-", "×": "x", "·": "-"})


class _Printable(dict[int, str]):
    """What each character is printed as, by its code, computed when it is first asked for."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category in ("Zl", "Zp") or character in "\t\n\r\v\f\x85":
            self[code] = " "
        elif category in ("Cc", "Cs"):
            self[code] = "\N{REPLACEMENT CHARACTER}"
        else:
            self[code] = "" if category == "Cf" and character not in _JOINERS else character
        return self[code]


_PRINTABLE = _Printable()
_PRINTABLE_LINES = _Printable({ord("\n"): "\n", ord("\t"): "\t"})


def printable(text: str) -> str:
    """Return ``text`` as one line that any terminal can be sent.

    Tabs and line breaks become spaces. Escape and other control characters, and halves of surrogate pairs, become
    U+FFFD. Invisible characters, such as those that change the direction of writing, are left out.
    """
    return text if text.isascii() and text.isprintable() else text.translate(_PRINTABLE)


def printable_lines(text: str) -> str:
    """Return ``text`` as `printable` does, but with its tabs and line feeds."""
    return text.translate(_PRINTABLE_LINES)


def hold_standard_descriptors() -> None:
    """Open the standard streams that the caller closed, so that no file of ours takes their place and their output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the system gives the lowest one that is free


class Raw:
    """A text stream that writes what its encoding has, falls silent when its reader is gone, and names its failure.

    Only text without names is written to it directly; `Output` is for everything else.
    """

    def __init__(self, stream: IO[str] | None, name: str) -> None:
        self._stream, self._name = stream, name

    def __getattr__(self, name: str) -> Any:
        # Whoever finds the bytes below would write past this object.
        if name.startswith("_") or name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:
        """The encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Return whether a person reads the stream on a terminal."""
        return self._stream is not None and not self._stream.closed and self._stream.isatty()

    def write(self, text: str) -> int:
        """Write ``text``; what the encoding lacks becomes a similar character or a question mark.

        Raises StorageError if standard output fails. Does nothing more after that, or when the reader is gone.
        """
        if not text:
            return 0  # click asks so what a stream is, and would swallow the error of a full device
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            text = text.translate(_SHAPES).encode(self.encoding, "replace").decode(self.encoding)
        self._attempt(lambda stream: stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Hand everything to the operating system; errors as for `write`."""
        self._attempt(lambda stream: stream.flush())

    def _attempt(self, action: Callable[[IO[str]], object]) -> None:
        if self._stream is None or self._stream.closed:
            return
        try:
            action(self._stream)
        except OSError as error:
            self._silence(self._stream)
            if not isinstance(error, BrokenPipeError) and self._name == "stdout":
                raise StorageError(f"Standard output: {error.strerror or error}. The output is incomplete.") from error

    def _silence(self, stream: IO[str]) -> None:
        """Write nothing more; what Python still holds for the stream goes nowhere."""
        self._stream = None
        with contextlib.suppress(OSError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())


class Output(Raw):
    """A stream that cleans all text with `printable_lines`; ``raw`` is for escape sequences of our own."""

    def __init__(self, stream: IO[str] | None, name: str) -> None:
        super().__init__(stream, name)
        self.raw = Raw(stream, name)

    def write(self, text: str) -> int:
        """Write ``text`` without anything that could steer a terminal; otherwise as `Raw.write`."""
        return self.raw.write(printable_lines(text))

    def flush(self) -> None:
        """As `Raw.flush`."""
        self.raw.flush()


@contextlib.contextmanager
def outputs() -> Iterator[None]:
    """Let everything that is written to standard output and standard error meanwhile pass an `Output`."""
    before = sys.stdout, sys.stderr
    cleaned = Output(sys.stdout, "stdout"), Output(sys.stderr, "stderr")
    sys.stdout, sys.stderr = cleaned
    try:
        yield
    finally:
        try:
            for stream in cleaned:
                stream.flush()
        finally:
            sys.stdout, sys.stderr = before
