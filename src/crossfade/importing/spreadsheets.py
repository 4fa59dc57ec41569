"""Spreadsheets (.xlsx) as tables: each sheet is read as a CSV file, one row of the sheet a line.

An .xlsx is a zip of XML files. Texts stand in a table that the sheets share, so that table has to be in memory; the
sheets are streamed. Dates that the sheet stores as numbers stay numbers.

ECMA-376, "Office Open XML file formats", part 1, SpreadsheetML.
"""

import csv
import io
import posixpath
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import IO, Any

from crossfade.core.errors import InputError
from crossfade.formats.xml_elements import Elements

WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_STRINGS = "xl/sharedStrings.xml"

_MAX_STRINGS = 128 << 20  # characters of all shared texts; a history of 20 years has some 20 Mi
_MAX_COLUMNS = 256  # the tables that are imported have a few dozen
_MAX_ROWS = 1 << 20  # of a sheet, by the standard
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_BREAKS = re.compile(r"[\r\n]+")
_BLOCK = 256 << 10  # characters of CSV that are made at once


class Workbook:
    """One spreadsheet; ``opened`` returns the content of a part of its zip, and raises InputError without it."""

    def __init__(self, name: str, opened: Callable[[str], IO[bytes]]) -> None:
        self._name = name
        self._opened = opened

    def sheets(self) -> list[tuple[str, str]]:
        """Return (name, part of the zip) of each sheet, in their order."""
        targets = {found.get("Id"): found.get("Target", "") for found in self._attributes(_RELATIONS, "Relationship")}
        sheets = []
        for found in self._attributes(WORKBOOK, "sheet"):
            identifier = next((value for name, value in found.items() if name.endswith(" id")), None)
            if target := targets.get(identifier):
                sheets.append((found.get("name", ""), posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")))
        return sheets

    def csv(self, part: str) -> io.RawIOBase:
        """Return the sheet in ``part`` as CSV in UTF-8; blank lines stand for rows that it leaves out."""
        return _Pieces(self._blocks(part))

    @cached_property
    def _strings(self) -> list[str]:
        """The texts that the sheets share."""
        try:
            file = self._opened(_STRINGS)
        except InputError:
            return []  # a workbook may write every text where it stands
        strings: list[str] = []
        size = 0
        for text in _Strings(self._name).read(file):
            size += len(text)
            if size > _MAX_STRINGS:
                raise InputError(f"has more than {_MAX_STRINGS >> 20} Mi characters of text", path=self._name)
            strings.append(text)
        return strings

    def _attributes(self, part: str, element: str) -> Iterator[dict[str, str]]:
        return _Attributes(self._name, element).read(self._opened(part))

    def _blocks(self, part: str) -> Iterator[bytes]:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        width, line = 0, 0
        failure: InputError | None = None
        try:
            for row, cells in _Rows(self._name, self._strings).read(self._opened(part)):
                text.write("\n" * max(row - line - 1, 0))
                line = max(row, line + 1)
                filled = max((column + 1 for column, value in cells.items() if value), default=0)
                width = width or filled  # that of the header, since cells without a value may be left out
                writer.writerow([cells.get(column, "") for column in range(max(width, filled))])
                if text.tell() > _BLOCK:
                    yield text.getvalue().encode()
                    text.seek(0)
                    text.truncate()
        except InputError as error:
            failure = error
        yield text.getvalue().encode()
        if failure is not None:
            raise failure


class _Attributes(Elements[dict[str, str]]):
    """Finds the attributes of every element called ``element``."""

    def __init__(self, name: str, element: str) -> None:
        super().__init__(name)
        self._element = element

    def begin(self, attributes: dict[str, str]) -> bool:
        if self.path[-1] == self._element:
            self.found.append(attributes)
        return False

    def end(self, text: str | None) -> None:
        pass


class _Strings(Elements[str]):
    """Finds each shared text; parts of different looks are one text, and hints how to pronounce it are none."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._parts: list[str] = []

    def begin(self, attributes: dict[str, str]) -> bool:
        return self.path[-1] == "t" and "rPh" not in self.path

    def end(self, text: str | None) -> None:
        if text is not None:
            self._parts.append(text)
        elif self.path[-1] == "si":
            self.found.append("".join(self._parts))
            self._parts = []


class _Rows(Elements[tuple[int, dict[int, str]]]):
    """Finds (number from 1, text by column from 0) of each row."""

    def __init__(self, name: str, strings: list[str]) -> None:
        super().__init__(name)
        self._strings = strings
        self._number = 0
        self._cells: dict[int, str] = {}
        self._column = -1
        self._type = ""

    def begin(self, attributes: dict[str, str]) -> bool:
        kind = self.path[-1]
        if kind == "row":
            number = _natural(attributes.get("r", ""))
            self._number = min(self._number + 1 if number is None else number, _MAX_ROWS)
            self._cells, self._column = {}, -1
        elif kind == "c":
            place = _CELL.fullmatch(attributes.get("r", ""))
            self._column = _column(place.group(1)) if place else self._column + 1
            self._type = attributes.get("t", "")
        return kind == "v" or (kind == "t" and "rPh" not in self.path)

    def end(self, text: str | None) -> None:
        if text is not None and 0 <= self._column < _MAX_COLUMNS:
            if self._type == "s" and self.path[-1] == "v":
                text = self._shared(text)
            self._cells[self._column] = self._cells.get(self._column, "") + _BREAKS.sub(" ", text)
        elif self.path[-1] == "row":
            self.found.append((self._number, self._cells))

    def _shared(self, text: str) -> str:
        place = _natural(text)
        return self._strings[place] if place is not None and place < len(self._strings) else ""


def _natural(text: str) -> int | None:
    """Return a whole number below a billion; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _column(letters: str) -> int:
    """Return the number from 0 of a column: A is 0, AA is 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


class _Pieces(io.RawIOBase):
    """A stream of the bytes that an iterator yields."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` and return the number of bytes; 0 at the end."""
        while not self._ready:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._ready = memoryview(piece)
        filled, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(filled)] = filled
        return len(filled)
