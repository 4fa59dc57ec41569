"""The settings of alternating least squares."""

from dataclasses import dataclass
from typing import Literal

from crossfade.core.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class ALSSettings:
    """What `ALS` is fitted with."""

    factors: int = 64  # width of a vector, 8 to 2048
    # what is minimised: "hkv" weighs played pairs by their confidence and all others 1; "ials" weighs pairs that
    # were not played unobserved_weight and scales the regularization with how many pairs a row has
    objective: Literal["hkv", "ials"] = "ials"
    regularization: float | None = None  # λ, above 0; unset is what the noise in the data asks for
    alpha: float | None = None  # confidence that one play adds, 0 or more; unset is 10 for "hkv", 1 for "ials"
    confidence: Literal["linear", "log"] = "log"  # 1 + alpha r, or for heavy tails 1 + alpha ln(1 + r / epsilon)
    epsilon: float = 1.0  # plays at which the logarithm bends, above 0; only for confidence "log"
    # α₀, weight of a pair that was not played, above 0; unset: such pairs weigh eight times the played ones together;
    # only for objective "ials"
    unobserved_weight: float | None = None
    # ν, how regularization grows with a row's pairs, 0 (not at all) to 2; only for objective "ials"
    frequency_exponent: float = 1.0
    # whether users and items have biases: what an item's score has for every user, and a user's for every item
    biases: bool = False
    iterations: int = 15  # times that users and items are solved, 1 to 1000
    # "cholesky" solves exactly, "cg" takes a few steps of conjugate gradients, "pcg" preconditioned ones, which come
    # closer; "auto" is cg up to 32 factors, else pcg
    solver: Literal["auto", "cg", "pcg", "cholesky"] = "auto"
    cg_steps: int = 3  # steps of solvers "cg" and "pcg" for each row and iteration, 1 to 100
    seed: int = 0  # of the first item vectors, 0 or more

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted."""
        infinite = float("inf")
        for name, low, high in (
            ("factors", 8, 2048),
            ("alpha", 0, infinite),
            ("frequency_exponent", 0, 2),
            ("iterations", 1, 1000),
            ("cg_steps", 1, 100),
            ("seed", 0, infinite),
        ):
            value = getattr(self, name)
            # Written positively, so that NaN is refused too; None is a default that the objective decides.
            if value is not None and not (low <= value <= high and value < infinite):
                raise SettingsError(f"{name} must be from {low} to {high}, not {value!r}")
        for name in ("regularization", "epsilon", "unobserved_weight"):
            value = getattr(self, name)
            if value is not None and not 0 < value < infinite:
                raise SettingsError(f"{name} must be above 0, not {value!r}")
        for name, choices in (
            ("objective", ("hkv", "ials")),
            ("confidence", ("linear", "log")),
            ("solver", ("auto", "cg", "pcg", "cholesky")),
        ):
            if getattr(self, name) not in choices:
                raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        if self.biases and self.solver == "cg":
            raise SettingsError('biases need the solver "pcg" or "cholesky", or "auto" that finds one; "cg" has none')
