"""Rows of delimited text, one bad line at a time."""

import csv
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from crossfade.core.errors import InputError
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.shapes import head_lines

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


def column_names(row: Sequence[str]) -> list[str]:
    """Return the names of a header's columns in lower case, without the blanks around them."""
    return [name.strip().lower() for name in row]


def has_columns(member: Member, required: Collection[str], within: int = 1) -> bool:
    """Tell whether one of the first ``within`` lines of ``member`` names all ``required`` columns (in lower case)."""
    rows = records(enumerate(head_lines(member, within), start=1))
    return any(row is not None and set(required).issubset(column_names(row)) for _, row in rows)


def named_rows(
    source: Source,
    member: Member,
    sink: Sink,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    decode: Callable[[str], str] = str,
) -> Iterator[tuple[Place, dict[str, str]]]:
    """Yield (place, values by column name) of each row below the header; other columns are left out.

    required, optional  names in lower case. The header is the first row with all required ones; rows before it are
                        passed over. An optional column that the file lacks is missing from the values
    decode              applied to each line first

    A row with more or fewer values than the header is dropped. Raises InputError if there is no header.
    """
    places: dict[str, int] = {}
    width = 0
    for line, row in records((number, decode(text)) for number, text in source.text_lines(member)):
        if row is None:
            if places:
                sink.drop((member, line), "malformed", "a quoted value does not end")
        elif not places:
            names = column_names(row)
            if set(required).issubset(names):
                places = {name: names.index(name) for name in (*required, *optional) if name in names}
                width = len(row)
        elif len(row) != width:
            sink.drop((member, line), "malformed", f"{len(row)} columns instead of {width}")
        else:
            yield (member, line), {name: row[place] for name, place in places.items()}
    if not places:
        raise InputError(f"no line names the columns {', '.join(required)}", path=member.name)


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
