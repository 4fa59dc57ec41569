"""Users as all models of a blend see them, some at a time: candidates, and standardized scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from crossfade.core.csr import CSR, Starts, gathered, starts_of
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import Neighbours
from crossfade.models.blend_again import plays_of
from crossfade.models.blend_weights import Matrix
from crossfade.models.by_rows import Asked, ByRows
from crossfade.models.contract import Floats
from crossfade.nearest.contract import Restriction

if TYPE_CHECKING:
    from crossfade.models.blend_fitted import FittedBlend


CHUNK = 1024
"""Users who are asked about together."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the users that a blend is asked about.

    own      (users, items) their histories
    members  the models with a weight, by their place among all
    asked    by the same places, the users' profiles in each
    models   how many models there are
    depth    d
    """

    own: CSR
    members: Mapping[int, ByRows]
    asked: Mapping[int, Asked]
    models: int
    depth: int

    def __len__(self) -> int:
        return self.own.rows

    def candidates(self, count: int, restriction: Restriction) -> tuple[Starts, Rows]:
        """Return the best ``count`` of each model, each item once, ascending, in compressed rows."""
        lists = [self._best(place, count, restriction) for place in self.members]
        rows = np.sort(np.concatenate([one.rows for one in lists], axis=1), axis=1)
        kept = rows != MISSING
        kept[:, 1:] &= rows[:, 1:] != rows[:, :-1]
        return starts_of(kept.sum(axis=1)), rows[kept]

    def columns(self, indptr: Starts, items: Rows) -> Matrix:
        """Return the standardized scores (n, models) of pairs; NaN where a model does not know the item."""
        columns = np.full((len(items), self.models), np.nan, dtype=np.float32)
        lengths = np.diff(indptr)
        for place, model in self.members.items():
            zero, one = (np.repeat(scores, lengths) for scores in self.scales[place])
            columns[:, place] = (model.scores(self.asked[place], indptr, items) - zero) / (one - zero)
        return columns

    def listed(self, place: int) -> Matrix:
        """Return the standardized scores (users, at most d) of a model's list for each user, padded with -inf."""
        zero, one = self.scales[place]
        scores = self._best(place, self.depth, self.own_alone).scores
        return (scores - zero[:, None]) / (one - zero)[:, None]

    def plays(self, indptr: Starts, items: Rows, width: int) -> Floats:
        """Return how much each user played items (n,), NaN for others; see `crossfade.models.blend_again.plays_of`."""
        return plays_of(self.own, width, indptr, items)

    @cached_property
    def history(self) -> Floats:
        """(users,) ln(1 + how many items each has played)."""
        return np.log1p(np.diff(self.own.indptr)).astype(np.float32)

    @cached_property
    def own_alone(self) -> Restriction:
        """Nothing but the users' histories is excluded."""
        return Restriction(indptr=self.own.indptr, indices=self.own.indices)

    def _best(self, place: int, count: int, restriction: Restriction) -> Neighbours:
        """The best items of one model; what only leaves out the histories is searched once."""
        if restriction is not self.own_alone and not _same(restriction, self.own_alone):
            return self.members[place].best(self.asked[place], len(self), count, restriction)
        longest, found = self._usual.get(place, (0, None))
        if found is None or longest < count:
            # The scales need the first d of the same lists.
            longest = max(count, self.depth)
            found = self.members[place].best(self.asked[place], len(self), longest, self.own_alone)
            self._usual[place] = longest, found
        return Neighbours(found.rows[:, :count], found.scores[:, :count])

    @cached_property
    def _usual(self) -> dict[int, tuple[int, Neighbours]]:
        """By model how many items were asked for, and the lists."""
        return {}

    @cached_property
    def scales(self) -> Mapping[int, tuple[Floats, Floats]]:
        """By model (users,) each: the scores that are 0 and 1."""
        found = {}
        for place in self.members:
            scores = self._best(place, self.depth, self.own_alone).scores
            listed = np.isfinite(scores)
            highest = np.where(listed.any(axis=1), scores[:, 0], np.float32(0)) if scores.size else np.zeros(len(self))
            lowest = np.where(listed, scores, np.inf).min(axis=1, initial=np.inf)
            lowest = np.where(np.isfinite(lowest), lowest, highest)
            # A model to which all items are nearly the same says nothing about the order of any.
            least = np.maximum(np.float32(1e-3) * np.maximum(abs(lowest), abs(highest)), np.float32(1e-30))
            found[place] = (
                lowest.astype(np.float32),
                (lowest + np.maximum(highest - lowest, least)).astype(np.float32),
            )
        return found


@dataclass(frozen=True, eq=False)
class BlendProfiles:
    """What a blend makes of n histories; what its models make of them is computed when it is first needed.

    histories  of the users, or with ``rows`` (n,) of more users, these among them
    trained    whether users that a model was fitted on have the profile from then
    """

    blend: "FittedBlend"
    histories: Interactions
    trained: bool
    rows: Rows | None = None
    threads: int | None = None

    def __len__(self) -> int:
        return len(self.histories.user_ids) if self.rows is None else len(self.rows)

    def parts(self, threads: int | None) -> Iterator[tuple[int, Part]]:
        """Yield the first user of each part, and the part; only the last one is kept."""
        threads = self.threads if threads is None else threads
        for first in range(0, len(self), CHUNK):
            if first not in self._last:
                self._last.clear()
                self._last[first] = self._part(first, threads)
            yield first, self._last[first]

    @cached_property
    def _last(self) -> dict[int, Part]:
        return {}

    def _part(self, first: int, threads: int | None) -> Part:
        rows = np.arange(len(self), dtype=np.int32) if self.rows is None else self.rows
        some = rows[first : first + CHUNK]
        indptr, places = gathered(self.histories.indptr, some)
        histories = replace(
            self.histories,
            # Users are told apart by their places, since one may be asked about twice.
            user_ids=Ids.of(f"{place:04d}" for place in range(len(some))),
            indptr=indptr,
            **{name: getattr(self.histories, name)[places] for name in ("indices", "weights", "plays", "last_played")},
            trusted=True,
        )
        blend = self.blend
        asked_of = {place: model for place, model in enumerate(blend.by_rows(threads)) if blend.weights.weights[place]}
        asked = {}
        for place, model in asked_of.items():
            users = None
            if self.trained and model.model.user_ids is not None and model.model.name in blend.current:
                users = blend.member_users[place](some)
            asked[place] = model.asked(histories, users)
        return Part(blend.histories_of(histories), asked_of, asked, len(blend.members), blend.depth)


def _same(one: Restriction, other: Restriction) -> bool:
    """Whether both exclude the same items of the same queries, and nothing else."""
    return (
        one.allowed is None
        and not one.barred.size
        and np.array_equal(one.indices, other.indices)
        and np.array_equal(one.indptr, other.indptr)  # type: ignore[arg-type]  # both were made from histories
    )
