"""The demo world as the tables of `crossfade.core.schemas`, with its ids.

Artists are ``demo:artist:17``, tracks ``demo:track:4711``, playlists ``demo:playlist:3``, by their rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crossfade.core.schemas import FEEDBACK, LISTENS, TABLES
from crossfade.demo.catalogue import Catalogue
from crossfade.demo.contexts import MOMENTS, NAMES, SOURCES
from crossfade.demo.playlists import Playlists

Rows = npt.NDArray[np.int32]

PLATFORMS = tuple(sorted({name for moment in MOMENTS for name, _ in moment.platforms}))


@dataclass(frozen=True, eq=False, kw_only=True)
class Plays:
    """n plays as row numbers.

    listener, track, moment, mode, playlist, platform  (n,) rows; ``playlist`` -1 where none is played
    at, heard   (n,) seconds from the history's first; seconds
    skipped     (n,) heard for less than a play
    private     (n,) to be forgotten
    thumb       (n,) -1, 0 (none) or 1
    again       (n,) the same row as the one before, sent a second time
    """

    listener: Rows
    track: Rows
    at: npt.NDArray[np.float64]
    heard: npt.NDArray[np.float64]
    skipped: npt.NDArray[np.bool_]
    moment: Rows
    mode: Rows
    playlist: Rows
    platform: Rows
    private: npt.NDArray[np.bool_]
    thumb: npt.NDArray[np.int8]
    again: npt.NDArray[np.bool_]


class IdColumns:
    """Row numbers to ids, columns at a time."""

    def __init__(self, start_seconds: int, users: Sequence[str], catalogue: Catalogue, playlists: Playlists) -> None:
        self._start_ms = 1_000 * start_seconds
        self._artist_of = catalogue.artist_of
        self._track_ms = np.round(1_000 * catalogue.seconds).astype(np.int32)
        self.users = pa.array(users, pa.string())
        self.artists = pa.array(numbered("artist", len(catalogue.artist_names)), pa.string())
        self.tracks = pa.array(numbered("track", len(catalogue.titles)), pa.string())
        self.playlists = pa.array(numbered("playlist", len(playlists.titles)), pa.string())
        self._sources = pa.array(SOURCES, pa.string())
        self._platforms = pa.array(PLATFORMS, pa.string())
        self._contexts = pa.concat_arrays([pa.array(NAMES, pa.string()), self.playlists])

    def listens(self, plays: Plays) -> pa.Table:
        """The plays by `LISTENS`; where there is no moment to name, the context is the playlist, if any."""
        context = np.where((plays.moment == 0) & (plays.playlist >= 0), len(NAMES) + plays.playlist, plays.moment)
        length = self._track_ms[plays.track]
        columns = {
            "user_id": self.users.take(pa.array(plays.listener)),
            "listened_at": self._times(plays.at),
            "kind": pa.repeat("track", len(plays.track)),
            "item_id": self.tracks.take(pa.array(plays.track)),
            "parent_id": self.artists.take(pa.array(self._artist_of[plays.track])),
            "ms_played": pa.array(np.minimum(np.round(1_000 * plays.heard), length).astype(np.int32)),
            "duration_ms": pa.array(length),
            "skipped": pa.array(plays.skipped),
            "source": self._sources.take(pa.array(plays.mode)),
            "context": self._contexts.take(pa.array(context, mask=context == 0)),
            "platform": self._platforms.take(pa.array(plays.platform)),
        }
        return pa.table([columns[name] for name in LISTENS.names], schema=LISTENS)

    def feedback(self, plays: Plays) -> pa.Table:
        """The thumbs by `FEEDBACK`, given when the track ended or was left."""
        rows = np.flatnonzero((plays.thumb != 0) & ~plays.again)
        columns = [
            self.users.take(pa.array(plays.listener[rows])),
            pa.repeat("track", len(rows)),
            self.tracks.take(pa.array(plays.track[rows])),
            pa.array(plays.thumb[rows]),
            self._times(plays.at[rows] + plays.heard[rows]),
        ]
        return pa.table(columns, schema=FEEDBACK)

    def _times(self, seconds: npt.NDArray[np.float64]) -> pa.Array:
        milliseconds = self._start_ms + np.round(1_000 * seconds).astype(np.int64)
        return pa.array(milliseconds).cast(pa.timestamp("ms", tz="UTC"))


def numbered(kind: str, count: int) -> list[str]:
    """The ids of the first ``count`` rows of a ``kind``."""
    return [f"demo:{kind}:{row}" for row in range(count)]


def catalogue_tables(
    ids: IdColumns,
    catalogue: Catalogue,
    playlists: Playlists,
    tags: tuple[list[int], list[str], list[int]],
    texts: list[tuple[int, str]],
    friends: list[tuple[int, int]],
) -> dict[str, pa.Table]:
    """Every table of `schemas.TABLES` that a world has beside listens and feedback."""
    recordings = catalogue.recording
    album_of = catalogue.album_of.tolist()
    members = np.repeat(np.arange(len(playlists.titles)), np.diff(playlists.first))
    artist_of = catalogue.artist_of
    both = np.array([pair for one, other in friends for pair in ((one, other), (other, one))], dtype=np.int32)
    both = both.reshape(-1, 2)
    tables: dict[str, list[Any]] = {
        "artists": [ids.artists, pa.array(catalogue.artist_names)],
        "tracks": [
            ids.tracks,
            pa.array(catalogue.titles),
            ids.artists.take(pa.array(artist_of)),
            pa.array([catalogue.albums[album] for album in album_of]),
            pa.array(np.round(1_000 * catalogue.seconds).astype(np.int32)),
            pa.array([f"QZDEM{recording:07d}" for recording in recordings.tolist()]),
        ],
        "tags": [
            pa.repeat("artist", len(tags[0])),
            ids.artists.take(pa.array(tags[0], pa.int32())),
            pa.array(tags[1], pa.string()),
            pa.array(tags[2], pa.int64()),
        ],
        "texts": [
            pa.repeat("artist", len(texts)),
            ids.artists.take(pa.array([row for row, _ in texts], pa.int32())),
            pa.array([text for _, text in texts], pa.string()),
        ],
        "friends": [ids.users.take(pa.array(both[:, 0])), ids.users.take(pa.array(both[:, 1]))],
        "playlists": [
            ids.playlists,
            pa.array(playlists.titles, pa.string()),
            ids.users.take(pa.array(playlists.owners)),
            pa.array(playlists.followers),
        ],
        "playlist_items": [
            ids.playlists.take(pa.array(members)),
            pa.array((np.arange(len(members)) - playlists.first[:-1][members]).astype(np.int32)),
            pa.repeat("track", len(members)),
            ids.tracks.take(pa.array(playlists.tracks)),
            ids.artists.take(pa.array(artist_of[playlists.tracks])),
        ],
    }  # fmt: skip
    return {name: pa.table(columns, schema=TABLES[name]) for name, columns in tables.items()}
