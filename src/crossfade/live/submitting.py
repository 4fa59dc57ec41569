"""What the APIs of players have in common: which times are believed, what is playing now, and what is kept."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from crossfade.core.errors import InputError
from crossfade.importing.cleaning import CleaningSettings
from crossfade.live.matching import matched
from crossfade.stores.contract import Tables
from crossfade.stores.live import Feedback, Listen, NowPlaying, Opinion, Track, Which
from crossfade.stores.live_contract import LiveState

EARLIEST = 1_033_430_400  # 2002-10-01, the first scrobble ever; earlier times come from clocks that were never set
CLOCK_ERROR = 24 * 3600  # seconds that a listen may be in the future, as imports allow
UNKNOWN_LENGTH_MS = 600_000  # how long something is shown as playing whose length is unknown
MOST_NEAR = 1000  # listens of a user that are looked through for one of the same time

_PLAYS = CleaningSettings()


class TooEarlyError(InputError):
    """A listen from before anybody scrobbled."""


class TooLateError(InputError):
    """A listen from the future."""


def listen_of(
    track: Track,
    user: str,
    began: float,
    now: int,
    *,
    ms_played: int | None = None,
    client: str | None = None,
    info: Mapping[str, object] | None = None,
) -> Listen:
    """Return the listen of ``track`` that began at ``began`` (seconds since 1970); ``now`` is in milliseconds.

    Raises TooEarlyError and TooLateError, which are InputErrors, for times that no working clock gives.
    """
    if not began >= EARLIEST:  # nor is NaN
        raise TooEarlyError(
            "The listen began before October 2002. Check the player's clock, and the unit of its times."
        )
    if began > now / 1000 + CLOCK_ERROR:
        raise TooLateError("The listen began in the future. Check the player's clock, and the unit of its times.")
    return Listen(
        user=user,
        listened_at=int(began) * 1000,
        track=track,
        ms_played=ms_played,
        skipped=not _PLAYS.is_play(ms_played, track.duration_ms),
        client=client,
        info=info or {},
    )


def as_kept(live: LiveState, listen: Listen) -> Listen:
    """Return ``listen``, whose time is a guess, with the time of the same play if that is kept already.

    Two plays of a track cannot begin within less than what makes a play: the second is the first, sent again.
    """
    least = math.ceil(_PLAYS.least_ms(listen.track.duration_ms))
    about = Which(since=listen.listened_at - least + 1, until=listen.listened_at + least)
    near = live.listens(listen.user, about, limit=MOST_NEAR)
    began = (one.listened_at for one in near if one.track.key == listen.track.key)
    return replace(listen, listened_at=next(began, listen.listened_at))


def playing_of(
    track: Track, user: str, now: int, *, client: str | None = None, info: Mapping[str, object] | None = None
) -> NowPlaying:
    """Return that ``track`` is playing from ``now`` on (milliseconds since 1970), until it ends."""
    ends_at = now + (track.duration_ms or UNKNOWN_LENGTH_MS)
    return NowPlaying(user=user, track=track, player=client or "", started_at=now, ends_at=ends_at, info=info or {})


def keep_listens(live: LiveState, tables: Tables | None, listens: Sequence[Listen]) -> int:
    """Keep ``listens``, each with the item of the catalogue that it is, and return how many are new."""
    if tables is not None:
        listens = [replace(listen, track=matched(tables, listen.track)) for listen in listens]
    return live.add_listens(listens)


def keep_playing(live: LiveState, tables: Tables | None, playing: NowPlaying) -> None:
    """Keep what is playing now, with the item of the catalogue that it is."""
    track = playing.track if tables is None else matched(tables, playing.track)
    live.set_now_playing(replace(playing, track=track))


def keep_opinion(
    live: LiveState, tables: Tables | None, user: str, sort: Opinion, value: int, track: Track, now: int
) -> None:
    """Keep what ``user`` thinks of ``track``, with the item of the catalogue that it is."""
    if tables is not None:
        track = matched(tables, track)
    live.give([Feedback(user=user, sort=sort, value=value, track=track, given_at=now)])
