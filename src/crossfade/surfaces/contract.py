"""What a surface is: one table that people see, built from what a library knows.

A surface is one file in this room and one line in `crossfade.surfaces.registry`. Everything else (the step of
the pipeline, the command, the HTTP route, the rows in a store) follows from that line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from crossfade.core.catalogue import Artists, Catalogue, Tracks
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import ItemKind
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import VectorSpace
from crossfade.core.tables import KeyKind, SurfaceTable
from crossfade.nearest.contract import IndexSettings
from crossfade.ranking.neighbourhood import Neighbourhood

LEAST_SHARE = 0.5
"""Of the listeners whose artists are known, the tracks of as many must be known for tracks to count."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """What a library knows, as far as surfaces must know it before anything is built."""

    artists: bool  # it knows which artists its listeners played
    tracks: bool  # it knows which tracks they played


@dataclass(frozen=True, eq=False, kw_only=True)
class SurfaceInputs:
    """What surfaces are built from; the parts of one kind, artist or track, share their rows.

    catalogue   what there is, by row
    artist_*    interactions with artists and the space learned from them; None in a library of tracks alone
    track_*     the same of tracks; None in a library that knows only artists
    neighbourhoods  what is near to what in those spaces, by kind; built here where it is not given
    built       the tables that were built before, by the names of their surfaces
    index       how the spaces are searched
    threads     processors to use, None for all; tables do not depend on it

    Raises ArtifactError if the rows of two parts do not mean the same.
    """

    catalogue: Catalogue
    artist_interactions: Interactions | None = None
    artist_space: VectorSpace | None = None
    track_interactions: Interactions | None = None
    track_space: VectorSpace | None = None
    neighbourhoods: Mapping[ItemKind, Neighbourhood] = field(default_factory=dict)
    built: Mapping[str, SurfaceTable] = field(default_factory=dict)
    index: IndexSettings = field(default_factory=IndexSettings)
    threads: int | None = None

    def __post_init__(self) -> None:
        if not (self.library.artists or self.library.tracks):
            raise ArtifactError("There is nothing to build surfaces from: neither artists nor tracks were played.")
        for kind in _KINDS:
            interactions, space = self._parts(kind)
            if interactions is None and space is None:
                continue
            if interactions is None or space is None:
                raise ArtifactError(f"Interactions and space of {kind}s come together; one of them is missing.")
            known: Artists | Tracks | None = self.catalogue.artists if kind == "artist" else self.catalogue.tracks
            if known is None or known.ids != interactions.item_ids or interactions.item_ids != space.item_ids:
                raise ArtifactError(f"Catalogue, interactions and space of {kind}s do not have the same rows.")
            if space.user_ids is not None and space.user_ids != interactions.user_ids:
                raise ArtifactError(f"Interactions and space of {kind}s do not have the same users.")

    @property
    def library(self) -> Library:
        """What this library knows of its listeners.

        One person's tracks beside a data set of artists do not make a library of tracks: nearly all its listeners
        would have nothing.
        """
        artists, tracks = self.artist_interactions, self.track_interactions
        known = tracks is not None and (artists is None or len(tracks.user_ids) >= LEAST_SHARE * len(artists.user_ids))
        return Library(artists=artists is not None, tracks=known)

    def only(self, user_id: str) -> "SurfaceInputs":
        """The same for one listener, so that what is built for users is built for them alone."""
        parts: dict[str, Any] = {}
        for kind in _KINDS:
            interactions, space = self._parts(kind)
            wanted = kind == "artist" or self.library.tracks
            parts[f"{kind}_interactions"] = interactions.only(user_id) if interactions and wanted else None
            parts[f"{kind}_space"] = space.only(user_id) if space and wanted else None
        return replace(self, **parts)

    def interactions(self, kind: ItemKind) -> Interactions:
        """The interactions with items of ``kind``; ArtifactError if there are none."""
        interactions, _ = self._parts(kind)
        if interactions is None:
            raise ArtifactError(f"This library has no {kind}s.")
        return interactions

    def space(self, kind: ItemKind) -> VectorSpace:
        """The space of items of ``kind``; ArtifactError if there is none."""
        _, space = self._parts(kind)
        if space is None:
            raise ArtifactError(f"This library has no {kind}s.")
        return space

    def neighbourhood(self, kind: ItemKind) -> Neighbourhood:
        """What is near to what in the space of items of ``kind``; ArtifactError if there is none."""
        if kind in self.neighbourhoods:
            return self.neighbourhoods[kind]
        known = self.catalogue.artists if kind == "artist" else self.catalogue.tracks
        if known is None:
            raise ArtifactError(f"This library has no {kind}s.")
        return Neighbourhood.build(self.space(kind), known.listeners, index=self.index, threads=self.threads)

    def table(self, name: str) -> SurfaceTable:
        """The table of a surface that was built before; ArtifactError if it was not."""
        if name not in self.built:
            raise ArtifactError(f"The surface {name!r} has to be built first.")
        return self.built[name]

    def _parts(self, kind: ItemKind) -> tuple[Interactions | None, VectorSpace | None]:
        if kind == "artist":
            return self.artist_interactions, self.artist_space
        return self.track_interactions, self.track_space


class Surface(Protocol):
    """One kind of list that people see.

    name            also the table's name, the command and the route: lower-case letters
    settings_class  ``settings_class()`` are the defaults
    """

    name: ClassVar[str]
    settings_class: ClassVar[type[Any]]

    def available(self, library: Library) -> bool:
        """Whether a library that knows this much can have it."""

    def key(self, library: Library) -> KeyKind:
        """What the table is asked for by, in such a library."""

    def needs(self, library: Library) -> tuple[str, ...]:
        """The surfaces whose tables `build` reads from ``inputs.built``."""

    def build(self, inputs: SurfaceInputs, settings: Any, progress: Progress = silent) -> SurfaceTable:
        """The whole table. Same inputs and settings: same bytes, whatever the number of threads."""


_KINDS: tuple[ItemKind, ...] = ("artist", "track")
