"""What a store of releases consists of, and what it answers.

A release is an immutable, complete, checksummed set of surface tables, the catalogue behind them, and the artifacts
that both were made from. A `Registry` knows which releases exist and which of them is active; a `TableStore` keeps the
tables of each release by key. `crossfade.stores.releases.Releases` composes the two. Methods that write are for the
holder of the home's lock; reading needs no lock, from any thread and any process.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, NewType, Protocol, Self, runtime_checkable

import numpy as np

from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError
from crossfade.core.kinds import kind_named
from crossfade.core.tables import SurfaceTable

Version = NewType("Version", str)
"""The name of a release: its number, and the beginning of its fingerprint ("000012-1f0c9a2b77de")."""

_VERSION = re.compile(r"(\d{6,12})-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class TableInfo:
    """A surface table of a release.

    name         "radio-track", the surface and what it lists
    key          what a list is asked for by: "user", or a kind of item
    kind         what the lists consist of
    reason_kind  what the reasons are; None in a table without reasons
    columns      what an entry has besides its item, sorted
    keys         how many lists there are
    """

    name: str
    surface: str
    key: str
    kind: str
    reason_kind: str | None = None
    columns: tuple[str, ...] = ()
    keys: int


@dataclass(frozen=True, kw_only=True)
class Named:
    """An item by kind, id and name."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Reason(Named):
    """The item in the user's own history that makes an entry believable.

    plays  how often the user played it; None where the surface does not record that
    text   the reason as a person would say it: "Because you play Radiohead"
    """

    plays: int | None = None
    text: str

    @classmethod
    def of(cls, item: Named, plays: int | None) -> Self:
        """Return ``item`` as a reason."""
        text = f"Because you {kind_named(item.kind).verb} {item.name}"
        return cls(kind=item.kind, id=item.id, name=item.name, plays=plays, text=text)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One item of a ranked list.

    parent  what the item belongs to, such as a track's artist; None for a root, and where it is unknown
    score   higher is better, comparable within one list only; None where the surface has none
    reason  None where the surface gives none, or the item is there for being popular
    """

    id: str
    name: str
    parent: Named | None = None
    score: float | None = None
    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True)
class Item(Named):
    """An item of the catalogue, played or not.

    parent     as in `Entry`
    fields     the fields of its kind by name; those that are unknown are left out
    listeners  users that played it
    plays      how often they did
    """

    parent: Named | None = None
    fields: Mapping[str, str | int] = field(default_factory=dict)
    listeners: int
    plays: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """The result of a search.

    items        by kind, best match first; one entry for each kind that was searched
    suggestions  similar names, only where nothing matched
    """

    items: Mapping[str, tuple[Item, ...]]
    suggestions: tuple[str, ...] = ()


class Tables(Protocol):
    """The tables of one release, open for reading; safe to use from any number of threads."""

    @property
    def tables(self) -> Mapping[str, TableInfo]:
        """The surface tables by name."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that have items in this release, in the order of `KINDS`."""

    def entries(self, table: str, key: str, *, limit: int | None = None, offset: int = 0) -> list[Entry]:
        """Return the list of ``key`` (a full id), best first, from position ``offset`` on.

        Raises NotReadyError for a table that this release lacks, UnknownIdError for a key without a list.
        """

    def count(self, table: str, key: str) -> int:
        """Return the length of the list of ``key``; errors as for `entries`."""

    def item(self, kind: str, text: str) -> Item:
        """Return the item with the id ``text``, else the one of that name that most users play.

        A child is also found by its name and its parent's, in either order. Raises UnknownIdError, with similar
        names as suggestions.
        """

    def find(self, kind: str, text: str) -> Item | None:
        """Return the same item as `item`, or None instead of an error: fast even where nothing is found."""

    def user(self, text: str) -> str:
        """Return the full id of a user: ``text`` itself, else the one id that is ``text`` after a source's name.

        Raises UnknownIdError; its suggestions are the ids that ``text`` could stand for, if there are several.
        """

    def users(self, *, limit: int, offset: int = 0) -> list[str]:
        """Return the ids of users that have a list of their own in some table, ascending."""

    def search(self, text: str, *, limit: int, kinds: Sequence[str] | None = None) -> Found:
        """Return up to ``limit`` items of each of ``kinds`` (all by default) by name, ignoring case and diacritics.

        Better matches come first (the whole name, its beginning, the beginnings of its words, a part of it), then
        those with more listeners. Where nothing matches, similar names are suggested.
        """

    def close(self) -> None:
        """Release the resources. Nothing can be asked afterwards; closing twice is no error."""


class TableStore(Protocol):
    """Keeps the tables of each version. A version that was not written to the end does not exist."""

    def versions(self) -> list[Version]:
        """Return every version that was written, registered or not."""

    def write(self, version: Version, catalogue: Catalogue, tables: Sequence[SurfaceTable]) -> Mapping[str, int]:
        """Write the tables of a new version and return the number of rows of each.

        Raises ArtifactError where tables and catalogue do not fit each other, StorageError where the disk fails;
        nothing is left of the version then.
        """

    def open(self, version: Version) -> Tables:
        """Open the tables of ``version``; ArtifactError if they are missing or damaged."""

    def verify(self, version: Version) -> None:
        """Read every byte of ``version``; ArtifactError names what is damaged."""

    def drop(self, version: Version) -> None:
        """Remove the tables of ``version``, if there are any."""


@runtime_checkable
class SharedParts(Protocol):
    """Besides tables, a store that several machines share keeps the files of releases, for those without a copy."""

    def save_files(self, version: Version, place: Path, names: Sequence[str]) -> None:
        """Keep the files ``names`` of the directory ``place``, as part of a version that was written.

        Raises UnavailableError, and StorageError if a file cannot be read.
        """

    def fetch_file(self, version: Version, name: str, target: Path) -> float:
        """Write one of the files to ``target`` and return when it was saved, in seconds since 1970.

        Raises ArtifactError if it is not there, UnavailableError if the store does not answer.
        """


class Active(NamedTuple):
    """The active release. Under a pin, newer releases are added beside it without being served."""

    version: Version
    pinned: bool


class Registry(Protocol):
    """Records which releases exist and which one is active. Each method that writes is one atomic step."""

    def claimed(self) -> AbstractContextManager[None]:
        """Keep what is written, but not added yet, from being removed by others within the block.

        Raises BusyError if another home, which shares the store, is doing the same.
        """

    def versions(self) -> list[Version]:
        """Return every release that was added and not removed, oldest first."""

    def active(self) -> Active:
        """Return the active release; NotReadyError before the first, ArtifactError if the record is damaged."""

    def add(self, version: Version) -> bool:
        """Record a complete release, which becomes the active one unless there is a pin; return whether it did."""

    def activate(self, version: Version, *, pinned: bool) -> None:
        """Make ``version`` active, with a pin or without; ArtifactError for a release that does not exist."""

    def deactivate(self) -> None:
        """Make no release active; those that exist stay recorded."""

    def remove(self, version: Version) -> None:
        """Forget ``version``, if it is recorded; ArtifactError for the active release."""


def number_of(version: Version) -> int:
    """Return the number of a release; ArtifactError if ``version`` is not the name of one."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ArtifactError(f"{version!r} is not the name of a release, such as 000012-1f0c9a2b77de.")
    return int(match[1])


def shortest(score: np.float32) -> float:
    """Return the float whose shortest form is that of the float32 ``score``: 0.1, not 0.10000000149011612."""
    return float(str(score))
