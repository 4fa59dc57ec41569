"""What was imported, and what was dropped and why, as people see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.formats.contract import REASONS
from crossfade.importing.ledger import ADVICE, LEDGER, Ledger, Sample
from crossfade.importing.library import imports


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """Rows that were dropped for one reason.

    meaning  the reason in words
    advice   what to do about it; None where there is nothing to do
    samples  a few of the rows: their places and what is wrong, never their content
    """

    reason: str
    rows: int
    meaning: str
    advice: str | None = None
    samples: Sequence[Sample]


@dataclass(frozen=True, kw_only=True)
class Imported:
    """An import and its ledger: rows read = plays + skips + counts + playlist items + dropped.

    at         when it was imported, in milliseconds since 1970
    listener   whose history it is; None for a data set of many
    skipped    files that were not read, and why
    tables     rows by table, as they were written
    damage     files that could not be read to their end, and why
    """

    name: str
    source: str
    at: int
    invented: bool
    formats: Sequence[str]
    listener: str | None = None
    listeners: int | None = None
    read: int
    plays: int
    skips: int
    counts: int
    playlist_items: int
    dropped: Sequence[Dropped]
    skipped: Mapping[str, str]
    damage: Mapping[str, str]
    tables: Mapping[str, int]


def imported(home: Home, listener: str | None = None) -> list[Imported]:
    """Return the imports of ``home``, the latest first: of one ``listener``, by default all.

    One that cannot be read is left out; `crossfade verify` names it.
    """
    found = []
    for one in imports(home):
        try:
            ledger, at = one.ledger, (one.path / LEDGER).stat().st_mtime_ns // 1_000_000
            invented = one.invented
        except (ArtifactError, OSError):
            continue
        if listener is None or ledger.listener == listener:
            found.append(_shown(ledger, one.name, at, invented=invented))
    return sorted(found, key=lambda one: (-one.at, one.name))


def _shown(ledger: Ledger, name: str, at: int, *, invented: bool) -> Imported:
    return Imported(
        name=name,
        source=ledger.source,
        at=at,
        invented=invented,
        formats=ledger.formats,
        listener=ledger.listener,
        listeners=ledger.listeners,
        read=ledger.read,
        plays=ledger.plays,
        skips=ledger.skips,
        counts=ledger.counts,
        playlist_items=ledger.playlist_items,
        dropped=[
            Dropped(
                reason=reason,
                rows=rows,
                meaning=REASONS[reason],
                advice=ADVICE.get(reason),
                samples=ledger.samples.get(reason, []),
            )
            for reason, rows in sorted(ledger.dropped.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
        skipped=dict(ledger.skipped),
        damage={file.name: file.damage for file in ledger.files if file.damage is not None},
        tables=ledger.tables,
    )
