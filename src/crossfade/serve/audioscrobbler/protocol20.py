"""Audioscrobbler 2.0, Last.fm's: one address, a method, and parameters in the query and the form together.

A player logs in with the user's id and an app password (``auth.getMobileSession``) and gets a session key. Its own API
key and signature are not checked: the secret behind them is the player's, and the session key proves the user.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from crossfade.core.errors import CrossfadeError, InputError
from crossfade.live.submitting import (
    TooEarlyError,
    TooLateError,
    keep_listens,
    keep_opinion,
    keep_playing,
    listen_of,
    playing_of,
)
from crossfade.serve.audioscrobbler.answers import Node
from crossfade.serve.audioscrobbler.listens import Names, began_at, rows, track_of
from crossfade.serve.audioscrobbler.sessions import holder, opened, same
from crossfade.stores.contract import Tables
from crossfade.stores.live import Listen, Scope, Token, Track
from crossfade.stores.live_contract import LiveState

INVALID_METHOD, BAD_LOGIN, BAD_PARAMETERS, FAILED, BAD_SESSION, UNAVAILABLE, TOO_MANY = 3, 4, 6, 8, 9, 16, 29
"""Codes of errors."""

MOST_ROWS = 200  # tracks of one page
USUAL_ROWS = 50

_NAMES = Names(artist="artist", title="track", album="album", duration="duration", mbid="mbid")
_NOTHING, _BAD_ARTIST, _BAD_TRACK, _TOO_EARLY, _TOO_LATE = range(5)
"""Why a listen was ignored."""


class ProtocolError(CrossfadeError):
    """A refusal by its code in the protocol, and the status of HTTP that goes with it."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Call:
    """One request: its fields, and what it reads and writes."""

    def __init__(self, live: LiveState, tables: Tables | None, fields: Mapping[str, str], now: int) -> None:
        self.live = live
        self.tables = tables
        self.fields = fields
        self.now = now

    def token(self, scope: Scope) -> Token:
        """Return whose session it is; ProtocolError if there is none that allows ``scope``."""
        token = holder(self.live, self.fields.get("sk", ""))
        if token is None:
            raise ProtocolError(BAD_SESSION, "The session key is not valid. Log in again.", status=403)
        if not token.scopes & {scope, "admin"}:
            raise ProtocolError(BAD_LOGIN, f"The app password does not allow to {scope}.", status=403)
        return token

    def number(self, name: str, usual: int, most: int) -> int:
        """Return a number from 1 to ``most``."""
        text = self.fields.get(name) or str(usual)
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= 1):
            raise ProtocolError(BAD_PARAMETERS, f"{name} must be a number from 1 on.")
        return min(int(text), most)


def answered(call: Call) -> Node | None:
    """Return the answer to a call; ProtocolError if it is refused."""
    method = call.fields.get("method", "").lower()
    if method not in _METHODS:
        raise ProtocolError(INVALID_METHOD, "Crossfade does not have this method.")
    try:
        return _METHODS[method](call)
    except InputError as error:
        raise ProtocolError(BAD_PARAMETERS, str(error)) from error


def _log_in(call: Call) -> Node:
    user = call.fields.get("username", "")
    password, proof = call.fields.get("password"), call.fields.get("authToken")
    key = None
    if password is not None:
        key = opened(call.live, user, lambda secret: same(password, secret))
    elif proof is not None:
        key = opened(call.live, user, lambda secret: same(proof.lower(), _md5(user + _md5(secret))))
    if key is None:
        raise ProtocolError(
            BAD_LOGIN, "The user or the app password is not valid. `crossfade tokens` makes app passwords.", status=403
        )
    return Node("session", [Node("name", user), Node("key", key), Node("subscriber", "0")])


def _scrobble(call: Call) -> Node:
    token = call.token("submit")
    listens: list[Listen] = []
    made = []
    for row in rows(call.fields):
        ignored, why = _NOTHING, ""
        try:
            listens.append(_listen(call, row, token))
        except TooEarlyError as error:
            ignored, why = _TOO_EARLY, str(error)
        except TooLateError as error:
            ignored, why = _TOO_LATE, str(error)
        except InputError as error:
            ignored, why = (_BAD_TRACK if row.get("artist", "").strip() else _BAD_ARTIST), str(error)
        made.append(
            Node("scrobble", [*_echo(row), Node("timestamp", row.get("timestamp", "")), _message(ignored, why)])
        )
    keep_listens(call.live, call.tables, listens)
    counts = {"accepted": str(len(listens)), "ignored": str(len(made) - len(listens))}
    return Node("scrobbles", made, counts)


