"""Importing: files of users become one artifact each below ``HOME/listens``.

Each path is recognised, read by its formats into a sink, and published whole or not at all. Memory is bounded
whatever the size. The files' checksums are part of the artifact's identity, so the same files are recognised before
they are read again.
"""

import contextlib
import itertools
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import pyarrow as pa

from crossfade.core.artifacts import Identity, file_digest, writing
from crossfade.core.errors import ArtifactError, InputError, SettingsError
from crossfade.core.home import Home
from crossfade.core.paths import shown
from crossfade.core.progress import Progress, silent
from crossfade.formats.columns import Columns
from crossfade.formats.contract import PASSING, Format, Member
from crossfade.importing.apart import Each, ReadPart, parts_of
from crossfade.importing.cleaning import CleaningSettings
from crossfade.importing.feeding import feed
from crossfade.importing.forgetting import begin, changes, clean_imports, forget_made_from
from crossfade.importing.ledger import DEFAULT_USER, LEDGER, FileLedger, Ledger
from crossfade.importing.library import INVENTED, VERSION, Import, imports
from crossfade.importing.opening import files_below, files_of, open_input
from crossfade.importing.people import refuse_doubt
from crossfade.importing.publishing import publish
from crossfade.importing.recognition import Recognised, known_format, recognise
from crossfade.importing.sink import ImportSink
from crossfade.importing.sources import Input

KIND = "import"


def import_paths(
    home: Home,
    paths: Sequence[Path],
    *,
    format: str | None = None,  # noqa: A002 - the word that users know
    columns: Mapping[str, str] | None = None,
    user: str | None = None,
    settings: CleaningSettings | None = None,
    progress: Progress = silent,
    now: float | None = None,
    threads: int = 2,
    each: Each | None = None,
) -> list[Ledger]:
    """Import each of ``paths``, and return the ledger of each, in their order.

    format   the name of the format, None to recognise it
    columns  for tables with named columns: our names (`crossfade.formats.columns.NAMES`) and the file's
    user     the user of files that name none; None for the one whom they were imported for before, or else for "me",
             unless that is doubtful (`crossfade.importing.people`)
    now      the present in seconds since 1970, to recognise future times; the clock's if None
    threads  with more than 1, rows are judged and written in other threads too; the result is the same
    each     reads the files of a folder on many machines, which see it and the home under the same paths

    One bad path doesn't stop the others: its ledger's ``failure`` tells why. Raises the first InputError if all paths
    are bad or the home has an invented world, BusyError if another process writes in the home, and StorageError if the
    disk is full; earlier imports stay.
    """
    if user is not None and shown(user) != user:
        raise SettingsError(f"the user's name {shown(user)!r} is not text")
    if columns and format not in (None, Columns.name):
        raise SettingsError(f"columns can be mapped for the format {Columns.name!r}, not for {format!r}")
    wanted = Columns(columns) if columns else None if format is None else known_format(format)
    ledgers: list[Ledger] = []
    failures: list[InputError] = []
    with home.locked("import"):
        clean_imports(home)
        if invented := [one.name for one in imports(home) if one.invented]:
            raise InputError(
                f"{home.path} has an invented world, {invented[0]!r}, whose listeners would mix with yours. Choose "
                f"another --home, or remove it: crossfade forget --import {invented[0]}"
            )
        for path in paths:
            # Each import is made after those before it.
            work = _Work(home, user or DEFAULT_USER, settings or CleaningSettings(), now, columns or {}, threads, each)
            try:
                ledgers.append(_import_path(work, path, wanted, progress, user))
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
    """Import the rows that ``format`` makes itself, without any file, as the import called ``name``.

    ``format.read`` gets a source of one empty member, called ``name``, to place its rows in. ``inputs`` are the digests
    of whatever the rows are made from. An import of that name is replaced; the same ``inputs`` add nothing. Raises
    InputError if the home has imports of files, with which invented rows must not mix.
    """
    member = Member(name, PurePosixPath(name), b"")
    with home.locked("import"):
        clean_imports(home)
        if real := [one.name for one in imports(home) if not one.invented]:
            raise InputError(
                f"{home.path} has real listening history ({', '.join(real[:3])}), which would mix with the invented "
                f"{name!r}. Choose another --home."
            )
        work = _Work(home, user or DEFAULT_USER, settings or CleaningSettings(), now, {})
        identity = work.identity(name, inputs, format.name, {INVENTED: True})
        if (same := work.same_import(identity)) is not None and same.name == name:
            return _already(same, name)
        return work.run(name, Input(name), [Recognised(format, [member])], identity)


