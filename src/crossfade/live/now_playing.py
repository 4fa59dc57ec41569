"""Now Playing: what to play next after a queue, one track after the other.

    next = argmax_j  λ₁ · Σ_a 0.8^a · sim(j, q_a) / Σ_a 0.8^a  +  λ₂ · taste(j)        λ₁ = 0.7, λ₂ = 0.3

q_a is the track that was played a places before. The first term is the cosine of j with the mean of the session, which
decays, where sim(j, q) falls evenly with the rank of j in the pool of q, as in a station. The pools are those of the
model that learns from sequences what is played after what (`crossfade.models.word2vec`), where the release has it.
taste(j) is the place of j among the candidates by the leading model's score for the user, from 0 to 1. The catalogue
knows no tempo, so nothing weighs it.
"""

from collections.abc import Callable, Sequence

import numpy as np

from crossfade.core.interactions import Interactions
from crossfade.live.playlists import entry_of
from crossfade.live.pools import ReleasePools
from crossfade.live.stations import ANYBODY, Floats, Listener, Part, Track
from crossfade.live.taste import tastes_of
from crossfade.models.registry import model_class
from crossfade.stores.contract import Entry, Named
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.station import DEFAULTS, StationSettings

DECAY = 0.8
SESSION, TASTE = 0.7, 0.3
LOOKED_AT = 10  # tracks of the queue, the last ones; the eleventh counts a tenth of the last

Taste = Callable[[Sequence[str]], Floats]
"""Gives the scores of items by their ids, higher for what the user likes better."""


def pools_after(opened: OpenRelease, kind: str | None = None) -> ReleasePools:
    """Return the pools of the model that learns what follows what, or of the release's own if it lacks that."""
    pools = ReleasePools(opened, kind)
    for model in opened.models:
        if model_class(model).learns_from == "sequences" and opened.has_model(model, pools.kind):
            return ReleasePools(opened, pools.kind, model)
    return pools


def next_up(
    pools: ReleasePools,
    queue: Sequence[str],
    count: int,
    *,
    listener: Listener = ANYBODY,
    taste: Taste | None = None,
    settings: StationSettings = DEFAULTS,
) -> list[Track]:
    """Return ``count`` tracks to play after ``queue`` (ids, the last one is playing), or as many as there are.

    None of them is in the queue, and tracks of one artist stay apart.
    """
    session = [entry for item in queue if (entry := entry_of(pools, item)) is not None]
    tracks: list[Track] = []
    while len(tracks) < count and session:
        chosen = _next(pools, session, listener, taste, settings)
        if chosen is None:
            break
        tracks.append(chosen)
        session.append(chosen.entry)
    return tracks


def taste_of(opened: OpenRelease, state: LiveState, user: str, kind: str) -> Taste | None:
    """Return the taste of ``user`` by the release's leading model, from the history until now; None without one."""
    tastes = tastes_of(opened, state)
    played = tastes.history(user)[kind]
    if not played:
        return None
    plays = np.array([one.plays for one in played.values()], dtype=np.float64)
    weights = tastes.weighing(kind).weights(plays)
    scorer = opened.scorer(Interactions.from_counts([user] * len(played), list(played), weights, kind=kind))
    known: dict[str, float] = {}  # each further track has most candidates of the one before

    def scores(items: Sequence[str]) -> Floats:
        new = [item for item in items if item not in known]
        known.update(zip(new, scorer(new).tolist(), strict=True))
        return np.array([known[item] for item in items])

    return scores


def _next(
    pools: ReleasePools, session: Sequence[Entry], listener: Listener, taste: Taste | None, settings: StationSettings
) -> Track | None:
    recent = session[-LOOKED_AT:][::-1]
    total = sum(DECAY**age for age in range(len(recent)))
    entries: dict[str, Entry] = {}
    parts: dict[str, list[float]] = {}
    for age, played in enumerate(recent):
        listed = pools(played.id)
        for rank, entry in enumerate(listed):
            entries.setdefault(entry.id, entry)
            shares = parts.setdefault(entry.id, [0.0] * len(recent))
            shares[age] = DECAY**age / total * (1 - rank / len(listed))
    heard = {_song(pools, entry) for entry in session}
    before = {_parent(entry) for entry in session[len(session) - settings.apart + 1 :]} if settings.apart > 1 else set()
    left = [
        entry
        for entry in entries.values()
        if _parent(entry) not in before and not listener.bars(entry) and _song(pools, entry) not in heard
    ]
    if not left:
        return None
    scores = SESSION * np.array([sum(parts[entry.id]) for entry in left])
    if taste is not None:
        ranks = np.argsort(np.argsort(taste([entry.id for entry in left]), kind="stable"), kind="stable")
        scores += TASTE * ranks / max(len(left) - 1, 1)
    best = left[int(np.argmax(scores))]
    shares = parts[best.id]
    sources = sorted(zip(shares, recent, strict=True), key=lambda one: -one[0])
    named = tuple(
        Part("played", Named(kind=pools.kind, id=one.id, name=one.name), round(share / sum(shares), 4))
        for share, one in sources
        if share
    )
    return Track(entry=best, parts=named)


def _song(pools: ReleasePools, entry: Entry) -> tuple[str, str | None]:
    return pools.folded(entry.name), entry.parent.id if entry.parent else None


def _parent(entry: Entry) -> str:
    return entry.parent.id if entry.parent else entry.id
