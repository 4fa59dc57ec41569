"""What one listen counts: what it weighs in a release, whether a release has learned it, whether it is left out."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from crossfade.aggregation.interactions import InteractionSettings
from crossfade.aggregation.plays import LEAN_BACK
from crossfade.core.interactions import LEAST_WEIGHT, MOST_WEIGHT
from crossfade.stores.live import Exclusion, Listen


class Count(NamedTuple):
    """What came since of one item: how much it weighs in plays, how many plays, and the latest (seconds since 1970)."""

    weight: float = 0.0
    plays: int = 0
    latest: int = 0


class Weighing(NamedTuple):
    """What plays weigh: as ``settings`` say, aged towards ``reference``, in seconds since 1970."""

    settings: InteractionSettings
    reference: int

    def share(self, listen: Listen) -> float:
        """Return what one listen counts, in plays."""
        settings = self.settings
        share = settings.lean_back_weight if (listen.source or "").lower() in LEAN_BACK else settings.chosen_weight
        age = max(0, self.reference - listen.listened_at // 1000)
        return share * 0.5 ** (age / (settings.half_life_days * 86_400)) if settings.half_life_days else share

    def plays(self, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return what such ``weights`` (n,) count in plays."""
        wide = weights.astype(np.float64)
        return wide if self.settings.weight == "count" else self.settings.epsilon * np.expm1(wide)

    def weights(self, plays: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return the weights (n,) of so many ``plays``."""
        weighed = plays if self.settings.weight == "count" else np.log1p(plays / self.settings.epsilon)
        return weighed.clip(LEAST_WEIGHT, MOST_WEIGHT).astype(np.float32)


class Known(NamedTuple):
    """What a release knows of one user and kind: plays and the latest one (seconds since 1970), by catalogue row."""

    items: Mapping[int, tuple[int, int]]

    def of(self, row: int) -> tuple[int, int]:
        """Return how often an item was played, and when last; zeros for one that was not."""
        return self.items.get(row, (0, 0))

    @property
    def latest(self) -> int:
        """When anything was played last."""
        return max((latest for _, latest in self.items.values()), default=0)


def excludes(exclusion: Exclusion, listen: Listen) -> bool:
    """Whether a listen is left out of taste."""
    if exclusion.hours is None:
        return exclusion.context == listen.context
    first, last = exclusion.hours
    hour = datetime.fromtimestamp(listen.listened_at / 1000, _zone(exclusion.timezone)).hour
    return first <= hour < last if first <= last else hour >= first or hour < last


@lru_cache
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return UTC
