"""What players send to ``submit-listens``, as listens.

Names and times are needed. Everything in ``additional_info`` is the player's own: what cannot be used of it is left
out of the listen, and all of it is kept to be given back. Numbers may be written as text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crossfade.core.errors import InputError
from crossfade.formats import values
from crossfade.formats.listenbrainz_rows import DECODING_ERRORS
from crossfade.live.submitting import listen_of, playing_of
from crossfade.stores.live import Listen, NowPlaying, Track

MOST_LISTENS = 1000  # a request
LONGEST_LISTEN = 10_240  # bytes
LONGEST_BODY = MOST_LISTENS * LONGEST_LISTEN + 10_240  # the listens, and what is around them


class Submission(msgspec.Struct, forbid_unknown_fields=False):
    """The body of a request: each listen is decoded on its own, since each has a limit of its own."""

    listen_type: str
    payload: list[msgspec.Raw]


class _Metadata(msgspec.Struct):
    artist_name: str
    track_name: str
    release_name: str | None = None
    additional_info: dict[str, Any] | None = None


class _Sent(msgspec.Struct):
    track_metadata: _Metadata
    listened_at: int | float | str | None = None


def decoded_body(body: bytes, type_: Any) -> Any:
    """Return a JSON body as ``type_``; InputError if it is not, or has a NUL character."""
    try:
        value = msgspec.json.decode(body, type=type_)
        # An escaped NUL may be in a text, a key, or, after another backslash, no NUL at all.
        if b"\\u0000" in body and _has_nul(msgspec.json.decode(body)):
            raise InputError("The JSON document contains a NUL character (\\u0000). Leave it out.")
    except DECODING_ERRORS as error:
        raise InputError(f"The body is not the JSON document that is expected here: {error}") from error
    return value


def submitted(body: bytes, user: str, now: int) -> list[Listen] | NowPlaying:
    """Return the listens, or what is playing now, that ``user`` sent at ``now`` (milliseconds since 1970).

    Raises InputError for a body of which any part cannot be used; nothing of it is to be kept then.
    """
    submission: Submission = decoded_body(body, Submission)
    if submission.listen_type not in ("single", "import", "playing_now"):
        raise InputError("listen_type must be single, import or playing_now.")
    if not submission.payload:
        raise InputError("The payload has no listens.")
    most = MOST_LISTENS if submission.listen_type == "import" else 1
    if len(submission.payload) > most:
        raise InputError(
            f"A request of type {submission.listen_type} has at most {most:,} listens, "
            f"not {len(submission.payload):,}. Send them in several requests."
        )
    sent = [_sent(raw) for raw in submission.payload]
    if submission.listen_type == "playing_now":
        return _playing(sent[0], user, now)
    return [_listen(one, user, now) for one in sent]


def player_of(info: Mapping[str, object]) -> str | None:
    """Return the name of the program that sent ``info``."""
    return values.text(info.get("submission_client")) or values.text(info.get("media_player"))


def _sent(raw: msgspec.Raw) -> _Sent:
    encoded = bytes(raw)
    if len(encoded) > LONGEST_LISTEN:
        raise InputError(f"A listen has {len(encoded):,} bytes; at most {LONGEST_LISTEN:,} are accepted.")
    sent: _Sent = decoded_body(encoded, _Sent)
    return sent


def _listen(sent: _Sent, user: str, now: int) -> Listen:
    began = values.number(sent.listened_at)
    if began is None:
        raise InputError("A listen needs listened_at, the time at which it began, in whole seconds since 1970.")
    info = sent.track_metadata.additional_info or {}
    ms_played = values.played(info.get("duration_played"), per_unit=1000)
    track = _track(sent.track_metadata, info)
    return listen_of(track, user, began, now, ms_played=ms_played, client=player_of(info), info=info)


def _playing(sent: _Sent, user: str, now: int) -> NowPlaying:
    if sent.listened_at is not None:
        raise InputError("A listen of type playing_now has no listened_at.")
    info = sent.track_metadata.additional_info or {}
    return playing_of(_track(sent.track_metadata, info), user, now, client=player_of(info), info=info)


def _track(metadata: _Metadata, info: Mapping[str, Any]) -> Track:
    artist, title = values.text(metadata.artist_name), values.text(metadata.track_name)
    if artist is None or title is None:
        raise InputError("A listen needs an artist_name and a track_name.")
    if info.get("duration") is not None and info.get("duration_ms") is not None:
        raise InputError("A listen has either a duration or a duration_ms, not both.")
    artists = info.get("artist_mbids")
    return Track(
        title=title,
        artist=artist,
        album=values.text(metadata.release_name),
        mbid=values.mbid(info.get("recording_mbid")),
        artist_mbids=tuple(filter(None, map(values.mbid, artists))) if isinstance(artists, list) else (),
        duration_ms=values.milliseconds(info.get("duration_ms"))
        or values.milliseconds(info.get("duration"), per_unit=1000),
    )


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    parts: Sequence[object] = ()
    if isinstance(value, dict):
        parts = (*value, *value.values())
    elif isinstance(value, list):
        parts = value
    return any(map(_has_nul, parts))
