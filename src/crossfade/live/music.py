"""The songs, albums and artists of a folder of music files, found in every way that players ask for them.

`Music` is made from what the files say about themselves, and never changes; ids follow from a file's path and from
names, so they stay the same as long as those do.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import TypeVar

import msgspec
import numpy as np

from crossfade.core.names import folded, normalised
from crossfade.formats.audio_tags import Tags, title_of
from crossfade.stores.live import Track
from crossfade.stores.matching import how_well

Found = TypeVar("Found")

UNKNOWN_ARTIST = "Unknown artist"
VARIOUS_ARTISTS = "Various artists"

ARTICLES = ("the", "el", "la", "los", "las", "le", "les", "der", "die", "das")
"""Words at the beginning of a name that sorting leaves out."""


class File(msgspec.Struct, frozen=True):
    """A music file as it was when it was read.

    path         below the folder, as the bytes that the system knows it by
    modified_ns  nanoseconds since 1970
    """

    path: bytes
    size: int
    modified_ns: int
    tags: Tags

    @property
    def relative(self) -> PurePosixPath:
        """The path, for people to read."""
        return PurePosixPath(self.path.decode(errors="replace"))


@dataclass(frozen=True, eq=False)
class Song:
    """One file. ``artist`` and ``album`` are never empty."""

    id: str
    title: str
    artist: str
    artist_id: str
    album: str
    album_id: str
    file: File

    @property
    def tags(self) -> Tags:
        """What the file says about itself."""
        return self.file.tags

    @property
    def duration(self) -> int:
        """Whole seconds."""
        return round(self.tags.duration_ms / 1000)

    @property
    def created(self) -> int:
        """When the file was last changed, in milliseconds since 1970."""
        return self.file.modified_ns // 1_000_000

    @cached_property
    def key(self) -> str:
        """Equal for every description of this track, as `stores.live.Track.key`."""
        return Track(title=self.title, artist=self.artist).key

    @cached_property
    def searched(self) -> str:
        """The words by which it is found."""
        return folded(f"{self.title} {self.artist} {self.album}")


@dataclass(frozen=True, eq=False)
class Album:
    """The songs of one album, in order."""

    id: str
    name: str
    artist: str
    artist_id: str
    songs: tuple[Song, ...]

    @property
    def duration(self) -> int:
        """Whole seconds."""
        return sum(song.duration for song in self.songs)

    @property
    def created(self) -> int:
        """When its newest file was last changed, in milliseconds since 1970."""
        return max(song.created for song in self.songs)

    @property
    def year(self) -> int:
        """The year of its first song that has one; 0 if none has."""
        return next((song.tags.year for song in self.songs if song.tags.year), 0)

    @cached_property
    def genres(self) -> tuple[str, ...]:
        """Those of its songs, each once."""
        return tuple(dict.fromkeys(genre for song in self.songs for genre in song.tags.genres))

    @cached_property
    def searched(self) -> str:
        """The words by which it is found."""
        return folded(f"{self.name} {self.artist}")


@dataclass(frozen=True, eq=False)
class Artist:
    """An artist with the albums that are theirs, or that they have a song on."""

    id: str
    name: str
    albums: tuple[Album, ...]

    @cached_property
    def songs(self) -> tuple[Song, ...]:
        """The songs by this artist."""
        return tuple(song for album in self.albums for song in album.songs if song.artist_id == self.id)

    @property
    def mbid(self) -> str:
        """The MusicBrainz id that their files agree on; "" if there is none."""
        named = {song.tags.artist_mbid for song in self.songs if song.tags.artist_mbid}
        return named.pop() if len(named) == 1 else ""

    @cached_property
    def searched(self) -> str:
        """The words by which they are found."""
        return folded(self.name)


class Music:
    """All songs of a folder; ``songs``, ``albums`` and ``artists`` are sorted, and found by their ids.

    made_at  when the folder was read, in milliseconds since 1970
    """

    def __init__(self, files: Iterable[File] = (), made_at: int = 0) -> None:
        self.made_at = made_at
        grouped: dict[tuple[str, str], list[File]] = {}
        for file in files:
            grouped.setdefault(_album_key(file), []).append(file)
        albums = sorted(
            map(_album, grouped.values(), grouped),
            key=lambda album: (sorted_by(album.artist), sorted_by(album.name), album.id),
        )
        self.albums: Mapping[str, Album] = {album.id: album for album in albums}
        self.songs: Mapping[str, Song] = {song.id: song for album in albums for song in album.songs}
        self.artists: Mapping[str, Artist] = {artist.id: artist for artist in _artists(albums)}

    @cached_property
    def genres(self) -> Mapping[str, tuple[Song, ...]]:
        """The songs of each genre, by its name as most files write it, sorted."""
        found: dict[str, dict[str, list[Song]]] = {}
        for song in self.songs.values():
            for genre in song.tags.genres:
                found.setdefault(folded(genre), {}).setdefault(genre, []).append(song)
        named = {max(writings, key=lambda name: len(writings[name])): writings for writings in found.values()}
        return {
            name: tuple({song.id: song for songs in named[name].values() for song in songs}.values())
            for name in sorted(named, key=sorted_by)
        }

    def of_genre(self, name: str) -> tuple[Song, ...]:
        """Return the songs of a genre, however it is written."""
        wanted = folded(name)
        return next((songs for genre, songs in self.genres.items() if folded(genre) == wanted), ())

    @cached_property
    def _by_key(self) -> Mapping[str, Song]:
        return {song.key: song for song in reversed(list(self.songs.values()))}

    @cached_property
    def _by_recording(self) -> Mapping[str, Song]:
        return {song.tags.recording: song for song in reversed(list(self.songs.values())) if song.tags.recording}

    @cached_property
    def _artists_by_name(self) -> Mapping[str, Artist]:
        return {folded(artist.name): artist for artist in self.artists.values()}

    def find(self, track: Track) -> Song | None:
        """Return the song that ``track`` describes, by its MusicBrainz id, else by title and artist; None for none."""
        for recording in (track.mbid, track.item.id if track.item and track.item.kind == "track" else None):
            if recording and recording.lower() in self._by_recording:
                return self._by_recording[recording.lower()]
        return self._by_key.get(track.key) if track.title and track.artist else None

    def artist_named(self, name: str) -> Artist | None:
        """Return the artist of a name, whatever its case and accents."""
        return self._artists_by_name.get(folded(name))

    def search_songs(self, text: str) -> list[Song]:
        """Return the songs that have all words of ``text`` in title, artist or album, best first; all for ""."""
        return _found(text, self.songs.values(), lambda song: song.searched, lambda song: song.title)

    def search_albums(self, text: str) -> list[Album]:
        """Return the albums that have all words of ``text`` in their or their artist's name, best first."""
        return _found(text, self.albums.values(), lambda album: album.searched, lambda album: album.name)

    def search_artists(self, text: str) -> list[Artist]:
        """Return the artists that have all words of ``text`` in their name, best first."""
        return _found(text, self.artists.values(), lambda artist: artist.searched, lambda artist: artist.name)

    def random_songs(self, count: int, fits: Callable[[Song], bool] = lambda song: True) -> list[Song]:
        """Return up to ``count`` songs that fit, drawn without repeats."""
        fitting = [song for song in self.songs.values() if fits(song)]
        drawn = np.random.default_rng().permutation(len(fitting))[:count]
        return [fitting[place] for place in drawn.tolist()]


