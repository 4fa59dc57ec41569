"""What the live state of a library consists of; `crossfade.stores.live_contract` says what it answers.

The live state is what people do while the server runs: their accounts, listens, thumbs, blocks, stations and playlists.
Releases are made from imports; the live state is kept beside them and becomes an import when the library is run.

Times are whole milliseconds since 1970, UTC. A user is a user id of Crossfade: one of the release, or a new one.
"""

import hashlib
import json
import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from crossfade.core.errors import CrossfadeError, InputError
from crossfade.core.kinds import KINDS

Scope = Literal["read", "submit", "manage", "admin"]

SCOPES: Mapping[Scope, str] = {
    "read": "read the user's own recommendations, listens, stations and playlists",
    "submit": "send listens, what is playing now, feedback and signals to stations",
    "manage": "delete listens; change blocks, playlists, exclusions and private sessions",
    "admin": "all of it for every user",
}
"""What a token allows, each on its own; only ``admin`` reaches the data of another user."""

USUAL_SCOPES: frozenset[Scope] = frozenset({"read", "submit", "manage"})

ENTRANCE = "Opens the web page once"
"""The label of a token that ends when a session has begun with it, or after `ENTRANCE_LASTS`."""

ENTRANCE_LASTS = 3_600_000  # milliseconds

Opinion = Literal["thumb", "like", "rating"]

OPINIONS: Mapping[Opinion, range] = {"thumb": range(-1, 2), "like": range(2), "rating": range(6)}
"""The values of each sort of feedback; 0 takes back what was said. A rating of 1 counts as a thumb down."""

LONGEST_USER = 200  # letters
LONGEST_NAME = 1_000  # letters of any name or id of what was played
LONGEST_INFO = 10_240  # bytes of JSON that a client sends along with a listen
LONGEST_STATION = 1_000_000  # bytes of JSON
LONGEST_PLAYLIST = 10_000  # entries
MOST_KEPT = 10_000  # stations of one user, and playlists, and blocks
MOST_EXCLUSIONS = 100  # of one user; each listen is compared with all of them
LATEST_TIME = 253_370_764_799_999  # the end of 9998: Python has no year 10000, which comes earlier in some time zones


def now() -> int:
    """Return the time."""
    return time.time_ns() // 1_000_000


class ChangedError(CrossfadeError):
    """Somebody else has changed the same thing in between: read it again, and repeat the change."""

    exit_code = 8


class ItemRef(NamedTuple):
    """An item by kind and id: of the catalogue, or an id that a later release may know."""

    kind: str
    id: str


def folded(name: str) -> str:
    """Return ``name`` without case, accents and doubled spaces.

    Ids of listens are made of it, so it must not change, as `crossfade.core.names.folded` may.
    """
    plain = unicodedata.normalize("NFKD", name)
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(kept.casefold().split())


def require_user(user: str) -> str:
    """Return ``user``; InputError unless it can be the id of a user."""
    if not user or len(user) > LONGEST_USER or user != user.strip() or not user.isprintable():
        raise InputError(f"A user id has 1 to {LONGEST_USER} printable letters, without spaces around it.")
    return user


def require_time(time: int, latest: int = LATEST_TIME) -> int:
    """Return ``time``; InputError unless it is a whole number of milliseconds from 1970 to ``latest``."""
    if type(time) is not int or not 0 <= time <= latest:
        raise InputError("A time is a whole number of milliseconds since 1970, before the year 9999.")
    return time


def require_item(item: ItemRef | None) -> None:
    """Raise InputError unless ``item`` is None or has a kind that exists, and an id."""
    if item is None:
        return
    if item.kind not in KINDS:
        raise InputError(f"There is no kind of item {item.kind!r}. There are: {', '.join(KINDS)}.")
    if not item.id:
        raise InputError("An item needs an id.")
    require_texts("An item", item.id)


