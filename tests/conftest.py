"""Fixtures that every room's tests share."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest

from crossfade.core.catalogue import Catalogue, Items
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import VectorSpace
from crossfade.core.tables import COLUMNS, EVERYONE, SurfaceTable

if TYPE_CHECKING:
    from crossfade.surfaces.contract import SurfaceInputs

# The first example of a kernel compiles it, so time says nothing; in continuous integration the examples are fixed.
hypothesis.settings.register_profile("crossfade", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("crossfade")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20140627)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets, which may not be redistributed; skips where it is absent."""
    place = Path(os.environ.get("CROSSFADE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not place.is_dir():
        pytest.skip(f"needs the real data sets (HetRec, Taste Profile, …) in {place}; set CROSSFADE_DATA")
    return place


@dataclass(frozen=True)
class ReleaseParts:
    """Everything that a small release is published from, as the arguments of ``publish``."""

    tables: list[SurfaceTable]
    catalogue: Catalogue
    spaces: list[tuple[str, Path]]
    inputs: dict[str, str]

    def publish(self, store: Any, **inputs: str) -> Any:
        """Publish to ``store``; other ``inputs`` make another release of the same content."""
        return store.publish(self.tables, self.catalogue, spaces=self.spaces, inputs={**self.inputs, **inputs})


def surface_table(
    surface: str, key: str, kind: str, lists: dict[str, list[tuple[Any, ...]]], *columns: str
) -> SurfaceTable:
    """A table from {key: [(item row, value of each column), ...]}."""
    keys = Ids.of(lists)
    entries = [entry for one in keys for entry in lists[one]]
    return SurfaceTable(
        surface=surface,
        key=key,
        kind=kind,
        reason_kind="artist" if "reason" in columns else None,
        keys=keys,
        indptr=np.cumsum([0, *(len(lists[one]) for one in keys)]).astype(np.int64),
        items=np.array([entry[0] for entry in entries], dtype=np.int32),
        columns={
            column: np.array([entry[place] for entry in entries], dtype=COLUMNS[column])
            for place, column in enumerate(columns, start=1)
        },
    )


@pytest.fixture(scope="session")
def make_release_parts() -> Callable[[Path], ReleaseParts]:
    """Makes what `small_release` makes, below any directory."""
    return small_release


@pytest.fixture
def release_parts(tmp_path: Path) -> ReleaseParts:
    """What `small_release` makes, below this test's own directory."""
    return small_release(tmp_path)


def small_release(directory: Path) -> ReleaseParts:
    """Five artists, four tracks, three users: related, radio, discover and popular, and one space."""
    artists = Items(
        kind="artist",
        ids=Ids.of(["mb:acdc", "mb:bjork", "mb:motorhead", "mb:radiohead", "name:sigur rós"]),
        names=["AC/DC", "Björk", "Motörhead", "Radiohead", "Sigur Rós"],
        listeners=np.array([5, 9, 5, 8, 2]),
        plays=np.array([50, 90, 60, 80, 10]),
        fields={},
    )
    tracks = Items(
        kind="track",
        ids=Ids.of(["t/1 creep", "t:army", "t:creep", "t:hunter"]),
        names=["Creep", "Army of Me", "Creep", "Hunter"],
        parents=np.array([3, 1, MISSING, 1], dtype=np.int32),
        listeners=np.array([7, 6, 1, 9]),
        plays=np.array([70, 60, 2, 30]),
        fields={
            "album": ["Pablo Honey", "Post", "", ""],
            "duration_ms": np.array([238_000, 0, 0, 255_000], dtype=np.int32),
            "isrc": ["", "", "", ""],
        },
    )
    tables = [
        surface_table(
            "related",
            "artist",
            "artist",
            {"mb:acdc": [(2, 0.9), (3, 0.1)], "mb:radiohead": [(1, 0.75), (4, 0.5), (2, 0.25)]},
            "score",
        ),
        surface_table("radio", "track", "track", {"t/1 creep": [(1, 0.5), (3, 0.25)], "t:army": [(3, 1.5)]}, "score"),
        surface_table(
            "discover",
            "user",
            "artist",
            {
                "hetrec:2": [(4, 0.8, 3, 31), (0, 0.1, MISSING, 0)],
                "hetrec:7": [(1, 0.3, 2, 5)],
                "lastfm:7": [(1, 0.3, 2, 6)],
            },
            "score",
            "reason",
            "reason_plays",
        ),
        surface_table("popular", "user", "track", {EVERYONE: [(3,), (0,)]}),
    ]
    space = VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        item_ids=artists.ids,
        item_vectors=np.eye(5, 3, dtype=np.float32),
        user_ids=Ids.of(["hetrec:2"]),
        user_vectors=np.ones((1, 3), dtype=np.float32),
    )
    place = directory / "learned" / "als-artist"
    place.mkdir(parents=True)
    space.save(place)
    return ReleaseParts(tables, Catalogue([artists, tracks]), [("als-artist", place)], {"surfaces": "5f" * 32})


LIBRARIES = ("artists", "tracks", "artists and tracks")
"""What a library can know, as `surface_inputs` takes it."""


@pytest.fixture
def surface_inputs(rng: np.random.Generator) -> "Callable[[str], SurfaceInputs]":
    """Makes one of `LIBRARIES`: 60 listeners of four genres, 40 artists, four tracks of each artist.

    Vectors stand near the axis of their genre. The last two artists of each genre have one listener; the first
    user has played nothing twice, the second one artist only.
    """

    from crossfade.surfaces.contract import SurfaceInputs

    def make(knows: str) -> SurfaceInputs:
        artists, genre = 40, np.arange(40) % 4
        users, items, plays = [], [], []
        for user in range(60):
            taste = np.where(genre == user % 4, 12.0, 1.0) / (1 + np.arange(artists) // 4)
            taste[-8:] = 0
            count = 1 if user == 1 else 10
            for artist in rng.choice(artists, count, replace=False, p=taste / taste.sum()):
                users.append(user)
                items.append(int(artist))
                plays.append(1 if user == 0 else int(rng.geometric(0.08)))
        for artist in range(32, 40):
            users.append(artist)
            items.append(artist)
            plays.append(7)
        names = [f"u{user:02d}" for user in users]
        by_artist = Interactions.from_counts(names, [f"a{item:02d}" for item in items], plays)
        chosen = rng.integers(0, 4, len(items))
        by_track = Interactions.from_counts(
            names * 2,
            [
                f"a{item:02d}-{track}"
                for offset in (0, 1)
                for item, track in zip(items, (chosen + offset) % 4, strict=True)
            ],
            plays * 2,
            kind="track",
        )
        track_artists = by_artist.item_ids.rows([name.split("-")[0] for name in by_track.item_ids])
        artist_items = Items(
            kind="artist",
            ids=by_artist.item_ids,
            names=[f"Artist {name}" for name in by_artist.item_ids],
            listeners=by_artist.listeners(),
            plays=by_artist.item_plays(),
            fields={},
        )
        tracks = len(track_artists)
        track_items = Items(
            kind="track",
            ids=by_track.item_ids,
            names=[f"Song {name}" for name in by_track.item_ids],
            parents=track_artists if "artists" in knows else np.full(tracks, MISSING, np.int32),
            listeners=by_track.listeners(),
            plays=by_track.item_plays(),
            fields={"album": [""] * tracks, "duration_ms": np.zeros(tracks, np.int32), "isrc": [""] * tracks},
        )
        catalogue = Catalogue([items for items in (artist_items, track_items) if f"{items.kind}s" in knows])
        user_genre = np.array([int(name[1:]) % 4 for name in by_artist.user_ids])
        return SurfaceInputs(
            catalogue=catalogue,
            artist_interactions=by_artist if "artists" in knows else None,
            artist_space=planted_space(rng, by_artist, genre, user_genre) if "artists" in knows else None,
            track_interactions=by_track if "tracks" in knows else None,
            track_space=planted_space(rng, by_track, genre[track_artists], user_genre) if "tracks" in knows else None,
        )

    return make


def planted_space(
    rng: np.random.Generator, interactions: Interactions, item_genre: np.ndarray, user_genre: np.ndarray
) -> VectorSpace:
    """Vectors of eight factors near the axes of their genres."""
    axes = np.eye(8, dtype=np.float32)
    noise = rng.normal(0, 0.25, (len(item_genre) + len(user_genre), 8)).astype(np.float32)
    return VectorSpace(
        model="planted",
        kind=interactions.kind,
        metric="dot",
        item_ids=interactions.item_ids,
        item_vectors=axes[item_genre] + noise[: len(item_genre)],
        user_ids=interactions.user_ids,
        user_vectors=axes[user_genre] + noise[len(item_genre) :],
    )
