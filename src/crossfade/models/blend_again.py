"""What users play again: the order of a blend for items of a user's own history.

    score_ui = Σ_m v_m z_mui + v p_ui,    p_ui = ln(1 + w_ui) / max_j ln(1 + w_uj)

w_ui is the weight of the user's plays of the item. The numbers v are learned as the weights for new items are
(`crossfade.models.blend_weights`), from what users played again after the moment of a cut, each time as one choice
among all items of the history. Without such a moment nothing is learned, and the weights for new items count.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR, Starts
from crossfade.core.ids import Rows
from crossfade.models.blend_weights import LEAST_HITS, LEAST_USERS, Evidence, Weights, fitted

PLAYS = "plays"
"""What the share of a score is called that comes from the user's own plays."""

Floats = npt.NDArray[np.float32]


def plays_of(own: CSR, items: int, indptr: Starts, asked: Rows) -> Floats:
    """Return p (n,) of pairs of users with items, NaN for items that are not in the user's history.

    own            (users, items) the histories, items ascending
    indptr, asked  the pairs, in compressed rows
    """
    users = np.repeat(np.arange(own.rows), np.diff(own.indptr))
    damped = np.log1p(own.values)
    most = np.zeros(own.rows, dtype=np.float32)
    np.maximum.at(most, users, damped)
    keys = users * items + own.indices
    wanted = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)) * items + asked
    places = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    found = np.full(len(wanted), np.nan, dtype=np.float32)
    if len(keys):
        known = keys[places] == wanted
        found[known] = damped[places[known]] / np.maximum(most[users[places[known]]], np.float32(1e-30))
    return found


def again_weights(evidence: Evidence, weights: Weights) -> Floats | None:
    """Return v (models + 1,), the last for the user's own plays; None where there is too little to learn from.

    evidence  all items of histories, with p as the last column. Models without a weight for new items get none here.
    """
    hitting = evidence.hitting
    if not weights.learned or hitting.sum() < LEAST_USERS or evidence.hits.sum() < LEAST_HITS:
        return None
    columns = np.concatenate([weights.filled(evidence.columns[:, :-1]), evidence.columns[:, -1:]], axis=1)
    kept = [*np.flatnonzero(weights.weights).tolist(), columns.shape[1] - 1]
    found = np.zeros(columns.shape[1], dtype=np.float32)
    found[kept] = fitted(Evidence(evidence.indptr, columns, evidence.hits, evidence.hidden, evidence.history), kept)
    return found
