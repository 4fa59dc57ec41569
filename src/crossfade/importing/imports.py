"""Importing: files that people bring become one artifact each below ``HOME/listens``.

Each path is recognised, read by its formats into a sink, and published whole or not at all. Memory is bounded
whatever the size. The files' checksums stand in the artifact's identity, so the same files are known before
they are read again.
"""

import itertools
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from crossfade.core.artifacts import Identity, file_digest, writing
from crossfade.core.errors import InputError, SettingsError
from crossfade.core.home import Home
from crossfade.core.paths import shown
from crossfade.core.progress import Progress, silent
from crossfade.formats.columns import Columns
from crossfade.formats.contract import Format, Member
from crossfade.importing.cleaning import CleaningSettings
from crossfade.importing.ledger import LEDGER, FileLedger, Ledger
from crossfade.importing.library import Import, imports
from crossfade.importing.opening import files_below, open_input
from crossfade.importing.publishing import publish
from crossfade.importing.recognition import Recognised, known_format, recognise
from crossfade.importing.sink import ImportSink
from crossfade.importing.sources import Input, Selection

KIND = "import"
VERSION = 1
NO_COLUMNS: Mapping[str, str] = MappingProxyType({})
DEFAULT_USER = "me"  # whose listens those of a personal export are, if nobody says


def import_paths(
    home: Home,
    paths: Sequence[Path],
    *,
    format: str | None = None,  # noqa: A002 - the word people know
    columns: Mapping[str, str] | None = None,
    user: str | None = None,
    settings: CleaningSettings | None = None,
    progress: Progress = silent,
    now: float | None = None,
) -> list[Ledger]:
    """Import each of ``paths``; gives the ledger of each, in their order.

    format   the name of the format, None to recognise it
    columns  for tables with named columns: our names (`crossfade.formats.columns.NAMES`) and the file's
    user     whose listens they are where the files do not say; "me" if None
    now      seconds since 1970 against which the future is told; the clock's if None

    A path that cannot be used costs itself only: its ledger's ``failure`` says why. Raises the first InputError
    if that is so of every path, BusyError if another process writes in the home, and StorageError if the disk
    is full; what was imported before stays.
    """
    if user is not None and shown(user) != user:
        raise SettingsError(f"the user's name {shown(user)!r} is not text")
    wanted = _wanted(format, columns or {})
    ledgers: list[Ledger] = []
    failures: list[InputError] = []
    with home.locked("import"):
        for path in paths:
            try:
                ledgers.append(
                    _import_path(
                        home,
                        path,
                        wanted,
                        columns or NO_COLUMNS,
                        user or DEFAULT_USER,
                        settings or CleaningSettings(),
                        progress,
                        now,
                    )
                )
            except InputError as error:
                failures.append(error)
                ledgers.append(Ledger(name="", source=shown(path.name), failure=str(error)))
    if failures and len(failures) == len(ledgers):
        raise failures[0]
    return ledgers


def import_rows(
    home: Home,
    name: str,
    format: Format,  # noqa: A002 - as above
    *,
    inputs: Mapping[str, str],
    settings: CleaningSettings | None = None,
    user: str | None = None,
    now: float | None = None,
) -> Ledger:
    """Import what ``format`` makes by itself, without any file, as the import called ``name``.

    ``format.read`` gets a source of one empty member, called ``name``, to place its rows in. ``inputs`` names what
    the rows are made from, by digest. An import of that name is replaced; the same ``inputs`` add nothing.
    """
    source = Input(name)
    member = Member(name, PurePosixPath(name), b"")
    with home.locked("import"):
        settings = settings or CleaningSettings()
        there = imports(home)
        identity = _identity(there, inputs, format.name, user or DEFAULT_USER, settings, name)
        if (known := _same_import(there, identity)) is not None and known.name == name:
            return _already(known, name)
        readings = [Recognised(format, [member])]
        return _import(home, there, name, source, readings, identity, settings, user or DEFAULT_USER, now)


def _wanted(name: str | None, columns: Mapping[str, str]) -> Format | None:
    """The format that the person asked for, by its name or by naming columns."""
    if columns and name not in (None, Columns.name):
        raise SettingsError(f"columns can be named for the format {Columns.name!r}, not for {name!r}")
    if columns:
        return Columns(columns)
    return None if name is None else known_format(name)


def _import_path(
    home: Home,
    path: Path,
    wanted: Format | None,
    columns: Mapping[str, str],
    user: str,
    settings: CleaningSettings,
    progress: Progress,
    now: float | None,
) -> Ledger:
    source = open_input(path)
    if not source.members:
        reasons = "; ".join(f"{name}: {why}" for name, why in source.skipped[:3]) or "an empty folder"
        raise InputError(f"nothing in it can be read ({reasons})", path=path)
    readings, unknown = recognise(source.name, source.members, wanted)
    source.skipped += [(member.name, "of no known format") for member in unknown]
    digests, size = _digests(path)
    there = imports(home)
    before = next((one.name for one in there if _file_inputs(one.manifest.identity) == digests), None)
    name = before or _free_name(there, path)
    formats = ",".join(one.format.name for one in readings)
    identity = _identity(there, digests, formats, user, settings, name, columns)
    if (known := _same_import(there, identity)) is not None:
        return _already(known, source.name)
    source.report(progress, size)
    return _import(home, there, name, source, readings, identity, settings, user, now)


