"""How well models recommend: splits, metrics with intervals, comparisons on the same users.

The room can be called: ``crossfade.evaluate(models, split)`` is `compare`.
"""

import sys
from types import ModuleType
from typing import Any

from crossfade.evaluate.comparing import compare
from crossfade.evaluate.comparison import Comparison
from crossfade.evaluate.intervals import Estimate, difference_estimate
from crossfade.evaluate.recommendation import Report, Slice, evaluate
from crossfade.evaluate.searching import search_settings
from crossfade.evaluate.splits import Split, k_fold, random_holdout, strong_generalisation, temporal, temporal_listens
from crossfade.evaluate.trials import try_model

__all__ = [
    "Comparison",
    "Estimate",
    "Report",
    "Slice",
    "Split",
    "compare",
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


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Comparison:
        return compare(*arguments, **options)


# The function has the name of the room, and importing a module below the room sets this name to the room.
sys.modules[__name__].__class__ = _Callable
