"""Compares a simulated history with published figures.

    python -m crossfade.demo.report

Each figure has a band around what was published. The bands are wide: the sources are of other sizes, services and
years. Skips and popularity were set by these figures; agreement there shows that the world is as it was meant.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossfade.demo import genres
from crossfade.demo.settings import DEFAULT
from crossfade.demo.world import World, simulate

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.float64] | npt.NDArray[np.int64]

LAMERE = "Lamere, The Skip, Music Machinery 2014: plays of Spotify"
HETREC = "measured on HetRec 2011 Last.fm, its 3,000 most played artists"
HETREC_USERS = "measured on HetRec 2011 Last.fm, 1,892 users"
TASTE = "measured on a sample of the Taste Profile, 1,630 users"
LOUAIL = "Louail & Barthelemy, Headphones on the wire, 2017: four groups of similar sizes"
DESIGN = "by design of this world"


@dataclass(frozen=True)
class Figure:
    """One number of the history, the published one (None where there is none), and the band that it should lie in."""

    name: str
    value: float
    published: float | None
    low: float
    high: float
    source: str

    @property
    def fits(self) -> bool:
        """Whether the value lies in its band."""
        return self.low <= self.value <= self.high


@dataclass
class Tally:
    """What `measure` needs of a history; grows with users, artists and pairs, not with plays."""

    track_plays: npt.NDArray[np.int64]
    user_plays: npt.NDArray[np.int64]
    pairs: int
    hours: Floats
    user_hours: Floats
    heard: npt.NDArray[np.int64]
    own: int


def tally(world: World) -> Tally:
    """Simulate the history and count it; rows that were sent twice count once."""
    people, music = world.people, world.catalogue
    users = len(people.ids)
    counted = Tally(
        track_plays=np.zeros(len(music.titles), dtype=np.int64),
        user_plays=np.zeros(users, dtype=np.int64),
        pairs=0,
        hours=np.zeros(24),
        user_hours=np.zeros((users, 24)),
        heard=np.zeros(3, dtype=np.int64),
        own=0,
    )
    for chunk in world.history():
        plays = chunk.plays
        once = ~plays.again
        track, listener, heard = plays.track[once], plays.listener[once], plays.heard[once]
        counted.track_plays += np.bincount(track, minlength=len(music.titles))
        counted.user_plays += np.bincount(listener, minlength=users)
        counted.pairs += len(np.unique(listener.astype(np.int64) * len(music.titles) + track))
        hour = (((plays.at[once] + people.zone[listener]) // 3_600) % 24).astype(np.int64)
        np.add.at(counted.user_hours, (listener, hour), 1.0)
        for place, limit in enumerate((5.0, 30.0, np.inf)):
            counted.heard[place] += int((heard < np.minimum(limit, music.seconds[track])).sum())
        genre = music.genre[music.artist_of[track]]
        counted.own += int((people.interests[listener] == genre[:, None]).any(axis=1).sum())
    counted.hours = counted.user_hours.sum(axis=0)
    return counted


def measure(world: World) -> list[Figure]:
    """The figures of a world's history. The bands are meant for worlds of the default size or larger."""
    counted, music = tally(world), world.catalogue
    total = int(counted.user_plays.sum())
    artist_plays: Floats = np.bincount(music.artist_of, counted.track_plays, len(music.artist_names)).astype(np.float64)
    best = np.sort(artist_plays)[::-1][:3_000]
    listened = counted.user_plays[counted.user_plays > 0]
    early, short, unfinished = (counted.heard / total).tolist()
    hours = counted.hours / counted.hours.sum()
    return [
        Figure("plays left within 5 s", early, 0.24, 0.19, 0.30, LAMERE),
        Figure("plays left within 30 s", short, 0.3505, 0.29, 0.42, LAMERE),
        Figure("plays left before the end", unfinished, 0.486, 0.42, 0.56, LAMERE),
        Figure("artists' plays: Gini coefficient", gini(best), 0.726, 0.60, 0.83, HETREC),
        Figure("artists' plays: share of the top tenth", _top_share(best, 0.1), 0.663, 0.52, 0.78, HETREC),
        Figure("artists' plays: slope of log plays by log rank", _rank_slope(best), -0.874, -1.10, -0.65, HETREC),
        Figure("plays a user: sigma of the logarithm", float(np.log(listened).std()), 1.516, 1.0, 1.9, HETREC_USERS),
        Figure("plays a user: standard deviation / mean", _spread(listened), 1.333, 0.9, 2.6, HETREC_USERS),
        Figure("plays that repeat a track of the user's", 1 - counted.pairs / total, 0.669, 0.50, 0.80, TASTE),
        Figure("smallest group of listeners by daily rhythm", _smallest_rhythm(counted), None, 0.10, 0.25, LOUAIL),
        Figure("quietest hour of the day, local", float(hours.argmin()), None, 2, 5, DESIGN),
        Figure("busiest hour of the day, local", float(hours.argmax()), None, 15, 21, DESIGN),
        Figure("plays in the quietest hour / busiest", float(hours.min() / hours.max()), None, 0.02, 0.30, DESIGN),
        Figure("plays in the user's own genres", counted.own / total, None, 0.45, 0.95, DESIGN),
        Figure("the same if users were exchanged", _by_chance(world, counted), None, 0.02, 0.30, DESIGN),
    ]


