"""Which items are the same thing to a listener, though they have two ids.

Histories spell one artist in several ways, credit two together, and have those who only play another's songs; one song
comes on albums, remasters, compilations and karaoke discs. Nobody who plays the one discovers the other, so lists treat
them as one. The rules, by name:

    spelling     Beyoncé and Beyonce; The Beatles, Beatles and "Beatles, The"
    guest        "Eminem feat. Rihanna" is Eminem
    joint        "Lady GaGa vs. Madonna", "Ana Carolina; Seu Jorge", "Jay-Z and Linkin Park" are the first, and stand in
                 no list of the last, if each of them has more listeners alone: Above & Beyond stay themselves
    tribute      "The String Quartet Tribute to Radiohead", "Karaoke - Radiohead", "Radiohead Tribute Band" are
                 Radiohead, if that has more listeners
    version      "Creep - Live", "Creep (Remastered)" are Creep
    style        "Creep (In the Style of Radiohead)", "Creep (Made Famous by Radiohead)", by anybody who has fewer
                 listeners, are Radiohead's Creep

This compares names only: it doesn't claim that the ids should be merged.
"""

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from crossfade.core.catalogue import Catalogue, Items
from crossfade.core.computed import Computed
from crossfade.core.ids import MISSING, Rows
from crossfade.core.kinds import KINDS
from crossfade.core.names import folded

Groups = npt.NDArray[np.int64]
"""Equal numbers for items of one group; a negative number for an item that is in no group with any other."""

_GUEST = re.compile(r"\s[(\[]?(?:feat|ft|featuring)\b.*$", re.IGNORECASE)
_ARTICLE = re.compile(r"^\s*the\s+|,\s*the\s*$", re.IGNORECASE)
_VERSION = re.compile(
    r"\s*[(\[][^)\]]*[)\]]|\s+-\s+(?:.*\b(?:remaster(?:ed)?|live|mono|stereo|version|edit|mix|single|demo|acoustic)\b.*)$",
    re.IGNORECASE,
)
_JOINT = re.compile(r" ?; ?|, (?:& |and )?| (?:&|\+|x|vs\.?|versus|and|with|y|e|et|und|con) ", re.IGNORECASE)
_TRIBUTE = re.compile(
    r"^.*\b(?:tribute|salute|homage) to (?P<after>.+)$"
    r"|^.*\b(?:renditions|versions|covers) of (?P<songs>.+)$"
    r"|^karaoke ?[-:] ?(?P<sung>.+)$"
    r"|^(?P<before>.+?) (?:tribute(?: band)?|karaoke|cover band)$",
    re.IGNORECASE,
)
_STYLE = re.compile(
    r"\b(?:in the style of|made (?:famous|popular) by|originally (?:performed|recorded|sung) by|(?:a )?tribute to)\s+"
    r"(?P<original>[^()\[\]]+)",
    re.IGNORECASE,
)
# A name without any of these is credited to nobody but itself; most names are, and this is the quicker to tell.
_CREDITS = re.compile(
    r"[;,&+]|\b(?:feat|ft|featuring|x|vs|versus|and|with|y|e|et|und|con|tribute|salute|homage|renditions|versions|covers"
    r"|karaoke|cover)\b",
    re.IGNORECASE,
)


LONGEST_CREDIT = 200
"""Characters of a name in which several are looked for; longer ones are lists of names, or made to waste time."""

LONGEST_TITLE = 500
"""Characters of a title in which a version is looked for, since that takes time with their square."""


def aliases_of(catalogue: Catalogue) -> "Mapping[str, Aliases]":
    """Return the groups of all items of ``catalogue``, by kind."""
    found: dict[str, Aliases] = {}
    for kind, items in catalogue.items():  # parents come first
        found[kind] = Aliases(items, found.get(KINDS[kind].parent or ""))
    return found


