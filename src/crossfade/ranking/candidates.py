"""Candidates for one listener, and their scores.

Two sources propose makers (artists; tracks in a library of tracks alone), each maker some of its items:

- the listener's vector: the makers that score best with it, and
- the related makers of the seeds that the listener recognises.

Every candidate is then scored by both sources,

    taste(i)     = x · y_i                                     (the space's metric)
    closeness(i) = Σ_a ln(1 + plays_a) · rel(a, maker(i))      over the seeds a in whose lists the maker stands

each divided by its largest value among the candidates, since neither scale means anything by itself, and
blended: share · taste + (1 - share) · closeness - popularity cost. What the listener has played is no
candidate, nor is anything by a maker that the listener already knows.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import MISSING, Rows
from crossfade.ranking.lists import Lists


def candidate_makers(related: Lists, seeds: Rows, liked: Rows, known: Rows, things: Rows) -> Rows:
    """The makers proposed for a listener, ascending: related to ``seeds``, or ``liked`` by the vector.

    ``things`` (makers,) has the same number for makers that are the same to a listener; whatever is the same
    as one of the ``known`` makers is left out. ``liked`` may be padded with MISSING.
    """
    proposed = np.concatenate([liked[liked != MISSING], *(related.rows[related.of(int(seed))] for seed in seeds)])
    return np.unique(proposed[~np.isin(things[proposed], things[known])])


def closeness_of(related: Lists, seeds: Rows, plays: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """(makers,) how close each maker is to the ``seeds``, each played ``plays`` times; 0 for most."""
    closeness = np.zeros(len(related.indptr) - 1)
    for seed, played in zip(seeds, plays, strict=True):
        span = related.of(int(seed))
        closeness[related.rows[span]] += np.log1p(played) * related.scores[span]
    return closeness


def blended(
    taste: npt.NDArray[np.floating], closeness: npt.NDArray[np.floating], costs: npt.NDArray[np.floating], share: float
) -> npt.NDArray[np.floating]:
    """The scores (n,) of n candidates from their taste, closeness and popularity costs."""
    taste, closeness = np.maximum(taste, 0), np.maximum(closeness, 0)
    most_taste, most_close = taste.max(initial=0.0), closeness.max(initial=0.0)
    scores = -costs
    if most_taste > 0:
        scores = scores + share * taste / most_taste
    if most_close > 0:
        scores = scores + (1 - share) * closeness / most_close
    return scores
