"""What the ListenBrainz API answers with: listens, feedback and playlists as its clients read them."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from crossfade.formats import values
from crossfade.stores.live import Feedback, Listen, NowPlaying, Playlist, Track

_NAMESPACE = uuid.UUID("a7b6de7a-4fd0-4a5e-9d3e-4f4b7a4fd0c1")
CREATOR = "listenbrainz"
"""Who made the lists of the week and the day: the tools that fetch them look for this name."""

_PLAYLIST = "https://musicbrainz.org/doc/jspf#playlist"
_TRACK = "https://musicbrainz.org/doc/jspf#track"


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
    """Return a playlist as JSPF, with its tracks or without; ``base`` is the address of this server.

    A list that was generated has its sort as title ("weekly-exploration"), by which the tools that fetch it know it.
    """
    changed = _time(playlist.changed_at)
    return {
        "playlist": {
            "annotation": playlist.comment,
            "creator": _creator(playlist),
            "date": _time(playlist.created_at),
            "extension": {
                _PLAYLIST: {
                    "additional_metadata": {"algorithm_metadata": {"source_patch": playlist.sort}}
                    if playlist.sort
                    else {},
                    "collaborators": [],
                    "created_for": playlist.user if playlist.sort else None,
                    "creator": _creator(playlist),
                    "last_modified_at": changed,
                    "public": playlist.public,
                }
            },
            "identifier": f"{base}playlist/{playlist.id}",
            "title": playlist.title,
            "track": [_track_row(track, changed) for track in playlist.tracks] if tracks else [],
        }
    }


def payload(rows: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Return ``rows`` of a list as most answers of the API wrap them."""
    return {"payload": {"count": len(rows), "listens": rows, **more}}


def _track_row(track: Track, added: str) -> dict[str, Any]:
    recording = mbid(track)
    artists = [f"https://musicbrainz.org/artist/{one}" for one in track.artist_mbids]
    row: dict[str, Any] = {
        "identifier": [f"https://musicbrainz.org/recording/{recording}"] if recording else [],
        "title": track.title or "",
        "creator": track.artist or "",
        "album": track.album,
        "duration": track.duration_ms,
        "extension": {
            _TRACK: {
                "added_at": added,
                "added_by": CREATOR,
                "additional_metadata": {},
                "artist_identifiers": artists,
            }
        },
    }
    return {name: value for name, value in row.items() if value is not None}


def _creator(playlist: Playlist) -> str:
    return CREATOR if playlist.sort else playlist.user


def _time(milliseconds: int) -> str:
    """A time as Python before 3.11 reads it too: with an offset, not a Z."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
