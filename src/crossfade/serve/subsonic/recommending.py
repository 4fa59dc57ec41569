"""What is like a song or an artist, and the way from one song to another; see `crossfade.live.music_similar`."""

import contextlib
from collections.abc import Iterator

from crossfade.core.errors import CrossfadeError
from crossfade.live.music import Artist, Song
from crossfade.live.music_similar import Near, SimilarMusic
from crossfade.serve.subsonic.answers import MISSING, UNKNOWN, Content, Failure
from crossfade.serve.subsonic.browsing import artist_named, song_named
from crossfade.serve.subsonic.calls import Call, Handler, Library
from crossfade.serve.subsonic.describing import artist_answer, artist_folder, song_answer
from crossfade.serve.subsonic.marks import Marks, marks_of

LONGEST_MIX = 500  # songs

SEEDS = 5
"""Songs of an artist or an album that a mix begins from."""

NOT_HERE = "-1"
"""The id of an artist whom the folder has no songs of, as clients know it."""


@contextlib.contextmanager
def similar(library: Library, marks: Marks | None = None) -> Iterator[SimilarMusic]:
    """Lend what knows which songs are alike, by the active release if there is one."""
    unwanted = (lambda song: False) if marks is None else marks.unwanted
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(library.active.reading())
        except CrossfadeError:
            opened = None  # before the first release, players browse and play all the same
        yield SimilarMusic(library.music, opened, unwanted)


def _similar_songs(name: str) -> Handler:
    def mix(library: Library, call: Call) -> Content:
        wanted, count, music = call.text("id"), call.number("count", 50, most=LONGEST_MIX), library.music
        marks = marks_of(library, call.user)
        with similar(library, marks) as alike:
            if wanted in music.artists:
                seeds = alike.top_songs(music.artists[wanted])[:SEEDS]
            elif wanted in music.albums:
                seeds = list(music.albums[wanted].songs[:SEEDS])
            else:
                seeds = [song_named(library, wanted)]
            songs = alike.mix(seeds, count)
        return {name: {"song": [song_answer(song, marks) for song in songs]}}

    return mix


def _artist_of(library: Library, wanted: str) -> Artist:
    """The artist of an id, which may be that of one of their songs or albums."""
    music = library.music
    if wanted in music.songs:
        wanted = music.songs[wanted].artist_id
    elif wanted in music.albums:
        wanted = music.albums[wanted].artist_id
    return artist_named(library, wanted)


def _artist_info(name: str) -> Handler:
    described = artist_folder if name == "artistInfo" else artist_answer

    def info(library: Library, call: Call) -> Content:
        artist, marks = _artist_of(library, call.text("id")), marks_of(library, call.user)
        count, elsewhere = call.number("count", 20, most=LONGEST_MIX), call.flag("includeNotPresent", default=False)
        with similar(library) as alike:
            related = alike.artists_like(artist)
        found = [
            {"id": NOT_HERE, "name": entry.name} if other is None else described(other, marks)
            for entry, other in related
            if elsewhere or other is not None
        ]
        mbid = {"musicBrainzId": artist.mbid} if artist.mbid else {}
        return {name: {**mbid, "similarArtist": found[:count]}}

    return info


def _top_songs(library: Library, call: Call) -> Content:
    count, marks = call.number("count", 50, most=LONGEST_MIX), marks_of(library, call.user)
    wanted, named = call.text("id", ""), call.text("artist", "")
    if not wanted and not named:
        raise Failure(MISSING, "Name the artist by artist or id.")
    artist = _artist_of(library, wanted) if wanted else library.music.artist_named(named)
    with similar(library) as alike:
        songs: list[Song] = [] if artist is None else alike.top_songs(artist)
    return {"topSongs": {"song": [song_answer(song, marks) for song in songs[:count]]}}


def _sonic_similar(library: Library, call: Call) -> Content:
    song, count = song_named(library, call.text("id")), call.number("count", 10, most=LONGEST_MIX)
    marks = marks_of(library, call.user)
    with similar(library, marks) as alike:
        found = [near for _, near in zip(range(count), alike.near(song), strict=False)]
    return {"sonicMatch": _matches(sorted(found, key=lambda near: -near.similarity), marks)}


def _sonic_path(library: Library, call: Call) -> Content:
    music, count = library.music, call.number("count", 25, least=1, most=LONGEST_MIX)
    ends = call.text("startSongId"), call.text("endSongId")
    if any(end not in music.songs for end in ends):
        raise Failure(UNKNOWN, "There is no such song.")
    marks = marks_of(library, call.user)
    with similar(library) as alike:
        found = alike.path(music.songs[ends[0]], music.songs[ends[1]], count)
    return {"sonicMatch": _matches(found, marks)}


def _matches(found: list[Near], marks: Marks) -> list[Content]:
    return [{"entry": song_answer(near.song, marks), "similarity": round(near.similarity, 6)} for near in found]


CALLS: dict[str, Handler] = {
    "getSimilarSongs": _similar_songs("similarSongs"),
    "getSimilarSongs2": _similar_songs("similarSongs2"),
    "getArtistInfo": _artist_info("artistInfo"),
    "getArtistInfo2": _artist_info("artistInfo2"),
    "getTopSongs": _top_songs,
    "getSonicSimilarTracks": _sonic_similar,
    "findSonicPath": _sonic_path,
}
"""What is answered for reading alone."""
