"""Audioscrobbler 1.2, that mpdscribble and older players speak: a handshake, then forms and answers of one word.

The handshake proves an app password by ``md5(md5(password) + time)`` and is answered with a session and two addresses.
A player sends a refused listen again for ever, so a listen that can never be kept is answered as if it were.
"""

import hashlib
from collections.abc import Mapping

from crossfade.core.errors import InputError
from crossfade.formats import values
from crossfade.live.submitting import keep_listens, keep_opinion, keep_playing, listen_of, playing_of
from crossfade.serve.audioscrobbler.listens import Names, began_at, rows, track_of
from crossfade.serve.audioscrobbler.sessions import holder, opened, same
from crossfade.stores.contract import Tables
from crossfade.stores.live import Listen
from crossfade.stores.live_contract import LiveState

CLOCK_SECONDS = 900  # a handshake is accepted as long before and after its time, so that nobody can repeat it for ever
ENDED = "mdc"
"""The client id of mpdscribble, which sends the time at which a track ended."""

BAD_SESSION = "BADSESSION\n"
OK = "OK\n"

_NAMES = Names(artist="a", title="t", album="b", duration="l", mbid="m")
_RATINGS = {"L": 1, "B": -1}
_SKIPPED = "S"


def handshake(live: LiveState, fields: Mapping[str, str], address: str, now: int) -> str:
    """Return the answer to a handshake at ``now`` (milliseconds since 1970); ``address`` is that of this protocol."""
    if not fields.get("p", "").startswith("1.2"):
        return "FAILED Crossfade speaks version 1.2 of this protocol.\n"
    time = values.number(fields.get("t"))
    if time is None or abs(time - now / 1000) > CLOCK_SECONDS:
        return "BADTIME\n"
    key = opened(live, fields.get("u", ""), lambda secret: same(fields.get("a", ""), _proof(secret, fields["t"])))
    if key is None:
        return "BADAUTH\n"
    submissions = f"{address}/submissions" + ("/ended" if fields.get("c") == ENDED else "")
    return f"OK\n{key}\n{address}/nowplaying\n{submissions}\n"


def now_playing(live: LiveState, tables: Tables | None, fields: Mapping[str, str], now: int) -> str:
    """Keep what is playing."""
    token = holder(live, fields.get("s", ""))
    if token is None:
        return BAD_SESSION
    try:
        keep_playing(live, tables, playing_of(track_of(fields, _NAMES), token.user, now, client=token.label or None))
    except InputError as error:
        return f"FAILED {error}\n"
    return OK


def submissions(live: LiveState, tables: Tables | None, fields: Mapping[str, str], now: int, *, ended: bool) -> str:
    """Keep listens, and what they say about their tracks; ``ended`` tells that their times are those of the end."""
    token = holder(live, fields.get("s", ""))
    if token is None:
        return BAD_SESSION
    try:
        sent = rows(fields)
    except InputError as error:
        return f"FAILED {error}\n"
    kept: list[Listen] = []
    for row in sent:
        try:
            listen = _listen(row, token.user, token.label or None, now, ended=ended)
        except InputError:
            continue
        kept.append(listen)
        if row.get("r") in _RATINGS:
            keep_opinion(live, tables, token.user, "thumb", _RATINGS[row["r"]], listen.track, now)
    keep_listens(live, tables, kept)
    return OK


def _listen(row: Mapping[str, str], user: str, client: str | None, now: int, *, ended: bool) -> Listen:
    track = track_of(row, _NAMES)
    # A player that marks a skip does not say how much was heard.
    ms_played = 0 if row.get("r") == _SKIPPED else None
    return listen_of(track, user, began_at(track, row.get("i"), ended=ended), now, ms_played=ms_played, client=client)


def _proof(secret: str, time: str) -> str:
    return _md5(_md5(secret) + time)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
