"""What belongs to an artist or a show: its tracks or episodes, and the albums that tracks say they are on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import UnknownIdError
from crossfade.core.kinds import KINDS
from crossfade.core.names import folded
from crossfade.stores.contract import Item
from crossfade.surfaces.asking import OpenRelease

ALBUM = "album"
"""The field by which children say what album they are on."""

_Places = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Album:
    """An album as the catalogue knows it: the tracks of one artist that name it.

    tracks     how many
    listeners  of its most heard track
    plays      of all its tracks
    """

    name: str
    tracks: int
    listeners: int
    plays: int


def child_kind(kind: str) -> str | None:
    """Return the kind of what belongs to items of ``kind``; None if nothing does."""
    return next((one.name for one in KINDS.values() if one.parent == kind), None)


def children(opened: OpenRelease, kind: str, parent: str, limit: int, offset: int = 0) -> tuple[int, list[Item]]:
    """Return how many items of ``kind`` belong to ``parent`` (its id), and a part of them, most listeners first."""
    places = opened.rows_of(kind, parent)
    return len(places), _items(opened, kind, places[offset : offset + limit])


def albums(opened: OpenRelease, kind: str, parent: str) -> list[Album]:
    """Return the albums that items of ``kind`` of ``parent`` (its id) are on, those with most listeners first."""
    found = [_album(opened, kind, places) for places in _by_album(opened, kind, parent).values()]
    return sorted(found, key=lambda album: (-album.listeners, -album.plays, album.name))


def album_tracks(opened: OpenRelease, kind: str, parent: str, name: str) -> tuple[Album, list[Item]]:
    """Return the album ``name`` of ``parent`` (its id), whatever its case and accents, and its items of ``kind``.

    Raises UnknownIdError if there is none, with the others as suggestions.
    """
    places = _by_album(opened, kind, parent).get(folded(name))
    if places is None:
        others = tuple(album.name for album in albums(opened, kind, parent)[:5])
        raise UnknownIdError(f"There is no album {name!r} of that artist.", suggestions=others)
    return _album(opened, kind, places), _items(opened, kind, places)


def _album(opened: OpenRelease, kind: str, places: _Places) -> Album:
    """The album of the items at ``places``, the most heard first, which gives its name."""
    items = opened.catalogue[kind]
    return Album(
        name=str(items.fields[ALBUM][int(places[0])]),
        tracks=len(places),
        listeners=int(items.listeners[places].max()),
        plays=int(items.plays[places].sum()),
    )


def _by_album(opened: OpenRelease, kind: str, parent: str) -> dict[str, _Places]:
    """The rows of the items of each album, by its folded name."""
    if kind not in opened.catalogue or ALBUM not in opened.catalogue[kind].fields:
        return {}
    names = cast("Sequence[str]", opened.catalogue[kind].fields[ALBUM])
    grouped: dict[str, list[int]] = {}
    for place in opened.rows_of(kind, parent).tolist():
        if names[place]:
            grouped.setdefault(folded(names[place]), []).append(place)
    return {name: np.array(places, dtype=np.int64) for name, places in grouped.items()}


def _items(opened: OpenRelease, kind: str, places: _Places) -> list[Item]:
    ids = opened.catalogue[kind].ids
    return [opened.release.tables.item(kind, ids[place]) for place in places.tolist()]
