"""Why a station plays an item, or why it does not."""

from collections.abc import Mapping
from dataclasses import dataclass

from crossfade.live.stations import ANYBODY, REPEAT_SECONDS, Listener, Part, Pool, Pools, Station
from crossfade.stores.contract import Entry
from crossfade.surfaces.station import DEFAULTS, StationSettings


@dataclass(frozen=True, kw_only=True)
class WhyTrack:
    """Why an item is played, or why not.

    text    in one sentence
    entry   the item, where a pool has it
    chance  that it is drawn next, 0 to 1
    parts   the sources that propose it, the strongest first
    nudges  what thumbs and skips multiply its weight by, by the name of the marked item
    """

    text: str
    entry: Entry | None
    chance: float
    parts: tuple[Part, ...]
    nudges: Mapping[str, float]


def why(
    state: Station,
    item: str,
    at: float,
    pools: Pools,
    listener: Listener = ANYBODY,
    settings: StationSettings = DEFAULTS,
) -> WhyTrack:
    """Return why ``state`` plays the item with the id ``item``, or why it doesn't; ``at`` is now."""
    pool = Pool.of(state, at, pools, listener, settings)
    place = pool.places.get(item)
    entry = None if place is None else pool.entries[place]
    parts = () if place is None else pool.track(place).parts
    nudges = {
        state.names.get(marked, marked): effect
        for marked, effect in ((marked, pool.nudge(marked, place)) for marked in state.marks)
        if place is not None and effect != 1.0
    }
    chance = 0.0
    recent = {one.id: one for one in state.drawn if at - one.at < REPEAT_SECONDS}
    parent = entry.parent.id if entry and entry.parent else None
    if state.marks.get(item) == "down":
        text = "You gave it a thumb down."
    elif item in listener.barred or parent in listener.barred:
        text = "You have blocked it." if item in listener.barred else "You have blocked its artist."
    elif entry is None or place is None:
        text = "It is close to nothing that this station plays."
    else:
        text = pool.track(place).text + "."
        weights = pool.spaced(state, settings.apart)
        chance = float(weights[place] / weights.sum()) if weights.any() else 0.0
        if item in recent:
            text += " It was played within a day, and is not repeated."
        elif not chance:
            text += " It has to wait, since its artist was just played."
    return WhyTrack(text=text, entry=entry, chance=chance, parts=parts, nudges=nudges)
