"""The people of a demo world: their tastes, temperaments and habits.

A listener's taste is a mixture of one to four interests: a genre each, drawn by the genres' shares and, after the
first, mostly from the neighbourhood of those chosen; the interest lies at the genre's centre plus an offset of
the listener's own. Further traits: breadth (how far from an interest one still likes things), mainstreamness (the
exponent on popularity), novelty (the chance that the next play explores), activity (plays a day, log-normal), a
bias towards skipping, a chronotype, a time zone, and the moments in which music is on.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossfade.demo import genres
from crossfade.demo.contexts import MOMENTS
from crossfade.demo.settings import DemoSettings
from crossfade.demo.vocabulary import LISTENERS

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int32]

INTERESTS = 4
"""The most interests that a listener has."""

CHRONOTYPES = ("early bird", "working hours", "evening", "night owl")
_SHIFT = np.array([-1.6, -0.3, 0.6, 2.6])  # hours by which each lives later than the average

# (city, hours ahead of UTC, share of listeners); daylight saving is left out.
CITIES = (
    ("Stockholm", 1, 14), ("London", 0, 16), ("Berlin", 1, 14), ("Madrid", 1, 8), ("Lagos", 1, 5), ("New York", -5, 16),
    ("Chicago", -6, 8), ("Los Angeles", -8, 9), ("São Paulo", -3, 8), ("Mexico City", -6, 5), ("Mumbai", 5.5, 4),
    ("Tokyo", 9, 5), ("Melbourne", 10, 4),
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Listeners:
    """n people.

    ids         (n,) such as "ann-3", unique
    interests   (n, INTERESTS) int32 genre rows, -1 beyond the last; ``shares`` (n, INTERESTS) sum to 1
    centres     (n, INTERESTS, DIMENSIONS) where each interest lies
    breadth, mainstream, novelty, activity, skip_bias   (n,); activity in plays a day
    known       (n,) how many tracks each knows by heart when the history begins
    chronotype  (n,) rows of CHRONOTYPES; ``shift`` (n,) hours later than the average
    city        (n,) rows of CITIES; ``zone`` (n,) seconds ahead of UTC
    joined      (n,) seconds from the history's first; 0 for those who were there before
    habits      (n, moments) how much more than others each listener knows a moment
    private     (n,) share of the listener's sessions that are private
    """

    ids: list[str]
    interests: Rows
    shares: Floats
    centres: Floats
    breadth: Floats
    mainstream: Floats
    novelty: Floats
    activity: Floats
    skip_bias: Floats
    known: Rows
    chronotype: Rows
    shift: Floats
    city: Rows
    zone: Floats
    joined: Floats
    habits: Floats
    private: Floats

    @property
    def vectors(self) -> Floats:
        """The mean of each listener's interests, (n, DIMENSIONS)."""
        mean: Floats = (self.shares[:, :, None] * self.centres).sum(axis=1)
        return mean


def build(settings: DemoSettings) -> Listeners:
    """The people of the world that ``settings`` describe."""
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(2,)))
    count = settings.listeners
    interests, shares = _interests(rng, count)
    offsets = rng.normal(0.0, 0.10, (count, INTERESTS, genres.DIMENSIONS))
    places = genres.centres()[np.maximum(interests, 0)] + offsets
    places[interests < 0] = 0.0
    city_share = np.array([share for _, _, share in CITIES], dtype=float)
    city = rng.choice(len(CITIES), count, p=city_share / city_share.sum()).astype(np.int32)
    chronotype = rng.integers(len(CHRONOTYPES), size=count).astype(np.int32)
    # exp(σz - σ²/2) has mean 1, so that the settings' plays a day are kept whatever the spread.
    spread = settings.activity_spread
    activity = settings.plays_per_day * np.exp(spread * rng.standard_normal(count) - spread**2 / 2)
    joins = rng.random(count) < settings.newcomers
    joined = np.where(joins, np.floor(rng.uniform(0, settings.days, count)) * 86_400.0, 0.0)
    habits = np.where(rng.random((count, len(MOMENTS))) < 0.5, rng.gamma(1.2, 1.6, (count, len(MOMENTS))), 0.05)
    habits[:, 0] = 1.0
    # Few people use private sessions at all; those who do use them often.
    private = np.where(rng.random(count) < 0.12, np.minimum(settings.private_share / 0.12, 1.0), 0.0)
    return Listeners(
        ids=_ids(rng, count),
        interests=interests,
        shares=shares,
        centres=places,
        breadth=0.30 * np.exp(0.20 * rng.standard_normal(count)),
        mainstream=np.clip(rng.normal(1.0, 0.25, count), 0.2, 1.6),
        novelty=np.clip(rng.beta(3.0, 6.5, count), 0.04, 0.9),
        activity=np.minimum(activity, 400.0),
        skip_bias=rng.normal(1.74, 0.75, count),
        known=np.exp(rng.normal(4.6, 0.6, count)).astype(np.int32),
        chronotype=chronotype,
        shift=_SHIFT[chronotype] + rng.normal(0.0, 0.5, count),
        city=city,
        zone=np.array([3_600.0 * ahead for _, ahead, _ in CITIES])[city],
        joined=joined,
        habits=habits,
        private=private,
    )


