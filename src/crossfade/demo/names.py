"""Names for artists, albums and tracks, in the manner of their genre.

A name is a pattern of the family's `vocabulary.Style` with its words drawn at random. Artists' names are unique,
and so are an artist's titles but for compilations. A name that a real artist carries is drawn again.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crossfade.core.names import normalised
from crossfade.demo import genres
from crossfade.demo.vocabulary import COMMON, OWN_PLACES, STYLES, TAKEN

_SLOT = re.compile(r"\{(\w+)\}")
_DRAWS = 64
_ARTICLE = re.compile(r"\b([Aa]) (?=[AEIOUaeiou])")  # "a" before a vowel, in English
_OTHER_TONGUES = {"latin", "bossa nova"}
_CLOSED = {"rock", "pop", "soul", "jazz", "folk", "country", "blues"}
_CLOSINGS = {"Live": 0.04, "Acoustic": 0.03, "Demo": 0.015}


class Speaker:
    """Fills patterns with words; draws its random numbers in blocks, since single draws are slow."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._block: list[float] = []

    def uniform(self) -> float:
        """A number in [0, 1)."""
        if not self._block:
            self._block = self._rng.random(8192).tolist()
        return self._block.pop()

    def one_of(self, options: Sequence[str]) -> str:
        """One of ``options``, each alike."""
        return options[int(self.uniform() * len(options))]

    def say(self, patterns: Sequence[str], manner: str, place: str = "") -> str:
        """One of ``patterns`` in the words of a key of STYLES, none of them twice. ``place`` fills {place}."""
        style, used = STYLES[manner], set[str]()

        def word(slot: re.Match[str]) -> str:
            bank = slot[1]
            if bank == "place":
                return place or self.one_of(style.places)
            options = style.banks.get(bank) or COMMON[bank]
            for _ in range(8):
                chosen = self.one_of(options)
                if chosen not in used or bank == "digit":
                    break
            used.add(chosen)
            return chosen

        name = _SLOT.sub(word, self.one_of(patterns))
        return name if manner in _OTHER_TONGUES else _ARTICLE.sub(r"\1n ", name)


def manner_of(genre: int) -> str:
    """The key of STYLES by which artists of a genre are named."""
    found = genres.GENRES[genre]
    return found.name if found.name in STYLES else found.family


def places_of(genre: int) -> tuple[str, ...]:
    """Where artists of a genre come from."""
    found = genres.GENRES[genre]
    return OWN_PLACES.get(found.name, STYLES[found.family].places)


def artists(rng: np.random.Generator, genre: npt.NDArray[np.int32]) -> tuple[list[str], list[str]]:
    """A unique name and a place for each artist of the given genre."""
    speaker = Speaker(rng)
    names, places, seen = [], [], {normalised(name) for name in TAKEN}
    for row in genre.tolist():
        place = speaker.one_of(places_of(row))
        manner = manner_of(row)
        name = ""
        for _ in range(_DRAWS):
            name = speaker.say(STYLES[manner].artists, manner, place)
            if normalised(name) not in seen:
                break
        number = 2
        base = f"{name} of {place}"
        while normalised(name) in seen:  # the patterns are exhausted
            name = base if normalised(base) not in seen else f"{base} {number}"
            number += 1
        seen.add(normalised(name))
        names.append(name)
        places.append(place)
    return names, places


def titles(
    rng: np.random.Generator,
    genre: npt.NDArray[np.int32],
    album_artist: npt.NDArray[np.int32],
    compilation: npt.NDArray[np.bool_],
    album_of: npt.NDArray[np.int32],
) -> tuple[list[str], list[str]]:
    """A title for each track and each album; an artist's titles differ from each other."""
    speaker = Speaker(rng)
    album_titles: list[str] = []
    manners = [manner_of(row) for row in genre.tolist()]
    artist_of_album = album_artist.tolist()
    seen: set[tuple[int, str]] = set()

    def fresh(artist: int, patterns: Sequence[str], closing: str = "") -> str:
        title = ""
        for attempt in range(_DRAWS):
            title = speaker.say(patterns, manners[artist]) + closing
            if attempt > 32:
                title = f"{title}, Pt. {attempt - 31}"
            if (artist, normalised(title)) not in seen:
                break
        seen.add((artist, normalised(title)))
        return title

    for artist, gathered in zip(artist_of_album, compilation.tolist(), strict=True):
        patterns = ("Best of {time}", "The Collection", "Anthology", "The {noun} Years") if gathered else ()
        album_titles.append(fresh(artist, patterns or STYLES[manners[artist]].albums))
    seen.clear()
    track_titles = []
    for album in album_of.tolist():
        artist, closing, chance = artist_of_album[album], "", speaker.uniform()
        for word, share in _CLOSINGS.items():
            if chance < share and manners[artist] in _CLOSED:
                closing = f" ({word})"
                break
            chance -= share
        track_titles.append(fresh(artist, STYLES[manners[artist]].tracks, closing))
    return track_titles, album_titles
