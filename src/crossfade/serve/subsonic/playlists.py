"""Playlists, the play queue, and bookmarks.

A playlist may have tracks that the folder lacks, such as those of a weekly list: players get the others, and changes
leave them in their places.
"""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crossfade.core.errors import UnknownIdError
from crossfade.live.music import Song
from crossfade.live.playlists import BOOKMARKS, PLAY_QUEUE, playlist_named, playlists_of
from crossfade.serve.subsonic.answers import FORBIDDEN, GENERIC, MISSING, UNKNOWN, Content, Failure, known, when
from crossfade.serve.subsonic.browsing import song_named
from crossfade.serve.subsonic.calls import Call, Handler, Library
from crossfade.serve.subsonic.describing import song_answer
from crossfade.serve.subsonic.marks import keep_list, kept_list, marks_of
from crossfade.serve.subsonic.recommending import similar
from crossfade.stores.live import Playlist, Track, now


def _tracks(library: Library, songs: list[Song]) -> tuple[Track, ...]:
    with similar(library) as described:
        return tuple(described.described(song) for song in songs)


def _songs(library: Library, tracks: tuple[Track, ...]) -> list[Song]:
    found = (library.music.find(track) for track in tracks)
    return [song for song in found if song is not None]


def _readable(library: Library, call: Call, playlist_id: str) -> Playlist:
    try:
        playlist = playlist_named(library.live, playlist_id)
    except UnknownIdError as error:
        raise Failure(UNKNOWN, "There is no such playlist.") from error
    if not (playlist.public or playlist.user == call.user):
        raise Failure(UNKNOWN, "There is no such playlist.")
    return playlist


def _own(library: Library, call: Call, playlist_id: str) -> Playlist:
    playlist = _readable(library, call, playlist_id)
    if playlist.user != call.user:
        raise Failure(FORBIDDEN, "That playlist belongs to somebody else.")
    return playlist


def _described(library: Library, call: Call, playlist: Playlist) -> dict[str, Any]:
    songs = _songs(library, playlist.tracks)
    return {
        "id": playlist.id,
        "name": playlist.title,
        **known(comment=playlist.comment),
        "owner": playlist.user,
        "public": playlist.public,
        "songCount": len(songs),
        "duration": sum(song.duration for song in songs),
        "created": when(playlist.created_at),
        "changed": when(playlist.changed_at),
        **known(coverArt=songs[0].id if songs else None),
        "readonly": playlist.user != call.user,
    }


def _with_songs(library: Library, call: Call, playlist: Playlist) -> Content:
    marks = marks_of(library, call.user)
    entries = [song_answer(song, marks) for song in _songs(library, playlist.tracks)]
    return {"playlist": {**_described(library, call, playlist), "entry": entries}}


def _playlists(library: Library, call: Call) -> Content:
    others = [account.user for account in library.live.accounts() if account.user != call.user]
    found = playlists_of(library.live, call.user)
    found += [one for user in others for one in playlists_of(library.live, user) if one.public]
    return {"playlists": {"playlist": [_described(library, call, playlist) for playlist in found]}}


def _playlist(library: Library, call: Call) -> Content:
    return _with_songs(library, call, _readable(library, call, call.text("id")))


def _create(library: Library, call: Call) -> Content:
    playlist_id, name = call.text("playlistId", ""), call.text("name", "")
    if not playlist_id and not name:
        raise Failure(MISSING, "Name the playlist.")
    tracks = _tracks(library, [song_named(library, one) for one in call.texts("songId")])
    if playlist_id:
        before = _own(library, call, playlist_id)
        playlist = replace(before, title=name or before.title, tracks=tracks, changed_at=now())
    else:
        playlist = Playlist(
            id=str(uuid.uuid4()), user=call.user, title=name, tracks=tracks, created_at=now(), changed_at=now()
        )
    return _with_songs(library, call, library.live.put_playlist(playlist))