def _import(
    home: Home,
    there: Sequence[Import],
    name: str,
    source: Input,
    readings: Sequence[Recognised],
    identity: Identity,
    settings: CleaningSettings,
    user: str,
    now: float | None,
) -> Ledger:
    ledger = Ledger(name=name, source=source.name, skipped=sorted(source.skipped))
    earlier = [one.path for one in there if one.name != name]
    with writing(home.listens / name, identity) as draft:
        staging = draft.path / "staging"
        staging.mkdir()
        sink = ImportSink(staging, ledger, settings, user=user, now=time.time() if now is None else now)
        for reading in readings:
            feed(reading, source, sink)
        sink.finish()
        draft.rows.update(publish(sink, draft.path, earlier))
        shutil.rmtree(staging)
        ledger.tables = dict(sorted(draft.rows.items()))
        ledger.check()
        (draft.path / LEDGER).write_bytes(ledger.to_json())
    return ledger


def feed(reading: Recognised, source: Input, sink: ImportSink) -> None:
    """Let the format hand its members to ``sink``; damage ends one of them, and it goes on with those after it."""
    sink.begin(reading.format.name)
    left = list(reading.members)
    while left:
        opened: list[Member] = []

        def opening(member: Member, opened: list[Member] = opened) -> None:
            opened.append(member)
            sink.opened(member)

        try:
            reading.format.read(
                Selection(source, left, opening, lambda member, why: sink.damaged(member, str(why))), sink
            )
        except InputError as error:
            # A format that gives up before it opens anything finds fault with the first.
            broken = opened[-1] if opened else left[0]
            sink.damaged(broken, str(error))
            done = {member.name for member in (*opened, broken)}
            left = [member for member in left if member.name not in done]
        else:
            return


def _identity(
    there: Sequence[Import],
    digests: Mapping[str, str],
    formats: str,
    user: str,
    settings: CleaningSettings,
    name: str,
    columns: Mapping[str, str] = NO_COLUMNS,
) -> Identity:
    """What the import is made from: its files, and the other imports, whose rows it does not repeat."""
    others = {f"after/{one.name}": one.manifest.fingerprint for one in there if one.name != name}
    return Identity(
        kind=KIND,
        version=VERSION,
        inputs={**{f"file/{file}": digest for file, digest in sorted(digests.items())}, **others},
        settings={**_plain(settings), "formats": formats, "user": user, "columns": dict(columns)},
    )


def _plain(settings: CleaningSettings) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}


def _file_inputs(identity: Identity) -> dict[str, str]:
    return {name.removeprefix("file/"): digest for name, digest in identity.inputs.items() if name.startswith("file/")}


def _same_import(there: Sequence[Import], identity: Identity) -> Import | None:
    """The import that was made from the same files in the same way, after imports that are all still there."""
    for one in there:
        theirs = one.manifest.identity
        after = {name: digest for name, digest in theirs.inputs.items() if name.startswith("after/")}
        if (
            theirs.version == identity.version
            and _file_inputs(theirs) == _file_inputs(identity)
            and dict(theirs.settings) == dict(identity.settings)
            and after.items() <= identity.inputs.items()
        ):
            return one
    return None


def _already(known: Import, source: str) -> Ledger:
    """The ledger of an import that adds nothing: the rows that were accepted then are duplicates now."""
    before = known.ledger
    ledger = Ledger(name=known.name, source=source, skipped=before.skipped, already_imported=known.name)
    for file in before.files:
        again = FileLedger(
            name=file.name, format=file.format, read=file.read, dropped=dict(file.dropped), damage=file.damage
        )
        if file.accepted:
            again.drop("duplicate", file.accepted)
        ledger.files.append(again)
    ledger.check()
    return ledger


def _digests(path: Path) -> tuple[dict[str, str], int]:
    """The SHA-256 of each file at ``path``, by its name, and the bytes of all."""
    try:
        folder, files = (path.parent, [path]) if path.is_file() else (path, files_below(path)[0])
        digests = {shown(file.relative_to(folder).as_posix()): file_digest(file) for file in files}
        return digests, sum(file.stat().st_size for file in files)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from error


def _free_name(there: Sequence[Import], path: Path) -> str:
    """A name for the import of ``path`` that no import has: the file's, in plain letters."""
    stem = path.resolve().name.lower()
    plain = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\.(tar|zip|gz|zst|bz2|xz|jsonl?|csv|tsv|txt)\b", "", stem)).strip("-")
    name = (plain or "import")[:60]
    taken = {one.name for one in there}
    if name not in taken:
        return name
    return next(tried for number in itertools.count(2) if (tried := f"{name}-{number}") not in taken)
