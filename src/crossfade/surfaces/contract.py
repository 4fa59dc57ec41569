"""What a surface is: ranked lists that people see, of one kind of item, for each user or each item.

A surface is one file in this room and one line in `crossfade.surfaces.registry`. Everything else (the steps of the
pipeline, the command, the HTTP route, the rows in a store) follows from that line. The code that builds a whole table
and the code that answers one request are the same: both ask a `Prepared` surface for lists.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np

from crossfade.core.catalogue import Catalogue
from crossfade.core.computed import Computed
from crossfade.core.csr import starts_of
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import kind_named
from crossfade.core.progress import Progress, silent
from crossfade.core.tables import SurfaceTable
from crossfade.models.contract import Fitted
from crossfade.ranking.aliases import Aliases, aliases_of
from crossfade.ranking.lists import Grouping, RankedLists, joined
from crossfade.ranking.neighbourhood import Neighbourhood

CHUNK = 1024
"""Keys whose lists are computed together."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """What surfaces must know of a library before anything is built.

    kinds     the kinds of item that have listeners
    compared  the kinds that have a neighbourhood
    """

    kinds: Collection[str]
    compared: Collection[str] = ()


@dataclass(frozen=True)
class Listing:
    """One table of a surface: what it is asked for by (see `SurfaceTable`), what it lists, and what its reasons are."""

    surface: str
    key: str
    kind: str
    reason_kind: str | None = None

    @property
    def name(self) -> str:
        """The table's name in a release, such as "radio-track"."""
        return f"{self.surface}-{self.kind}"


@dataclass(frozen=True, eq=False, kw_only=True)
class SurfaceInputs:
    """What surfaces are made from, by kind of item.

    catalogue       all items: rows in lists are its rows
    interactions    who played what
    models          fitted models, the leading one first
    later           the kinds of which the interactions are later than those that the models were fitted on: the profile
                    of a user is that of the history, even if the model knows the user
    neighbourhoods  what is close to what, of the leading model that compares items
    threads         processors to use, None for all; lists do not depend on it
    aliases         those of the catalogue, where they are shared with other surfaces
    """

    catalogue: Catalogue
    interactions: Mapping[str, Interactions] = field(default_factory=dict)
    models: Mapping[str, Sequence[Fitted[Any]]] = field(default_factory=dict)
    later: Collection[str] = ()
    neighbourhoods: Mapping[str, Neighbourhood] = field(default_factory=dict)
    threads: int | None = None
    aliases: Mapping[str, Aliases] | None = None

    @property
    def library(self) -> Library:
        """What the library of these inputs has."""
        kinds = [kind for kind in self.catalogue if kind in self.interactions]
        return Library(kinds=kinds, compared=[kind for kind in self.catalogue if kind in self.neighbourhoods])

    @cached_property
    def variants(self) -> Mapping[str, Computed]:
        """The groups of items that are the same thing to a listener (`crossfade.ranking.aliases`)."""
        return {kind: one.groups for kind, one in self._aliases.items()}

    @cached_property
    def last_credited(self) -> Mapping[str, Computed]:
        """The same groups, but of what two are credited with that of the last."""
        return {kind: one.last for kind, one in self._aliases.items()}

    @cached_property
    def _aliases(self) -> Mapping[str, Aliases]:
        return aliases_of(self.catalogue) if self.aliases is None else self.aliases

    def neighbourhood(self, kind: str) -> Neighbourhood:
        """The neighbourhood of ``kind``; ArtifactError if there is none."""
        if kind not in self.neighbourhoods:
            raise ArtifactError(f"No model compares the {kind_named(kind).plural} of this library.")
        return self.neighbourhoods[kind]

    def groupings(self, kind: str, own_variants: int, per_parent: int) -> list[Grouping]:
        """One variant of each item in a list, ``own_variants`` of its key, and ``per_parent`` items of one parent."""
        groupings = [Grouping(self.variants[kind], 1, own_variants)]
        parents = self.catalogue[kind].parents
        if parents is None:
            groupings.append(Grouping(self.last_credited[kind], len(self.catalogue[kind]), own_variants))
        else:
            groupings.append(Grouping(lambda rows: parents[rows].astype(np.int64), per_parent, per_parent))
        return groupings


class Prepared(Protocol):
    """One listing, ready to be asked.

    keys  the ids that can have a list
    """

    @property
    def keys(self) -> Ids: ...

    def lists(self, keys: Rows) -> RankedLists:
        """Return the lists of these rows (n,) of ``keys``, ascending; computes only what these need.

        The list of a key does not depend on what it is asked with, nor on the number of threads. It may be empty.
        """


class Surface(Protocol):
    """One way to list items.

    name            of the surface, its command and its route: lower-case letters
    settings_class  ``settings_class()`` are the defaults
    """

    name: ClassVar[str]
    settings_class: ClassVar[type[Any]]

    def listings(self, library: Library) -> list[Listing]:
        """Return the tables that such a library can have, one for each kind of item that the surface can list."""

    def prepare(self, inputs: SurfaceInputs, listing: Listing, settings: Any) -> Prepared:
        """Make one of these tables ready to be asked; ArtifactError if ``inputs`` lack a part."""


def build_table(prepared: Prepared, listing: Listing, progress: Progress = silent) -> SurfaceTable:
    """Return the table of the lists of all keys; a key whose list is empty is left out."""
    return table_of(prepared.keys, listing, lists_of(prepared, 0, len(prepared.keys)), progress)


def lists_of(prepared: Prepared, first: int, last: int) -> Iterator[RankedLists]:
    """Yield the lists of the keys at the rows from ``first`` up to ``last``, `CHUNK` keys at a time.

    They are the same for any division of the keys, so that any number of processes can share a table.
    """
    for start in range(first, last, CHUNK):
        yield prepared.lists(np.arange(start, min(start + CHUNK, last), dtype=np.int32))


def table_of(keys: Ids, listing: Listing, lists: Iterable[RankedLists], progress: Progress = silent) -> SurfaceTable:
    """Return the table of the ``lists`` of all ``keys``, in their order; a key whose list is empty is left out."""
    parts, done = [], 0
    for part in lists:
        parts.append(part)
        done += len(part.indptr) - 1
        progress(done, len(keys), "lists")
    if not parts:
        raise ArtifactError(f"{listing.name} has nobody to make lists for.")
    joined_lists = joined(parts)
    lengths = np.diff(joined_lists.indptr)
    listed = lengths > 0
    return SurfaceTable(
        surface=listing.surface,
        key=listing.key,
        kind=listing.kind,
        reason_kind=listing.reason_kind,
        keys=keys if listed.all() else Ids.of(keys.select(np.flatnonzero(listed))),
        indptr=starts_of(lengths[listed]),
        items=joined_lists.items,
        columns=joined_lists.columns,
    )
