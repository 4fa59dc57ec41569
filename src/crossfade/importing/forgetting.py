"""Forgetting, first half: what an import or a user brought leaves the imports of a home.

What is to be forgotten is recorded in ``forgetting.json`` before anything changes, so that the next command that writes
finishes what a killed one began. An import is deleted. A user's rows are taken out of each import that has them, with
their playlists and the items that nobody else in that import refers to; an import that names nobody else is deleted.
Once the imports are clean, the record names neither import nor user: only the checksums that the imports had. The
second half, `crossfade.pipeline.removal`, removes what was made from those.
"""

import contextlib
import difflib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossfade.core.artifacts import (
    MANIFEST,
    Identity,
    discard,
    file_digest,
    link_or_copy,
    translated_storage_errors,
    verify,
    write_file,
    writing,
)
from crossfade.core.errors import ArtifactError, StorageError, UnknownIdError
from crossfade.core.home import Home
from crossfade.core.replacing import flush_directory, left_over
from crossfade.core.schemas import TABLES
from crossfade.importing.ledger import DEFAULT_USER, LEDGER, FileLedger, Ledger
from crossfade.importing.library import INVENTED, Import, imports, people_of, row_groups
from crossfade.importing.publishing import PUBLISHED_ROW_GROUP
from crossfade.importing.theirs import JUDGED, Theirs

_AFTER = "after/"


@dataclass(frozen=True, kw_only=True)
class Pending:
    """What is still to be forgotten.

    imports, users  those to take out of the imports; none once that is done
    gone            the checksums of the imports that had them, until it is known which releases were made from those
    releases        those to remove
    serve           whether the active release among them is served until a run has replaced it
    """

    imports: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    serve: bool = True


@dataclass(frozen=True, kw_only=True)
class Change:
    """What forgetting does to one import.

    deleted  whether the whole import goes
    rows     how many rows go, by table
    """

    name: str
    deleted: bool
    rows: Mapping[str, int]


def pending(home: Home) -> Pending | None:
    """Return what is still to be forgotten; ArtifactError if the record is damaged."""
    try:
        return msgspec.json.decode(home.forgetting.read_bytes(), type=Pending)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(
            f"{home.forgetting} cannot be read: {error}. Remove it, and repeat `crossfade forget`."
        ) from error


def record(home: Home, wish: Pending | None) -> None:
    """Record what is still to be forgotten; None for nothing. The caller has the home's lock."""
    if wish is not None:
        write_file(home.forgetting, msgspec.json.encode(wish))
    elif home.forgetting.exists():
        with translated_storage_errors(home.forgetting):
            home.forgetting.unlink()
            flush_directory(home.path)


def changes(home: Home, names: Collection[str], users: Collection[str]) -> list[Change]:
    """Return what forgetting these imports and users (full ids) does to each import that it concerns."""
    found = []
    for one in imports(home):
        if one.name in names:
            found.append(Change(name=one.name, deleted=True, rows=_rows_of(one)))
            continue
        theirs = [Theirs(one, user) for user in users if _holds(one, user)]
        if not theirs:
            continue
        if people_of(one, without=users):
            rows = sum((one.rows() for one in theirs), Counter())
            found.append(Change(name=one.name, deleted=False, rows=dict(rows)))
        else:
            found.append(Change(name=one.name, deleted=True, rows=_rows_of(one)))
    return found


def checksums(home: Home) -> dict[str, str]:
    """Return the checksum of each import by its name; the manifests of what was made from it have that."""
    return {one.name: file_digest(one.path / MANIFEST) for one in imports(home)}


def changed_checksums(home: Home, found: Iterable[Change]) -> set[str]:
    """Return the checksums of the imports that ``found`` changes, and of those whose manifests name one of them."""
    names = {change.name for change in found}
    return {digest for name, digest in checksums(home).items() if name in names} | {
        file_digest(one.path / MANIFEST) for one in imports(home) if not _after(one).keys().isdisjoint(names)
    }


