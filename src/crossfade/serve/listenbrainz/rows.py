"""What the ListenBrainz API answers with: listens, feedback and playlists as its clients read them."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crossfade.formats import values
from crossfade.formats.playlist_files import PLAYLIST_EXTENSION, as_jspf
from crossfade.stores.live import Feedback, Listen, NowPlaying, Playlist, Track

_NAMESPACE = uuid.UUID("a7b6de7a-4fd0-4a5e-9d3e-4f4b7a4fd0c1")
CREATOR = "listenbrainz"
"""Who made the lists of the week and the day: the tools that fetch them look for this name."""


def msid(track: Track) -> str:
    """Return the id of a track by its names: the same for everything that Crossfade takes for the same track."""
    return str(uuid.uuid5(_NAMESPACE, track.key))


def mbid(track: Track) -> str | None:
    """Return the MusicBrainz id of a track: the one that the player sent, else that of its item, if it is one."""
    return track.mbid or (values.mbid(track.item.id) if track.item is not None else None)


def metadata(track: Track, info: dict[str, Any]) -> dict[str, Any]:
    """Return ``track_metadata``, with what the player sent as ``additional_info``."""
    known: dict[str, Any] = {
        "recording_mbid": mbid(track),
        "artist_mbids": list(track.artist_mbids) or None,
        # What a player sent as `duration` is not repeated in another unit.
        "duration_ms": None if "duration" in info else track.duration_ms,
    }
    return {
        "artist_name": track.artist or "",
        "track_name": track.title or "",
        "release_name": track.album,
        "additional_info": {**{name: value for name, value in known.items() if value is not None}, **info},
    }


def listen_row(listen: Listen) -> dict[str, Any]:
    """Return one of the listens of a user."""
    info = dict(listen.info)
    if listen.client is not None and "submission_client" not in info:
        info.setdefault("media_player", listen.client)
    return {
        "inserted_at": listen.received_at // 1000,
        "listened_at": listen.listened_at // 1000,
        "recording_msid": msid(listen.track),
        "user_name": listen.user,
        "track_metadata": metadata(listen.track, info),
    }


def playing_row(playing: NowPlaying) -> dict[str, Any]:
    """Return what is playing; it has no time."""
    return {"playing_now": True, "track_metadata": metadata(playing.track, dict(playing.info))}


def feedback_row(feedback: Feedback) -> dict[str, Any]:
    """Return a thumb up (1) or down (-1)."""
    return {
        "created": feedback.given_at // 1000,
        "recording_mbid": mbid(feedback.track),
        "recording_msid": msid(feedback.track),
        "score": feedback.value,
        "track_metadata": metadata(feedback.track, {}) if feedback.track.title else None,
        "user_id": feedback.user,
    }


def playlist_row(playlist: Playlist, base: str, *, tracks: bool) -> dict[str, Any]:
    """Return a playlist as JSPF, with its tracks or without; ``base`` is the address of this server."""
    listed = tuple(replace(track, mbid=mbid(track)) for track in playlist.tracks) if tracks else ()
    row = as_jspf(replace(playlist, tracks=listed), base.rstrip("/"))
    if playlist.sort:
        described = row["playlist"]
        described["creator"] = described["extension"][PLAYLIST_EXTENSION]["creator"] = CREATOR
    return row


def payload(rows: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Return ``rows`` of a list as most answers of the API wrap them."""
    return {"payload": {"count": len(rows), "listens": rows, **more}}
