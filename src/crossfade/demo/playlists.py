"""Playlists that somebody would make: each has a theme, and its tracks keep to it.

A theme is an interest of the owner, narrowed by a mood, an activity, or a decade. Tracks are drawn without
replacement, P ∝ popularity · exp(-d² / 2·0.3²) · suits(theme), over the artists of the theme's genre and its
neighbours, at most three by one artist (Efraimidis & Spirakis' keys: the smallest -log(u) / weight). A
collaborative playlist takes turns between the interests of several friends.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossfade.demo import genres
from crossfade.demo.catalogue import Catalogue
from crossfade.demo.contexts import NAMES
from crossfade.demo.listeners import Listeners
from crossfade.demo.settings import DemoSettings

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int32]

_POOL = 160  # artists that a theme looks through; keeps the cost of a playlist flat in large worlds
_MOST_BY_ARTIST = 3

# mood → (energy, tolerance), (brightness, tolerance)
MOODS = {
    "calm": ((0.2, 0.15), (0.5, 0.3)),
    "sunny": ((0.6, 0.25), (0.85, 0.15)),
    "dark": ((0.6, 0.3), (0.15, 0.15)),
    "loud": ((0.95, 0.15), (0.5, 0.35)),
}
ACTIVITIES = ("running", "commute", "work", "party", "relaxing")
_TITLES = {
    "calm": ("Quiet {genre}", "{genre} for slow evenings", "Soft-spoken {genre}", "Calm down: {genre}"),
    "sunny": ("Sunny {genre}", "{genre} in the sun", "Windows down: {genre}", "Feel-good {genre}"),
    "dark": ("Dark {genre}", "{genre} after midnight", "Rainy-day {genre}", "Gloomy {genre}"),
    "loud": ("Loud {genre}", "{genre}, all the way up", "Full-volume {genre}", "{genre} to wake the street"),
    "running": ("Run: {genre}", "{genre} for long runs", "5k {genre}", "Keep the pace ({genre})"),
    "commute": ("{genre} on the train", "Commute: {genre}", "Bus-stop {genre}"),
    "work": ("Deep work: {genre}", "{genre} to focus", "Desk {genre}"),
    "party": ("Party: {genre}", "Saturday night {genre}", "Kitchen-disco {genre}"),
    "relaxing": ("Unwind with {genre}", "{genre} before sleep", "Slow Sunday: {genre}"),
    "decade": ("{genre} of its best years", "{genre}: where it began", "Classic-era {genre}"),
    "favourites": ("My {genre}", "{genre} favourites", "All-time {genre}", "{genre}, on repeat"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Playlists:
    """n playlists.

    titles      (n,)
    owners      (n,) listener rows
    themes      (n,) genre rows; ``kinds`` (n,) keys of MOODS, ACTIVITIES, "decade" or "favourites"
    moment      (n,) the row of `contexts.MOMENTS` that it is made for, 0 for none
    centres     (n, DIMENSIONS) where the theme lies
    members     (n,) listener rows of a collaborative playlist, the owner first; (owner,) for others
    followed    (listeners, FOLLOWED) the playlists that each listener follows, -1 padded; ``followers`` (n,) int64
    first, tracks   compressed rows: playlist p holds tracks[first[p]:first[p + 1]], in order
    """

    titles: list[str]
    owners: Rows
    themes: Rows
    kinds: list[str]
    moment: Rows
    centres: Floats
    members: list[tuple[int, ...]]
    followed: Rows
    followers: npt.NDArray[np.int64]
    first: Rows
    tracks: Rows


FOLLOWED = 6
"""Playlists that a listener follows, at most."""


def build(settings: DemoSettings, catalogue: Catalogue, people: Listeners, friends: list[tuple[int, int]]) -> Playlists:
    """The playlists of the world that ``settings`` describe, and who follows them."""
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(4,)))
    known: dict[int, list[int]] = {}
    for one, other in friends:
        known.setdefault(one, []).append(other)
        known.setdefault(other, []).append(one)
    shelf = _Shelf(catalogue)
    keenness = np.sqrt(people.activity)
    owners = rng.choice(len(people.ids), settings.playlists, p=keenness / keenness.sum()).astype(np.int32)
    titles, kinds, members, lists = [], [], [], []
    themes, moment = np.zeros(len(owners), dtype=np.int32), np.zeros(len(owners), dtype=np.int32)
    centres = np.zeros((len(owners), genres.DIMENSIONS))
    for row, owner in enumerate(owners.tolist()):
        others = known.get(owner, [])
        together = bool(others) and rng.random() < 0.15
        joined = [owner, *rng.permutation(others)[: int(rng.integers(1, 4))].tolist()] if together else [owner]
        theme = int(rng.choice(people.shares.shape[1], p=people.shares[owner]))
        # The others bring what of theirs is nearest to it.
        interest = [_nearest(people, member, people.centres[owner, theme]) for member in joined]
        themes[row] = people.interests[owner, theme]
        kind = _kind(rng, genres.GENRES[themes[row]])
        size = int(np.clip(np.exp(rng.normal(3.3, 0.5)), 8, 150))
        places = [people.centres[member, column] for member, column in zip(joined, interest, strict=True)]
        picked = [
            shelf.pick(rng, int(people.interests[member, column]), place, kind, -(-size // len(joined)))
            for member, column, place in zip(joined, interest, places, strict=True)
        ]
        longest = max(len(part) for part in picked)
        turns = [part[turn] for turn in range(longest) for part in picked if turn < len(part)]
        lists.append(list(dict.fromkeys(turns))[:size])
        titles.append(_title(rng, kind, genres.GENRES[themes[row]].name, [people.ids[member] for member in joined]))
        kinds.append(kind)
        members.append(tuple(joined))
        moment[row] = NAMES.index(kind) if kind in NAMES else 0
        centres[row] = np.mean(places, axis=0)
    followed = _follow(rng, people, centres, owners)
    first = np.concatenate([[0], np.cumsum([len(part) for part in lists])]).astype(np.int32)
    return Playlists(
        titles=titles,
        owners=owners,
        themes=themes,
        kinds=kinds,
        moment=moment,
        centres=centres,
        members=members,
        followed=followed,
        followers=np.bincount(followed[followed >= 0], minlength=len(owners)).astype(np.int64),
        first=first,
        tracks=np.array([track for part in lists for track in part], dtype=np.int32),
    )


def _nearest(people: Listeners, listener: int, place: Floats) -> int:
    """The column of the listener's interest that lies nearest to ``place``."""
    gaps = ((people.centres[listener] - place) ** 2).sum(axis=1)
    return int(np.where(people.shares[listener] > 0, gaps, np.inf).argmin())


