"""The chance that a user plays an item, from the score of a blend.

    chance_ui = 1 / (1 + exp(-((a + d · h_u) · score_ui + b · h_u + c))),    h_u = ln(1 + n_u)

n_u is how many items the user has played: at equal scores, who plays more plays more of what is recommended, and the
score tells less. The four numbers maximise the likelihood of what users went on to play, by scores that were learned
from other users. A slope a + d · h_u below zero counts as zero.

Platt, "Probabilistic outputs for support vector machines", 1999.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

STEPS = 50
"""Newton steps at most; a few suffice."""


@dataclass(frozen=True)
class Chances:
    """a, b, d and c."""

    score: float
    history: float
    both: float
    level: float

    def of(self, scores: npt.NDArray[np.floating], history: npt.NDArray[np.floating]) -> Floats:
        """Return the chances (n,) of pairs with these ``scores`` (n,), by users with ``history`` (n,), ln(1 + n_u)."""
        slope = np.maximum(self.score + self.both * history, 0)
        odds = slope * scores.astype(np.float64) + self.history * history + self.level
        chances: Floats = (1 / (1 + np.exp(-odds))).astype(np.float32)
        return chances

    @classmethod
    def fitted(
        cls, scores: npt.NDArray[np.floating], history: npt.NDArray[np.floating], hits: npt.NDArray[np.bool_]
    ) -> "Chances":
        """Return those that make the ``hits`` (n,) most likely."""
        table = np.column_stack([scores, history, scores * history, np.ones(len(scores))])
        # Centred and scaled, so that a Newton step is as good in any unit.
        mean, spread = table[:, :3].mean(axis=0), np.maximum(table[:, :3].std(axis=0), 1e-12)
        table[:, :3] = (table[:, :3] - mean) / spread
        share = np.clip(hits.mean(), 1e-9, 1 - 1e-9)
        found = np.array([0.0, 0.0, 0.0, np.log(share / (1 - share))])
        for _ in range(STEPS):
            chances = 1 / (1 + np.exp(-(table @ found)))
            # Some curvature more, for where hits and misses are wholly apart.
            curvature = table.T @ (table * (chances * (1 - chances))[:, None]) + 1e-6 * np.eye(4)
            step = np.linalg.solve(curvature, table.T @ (hits - chances) - 1e-6 * found)
            found += np.clip(step, -1, 1)
            if abs(step).max() < 1e-9:
                break
        slopes = found[:3] / spread
        score, history_, both = slopes.tolist()
        return cls(score, history_, both, float(found[3] - mean @ slopes))

    def described(self) -> dict[str, float]:
        """Return it as JSON has it."""
        return asdict(self)

    @classmethod
    def described_by(cls, described: Mapping[str, Any]) -> "Chances":
        """Return what `described` gave; KeyError, TypeError or ValueError for anything else."""
        return cls(*(float(described[name]) for name in ("score", "history", "both", "level")))