def begin(home: Home, names: Collection[str], users: Collection[str], found: Iterable[Change], *, serve: bool) -> None:
    """Record what to forget, before anything changes; ``found`` is from `changes`. The caller has the home's lock."""
    earlier = pending(home) or Pending()
    wish = Pending(
        imports=tuple(sorted({*earlier.imports, *names})),
        users=tuple(sorted({*earlier.users, *users})),
        gone=tuple(sorted({*earlier.gone, *changed_checksums(home, found)})),
        releases=earlier.releases,
        serve=serve and earlier.serve,
    )
    record(home, wish)


def forget_made_from(home: Home, one: Import) -> None:
    """Record that what was made from an import is to be forgotten, which is about to be replaced.

    The caller has the home's lock.
    """
    earlier = pending(home) or Pending()
    record(home, replace(earlier, gone=tuple(sorted({*earlier.gone, file_digest(one.path / MANIFEST)}))))


def clean_imports(home: Home) -> None:
    """Take what is to be forgotten out of the imports, if that is not done. The caller has the home's lock.

    Raises ArtifactError for an import that is damaged; it can be forgotten as a whole.
    """
    wish = pending(home)
    if wish is None or not (wish.imports or wish.users):
        return
    with translated_storage_errors(home.listens):
        for one in imports(home):
            if one.name in wish.imports:
                discard(one.path)
        for user in wish.users:
            for one in imports(home):
                if _holds(one, user):
                    _forget_user(home, one, user)
        names = {one.name for one in imports(home)}
        for one in imports(home):
            if gone := {name for name in _after(one) if name not in names}:
                _rename_inputs(one, gone)
    require_gone(home.listens)
    record(home, replace(wish, imports=(), users=()))


def require_gone(directory: Path) -> None:
    """Raise StorageError if something that was removed from ``directory`` is still there, under another name."""
    if left := left_over(directory):
        raise StorageError(f"{left[0]} cannot be removed. Fix its permissions and run the same command again.")


def mentions(home: Home, user: str) -> list[str]:
    """Return the imports without a row of ``user`` whose file names have the user's name in them as a word."""
    found = []
    for one in imports(home):
        with contextlib.suppress(ArtifactError):
            ledger = one.ledger
            files = [*(file.name for file in ledger.files), *(name for name, _ in ledger.skipped)]
            if any(_mentions(name, user) for name in (one.name, ledger.source, *files)) and not _holds(one, user):
                found.append(one.name)
    return found


def user_named(text: str, users: Iterable[str]) -> str:
    """Return the full id of a user: ``text`` itself, else the one id that is ``text`` after a source's name.

    Raises UnknownIdError; its suggestions are the ids that ``text`` could stand for, or similar ones.
    """
    ids: dict[str, list[str]] = {}
    for user in sorted(users):
        if user == text:
            return user
        ids.setdefault(bare(user), []).append(user)
    found = ids.get(text, [])
    if len(found) == 1:
        return found[0]
    similar = (user for name in difflib.get_close_matches(text, ids, n=3) for user in ids[name])
    raise UnknownIdError(
        f"{'More than one user is called' if found else 'There is no user'} {text!r}.",
        suggestions=tuple(found or similar)[:5],
    )


def bare(user: str) -> str:
    """Return what follows the source's name in a user's id; all of it if there is none."""
    return user.partition(":")[2] or user


def _rows_of(one: Import) -> Mapping[str, int]:
    """Return the rows of an import by table; none of a damaged one, which can be deleted all the same."""
    try:
        return one.manifest.rows
    except ArtifactError:
        return {}


def _holds(one: Import, user: str) -> bool:
    """Return whether an import has rows of ``user``, or was imported as theirs."""
    as_theirs = (one.manifest.identity.settings.get("user"), one.ledger.listener)
    return (user in as_theirs and user != DEFAULT_USER) or user in people_of(one)


def _after(one: Import) -> dict[str, str]:
    """Return the imports that were there before this one and are named in its manifest, with their fingerprints."""
    try:
        inputs = one.manifest.identity.inputs.items()
    except ArtifactError:
        return {}
    return {
        name.removeprefix(_AFTER): fingerprint
        for name, fingerprint in inputs
        if name.startswith(_AFTER) and name != _AFTER + fingerprint
    }


