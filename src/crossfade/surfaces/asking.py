"""A release, opened to be asked: the lists of its tables, and lists by any of its models, computed for one key."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from crossfade.core.artifacts import is_made_from, read_manifest
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.ids import MISSING
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import KINDS, kind_named
from crossfade.core.settings import from_table
from crossfade.models.contract import Fitted
from crossfade.models.cultural import FittedCultural
from crossfade.models.registry import compares_items, load_fitted, model_class
from crossfade.ranking.lists import RankedLists
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings
from crossfade.stores.contract import Entry, Named, Reason, TableInfo, shortest
from crossfade.stores.releases import Release
from crossfade.surfaces.contract import Listing, Prepared, SurfaceInputs
from crossfade.surfaces.discover import Pages, Unwanted
from crossfade.surfaces.reach import Reach, reach_of
from crossfade.surfaces.registry import PAGES, kind_listed, registered
from crossfade.surfaces.why import Why, why

Part = TypeVar("Part")

MOST_ROWS = 100_000
"""Items whose rows in a model are remembered."""

WORDS = "cultural"
"""The model that knows the words about items."""


@dataclass(frozen=True)
class _Neighbourhoods(Mapping[str, Neighbourhood]):
    """Neighbourhoods by kind that are opened when they are used; a surface rarely uses all of a family."""

    models: Mapping[str, str]
    open: Callable[[str, str], Neighbourhood]

    def __getitem__(self, kind: str) -> Neighbourhood:
        return self.open(self.models[kind], kind)

    def __contains__(self, kind: object) -> bool:
        return kind in self.models

    def __iter__(self) -> Iterator[str]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)


class OpenRelease:
    """An open ``release``; its parts are opened when they are needed, once. Safe to use from any number of threads.

    Whoever opened the release closes it.
    """

    def __init__(self, release: Release) -> None:
        self.release = release
        self._lock = RLock()
        self._opened: dict[Hashable, Any] = {}

    @property
    def version(self) -> str:
        """The release's name."""
        return self.release.version

    @property
    def _settings(self) -> Mapping[str, Any]:
        return self.release.manifest.identity.settings

    @property
    def models(self) -> list[str]:
        """The names of the models in the release, the first one leading."""
        names = self._settings["run"]["models"]
        return [name for name in names if any(self._has(f"{name}-{kind}") for kind in KINDS)]

    @property
    def catalogue(self) -> Catalogue:
        """All items of the release."""
        return self._part("catalogue", Catalogue.load)

    def table(self, surface: str, kind: str | None = None) -> TableInfo:
        """Return the table of ``surface`` that lists ``kind``, or the default one; NotReadyError if there is none."""
        return self.tables(surface, kind)[0]

    def tables(self, surface: str, kind: str | None = None) -> list[TableInfo]:
        """Return the table of ``surface`` that lists ``kind``; without it the default one, then all others.

        Raises NotReadyError if there is none.
        """
        tables = {table.kind: table for table in self.release.tables.tables.values() if table.surface == surface}
        players = {name: self._players(name) if table.keys else 0 for name, table in tables.items()}
        first = tables.pop(kind_listed(surface, players, kind))
        return [first, *(tables.values() if kind is None else ())]

    def table_with(self, surface: str, key: str, kind: str | None = None) -> TableInfo | None:
        """Return the first of `tables` in which ``key`` has a list that is not empty; None if there is none."""
        for table in self.tables(surface, kind):
            with suppress(UnknownIdError):
                if self.release.tables.count(table.name, key):
                    return table
        return None

    def entries(
        self,
        surface: str,
        key: str,
        *,
        kind: str | None = None,
        model: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Entry]:
        """Return the list of ``key`` (a full id) of `table`, from position ``offset`` on.

        With ``model`` the list is computed with that model leading; where it has no items of a kind that is needed
        besides what is listed, such as the artists that are reasons for tracks, the release's own leading model stands
        in. Raises UnknownIdError for a key without a list and for a model that the release lacks, NotReadyError for a
        model that cannot make such a list.
        """
        table = self.table(surface, kind)
        line = registered(surface)
        if model is None or not line.learned:
            return self.release.tables.entries(table.name, key, limit=limit, offset=offset)
        prepared = self._once((table.name, model), lambda: self._prepared(table, model))
        row = prepared.keys.find(key)
        entries = [] if row == MISSING else self._entries(table, prepared.lists(np.array([row], dtype=np.int32)))
        if not entries:
            raise UnknownIdError(f"No {line.title} for {key!r} by {model}.")
        return entries[offset : None if limit is None else offset + limit]

    def pages(self, kind: str | None = None, model: str | None = None) -> tuple[TableInfo, Pages]:
        """Return the table of pages that lists ``kind``, and what makes such pages of any history.

        With ``model`` that one leads. Raises NotReadyError and UnknownIdError as `entries` does.
        """
        table = self.table(PAGES, kind)
        pages = self._once((table.name, model), lambda: self._prepared(table, model))
        if not isinstance(pages, Pages):
            raise NotReadyError(f"{registered(PAGES).title} of release {self.version} cannot be made for a history.")
        return table, pages

    def listed(self, table: TableInfo, lists: RankedLists) -> list[Entry]:
        """Return the one list that a surface made for ``table`` as people see it."""
        return self._entries(table, lists)

    def interactions(self, kind: str) -> Interactions:
        """Return who played which items of ``kind``; NotReadyError if nobody played any."""
        return self._part(f"interactions-{kind}", partial(Interactions.load, kind=kind))

    def _players(self, kind: str) -> int:
        """How many users played items of ``kind``."""
        return len(self.interactions(kind).user_ids) if self._has(f"interactions-{kind}") else 0

    def made_with(self, part: str) -> Mapping[str, Any]:
        """Return the settings of the step that made a part of the release; NotReadyError if there is none."""
        return read_manifest(self.release.part(part)).identity.settings

    def top_terms(self, kind: str, item_id: str, n: int) -> list[tuple[str, float]]:
        """Return the ``n`` words that say most about an item, with their weights.

        Raises NotReadyError if the release knows no words about items of ``kind``, UnknownIdError for an unknown item.
        """
        if not self._has(f"{WORDS}-{kind}"):
            raise NotReadyError(
                f"Release {self.version} has no words about {kind_named(kind).plural}. Import tags or texts, have "
                f"{WORDS} in [run] models, and run `crossfade run`."
            )
        model: Any = self._model(WORDS, kind)
        terms: list[tuple[str, float]] = model.top_terms(item_id, n)
        return terms

    def words(self, kind: str) -> FittedCultural | None:
        """Return the words about items of ``kind``; None if the release knows none."""
        if not self._has(f"{WORDS}-{kind}"):
            return None
        model: Any = self._model(WORDS, kind)
        words: FittedCultural = model
        return words

    def reach(self, user: str, kind: str | None = None) -> Reach | None:
        """Return how much of the history of ``user`` others share: of roots of ``kind``, or of the first kind there is.

        None if nobody plays such items.
        """
        kinds = [name for name in KINDS if self._has(f"interactions-{name}")]
        root = KINDS[kind or kinds[0]].root if kinds else ""
        if root not in kinds:
            return None
        return reach_of(user, self.interactions(root), self.catalogue[root])

    def has_model(self, model: str, kind: str) -> bool:
        """Whether the release has ``model`` fitted on items of ``kind``."""
        return self._has(f"{model}-{kind}")

    def blends(self, model: str) -> bool:
        """Whether ``model`` is a blend of others."""
        return model_class(model).blends

    def model(self, model: str, kind: str) -> Fitted[Any]:
        """Return ``model`` fitted on items of ``kind``; NotReadyError if the release lacks it."""
        return self._model(model, kind)

    def scorer(self, history: Interactions) -> Callable[[Sequence[str]], npt.NDArray[np.float64]]:
        """Return what gives the scores (items,) by the leading model for the one user of ``history``.

        Its weights are on the scale of the release. An item that the model does not know has the lowest score of all,
        0 where there is no model of such items.
        """
        root = KINDS[history.kind].root
        inputs = self._once((root, None), lambda: self._inputs(root, None))
        if history.kind not in inputs.models:
            return lambda items: np.zeros(len(items))
        model = inputs.models[history.kind][0]
        profile = model.profiles(history)
        # The same items are asked for again and again: finding one of 300,000 takes twenty comparisons in Python.
        found_row = self._once(("row", history.kind), lambda: lru_cache(MOST_ROWS)(model.item_ids.find))

        def scores(items: Sequence[str]) -> npt.NDArray[np.float64]:
            rows = np.array([found_row(item) for item in items], dtype=np.int32)
            known = rows != MISSING
            found = model.scores(profile, np.array([0, int(known.sum())]), rows[known])
            scored = np.full(len(items), found.min(initial=0.0), dtype=np.float64)
            scored[known] = found
            return scored

        return scores

    def neighbourhood(self, kind: str) -> Neighbourhood:
        """Return what is close to what of ``kind``; NotReadyError if no model compares such items."""
        root = kind_named(kind).root
        compared = self._once((root, None), lambda: self._inputs(root, None)).neighbourhoods
        if kind not in compared:
            raise NotReadyError(f"No model of release {self.version} compares {kind_named(kind).plural}.")
        return compared[kind]

    def about(self, text: str, kind: str, n: int) -> list[Entry]:
        """Return the ``n`` items of ``kind`` of which the words of ``text`` say most, best first.

        Empty if nobody wrote these words, or the release knows no words about items of ``kind``.
        """
        if not self._has(f"{WORDS}-{kind}"):
            return []
        model: Any = self._model(WORDS, kind)
        rows, scores = model.about(text, n)
        found = self.catalogue[kind].ids.rows(model.item_ids.select(rows), missing="mark")
        return [self._entry(kind, row, score) for row, score in zip(found.tolist(), scores, strict=True) if row >= 0]

    def children(self, kind: str, parent: str, n: int) -> list[Entry]:
        """Return the ``n`` items of ``kind`` of a ``parent`` (its id) that have the most listeners, then plays."""
        listeners = self.catalogue[kind].listeners
        return [self._entry(kind, row, listeners[row]) for row in self.rows_of(kind, parent)[:n].tolist()]

    def rows_of(self, kind: str, parent: str) -> npt.NDArray[np.int64]:
        """Return the catalogue rows of the items of ``kind`` of a ``parent`` (its id), in the order of `children`."""
        items, above = self.catalogue[kind], KINDS[kind].parent
        row = MISSING if above is None else self.catalogue[above].ids.find(parent)
        if row == MISSING or items.parents is None:
            return np.empty(0, dtype=np.int64)
        own = np.flatnonzero(np.asarray(items.parents) == row)
        return own[np.lexsort((-items.plays[own], -items.listeners[own]))]

    def why(
        self,
        user: str,
        item: str,
        *,
        kind: str | None = None,
        model: str | None = None,
        made_of: Callable[[Pages], tuple[Mapping[str, Interactions], Unwanted]] | None = None,
    ) -> Why:
        """Return why ``item`` is on the page of ``user`` (a full id), or why it isn't.

        item     an id or a name
        kind     of the item; None for that of the default page, or any other of which there are pages
        model    the one that leads; None for the release's own
        made_of  gives the user's histories by kind, and what is unwanted; None for what the release knows of the user

        Raises UnknownIdError for an item or a user that the release does not have, NotReadyError without pages.
        """
        tables = self.tables(PAGES, kind)
        table = next((one for one in tables if self._named(one.kind, item)), tables[0])
        found = self.release.tables.item(table.kind, item)
        _, pages = self.pages(table.kind, model)
        if made_of is None and pages.keys.find(user) == MISSING:
            raise UnknownIdError(f"{user!r} has no history of {kind_named(table.reason_kind or table.kind).plural}.")
        row = self.catalogue[table.kind].ids.row(found.id)
        return why(pages, self.catalogue, user, row, *(() if made_of is None else made_of(pages)))

    def _named(self, kind: str, text: str) -> bool:
        """Whether there is an item of ``kind`` with that id or name."""
        try:
            self.release.tables.item(kind, text)
        except UnknownIdError:
            return False
        return True

    def _prepared(self, table: TableInfo, model: str | None) -> Prepared:
        """The surface behind ``table`` with ``model`` leading, None for the release's own."""
        if model is not None:
            self._require(table, model)
        inputs = self._once((KINDS[table.kind].root, model), lambda: self._inputs(KINDS[table.kind].root, model))
        surface = registered(table.surface).load()
        settings = self._settings.get(f"surfaces.{table.surface}", {})
        return surface.prepare(
            inputs,
            Listing(table.surface, table.key, table.kind, table.reason_kind),
            from_table(surface.settings_class, settings, f"release {self.version}"),
        )

    def _require(self, table: TableInfo, model: str) -> None:
        """Raise an error if ``model`` cannot make lists of ``table``."""
        if model not in self.models:
            raise UnknownIdError(f"{model!r} isn't in release {self.version}. It has: {', '.join(self.models)}.")
        if not self._has(f"{model}-{table.kind}"):
            raise NotReadyError(f"{model} wasn't fitted on {kind_named(table.kind).plural}.")
        if table.key in KINDS and not compares_items(model):
            raise NotReadyError(f"{model} doesn't compare items, which {registered(table.surface).title} needs.")

    def _inputs(self, root: str, model: str | None) -> SurfaceInputs:
        """What surfaces of one family of kinds are made from, with ``model`` leading, None for the release's own."""
        models: dict[str, list[Fitted[Any]]] = {}
        compared: dict[str, str] = {}
        played: dict[str, Interactions] = {}
        later: set[str] = set()
        for kind in (name for name in KINDS if KINDS[name].root == root):
            fitted = [name for name in (model, *self.models) if name and self._has(f"{name}-{kind}")]
            # By default the first model leads that compares items.
            comparing = [name for name in fitted if compares_items(name)]
            leading = fitted if model in fitted else [*comparing, *fitted]
            if leading:
                models[kind] = [self._model(leading[0], kind)]
            if comparing:
                compared[kind] = comparing[0]
            if self._has(f"interactions-{kind}"):
                if leading and not is_made_from(
                    self.release.part(f"{leading[0]}-{kind}"), self.release.part(f"interactions-{kind}")
                ):
                    later.add(kind)
                played[kind] = self.interactions(kind)
        return SurfaceInputs(
            catalogue=self.catalogue,
            interactions=played,
            models=models,
            later=later,
            neighbourhoods=_Neighbourhoods(compared, self._neighbourhood),
        )

    def _neighbourhood(self, model: str, kind: str) -> Neighbourhood:
        """The neighbour table of a model, or where the release has none, a search of each item that is asked for."""
        compared, part = self._model(model, kind), f"neighbours-{model}-{kind}"
        if self._has(part):
            return self._part(part, partial(Neighbourhood.load, model=compared))
        settings = from_table(NeighbourSettings, self._settings.get("neighbours", {}), f"release {self.version}")
        return self._once(part, lambda: Neighbourhood.without_table(compared, settings))

    def _has(self, part: str) -> bool:
        return part in self.release.parts

    def once(self, key: Hashable, make: Callable[[], Part]) -> Part:
        """Return what ``make`` made for ``key`` the first time: what belongs to the release as long as it is open."""
        return self._once(("kept", key), make)

    def _once(self, key: Hashable, make: Callable[[], Part]) -> Part:
        """What ``make`` made for ``key`` the first time."""
        if key not in self._opened:
            with self._lock:
                if key not in self._opened:  # no other thread was faster
                    self._opened[key] = make()
        opened: Part = self._opened[key]
        return opened

    def _part(self, name: str, load: Callable[[Path], Part]) -> Part:
        """What ``load`` makes of a part of the release."""
        return self._once(name, lambda: load(self.release.part(name)))

    def _model(self, model: str, kind: str) -> Fitted[Any]:
        return self._part(f"{model}-{kind}", load_fitted)

    def _entries(self, table: TableInfo, lists: RankedLists) -> list[Entry]:
        """The entries of one list."""
        entries = []
        for place, row in enumerate(lists.items.tolist()):
            column = {name: values[place] for name, values in lists.columns.items()}
            entry = self._entry(table.kind, row, column["score"])
            if table.reason_kind is not None:
                named = Named(**self._described(table.reason_kind, column["reason"]))
                entry = replace(entry, reason=Reason.of(named, int(column["reason_plays"])))
            entries.append(entry)
        return entries

    def _entry(self, kind: str, row: int, score: Any) -> Entry:
        """The item at ``row`` of the catalogue."""
        parent_kind, parents = KINDS[kind].parent, self.catalogue[kind].parents
        parent = None
        if parent_kind is not None and parents is not None and parents[row] != MISSING:
            parent = Named(**self._described(parent_kind, parents[row]))
        item = self._described(kind, row)
        return Entry(id=item["id"], name=item["name"], parent=parent, score=shortest(np.float32(score)))

    def _described(self, kind: str, row: int) -> dict[str, str]:
        items = self.catalogue[kind]
        return {"kind": kind, "id": items.ids[row], "name": items.names[row]}
