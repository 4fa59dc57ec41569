"""Crossfade: music recommendations from listening history.

    from crossfade import ALS, Interactions

    interactions = Interactions.from_counts(users, items, plays)
    model = ALS(factors=64).fit(interactions)
    model.recommend(["ann"], 10, exclude=interactions)
    model.similar(["Radiohead"], 10)

    from crossfade import open_release

    with open_release() as release:
        release.discover("ann")

    import crossfade

    crossfade.evaluate(["als", "ease", "popularity"], interactions)

Names are loaded on first use, so that importing the package costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

from crossfade.core.version import __version__

if TYPE_CHECKING:
    from crossfade.core.ids import Ids
    from crossfade.core.interactions import Interactions
    from crossfade.core.sequences import Sequences
    from crossfade.core.spaces import Neighbours, VectorSpace
    from crossfade.core.texts import Texts
    from crossfade.core.writings import Writings
    from crossfade.evaluate.comparing import compare as evaluate
    from crossfade.models.als import ALS, ALSSettings
    from crossfade.models.blend import Blend, BlendSettings
    from crossfade.models.cooccurrence import Cooccurrence
    from crossfade.models.cooccurrence_columns import CooccurrenceSettings
    from crossfade.models.cultural import Cultural, CulturalSettings
    from crossfade.models.ease import EASE, EASESettings
    from crossfade.models.logistic import Logistic, LogisticSettings
    from crossfade.models.popularity import Popularity, PopularitySettings
    from crossfade.models.registry import load_fitted
    from crossfade.models.spectral import Spectral, SpectralSettings
    from crossfade.models.user_neighbours import UserNeighbours, UserNeighboursSettings
    from crossfade.models.vector_exp import VectorExp, VectorExpSettings
    from crossfade.models.word2vec import Word2Vec, Word2VecSettings
    from crossfade.pipeline.evaluating import open_split
    from crossfade.pipeline.opening import OpenedRelease, Page, open_release

_MODULES = {
    "core.ids": ["Ids"],
    "core.interactions": ["Interactions"],
    "core.sequences": ["Sequences"],
    "core.spaces": ["Neighbours", "VectorSpace"],
    "core.texts": ["Texts"],
    "core.writings": ["Writings"],
    "models.als": ["ALS", "ALSSettings"],
    "models.blend": ["Blend", "BlendSettings"],
    "models.cooccurrence": ["Cooccurrence"],
    "models.cooccurrence_columns": ["CooccurrenceSettings"],
    "models.cultural": ["Cultural", "CulturalSettings"],
    "models.ease": ["EASE", "EASESettings"],
    "models.logistic": ["Logistic", "LogisticSettings"],
    "models.popularity": ["Popularity", "PopularitySettings"],
    "models.registry": ["load_fitted"],
    "models.spectral": ["Spectral", "SpectralSettings"],
    "models.user_neighbours": ["UserNeighbours", "UserNeighboursSettings"],
    "models.vector_exp": ["VectorExp", "VectorExpSettings"],
    "models.word2vec": ["Word2Vec", "Word2VecSettings"],
    "pipeline.evaluating": ["open_split"],
    "pipeline.opening": ["OpenedRelease", "Page", "open_release"],
}
_HOMES = {name: f"crossfade.{module}" for module, names in _MODULES.items() for name in names}

__all__ = [
    "ALS",
    "EASE",
    "ALSSettings",
    "Blend",
    "BlendSettings",
    "Cooccurrence",
    "CooccurrenceSettings",
    "Cultural",
    "CulturalSettings",
    "EASESettings",
    "Ids",
    "Interactions",
    "Logistic",
    "LogisticSettings",
    "Neighbours",
    "OpenedRelease",
    "Page",
    "Popularity",
    "PopularitySettings",
    "Sequences",
    "Spectral",
    "SpectralSettings",
    "Texts",
    "UserNeighbours",
    "UserNeighboursSettings",
    "VectorExp",
    "VectorExpSettings",
    "VectorSpace",
    "Word2Vec",
    "Word2VecSettings",
    "Writings",
    "__version__",
    "evaluate",
    "load_fitted",
    "open_release",
    "open_split",
]


def __getattr__(name: str) -> Any:
    if name == "evaluate":  # a room that can be called
        return importlib.import_module("crossfade.evaluate")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'crossfade' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