def _rename_inputs(one: Import, gone: Collection[str]) -> None:
    """Have the manifest name the imports ``gone`` by their fingerprints: importing the same files reads them again."""
    manifest = verify(one.path)
    inputs = {
        (_AFTER + digest if name.removeprefix(_AFTER) in gone and name.startswith(_AFTER) else name): digest
        for name, digest in manifest.identity.inputs.items()
    }
    with writing(one.path, replace(manifest.identity, inputs=inputs)) as draft:
        draft.rows.update(manifest.rows)
        for name in manifest.files:
            link_or_copy(one.path / name, draft.path / name)


def _forget_user(home: Home, one: Import, user: str) -> None:
    """Write an import without ``user``, or delete it if it names nobody else."""
    if not people_of(one, without=[user]):
        discard(one.path)
        return
    verify(one.path)  # what is damaged must not get new checksums
    if _mentions(one.name, user):
        one = _renamed(home, one)
    ledger, theirs = one.ledger, Theirs(one, user)
    stays = theirs.stays()
    with writing(one.path, one.manifest.identity) as draft:
        for table in TABLES:
            for path in one.files(table):
                rows = _write_kept(path, draft.path / path.relative_to(one.path), table, stays)
                draft.rows[table] = draft.rows.get(table, 0) + rows
        draft.rows = {table: rows for table, rows in draft.rows.items() if rows}
        source = one.name if _mentions(ledger.source, user) else ledger.source
        new = Ledger(name=one.name, source=source, tables=draft.rows)
        new = _ledger_of(draft.path, new, ledger.formats, people_of(one, ("listens", "counts"), without=[user]))
        (draft.path / LEDGER).write_bytes(new.to_json())
        kept = {key: value for key, value in draft.identity.settings.items() if key in ("formats", INVENTED)}
        files = sorted(path for path in draft.path.rglob("*.parquet"))
        draft.identity = Identity(
            kind=draft.identity.kind,
            version=draft.identity.version,
            inputs={f"table/{path.relative_to(draft.path).as_posix()}": file_digest(path) for path in files},
            settings=kept,
        )


def _renamed(home: Home, one: Import) -> Import:
    """Give an import another name, in one step, before it is rewritten under it."""
    taken = {other.name for other in imports(home)}
    name = next(name for number in range(1, len(taken) + 2) if (name := f"import-{number}") not in taken)
    one.path.rename(home.listens / name)
    flush_directory(home.listens)
    return Import(name, home.listens / name)


def _ledger_of(place: Path, ledger: Ledger, formats: Sequence[str], listeners: Collection[str]) -> Ledger:
    """Return the ledger of what is left: nothing of single files, which may be named after people."""
    ledger.listeners, ledger.listener = len(listeners), min(listeners) if len(listeners) == 1 else None
    ledger.files = [FileLedger(name=ledger.source, format=name) for name in formats]
    file = ledger.files[0]
    for path in sorted((place / "listens").glob("*.parquet")):
        for rows in row_groups(path, ["skipped"]):
            skips = pc.sum(rows["skipped"]).as_py() or 0
            file.accept("skips", skips)
            file.accept("plays", len(rows) - skips)
    for column in ("counts", "playlist_items"):
        file.accept(column, ledger.tables.get(column, 0))
    file.read = file.accepted
    ledger.check()
    return ledger


def _write_kept(path: Path, target: Path, table: str, stays: Callable[[str, pa.Table], pa.Table]) -> int:
    """Write the rows of a file that stay, if there are any, and return how many there are."""
    total, changed = 0, False
    for rows in row_groups(path, JUDGED[table]):
        kept = stays(table, rows)
        total += len(kept)
        changed |= not kept.equals(rows)
    if not changed:
        link_or_copy(path, target)
    elif total:
        target.parent.mkdir(exist_ok=True)
        with pq.ParquetWriter(target, TABLES[table], compression="zstd") as writer:
            for rows in row_groups(path):
                writer.write_table(stays(table, rows).cast(TABLES[table]), row_group_size=PUBLISHED_ROW_GROUP)
    return total


def _mentions(text: str, user: str) -> bool:
    """Return whether ``text`` has a user's name, with or without the source's, in it as a word."""
    word = _plain(bare(user))
    # A number, or a single letter, is in too many names.
    return len(word) > 1 and not word.isdigit() and f"-{word}-" in f"-{_plain(text)}-"


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "-", text.casefold()).strip("-")
