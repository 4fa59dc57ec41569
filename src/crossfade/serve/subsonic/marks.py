"""What a user thinks of songs, artists and albums, as Subsonic says it: stars and ratings.

Stars of songs and artists are likes, ratings are ratings, so they count for taste at once. Albums are no kind of item:
their stars and ratings are kept as JSON beside the user's playlists, and count for nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crossfade.core.errors import UnknownIdError
from crossfade.core.names import folded, named_id
from crossfade.live.music import Artist, Song
from crossfade.live.playlists import ALBUM_MARKS
from crossfade.serve.subsonic.calls import Library
from crossfade.stores.live import ChangedError, ItemRef, Playlist, Track, now
from crossfade.stores.live_contract import LiveState

ATTEMPTS = 5
"""How often a change is tried again that another one came between."""

Key = tuple[str, str]


@dataclass(frozen=True)
class Marks:
    """The marks of one user: when something was starred, in milliseconds, and its rating from 1 to 5, by its key."""

    starred: Mapping[Key, int] = field(default_factory=dict)
    rated: Mapping[Key, int] = field(default_factory=dict)
    blocked: frozenset[ItemRef] = frozenset()
    blocked_artists: frozenset[str] = frozenset()

    def unwanted(self, song: Song) -> bool:
        """Whether a song is not to be recommended: thumbed down, rated 1, or blocked, or by a blocked artist."""
        if self.rated.get(song_key(song)) == 1 or self.rated.get(("artist", folded(song.artist))) == 1:
            return True
        ids = (song.tags.recording, named_id(song.title, song.artist))
        return folded(song.artist) in self.blocked_artists or any(ItemRef("track", one) in self.blocked for one in ids)


def song_key(song: Song) -> Key:
    """Return what the marks of a song are found by."""
    return "song", song.key


def artist_key(artist: Artist) -> Key:
    """Return what the marks of an artist are found by."""
    return "artist", folded(artist.name)


def album_key(album_id: str) -> Key:
    """Return what the marks of an album are found by."""
    return "album", album_id


def marks_of(library: Library, user: str) -> Marks:
    """Return what ``user`` thinks of everything, as it stands."""
    live = library.live
    starred: dict[Key, int] = {}
    rated: dict[Key, int] = {}
    for one in live.feedback(user):
        key = _key_of(one.track)
        if one.sort == "like":
            starred[key] = one.given_at
        elif one.sort == "rating":
            rated[key] = one.value
        elif one.value < 0:
            rated.setdefault(key, 1)
    kept = album_marks(live, user)
    starred.update({album_key(album): int(at) for album, at in kept["starred"].items()})
    rated.update({album_key(album): int(value) for album, value in kept["rated"].items()})
    blocks = live.blocks(user, at=now())
    return Marks(
        {key: at for key, at in starred.items() if at},
        {key: value for key, value in rated.items() if value},
        frozenset(block.item for block in blocks),
        frozenset(folded(block.name) for block in blocks if block.item.kind == "artist"),
    )


def album_marks(live: LiveState, user: str) -> dict[str, dict[str, int]]:
    """Return the stars and ratings of albums by their ids."""
    kept = kept_list(live, user, ALBUM_MARKS)
    info: Mapping[str, Any] = {} if kept is None else kept.info
    return {"starred": dict(info.get("starred", {})), "rated": dict(info.get("rated", {}))}


def mark_album(live: LiveState, user: str, sort: str, album_id: str, value: int) -> None:
    """Keep a star or a rating of an album; 0 takes it back. Nothing is kept in a private session."""

    def changed() -> tuple[tuple[Track, ...], Mapping[str, object]]:
        marks = album_marks(live, user)
        marks[sort][album_id] = value
        return (), {name: {album: one for album, one in of.items() if one} for name, of in marks.items()}

    keep_list(live, user, ALBUM_MARKS, changed)


def kept_list(live: LiveState, user: str, sort: str) -> Playlist | None:
    """Return the only list of a ``sort`` that a user has; None if there is none."""
    try:
        return live.playlist(f"{sort}:{user}")
    except UnknownIdError:
        return None


def keep_list(
    live: LiveState, user: str, sort: str, made: Callable[[], tuple[tuple[Track, ...], Mapping[str, object]]]
) -> None:
    """Replace the only list of a ``sort`` by the tracks and the info that ``made`` returns.

    ``made`` is called again where another change came in between. Nothing is kept in a private session.
    """
    if live.private_until(user, at=now()) is not None:
        return
    for attempt in range(ATTEMPTS):
        before = kept_list(live, user, sort)
        tracks, info = made()
        changed = Playlist(
            id=f"{sort}:{user}",
            user=user,
            title=sort,
            tracks=tracks,
            sort=sort,
            info=info,
            created_at=now() if before is None else before.created_at,
            changed_at=now(),
            revision=0 if before is None else before.revision,
        )
        try:
            live.put_playlist(changed)
            return
        except ChangedError:
            if attempt == ATTEMPTS - 1:
                raise


def _key_of(track: Track) -> Key:
    if track.title is None:
        return "artist", folded(track.artist or "")
    return "song", track.key
