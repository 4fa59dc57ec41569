"""Popularity: everybody is recommended what most users play. The baseline that every model has to beat.

    score_i = Σ_u w_ui · 2^(-(T - t_ui) / h)        over the users u that played i

t is when u last played i, T the latest time of all and h a half-life; without one nothing decays. w is 1, so that a
listener counts once, or the weight of the pair. One pass over the interactions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import InputError, SettingsError
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import as_table
from crossfade.core.spaces import Neighbours
from crossfade.models.contract import Configured, FittedSpace, InputKind
from crossfade.models.similarity import require_interactions
from crossfade.nearest.contract import Index

DAY = 86_400
"""Seconds."""


@dataclass(frozen=True, kw_only=True)
class PopularitySettings:
    """What `Popularity` is fitted with."""

    counted: Literal["listeners", "weights"] = "listeners"  # each user of an item once, or by the weight of the pair
    # days since a user last played an item in which that loses half of what it counts, 0 (never) or 0.01 to 100000
    half_life_days: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted."""
        if self.counted not in ("listeners", "weights"):
            raise SettingsError(f"counted must be one of listeners, weights, not {self.counted!r}")
        # Written positively, so that NaN is refused too.
        if self.half_life_days != 0 and not 0.01 <= self.half_life_days <= 100_000:
            raise SettingsError(f"half_life_days must be 0 or from 0.01 to 100000 days, not {self.half_life_days!r}")


class PopularitySpace(FittedSpace):
    """A space of one dimension, in which an item stands at its popularity and each user at 1."""

    compares_items: ClassVar[bool] = False

    def similar(
        self,
        item_ids: Sequence[str],
        k: int,
        *,
        exclude_items: Sequence[str] = (),
        allowed_items: Sequence[str] | None = None,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """Raises InputError: popularity says nothing of how alike two items are."""
        raise InputError(
            "Popularity knows how many play an item, not what it is like, so there are no similar items. Ask another "
            "model, such as als or cooccurrence."
        )


class Popularity(Configured[PopularitySettings]):
    """How many users play each item."""

    name: ClassVar[str] = "popularity"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[PopularitySettings]] = PopularitySettings
    space_class: ClassVar[type[PopularitySpace]] = PopularitySpace

    def fit(
        self, interactions: Interactions, /, *, threads: int | None = None, progress: Progress = silent
    ) -> PopularitySpace:
        """The popularity of every item of ``interactions``, the same for each of their users.

        Raises InputError if there are no interactions, for weights that are not finite numbers above 0, and for a
        half-life where the source told no times. A pair without a time among others counts as the oldest.
        """
        require_interactions(interactions, "Popularity")
        items, counted = len(interactions.item_ids), self.settings.counted
        weights = interactions.weights.astype(np.float64) if counted == "weights" else np.ones(interactions.pairs)
        if self.settings.half_life_days:
            weights *= _freshness(interactions.last_played, self.settings.half_life_days)
        scores = np.bincount(interactions.indices, weights=weights, minlength=items)
        progress(items, items, "items")
        return PopularitySpace(
            model=self.name,
            kind=interactions.kind,
            metric="dot",
            item_ids=interactions.item_ids,
            item_vectors=scores.astype(np.float32)[:, None],
            user_ids=interactions.user_ids,
            user_vectors=np.ones((len(interactions.user_ids), 1), dtype=np.float32),
            settings=as_table(self.settings),
        )


def _freshness(last_played: npt.NDArray[np.uint32], half_life: float) -> npt.NDArray[np.float64]:
    """(n,) what a pair still counts, from 1 for the latest; ``half_life`` in days."""
    known = last_played[last_played > 0]
    if not len(known):
        raise InputError(
            "these interactions have no times, so popularity cannot fade: set half_life_days to 0, or import listens "
            "with their times"
        )
    times = np.maximum(last_played, known.min()).astype(np.float64)
    fresh: npt.NDArray[np.float64] = np.exp2((times - known.max()) / (half_life * DAY))
    return fresh
