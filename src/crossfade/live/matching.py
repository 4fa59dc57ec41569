"""Which item of the catalogue it is that a player describes by names and MusicBrainz ids."""

from dataclasses import replace

from crossfade.core.kinds import KINDS
from crossfade.core.names import folded, named_id
from crossfade.stores.contract import Item, Tables
from crossfade.stores.live import ItemRef, Track
from crossfade.stores.matching import squeezed


def matched(tables: Tables, track: Track) -> Track:
    """Return ``track`` with the item of the catalogue that it is.

    A track that has an item keeps it, and one that nothing matches stays without. Ids are asked first (the recording's
    MBID, then the id that an import makes from the names), then names: title and artist have to agree, whatever their
    case, accents and punctuation. Without a title it is an artist or a show that is looked for.
    """
    if track.item is not None:
        return track
    for kind in tables.kinds:
        if (KINDS[kind].parent is None) == (track.title is None):
            found = _root(tables, kind, track) if track.title is None else _child(tables, kind, track, track.title)
            if found is not None:
                return replace(track, item=ItemRef(kind, found.id))
    return track


def _root(tables: Tables, kind: str, track: Track) -> Item | None:
    names = (*track.artist_mbids[:1], track.artist or "")
    return next((item for name in names if name and (item := tables.find(kind, name)) is not None), None)


def _child(tables: Tables, kind: str, track: Track, title: str) -> Item | None:
    if track.mbid is not None and (item := tables.find(kind, track.mbid)) is not None:
        return item
    if track.artist is None:
        return None
    item = tables.find(kind, named_id(title, track.artist))
    if item is None:
        item = tables.find(kind, f"{title} {track.artist}")
        # "Hunter Björk" could be the whole name of another item.
        if item is not None and (item.parent is None or _plain(item.parent.name) != _plain(track.artist)):
            return None
    return item


def _plain(name: str) -> str:
    return squeezed(folded(name))
