"""Which items are the same thing to a listener, though they stand under two ids.

Histories spell one artist in several ways (Beyoncé and Beyonce, The Beatles and Beatles, "Eminem feat.
Rihanna"), and one song comes on albums, remasters and compilations. Nobody takes the one for a discovery who
plays the other, so lists treat them as one. This compares names only; it makes no claim that ids be merged.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from crossfade.core.ids import MISSING, Rows

_GUEST = re.compile(r"\s[(\[]?(?:feat|ft|featuring)\b.*$")
_VERSION = re.compile(
    r"\s*[(\[][^)\]]*[)\]]|\s+-\s+(?:.*\b(?:remaster(?:ed)?|live|mono|stereo|version|edit|mix|single|demo|acoustic)\b.*)$"
)


def artist_groups(names: Sequence[str]) -> Rows:
    """(artists,) int32: the same number for names that mean one artist; MISSING for a name without a letter."""
    return _numbered(_bare_artist(name) for name in names)


def track_groups(titles: Sequence[str], artist_rows: Rows) -> Rows:
    """(tracks,) int32: the same number for versions of one title by one artist; MISSING where either is unknown."""
    return _numbered(
        f"{artist} {bare}" if artist != MISSING and (bare := _bare_title(title)) else ""
        for title, artist in zip(titles, artist_rows.tolist(), strict=True)
    )


def _bare_artist(name: str) -> str:
    plain = _GUEST.sub("", _plain(name)).replace("&", " and ")
    return _bare(plain.removeprefix("the ").removesuffix(", the")) or _bare(plain)


def _bare_title(title: str) -> str:
    plain = _plain(title)
    return _bare(_VERSION.sub("", plain)) or _bare(plain)


def _plain(name: str) -> str:
    """Without case and accents."""
    return "".join(
        letter for letter in unicodedata.normalize("NFKD", name).casefold() if not unicodedata.combining(letter)
    )


def _bare(name: str) -> str:
    return "".join(letter for letter in name if letter.isalnum())


def _numbered(keys: Iterable[str]) -> Rows:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) if key else MISSING for key in keys], dtype=np.int32)
