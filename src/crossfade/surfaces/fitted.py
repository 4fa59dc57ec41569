"""Which models a release has, on what, and what each adds to the blend of them."""

from dataclasses import dataclass

from crossfade.core.kinds import KINDS
from crossfade.models.blend_fitted import FittedBlend
from crossfade.surfaces.asking import OpenRelease


@dataclass(frozen=True, kw_only=True)
class Share:
    """What a model counts in the blend of one kind.

    weight  0 for one that was left out
    adds    NDCG@20 that it adds, and its standard error; None if weights were not learned
    """

    kind: str
    weight: float
    adds: float | None = None
    error: float | None = None


@dataclass(frozen=True, kw_only=True)
class ModelOf:
    """A model of a release.

    kinds   that it is fitted on
    blends  whether it is a blend of the others
    shares  in the blend, by kind; empty without a blend
    """

    name: str
    kinds: list[str]
    blends: bool
    shares: list[Share]


def models_of(opened: OpenRelease) -> list[ModelOf]:
    """Return the models of a release, in the order of the settings."""
    kinds = {name: [kind for kind in KINDS if opened.has_model(name, kind)] for name in opened.models}
    blends = {
        name: {kind: model for kind in kinds[name] if isinstance(model := opened.model(name, kind), FittedBlend)}
        for name in opened.models
        if opened.blends(name)
    }
    return [
        ModelOf(
            name=name,
            kinds=kinds[name],
            blends=name in blends,
            shares=[
                Share(kind=kind, weight=float(told["weight"]), adds=told.get("adds"), error=told.get("error"))
                for models in blends.values()
                for kind, model in models.items()
                if (told := model.weights.report.get(name)) is not None
            ],
        )
        for name in opened.models
    ]