def replace_rows(
    home: Home,
    format: Format,  # noqa: A002 - as above
    *,
    inputs: Mapping[str, str],
    without: Mapping[str, object],
    empty: bool,
    settings: CleaningSettings | None = None,
    now: float | None = None,
) -> Ledger | None:
    """Import all rows that ``format`` makes of what listeners did here, in place of those of its last import.

    inputs   the digests of whatever the rows are made from; the same ones add nothing
    without  what tells which rows were taken out. If it has changed, the next run forgets what was made from the last
             import, and no fit starts from it
    empty    whether there are no rows; the last import is removed then

    Returns the ledger, None if there are no rows. In a home with an invented world these rows belong to it.
    """
    with home.locked("run"):
        clean_imports(home)
        work = _Work(home, DEFAULT_USER, settings or CleaningSettings(), now, {})
        last = replaced_by(home, format.name)
        if not empty:
            name = _free_name({one.name for one in work.earlier}, Path(format.name)) if last is None else last.name
            invented = {INVENTED: True} if any(one.invented for one in work.earlier) else {}
            identity = work.identity(name, inputs, format.name, {**without, **invented})
            if (same := work.same_import(identity)) is not None and same.name == name:
                return _already(same, name)
            if last is not None and any(
                last.manifest.identity.settings.get(key) != value for key, value in without.items()
            ):
                forget_made_from(home, last)
            member = Member(name, PurePosixPath(name), b"")
            with contextlib.suppress(InputError):  # all of them are in other imports
                return work.run(name, Input(name), [Recognised(format, [member])], identity)
        if last is not None:
            begin(home, [last.name], [], changes(home, [last.name], []), serve=True)
            clean_imports(home)
        return None


def replaced_by(home: Home, format: str) -> Import | None:  # noqa: A002 - as above
    """Return the import that `replace_rows` replaces with rows of ``format``; None if there is none."""
    for one in imports(home):
        with contextlib.suppress(ArtifactError):
            if one.manifest.identity.settings.get("formats") == format:
                return one
    return None


@dataclass(frozen=True)
class _Work:
    """The arguments that all imports of one call share; see `import_paths`."""

    home: Home
    user: str
    settings: CleaningSettings
    now: float | None
    columns: Mapping[str, str]
    threads: int = 2
    each: Each | None = None

    @cached_property
    def earlier(self) -> list[Import]:
        """The home's imports so far, by name."""
        return imports(self.home)

    def identity(
        self, name: str, digests: Mapping[str, str], formats: str, more: Mapping[str, object] = MappingProxyType({})
    ) -> Identity:
        """Return what the import is made from: its files, and the other imports, whose rows it does not repeat."""
        others = {f"after/{one.name}": one.manifest.fingerprint for one in self._others(name)}
        plain = {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self.settings).items()
        }
        return Identity(
            kind=KIND,
            version=VERSION,
            inputs={**{f"file/{file}": digest for file, digest in sorted(digests.items())}, **others},
            settings={**plain, "formats": formats, "user": self.user, "columns": dict(self.columns), **more},
        )

    def same_import(self, identity: Identity) -> Import | None:
        """Return the import made from the same files in the same way, after imports that all still exist."""
        for one in self.earlier:
            theirs = one.manifest.identity
            after = {name: digest for name, digest in theirs.inputs.items() if name.startswith("after/")}
            if (
                theirs.version == identity.version
                and _file_inputs(theirs) == _file_inputs(identity)
                and dict(theirs.settings) == dict(identity.settings)
                and after.items() <= identity.inputs.items()
                and one.ledger.listeners is not None  # else it is imported again, to count them
            ):
                return one
        return None

    def run(
        self,
        name: str,
        source: Input,
        readings: Sequence[Recognised],
        identity: Identity,
        check: Callable[[pa.Table], None] | None = None,
        path: Path | None = None,
    ) -> Ledger:
        """Read ``source``, and publish it as the import called ``name``; ``check`` is that of `publish`.

        ``path`` is where its files are, to be read by several machines if there are any.
        """
        ledger = Ledger(name=name, source=source.name, skipped=sorted(source.skipped))
        others = [one.path for one in self._others(name)]
        with writing(self.home.listens / name, identity) as draft:
            staging = draft.path / "staging"
            staging.mkdir()
            now = time.time() if self.now is None else self.now
            sink = ImportSink(staging, ledger, self.settings, user=self.user, now=now, threads=self.threads)
            with contextlib.closing(sink):
                parts = parts_of(path.absolute(), readings, self.settings) if path and self.each else []
                if self.each is not None and path is not None and len(parts) > 1:
                    read = ReadPart(
                        folder=path.absolute(),
                        parts=parts,
                        directory=staging.absolute(),
                        settings=self.settings,
                        user=self.user,
                        now=now,
                    )
                    self.each(read, len(parts))
                    for number in range(len(parts)):
                        sink.take(read.place(number), Ledger.from_json((read.place(number) / LEDGER).read_bytes()))
                else:
                    for reading in readings:
                        feed(reading, source, sink)
                sink.finish()
                draft.rows.update(publish(sink, draft.path, others, check))
            shutil.rmtree(staging)
            ledger.tables = dict(sorted(draft.rows.items()))
            ledger.listener, ledger.listeners = sink.listeners.own, sink.listeners.number
            ledger.check()
            if ledger.is_empty:
                raise InputError(ledger.why_empty(), path=source.name)
            draft.identity = _with_passing(identity, ledger)
            (draft.path / LEDGER).write_bytes(ledger.to_json())
        return ledger

    def _others(self, name: str) -> list[Import]:
        """The imports that rows are compared with; those of another version cannot be read."""
        return [one for one in self.earlier if one.name != name and one.readable]


