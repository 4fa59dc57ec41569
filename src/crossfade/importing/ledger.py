"""The ledger: how many rows an import accepted and how many it dropped, by reason and file.

For every file, rows read = plays + skips + counts + playlist items + dropped. An import is published only if
`Ledger.check` finds that true, so no row disappears silently.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from crossfade.core.errors import ArtifactError
from crossfade.core.schemas import ITEMS
from crossfade.formats.contract import REASONS

LEDGER = "ledger.json"

DEFAULT_USER = "me"
"""The user of files that name nobody, unless another is given."""

ACCEPTED = ("plays", "skips", "counts", "playlist_items")
"""The columns of `FileLedger` that count accepted rows."""

MAPPINGS = 5  # ways in which the columns of a folder of tables were used that are shown

_OTHER_FORMAT = "If this is another kind of file, name its format or its columns: see docs/formats.md."
ADVICE = {
    "malformed": _OTHER_FORMAT,
    "incomplete": _OTHER_FORMAT,
    "private": "Private sessions are never imported.",
    "unsupported": "Only music and podcasts can be imported.",
    "not-a-play": "Export the history of plays, and import that.",
    "future": "If the clock of this computer is wrong, set it and import the file again.",
    "too-early": "If these times are right, lower `earliest_year` in the section [import] of crossfade.toml.",
    "loop": "To keep them, set `loop_hours` in the section [import] of crossfade.toml.",
    "bad-count": "Check the column of plays: --column plays=NAME.",
    "ignored": "The setting `ignored` in the section [import] of crossfade.toml leaves them out.",
}
"""What to do where rows were dropped for a reason of `contract.REASONS`, and none was accepted."""


@dataclass(frozen=True)
class Sample:
    """One dropped row: its place and what is wrong with it, without its content."""

    file: str
    line: int
    why: str


@dataclass(kw_only=True)
class FileLedger:
    """One file's rows.

    plays, skips    listens long enough, and listens too short
    counts          numbers of plays
    playlist_items  entries of playlists
    dropped         rows by the reason of `contract.REASONS`
    damage          the error that ended the file early, None if it was read to its end
    columns         of a table with named columns: the file's column for each of ours that it has
    unused          the names of its other columns
    """

    name: str
    format: str
    read: int = 0
    plays: int = 0
    skips: int = 0
    counts: int = 0
    playlist_items: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    damage: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)

    def accept(self, column: str, rows: int) -> None:
        """Count ``rows`` in one of the columns `ACCEPTED`."""
        setattr(self, column, getattr(self, column) + rows)

    def drop(self, reason: str, rows: int = 1) -> None:
        """Count ``rows`` as dropped."""
        self.dropped[reason] = self.dropped.get(reason, 0) + rows

    def mapping(self) -> str:
        """Return which columns were used as what, and which were not, as a line; empty if the file names none."""
        if not self.columns:
            return ""
        used = ", ".join(f"{ours} = {theirs}" for ours, theirs in sorted(self.columns.items()))
        return f"columns: {used}" + (f"; not used: {', '.join(self.unused)}" if self.unused else "")

    @property
    def accepted(self) -> int:
        """The number of rows accepted."""
        return sum(getattr(self, column) for column in ACCEPTED)


class _Total:
    """A property of `Ledger`: the sum of one column over all files."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._column = name

    def __get__(self, ledger: "Ledger", owner: type) -> int:
        return sum(getattr(file, self._column) for file in ledger.files)


