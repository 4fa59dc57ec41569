"""Several fitted models as one; `crossfade.models.blend` says what its scores are."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.computed import RowMap, row_map
from crossfade.core.csr import CSR, Starts, check_indices, gathered
from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.ids import Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import Neighbours, Vectors, VectorSpace
from crossfade.kernels.histories import multiplied
from crossfade.kernels.search.best import best_of_lists
from crossfade.kernels.search.panels import unit_vectors
from crossfade.kernels.threads import threads_for
from crossfade.models.blend_again import PLAYS
from crossfade.models.blend_features import extras, facts_of, table
from crossfade.models.blend_part import BlendProfiles, Part
from crossfade.models.blend_weights import Matrix, Weights
from crossfade.models.by_rows import ByRows
from crossfade.models.contract import Fitted, Floats
from crossfade.models.factors import ComparedByCosine
from crossfade.nearest.contract import EVERYTHING, Index, Restriction
from crossfade.nearest.vectors import require_count

MEMBERS, TRAINED = "members", "trained"
"""The directories of a saved blend that have the models, by name, and what it was fitted on."""

_WEIGHTS = "blend.json"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FittedBlend(ComparedByCosine["BlendProfiles"]):
    """Several fitted models as one.

    members  the models by name
    weights  what each counts, and why
    trained  what it was fitted on
    current  the models that were fitted on the same; users have the profiles of their histories in the others
    """

    members: Mapping[str, Fitted[Any]]
    weights: Weights
    trained: Interactions
    current: Collection[str]

    @property
    def user_ids(self) -> Ids:
        """The users that it was fitted on."""
        return self.trained.user_ids

    def profiles(self, histories: Interactions, *, threads: int | None = None) -> "BlendProfiles":
        """The profiles of the n users of ``histories`` in all models; see `Fitted.profiles`."""
        self.histories_of(histories)
        return BlendProfiles(self, histories, trained=False, threads=threads)

    def trained_profiles(self, users: Rows) -> "BlendProfiles":
        """The profiles of trained users; see `Fitted.trained_profiles`."""
        check_indices(users, len(self.user_ids), "users")
        return BlendProfiles(self, self.trained, trained=True, rows=users)

    def best(
        self,
        profiles: "BlendProfiles",
        k: int,
        restriction: Restriction = EVERYTHING,
        *,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` best for each profile of the candidates of all models; see `Fitted.best`.

        An ``index`` searches the vectors by which items are compared, for the mean of the history.
        """
        require_count(k)
        asked = self._checked(profiles)
        if index is not None:
            return self._require_index(index, "cosine").search(
                self._directions(asked, threads), k, restriction, threads=threads
            )
        restriction.open_items(len(self.item_ids))  # refuses rows that do not exist
        indptr, indices = restriction.of_queries(len(asked))
        found = Neighbours.none(len(asked), k)
        for first, part in asked.parts(threads):
            users = slice(first, first + len(part))
            starts, places = gathered(indptr, np.arange(users.start, users.stop))
            limits = Restriction(
                indptr=starts, indices=indices[places], barred=restriction.barred, allowed=restriction.allowed
            )
            candidates, rows = part.candidates(max(k, self.depth), limits)
            scores = self._scored(part, candidates, rows, threads)
            best_of_lists(candidates, rows, scores, found.rows[users], found.scores[users])
        return found

    def scores(self, profiles: "BlendProfiles", indptr: Starts, items: Rows, *, threads: int | None = None) -> Floats:
        """(n,) exact scores of pairs; see `Fitted.scores`."""
        indptr, items = self._pairs(len(self._checked(profiles)), indptr, items)
        scores = np.empty(len(items), dtype=np.float32)
        for part, starts, pairs in self._pieces(profiles, indptr, threads):
            scores[pairs] = self._scored(part, starts, items[pairs], threads)
        return scores

    def parts(
        self, profiles: "BlendProfiles", indptr: Starts, items: Rows, *, threads: int | None = None
    ) -> dict[str, Floats]:
        """(n,) what each model adds to the scores of pairs; see `MadeOfModels.parts`."""
        indptr, items = self._pairs(len(self._checked(profiles)), indptr, items)
        parts: dict[str, Floats] = {}
        for part, starts, pairs in self._pieces(profiles, indptr, threads):
            columns = part.columns(starts, items[pairs])
            found = [self._parts(columns)]
            if self.weights.trees is not None:
                found.append(self.weights.trees.parts(self._table(part, starts, items[pairs], columns), threads))
            own, again = self._again(part, starts, items[pairs], columns)
            for name, added in [pair for one in found for pair in one.items()]:
                added[own] = 0
                parts.setdefault(name, np.zeros(len(items), dtype=np.float32))[pairs] += added
            for name, added in again.items():
                parts.setdefault(name, np.zeros(len(items), dtype=np.float32))[pairs][own] += added
        return parts

    def chances(
        self, profiles: "BlendProfiles", indptr: Starts, items: Rows, *, threads: int | None = None
    ) -> Floats | None:
        """(n,) the chance that the user plays the item, of pairs; see `MadeOfModels.chances`."""
        if self.weights.chances is None:
            return None
        indptr, items = self._pairs(len(self._checked(profiles)), indptr, items)
        scores = self.scores(profiles, indptr, items, threads=threads)
        history = np.concatenate(
            [part.history for part, *_ in self._pieces(profiles, indptr, threads)] or [np.zeros(0, np.float32)]
        )
        return self.weights.chances.of(scores, np.repeat(history, np.diff(indptr)))

    def columns(self, profiles: "BlendProfiles", indptr: Starts, items: Rows, *, threads: int | None = None) -> Matrix:
        """(n, models) the standardized scores of pairs in each model, NaN where it does not know the item."""
        indptr, items = self._pairs(len(self._checked(profiles)), indptr, items)
        columns = np.empty((len(items), len(self.members)), dtype=np.float32)
        for part, starts, pairs in self._pieces(profiles, indptr, threads):
            columns[pairs] = part.columns(starts, items[pairs])
        return columns

    def _pieces(
        self, profiles: "BlendProfiles", indptr: Starts, threads: int | None
    ) -> Iterator[tuple[Part, Starts, slice]]:
        """The parts of ``profiles``, the indptr of each one's pairs, and their place among all pairs."""
        for first, part in profiles.parts(threads):
            starts = indptr[first : first + len(part) + 1]
            yield part, starts - starts[0], slice(int(starts[0]), int(starts[-1]))

    @property
    def depth(self) -> int:
        """d, how many of the best items of each model are candidates."""
        return int(self.settings["depth"])

    def _scored(self, part: Part, indptr: Starts, items: Rows, threads: int | None) -> Floats:
        """(n,) the scores of pairs of the users of ``part``."""
        columns = part.columns(indptr, items)
        scores = np.zeros(len(columns), dtype=np.float32)
        for added in self._parts(columns).values():
            scores += added
        if self.weights.trees is not None:
            scores += self.weights.trees.scores(self._table(part, indptr, items, columns), threads)
        own, again = self._again(part, indptr, items, columns)
        if again:
            scores[own] = 0
            for added in again.values():
                scores[own] += added
        return scores

    def _again(
        self, part: Part, indptr: Starts, items: Rows, columns: Matrix
    ) -> tuple[npt.NDArray[np.bool_], dict[str, Floats]]:
        """Which pairs (n,) are of items that the user has played, and what makes their scores, if that was learned."""
        if self.weights.again is None:
            return np.zeros(len(items), dtype=np.bool_), {}
        plays = part.plays(indptr, items, len(self.item_ids))
        own = ~np.isnan(plays)
        parts = self._parts(columns[own], self.weights.again[:-1])
        return own, {**parts, PLAYS: self.weights.again[-1] * plays[own]}

    def _table(self, part: Part, indptr: Starts, items: Rows, columns: Matrix) -> Matrix:
        """(n, features) what trees see of pairs of the users of ``part``, from their ``columns``."""
        return table(columns, extras(part, indptr, items, columns, self.facts), np.flatnonzero(self.weights.weights))

    @cached_property
    def facts(self) -> Matrix:
        """(items, 2) popularity and recency; see `crossfade.models.blend_features`."""
        return facts_of(self.trained)

    def _parts(self, columns: Matrix, weights: Floats | None = None) -> dict[str, Floats]:
        """(n,) what each model that counts adds to the scores of pairs, from their ``columns`` (n, models).

        weights  (models,), by default those for new items
        """
        names, counted = list(self.members), np.flatnonzero(self.weights.weights).tolist()
        weights = self.weights.weights if weights is None else weights
        return {
            names[model]: weights[model]
            * np.where(np.isnan(columns[:, model]), self.weights.unknown[model], columns[:, model])
            for model in counted
        }

    def _directions(self, asked: "BlendProfiles", threads: int | None) -> Vectors:
        """(n, factors) the mean directions of the histories."""
        histories = self.histories_of(asked.histories, asked.rows)
        damped = CSR(histories.indptr, histories.indices, np.log1p(histories.values))
        return unit_vectors(multiplied(damped, unit_vectors(np.array(self.space.points)), threads_for(threads)))

    def _checked(self, profiles: "BlendProfiles") -> "BlendProfiles":
        if not isinstance(profiles, BlendProfiles):
            raise InputError(
                f"profiles of {self.name} are those that its profiles() gave, not a {type(profiles).__name__}"
            )
        return profiles

    @cached_property
    def member_users(self) -> list[RowMap]:
        """By model, what gives its rows of trained users; MISSING for a user that it was not fitted on."""
        nobody = Ids.of([])
        return [row_map(self.user_ids, one.user_ids or nobody) for one in self.members.values()]

    def by_rows(self, threads: int | None) -> list[ByRows]:
        """The models, asked by the rows of this one."""
        if threads not in self._by_rows:
            self._by_rows[threads] = [ByRows(model, self.item_ids, threads) for model in self.members.values()]
        return self._by_rows[threads]

    # Kept, since comparing the ids of each model with these takes longer than one user's scores.
    @cached_property
    def _by_rows(self) -> dict[int | None, list[ByRows]]:
        return {}

    def _save_more(self, directory: Path) -> None:
        # What is there already, a run has linked to where it was made.
        for name, model in self.members.items():
            if not (directory / MEMBERS / name).exists():
                model.save(directory / MEMBERS / name)
        if not (directory / TRAINED).exists():
            self.trained.save(directory / TRAINED)
        described = {**self.weights.described(), "current": sorted(self.current)}
        (directory / _WEIGHTS).write_text(json.dumps(described, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def _load_more(cls, directory: Path, space: VectorSpace) -> dict[str, Any]:
        from crossfade.models.registry import load_fitted

        try:
            described = json.loads((directory / _WEIGHTS).read_text(encoding="utf-8"))
            learned = Weights.of(described)
            current = frozenset(str(name) for name in described["current"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"{directory} has no readable blend: {error}. Run `crossfade run` to make a new release."
            ) from error
        return {
            "members": {name: load_fitted(directory / MEMBERS / name) for name in learned.models},
            "weights": learned,
            "current": current,
            "trained": Interactions.load(directory / TRAINED, kind=space.kind),
        }