def require_json(what: str, value: Mapping[str, object], most: int) -> str:
    """Return ``value`` as JSON; InputError if it cannot be written so, or has more than ``most`` bytes."""
    try:
        written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(written.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{what} cannot be written as JSON.") from error
    if size > most:
        raise InputError(f"{what} has {size:,} bytes of JSON; at most {most:,} are kept.")
    return written


def require_texts(what: str, *texts: str | None) -> None:
    """Raise InputError for a text that is too long, has a NUL, or is not UTF-8."""
    for text in texts:
        if text is None:
            continue
        if len(text) > LONGEST_NAME:
            raise InputError(f"{what} has a text that is longer than {LONGEST_NAME:,} letters.")
        if "\x00" in text:
            raise InputError(f"{what} has a text with a NUL character.")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{what} has a text that is not Unicode.") from error


def require_timezone(name: str) -> None:
    """Raise InputError unless ``name`` is an IANA name of a time zone."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"There is no time zone {name!r}. They have names such as Europe/Berlin.") from error


def _require_number(what: str, value: int | None, most: int) -> None:
    if value is not None and (type(value) is not int or not 0 <= value <= most):
        raise InputError(f"{what} is a whole number from 0 to {most:,}, not what was given.")


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user who may log in.

    revision  grows with everything that changes the user's taste: listens, feedback, blocks, exclusions, deletions
    """

    user: str
    created_at: int
    revision: int


@dataclass(frozen=True, kw_only=True)
class Token:
    """A key to one account; the secret itself is never read back.

    id        public name of the token, by which it is listed and revoked
    password  whether it is a generated app password, which is kept in the clear since old schemes need it
    label     what it is for, in the user's words
    used_at   the day of the last use; None before the first
    """

    id: str
    user: str
    password: bool
    scopes: frozenset[Scope]
    label: str
    created_at: int
    used_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class Track:
    """What was played, as the player described it, and the item that it is where that is known.

    item          the item of the catalogue; None where nothing matches
    title         the name of a track or an episode; None where an artist or a show is meant
    artist        the name of the artist or the show
    album         the name of the release
    mbid          the MusicBrainz id of the recording
    artist_mbids  the MusicBrainz ids of its artists
    duration_ms   how long it is
    """

    item: ItemRef | None = None
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    mbid: str | None = None
    artist_mbids: tuple[str, ...] = ()
    duration_ms: int | None = None

    def __post_init__(self) -> None:
        require_texts("A track", self.title, self.artist, self.album, self.mbid, *self.artist_mbids)
        require_item(self.item)
        if self.item is None and not self.artist:
            raise InputError("A track needs an item of the catalogue, or the name of its artist.")
        _require_number("duration_ms", self.duration_ms, 2**31 - 1)

    @property
    def key(self) -> str:
        """What makes two descriptions the same track: artist and title without case and accents, else the item.

        It stays the same when an item is found for the names.
        """
        named_root = self.item is None or KINDS[self.item.kind].parent is None
        if self.artist and (self.title or named_root):
            return f"{folded(self.artist)}\x1f{folded(self.title or '')}"
        kind, item_id = self.item or ("", "")
        return f"{kind}\x1f{item_id}"


@dataclass(frozen=True, kw_only=True)
class Listen:
    """One play event.

    listened_at  when the play began
    ms_played    how much was heard; None where the player says only that it was played
    skipped      heard for less than a play: kept, but not a play
    source       search, library, playlist, radio, station, … where the player tells
    context      the id of the playlist or the station
    client       the player's own name
    info         what else the player sent, as JSON; never used, only given back
    received_at  when it arrived; not part of what it is
    """

    user: str
    listened_at: int
    track: Track
    ms_played: int | None = None
    skipped: bool = False
    source: str | None = None
    context: str | None = None
    client: str | None = None
    info: Mapping[str, object] = field(default_factory=dict)
    received_at: int = 0

    def __post_init__(self) -> None:
        require_texts("A listen", self.source, self.context, self.client)
        require_time(self.listened_at)
        _require_number("ms_played", self.ms_played, 2**31 - 1)
        if self.info:  # thousands are read for one page, most of them without
            require_json("info", self.info, LONGEST_INFO)

    @property
    def id(self) -> str:
        """The same for the same user, track and second: a listen that is sent again is the same listen."""
        named = f"{self.user}\x1e{self.listened_at // 1000}\x1e{self.track.key}"
        return hashlib.sha256(named.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Which:
    """Which listens of a user are meant: those that fit every field that is given; without any, all.

    ids      of listens
    since    from this time on
    until    before this time
    artist   by the name of the artist, whatever its case
    text     that have this in title, artist or album, whatever its case
    context  of this playlist or station
    """

    ids: Sequence[str] | None = None
    since: int | None = None
    until: int | None = None
    artist: str | None = None
    text: str | None = None
    context: str | None = None

    def __post_init__(self) -> None:
        require_texts("A question", self.artist, self.text, self.context, *(self.ids or ()))
        if any(text is not None and not folded(text) for text in (self.artist, self.text)):
            # It would fit everything.
            raise InputError("A name to look for has a letter at least.")
        for one in (self.since, self.until):
            if one is not None:
                require_time(one, LATEST_TIME + 1)  # all listens are before that


ALL = Which()


@dataclass(frozen=True, kw_only=True)
class NowPlaying:
    """What a player is playing; a player has one, and it ends when the track does."""

    user: str
    track: Track
    player: str = ""
    started_at: int
    ends_at: int
    info: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What a user thinks of an item: one value of each sort; 0 takes it back.

    track  the item, with the names by which it is shown; an artist has no title
    """

    user: str
    sort: Opinion
    value: int
    track: Track
    given_at: int

    def __post_init__(self) -> None:
        if self.sort not in OPINIONS or self.value not in OPINIONS[self.sort]:
            allowed = ", ".join(f"{sort} ({values[0]} to {values[-1]})" for sort, values in OPINIONS.items())
            raise InputError(f"There is no feedback {self.sort!r} of {self.value!r}. There are: {allowed}.")
        require_time(self.given_at)


@dataclass(frozen=True, kw_only=True)
class Block:
    """An item that a user never wants to get, or not before ``until``; that of an artist covers what is by it."""

    user: str
    item: ItemRef
    name: str
    until: int | None = None
    created_at: int

    def __post_init__(self) -> None:
        require_item(self.item)
        require_texts("A block", self.name)
        if self.until is not None:
            require_time(self.until)


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """Listens that do not count for taste, though they are kept: those of a playlist, or of hours of the day.

    context   the id of the playlist or the station; None where hours are meant
    hours     (from, to): from the first hour of the day until before the second, which may be smaller: (22, 6)
    timezone  of the hours, by its IANA name
    """

    user: str
    context: str | None = None
    hours: tuple[int, int] | None = None
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        require_texts("An exclusion", self.context, self.timezone)
        if (self.context is None) == (self.hours is None):
            raise InputError("An exclusion has a context or hours, and not both.")
        if self.hours is not None and not all(type(hour) is int and 0 <= hour <= 24 for hour in self.hours):
            raise InputError(f"Hours are two numbers from 0 to 24, not {self.hours}.")


@dataclass(frozen=True, kw_only=True)
class Station:
    """A station: its state is JSON that only `crossfade.live` understands.

    revision  0 for one that was never kept; each change makes the next
    """

    id: str
    user: str
    name: str
    state: Mapping[str, object]
    created_at: int
    changed_at: int
    revision: int = 0

    def __post_init__(self) -> None:
        require_texts("A station", self.id, self.name)
        require_json("state", self.state, LONGEST_STATION)


@dataclass(frozen=True, kw_only=True)
class Playlist:
    """A playlist of one user.

    sort        who made it: "" the user; else what generated it, such as "weekly-exploration"
    public      whether every user may read it
    info        what else belongs to it, as JSON: the settings that generated it, the reason of each entry, …
    of_listens  for one that is made of listens, the number of `deletions` before they were read; it goes with any of
                the user's listens that is deleted
    revision    as in `Station`
    """

    id: str
    user: str
    title: str
    tracks: tuple[Track, ...]
    comment: str = ""
    sort: str = ""
    public: bool = False
    info: Mapping[str, object] = field(default_factory=dict)
    of_listens: int | None = None
    created_at: int
    changed_at: int
    revision: int = 0

    def __post_init__(self) -> None:
        require_texts("A playlist", self.id, self.title, self.comment, self.sort)
        if len(self.tracks) > LONGEST_PLAYLIST:
            raise InputError(f"A playlist has at most {LONGEST_PLAYLIST:,} tracks, not {len(self.tracks):,}.")
        require_json("info", self.info, LONGEST_STATION)
