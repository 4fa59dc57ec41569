"""The baseline that every model has to beat: everybody is recommended what most users play."""

import numpy as np

from crossfade.core.interactions import Interactions
from crossfade.models.contract import FittedSpace


def popularity_space(train: Interactions) -> FittedSpace:
    """A space of one dimension, in which an item stands at its number of listeners and each user at 1."""
    return FittedSpace(
        model="popularity",
        kind=train.kind,
        metric="dot",
        item_ids=train.item_ids,
        item_vectors=train.listeners().astype(np.float32)[:, None],
        user_ids=train.user_ids,
        user_vectors=np.ones((len(train.user_ids), 1), dtype=np.float32),
    )