def _kind(rng: np.random.Generator, genre: genres.Genre) -> str:
    """What a playlist of a genre is for; nobody looks for loud bossa nova."""
    chance = rng.random()
    if chance < 0.35:
        fitting = {
            "calm": genre.energy < 0.6,
            "loud": genre.energy > 0.6,
            "sunny": genre.brightness > 0.5,
            "dark": genre.brightness < 0.55,
        }
    elif chance < 0.70:
        fitting = {
            "running": genre.energy > 0.55,
            "commute": True,
            "work": genre.energy < 0.7,
            "party": genre.energy > 0.6 and genre.brightness > 0.45,
            "relaxing": genre.energy < 0.5,
        }
    else:
        fitting = {"decade": chance < 0.80, "favourites": chance >= 0.80}
    kinds = [kind for kind, fits in fitting.items() if fits]
    return kinds[int(rng.integers(len(kinds)))]


def _title(rng: np.random.Generator, kind: str, genre: str, names: list[str]) -> str:
    patterns = _TITLES[kind]
    title = patterns[int(rng.integers(len(patterns)))].format(genre=genre)
    if len(names) > 1:
        people = [name.partition("-")[0].capitalize() for name in names]
        title = f"{title} ({', '.join(people[:-1])} & {people[-1]})"
    return title[:1].upper() + title[1:]


