"""Ways to hide a part of the histories, so that a model can be asked for what it has not seen.

    random_holdout         a share of each user's items; measures how well tastes are completed
    temporal               what was played last from a moment on; measures how well the future is predicted
    strong_generalisation  whole users, part of whose history is shown; measures how well new users are served

All parts share the ids of the whole, so that rows mean the same in each. What is random follows from the generator
alone.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import starts_of
from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """What a model is fitted on, and what it is then asked for. No pair is in both."""

    train: Interactions
    test: Interactions


@dataclass(frozen=True, eq=False, kw_only=True)
class StrongSplit:
    """The histories of some users, and of the others what is shown to the model and what it is then asked for."""

    train: Interactions
    shown: Interactions
    test: Interactions


def random_holdout(interactions: Interactions, fraction: float, rng: np.random.Generator) -> Split:
    """Hide ``fraction``, above 0 and below 1, of each user's items, rounded to the nearest whole number.

    A user keeps at least one item. Raises InputError for another fraction.
    """
    hidden = _hidden(interactions, fraction, rng)
    return Split(train=part_of(interactions, ~hidden), test=part_of(interactions, hidden))


def temporal(interactions: Interactions, moment: int) -> Split:
    """Hide every pair that was last played at ``moment``, in seconds since 1970, or later.

    A pair that was played both before and after is hidden too: only the sum of its plays is recorded, and in train it
    would tell the answer. Raises InputError for interactions without times.
    """
    if interactions.pairs and not interactions.last_played.any():
        raise InputError("these interactions have no times, so they cannot be divided by time")
    hidden = interactions.last_played >= moment
    return Split(train=part_of(interactions, ~hidden), test=part_of(interactions, hidden))


def strong_generalisation(
    interactions: Interactions, users: int, fraction: float, rng: np.random.Generator
) -> StrongSplit:
    """Hide ``users`` users from train, and of each a ``fraction`` of the items from the model altogether.

    Raises InputError unless there are more users than that, and for a fraction that is not between 0 and 1.
    """
    count = len(interactions.user_ids)
    if not 1 <= users < count:
        raise InputError(f"of {count} users, 1 to {count - 1} can be hidden, not {users}")
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[rng.permutation(count)[:users]] = True
    theirs = np.repeat(chosen, np.diff(interactions.indptr))
    hidden = _hidden(interactions, fraction, rng) & theirs
    return StrongSplit(
        train=part_of(interactions, ~theirs),
        shown=part_of(interactions, theirs & ~hidden),
        test=part_of(interactions, hidden),
    )


def part_of(interactions: Interactions, kept: npt.NDArray[np.bool_]) -> Interactions:
    """Return the pairs that ``kept`` (pairs,) marks, with all ids."""
    return replace(
        interactions,
        indptr=starts_of(kept)[interactions.indptr],
        indices=interactions.indices[kept],
        weights=interactions.weights[kept],
        plays=interactions.plays[kept],
        last_played=interactions.last_played[kept],
    )


def _hidden(interactions: Interactions, fraction: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """(pairs,) a random ``fraction`` of each user's items."""
    if not 0 < fraction < 1:
        raise InputError(f"a fraction between 0 and 1 can be hidden, not {fraction}")
    lengths = np.diff(interactions.indptr)
    users = np.repeat(np.arange(len(lengths)), lengths)
    shuffled = np.lexsort((rng.random(interactions.pairs), users))
    place = np.arange(interactions.pairs) - np.repeat(interactions.indptr[:-1], lengths)
    counts = np.minimum(np.floor(lengths * fraction + 0.5), lengths - 1)
    hidden = np.zeros(interactions.pairs, dtype=np.bool_)
    hidden[shuffled] = place < np.repeat(counts, lengths)
    return hidden
