"""Rows of delimited text, one bad line at a time."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator

from crossfade.formats.contract import Member, Place, Sink, Source

# How many further lines a quoted value may span. Titles have no line breaks; free texts have a few.
_LINES_A_RECORD = 8


def split_rows(
    source: Source, member: Member, sink: Sink, columns: int, delimiter: str | None = "\t"
) -> Iterator[tuple[Place, list[str]]]:
    """Yield (place, values) of every line with ``columns`` values, which are not quoted.

    A line with more or fewer values is dropped, a blank line passed over. ``delimiter`` None splits at white space.
    """
    for line, row in source.text_lines(member):
        values = row.split(delimiter)
        if len(values) == columns:
            yield (member, line), values
        elif row.strip():
            sink.drop((member, line), "malformed", f"{len(values)} columns instead of {columns}")


def records(lines: Iterable[tuple[int, str]], delimiter: str = ",") -> Iterator[tuple[int, list[str] | None]]:
    """Yield (number of its first line, values) of each record, quoted as RFC 4180 says; None if a quote does not close.

    Blank lines are passed over. The csv module alone would let one unbalanced quote swallow everything up to the next
    quote, perhaps the whole file. Here a record may go on for a few lines; if it has not closed by then, its first
    line is bad and reading goes on with the second.
    """
    source = iter(lines)
    ahead: deque[tuple[int, str]] = deque()
    while True:
        if ahead:
            place, line = ahead.popleft()
        else:
            following = next(source, None)
            if following is None:
                return
            place, line = following
        if not line.strip():
            continue
        if '"' not in line:
            yield place, line.split(delimiter)
            continue
        values = _parsed(line, delimiter)
        joined = line
        taken = 0
        while values is None and taken < _LINES_A_RECORD:
            if taken == len(ahead):
                following = next(source, None)
                if following is None:
                    break
                ahead.append(following)
            joined += "\n" + ahead[taken][1]
            taken += 1
            values = _parsed(joined, delimiter)
        if values is not None:
            for _ in range(taken):
                ahead.popleft()
        yield place, values


def _parsed(joined: str, delimiter: str) -> list[str] | None:
    try:
        rows = list(csv.reader([joined], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