def _interests(rng: np.random.Generator, count: int) -> tuple[Rows, Floats]:
    """Which genres each listener lives in, and how much, (count, INTERESTS) each."""
    share = genres.trait("share")
    centres = genres.centres()
    gaps = ((centres[:, None] - centres[None]) ** 2).sum(axis=2)
    # A second interest is mostly a neighbour of the first: some people like jazz and black metal, but few.
    drawn = share * np.exp(-gaps / 0.9) + 0.012 * share
    np.fill_diagonal(drawn, 0.0)
    running = np.cumsum(drawn, axis=1)
    number = rng.choice(INTERESTS, count, p=[0.20, 0.35, 0.30, 0.15]) + 1
    interests = np.full((count, INTERESTS), -1, dtype=np.int32)
    interests[:, 0] = rng.choice(len(share), count, p=share / share.sum())
    for place in range(1, INTERESTS):
        base = running[interests[:, 0]]
        wanted = rng.random(count) * base[:, -1]
        interests[:, place] = np.minimum((base <= wanted[:, None]).sum(axis=1), len(share) - 1)
    interests[np.arange(INTERESTS) >= number[:, None]] = -1
    weights = rng.gamma(2.0, 1.0, (count, INTERESTS)) * np.array([2.0, 1.0, 0.8, 0.6])
    weights[interests < 0] = 0.0
    return interests, weights / weights.sum(axis=1, keepdims=True)


def _ids(rng: np.random.Generator, count: int) -> list[str]:
    """A first name and the number of its bearer: "ann-1", "ben-1", "ann-2"."""
    borne = [0] * len(LISTENERS)
    ids = []
    for name in rng.integers(len(LISTENERS), size=count).tolist():
        borne[name] += 1
        ids.append(f"{LISTENERS[name]}-{borne[name]}")
    return ids


def friendships(settings: DemoSettings, people: Listeners) -> list[tuple[int, int]]:
    """Pairs of rows (smaller, larger) of friends, ascending.

    Everyone meets some forty others, mostly of the same city, and makes friends with those whose taste is
    closest, so that friends' tastes resemble each other more than strangers' do.
    """
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(3,)))
    count = len(people.ids)
    vectors = people.vectors
    by_city = [np.flatnonzero(people.city == city) for city in range(len(CITIES))]
    wanted = rng.poisson(np.exp(rng.normal(0.9, 0.8, count)))
    pairs: set[tuple[int, int]] = set()
    for row in range(count):
        strangers = rng.integers(count, size=16)
        locals_ = by_city[people.city[row]]
        met = np.unique(np.concatenate([strangers, locals_[rng.integers(len(locals_), size=24)]]))
        met = met[met != row]
        gap = ((vectors[met] - vectors[row]) ** 2).sum(axis=1) + rng.exponential(0.35, len(met))
        for other in met[np.argsort(gap, kind="stable")[: wanted[row] // 2 + wanted[row] % 2]].tolist():
            pairs.add((min(row, other), max(row, other)))
    return sorted(pairs)
