"""Features: the columns of candidates that scorers read.

A model's column, called by its name, is the model's own score of the pair, exact, for the profile of the user: the one
that the model was fitted with, or that of the history for a user whom the model has not seen.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts, gathered, starts_of
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.models.contract import Fitted
from crossfade.nearest.contract import Restriction
from crossfade.ranking.computed import row_map
from crossfade.ranking.reasons import History

POPULARITY = "popularity"
"""The column of `crossfade.ranking.popularity.popularity`."""

Asked = Sequence[tuple[npt.NDArray[np.int64], Any]]
"""Profiles of n users, which a model may give in several parts: the users of each, and their profiles."""


class ModelByCatalogue:
    """A fitted ``model`` asked with catalogue rows, those of ``ids``, on ``threads`` processors."""

    def __init__(self, model: Fitted[Any], ids: Ids, threads: int | None = None) -> None:
        self.model = model
        self._to_model = row_map(ids, model.item_ids)
        self._to_catalogue = row_map(model.item_ids, ids)
        self._threads = threads

    def asked(self, histories: Interactions, *, trained: bool) -> Asked:
        """Return the profiles of n users: with ``trained`` those of the fit, for users that were part of it."""
        users = np.full(len(histories.user_ids), MISSING, dtype=np.int32)
        if trained and self.model.user_ids is not None:
            users = self.model.user_ids.rows(list(histories.user_ids), missing="mark")
        seen, new = np.flatnonzero(users != MISSING), np.flatnonzero(users == MISSING)
        parts: list[tuple[npt.NDArray[np.int64], Any]] = []
        if seen.size:
            parts.append((seen, self.model.trained_profiles(users[seen])))
        if new.size:
            unseen = Ids.of(histories.user_ids.select(new))
            parts.append((new, self.model.profiles(histories.histories(unseen), threads=self._threads)))
        return parts

    def best(self, asked: Asked, count: int, history: History) -> Rows:
        """Return the catalogue rows (n, count) of the best items with a score above zero, padded with MISSING.

        Items of the ``history`` of a user are not among them.
        """
        rows = np.full((len(history.indptr) - 1, min(count, len(self.model.item_ids))), MISSING, dtype=np.int32)
        model_rows = self._to_model(history.rows)
        played = history._replace(rows=model_rows).where(model_rows != MISSING)
        for users, profiles in asked if rows.size else ():
            starts, places = gathered(played.indptr, users)
            excluded = Restriction(indptr=starts, indices=played.rows[places])
            best = self.model.best(profiles, rows.shape[1], excluded, threads=self._threads)
            rows[users] = np.where(best.scores > 0, best.rows, MISSING)
        return self._to_catalogue(rows)

    def scores(self, asked: Asked, indptr: Starts, items: Rows) -> npt.NDArray[np.float32]:
        """Return the exact scores (n,) of pairs of users with catalogue rows; NaN for items that the model lacks."""
        rows = self._to_model(items)
        known = rows != MISSING
        starts, rows = starts_of(known)[indptr], rows[known]
        exact = np.empty(len(rows), dtype=np.float32)
        for users, profiles in asked:
            pairs, places = gathered(starts, users)
            exact[places] = self.model.scores(profiles, pairs, rows[places], threads=self._threads)
        scores = np.full(len(items), np.nan, dtype=np.float32)
        scores[known] = exact
        return scores
