"""A release, opened from Python: search, the lists of its surfaces with reasons, stations, and its fitted models."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from crossfade.core.columns import frame_of
from crossfade.core.errors import UnknownIdError
from crossfade.core.home import Home, default_home
from crossfade.core.ids import Id, as_text
from crossfade.core.kinds import KINDS, kind_named
from crossfade.core.tables import EVERYONE, USER
from crossfade.models.contract import Fitted
from crossfade.models.registry import load_fitted
from crossfade.pipeline.settings import Settings
from crossfade.stores.contract import Entry, Item, TableInfo, Version
from crossfade.stores.registry import open_releases
from crossfade.stores.releases import Release
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.registry import POOL, SURFACES, registered
from crossfade.surfaces.station import StationSettings, station_of
from crossfade.surfaces.why import Why

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 10  # entries that a page prints


@dataclass(frozen=True)
class Page(Sequence[Entry | Item]):
    """A ranked list, best first, or the result of a search: entries as `Entry`, found items as `Item`.

    title        what it is: "Discover", "Related", …
    name         what it was asked for by: a user's id, an item's name, the text of a search; None for everyone's list
    release      the version that it was read from
    entries      the items
    suggestions  similar names, where a search found nothing
    """

    title: str
    name: str | None
    release: str
    entries: tuple[Entry | Item, ...]
    suggestions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, place: int) -> Entry | Item: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Entry | Item]: ...
    def __getitem__(self, place: int | slice) -> Entry | Item | Sequence[Entry | Item]:
        return self.entries[place]

    def __iter__(self) -> Iterator[Entry | Item]:
        return iter(self.entries)

    def __repr__(self) -> str:
        heading = self.title if self.name is None else f"{self.title}: {self.name}"
        lines = [f"{heading} ({len(self):,} items, release {self.release})"]
        for rank, entry in enumerate(self.entries[:SHOWN], 1):
            parent = f" – {entry.parent.name}" if entry.parent else ""
            reason = f". {entry.reason.text}" if isinstance(entry, Entry) and entry.reason else ""
            lines.append(f"  {rank:2} {entry.name}{parent}{reason}")
        if len(self) > SHOWN:
            lines.append("   …")
        return "\n".join(lines)

    def to_arrow(self) -> "pa.Table":
        """Return a row for each item: rank (from 1), id, name, parent, parent_id, and what is known besides.

        Of entries that is score, reason, reason_id and reason_plays; of found items kind, listeners and plays. What is
        unknown is null.
        """
        import pyarrow as pa

        found = self.title == _SEARCH
        text = dict.fromkeys(("kind",) if found else (), pa.string())
        text |= dict.fromkeys(("id", "name", "parent", "parent_id"), pa.string())
        if found:
            rest = {"listeners": pa.int64(), "plays": pa.int64()}
        else:
            rest = {"score": pa.float64(), "reason": pa.string(), "reason_id": pa.string(), "reason_plays": pa.int64()}
        schema = pa.schema({"rank": pa.int32(), **text, **rest})
        rows = [{"rank": rank, **_row(entry)} for rank, entry in enumerate(self.entries, 1)]
        return pa.Table.from_pylist(rows, schema)

    def to_pandas(self) -> Any:
        """Return `to_arrow` as a pandas data frame; MissingExtraError without pandas."""
        return frame_of(self.to_arrow(), "pandas")

    def to_polars(self) -> Any:
        """Return `to_arrow` as a polars data frame; MissingExtraError without polars."""
        return frame_of(self.to_arrow(), "polars")


class OpenedRelease:
    """One release of a home, which stays what it is while newer ones are published. Close it, or use it in ``with``.

    Every surface is a method by its name: ``discover(user)``, ``related(item)``, ``radio(item)``, ``popular()``. They
    take the options of `page`. Safe to use from any number of threads.
    """

    def __init__(self, release: Release, station: StationSettings) -> None:
        self._release = release
        self._opened = OpenRelease(release)
        self._station = station

    def __repr__(self) -> str:
        tables = ", ".join(f"{table.name} ({table.keys:,})" for table in self._release.tables.tables.values())
        return f"OpenedRelease({self.version}; lists: {tables}; models: {', '.join(self.models)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Callable[..., Page]:
        if name in SURFACES:
            return partial(self.page, name)
        raise AttributeError(f"an opened release has no attribute {name!r}; its surfaces are {', '.join(SURFACES)}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *SURFACES]

    @property
    def version(self) -> str:
        """The release's name."""
        return self._opened.version

    @property
    def models(self) -> list[str]:
        """The names of its fitted models, the leading one first."""
        return self._opened.models

    def close(self) -> None:
        """Let the release be pruned. Nothing can be asked of it afterwards; closing twice is no error."""
        self._release.close()

    def users(self, limit: int = 100, offset: int = 0) -> list[str]:
        """Return the ids of users that have lists, ascending, from position ``offset`` on."""
        return self._release.tables.users(limit=limit, offset=offset)

    def search(self, text: str, *, kind: str | None = None, limit: int = 20) -> Page:
        """Return up to ``limit`` items of each kind, or of ``kind``, by name, ignoring case and diacritics."""
        found = self._release.tables.search(text, limit=limit, kinds=None if kind is None else [kind_named(kind).name])
        items = tuple(item for group in found.items.values() for item in group)
        return Page(_SEARCH, text, self.version, items, found.suggestions)

    def page(
        self,
        surface: str,
        asked: Id = EVERYONE,
        *,
        kind: str | None = None,
        model: str | None = None,
        limit: int | None = 20,
        offset: int = 0,
    ) -> Page:
        """Return a list of ``surface`` for ``asked``: a user's id, or an item's id or name; nothing for everyone's.

        kind           of the items that are listed; None for the release's default
        model          computes the list with this model of the release leading
        limit, offset  the part of the list; ``limit`` None for all of it

        Raises UnknownIdError for what is not in the release or has no list, NotReadyError for a list that it lacks.
        """
        table, key, name = self._asked_for(surface, as_text(asked), kind)
        entries = self._opened.entries(surface, key, kind=table.kind, model=model, limit=limit, offset=offset)
        return Page(registered(surface).title, name, self.version, tuple(entries))

    def station(
        self, item: Id, seed: int, *, kind: str | None = None, model: str | None = None, limit: int | None = 25
    ) -> Page:
        """Return a station of an item's Radio in the order in which to play it; the same seed plays the same one."""
        pool = self.page(POOL, item, kind=kind, model=model, limit=None)
        entries = [entry for entry in pool if isinstance(entry, Entry)]
        played = station_of(entries, np.random.default_rng(seed), self._station)
        return Page("Station", pool.name, self.version, tuple(played[:limit]))

    def why(self, user: Id, item: Id, *, kind: str | None = None, model: str | None = None) -> Why:
        """Return why an item (id or name) is on the Discover page of a user, or why it isn't.

        kind, model  as in `page`

        Raises UnknownIdError for a user or an item that isn't in the release.
        """
        return self._opened.why(self._release.tables.user(as_text(user)), as_text(item), kind=kind, model=model)

    def terms(self, item: Id, *, kind: str | None = None, limit: int = 20) -> list[tuple[str, float]]:
        """Return the words that say most about an item, with their weights; NotReadyError if none are known."""
        found = self._release.tables.item(kind or self._release.tables.kinds[0], as_text(item))
        return self._opened.top_terms(found.kind, found.id, limit)

    def model(self, name: str | None = None, kind: str | None = None) -> Fitted[Any]:
        """Return a fitted model (None: the leading one) of items of ``kind`` (None: the first that it has).

        It stays usable as long as the release is open.
        """
        name = self.models[0] if name is None else name
        kinds = [one for one in KINDS if f"{name}-{one}" in self._release.parts]
        if name not in self.models or (kind is not None and kind not in kinds):
            wanted = name if kind is None else f"{name} of {kind_named(kind).plural}"
            raise UnknownIdError(f"There is no {wanted} in release {self.version}. It has: {', '.join(self.models)}.")
        return load_fitted(self._release.part(f"{name}-{kind or kinds[0]}"))

    def _asked_for(self, surface: str, text: str, kind: str | None) -> tuple[TableInfo, str, str | None]:
        """The table of ``surface`` that has ``text``, the default one first; the key of the list, and its name."""
        table, tables = self._opened.table(surface, kind), self._release.tables
        if table.key == USER:
            if text == EVERYONE:
                return table, EVERYONE, None
            user = tables.user(text)
            return self._opened.table_with(surface, user, kind) or table, user, user
        unknown = None
        for one in self._opened.tables(surface, kind):
            try:
                item = tables.item(one.key, text)
            except UnknownIdError as error:
                unknown = unknown or error
            else:
                return one, item.id, f"{item.name} – {item.parent.name}" if item.parent else item.name
        raise unknown or UnknownIdError(f"There is no {text!r}.")


_SEARCH = "Search"


def open_release(home: Path | str | None = None, version: str | None = None) -> OpenedRelease:
    """Open a release of the library at ``home``; the active one unless a ``version`` is named.

    home  a directory; None for ``$CROSSFADE_HOME``, else the one that commands use by default

    Raises NotReadyError before the first release, ArtifactError for one that is damaged or not there.
    """
    place = Home(Path(home or os.environ.get("CROSSFADE_HOME") or default_home()).expanduser())
    settings = Settings.of(place)
    releases = open_releases(place, settings.section("store"))
    return OpenedRelease(releases.open(None if version is None else Version(version)), settings.section("station"))


def _row(entry: Entry | Item) -> dict[str, Any]:
    row: dict[str, Any] = {"id": entry.id, "name": entry.name}
    if entry.parent is not None:
        row |= {"parent": entry.parent.name, "parent_id": entry.parent.id}
    if isinstance(entry, Item):
        return {**row, "kind": entry.kind, "listeners": entry.listeners, "plays": entry.plays}
    if entry.reason is not None:
        row |= {"reason": entry.reason.name, "reason_id": entry.reason.id, "reason_plays": entry.reason.plays}
    return {**row, "score": entry.score}
