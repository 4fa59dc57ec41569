"""Lists of albums by what was played, starred, rated or added, and everything that is starred."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from crossfade.core.names import folded
from crossfade.live.music import Album, sorted_by
from crossfade.serve.subsonic.answers import GENERIC, Content, Failure
from crossfade.serve.subsonic.calls import Call, Handler, Library
from crossfade.serve.subsonic.describing import album_answer, album_folder, artist_answer, artist_folder, song_answer
from crossfade.serve.subsonic.marks import Marks, album_key, artist_key, marks_of, song_key

LATEST = 10_000
"""Listens of a user that `frequent` and `recent` look at."""

Albums: TypeAlias = list[Album]


def _played(library: Library, call: Call) -> dict[str, list[int]]:
    """When the user played a song of each album, newest first, by the album's id."""
    found: dict[str, list[int]] = {}
    for listen in library.live.listens(call.user, limit=LATEST):
        song = None if listen.skipped else library.music.find(listen.track)
        if song is not None:
            found.setdefault(song.album_id, []).append(listen.listened_at)
    return found


def _frequent(library: Library, call: Call, marks: Marks) -> Albums:
    played = _played(library, call)
    return [library.music.albums[album] for album in sorted(played, key=lambda album: -len(played[album]))]


def _recent(library: Library, call: Call, marks: Marks) -> Albums:
    return [library.music.albums[album] for album in _played(library, call)]


def _newest(library: Library, call: Call, marks: Marks) -> Albums:
    return sorted(library.music.albums.values(), key=lambda album: -album.created)


def _highest(library: Library, call: Call, marks: Marks) -> Albums:
    rated = [album for album in library.music.albums.values() if marks.rated.get(album_key(album.id))]
    return sorted(rated, key=lambda album: -marks.rated[album_key(album.id)])


def _starred_albums(library: Library, call: Call, marks: Marks) -> Albums:
    starred = [album for album in library.music.albums.values() if album_key(album.id) in marks.starred]
    return sorted(starred, key=lambda album: -marks.starred[album_key(album.id)])


def _random(library: Library, call: Call, marks: Marks) -> Albums:
    albums = list(library.music.albums.values())
    return [albums[place] for place in np.random.default_rng().permutation(len(albums)).tolist()]


def _by_name(library: Library, call: Call, marks: Marks) -> Albums:
    return sorted(library.music.albums.values(), key=lambda album: sorted_by(album.name))


def _by_artist(library: Library, call: Call, marks: Marks) -> Albums:
    return list(library.music.albums.values())


def _by_year(library: Library, call: Call, marks: Marks) -> Albums:
    first, last = call.number("fromYear"), call.number("toYear")
    least, most = sorted((first, last))
    albums = [album for album in library.music.albums.values() if least <= album.year <= most]
    return sorted(albums, key=lambda album: album.year, reverse=first > last)


def _by_genre(library: Library, call: Call, marks: Marks) -> Albums:
    wanted = folded(call.text("genre"))
    return [album for album in library.music.albums.values() if wanted in map(folded, album.genres)]


_LISTS: dict[str, Callable[[Library, Call, Marks], Albums]] = {
    "random": _random,
    "newest": _newest,
    "highest": _highest,
    "frequent": _frequent,
    "recent": _recent,
    "alphabeticalByName": _by_name,
    "alphabeticalByArtist": _by_artist,
    "starred": _starred_albums,
    "byYear": _by_year,
    "byGenre": _by_genre,
}


def _album_list(name: str) -> Handler:
    def listed(library: Library, call: Call) -> Content:
        sort = call.text("type")
        if sort not in _LISTS:
            raise Failure(GENERIC, f"There is no list of albums of that type. There are: {', '.join(_LISTS)}.")
        marks = marks_of(library, call.user)
        first = call.number("offset", 0)
        albums = _LISTS[sort](library, call, marks)[first : first + call.number("size", 10, most=500)]
        answer = album_folder if name == "albumList" else album_answer
        return {name: {"album": [answer(album, marks) for album in albums]}}

    return listed


def _starred(name: str) -> Handler:
    as_folders = name == "starred"

    def starred(library: Library, call: Call) -> Content:
        marks, music = marks_of(library, call.user), library.music
        artists = [artist for artist in music.artists.values() if artist_key(artist) in marks.starred]
        albums = _starred_albums(library, call, marks)
        songs = [song for song in music.songs.values() if song_key(song) in marks.starred]
        return {
            name: {
                "artist": [(artist_folder if as_folders else artist_answer)(artist, marks) for artist in artists],
                "album": [(album_folder if as_folders else album_answer)(album, marks) for album in albums],
                "song": [song_answer(song, marks) for song in songs],
            }
        }

    return starred


CALLS: dict[str, Handler] = {
    "getAlbumList": _album_list("albumList"),
    "getAlbumList2": _album_list("albumList2"),
    "getStarred": _starred("starred"),
    "getStarred2": _starred("starred2"),
}
"""What is answered for reading alone."""
