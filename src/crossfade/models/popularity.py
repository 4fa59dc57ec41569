"""Popularity: everybody gets what most users play. The baseline that every model has to beat.

    score_i = Σ_u w_ui · 2^(-(T - t_ui) / h)        over the users u that played i

t is when u last played i, T the latest time of all and h a half-life; without one nothing decays. w is 1, so that a
listener counts once, or the weight of the pair. One pass over the interactions.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Checked, Range, as_table
from crossfade.core.spaces import Vectors, VectorSpace
from crossfade.models.contract import Configured, InputKind, Keeping, require_interactions
from crossfade.models.factors import FittedFactors

DAY = 86_400
"""Seconds."""


@dataclass(frozen=True, kw_only=True)
class PopularitySettings(Checked):
    """What `Popularity` is fitted with."""

    counted: Literal["listeners", "weights"] = "listeners"  # each user of an item once, or by the weight of the pair
    # since a user last played an item, after which that counts half; 0: it counts in full for ever
    half_life_days: Annotated[float, Range(0.01, 100_000, also=(0,), unit="days")] = 0.0


class FittedPopularity(FittedFactors):
    """The popularity of items: vectors of one number, by which every user is 1. It compares no items."""

    def profiles(self, histories: Interactions, *, threads: int | None = None) -> Vectors:
        """(n, 1) ones, whatever the n users played; see `Fitted.profiles`."""
        return np.ones((self.histories_of(histories).rows, 1), dtype=np.float32)


class Popularity(Configured[PopularitySettings]):
    """How many users play each item."""

    name: ClassVar[str] = "popularity"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[PopularitySettings]] = PopularitySettings
    fitted_class: ClassVar[type[FittedPopularity]] = FittedPopularity
    keeps: ClassVar[Keeping] = "never"

    def fit(
        self,
        interactions: Interactions,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
    ) -> FittedPopularity:
        """Fit the popularity of every item of ``interactions``; see `Model.fit`.

        Keeps nothing in the ``workspace``. Raises InputError for interactions that nothing can be learned from, and for
        a half-life where no pair has a time. A pair without a time among others counts as the oldest.
        """
        require_interactions(interactions, self.name)
        items, counted = len(interactions.item_ids), self.settings.counted
        weights = interactions.weights.astype(np.float64) if counted == "weights" else np.ones(interactions.pairs)
        if self.settings.half_life_days:
            weights *= _freshness(interactions.last_played, self.settings.half_life_days)
        scores = np.bincount(interactions.indices, weights=weights, minlength=items)
        progress(items, items, "items")
        return FittedPopularity(
            space=VectorSpace(
                model=self.name,
                kind=interactions.kind,
                metric="dot",
                item_ids=interactions.item_ids,
                item_vectors=scores.astype(np.float32)[:, None],
                user_ids=interactions.user_ids,
                user_vectors=np.ones((len(interactions.user_ids), 1), dtype=np.float32),
                settings=as_table(self.settings),
            ),
            support=interactions.listeners(),
        )


def _freshness(last_played: npt.NDArray[np.uint32], half_life: float) -> npt.NDArray[np.float64]:
    """(n,) how much a pair still counts: 1 for the latest; ``half_life`` in days."""
    noted = last_played[last_played > 0]
    if not len(noted):
        raise InputError(
            "These interactions have no times, so popularity cannot fade. Set half_life_days to 0, or import listens "
            "with their times."
        )
    times = np.maximum(last_played, noted.min()).astype(np.float64)
    fresh: npt.NDArray[np.float64] = np.exp2((times - noted.max()) / (half_life * DAY))
    return fresh
