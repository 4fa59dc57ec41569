"""Sound and pictures: whole files or ranges of them, as they are on the disk; nothing is transcoded."""

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from crossfade.core.errors import InputError
from crossfade.formats.audio_tags import CONTENT_TYPES
from crossfade.live.music import Song
from crossfade.serve.connections import PLAYING
from crossfade.serve.envelope import HEAD
from crossfade.serve.subsonic.answers import UNKNOWN, Failure
from crossfade.serve.subsonic.browsing import song_named
from crossfade.serve.subsonic.calls import Call, Handler, Library

COVER_SECONDS = 86_400  # that clients may keep a picture without asking


class Sound(FileResponse):
    """A file that a player may take as slowly as it plays."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or the ranges that were asked for; more than 100 ranges are answered by the whole file."""
        state = scope["state"]
        state[PLAYING] = True
        await super().__call__({**scope, "method": "HEAD"} if state[HEAD] else scope, receive, send)


def _stream(library: Library, call: Call) -> Response:
    return _sound(library, song_named(library, call.text("id")))


def _download(library: Library, call: Call) -> Response:
    song = song_named(library, call.text("id"))
    return _sound(library, song, song.file.relative.name)


def _sound(library: Library, song: Song, filename: str | None = None) -> Response:
    if library.folder is None:
        raise Failure(UNKNOWN, "There is no such song.")
    try:
        path = library.folder.path_of(song)
        status = path.stat()
    except (InputError, OSError) as error:
        raise Failure(UNKNOWN, "The file of that song is gone. Have the folder scanned again.") from error
    return Sound(
        path,
        media_type=CONTENT_TYPES[song.file.relative.suffix.lower()],
        filename=filename,
        stat_result=status,
        headers={"Cache-Control": "private, no-cache"},
    )


def _cover(library: Library, call: Call) -> Response:
    wanted, music = call.text("id"), library.music
    song = music.songs.get(wanted)
    albums = []
    if song is not None:
        albums = [music.albums[song.album_id]]
    elif wanted in music.albums:
        albums = [music.albums[wanted]]
    elif wanted in music.artists:
        albums = list(music.artists[wanted].albums)
    for album in albums[:10]:
        found = None if library.folder is None else library.folder.cover_of(album, song)
        if found is not None:
            return Response(
                found[0], media_type=found[1], headers={"Cache-Control": f"private, max-age={COVER_SECONDS}"}
            )
    raise Failure(UNKNOWN, "There is no cover.")


CALLS: dict[str, Handler] = {"stream": _stream, "download": _download, "getCoverArt": _cover}
"""What is answered by a file."""
