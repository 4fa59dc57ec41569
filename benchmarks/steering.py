"""How far thumbs turn a station, in the demo world (docs/demo-world.md), whose genres no model sees.

    python -m benchmarks.steering HOME [--stations 300]

HOME is the home of `crossfade demo`. Stations start from tracks that many play. After its first thirty tracks a station
gets three thumbs up, for tracks of the genre that it played second most often (three times at least), or three thumbs
down, for tracks of the genre that it played most often. Counted is the share of that genre among the next thirty
tracks, of the same station without the thumbs and with one, two and three of them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crossfade.core.home import Home
from crossfade.demo.settings import truth_place
from crossfade.demo.truth import Truth
from crossfade.live import stations
from crossfade.live.pools import ReleasePools
from crossfade.live.stations import Signal, Station
from crossfade.stores.registry import open_releases
from crossfade.surfaces.asking import OpenRelease

PLAYED = 30
THUMBS = 3


class Steering(NamedTuple):
    """The mean shares of a genre after 0, 1, 2 and 3 thumbs, over n stations: of a liked one, and of a disliked one."""

    liked: list[float]
    disliked: list[float]
    stations: tuple[int, int]


def steered(opened: OpenRelease, truth: Truth, count: int) -> Steering:
    """Steer up to ``count`` stations, from the tracks with the most listeners."""
    pools = ReleasePools(opened)
    genres = dict(zip(truth.artist_ids, truth.artist_genres.tolist(), strict=True))
    tracks = opened.catalogue[pools.kind]
    found: dict[str, list[list[float]]] = {"up": [], "down": []}
    for number, row in enumerate(np.argsort(-tracks.listeners, kind="stable")[:count].tolist()):
        state = Station(kind=pools.kind, title="", seeds=pools.sources([(pools.kind, tracks.ids[row])]), seed=number)
        state, played = stations.next(state, Signal(at=0.0, count=PLAYED), pools)
        counts = np.bincount([_genre(one, genres) for one in played], minlength=2)
        first, second = np.argsort(-counts, kind="stable")[:2].tolist()
        for action, genre in (("up", second), ("down", first)):
            marked = [one.entry.id for one in played if _genre(one, genres) == genre][:THUMBS]
            if len(marked) == THUMBS:
                found[action].append(_shares(state, action, marked, pools, genres, genre))
    means = {action: np.mean(shares, axis=0).tolist() if shares else [] for action, shares in found.items()}
    return Steering(means["up"], means["down"], (len(found["up"]), len(found["down"])))


def _shares(
    state: Station, action: Any, marked: Sequence[str], pools: ReleasePools, genres: dict[str, int], genre: int
) -> list[float]:
    shares = []
    for item in (None, *marked):
        if item is not None:
            state = stations.signalled(state, Signal(at=0.0, action=action, item=item))
        tracks = stations.next(state, Signal(at=0.0, count=PLAYED), pools).tracks
        shares.append(float(np.mean([_genre(one, genres) == genre for one in tracks])))
    return shares


def _genre(track: stations.Track, genres: dict[str, int]) -> int:
    return genres[track.entry.parent.id] if track.entry.parent else -1


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--stations", type=int, default=300)
    asked = parser.parse_args()
    with open_releases(Home(asked.home)).open() as release:
        found = steered(OpenRelease(release), Truth.load(truth_place(Home(asked.home))), asked.stations)
    for what, shares, count in zip(("liked", "disliked"), found[:2], found.stations, strict=True):
        print(f"{what} genre, {count} stations: " + " → ".join(f"{share:.1%}" for share in shares))


if __name__ == "__main__":
    main()
