"""The one vocabulary of columns. Every table that is written or read between rooms has its schema here.

An id is, in this order of preference: the MusicBrainz identifier that the source gives, as it is; the
source's own id behind the source's name (``hetrec:51``); or, where the source knows only a name, that name
normalised by `named_artist` and `named_track`.
"""

import unicodedata

import pyarrow as pa

_STRING = pa.string()

LISTENS = pa.schema(
    [
        pa.field("user_id", _STRING, nullable=False),
        pa.field("listened_at", pa.timestamp("ms", tz="UTC"), nullable=False),  # when the play began
        pa.field("artist_id", _STRING, nullable=False),
        pa.field("track_id", _STRING),  # null where the source knows only artists
        pa.field("ms_played", pa.int32()),  # null where the source says only that it was played
        pa.field("track_ms", pa.int32()),
        pa.field("skipped", pa.bool_(), nullable=False),  # heard for less than a play: kept, but not a play
        pa.field("source", _STRING),  # search, library, playlist, radio, autoplay, … where the source tells
        pa.field("context", _STRING),  # running, commute, … or the playlist's id
        pa.field("platform", _STRING),
    ]
)
"""One row a play event. Private events never get this far."""

COUNTS = pa.schema(
    [
        pa.field("user_id", _STRING, nullable=False),
        pa.field("artist_id", _STRING),  # null where the source knows only tracks
        pa.field("track_id", _STRING),  # null where the source knows only artists
        pa.field("plays", pa.int64(), nullable=False),  # >= 1
    ]
)
"""Plays that a source counted itself, without times."""

ARTISTS = pa.schema(
    [
        pa.field("artist_id", _STRING, nullable=False),
        pa.field("name", _STRING, nullable=False),
    ]
)

TRACKS = pa.schema(
    [
        pa.field("track_id", _STRING, nullable=False),
        pa.field("title", _STRING, nullable=False),
        pa.field("artist_id", _STRING),
        pa.field("album", _STRING),
        pa.field("track_ms", pa.int32()),
        pa.field("isrc", _STRING),
    ]
)

TAGS = pa.schema(
    [
        pa.field("artist_id", _STRING, nullable=False),
        pa.field("tag", _STRING, nullable=False),
        pa.field("count", pa.int64(), nullable=False),  # how many users gave it
    ]
)

TEXTS = pa.schema(
    [
        pa.field("artist_id", _STRING, nullable=False),
        pa.field("text", _STRING, nullable=False),
    ]
)

FRIENDS = pa.schema(
    [
        pa.field("user_id", _STRING, nullable=False),
        pa.field("friend_id", _STRING, nullable=False),
    ]
)

PLAYLISTS = pa.schema(
    [
        pa.field("playlist_id", _STRING, nullable=False),
        pa.field("title", _STRING, nullable=False),
        pa.field("owner", _STRING),
        pa.field("followers", pa.int64()),
    ]
)

PLAYLIST_ITEMS = pa.schema(
    [
        pa.field("playlist_id", _STRING, nullable=False),
        pa.field("position", pa.int32(), nullable=False),  # from 0
        pa.field("track_id", _STRING, nullable=False),
        pa.field("artist_id", _STRING),
    ]
)

FEEDBACK = pa.schema(
    [
        pa.field("user_id", _STRING, nullable=False),
        pa.field("track_id", _STRING, nullable=False),
        pa.field("score", pa.int8(), nullable=False),  # -1 thumb down, 0 taken back, 1 thumb up
        pa.field("given_at", pa.timestamp("ms", tz="UTC")),
    ]
)

ALIASES = pa.schema(
    [
        pa.field("from_id", _STRING, nullable=False),
        pa.field("to_id", _STRING, nullable=False),  # another id, never itself an alias
    ]
)
"""Ids of an artist or track that stand for another id of the same thing. Made by the catalogue, not imported."""

TABLES = {
    "listens": LISTENS,
    "counts": COUNTS,
    "artists": ARTISTS,
    "tracks": TRACKS,
    "tags": TAGS,
    "texts": TEXTS,
    "friends": FRIENDS,
    "playlists": PLAYLISTS,
    "playlist_items": PLAYLIST_ITEMS,
    "feedback": FEEDBACK,
}
"""Every table that an import can hold, by the stem of its Parquet files."""

NAMED = "name:"
"""Begins the ids that were made from a name, for want of an id."""


def normalised(name: str) -> str:
    """``name`` for comparison: compatibility forms folded, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def named_artist(name: str) -> str:
    """The id of an artist of whom only the name is known."""
    return NAMED + normalised(name)


def named_track(artist: str, title: str) -> str:
    """The id of a track of which only artist and title are known."""
    return f"{NAMED}{normalised(artist)} / {normalised(title)}"
