"""What is played: scrobbles become listens, and what plays now is shown until the track ends.

Nothing of a play with ``ignoreScrobble`` is kept anywhere, not even in memory: it is a private session of one track.
"""

import itertools
import zlib
from dataclasses import replace
from typing import Any

from crossfade.live.music import Song
from crossfade.live.submitting import as_kept, listen_of, playing_of
from crossfade.serve.subsonic.answers import GENERIC, Content, Failure
from crossfade.serve.subsonic.browsing import song_named
from crossfade.serve.subsonic.calls import Call, Handler, Library
from crossfade.serve.subsonic.describing import song_answer
from crossfade.serve.subsonic.marks import marks_of
from crossfade.serve.subsonic.recommending import similar
from crossfade.stores.live import Listen, NowPlaying, Track, now

MOST_SCROBBLES = 1_000  # in one call

_STATES = ("starting", "playing", "paused", "stopped")


def _scrobble(library: Library, call: Call) -> Content:
    songs = [song_named(library, one) for one in call.texts("id")]
    times = call.numbers("time")
    if not songs or len(songs) > MOST_SCROBBLES:
        raise Failure(GENERIC, f"Name 1 to {MOST_SCROBBLES:,} songs by id.")
    if not call.flag("submission", default=True):
        _play(library, call, songs[-1], started_at=now(), info={})
        return {}
    listens = []
    with similar(library) as described:
        for song, time in itertools.zip_longest(songs, times[: len(songs)]):
            # Without a time the song ends now.
            listen = _listen(call, described.described(song), time or now() - song.duration * 1000)
            listens.append(listen if time else as_kept(library.live, listen))
    library.live.add_listens(listens)
    return {}


def _report(library: Library, call: Call) -> Content:
    state, position = call.text("state"), call.number("positionMs")
    if state not in _STATES:
        raise Failure(GENERIC, f"state is one of {', '.join(_STATES)}.")
    if call.text("mediaType", "song") != "song":
        raise Failure(GENERIC, "There are only songs here.")
    song = song_named(library, call.text("mediaId"))
    if call.flag("ignoreScrobble", default=False):
        return {}
    own = library.live.now_playing(call.user, at=now())
    before = next((one for one in own if one.player == call.client), None)
    same = before is not None and library.music.find(before.track) is song
    started_at = before.started_at if before is not None and same else now() - position
    if state != "stopped":
        _play(library, call, song, started_at=started_at, info={"state": state, "positionMs": position})
        return {}
    library.live.stop_playing(call.user, call.client)
    with similar(library) as described:
        listen = _listen(call, described.described(song), started_at, ms_played=position)
    if not listen.skipped:
        library.live.add_listens([as_kept(library.live, listen)])
    return {}


def _listen(call: Call, track: Track, began: int, *, ms_played: int | None = None) -> Listen:
    listen = listen_of(track, call.user, began / 1000, now(), ms_played=ms_played, client=call.client or None)
    # Not of a whole second, which might lie before a private session.
    return replace(listen, listened_at=began, source="library")


def _play(library: Library, call: Call, song: Song, *, started_at: int, info: dict[str, object]) -> None:
    with similar(library) as described:
        track = described.described(song)
    playing = playing_of(track, call.user, now(), client=call.client, info=info)
    library.live.set_now_playing(replace(playing, started_at=started_at))


def _playing(library: Library, call: Call) -> list[NowPlaying]:
    return library.live.now_playing(None if "admin" in call.scopes else call.user, at=now())


def _now_playing(library: Library, call: Call) -> Content:
    marks, found = marks_of(library, call.user), []
    for playing in _playing(library, call):
        song = library.music.find(playing.track)
        if song is not None:
            entry: dict[str, Any] = {
                **song_answer(song, marks),
                "username": playing.user,
                "minutesAgo": max(0, now() - playing.started_at) // 60_000,
                "playerId": zlib.crc32(playing.player.encode()) & 0x7FFFFFFF,
                "playerName": playing.player or "unknown",
                **playing.info,
            }
            found.append(entry)
    return {"nowPlaying": {"entry": found}}


READING: dict[str, Handler] = {"getNowPlaying": _now_playing}
"""What is answered for reading alone."""

CALLS: dict[str, Handler] = {"scrobble": _scrobble, "reportPlayback": _report}
"""What sends plays."""
