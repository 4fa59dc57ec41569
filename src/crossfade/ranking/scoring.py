"""Scores: one column made of all others.

A scorer says which columns it needs and returns the score of every candidate. Assembly takes any scores, so that
another scorer, such as one that was learned, replaces this step and nothing else. A scorer that can say what a score
is made of `Explains` it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts
from crossfade.ranking.candidates import CLOSENESS, Candidates
from crossfade.ranking.features import POPULARITY

Floats = npt.NDArray[np.float32]


class Scorer(Protocol):
    """Scores candidates."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that it reads: names of models, and those of `crossfade.ranking.features`."""

    def score(self, candidates: Candidates) -> Floats:
        """Return the finite score (n,) of each pair; higher is better, comparable within one user only."""


@runtime_checkable
class Explains(Protocol):
    """What a scorer has if it can say what its scores are made of."""

    def contributions(self, candidates: Candidates) -> Mapping[str, Floats]:
        """Return the parts (n,) of each score, by the name of a model or a feature; they add up to the score."""


@dataclass(frozen=True)
class Formula:
    """taste · t / max t + (1 - taste) · c / max c - popularity_cost · p

    t, the score of ``model``, and c, the closeness, are divided by the largest of the user's candidates, since neither
    scale means anything by itself; what is below zero or unknown counts as zero. p is the popularity.
    """

    model: str
    taste: float
    popularity_cost: float

    @property
    def needs(self) -> tuple[str, ...]:
        """The score of the model, closeness and popularity."""
        return self.model, CLOSENESS, POPULARITY

    def score(self, candidates: Candidates) -> Floats:
        """Return the score (n,) of each pair."""
        popularity, *others = self.contributions(candidates).values()
        scores = popularity.copy()
        for part in others:
            scores += part
        return scores

    def contributions(self, candidates: Candidates) -> dict[str, Floats]:
        """Return the three parts (n,) of each score."""
        columns = candidates.columns
        return {
            POPULARITY: -np.float32(self.popularity_cost) * columns[POPULARITY],
            self.model: np.float32(self.taste) * relative(columns[self.model], candidates.indptr),
            CLOSENESS: np.float32(1 - self.taste) * relative(columns[CLOSENESS], candidates.indptr),
        }


def relative(values: Floats, indptr: Starts) -> Floats:
    """Return ``values`` (n,) divided by the largest of their user; below zero, NaN, and of a user without any: 0."""
    positive = np.fmax(values, np.float32(0))
    lengths = np.diff(indptr)
    largest = np.zeros(len(lengths), dtype=np.float32)
    if len(values):
        largest[lengths > 0] = np.maximum.reduceat(positive, indptr[:-1][lengths > 0])
    shares: Floats = positive / np.repeat(np.where(largest > 0, largest, np.float32(1)), lengths)
    return shares
