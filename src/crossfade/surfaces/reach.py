"""How much of a listener's history models can learn from: the plays of items that somebody else plays too."""

from dataclasses import dataclass

from crossfade.core.catalogue import Items
from crossfade.core.ids import MISSING
from crossfade.core.interactions import Interactions


@dataclass(frozen=True)
class Reach:
    """A listener among the others.

    listeners  how many listeners there are, this one included
    plays      the listener's plays
    shared     those of items that another listener has played
    """

    listeners: int
    plays: int
    shared: int

    @property
    def share(self) -> float:
        """The share of plays that are shared, 0 to 1."""
        return self.shared / self.plays if self.plays else 0.0


def reach_of(user: str, interactions: Interactions, items: Items) -> Reach:
    """Return how far the history of ``user`` among ``interactions`` is shared; ``items`` are those of the catalogue."""
    row = interactions.user_ids.find(user)
    if row == MISSING:
        return Reach(len(interactions.user_ids), 0, 0)
    pairs = interactions.of_user(row)
    plays = interactions.plays[pairs]
    rows = items.ids.rows(interactions.item_ids.select(interactions.indices[pairs]))
    return Reach(len(interactions.user_ids), int(plays.sum()), int(plays[items.listeners[rows] > 1].sum()))
