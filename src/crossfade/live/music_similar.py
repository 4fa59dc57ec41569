"""Songs and artists of a music folder that are like others: the lists of the release, as far as the folder has them.

What is like a song, the closest first:

1. tracks of its pool of Radio, by their similarity
2. songs of its artist and of related artists, by turns, by the similarity of the artists
3. without a release that knows the artist: songs that share its genres, by the share of genres in common (Jaccard)

A mix is filled up with the other songs of the same genres and then with any, since players ask again as long as a mix
is short.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import count as counting
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.names import folded
from crossfade.live.matching import matched
from crossfade.live.music import Artist, Music, Song
from crossfade.live.pools import ReleasePools
from crossfade.stores.contract import Entry
from crossfade.stores.live import ItemRef, Track
from crossfade.surfaces.asking import OpenRelease

RELATED = "related"

OF_ARTIST = 10
"""Songs of each artist that are like a song by a related artist."""

STEPS = 400
"""Songs whose neighbours a path looks at, before it gives up."""

NEIGHBOURS = 25
"""Neighbours of each song that a path can go on to."""

STEP_COST = 0.05
"""What a step of a path costs besides the distance, so that of two ways of about one length the shorter one is gone."""


class Near(NamedTuple):
    """A song and its similarity, 0 to 1."""

    song: Song
    similarity: float


class SimilarMusic:
    """Answers for ``music`` by an open release, or by genres alone where there is none.

    unwanted  songs that are in no answer: those blocked or thumbed down by whoever asks
    """

    def __init__(
        self, music: Music, opened: OpenRelease | None, unwanted: Callable[[Song], bool] = lambda song: False
    ) -> None:
        self._music = music
        self._opened = opened
        self._unwanted = unwanted
        self._pools: ReleasePools | None = None
        if opened is not None:
            try:
                self._pools = ReleasePools(opened, "track")
            except NotReadyError:
                self._pools = None

    def described(self, song: Song) -> Track:
        """Return ``song`` as a track, with the item of the catalogue that it is."""
        tags = song.tags
        track = Track(
            title=song.title,
            artist=song.artist,
            album=song.album,
            mbid=tags.recording or None,
            artist_mbids=(tags.artist_mbid,) if tags.artist_mbid else (),
            duration_ms=tags.duration_ms or None,
        )
        return track if self._opened is None else matched(self._opened.release.tables, track)

    def described_artist(self, artist: Artist) -> Track:
        """Return ``artist`` as a track without a title, with the item of the catalogue that they are."""
        track = Track(artist=artist.name, artist_mbids=(artist.mbid,) if artist.mbid else ())
        return track if self._opened is None else matched(self._opened.release.tables, track)

    def near(self, song: Song) -> Iterator[Near]:
        """Yield the songs that are like ``song`` by the release, else by genres, each once, without itself."""
        seen = {song.id}
        for found in self._near(song):
            if found.song.id not in seen and not self._unwanted(found.song):
                seen.add(found.song.id)
                yield found

    def mix(self, seeds: Iterable[Song], count: int) -> list[Song]:
        """Return ``count`` songs like ``seeds``, by turns, without them; fewer only where the folder has no more."""
        seeds = list(seeds)
        seen = {song.id for song in seeds}
        found: list[Song] = []
        nearest = ((near.song for near in self.near(seed)) for seed in seeds)
        turns = (song for turn in zip_longest(*nearest) for song in turn if song is not None)
        for songs in (turns, self._of_genres(seeds), self._music.random_songs(count + len(seen) + len(found))):
            for song in songs:
                if len(found) >= count:
                    return found
                if song.id not in seen and not self._unwanted(song):
                    seen.add(song.id)
                    found.append(song)
        # Unwanted songs may have been among those that were drawn.
        rest = [song for song in self._music.songs.values() if song.id not in seen and not self._unwanted(song)]
        return [*found, *rest][:count]

    def artists_like(self, artist: Artist) -> list[tuple[Entry, Artist | None]]:
        """Return the related artists by the release, each with the artist of the folder that it is, if it is there."""
        item = self.described_artist(artist).item
        if self._opened is None or item is None:
            return []
        return [(entry, self._music.artist_named(entry.name)) for entry in _entries(self._opened, RELATED, item)]

    def top_songs(self, artist: Artist) -> list[Song]:
        """Return the songs of ``artist`` by how often users of the library played them, each title once."""
        plays: dict[str, int] = {}
        songs = {song.key: song for song in artist.songs}
        for key, song in songs.items():
            item = self.described(song).item
            known = None if self._opened is None or item is None else self._opened.release.tables.find(*item)
            plays[key] = 0 if known is None else known.plays
        return sorted(songs.values(), key=lambda song: -plays[song.key])

    def path(self, start: Song, end: Song, most: int) -> list[Near]:
        """Return up to ``most`` songs (2 or more) that lead from ``start`` to ``end``, both included.

        The way of least distance (1 - similarity) over the nearest songs of each; where none is found, straight to the
        end. Each has the similarity to the start that the way leaves over: 1 at the start, and never growing.
        """
        if start is end:
            return [Near(start, 1.0)]
        came_from: dict[str, tuple[Song, float]] = {}
        costs, order, done = {start.id: 0.0}, counting(), set[str]()
        waiting: list[tuple[float, int, Song]] = [(0.0, next(order), start)]
        while waiting and len(done) < STEPS and end.id not in done:
            cost, _, song = heapq.heappop(waiting)
            if song.id in done:
                continue
            done.add(song.id)
            for _, near in zip(range(NEIGHBOURS), self.near(song), strict=False):
                further = cost + STEP_COST + 1 - near.similarity
                if further < costs.get(near.song.id, np.inf):
                    costs[near.song.id] = further
                    came_from[near.song.id] = (song, near.similarity)
                    heapq.heappush(waiting, (further, next(order), near.song))
        if end.id not in came_from:
            return [Near(start, 1.0), Near(end, 0.0)]
        way, step = [], end
        while step is not start:
            before, similarity = came_from[step.id]
            way.append((step, similarity))
            step = before
        left, found = 1.0, [Near(start, 1.0)]
        for song, similarity in reversed(way):
            left *= similarity
            found.append(Near(song, left))
        kept = np.unique(np.linspace(0, len(found) - 1, max(2, most)).round().astype(int)).tolist()
        return found if len(found) <= most else [found[place] for place in kept]

    def _near(self, song: Song) -> Iterator[Near]:
        item = self.described(song).item
        known = False
        if self._pools is not None and item is not None and item.kind == "track":
            for entry in self._pools(item.id):
                by = None if entry.parent is None else entry.parent.name
                found = self._music.find(Track(item=ItemRef("track", entry.id), title=entry.name, artist=by))
                if found is not None:
                    known = True
                    yield Near(found, _similarity(entry))
        artist = self._music.artists[song.artist_id]
        related = [(entry, other) for entry, other in self.artists_like(artist) if other is not None]
        if known or related:
            lists = [[Near(other, 1.0) for other in artist.songs]]
            lists += [[Near(one, _similarity(entry)) for one in other.songs[:OF_ARTIST]] for entry, other in related]
            yield from (near for turn in zip_longest(*lists) for near in turn if near is not None)
        else:
            yield from self._by_genre(song)

    def _by_genre(self, song: Song) -> Iterator[Near]:
        own = {folded(genre) for genre in song.tags.genres}
        shared: dict[str, Near] = {}
        for other in self._of_genres([song]):
            theirs = {folded(genre) for genre in other.tags.genres}
            shared[other.id] = Near(other, len(own & theirs) / len(own | theirs))
        yield from sorted(shared.values(), key=lambda near: -near.similarity)

    def _of_genres(self, seeds: Iterable[Song]) -> Iterator[Song]:
        for genre in dict.fromkeys(genre for song in seeds for genre in song.tags.genres):
            yield from self._music.of_genre(genre)


def _entries(opened: OpenRelease, surface: str, item: ItemRef) -> list[Entry]:
    """The list of an item; empty where the release has none."""
    try:
        return opened.entries(surface, item.id, kind=item.kind)
    except (NotReadyError, UnknownIdError):
        return []


def _similarity(entry: Entry) -> float:
    return float(np.clip(entry.score or 0.0, 0.0, 1.0))
