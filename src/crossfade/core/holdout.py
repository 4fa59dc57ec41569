"""A part of the pairs hidden, so that a model can be asked for what it has not seen."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import starts_of
from crossfade.core.errors import InputError
from crossfade.core.ids import MISSING
from crossfade.core.interactions import Interactions


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


def held_out(interactions: Interactions, fraction: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return which pairs (pairs,) are hidden: a random ``fraction`` of each user's items, to the nearest whole number.

    A user keeps at least one item. Raises InputError for a fraction that is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise InputError(f"a fraction between 0 and 1 can be hidden, not {fraction}")
    lengths = np.diff(interactions.indptr)
    counts = np.minimum(np.floor(lengths * fraction + 0.5), lengths - 1)
    hidden: npt.NDArray[np.bool_] = shuffled_places(interactions, rng) < np.repeat(counts, lengths)
    return hidden


def shuffled_places(interactions: Interactions, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return (pairs,) the place of each pair in a random order of its user's pairs, from 0."""
    lengths = np.diff(interactions.indptr)
    users = np.repeat(np.arange(len(lengths)), lengths)
    places = np.empty(interactions.pairs, dtype=np.int64)
    places[np.lexsort((rng.random(interactions.pairs), users))] = np.arange(interactions.pairs) - np.repeat(
        interactions.indptr[:-1], lengths
    )
    return places


def by_ids_of(other: Interactions, interactions: Interactions) -> Interactions:
    """Return the pairs of ``interactions`` by the ids of ``other``; those of other users and items are left out."""
    users = other.user_ids.rows(list(interactions.user_ids), missing="mark").astype(np.int64)
    items = other.item_ids.rows(list(interactions.item_ids), missing="mark")
    by, what = np.repeat(users, np.diff(interactions.indptr)), items[interactions.indices]
    known = (by != MISSING) & (what != MISSING)
    kind, plays = interactions.kind, interactions.plays[known]
    return Interactions.from_rows(other.user_ids, other.item_ids, by[known], what[known], plays, kind=kind)


def new_pairs(whole: Interactions, shown: Interactions) -> Interactions:
    """Return the pairs of ``whole`` that ``shown`` lacks, by the ids of ``shown``; of its users and items alone."""
    found = by_ids_of(shown, whole)
    return part_of(found, ~_among(found, shown))


def seen_pairs(whole: Interactions, shown: Interactions) -> Interactions:
    """Return the pairs of ``whole`` that ``shown`` has too, by the ids of ``shown``."""
    found = by_ids_of(shown, whole)
    return part_of(found, _among(found, shown))


def _among(some: Interactions, others: Interactions) -> npt.NDArray[np.bool_]:
    """Which pairs of ``some`` are among ``others``, by the same ids."""
    width = max(len(others.item_ids), 1)

    def keys(of: Interactions) -> npt.NDArray[np.int64]:
        return np.repeat(np.arange(len(of.user_ids)), np.diff(of.indptr)) * width + of.indices

    return np.isin(keys(some), keys(others))
