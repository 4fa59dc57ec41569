"""Stations that are steered while they play. A station is state, and what happens is a signal:

    next(state, signal) -> the state after it, and the tracks to play

Nothing else is remembered, so a station can be kept as JSON and goes on after a restart or a new release. It
draws from the pools (`crossfade.surfaces.radio`) of its sources s: its seeds, and the items with a thumb up. An item
j of rank r_s(j) in the pool of s has the weight

    p_j = w_j · k_j · Σ_s share_s · r_s(j)^(-1/τ) / Σ_i r_s(i)^(-1/τ)
    w_j = (1 + η · Σ sim(j, up)) · exp(-η · Σ (sim(j, down) + 0.3 · sim(j, skipped)))        η = 2
    τ   = temperature · 4^(2 · adventure - 1)
    k_j = exp(2 · (1 - 2 · adventure)) if the listener knows j or its parent, else 1

Seeds share one half and thumbs up the other, or the seeds everything while there are none: a station turns with the
first thumb and never leaves its seeds. sim(j, t) falls evenly with the rank of j in the pool of t, from 1 for the
closest to 0 for what is not in it. Ranks count instead of scores, since the scores of one model fall fast and those of
another hardly. An item with a thumb down is not drawn, nor is one that was drawn within a day, in any version of the
song, nor one whose parent had one of the last ``apart - 1`` places. When little is left to draw, the pools of items
drawn last become sources too, so that a station ends only where a library does.

Drawing the highest ln p_j + a Gumbel variate is drawing with the odds p_j. The variates follow from the seed and the
number of tracks drawn, so equal states and signals give equal tracks. Cost of a draw: O(sources · pool).
"""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.kinds import KINDS
from crossfade.core.names import folded
from crossfade.stores.contract import Entry, Named
from crossfade.surfaces.station import DEFAULTS, StationSettings

STEP = 2.0
"""η, what a thumb does to the items next to it."""

SKIP = 0.3
"""What a skip counts, of a thumb down."""

SKIPPED_SECONDS = 30.0
"""An item that was heard for longer was not skipped."""

REPEAT_SECONDS = 24 * 3600.0
"""An item is not drawn again before that."""

FEW = 20
"""With fewer items left to draw, a station takes further pools."""

GROWTH, MOST_GROWN = 10, 30
"""Pools that it takes then, and the most of them that it has, the latest."""

MOST_SEEDS = 100
"""Sources that a station starts from."""

MOST_MARKS = 150
"""Thumbs and skips that a station remembers; older ones are forgotten."""

MOST_DRAWN = 2000
"""Items that it remembers having drawn."""

Floats = npt.NDArray[np.float64]
Pools = Callable[[str], Sequence[Entry]]
"""Gives the closest others of an item by its id, best first; none for an item that no model knows."""

