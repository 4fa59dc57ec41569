"""How well models recommend: splits, metrics with intervals, comparisons on the same users."""

from crossfade.evaluate.intervals import Estimate, difference_estimate
from crossfade.evaluate.recommendation import Report, Slice, evaluate
from crossfade.evaluate.searching import search_settings
from crossfade.evaluate.splits import Split, k_fold, random_holdout, strong_generalisation, temporal, temporal_listens
from crossfade.evaluate.trials import try_model

__all__ = [
    "Estimate",
    "Report",
    "Slice",
    "Split",
    "difference_estimate",
    "evaluate",
    "k_fold",
    "random_holdout",
    "search_settings",
    "strong_generalisation",
    "temporal",
    "temporal_listens",
    "try_model",
]