def _now_playing(call: Call) -> Node:
    token = call.token("submit")
    track = track_of(call.fields, _NAMES)
    keep_playing(call.live, call.tables, playing_of(track, token.user, call.now, client=token.label or None))
    return Node("nowplaying", [*_echo(call.fields), _message(_NOTHING, "")])


def _loving(value: int) -> Callable[[Call], None]:
    def love(call: Call) -> None:
        token = call.token("submit")
        keep_opinion(call.live, call.tables, token.user, "like", value, track_of(call.fields, _NAMES), call.now)

    return love


def _user_info(call: Call) -> Node:
    token = call.token("read")
    account = call.live.account(token.user)
    began = account.created_at // 1000
    return Node(
        "user",
        [
            Node("name", account.user),
            Node("playcount", str(call.live.count_listens(account.user))),
            Node("registered", str(began), {"unixtime": str(began)}),
        ],
    )


def _recent_tracks(call: Call) -> Node:
    token, limit, page = call.token("read"), call.number("limit", USUAL_ROWS, MOST_ROWS), call.number("page", 1, 10**6)
    total = call.live.count_listens(token.user)
    listens = call.live.listens(token.user, limit=limit, offset=(page - 1) * limit)
    playing = call.live.now_playing(token.user, at=call.now)[:1] if page == 1 else []
    found = [
        *(Node("track", _described(one.track), {"nowplaying": "true"}) for one in playing),
        *(Node("track", [*_described(one.track), _date(one.listened_at)]) for one in listens),
    ]
    return _page("recenttracks", found, token.user, page, limit, total)


def _loved_tracks(call: Call) -> Node:
    token, limit, page = call.token("read"), call.number("limit", USUAL_ROWS, MOST_ROWS), call.number("page", 1, 10**6)
    loved = [one for one in call.live.feedback(token.user, "like") if one.value and one.track.title]
    found = [
        Node("track", [*_described(one.track, artist_below=True), _date(one.given_at)])
        for one in loved[(page - 1) * limit : page * limit]
    ]
    return _page("lovedtracks", found, token.user, page, limit, len(loved))


_METHODS: Mapping[str, Callable[[Call], Node | None]] = {
    "auth.getmobilesession": _log_in,
    "track.scrobble": _scrobble,
    "track.updatenowplaying": _now_playing,
    "track.love": _loving(1),
    "track.unlove": _loving(0),
    "user.getinfo": _user_info,
    "user.getrecenttracks": _recent_tracks,
    "user.getlovedtracks": _loved_tracks,
}


def _listen(call: Call, row: Mapping[str, str], token: Token) -> Listen:
    track = track_of(row, _NAMES)
    began = began_at(track, row.get("timestamp"))
    return listen_of(track, token.user, began, call.now, client=token.label or None)


def _echo(row: Mapping[str, str]) -> list[Node]:
    return [Node(name, row.get(name, ""), {"corrected": "0"}) for name in ("track", "artist", "album", "albumArtist")]


def _message(code: int, why: str) -> Node:
    return Node("ignoredMessage", why, {"code": str(code)})


def _described(track: Track, *, artist_below: bool = False) -> list[Node]:
    artist_mbid = next(iter(track.artist_mbids), "")
    artist = track.artist or ""
    # The track's own name is first: clients take the first one that they find.
    return [
        Node("name", track.title or ""),
        Node("artist", [Node("name", artist), Node("mbid", artist_mbid)])
        if artist_below
        else Node("artist", artist, {"mbid": artist_mbid}),
        Node("mbid", track.mbid or ""),
        Node("album", track.album or "", {"mbid": ""}),
        Node("url"),
    ]


def _date(milliseconds: int) -> Node:
    when = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return Node("date", f"{when:%d %b %Y, %H:%M}", {"uts": str(milliseconds // 1000)})


def _page(name: str, found: Sequence[Node], user: str, page: int, limit: int, total: int) -> Node:
    attributes = {
        "user": user,
        "page": str(page),
        "perPage": str(limit),
        "totalPages": str(-(-total // limit)),
        "total": str(total),
    }
    return Node(name, found, attributes, lists="track")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