def report(world: World) -> list[str]:
    """The figures as lines of text; those outside their band are marked."""
    lines = [f"{'figure':48} {'here':>7} {'published':>9}   {'band':15} source"]
    for figure in measure(world):
        published = "" if figure.published is None else f"{figure.published:.3f}"
        band = f"{figure.low:g} to {figure.high:g}"
        mark = "" if figure.fits else "  OUTSIDE"
        lines.append(f"{figure.name:48} {figure.value:7.3f} {published:>9}   {band:15} {figure.source}{mark}")
    return lines


def gini(values: Numbers) -> float:
    """How unequal values are: 0 if all are equal, towards 1 if one has everything."""
    ascending = np.sort(values).astype(np.float64)
    count = len(ascending)
    return float(((2 * np.arange(1, count + 1) - count - 1) * ascending).sum() / (count * ascending.sum()))


def _top_share(descending: Numbers, share: float) -> float:
    return float(descending[: int(share * len(descending))].sum() / descending.sum())


def _rank_slope(descending: Numbers) -> float:
    """From rank 5 to the end of the first tenth: beyond both the few giants and the thin end."""
    rank = np.arange(5, max(len(descending) // 10, 8) + 1)
    return float(np.polyfit(np.log(rank), np.log(np.maximum(descending[rank - 1], 0.5)), 1)[0])


def _spread(values: npt.NDArray[np.int64]) -> float:
    return float(values.std() / values.mean())


def _smallest_rhythm(counted: Tally) -> float:
    """Of the listeners with 50 plays or more, the share in the smallest of four groups, by when they listen most
    beyond the average: morning (5-10), midday (10-17), evening (17-23), night (23-5).
    """
    lively = counted.user_hours[counted.user_plays >= 50]
    parts = [range(5, 10), range(10, 17), range(17, 23), [23, *range(5)]]
    own = np.stack([lively[:, list(part)].sum(axis=1) for part in parts], axis=1)
    own /= own.sum(axis=1, keepdims=True)
    groups = (own / own.mean(axis=0)).argmax(axis=1)
    return float(np.bincount(groups, minlength=4).min() / max(len(groups), 1))


def _by_chance(world: World, counted: Tally) -> float:
    """The share of all plays that lies in a random listener's genres."""
    of_track = world.catalogue.genre[world.catalogue.artist_of]
    by_genre = np.bincount(of_track, counted.track_plays, len(genres.GENRES)) / counted.track_plays.sum()
    known = world.people.interests >= 0
    owned = np.zeros((len(known), len(genres.GENRES)))
    user, column = np.nonzero(known)
    owned[user, world.people.interests[user, column]] = 1.0
    return float((owned * by_genre).sum(axis=1).mean())


if __name__ == "__main__":
    print("\n".join(report(simulate(DEFAULT))))
