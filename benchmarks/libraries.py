"""What models learn from, out of a home that lasts as long as its case, by the pipeline's own steps."""

from pathlib import Path
from typing import Any

import numpy as np

from crossfade.core.artifacts import writing
from crossfade.core.home import Home
from crossfade.core.ids import ItemKind
from crossfade.core.interactions import Interactions
from crossfade.core.progress import silent
from crossfade.core.spaces import Vectors, VectorSpace
from crossfade.models.contract import InputKind
from crossfade.models.factors import FittedItems
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.sources import CATALOG, learnable, load_learned
from crossfade.pipeline.steps import Step, in_order


def learned(home: Home, source: InputKind, kind: ItemKind, settings: Settings) -> Any:
    """`Interactions`, `Sequences` or `Writings` of what was imported into ``home``."""
    step = learnable(home, settings).learned[source][kind]
    return load_learned(source, _made(home, step), kind)


def fitted_vectors(model: str, train: Interactions, users: Vectors, items: Vectors) -> FittedItems:
    """The vectors of a peer, by inner product, as a fitted model."""
    space = VectorSpace(
        model=model,
        kind=train.kind,
        metric="dot",
        item_ids=train.item_ids,
        item_vectors=np.ascontiguousarray(items),
        user_ids=train.user_ids,
        user_vectors=np.ascontiguousarray(users),
    )
    return FittedItems(space=space, support=train.listeners())


def catalog(home: Home, settings: Settings) -> Path:
    """Where the merged tables of ``home`` lie."""
    interactions = next(iter(learnable(home, settings).interactions.values()))
    (step,) = (need for need in interactions.needs if need.name == CATALOG)
    return _made(home, step)


def _made(home: Home, wanted: Step) -> Path:
    """The artifact of a step, which is done after all that it needs."""
    for step in in_order(wanted):
        if not step.is_done(home):
            with writing(step.place(home), step.identity) as draft:
                step.work(draft, {need.name: need.place(home) for need in step.needs}, silent)
    return wanted.place(home)
