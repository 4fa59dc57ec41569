"""The models by name. A new one is a file in this room and a line here."""

import importlib
import json
from pathlib import Path
from typing import Any

from crossfade.core.errors import ArtifactError, SettingsError
from crossfade.models.contract import FittedSpace, Model

# name → "module:class"; imported only when the model is asked for.
MODELS: dict[str, str] = {
    "als": "crossfade.models.als:ALS",
    "cooccurrence": "crossfade.models.cooccurrence:Cooccurrence",
    "ease": "crossfade.models.ease:EASE",
    "logistic": "crossfade.models.logistic:Logistic",
    "popularity": "crossfade.models.popularity:Popularity",
    "vector_exp": "crossfade.models.vector_exp:VectorExp",
    "cultural": "crossfade.models.cultural:Cultural",
    "word2vec": "crossfade.models.word2vec:Word2Vec",
}


def model_class(name: str) -> type[Model[Any]]:
    """The class registered as ``name``, to be made from its settings; SettingsError if there is none."""
    if name not in MODELS:
        raise SettingsError(f"there is no model {name!r}; known: {', '.join(sorted(MODELS))}")
    module, _, attribute = MODELS[name].partition(":")
    found: type[Model[Any]] = getattr(importlib.import_module(module), attribute)
    return found


def load_space(directory: Path) -> FittedSpace:
    """Memory-map a saved space as the class of the model that made it.

    Raises ArtifactError if there is none, or if this version does not know its model.
    """
    try:
        name = json.loads((directory / "space.json").read_text())["model"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{directory} holds no readable vector space: {error}") from error
    if name not in MODELS:
        raise ArtifactError(f"{directory} was made by the model {name!r}, which this version does not know.")
    return model_class(name).space_class.load(directory)
