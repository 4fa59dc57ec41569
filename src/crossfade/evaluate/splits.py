"""Ways to hold out part of a history, so that a model can be asked for what it has not seen.

    random_holdout         a share of each user's items; says how well tastes are completed
    temporal               what was played last from a moment on; says how well the future is foreseen
    strong_generalisation  whole users, of whom a part is shown; says how well newcomers are served

Train and test share the ids of the whole, so that rows mean the same on both sides. What is random follows
from the generator alone.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import starts_of
from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """What a model may learn from, and what it is then asked for. No pair stands in both."""

    train: Interactions
    test: Interactions


@dataclass(frozen=True, eq=False, kw_only=True)
class StrongSplit:
    """train: the other users; shown: what a held-out user lets be known; test: what they are asked for."""

    train: Interactions
    shown: Interactions
    test: Interactions


def random_holdout(interactions: Interactions, fraction: float, rng: np.random.Generator) -> Split:
    """Hold out ``fraction``, above 0 and below 1, of each user's items, rounded to the nearest whole number.

    A user keeps at least one item to learn from. Raises InputError for another fraction.
    """
    held = _held_out(interactions, fraction, rng)
    return Split(train=part_of(interactions, ~held), test=part_of(interactions, held))


def temporal(interactions: Interactions, moment: int) -> Split:
    """Hold out every pair that was last played at ``moment``, in seconds since 1970, or later.

    A pair that was played both before and after is held out too: its plays are known only in sum, and what
    would be left of it to learn from would tell the answer. Raises InputError for interactions without times.
    """
    if interactions.pairs and not interactions.last_played.any():
        raise InputError("these interactions have no times, so they cannot be divided by time")
    held = interactions.last_played >= moment
    return Split(train=part_of(interactions, ~held), test=part_of(interactions, held))


def strong_generalisation(
    interactions: Interactions, users: int, fraction: float, rng: np.random.Generator
) -> StrongSplit:
    """Hold out ``users`` users, and of each a ``fraction`` of their items to be asked for.

    Raises InputError unless there are more users than that, and for a fraction that is not between 0 and 1.
    """
    count = len(interactions.user_ids)
    if not 1 <= users < count:
        raise InputError(f"from {count} users, 1 to {count - 1} can be held out, not {users}")
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[rng.permutation(count)[:users]] = True
    theirs = np.repeat(chosen, np.diff(interactions.indptr))
    asked = _held_out(interactions, fraction, rng) & theirs
    return StrongSplit(
        train=part_of(interactions, ~theirs),
        shown=part_of(interactions, theirs & ~asked),
        test=part_of(interactions, asked),
    )


def part_of(interactions: Interactions, kept: npt.NDArray[np.bool_]) -> Interactions:
    """The pairs that ``kept`` (pairs,) marks, with all ids."""
    return replace(
        interactions,
        indptr=starts_of(kept)[interactions.indptr],
        indices=interactions.indices[kept],
        weights=interactions.weights[kept],
        plays=interactions.plays[kept],
        last_played=interactions.last_played[kept],
        recent=None if interactions.recent is None else interactions.recent[kept],
    )


def _held_out(interactions: Interactions, fraction: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    if not 0 < fraction < 1:
        raise InputError(f"a fraction between 0 and 1 can be held out, not {fraction}")
    lengths = np.diff(interactions.indptr)
    users = np.repeat(np.arange(len(lengths)), lengths)
    shuffled = np.lexsort((rng.random(interactions.pairs), users))
    place = np.arange(interactions.pairs) - np.repeat(interactions.indptr[:-1], lengths)
    asked = np.minimum(np.floor(lengths * fraction + 0.5), lengths - 1)
    held = np.zeros(interactions.pairs, dtype=np.bool_)
    held[shuffled] = place < np.repeat(asked, lengths)
    return held
