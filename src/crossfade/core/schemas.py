"""The columns of every table that is written or read between rooms.

An item is named by its kind (`crossfade.core.kinds`) and its id. An id is, in this order of preference: the MusicBrainz
identifier that the source gives, unchanged; the source's own id after the source's name (``hetrec:51``); or, where the
source knows only a name, the one that `crossfade.core.names.named_id` makes.
"""

import pyarrow as pa

from crossfade.core.kinds import KINDS, Kind

_STRING = pa.string()
_TYPES = {"text": pa.string(), "number": pa.int32()}

_KIND = pa.field("kind", _STRING, nullable=False)
_ITEM = pa.field("item_id", _STRING, nullable=False)
_PARENT = pa.field("parent_id", _STRING)  # null for a root, and where the source does not give the parent
_USER = pa.field("user_id", _STRING, nullable=False)

LISTENS = pa.schema(
    [
        _USER,
        pa.field("listened_at", pa.timestamp("ms", tz="UTC"), nullable=False),  # when the play began
        _KIND,  # of the most specific item that the source names: a track, or an artist where no track is known
        _ITEM,
        _PARENT,
        pa.field("ms_played", pa.int32()),  # null where the source says only that it was played
        pa.field("duration_ms", pa.int32()),
        pa.field("skipped", pa.bool_(), nullable=False),  # heard for less than a play: kept, but not a play
        pa.field("source", _STRING),  # search, library, playlist, radio, autoplay, … where the source tells
        pa.field("context", _STRING),  # running, commute, … or the playlist's id
        pa.field("platform", _STRING),
    ]
)
"""One row a play event; private events are never stored."""

COUNTS = pa.schema([_USER, _KIND, _ITEM, _PARENT, pa.field("plays", pa.int64(), nullable=False)])
"""Plays (1 or more) that the source has counted, without times."""

TAGS = pa.schema(
    [_KIND, _ITEM, pa.field("tag", _STRING, nullable=False), pa.field("count", pa.int64(), nullable=False)]
)
"""How many users gave a tag to an item."""

TEXTS = pa.schema([_KIND, _ITEM, pa.field("text", _STRING, nullable=False)])

FRIENDS = pa.schema([_USER, pa.field("friend_id", _STRING, nullable=False)])

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
        _KIND,
        _ITEM,
        _PARENT,
    ]
)

FEEDBACK = pa.schema(
    [
        _USER,
        _KIND,
        _ITEM,
        pa.field("score", pa.int8(), nullable=False),  # -1 thumb down, 0 taken back, 1 thumb up
        pa.field("given_at", pa.timestamp("ms", tz="UTC")),
    ]
)

ALIASES = pa.schema([_KIND, pa.field("from_id", _STRING, nullable=False), pa.field("to_id", _STRING, nullable=False)])
"""Ids that mean the same item as another id; no to_id is a from_id. Made by the catalogue."""

NAMESAKES = pa.schema([*ALIASES, pa.field("observed", pa.int64()), pa.field("expected", pa.int64())])
"""Ids of one name that are kept apart: plays in common that their listeners have, and would have by chance."""


def items_schema(kind: Kind) -> pa.Schema:
    """The columns of the table of all items of ``kind``, which is called by its plural."""
    parent = () if kind.parent is None else (_PARENT,)
    fields = (pa.field(field.name, _TYPES[field.type]) for field in kind.fields)
    return pa.schema([_ITEM, pa.field("name", _STRING, nullable=False), *parent, *fields])


ITEMS = {kind.plural: items_schema(kind) for kind in KINDS.values()}
"""The table of each kind of item, by its plural."""

TABLES = {
    "listens": LISTENS,
    "counts": COUNTS,
    **ITEMS,
    "tags": TAGS,
    "texts": TEXTS,
    "friends": FRIENDS,
    "playlists": PLAYLISTS,
    "playlist_items": PLAYLIST_ITEMS,
    "feedback": FEEDBACK,
}
"""Every table that an import can hold, by the stem of its Parquet files."""
