"""The catalogue behind a release: the names of the items that have been played, by their row numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids, ItemKind, Rows, load_array
from crossfade.core.texts import Texts


@dataclass(frozen=True, eq=False, kw_only=True)
class Artists:
    """The artists of the artist interactions, by row.

    ids        row number ↔ id; the same as the interactions' item_ids
    names      (artists,) what people call them; the id where the source gave no name
    listeners  (artists,) int64: users that played them
    plays      (artists,) int64: how often they were played
    """

    ids: Ids
    names: Sequence[str]
    listeners: npt.NDArray[np.int64]
    plays: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Tracks:
    """The tracks of the track interactions, by row.

    artist_rows  (tracks,) int32 rows in `Artists`, MISSING where the artist is not known
    albums       (tracks,) "" where not known
    track_ms     (tracks,) int32 milliseconds, 0 where not known
    """

    ids: Ids
    titles: Sequence[str]
    artist_rows: Rows
    albums: Sequence[str]
    track_ms: npt.NDArray[np.int32]
    listeners: npt.NDArray[np.int64]
    plays: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Catalogue:
    """Artists always; tracks where the library knows tracks. A library of tracks alone has no artists."""

    artists: Artists
    tracks: Tracks | None

    @property
    def reason_kind(self) -> ItemKind:
        """What the reasons of a recommendation are: artists, or tracks where the library knows no artists."""
        return "track" if self.tracks is not None and not len(self.artists.ids) else "artist"

    def save(self, directory: Path) -> None:
        """Write ``artists/`` and ``tracks/`` below ``directory``."""
        parts: dict[str, Artists | Tracks] = {"artists": self.artists}
        if self.tracks is not None:
            parts["tracks"] = self.tracks
        for name, part in parts.items():
            place = directory / name
            place.mkdir()
            part.ids.save(place / "ids")
            for column, value in vars(part).items():
                if isinstance(value, np.ndarray):
                    np.save(place / f"{column}.npy", value, allow_pickle=False)
                elif column != "ids":
                    (value if isinstance(value, Texts) else Texts.of(value)).save(place / column)

    @classmethod
    def load(cls, directory: Path) -> "Catalogue":
        """Read what `save` wrote; ArtifactError if a part is missing or does not fit."""
        tracks = directory / "tracks"
        loaded = cls(
            artists=Artists(
                ids=Ids.load(directory / "artists" / "ids"),
                names=Texts.load(directory / "artists" / "names"),
                **_counts(directory / "artists"),
            ),
            tracks=Tracks(
                ids=Ids.load(tracks / "ids"),
                titles=Texts.load(tracks / "titles"),
                albums=Texts.load(tracks / "albums"),
                artist_rows=load_array(tracks / "artist_rows.npy", dtype=np.int32, ndim=1),
                track_ms=load_array(tracks / "track_ms.npy", dtype=np.int32, ndim=1),
                **_counts(tracks),
            )
            if tracks.is_dir()
            else None,
        )
        for part in (loaded.artists, loaded.tracks):
            if part is not None and {len(column) for column in vars(part).values()} != {len(part.ids)}:
                raise ArtifactError(f"{directory}: the columns of the catalogue are of unequal length.")
        return loaded


def _counts(directory: Path) -> dict[str, Any]:
    return {name: load_array(directory / f"{name}.npy", dtype=np.int64, ndim=1) for name in ("listeners", "plays")}