def sorted_by(name: str) -> str:
    """Return what a name is sorted by: without case, accents and an article before it."""
    plain = folded(name)
    first, _, rest = plain.partition(" ")
    return rest if rest and first in ARTICLES else plain


def _found(
    text: str, among: Iterable[Found], searched: Callable[[Found], str], name: Callable[[Found], str]
) -> list[Found]:
    question = folded(text.strip().strip('"*'))
    if not question:
        return list(among)
    words = question.split()
    matching = [one for one in among if all(word in searched(one) for word in words)]
    return sorted(matching, key=lambda one: -how_well(question, folded(name(one))))


def _digest(prefix: str, *parts: str | bytes) -> str:
    written = b"\x1f".join(part if isinstance(part, bytes) else part.encode() for part in parts)
    return f"{prefix}-{hashlib.blake2b(written, digest_size=10).hexdigest()}"


def _artist_of(file: File) -> str:
    return file.tags.artist or file.tags.album_artist or UNKNOWN_ARTIST


def _album_key(file: File) -> tuple[str, str]:
    """Which files are one album: those of one album artist, else of one folder, with one name of the album."""
    where = normalised(file.tags.album_artist) if file.tags.album_artist else f"/{file.relative.parent}"
    return where, normalised(file.tags.album)


def _album(files: Sequence[File], key: tuple[str, str]) -> Album:
    first, album_id = files[0], _digest("al", *key)
    artists = {normalised(_artist_of(file)): _artist_of(file) for file in files}
    artist = first.tags.album_artist or (_artist_of(first) if len(artists) == 1 else VARIOUS_ARTISTS)
    name = first.tags.album or first.relative.parent.name or "Single files"
    ordered = sorted(files, key=lambda file: (file.tags.disc, file.tags.track, file.path))
    songs = tuple(
        Song(
            id=_digest("tr", file.path),
            title=title_of(file.tags, file.relative),
            artist=_artist_of(file),
            artist_id=_digest("ar", normalised(_artist_of(file))),
            album=name,
            album_id=album_id,
            file=file,
        )
        for file in ordered
    )
    return Album(album_id, name, artist, _digest("ar", normalised(artist)), songs)


def _artists(albums: Sequence[Album]) -> list[Artist]:
    names: dict[str, str] = {}
    theirs: dict[str, dict[str, Album]] = {}
    for album in albums:
        for artist_id, name in [
            (album.artist_id, album.artist),
            *((song.artist_id, song.artist) for song in album.songs),
        ]:
            names.setdefault(artist_id, name)
            theirs.setdefault(artist_id, {})[album.id] = album
    found = [Artist(artist_id, names[artist_id], tuple(of.values())) for artist_id, of in theirs.items()]
    return sorted(found, key=lambda artist: (sorted_by(artist.name), artist.id))