Mark = Literal["up", "down", "skip"]
Origin = Literal["seed", "up", "grown", "played"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """An item whose pool a station draws from.

    id       of the item, which is of the station's kind
    because  what it stands for: itself, the artist that it is a track of, the playlist or the tag that it came by
    itself   the item, where it can be drawn too
    share    what its pool counts; those of the seeds sum to 1
    """

    id: str
    because: Named
    itself: Entry | None = None
    share: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """An item that a station played; ``at`` in seconds since 1970."""

    id: str
    name: str
    parent: str | None = None
    at: float


@dataclass(frozen=True, kw_only=True)
class Station:
    """The state of a station.

    kind       of the items that it plays
    title      as people read it
    seeds      what it started from
    adventure  from familiar (0) to adventurous (1)
    seed       of the draws
    draws      how many items it has drawn
    marks      thumbs and skips by item id, oldest first
    names      the names of the items that were marked
    grown      sources that were added when little was left
    drawn      what it played, oldest first
    """

    kind: str
    title: str
    seeds: tuple[Source, ...]
    adventure: float = 0.5
    seed: int = 0
    draws: int = 0
    marks: dict[str, Mark] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    grown: tuple[Source, ...] = ()
    drawn: tuple[Drawn, ...] = ()

    def __post_init__(self) -> None:
        if not self.seeds:
            raise InputError("A station needs something to start from.")
        sizes = (self.seeds, MOST_SEEDS), (self.grown, MOST_GROWN), (self.marks, MOST_MARKS), (self.drawn, MOST_DRAWN)
        if any(len(part) > most for part, most in sizes) or min(self.seed, self.draws) < 0:
            raise InputError("A station has no such state.")
        if not all(0 < one.share <= 1 for one in (*self.seeds, *self.grown)):
            raise InputError("The share of a source is above 0, and at most 1.")
        if not 0 <= self.adventure <= 1:
            raise InputError(f"adventure is a number from 0 (familiar) to 1 (adventurous), not {self.adventure}")

    def to_json(self) -> bytes:
        """Return the state as JSON, which `from_json` reads."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes | str) -> "Station":
        """Return what `to_json` wrote; ArtifactError for anything else."""
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, InputError) as error:
            raise ArtifactError(f"This is not the state of a station: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What happens to a station, all of it at once; what is left out does not happen.

    at         seconds since 1970
    action     a thumb, a skip, or "undo" of either
    item       the item that ``action`` is about
    heard      seconds of it that were heard before a skip
    requeue    what was drawn after ``item`` will not be played, and may be drawn again
    adventure  the new value
    count      items to draw
    """

    at: float
    action: Mark | Literal["undo"] | None = None
    item: str | None = None
    heard: float | None = None
    requeue: bool = False
    adventure: float | None = None
    count: int = 0

    def __post_init__(self) -> None:
        if (self.action is not None or self.requeue) and not self.item:
            raise InputError("A thumb, a skip or an undo needs an item.")


@dataclass(frozen=True, kw_only=True)
class Listener:
    """What is known of whoever listens: ids of items and of their parents.

    known   that they have played
    barred  that they do not want to hear
    """

    known: Set[str] = frozenset()
    barred: Set[str] = frozenset()

    def bars(self, entry: Entry) -> bool:
        """Return whether an item, or its parent, is barred."""
        return entry.id in self.barred or (entry.parent is not None and entry.parent.id in self.barred)


ANYBODY = Listener()


class Part(NamedTuple):
    """A source and what it contributes to the weight of an item."""

    origin: Origin
    source: Named
    share: float


@dataclass(frozen=True, kw_only=True)
class Track:
    """An item to play.

    parts  the sources that it was drawn for, the strongest first; their shares sum to 1
    """

    entry: Entry
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The reason as a person would say it."""
        origin, source, _ = self.parts[0]
        described = origin == "seed" and source.kind not in KINDS  # by a tag, a text or a playlist
        return ("Because it fits {}" if described else _REASONS[origin]).format(source.name)


_REASONS: Mapping[Origin, str] = {
    "seed": "Because you started from {}",
    "up": "Because you liked {}",
    "grown": "Because this station played {}",
    "played": "Because {} was played",
}


class Next(NamedTuple):
    """The state after a signal, and what to play."""

    state: Station
    tracks: list[Track]


def next(  # noqa: A001 (the word of the field)
    state: Station,
    signal: Signal,
    pools: Pools,
    listener: Listener = ANYBODY,
    settings: StationSettings = DEFAULTS,
) -> Next:
    """Return the state after ``signal``, and the ``signal.count`` items to play next, or as many as there are."""
    state = signalled(state, signal)
    tracks: list[Track] = []
    if not signal.count:
        return Next(state, tracks)
    state, pool = _stocked(state, signal.at, pools, listener, settings)
    stocked, scarce = 0, pool.runs_out(settings.apart)
    while len(tracks) < signal.count:
        weights = pool.spaced(state, settings.apart)
        # Where little is left even then, it is drawn before more is looked for.
        if stocked < len(tracks) and (not weights.any() or (not scarce and pool.runs_out(settings.apart))):
            state, pool = _stocked(state, signal.at, pools, listener, settings)
            stocked, scarce = len(tracks), pool.runs_out(settings.apart)
            weights = pool.spaced(state, settings.apart)
        if not weights.any():
            break
        rng = np.random.default_rng([state.seed, state.draws])
        with np.errstate(divide="ignore"):
            place = int(np.argmax(np.log(weights) + rng.gumbel(size=len(weights))))
        tracks.append(pool.track(place))
        state = _after(state, pool.entries[place], signal.at)
        pool.remove(place)
    return Next(state, tracks)


def signalled(state: Station, signal: Signal) -> Station:
    """Return the state after ``signal``, before anything is drawn."""
    if signal.adventure is not None:
        state = replace(state, adventure=signal.adventure)
    if signal.item is None:
        return state
    marks = dict(state.marks)
    if signal.action == "undo":
        marks.pop(signal.item, None)
    elif signal.action == "skip":
        # A skip does not take a thumb back.
        if signal.heard is None or signal.heard < SKIPPED_SECONDS:
            marks.setdefault(signal.item, "skip")
    elif signal.action is not None:
        marks.pop(signal.item, None)
        marks[signal.item] = signal.action
    marks = dict(list(marks.items())[-MOST_MARKS:])
    drawn = state.drawn
    if signal.requeue:
        places = [place for place, one in enumerate(drawn) if one.id == signal.item]
        drawn = drawn[: places[-1] + 1] if places else drawn
    named = {one.id: one.name for one in state.drawn} | state.names
    names = {item: named[item] for item in marks if item in named}
    return replace(state, marks=marks, drawn=drawn, names=names)


def _after(state: Station, entry: Entry, at: float) -> Station:
    """The state after ``entry`` was drawn."""
    played = Drawn(id=entry.id, name=entry.name, parent=entry.parent.id if entry.parent else None, at=at)
    return replace(state, draws=state.draws + 1, drawn=(*state.drawn[1 - MOST_DRAWN :], played))


def _stocked(
    state: Station, at: float, pools: Pools, listener: Listener, settings: StationSettings
) -> "tuple[Station, Pool]":
    """The state with enough sources to draw from, as far as there are any, and their pool."""
    pool = Pool.of(state, at, pools, listener, settings)
    for _ in range(MOST_GROWN // GROWTH):
        sources = {one.id for one in (*state.seeds, *state.grown)}
        fresh = [one for one in reversed(state.drawn) if one.id not in sources and one.id not in state.marks][:GROWTH]
        if not fresh or not pool.runs_out(settings.apart):
            break
        share = 1 / GROWTH  # ten of them count as much as all seeds, which have little left
        added = (
            Source(id=one.id, because=Named(kind=state.kind, id=one.id, name=one.name), share=share) for one in fresh
        )
        state = replace(state, grown=(*state.grown, *added)[-MOST_GROWN:])
        pool = Pool.of(state, at, pools, listener, settings)
    return state, pool


class Pool:
    """Everything that a station could draw, with the weights that sources, thumbs and skips give it."""

    def __init__(self, entries: Sequence[Entry], parts: Floats, sources: Sequence[tuple[Origin, Named]]) -> None:
        self.entries = entries
        self.places = {entry.id: place for place, entry in enumerate(entries)}
        self._parts, self._sources = parts, sources  # (sources, entries)
        self._nudges: dict[str, Floats] = {}
        self._songs = [(folded(entry.name), entry.parent.id if entry.parent else None) for entry in entries]
        self._parents = np.array([entry.parent.id if entry.parent else entry.id for entry in entries], dtype=object)
        self._weights = parts.sum(axis=0)

    @classmethod
    def of(cls, state: Station, at: float, pools: Pools, listener: Listener, settings: StationSettings) -> "Pool":
        temperature = settings.temperature * 4 ** (2 * state.adventure - 1)
        ups = [
            Source(id=item, because=Named(kind=state.kind, id=item, name=state.names.get(item, item)))
            for item, mark in state.marks.items()
            if mark == "up"
        ]
        origins: list[tuple[Origin, Sequence[Source], float]] = [
            ("seed", state.seeds, 0.5 if ups else 1.0),
            ("grown", state.grown, 0.5 if ups else 1.0),
            ("up", ups, 0.5),
        ]
        entries: dict[str, Entry] = {}
        lists: list[tuple[Origin, Named, float, list[str]]] = []
        for origin, sources, share in origins:
            share /= max(sum(one.share for one in (ups if origin == "up" else (*state.seeds, *state.grown))), 1e-9)
            for source in sources:
                if state.marks.get(source.id) == "down":
                    continue
                listed = [*([source.itself] if source.itself else ()), *pools(source.id)]
                for entry in listed:
                    entries.setdefault(entry.id, entry)
                lists.append((origin, source.because, share * source.share, [entry.id for entry in listed]))
        places = {item: place for place, item in enumerate(entries)}
        parts = np.zeros((len(lists), len(entries)))
        for row, (_, _, share, items) in enumerate(lists):
            if items:
                odds = np.arange(1, len(items) + 1) ** (-1 / temperature)
                parts[row, [places[item] for item in items]] = share * odds / odds.sum()
        pool = cls(list(entries.values()), parts, [(origin, because) for origin, because, _, _ in lists])
        pool._steer(state, pools)
        pool._suit(state, listener)
        pool._forget(state, at)
        return pool

    def runs_out(self, apart: int) -> bool:
        """Return whether little is left to draw, or hardly enough parents to keep them apart."""
        left = self._weights > 0
        return int(np.count_nonzero(left)) < FEW or len(set(self._parents[left])) < apart

    def track(self, place: int) -> Track:
        """Return the item at ``place`` with its sources."""
        shares = self._parts[:, place]
        merged: dict[tuple[Origin, Named], float] = {}
        for row in np.flatnonzero(shares).tolist():
            merged[self._sources[row]] = merged.get(self._sources[row], 0.0) + float(shares[row] / shares.sum())
        best = sorted(merged.items(), key=lambda one: -one[1])
        parts = tuple(Part(origin, source, round(share, 4)) for (origin, source), share in best)
        return Track(entry=self.entries[place], parts=parts)

    def nudge(self, marked: str, place: int | None) -> float:
        """Return what the mark of an item multiplies the weight of the entry at ``place`` by."""
        return 1.0 if place is None or marked not in self._nudges else float(self._nudges[marked][place])

    def spaced(self, state: Station, apart: int) -> Floats:
        """Return the weights (entries,) of what can be drawn next: parents played just before have to wait."""
        before = {one.parent or one.id for one in state.drawn[len(state.drawn) - apart + 1 :]} if apart > 1 else set()
        return np.where(np.isin(self._parents, list(before)), 0.0, self._weights) if before else self._weights

    def _forget(self, state: Station, at: float) -> None:
        """Leave out what was drawn within a day, in any version."""
        recent = [one for one in state.drawn if at - one.at < REPEAT_SECONDS]
        self._leave_out({one.id for one in recent}, {(folded(one.name), one.parent) for one in recent})

    def remove(self, place: int) -> None:
        """Leave out the item at ``place``, which was drawn, in any version."""
        self._leave_out((), {self._songs[place]})

    def _leave_out(self, ids: Collection[str], songs: Collection[tuple[str, str | None]]) -> None:
        for place, song in enumerate(self._songs):
            if song in songs or self.entries[place].id in ids:
                self._weights[place] = 0.0

    def _steer(self, state: Station, pools: Pools) -> None:
        """Multiply the weights by w_j."""
        raised, lowered = np.ones(len(self.entries)), np.zeros(len(self.entries))
        for marked, mark in state.marks.items():
            near = self._nearness(marked, pools(marked))
            if mark == "up":
                raised += STEP * near
                self._nudges[marked] = 1 + STEP * near
            else:
                lowered += STEP * near * (SKIP if mark == "skip" else 1.0)
                self._nudges[marked] = np.exp(-STEP * near * (SKIP if mark == "skip" else 1.0))
            if mark == "down" and marked in self.places:
                self._weights[self.places[marked]] = 0.0
        self._weights *= raised * np.exp(-lowered)

    def _suit(self, state: Station, listener: Listener) -> None:
        """Leave out what the listener does not want, and weigh what they know."""
        lift = np.exp(2 * (1 - 2 * state.adventure))
        for place, entry in enumerate(self.entries):
            names = {entry.id, *([entry.parent.id] if entry.parent else ())}
            if listener.bars(entry):
                self._weights[place] = 0.0
            elif any(name in listener.known for name in names):
                self._weights[place] *= lift

    def _nearness(self, item: str, listed: Sequence[Entry]) -> Floats:
        """(entries,) sim of each entry to ``item``, whose pool is ``listed``."""
        near = np.zeros(len(self.entries))
        if item in self.places:
            near[self.places[item]] = 1.0
        for rank, entry in enumerate(listed):
            if entry.id in self.places:
                near[self.places[entry.id]] = 1 - rank / len(listed)
        return near
