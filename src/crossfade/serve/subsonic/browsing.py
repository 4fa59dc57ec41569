"""Browsing: artists, albums, songs and genres; folders are artists and their albums."""

from typing import Any

from crossfade.live.music import ARTICLES, Album, Artist, Song, sorted_by
from crossfade.serve.subsonic.answers import GENERIC, UNKNOWN, Content, Failure, known
from crossfade.serve.subsonic.calls import Call, Handler, Library
from crossfade.serve.subsonic.describing import (
    album_answer,
    album_folder,
    artist_answer,
    artist_folder,
    song_answer,
)
from crossfade.serve.subsonic.marks import Marks, album_key, marks_of

FOLDER = 1
"""The id of the only music folder."""


def song_named(library: Library, song_id: str) -> Song:
    """Return the song of an id; a Failure if there is none."""
    if song_id not in library.music.songs:
        raise Failure(UNKNOWN, "There is no such song.")
    return library.music.songs[song_id]


def album_named(library: Library, album_id: str) -> Album:
    """Return the album of an id; a Failure if there is none."""
    if album_id not in library.music.albums:
        raise Failure(UNKNOWN, "There is no such album.")
    return library.music.albums[album_id]


def artist_named(library: Library, artist_id: str) -> Artist:
    """Return the artist of an id; a Failure if there is none."""
    if artist_id not in library.music.artists:
        raise Failure(UNKNOWN, "There is no such artist.")
    return library.music.artists[artist_id]


def _music_folders(library: Library, call: Call) -> Content:
    named = [] if library.folder is None else [{"id": FOLDER, "name": "Music"}]
    return {"musicFolders": {"musicFolder": named}}


def _artists(library: Library, call: Call) -> Content:
    marks = marks_of(library, call.user)
    index = [
        {"name": letter, "artist": [artist_answer(artist, marks) for artist in artists]}
        for letter, artists in _by_letter(library).items()
    ]
    return {"artists": {"ignoredArticles": " ".join(ARTICLES).title(), "index": index}}


def _indexes(library: Library, call: Call) -> Content:
    marks, made_at = marks_of(library, call.user), library.music.made_at
    unchanged = call.number("ifModifiedSince", 0) >= made_at > 0
    index = [
        {"name": letter, "artist": [artist_folder(artist, marks) for artist in artists]}
        for letter, artists in ({} if unchanged else _by_letter(library)).items()
    ]
    return {"indexes": {"ignoredArticles": " ".join(ARTICLES).title(), "lastModified": made_at, "index": index}}


def _by_letter(library: Library) -> dict[str, list[Artist]]:
    found: dict[str, list[Artist]] = {}
    for artist in library.music.artists.values():
        first = sorted_by(artist.name)[:1].upper()
        found.setdefault(first if first.isalpha() else "#", []).append(artist)
    return found


def _music_directory(library: Library, call: Call) -> Content:
    place, marks, music = call.text("id"), marks_of(library, call.user), library.music
    described: dict[str, Any]
    if place == str(FOLDER):
        children = [
            {"id": artist.id, "parent": place, "isDir": True, "title": artist.name, "artist": artist.name}
            for artist in music.artists.values()
        ]
        described = {"id": place, "name": "Music"}
    elif place in music.artists:
        artist = music.artists[place]
        described = {"parent": str(FOLDER), **artist_folder(artist, marks)}
        children = [album_folder(album, marks) for album in artist.albums]
    else:
        album = album_named(library, place)
        starred = marks.starred.get(album_key(album.id))
        described = {"id": album.id, "parent": album.artist_id, "name": album.name}
        if starred is not None:
            described["starred"] = album_answer(album, marks)["starred"]
        children = [song_answer(song, marks) for song in album.songs]
    return {"directory": {**described, "child": children}}


def _artist(library: Library, call: Call) -> Content:
    artist, marks = artist_named(library, call.text("id")), marks_of(library, call.user)
    albums = [album_answer(album, marks) for album in artist.albums]
    return {"artist": {**artist_answer(artist, marks), "album": albums}}


def _album(library: Library, call: Call) -> Content:
    album, marks = album_named(library, call.text("id")), marks_of(library, call.user)
    songs = [song_answer(song, marks) for song in album.songs]
    return {"album": {**album_answer(album, marks), "song": songs}}


def _song(library: Library, call: Call) -> Content:
    return {"song": song_answer(song_named(library, call.text("id")), marks_of(library, call.user))}


def _genres(library: Library, call: Call) -> Content:
    found = [
        {"value": genre, "songCount": len(songs), "albumCount": len({song.album_id for song in songs})}
        for genre, songs in library.music.genres.items()
    ]
    return {"genres": {"genre": found}}


def _album_info(library: Library, call: Call) -> Content:
    wanted = call.text("id")
    if wanted in library.music.songs:
        wanted = library.music.songs[wanted].album_id
    album = album_answer(album_named(library, wanted), Marks())
    return {"albumInfo": known(musicBrainzId=album["musicBrainzId"])}


def _songs_of_genre(library: Library, call: Call) -> Content:
    songs, marks = library.music.of_genre(call.text("genre")), marks_of(library, call.user)
    return {"songsByGenre": {"song": [song_answer(song, marks) for song in songs[call.part(size=10)]]}}


def _random_songs(library: Library, call: Call) -> Content:
    size = call.number("size", 10, most=500)
    first, last = call.number("fromYear", 0), call.number("toYear", 9999)
    genre = call.text("genre", "")
    songs = {song.id for song in library.music.of_genre(genre)} if genre else None
    marks = marks_of(library, call.user)
    drawn = library.music.random_songs(
        size, lambda song: first <= song.tags.year <= last and (songs is None or song.id in songs)
    )
    return {"randomSongs": {"song": [song_answer(song, marks) for song in drawn]}}


def _search(name: str) -> Handler:
    as_folders = name == "searchResult2"

    def search(library: Library, call: Call) -> Content:
        text, music, marks = call.text("query", ""), library.music, marks_of(library, call.user)
        artists = music.search_artists(text)[call.part("artist")]
        albums = music.search_albums(text)[call.part("album")]
        songs = music.search_songs(text)[call.part("song")]
        return {
            name: {
                "artist": [(artist_folder if as_folders else artist_answer)(artist, marks) for artist in artists],
                "album": [(album_folder if as_folders else album_answer)(album, marks) for album in albums],
                "song": [song_answer(song, marks) for song in songs],
            }
        }

    return search


def _old_search(library: Library, call: Call) -> Content:
    raise Failure(GENERIC, "Use search2 or search3: search has been out of use since version 1.4.0.")


CALLS: dict[str, Handler] = {
    "getMusicFolders": _music_folders,
    "getArtists": _artists,
    "getIndexes": _indexes,
    "getMusicDirectory": _music_directory,
    "getArtist": _artist,
    "getAlbum": _album,
    "getSong": _song,
    "getGenres": _genres,
    "getAlbumInfo": _album_info,
    "getAlbumInfo2": _album_info,
    "getSongsByGenre": _songs_of_genre,
    "getRandomSongs": _random_songs,
    "search": _old_search,
    "search2": _search("searchResult2"),
    "search3": _search("searchResult3"),
}
"""What is answered for reading alone."""
