"""Songs, albums and artists in Subsonic's words. Fields that strict clients fail without are always there."""

from typing import Any

from crossfade.formats.audio_tags import CONTENT_TYPES
from crossfade.live.music import Album, Artist, Song, sorted_by
from crossfade.serve.subsonic.answers import known, when
from crossfade.serve.subsonic.marks import Key, Marks, album_key, artist_key, song_key


def song_answer(song: Song, marks: Marks) -> dict[str, Any]:
    """Return a song as a ``Child``."""
    tags, suffix = song.tags, song.file.relative.suffix.lower()
    artist = {"id": song.artist_id, "name": song.artist}
    return {
        "id": song.id,
        "parent": song.album_id,
        "isDir": False,
        "title": song.title,
        "album": song.album,
        "artist": song.artist,
        **known(track=tags.track or None, year=tags.year or None, genre=next(iter(tags.genres), None)),
        "coverArt": song.id,
        "size": song.file.size,
        "contentType": CONTENT_TYPES[suffix],
        "suffix": suffix.removeprefix("."),
        "duration": song.duration,
        **known(
            bitRate=tags.bit_rate or None,
            bitDepth=tags.bit_depth or None,
            samplingRate=tags.sampling_rate or None,
            channelCount=tags.channels or None,
            discNumber=tags.disc or None,
        ),
        "path": str(song.file.relative),
        "isVideo": False,
        "created": when(song.created),
        "albumId": song.album_id,
        "artistId": song.artist_id,
        "type": "music",
        "mediaType": "song",
        "sortName": sorted_by(song.title),
        "musicBrainzId": tags.recording,
        "isrc": [tags.isrc] if tags.isrc else [],
        "genres": [{"name": genre} for genre in tags.genres],
        "artists": [artist],
        "displayArtist": song.artist,
        "albumArtists": [artist],
        "displayAlbumArtist": tags.album_artist or song.artist,
        "contributors": [],
        "moods": [],
        "replayGain": {},
        "explicitStatus": "",
        **_marked(marks, song_key(song)),
    }


def album_answer(album: Album, marks: Marks) -> dict[str, Any]:
    """Return an album without its songs."""
    return {
        "id": album.id,
        "name": album.name,
        "artist": album.artist,
        "artistId": album.artist_id,
        "coverArt": album.id,
        "songCount": len(album.songs),
        "duration": album.duration,
        "created": when(album.created),
        **known(year=album.year or None, genre=next(iter(album.genres), None)),
        "genres": [{"name": genre} for genre in album.genres],
        "artists": [{"id": album.artist_id, "name": album.artist}],
        "displayArtist": album.artist,
        "sortName": sorted_by(album.name),
        "musicBrainzId": next((song.tags.album_mbid for song in album.songs if song.tags.album_mbid), ""),
        **_marked(marks, album_key(album.id)),
    }


def album_folder(album: Album, marks: Marks) -> dict[str, Any]:
    """Return an album as a folder of songs, a ``Child``."""
    answer = album_answer(album, marks)
    return {**answer, "parent": album.artist_id, "isDir": True, "title": album.name, "mediaType": "album"}


def artist_answer(artist: Artist, marks: Marks) -> dict[str, Any]:
    """Return an artist without their albums."""
    marked = _marked(marks, artist_key(artist))
    return {
        "id": artist.id,
        "name": artist.name,
        "coverArt": artist.id,
        "albumCount": len(artist.albums),
        "sortName": sorted_by(artist.name),
        "musicBrainzId": artist.mbid,
        "roles": ["artist"],
        **marked,
    }


def artist_folder(artist: Artist, marks: Marks) -> dict[str, Any]:
    """Return an artist as a folder, an ``Artist``."""
    return {"id": artist.id, "name": artist.name, **_marked(marks, artist_key(artist))}


def _marked(marks: Marks, key: Key) -> dict[str, Any]:
    starred = marks.starred.get(key)
    return known(starred=None if starred is None else when(starred), userRating=marks.rated.get(key))