class Aliases:
    """The groups of the ``items`` of one kind; ``parents`` are those of their parents, if the library has these.

    groups  the same number for rows that are one item, of a joint one for the first credited; children of an unknown
            parent, and items without a letter in their name, are in no group
    last    the same numbers, but of a joint item that of the last credited
    """

    def __init__(self, items: Items, parents: "Aliases | None" = None) -> None:
        self._items = items
        self._parents = parents
        self._credited: dict[int, list[str]] = {}
        self.groups = Computed(len(items), self._groups, np.int64)
        self.last = Computed(len(items), self._last, np.int64)

    def _groups(self, rows: Rows) -> Groups:
        if self._items.parents is None:
            return _numbers([self.credited(row)[0] for row in rows.tolist()], rows)
        return _numbers([self._song(row) for row in rows.tolist()], rows)

    def _last(self, rows: Rows) -> Groups:
        if self._items.parents is None:
            return _numbers([self.credited(row)[-1] for row in rows.tolist()], rows)
        return self.groups(rows)

    def credited(self, row: int) -> list[str]:
        """Return the keys of whom a root is credited to; the only one is its own unless it is joint or a tribute."""
        if row not in self._credited:
            self._credited[row] = self._credits(row)
        return self._credited[row]

    def _credits(self, row: int) -> list[str]:
        name = " ".join(self._items.names[row].split())
        if not _CREDITS.search(name):
            return [_root_key(name)]
        if len(name) > LONGEST_CREDIT:
            return [_root_key(_GUEST.sub("", name))]
        if tribute := _TRIBUTE.match(name):
            original = _root_key(next(part for part in tribute.groups() if part))
            if self.better_known(original, int(self._items.listeners[row])):
                return [original]
        host = _GUEST.sub("", name)
        parts = [key for key in map(_root_key, _JOINT.split(host)) if key]
        if len(parts) > 1 and all(self.better_known(key, int(self._items.listeners[row])) for key in parts):
            return parts
        return [_root_key(host)]

    def better_known(self, key: str, listeners: int) -> bool:
        """Return whether an item of that name has more than so many listeners."""
        numbers, most = self._known
        number = _hashed(key)
        place = int(np.searchsorted(numbers, number)) if key else len(numbers)
        return bool(place < len(numbers) and numbers[place] == number and most[place] > listeners)

    @cached_property
    def _known(self) -> tuple[Groups, npt.NDArray[np.int64]]:
        """The numbers of all names, ascending, and the most listeners of an item of each."""
        hashes = np.fromiter((_hashed(_root_key(name)) for name in self._items.names), np.int64, len(self._items))
        order = np.lexsort((-self._items.listeners, hashes))
        numbers, first = np.unique(hashes[order], return_index=True)
        return numbers, self._items.listeners[order][first]

    def _song(self, row: int) -> str:
        """The key of a child: of its artist, and its title without what tells versions apart."""
        name, parent = self._items.names[row], int(self._items.parents[row])  # type: ignore[index]
        bare = _bare(_without_version(name)) or _bare(name)
        if not bare or parent == MISSING:
            return ""
        artist = str(parent)
        if self._parents is not None:
            artist = self._parents.credited(parent)[0] or artist
            if style := _STYLE.search(name):
                original = _root_key(style["original"])
                if self._parents.better_known(original, int(self._parents._items.listeners[parent])):
                    artist = original
                    bare = _bare(_without_version(name[: style.start()]).rstrip(" ([-")) or bare
        return f"{artist} {bare}"


def _without_version(title: str) -> str:
    return _VERSION.sub("", title) if len(title) <= LONGEST_TITLE else title


def _numbers(keys: list[str], rows: Rows) -> Groups:
    numbers = np.fromiter(map(_hashed, keys), dtype=np.int64, count=len(rows))
    return np.where([not key for key in keys], -1 - rows.astype(np.int64), numbers)


def _hashed(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") >> 1


@lru_cache(1 << 17)  # every surface asks for the names of all roots
def _root_key(name: str) -> str:
    return _bare(_ARTICLE.sub("", name)) or _bare(name)


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, folded(name)))
