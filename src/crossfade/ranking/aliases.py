"""Which items are the same thing to a listener, though they have two ids.

Histories spell one artist in several ways (Beyoncé and Beyonce, The Beatles and Beatles, "Eminem feat. Rihanna"), and
one song comes on albums, remasters and compilations. Nobody who plays the one discovers the other, so lists treat them
as one. This compares names only: it doesn't claim that the ids should be merged.
"""

import re
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from crossfade.core.catalogue import Items
from crossfade.core.computed import MANY
from crossfade.core.ids import MISSING, Rows
from crossfade.core.names import folded

Groups = npt.NDArray[np.int64]
"""Equal numbers for items of one group; a negative number for an item that is in no group with any other."""

_GUEST = re.compile(r"\s[(\[]?(?:feat|ft|featuring)\b.*$", re.IGNORECASE)
_ARTICLE = re.compile(r"^\s*the\s+|,\s*the\s*$", re.IGNORECASE)
_VERSION = re.compile(
    r"\s*[(\[][^)\]]*[)\]]|\s+-\s+(?:.*\b(?:remaster(?:ed)?|live|mono|stereo|version|edit|mix|single|demo|acoustic)\b.*)$",
    re.IGNORECASE,
)


def variants(items: Items, rows: Rows) -> Groups:
    """Return the same number (n,) for those of ``rows`` that are variants of one item.

    Roots are variants of each other by their names, without article and guests; children of one parent by their names,
    without what tells versions apart. An item without a letter in its name, or a child of an unknown parent, is in no
    group.
    """
    # Reading all names takes a third of the time of reading them one by one.
    all_names = list(items.names) if len(rows) * MANY >= len(items) else items.names
    names = [all_names[row] for row in rows.tolist()]
    parents = [None] * len(rows) if items.parents is None else items.parents[rows].tolist()
    keys = [_key(name, parent) for name, parent in zip(names, parents, strict=True)]
    hashes = (int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") >> 1 for key in keys)
    numbers = np.fromiter(hashes, dtype=np.int64, count=len(rows))
    return np.where([not key for key in keys], -1 - rows.astype(np.int64), numbers)


def _key(name: str, parent: int | None) -> str:
    if parent is None:
        # Most names have nothing that the expressions look for, which is quickly seen.
        small = name.casefold()
        if "feat" in small or "ft" in small:
            name = _GUEST.sub("", name)
        return (_bare(_ARTICLE.sub("", name)) if "the" in small else "") or _bare(name)
    bare = _bare(_VERSION.sub("", name)) or _bare(name)
    return f"{parent} {bare}" if bare and parent != MISSING else ""


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, folded(name)))
