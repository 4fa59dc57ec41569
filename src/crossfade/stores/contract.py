"""What a store of releases is, and what it answers.

A store keeps releases: immutable, complete, checksummed sets of surface tables, the catalogue behind them,
and the vector spaces behind those. Exactly one is active. Writing methods are for the holder of the home's
lock; reading needs no lock, from any thread and any process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NewType, Protocol, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.artifacts import Manifest
from crossfade.core.catalogue import Catalogue
from crossfade.core.ids import ItemKind, Rows
from crossfade.core.spaces import VectorSpace
from crossfade.core.tables import KeyKind, SurfaceTable

Version = NewType("Version", str)
"""The name of a release: its number, and the beginning of its fingerprint ("000012-1f0c9a2b77de")."""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A surface table that a release holds: what it is asked for by, what it lists, and how many keys it has."""

    name: str
    key: KeyKind
    kind: ItemKind
    columns: tuple[str, ...]
    keys: int


@dataclass(frozen=True, kw_only=True)
class Artist:
    """An artist of the catalogue; ``listeners`` users played it ``plays`` times."""

    id: str
    name: str
    listeners: int
    plays: int


@dataclass(frozen=True, kw_only=True)
class Track:
    """A track of the catalogue; what the source did not tell is None."""

    id: str
    title: str
    artist_id: str | None
    artist_name: str | None
    album: str | None
    track_ms: int | None
    listeners: int
    plays: int


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What in the user's own history makes an item believable, and how often the user played it.

    kind    "artist"; "track" in a library that knows no artists
    plays   None where the surface does not say
    """

    kind: ItemKind
    id: str
    name: str
    plays: int | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One item of a ranked list, with the names that people know it by.

    artist_id, artist_name  of a track, None where not known; None for an artist
    score                   higher is better, comparable within one list only; None where the surface has none
    reason                  None where the surface gives none, or the item is there for being popular
    """

    id: str
    name: str
    artist_id: str | None = None
    artist_name: str | None = None
    score: float | None = None
    reason: Reason | None = None


@dataclass(frozen=True, eq=False)
class RankedRows:
    """A list as a surface made it: ``items`` (n,) int32 rows, best first, and columns of the same length."""

    items: Rows
    columns: Mapping[str, npt.NDArray[Any]]

    def __len__(self) -> int:
        return len(self.items)

    def part(self, span: slice) -> "RankedRows":
        """Some of the entries."""
        return RankedRows(self.items[span], {name: values[span] for name, values in self.columns.items()})


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search gives back, best match first; ``suggestions`` are names only where nothing matched."""

    artists: tuple[Artist, ...] = ()
    tracks: tuple[Track, ...] = ()
    suggestions: tuple[str, ...] = ()


class ReleaseReader(Protocol):
    """One whole release, open for reading; safe to use from any number of threads.

    A release that is open is not pruned, so a reader goes on working however many newer ones are published.
    """

    @property
    def version(self) -> Version:
        """The release's name."""

    @property
    def manifest(self) -> Manifest:
        """What the release was made from, and how many rows each of its tables has."""

    @property
    def surfaces(self) -> Mapping[str, Surface]:
        """The surface tables it holds, by name."""

    @property
    def spaces(self) -> tuple[str, ...]:
        """The names of the vector spaces it holds, sorted: "als-artist"."""

    def entries(self, surface: str, key: str, *, limit: int | None = None, offset: int = 0) -> list[Entry]:
        """The list of ``key`` (a full id), best first, from position ``offset`` on.

        Raises NotReadyError for a surface that this release lacks, UnknownIdError for a key without a list.
        """

    def ranked(self, surface: str, key: str) -> RankedRows:
        """The list of ``key`` as rows and columns; errors as for `entries`."""

    def named(self, kind: ItemKind, ranked: RankedRows) -> list[Entry]:
        """The entries of a list of items of ``kind`` by the rows of this release, whoever made it."""

    def artist(self, text: str) -> Artist:
        """The artist with the id ``text``, else the most played one of that name.

        Raises UnknownIdError, with the nearest names as suggestions.
        """

    def track(self, text: str) -> Track:
        """The track with the id ``text``, else the most played one of that title, with or without its artist.

        Raises UnknownIdError, with the nearest titles as suggestions.
        """

    def user(self, text: str) -> str:
        """The full id of a user: ``text`` itself, else the one id that is ``text`` behind a source's name.

        Raises UnknownIdError; its suggestions are the ids that ``text`` could stand for, if there are several.
        """

    def users(self, *, limit: int, offset: int = 0) -> list[str]:
        """The ids of users that have a list of their own on some surface, ascending."""

    def search(self, text: str, *, limit: int) -> Found:
        """Up to ``limit`` artists and ``limit`` tracks by name, whatever the case and the diacritics.

        Better matches first (the whole name, its beginning, its words' beginnings, a part of it), equally
        good ones by listeners. Where nothing matches, the nearest names are suggested.
        """

    def space(self, name: str) -> VectorSpace:
        """A vector space of the release, memory-mapped; NotReadyError if it holds none of that name."""

    def close(self) -> None:
        """Let go of the release. Nothing can be asked of the reader afterwards."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ReleaseStore(Protocol):
    """A place that keeps releases, of which one is active."""

    def publish(
        self,
        tables: Sequence[SurfaceTable],
        catalogue: Catalogue,
        *,
        spaces: Sequence[tuple[str, Path]] = (),
        inputs: Mapping[str, str],
        settings: Mapping[str, Any] | None = None,
    ) -> Version:
        """Write a release and make it the active one, in one atomic step.

        ``spaces`` are names and directories that `VectorSpace.save` filled; ``inputs`` the fingerprint of all
        that goes in. What the active release was made from already is not published again. Raises
        ArtifactError where the parts do not fit each other, StorageError where the disk fails; the release
        that was active before stays so then.
        """

    def versions(self) -> list[Version]:
        """Every release there is, oldest first."""

    def current(self) -> Version:
        """The active release; NotReadyError before the first one."""

    def verify(self, version: Version | None = None) -> Manifest:
        """Read every byte of a release (the active one by default); ArtifactError says what is damaged."""

    def activate(self, version: Version) -> None:
        """Make ``version`` the active release; ArtifactError unless it is whole."""

    def roll_back(self) -> Version:
        """Make the newest whole release before the active one active; NotReadyError if there is none."""

    def prune(self, keep: int) -> list[Version]:
        """Remove all but the ``keep`` newest releases; those removed, oldest first.

        The active one, and those that a reader has open, stay in any case.
        """

    def open(self, version: Version | None = None) -> ReleaseReader:
        """Read a release (the active one by default); NotReadyError before the first one."""


def shortest(score: np.float32) -> float:
    """The float whose shortest form is that of the float32 ``score``: 0.1, not 0.10000000149011612."""
    return float(str(score))
