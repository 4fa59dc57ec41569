"""A fitted model asked with the rows of another list of items, such as those of a catalogue."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.computed import RowMap, row_map
from crossfade.core.csr import Starts, gathered, starts_of
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import Neighbours
from crossfade.models.contract import Fitted, Floats, MadeOfModels
from crossfade.nearest.contract import Restriction

Asked = Sequence[tuple[npt.NDArray[np.int64], Any]]
"""Profiles of n users, which a model may give in several parts: the users of each, and their profiles."""


class ByRows:
    """A fitted ``model`` whose items are asked for and given as rows of ``ids``, on ``threads`` processors."""

    def __init__(self, model: Fitted[Any], ids: Ids, threads: int | None = None) -> None:
        self.model = model
        self._to_model = row_map(ids, model.item_ids)
        self._from_model = row_map(model.item_ids, ids)
        self._threads = threads

    def users(self, ids: Ids) -> Rows | None:
        """Return the model's rows of these users (n,), MISSING where it was not fitted on one; None if on no user."""
        return None if self.model.user_ids is None else self.model.user_ids.rows(list(ids), missing="mark")

    def asked(self, histories: Interactions, users: Rows | None = None) -> Asked:
        """Return the profiles of n ``histories``; those of the fit for ``users`` (n,), the model's rows, if given."""
        if users is None:
            users = np.full(len(histories.user_ids), MISSING, dtype=np.int32)
        seen, new = np.flatnonzero(users != MISSING), np.flatnonzero(users == MISSING)
        parts: list[tuple[npt.NDArray[np.int64], Any]] = []
        if seen.size:
            parts.append((seen, self.model.trained_profiles(users[seen])))
        if new.size:
            unseen = Ids.of(histories.user_ids.select(new))
            parts.append((new, self.model.profiles(histories.histories(unseen), threads=self._threads)))
        return parts

    def best(self, asked: Asked, users: int, count: int, restriction: Restriction) -> Neighbours:
        """Return the best items (users, at most count) of all users that were ``asked`` for, as `Fitted.best`."""
        found = Neighbours.none(users, min(count, len(self.model.item_ids)))
        indptr, rows = restriction.of_queries(users)
        rows, starts = _translated(rows, indptr, self._to_model)
        allowed = restriction.allowed
        among = replace(
            restriction,
            barred=_known(self._to_model(restriction.barred)),
            allowed=None if allowed is None else _known(self._to_model(allowed)),
        )
        for some, profiles in asked if found.rows.size else ():
            of_some, places = gathered(starts, some)
            best = self.model.best(
                profiles,
                found.rows.shape[1],
                replace(among, indptr=of_some, indices=rows[places]),
                threads=self._threads,
            )
            found.rows[some], found.scores[some] = best.rows, best.scores
        return Neighbours(self._from_model(found.rows), found.scores)

    def scores(self, asked: Asked, indptr: Starts, items: Rows) -> Floats:
        """Return the exact scores (n,) of pairs of users with items; NaN for items that the model lacks."""
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

    def parts(self, asked: Asked, indptr: Starts, items: Rows) -> dict[str, Floats]:
        """Return what each model that this one is made of adds to the scores (n,); nothing where it is of no others."""
        rows = self._to_model(items)
        found: dict[str, Floats] = {}
        if isinstance(self.model, MadeOfModels) and (rows != MISSING).all():
            for users, profiles in asked:
                pairs, places = gathered(indptr, users)
                for name, part in self.model.parts(profiles, pairs, rows[places], threads=self._threads).items():
                    found.setdefault(name, np.zeros(len(items), dtype=np.float32))[places] = part
        return found

    def chances(self, asked: Asked, indptr: Starts, items: Rows) -> Floats | None:
        """Return the chance (n,) that each user plays the item; None where the model cannot tell."""
        rows = self._to_model(items)
        if not isinstance(self.model, MadeOfModels) or (rows == MISSING).any():
            return None
        found = np.zeros(len(items), dtype=np.float32)
        for users, profiles in asked:
            pairs, places = gathered(indptr, users)
            chances = self.model.chances(profiles, pairs, rows[places], threads=self._threads)
            if chances is None:
                return None
            found[places] = chances
        return found


def _translated(rows: Rows, indptr: Starts, to: RowMap) -> tuple[Rows, Starts]:
    """``rows`` by the map ``to`` without those that are missing there, and their new indptr."""
    translated = to(rows)
    known = translated != MISSING
    return translated[known], starts_of(known)[indptr]


def _known(rows: Rows) -> Rows:
    known: Rows = rows[rows != MISSING]
    return known
