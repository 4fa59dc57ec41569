"""How the command line prints: tables and bars for a person, tab-separated lines in a pipe, JSON for a machine."""

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from crossfade.cli.terminal import printable

BAR_CELLS = 12  # width of a score's bar


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table; ``kind`` is "text", "number" or "bar" (a share from 0 to 1)."""

    title: str
    kind: str = "text"


def print_json(value: Any) -> None:
    """Print one JSON document; dataclasses become objects. What a terminal could obey is escaped."""
    text = json.dumps(value, ensure_ascii=not _is_unicode(sys.stdout), indent=2, default=dataclasses.asdict)
    # Outside of its strings JSON is ASCII, and inside of them any character may be escaped.
    click.echo("\n".join("".join(map(_in_json, line)) for line in text.split("\n")) if not text.isascii() else text)


def _in_json(character: str) -> str:
    return character if printable(character) == character else json.dumps(character)[1:-1]


def _is_unicode(stream: Any) -> bool:
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Any]], *, title: str = "", note: str = "") -> None:
    """A table on a terminal; in a pipe one line a row, its cells apart by tabs, without title and bars."""
    if not sys.stdout.isatty():
        shown = [position for position, column in enumerate(columns) if column.kind != "bar"]
        for row in rows:
            click.echo("\t".join(_plain(row[position]) for position in shown))
        return
    from rich.table import Table
    from rich.text import Text

    from crossfade.cli.console import PlainConsole

    table = Table(box=None, title_justify="left", caption_justify="left")
    table.title, table.caption = printable(title) or None, printable(note) or None
    table.title_style, table.caption_style, table.header_style = "bold", "dim", "dim"
    for column in columns:
        table.add_column(column.title, justify="right" if column.kind == "number" else "left", overflow="fold")
    for row in rows:
        table.add_row(
            *(
                Text(bar(cell), style="cyan") if column.kind == "bar" else Text(_plain(cell))
                for column, cell in zip(columns, row, strict=True)
            )
        )
    PlainConsole("stdout").print(table)


def print_line(text: str) -> None:
    """Print one line of the result."""
    click.echo(printable(text))


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
