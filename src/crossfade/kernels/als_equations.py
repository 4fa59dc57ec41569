"""What the solvers of alternating least squares solve: the equations of all rows of one half."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.kernels.lanes import Floats, aligned
from crossfade.kernels.transposing import constant


class Equations(NamedTuple):
    """For every row u with entries J, (G + λᵤI + Σⱼ aⱼ yⱼyⱼᵀ) xᵤ = Σⱼ cⱼ yⱼ.

    indptr, indices, weights  compressed rows; an entry of weight 0 counts as no entry
    alpha      what one unit of weight adds to the confidence: c = 1 + alpha · w
    counted    what the surplus has more than that: a = alpha · w + counted
    fixed      (n, width) the vectors y of the other side, zero beyond the model's own factors
    gram       (width, width) G
    penalties  (rows,) λᵤ, > 0
    held       the coordinate of every x that is given, such as the 1 that meets a bias, and not solved for; -1: none
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    weights: Floats
    alpha: np.float32
    counted: np.float32
    fixed: Floats
    gram: Floats
    penalties: Floats
    held: np.int64

    @classmethod
    def of(
        cls,
        half: CSR,
        fixed: Floats,
        gram: npt.NDArray[np.float64],
        penalties: npt.NDArray[np.float64],
        alpha: float,
        counted: float,
        held: int = -1,
    ) -> "Equations":
        """The equations of the rows of ``half``, in the types that kernels are compiled for."""
        shared = aligned(*gram.shape)
        shared[:] = gram
        return cls(
            constant(half.indptr),
            constant(half.indices),
            constant(half.values),
            np.float32(alpha),
            np.float32(counted),
            constant(fixed),
            constant(shared),
            constant(penalties.astype(np.float32)),
            np.int64(held),
        )