class _Shelf:
    """The catalogue by genre, for picking tracks by theme."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        popular = np.argsort(-catalogue.log_popularity, kind="stable")
        by_genre = [popular[catalogue.genre[popular] == genre] for genre in range(len(genres.GENRES))]
        self._pools = []
        for row, genre in enumerate(genres.GENRES):
            others = [by_genre[genres.INDEX[name]][: _POOL // 4] for name in genre.neighbours]
            self._pools.append(np.concatenate([by_genre[row][:_POOL], *others]))

    def pick(self, rng: np.random.Generator, genre: int, place: Floats, kind: str, size: int) -> list[int]:
        """``size`` tracks, or as many as the theme has, in the order of a person's liking."""
        source = self._catalogue
        artists = self._pools[genre]
        gap = ((source.vectors[artists] - place) ** 2).sum(axis=1)
        liking = np.exp(-gap / (2 * 0.3**2) + 0.6 * source.log_popularity[artists])
        counts = np.diff(source.first_track)[artists]
        tracks = np.repeat(source.first_track[artists] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        weight = np.repeat(liking, counts) * source.weights[tracks] * self._suits(genre, kind, tracks)
        weight[source.recording[tracks] != tracks] = 0.0  # nobody adds the compilation's copy
        tracks, weight = tracks[weight > 0.0], weight[weight > 0.0]
        keys = -np.log(rng.random(len(tracks)) + 1e-300) / weight  # ascending: exponential races
        # A few times as many as wanted nearly always suffice, and are much faster to sort than all.
        few = min(8 * size, len(tracks))
        best = np.argpartition(keys, few - 1)[:few] if few else np.arange(0)
        chosen = self._first(tracks[best[np.argsort(keys[best], kind="stable")]], size)
        if len(chosen) < size and few < len(tracks):
            chosen = self._first(tracks[np.argsort(keys, kind="stable")], size)
        return chosen

    def _first(self, tracks: npt.NDArray[np.int64], size: int) -> list[int]:
        """The first ``size`` of ``tracks`` with no more than `_MOST_BY_ARTIST` of one artist."""
        taken: dict[int, int] = {}
        chosen: list[int] = []
        for track, artist in zip(tracks.tolist(), self._catalogue.artist_of[tracks].tolist(), strict=True):
            if len(chosen) == size:
                break
            if taken.get(artist, 0) < _MOST_BY_ARTIST:
                taken[artist] = taken.get(artist, 0) + 1
                chosen.append(track)
        return chosen

    def _suits(self, genre: int, kind: str, tracks: npt.NDArray[np.int64]) -> Floats:
        source = self._catalogue
        if kind in MOODS:
            (energy, width), (brightness, height) = MOODS[kind]
            # A mood is meant within the genre: the quiet end of metal is still loud.
            base = genres.GENRES[genre]
            strain = ((source.energy[tracks] - (energy + base.energy) / 2) / width) ** 2
            strain += ((source.brightness[tracks] - (brightness + base.brightness) / 2) / height) ** 2
            suits: Floats = np.exp(-strain)
        elif kind in ACTIVITIES:
            suits = source.match[NAMES.index(kind), tracks] ** 1.5
        elif kind == "decade":
            years = source.album_years[source.album_of[tracks]]
            suits = np.where(np.abs(years - genres.GENRES[genre].year - 3) <= 5, 1.0, 1e-6)
        else:
            suits = np.ones(len(tracks))
        return suits


def _follow(rng: np.random.Generator, people: Listeners, centres: Floats, owners: Rows) -> Rows:
    """The playlists that each listener follows, nearest to heart first, (listeners, FOLLOWED) int32, -1 padded."""
    count = len(people.ids)
    followed = np.full((count, FOLLOWED), -1, dtype=np.int32)
    if not len(centres):
        return followed
    fame = np.cumsum(np.exp(rng.normal(0.0, 1.3, len(centres))))  # some are shown everywhere
    seen = np.searchsorted(fame, rng.random((count, 48)) * fame[-1]).clip(max=len(centres) - 1)
    wanted = rng.integers(1, FOLLOWED + 1, count)
    own = np.full(count, -1)
    own[owners] = np.arange(len(owners))
    for row in range(count):
        gaps = ((centres[seen[row]][:, None] - people.centres[row][None]) ** 2).sum(axis=2)
        gap = np.where(people.shares[row] > 0, gaps, np.inf).min(axis=1)
        best = seen[row][np.argsort(gap, kind="stable")]
        mine = [own[row]] if own[row] >= 0 else []
        unique = list(dict.fromkeys([*mine, *best.tolist()]))[: wanted[row]]
        followed[row, : len(unique)] = unique
    return followed
