"""What people write about artists: tags, and short texts.

Tags are counts of people. A genre's name comes first; its synonyms, its family, a second genre, the decade, the
place and the mood follow with fewer; some tags say nothing (``seen live``) and a few are plainly wrong, as in any
folksonomy. How many people tag an artist grows with its popularity.
"""

import numpy as np
import numpy.typing as npt

from crossfade.demo import genres
from crossfade.demo.catalogue import Catalogue
from crossfade.demo.settings import DemoSettings
from crossfade.demo.vocabulary import OWN_INSTRUMENTS, STYLES

_IDLE = (
    "seen live",
    "favourites",
    "check out",
    "awesome",
    "my music",
    "love at first listen",
    "albums i own",
    "beautiful",
)
_WRONG = 0.02  # of all tags are another genre's
_DECADES = ("60s", "70s", "80s", "90s", "00s", "10s", "20s")

Floats = npt.NDArray[np.float64]


def tags(settings: DemoSettings, catalogue: Catalogue) -> tuple[list[int], list[str], list[int]]:
    """(artist row, tag, people) in three columns, by artist; an artist's tags differ from each other."""
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(5,)))
    energy, brightness = _means(catalogue)
    crowd = np.exp(
        4.5 + 0.5 * (catalogue.log_popularity - catalogue.log_popularity.max()) + rng.normal(0, 0.4, len(energy))
    )
    artists: list[int] = []
    written: list[str] = []
    people: list[int] = []
    for row in range(len(energy)):
        genre = genres.GENRES[catalogue.genre[row]]
        weights = {genre.name: 1.0, genre.family: 0.35}
        for synonym in genre.synonyms:
            weights[synonym] = weights.get(synonym, 0.0) + 0.3
        if catalogue.second[row] >= 0:
            weights[genres.GENRES[catalogue.second[row]].name] = 0.4
        weights[catalogue.place[row].split(",")[0].lower()] = 0.12
        decade = (int(catalogue.first_year[row]) - 1960) // 10
        if 0 <= decade < len(_DECADES):
            weights[_DECADES[decade]] = weights.get(_DECADES[decade], 0.0) + 0.15
        weights[_mood(energy[row], brightness[row])] = 0.25
        weights[_IDLE[int(rng.integers(len(_IDLE)))]] = 0.2
        if rng.random() < 0.25:
            weights[genres.GENRES[int(rng.integers(len(genres.GENRES)))].name] = _WRONG * 4
        counts = rng.poisson(np.array(list(weights.values())) * (2.0 + crowd[row]))
        for tag, count in zip(weights, counts.tolist(), strict=True):
            if count:
                artists.append(row)
                written.append(tag)
                people.append(count)
    return artists, written, people


def _means(catalogue: Catalogue) -> tuple[Floats, Floats]:
    counts = np.maximum(np.diff(catalogue.first_track), 1)
    energy = np.bincount(catalogue.artist_of, catalogue.energy, len(counts)) / counts
    return energy, np.bincount(catalogue.artist_of, catalogue.brightness, len(counts)) / counts


def _mood(energy: float, brightness: float) -> str:
    if energy < 0.4:
        return "mellow" if brightness > 0.5 else "melancholy"
    if energy > 0.75:
        return "party" if brightness > 0.6 else "intense"
    return "feel good" if brightness > 0.6 else "atmospheric"


_OPENINGS = (
    "{name} {is_are} {a_genre} {act} from {place}, active since {year}.",
    "Out of {place} since {year}: {name} {play} {genre}.",
    "{name} began in {place} in {year} and {has_have} made {genre} ever since.",
    "From {place}, {name} {play} {mood} {genre}.",
)
_SOUNDS = (
    "The records are built on {one} and {two}.",
    "{Two} and {one} carry most of the songs.",
    "Listeners know {them} for {one}, {two} and {a_mood} temper.",
    "The sound rests on {one}; behind it, {two}.",
)
_RECORDS = (
    "“{album}” ({album_year}) is the place to start.",
    "“{title}”, from “{album}” ({album_year}), remains the best-known track.",
    "The {decade} record “{album}” found the widest audience.",
)
_LINKS = (
    "There is a good deal of {second} in the writing.",
    "{Second} is never far away.",
    "Later work leans towards {second}.",
    "Fans of {second} have come along, too.",
)


_SPOKEN = {"party": "high-spirited", "feel good": "sunny"}


def texts(settings: DemoSettings, catalogue: Catalogue) -> list[tuple[int, str]]:
    """(artist row, text): two to four sentences, about most artists and nearly all of the popular ones."""
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(6,)))
    energy, brightness = _means(catalogue)
    rank = np.argsort(np.argsort(-catalogue.log_popularity, kind="stable"), kind="stable") / len(energy)
    described = []
    for row in range(len(energy)):
        chance = rng.random(9)
        if chance[8] > 1.0 - 0.5 * rank[row]:
            continue
        genre = genres.GENRES[catalogue.genre[row]]
        instruments = OWN_INSTRUMENTS.get(genre.name, STYLES[genre.family].instruments)
        one = int(chance[4] * len(instruments))
        two = (one + 1 + int(chance[5] * (len(instruments) - 1))) % len(instruments)
        leans_to = catalogue.second[row]
        second = (
            genres.GENRES[leans_to].name if leans_to >= 0 else genre.neighbours[int(chance[6] * len(genre.neighbours))]
        )
        tracks = slice(int(catalogue.first_track[row]), int(catalogue.first_track[row + 1]))
        best = tracks.start + int(np.argmax(catalogue.weights[tracks]))
        album = int(catalogue.album_of[best])
        name = catalogue.artist_names[row]
        many = _is_group(name)
        mood = _SPOKEN.get(found := _mood(energy[row], brightness[row]), found)
        facts = {
            "name": name,
            "place": catalogue.place[row],
            "year": int(catalogue.first_year[row]),
            "genre": genre.name,
            "a_genre": _with_article(genre.name),
            "act": "group" if many else "artist",
            "is_are": "are" if many else "is",
            "play": "play" if many else "plays",
            "has_have": "have" if many else "has",
            "them": "them" if many else name,
            "mood": mood,
            "a_mood": _with_article(mood),
            "one": instruments[one],
            "two": instruments[two],
            "Two": _capital(instruments[two]),
            "album": catalogue.albums[album],
            "album_year": int(catalogue.album_years[album]),
            "title": catalogue.titles[best],
            "decade": f"{int(catalogue.album_years[album]) // 10 * 10}s",
            "second": second,
            "Second": _capital(second),
        }
        parts = [_OPENINGS[int(chance[0] * len(_OPENINGS))], _SOUNDS[int(chance[1] * len(_SOUNDS))]]
        if rank[row] < 0.6:
            parts.append(_RECORDS[int(chance[2] * len(_RECORDS))])
        if leans_to >= 0 or chance[7] < 0.25:
            parts.append(_LINKS[int(chance[3] * len(_LINKS))])
        described.append((row, " ".join(part.format(**facts) for part in parts)))
    return described


def _with_article(word: str) -> str:
    return ("an " if word[0] in "aeiou" else "a ") + word


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _is_group(name: str) -> bool:
    marks = ("The ", "Los ", "Orquesta", "Conjunto", "Orchestre", "Dúo", "Sonora", "Charanga", "Sexteto")
    closings = ("Quartet", "Choir", "Trio", "Quintet", "Sextet", "Consort", "Players", "Ensemble", "Band", "Orchestra")
    return name.startswith(marks) or name.endswith(closings) or " & " in name or " and " in name
