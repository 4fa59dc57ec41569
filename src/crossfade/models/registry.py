"""The models by name. A new one is a file in this room and a line here."""

import importlib
import json
from pathlib import Path
from typing import Any

from crossfade.core.errors import ArtifactError, SettingsError
from crossfade.models.contract import ComparesItems, Fitted, Model

# name → "module:class"; imported only when the model is used.
MODELS: dict[str, str] = {
    "als": "crossfade.models.als:ALS",
    "blend": "crossfade.models.blend:Blend",
    "cooccurrence": "crossfade.models.cooccurrence:Cooccurrence",
    "ease": "crossfade.models.ease:EASE",
    "logistic": "crossfade.models.logistic:Logistic",
    "popularity": "crossfade.models.popularity:Popularity",
    "spectral": "crossfade.models.spectral:Spectral",
    "user_neighbours": "crossfade.models.user_neighbours:UserNeighbours",
    "vector_exp": "crossfade.models.vector_exp:VectorExp",
    "cultural": "crossfade.models.cultural:Cultural",
    "word2vec": "crossfade.models.word2vec:Word2Vec",
}


def model_class(name: str) -> type[Model[Any]]:
    """Return the class registered as ``name``; SettingsError if there is none."""
    if name not in MODELS:
        raise SettingsError(f"there is no model {name!r}; there are: {', '.join(sorted(MODELS))}")
    module, _, attribute = MODELS[name].partition(":")
    model: type[Model[Any]] = getattr(importlib.import_module(module), attribute)
    return model


def compares_items(name: str) -> bool:
    """Return whether the fitted models of this class compare items; SettingsError if there is no such class."""
    return issubclass(model_class(name).fitted_class, ComparesItems)


def load_fitted(directory: Path | str) -> Fitted[Any]:
    """Memory-map a saved model of any class; ArtifactError if there is none, or one that this version does not know."""
    directory = Path(directory)
    try:
        name = json.loads((directory / "space.json").read_text(encoding="utf-8"))["model"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{directory} has no readable model: {error}") from error
    if name not in MODELS:
        raise ArtifactError(f"{directory} was written by the model {name!r}, which this version does not know.")
    return model_class(name).fitted_class.load(directory)