def _import_path(work: _Work, path: Path, wanted: Format | None, progress: Progress, user: str | None) -> Ledger:
    """Import ``path``; ``user`` is whose history it is, None if nobody said so."""
    source = open_input(path)
    if not source.members:
        reasons = "; ".join(f"{name}: {why}" for name, why in source.skipped[:3]) or "an empty folder"
        raise InputError(f"has no readable file ({reasons})", path=path)
    readings, unknown = recognise(path, source.members, wanted)
    source.skipped += [(member.name, "of no known format") for member in unknown]
    digests, size = _digests(path)
    work = replace(work, user=_user(work, path, digests, user))
    before = next((one for one in work.earlier if _file_inputs(one.manifest.identity) == digests), None)
    fingerprint = before and before.manifest.fingerprint
    name = before.name if before else _free_name({one.name for one in work.earlier}, path)
    formats = [reading.format.name for reading in readings]
    identity = work.identity(name, digests, ",".join(formats))
    if (same := work.same_import(identity)) is not None:
        return _already(same, source.name)
    source.report(progress, size)
    alike = [one for one in work.earlier if one.name != name and one.readable and {*formats} & {*one.ledger.formats}]
    check = partial(refuse_doubt, earlier=alike, path=path) if user is None and work.user == DEFAULT_USER else None
    ledger = work.run(name, source, readings, identity, check, path)
    if before is not None and Import(name, before.path).manifest.fingerprint == fingerprint:
        # Read again for the rows that were dropped for a reason that can pass, which has not passed.
        return _already(before, source.name)
    return ledger


def _user(work: _Work, path: Path, digests: Mapping[str, str], user: str | None) -> str:
    """Return the user of the rows of ``path`` that name nobody: that of the imports which have its files already.

    Raises InputError if that is not ``user``: nobody's history is taken.
    """
    for one in work.earlier:
        if one.ledger.listeners is None or not {*digests.values()} & {*_file_inputs(one.manifest.identity).values()}:
            continue
        owner, before = one.ledger.listener, str(one.manifest.identity.settings["user"])
        if owner != before:  # the files name their listeners; which user is given does not matter
            return before
        if user not in (None, owner):
            raise InputError(
                f"is imported already, as the history of {owner!r}. If it is that of {user!r}, first remove the "
                f"import: crossfade forget --import {one.name}",
                path=path,
            )
        return owner
    return user or DEFAULT_USER


def _with_passing(identity: Identity, ledger: Ledger) -> Identity:
    """Return ``identity`` with the rows that were dropped for a reason that can pass, so that they are read again.

    Their number tells which they are: those that a later clock still drops are among those that an earlier one dropped.
    """
    passing = {reason: rows for reason, rows in ledger.dropped.items() if reason in PASSING}
    return replace(identity, settings={**identity.settings, "passing": passing}) if passing else identity


def _file_inputs(identity: Identity) -> dict[str, str]:
    return {name.removeprefix("file/"): digest for name, digest in identity.inputs.items() if name.startswith("file/")}


def _already(same: Import, source: str) -> Ledger:
    """Return the ledger of an import that adds nothing: the rows accepted before are duplicates now."""
    before = same.ledger
    ledger = Ledger(name=same.name, source=source, skipped=before.skipped, already_imported=same.name)
    ledger.listener, ledger.listeners = before.listener, before.listeners
    for file in before.files:
        again = FileLedger(
            name=file.name,
            format=file.format,
            read=file.read,
            dropped=dict(file.dropped),
            damage=file.damage,
            columns=file.columns,
            unused=file.unused,
        )
        if file.accepted:
            again.drop("duplicate", file.accepted)
        ledger.files.append(again)
    ledger.check()
    return ledger


def _digests(path: Path) -> tuple[dict[str, str], int]:
    """Return the SHA-256 of each file at ``path``, by its name, and the bytes of all."""
    try:
        folder, files = (path.parent, files_of(path)) if path.is_file() else (path, files_below(path)[0])
        digests = {shown(file.relative_to(folder).as_posix()): file_digest(file) for file in files}
        return digests, sum(file.stat().st_size for file in files)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from error


def _free_name(taken: set[str], path: Path) -> str:
    """Return a name for the import of ``path`` that is not taken: the file's, in plain letters."""
    stem = path.resolve().name.lower()
    plain = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\.(tar|zip|gz|zst|bz2|xz|jsonl?|csv|tsv|txt)\b", "", stem)).strip("-")
    name = (plain or "import")[:60]
    if name not in taken:
        return name
    return next(tried for number in itertools.count(2) if (tried := f"{name}-{number}") not in taken)
