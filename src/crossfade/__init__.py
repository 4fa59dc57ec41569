"""Crossfade: music recommendations from listening history.

    from crossfade import ALS, Interactions

    space = ALS(factors=64).fit(Interactions.from_counts(users, items, plays))
    space.recommend(["ann"], 10)
    space.similar(["Radiohead"], 10)

Names are loaded on first use, so that importing the package costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

from crossfade.core.version import __version__

if TYPE_CHECKING:
    from crossfade.core.interactions import Interactions
    from crossfade.core.spaces import Neighbours, VectorSpace
    from crossfade.models.als import ALS, ALSSettings

_HOMES = {
    "ALS": "crossfade.models.als",
    "ALSSettings": "crossfade.models.als",
    "Interactions": "crossfade.core.interactions",
    "Neighbours": "crossfade.core.spaces",
    "VectorSpace": "crossfade.core.spaces",
}

__all__ = ["ALS", "ALSSettings", "Interactions", "Neighbours", "VectorSpace", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'crossfade' has no attribute {name!r}")
