"""Records of comma-separated files, one bad line at a time.

The csv module alone would let one unbalanced quote swallow everything up to the next quote, perhaps the
whole file. Here a record that does not end on its line is given a few more lines to end on; if it does
not, that one line is bad and reading goes on with the next.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator

# How many further lines a quoted value may span. Titles have no line breaks; free texts have a few.
_LINES_A_RECORD = 8


def records(lines: Iterable[tuple[int, str]], delimiter: str = ",") -> Iterator[tuple[int, list[str] | None]]:
    """(line number of its first line, values) of each record of ``lines``; None where quotes do not close.

    Values are quoted as RFC 4180 says. Blank lines are passed over.
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
