"""Fitted models whose profile of a user is the history itself, its weights damped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR, check_indices, check_indptr
from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.ids import Rows
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import VectorSpace
from crossfade.core.training import converted
from crossfade.kernels.transposing import constant
from crossfade.models.contract import Fitted

Damping = Literal["binary", "log", "none"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FittedHistories(Fitted[CSR]):
    """A fitted model that answers from histories, with those of the trained users.

    histories  (users, items), damped as the setting ``damping`` says, items ascending
    """

    histories: CSR

    def __post_init__(self) -> None:
        super().__post_init__()
        users = len(self.user_ids or ())
        if self.histories.rows != users:
            raise ArtifactError(f"Histories of {self.histories.rows} users do not fit a space of {users} users.")

    def profiles(self, histories: Interactions, *, threads: int | None = None) -> CSR:
        """The damped histories (n, items) themselves; see `Fitted.profiles`."""
        rows = self.histories_of(histories)
        return rows._replace(values=damped(rows.values, self.settings["damping"]))

    def trained_profiles(self, users: Rows) -> CSR:
        """The damped histories of trained users; see `Fitted.trained_profiles`."""
        check_indices(users, len(self._users()), "users")
        return self.histories.take(users)

    def _checked(self, profiles: CSR) -> CSR:
        """Return ``profiles`` in the types that kernels want; InputError unless they are histories of its items."""
        if not isinstance(profiles, CSR):
            raise InputError(
                f"profiles of {self.name} are those that its profiles() gave, not a {type(profiles).__name__}"
            )
        types = zip(CSR._fields, (np.int64, np.int32, np.float32), strict=True)
        checked = CSR(*(converted(name, getattr(profiles, name), dtype) for name, dtype in types))
        check_indptr(checked.indptr, len(checked.indices))
        check_indices(checked.indices, len(self.item_ids))
        if len(checked.values) != len(checked.indices):
            raise InputError(f"{len(checked.indices)} indices do not fit {len(checked.values)} values")
        return checked

    def _save_more(self, directory: Path) -> None:
        self.histories.save(directory, "histories")

    @classmethod
    def _load_more(cls, directory: Path, space: VectorSpace) -> dict[str, Any]:
        return {"histories": CSR.load(directory, "histories")}


def damped(weights: npt.NDArray[np.float32], damping: Damping) -> npt.NDArray[np.float32]:
    """What weights (n,) count as: 1, ln(1 + weight), or themselves."""
    if damping == "binary":
        return np.ones(len(weights), dtype=np.float32)
    return np.log1p(weights) if damping == "log" else np.array(weights, dtype=np.float32)


def damped_histories(interactions: Interactions, damping: Damping) -> CSR:
    """The histories (users, items) of ``interactions``, in memory of their own."""
    weights = damped(interactions.weights, damping)
    return CSR(np.array(interactions.indptr), np.array(interactions.indices), weights)


def read_only(matrix: CSR) -> CSR:
    """Views of ``matrix`` for kernels, which compile once for memory-mapped arrays and others."""
    return CSR(constant(matrix.indptr), constant(matrix.indices), constant(matrix.values))
