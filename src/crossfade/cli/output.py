"""How the command line prints: tables and bars for a person, tab-separated lines in a pipe, JSON for a machine."""

import dataclasses
import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import click

from crossfade.cli.terminal import printable

BAR_CELLS = 12  # width of a score's bar
READABLE = {"text": 12, "prose": 20}  # cells that still tell what it is
SHORTEST = 6  # of what is cut where nothing else helps


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table.

    kind      "text" is cut with "…" where it has no room, "prose" continues on the next line; a "number", an "id" and a
              "name" to be typed stay whole; a "bar" (a share from 0 to 1) is left out where it has no room
    optional  above 0, it is shortened first, and left out of a narrow terminal; the highest goes first
    """

    title: str
    kind: Literal["text", "prose", "number", "name", "id", "bar"] = "text"
    optional: int = 0


def print_json(value: Any) -> None:
    """Print one JSON document; dataclasses become objects. What a terminal could obey is escaped."""
    text = json.dumps(value, ensure_ascii=not _is_unicode(sys.stdout), indent=2, default=dataclasses.asdict)
    # Outside of its strings JSON is ASCII, and inside of them any character may be escaped.
    click.echo("\n".join("".join(map(_in_json, line)) for line in text.split("\n")) if not text.isascii() else text)


def _in_json(character: str) -> str:
    return character if printable(character) == character else json.dumps(character)[1:-1]


def _is_unicode(stream: Any) -> bool:
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def print_table(
    columns: Sequence[Column], rows: Sequence[Sequence[Any]], *, title: str = "", note: str = "", ids: bool = False
) -> None:
    """A table on a terminal; in a pipe one line a row, its cells apart by tabs, without title and bars.

    A terminal shows columns of the kind "id" only with ``ids``.
    """
    terminal = sys.stdout.isatty()
    kept = [place for place, column in enumerate(columns) if column.kind != ("id" if terminal and not ids else "")]
    if not terminal:
        kept = [place for place in kept if columns[place].kind != "bar"]
        for row in rows:
            click.echo("\t".join(_plain(row[place]) for place in kept))
        return
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    from crossfade.cli.console import PlainConsole

    console = PlainConsole("stdout")
    cells = [
        [bar(row[place]) if columns[place].kind == "bar" else _plain(row[place]) for place in kept] for row in rows
    ]
    columns = [columns[place] for place in kept]
    natural = [
        max(map(cell_len, (column.title, *(row[place] for row in cells)))) for place, column in enumerate(columns)
    ]
    widths = column_widths(columns, natural, console.width)
    table = Table(box=None, title_justify="left", caption_justify="left")
    table.title, table.caption = printable(title) or None, printable(note) or None
    table.title_style, table.caption_style, table.header_style = "bold", "dim", "dim"
    for place, width in widths.items():
        column = columns[place]
        table.add_column(
            printable(column.title),
            width=width,
            justify="right" if column.kind == "number" else "left",
            style="cyan" if column.kind == "bar" else "",
            no_wrap=column.kind == "text",
            overflow="ellipsis" if column.kind == "text" else "fold",
        )
    for row in cells:
        table.add_row(*(Text(row[place]) for place in widths))
    console.print(table)


def column_widths(columns: Sequence[Column], natural: Sequence[int], width: int) -> dict[int, int]:
    """Return the cells of each column that is shown in ``width``, by its place; ``natural`` is what each would take.

    Where there is too little room, bars go first. Then optional texts are shortened, then all texts, and where that
    leaves them unreadable, optional columns go too, the last one first.
    """
    widths = dict(enumerate(natural))
    leaving = [place for place, column in enumerate(columns) if column.optional and column.kind != "bar"]
    leaving.sort(key=lambda place: columns[place].optional)
    leaving += [place for place, column in enumerate(columns) if column.kind == "bar"]
    while leaving and (widths.keys() & {*leaving}) and not _fits(columns, natural, widths, width):
        widths.pop(leaving.pop())
    for least, shortest in ((1, READABLE["text"]), (0, SHORTEST)):
        cut = [
            place for place in widths if columns[place].kind in ("text", "prose") and columns[place].optional >= least
        ]
        room = width - _taken(widths) + sum(widths[place] for place in cut)
        if cut and _taken(widths) > width:
            level = max(shortest, _level([widths[place] for place in cut], room))
            widths |= {place: min(widths[place], level) for place in cut}
    return widths


def _fits(columns: Sequence[Column], natural: Sequence[int], widths: Mapping[int, int], width: int) -> bool:
    """Return whether all that is shown has room, texts at a readable length; beside a bar, at their whole length."""
    if any(columns[place].kind == "bar" for place in widths):
        return _taken(widths) <= width
    least = {place: min(natural[place], READABLE.get(columns[place].kind, natural[place])) for place in widths}
    return _taken(least) <= width


def _taken(widths: Mapping[int, int]) -> int:
    """Return the cells that a line takes: columns have a cell on each side."""
    return sum(widths.values()) + 2 * len(widths)


def _level(sizes: list[int], room: int) -> int:
    """Return the size that the larger ``sizes`` are cut to, so that all fit in ``room``."""
    sizes = sorted(sizes)
    for place, size_ in enumerate(sizes):
        level = room // (len(sizes) - place)
        if size_ >= level:
            return level
        room -= size_
    return room


def print_line(text: str) -> None:
    """Print one line of the result; on a terminal it is broken between words."""
    text = printable(text)
    if sys.stdout.isatty():
        indent = " " * (len(text) - len(text.lstrip()) + 2)
        width = shutil.get_terminal_size().columns
        text = textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    click.echo(text)


def say(message: str) -> None:
    """A line for the person, beside the result: on standard error, so that a pipe stays clean."""
    click.echo(printable(message), err=True)


def bar(share: float) -> str:
    """``share`` from 0 to 1 as a bar of eighths of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * BAR_CELLS * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + ("" if not rest else " ▏▎▍▌▋▊▉"[rest])


def counted(rows: Mapping[str, int]) -> str:
    """Return counts by name as people read them, without those of zero: "1,892 users, 17,632 items"."""
    return ", ".join(f"{count:,} {name}" for name, count in rows.items() if count)


def size(count: float, unit: str = "B") -> str:
    """Return a large number of ``unit`` as people read it, with three digits: "4.83 MB"."""
    for prefix in ("", "k", "M", "G"):
        if abs(count) < 999.5:
            return f"{count:.3g} {prefix}{unit}"
        count /= 1000
    return f"{count:.3g} T{unit}"


def _plain(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.4f}"
    return printable(str(cell))
