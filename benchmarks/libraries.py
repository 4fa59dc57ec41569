"""What models learn from, out of a home that lasts as long as its case, by the pipeline's own steps."""

from pathlib import Path
from typing import Any

import numpy as np

from crossfade.core.home import Home
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import Vectors, VectorSpace
from crossfade.kernels.threads import processors
from crossfade.models.contract import InputKind
from crossfade.models.factors import FittedItems
from crossfade.pipeline.gathering import CATALOG
from crossfade.pipeline.learning import LOADERS
from crossfade.pipeline.local import LocalRunner
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.runner import Watch
from crossfade.pipeline.settings import Settings

MEMORY = 2_000_000_000


def learned(home: Home, source: InputKind, kind: str, settings: Settings) -> Any:
    """`Interactions`, `Sequences` or `Writings` of what was imported into ``home``."""
    return LOADERS[source](_made(home, f"{source}-{kind}", settings), kind=kind)


def catalog(home: Home, settings: Settings) -> Path:
    """Where the merged tables of ``home`` are."""
    return _made(home, CATALOG, settings)


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


def _made(home: Home, name: str, settings: Settings) -> Path:
    """The artifact of a step, after those of all that it needs."""
    steps = make_plan(home, settings).steps
    needed, waiting = {name}, [name]
    while waiting:
        waiting += steps[waiting.pop()].needs.keys() - needed
        needed.update(waiting)
    chosen = [step for step in steps.values() if step.name in needed]
    LocalRunner(threads=processors(), memory_bytes=MEMORY).run(chosen, home, Watch())
    return steps[name].place(home)
