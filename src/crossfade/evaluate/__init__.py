"""How well models recommend: splits, metrics with intervals, comparisons on the same users."""

from crossfade.evaluate.intervals import Estimate, difference_estimate
from crossfade.evaluate.recommendation import Report, evaluate
from crossfade.evaluate.splits import random_holdout, strong_generalisation, temporal
from crossfade.evaluate.trials import try_model

__all__ = [
    "Estimate",
    "Report",
    "difference_estimate",
    "evaluate",
    "random_holdout",
    "strong_generalisation",
    "temporal",
    "try_model",
]
