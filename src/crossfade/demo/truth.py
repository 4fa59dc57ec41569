"""The truth behind a demo world, for evaluation only: no model may be fitted with it.

It is saved beside the library as an artifact of plain arrays, in the order of the sorted ids.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.artifacts import Identity, read_manifest, writing
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids, load_array
from crossfade.core.settings import as_table
from crossfade.demo import genres
from crossfade.demo.catalogue import Catalogue
from crossfade.demo.listeners import Listeners
from crossfade.demo.settings import DemoSettings
from crossfade.demo.tables import numbered

KIND, WORLD = "demo-truth", "demo-world"
_VERSION = 1
_ARRAYS: dict[str, tuple[type[Any], int]] = {
    "interests": (np.int32, 2),
    "shares": (np.float64, 2),
    "interest_vectors": (np.float64, 3),
    "breadth": (np.float64, 1),
    "left_at": (np.float64, 1),
    "satisfaction": (np.float64, 1),
    "artist_vectors": (np.float64, 2),
    "artist_genres": (np.int32, 1),
    "log_popularity": (np.float64, 1),
    "genre_vectors": (np.float64, 2),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Truth:
    """Users and artists in taste space; rows are those of ``user_ids`` and ``artist_ids``.

    interests         (users, 4) int32 genre rows, -1 beyond the last; ``shares`` (users, 4) sum to 1
    interest_vectors  (users, 4, dimensions)
    breadth           (users,) how far from an interest the user still likes things
    left_at           (users,) seconds from the history's first at which each left, inf for never, nan if not simulated
    satisfaction      (users,) 0 to 1 at the end, nan if not simulated
    artist_vectors    (artists, dimensions); ``artist_genres`` (artists,) rows of ``genre_names``
    log_popularity    (artists,)
    genre_vectors     (genres, dimensions)
    """

    user_ids: Ids
    artist_ids: Ids
    genre_names: tuple[str, ...]
    interests: npt.NDArray[np.int32]
    shares: npt.NDArray[np.float64]
    interest_vectors: npt.NDArray[np.float64]
    breadth: npt.NDArray[np.float64]
    left_at: npt.NDArray[np.float64]
    satisfaction: npt.NDArray[np.float64]
    artist_vectors: npt.NDArray[np.float64]
    artist_genres: npt.NDArray[np.int32]
    log_popularity: npt.NDArray[np.float64]
    genre_vectors: npt.NDArray[np.float64]

    @classmethod
    def of(cls, people: Listeners, catalogue: Catalogue) -> Self:
        """The truth of a world before its history is simulated."""
        artists = numbered("artist", len(catalogue.artist_names))
        user, artist = _sorted(people.ids), _sorted(artists)
        unknown = np.full(len(user), np.nan)
        return cls(
            user_ids=Ids.of(people.ids),
            artist_ids=Ids.of(artists),
            genre_names=tuple(genre.name for genre in genres.GENRES),
            interests=people.interests[user],
            shares=people.shares[user],
            interest_vectors=people.centres[user],
            breadth=people.breadth[user],
            left_at=unknown,
            satisfaction=unknown,
            artist_vectors=catalogue.vectors[artist],
            artist_genres=catalogue.genre[artist],
            log_popularity=catalogue.log_popularity[artist],
            genre_vectors=genres.centres(),
        )

    def with_outcomes(
        self, people: Listeners, left_at: npt.NDArray[np.float64], satisfaction: npt.NDArray[np.float64]
    ) -> Self:
        """The same with what became of the listeners, (users,) each, in the order of ``people``."""
        user = _sorted(people.ids)
        return replace(self, left_at=left_at[user], satisfaction=satisfaction[user])

    def affinity(self, user: int, artists: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
        """Return log Σₖ shareₖ · exp(-d² / 2·breadth²) of one user for ``artists``, rows, or all: (artists,) ≤ 0.

        It leaves popularity out: how much the user would like an artist, whether or not they know it.
        """
        vectors = self.artist_vectors if artists is None else self.artist_vectors[np.asarray(artists)]
        gaps = ((self.interest_vectors[user][None] - vectors[:, None]) ** 2).sum(axis=2)
        scaled = np.log(np.maximum(self.shares[user], 1e-300)) - gaps / (2 * self.breadth[user] ** 2)
        best = scaled.max(axis=1)
        total: npt.NDArray[np.float64] = best + np.log(np.exp(scaled - best[:, None]).sum(axis=1))
        return total

    def save(self, place: Path, settings: DemoSettings) -> None:
        """Publish it as an artifact at ``place``."""
        with writing(place, truth_identity(settings)) as draft:
            self.user_ids.save(draft.path / "user_ids")
            self.artist_ids.save(draft.path / "artist_ids")
            Ids.of(self.genre_names).save(draft.path / "genre_names")
            for name in _ARRAYS:
                np.save(draft.path / f"{name}.npy", getattr(self, name), allow_pickle=False)
            draft.rows |= {"users": len(self.user_ids), "artists": len(self.artist_ids)}

    @classmethod
    def load(cls, place: Path) -> Self:
        """Memory-map what `save` published; ArtifactError if it is missing, damaged, or of other genres."""
        if read_manifest(place).identity.kind != KIND:
            raise ArtifactError(f"{place} is not the truth of a demo world.")
        names = tuple(genre.name for genre in genres.GENRES)
        if Ids.load(place / "genre_names") != Ids.of(names):
            raise ArtifactError(f"{place} was made by another version with other genres. Import the demo again.")
        return cls(
            user_ids=Ids.load(place / "user_ids"),
            artist_ids=Ids.load(place / "artist_ids"),
            genre_names=names,
            **{
                name: load_array(place / f"{name}.npy", dtype=dtype, ndim=ndim)
                for name, (dtype, ndim) in _ARRAYS.items()
            },
        )


def truth_identity(settings: DemoSettings) -> Identity:
    """What a world is made from; how many listeners are simulated at once changes nothing."""
    settings_of_world = {name: value for name, value in as_table(settings).items() if name != "chunk"}
    return Identity(kind=KIND, version=_VERSION, settings=settings_of_world, seed=settings.seed)


def forget_listeners(place: Path) -> None:
    """Keep of the truth at ``place`` only the settings of its world, from which its tracks get their sound.

    Raises ArtifactError if there is none, or it cannot be read.
    """
    world = replace(read_manifest(place).identity, kind=WORLD)
    with writing(place, world):
        pass


def _sorted(ids: list[str]) -> npt.NDArray[np.int64]:
    """The rows of ``ids`` in the order of `Ids.of`."""
    return np.array(sorted(range(len(ids)), key=lambda row: ids[row].encode()), dtype=np.int64)