@dataclass(kw_only=True)
class Ledger:
    """One import's rows; ``read``, ``accepted`` and the columns `ACCEPTED` are sums over its files.

    name              the import's, in the home
    source            the file, folder or archive, as the user typed it
    files             one entry for each file that was read
    samples           a few dropped rows for each reason; none of private ones
    skipped           (file, why) of the files that belong to no format or cannot be opened
    tables            rows by table, as they were written
    listener          whose history it is: the user of files that name nobody, or the only one that they name; None for
                      a data set
    listeners         how many users its rows are of; None if it was imported before this was counted
    already_imported  the name of the import with the same files; nothing was read again then
    failure           why nothing at all could be imported, None if something could
    """

    name: str
    source: str
    files: list[FileLedger] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    listener: str | None = None
    listeners: int | None = None
    already_imported: str | None = None
    failure: str | None = None

    read = _Total()
    plays = _Total()
    skips = _Total()
    counts = _Total()
    playlist_items = _Total()
    accepted = _Total()

    @property
    def dropped(self) -> dict[str, int]:
        """The rows dropped by reason, in the order of `contract.REASONS`."""
        totals = {reason: sum(file.dropped.get(reason, 0) for file in self.files) for reason in REASONS}
        return {reason: rows for reason, rows in totals.items() if rows}

    @property
    def formats(self) -> list[str]:
        """The formats that were read."""
        return sorted({file.format for file in self.files})

    @property
    def damaged(self) -> list[tuple[str, str]]:
        """(file, error) of the files that ended early."""
        return [(file.name, file.damage) for file in self.files if file.damage is not None]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was imported: no row was accepted or is in the library already, and no other table has rows.

        The names of items alone are not worth an import.
        """
        useful = [table for table in self.tables if table not in ITEMS and table != "playlists"]
        return not (self.accepted or self.dropped.get("duplicate") or useful)

    def why_empty(self) -> str:
        """Return why nothing was imported, and what to do."""
        text = f"nothing could be imported: {self.read:,} rows were read as {', '.join(self.formats)}, none accepted"
        text += "".join(f"; {rows:,} {reason}{self._first_sample(reason)}" for reason, rows in self.dropped.items())
        if self.damaged:
            return f"{text}. {' '.join(why for _, why in self.damaged[:3])}"
        return f"{text}. {' '.join(dict.fromkeys(ADVICE[reason] for reason in self.dropped or ('incomplete',)))}"

    def _first_sample(self, reason: str) -> str:
        return "".join(f" (line {one.line} of {one.file}: {one.why})" for one in self.samples.get(reason, [])[:1])

    def check(self) -> None:
        """Raise ArtifactError unless every file's rows add up."""
        for file in self.files:
            if file.read != file.accepted + sum(file.dropped.values()):
                raise ArtifactError(
                    f"{file.name}: {file.read} rows were read, but {file.accepted} accepted and "
                    f"{sum(file.dropped.values())} dropped. This is a fault in Crossfade; please report it."
                )

    def lines(self) -> list[str]:
        """Return the ledger as plain text, one fact a line."""
        if self.failure is not None:
            return [f"{self.source}: nothing was imported. {self.failure}"]
        text = [f"{self.source}: imported as {self.name} ({', '.join(self.formats) or 'no readable file'})"]
        if self.already_imported is not None:
            text = [f"{self.source}: already imported as {self.already_imported}; nothing was added"]
        accepted = [f"{getattr(self, column):,} {column.replace('_', ' ')}" for column in ACCEPTED]
        if self.listener is not None:
            unnamed = ", since the files name nobody; --user NAME names the listener"
            text.append(f"the history of {self.listener}{unnamed if self.listener == DEFAULT_USER else ''}")
        elif self.listeners:
            text.append(f"the histories of {self.listeners:,} listeners")
        text.append(f"{self.read:,} rows read: {', '.join(accepted)} accepted, {self.read - self.accepted:,} dropped")
        for reason, rows in self.dropped.items():
            text.append(f"  {rows:,} {reason}: {REASONS[reason]}")
            text += [f"    {sample.file}, line {sample.line}: {sample.why}" for sample in self.samples.get(reason, [])]
        text += [f"  {rows:,} {table}" for table, rows in self.tables.items() if table not in ("listens", *ACCEPTED)]
        mappings = dict.fromkeys(line for file in self.files if (line := file.mapping()))
        text += list(mappings)[:MAPPINGS]
        text += [f"damaged: {name}: {why}" for name, why in self.damaged]
        text += [f"skipped: {name}: {why}" for name, why in self.skipped]
        return text

    def as_json(self) -> dict[str, Any]:
        """Return the ledger and its sums as plain values."""
        sums = ("formats", "read", *ACCEPTED, "dropped")
        return {**msgspec.to_builtins(self), **{name: getattr(self, name) for name in sums}}

    def to_json(self) -> bytes:
        """Return the ledger as JSON; equal ledgers give equal bytes."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> "Ledger":
        """Return the ledger that `to_json` wrote; ArtifactError for any other text."""
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ArtifactError(f"not a ledger: {error}") from error