def _update(library: Library, call: Call) -> Content:
    before = _own(library, call, call.text("playlistId"))
    added = _tracks(library, [song_named(library, one) for one in call.texts("songIdToAdd")])
    # Players count what they were shown.
    shown = [place for place, track in enumerate(before.tracks) if library.music.find(track) is not None]
    removed = set()
    for index in call.numbers("songIndexToRemove"):
        if index >= len(shown):
            raise Failure(GENERIC, f"The playlist has no song number {index}.")
        removed.add(shown[index])
    kept = tuple(track for place, track in enumerate(before.tracks) if place not in removed)
    library.live.put_playlist(
        replace(
            before,
            title=call.text("name", "") or before.title,
            comment=call.text("comment", before.comment),
            public=call.flag("public", default=before.public),
            tracks=kept + added,
            changed_at=now(),
        )
    )
    return {}


def _delete(library: Library, call: Call) -> Content:
    library.live.delete_playlist(call.user, _own(library, call, call.text("id")).id)
    return {}


def _save_queue(library: Library, call: Call) -> Content:
    songs = [song_named(library, one) for one in call.texts("id")]
    current, index = call.text("current", ""), call.number("currentIndex", 0)
    if current:
        index = next((place for place, song in enumerate(songs) if song.id == current), -1)
    if songs and not 0 <= index < len(songs):
        raise Failure(GENERIC, "The current song is not in the queue.")
    info = {"index": index, "position": call.number("position", 0), "client": call.client}
    tracks = _tracks(library, songs)
    keep_list(library.live, call.user, PLAY_QUEUE, lambda: (tracks, info))
    return {}


def _queue(name: str) -> Handler:
    def queue(library: Library, call: Call) -> Content:
        kept, marks = kept_list(library.live, call.user, PLAY_QUEUE), marks_of(library, call.user)
        if kept is None or not (songs := _songs(library, kept.tracks)):
            return {name: {"username": call.user, "changed": when(now()), "changedBy": "", "entry": []}}
        info: Mapping[str, Any] = kept.info
        # A song may have left the folder since.
        index = min(int(info["index"]), len(songs) - 1)
        current = {"currentIndex": index} if name == "playQueueByIndex" else {"current": songs[index].id}
        return {
            name: {
                **current,
                "position": int(info["position"]),
                "username": call.user,
                "changed": when(kept.changed_at),
                "changedBy": str(info["client"]),
                "entry": [song_answer(song, marks) for song in songs],
            }
        }

    return queue


def _bookmarks_of(library: Library, call: Call) -> dict[str, Any]:
    kept = kept_list(library.live, call.user, BOOKMARKS)
    return {} if kept is None else dict(kept.info)


def _bookmarks(library: Library, call: Call) -> Content:
    marks, songs = marks_of(library, call.user), library.music.songs
    found = [
        {
            "position": bookmark["position"],
            "username": call.user,
            **known(comment=bookmark["comment"]),
            "created": when(bookmark["at"]),
            "changed": when(bookmark["at"]),
            "entry": song_answer(songs[song_id], marks),
        }
        for song_id, bookmark in _bookmarks_of(library, call).items()
        if song_id in songs
    ]
    return {"bookmarks": {"bookmark": found}}


def _create_bookmark(library: Library, call: Call) -> Content:
    song = song_named(library, call.text("id"))
    made = {"position": call.number("position"), "comment": call.text("comment", ""), "at": now()}
    keep_list(library.live, call.user, BOOKMARKS, lambda: ((), {**_bookmarks_of(library, call), song.id: made}))
    return {}


def _delete_bookmark(library: Library, call: Call) -> Content:
    gone = call.text("id")

    def left() -> tuple[tuple[Track, ...], Mapping[str, object]]:
        return (), {song: bookmark for song, bookmark in _bookmarks_of(library, call).items() if song != gone}

    keep_list(library.live, call.user, BOOKMARKS, left)
    return {}


READING: dict[str, Handler] = {
    "getPlaylists": _playlists,
    "getPlaylist": _playlist,
    "getPlayQueue": _queue("playQueue"),
    "getPlayQueueByIndex": _queue("playQueueByIndex"),
    "getBookmarks": _bookmarks,
}
"""What is answered for reading alone."""

CALLS: dict[str, Handler] = {
    "createPlaylist": _create,
    "updatePlaylist": _update,
    "deletePlaylist": _delete,
    "savePlayQueue": _save_queue,
    "savePlayQueueByIndex": _save_queue,
    "createBookmark": _create_bookmark,
    "deleteBookmark": _delete_bookmark,
}
"""What changes lists."""
