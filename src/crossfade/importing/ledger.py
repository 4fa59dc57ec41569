"""The ledger: what an import accepted and what it dropped, counted by reason, file by file.

For every file, rows read = plays + skips + counts + dropped. `Ledger.check` holds an import to that before it
is published, so a row can never pass silently.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from crossfade.core.errors import ArtifactError
from crossfade.formats.contract import REASONS

LEDGER = "ledger.json"


@dataclass(frozen=True)
class Sample:
    """One dropped row: where it stands and what is wrong with it, without its content."""

    file: str
    line: int
    why: str


@dataclass(kw_only=True)
class FileLedger:
    """One file's rows.

    plays, skips, counts  rows accepted: listens long enough, listens too short, numbers of plays
    dropped               rows by the reason of `contract.REASONS`
    damage                what ended the file early, None if it was read to its end
    """

    name: str
    format: str
    read: int = 0
    plays: int = 0
    skips: int = 0
    counts: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    damage: str | None = None

    def drop(self, reason: str, rows: int = 1) -> None:
        """Count ``rows`` as dropped."""
        self.dropped[reason] = self.dropped.get(reason, 0) + rows

    @property
    def accepted(self) -> int:
        """Rows that were kept."""
        return self.plays + self.skips + self.counts


@dataclass(kw_only=True)
class Ledger:
    """One import's rows.

    name              the import's, in the home
    source            the file, folder or archive, as the person named it
    files             one entry a file that was read
    samples           a few dropped rows for each reason; none of private ones
    skipped           (file, why) of what was found but belongs to no format or cannot be opened
    tables            rows by table, as they were written
    already_imported  the name of the import that holds the very same files; nothing was read again then
    failure           why nothing at all could be imported, None if something could
    """

    name: str
    source: str
    files: list[FileLedger] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    already_imported: str | None = None
    failure: str | None = None

    @property
    def read(self) -> int:
        """Rows read in all files."""
        return sum(file.read for file in self.files)

    @property
    def plays(self) -> int:
        """Listens accepted as plays."""
        return sum(file.plays for file in self.files)

    @property
    def skips(self) -> int:
        """Listens accepted as skips."""
        return sum(file.skips for file in self.files)

    @property
    def counts(self) -> int:
        """Rows accepted as numbers of plays."""
        return sum(file.counts for file in self.files)

    @property
    def accepted(self) -> int:
        """Rows that were kept."""
        return sum(file.accepted for file in self.files)

    @property
    def dropped(self) -> dict[str, int]:
        """Rows that were dropped, by reason, in the order of `contract.REASONS`."""
        totals = {reason: sum(file.dropped.get(reason, 0) for file in self.files) for reason in REASONS}
        return {reason: rows for reason, rows in totals.items() if rows}

    @property
    def formats(self) -> list[str]:
        """The formats that were read."""
        return sorted({file.format for file in self.files})

    @property
    def damaged(self) -> list[tuple[str, str]]:
        """(file, what is wrong) of the files that ended early."""
        return [(file.name, file.damage) for file in self.files if file.damage is not None]

    def check(self) -> None:
        """Raise ArtifactError unless every file's rows add up."""
        for file in self.files:
            if file.read != file.accepted + sum(file.dropped.values()):
                raise ArtifactError(
                    f"{file.name}: {file.read} rows were read, but {file.accepted} accepted and "
                    f"{sum(file.dropped.values())} dropped. This is a fault in Crossfade; please report it."
                )

    def lines(self) -> list[str]:
        """The ledger as plain text, a fact a line."""
        if self.failure is not None:
            return [f"{self.source}: nothing was imported. {self.failure}"]
        said = [f"{self.source} ({', '.join(self.formats) or 'nothing readable'}) as {self.name}"]
        if self.already_imported is not None:
            said.append(f"these very files are there already, as {self.already_imported}; nothing was added")
        said.append(
            f"{self.read:,} rows read: {self.plays:,} plays, {self.skips:,} skips, {self.counts:,} counts accepted, "
            f"{self.read - self.accepted:,} dropped"
        )
        for reason, rows in self.dropped.items():
            said.append(f"  {rows:,} {reason}: {REASONS[reason]}")
            said += [f"    {sample.file}, line {sample.line}: {sample.why}" for sample in self.samples.get(reason, [])]
        said += [f"  {rows:,} {table}" for table, rows in self.tables.items() if table not in ("listens", "counts")]
        said += [f"damaged: {name}: {why}" for name, why in self.damaged]
        said += [f"skipped: {name}: {why}" for name, why in self.skipped]
        return said

    def as_json(self) -> dict[str, Any]:
        """The ledger, and its sums, as plain values."""
        said: dict[str, Any] = msgspec.to_builtins(self)
        sums = {name: getattr(self, name) for name in ("formats", "read", "plays", "skips", "counts", "dropped")}
        return {**said, **sums}

    def to_json(self) -> bytes:
        """The ledger as JSON, equal ledgers as equal bytes."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> "Ledger":
        """What `to_json` gave; ArtifactError if it is anything else."""
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ArtifactError(f"this is not a ledger: {error}") from error
