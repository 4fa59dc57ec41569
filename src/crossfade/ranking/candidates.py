"""Candidates: the items that compete for a place on a user's page, and what is known of each (user, item) pair.

Two sources propose roots (artists, shows; any item in a library of children alone):

- the leading model: the roots with the best scores for the user's profile, and
- the neighbourhood: the lists of the seeds that the user recognises.

Of each root come its most popular children, or the root itself where roots are listed. What the user has played is no
candidate, nor is anything of a root that the user is familiar with. `Candidates` is the one table between the steps of
ranking: features add columns to it, a scorer makes one score of them, and assembly makes a page of the scores.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crossfade.core.catalogue import Items
from crossfade.core.computed import Computed
from crossfade.core.csr import CSR, Starts, gathered, starts_of
from crossfade.core.ids import MISSING, Rows
from crossfade.ranking.reasons import History

if TYPE_CHECKING:
    from crossfade.ranking.jitted import Scratch, Tables

CLOSENESS = "closeness"
"""The column Σ_a ln(1 + plays_a) · closeness(a, root) over the seeds a whose lists have the candidate's root."""

ROW_COST = 20
"""What a user costs besides the candidates, in candidates; for dividing the work evenly."""

LISTED = np.dtype([("item", np.int32), ("score", np.float32)])
"""An entry of a list of related roots; its item is MISSING after the list's end."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """n pairs of users and items, in compressed rows; the pairs of a user stand in the order of their proposal.

    indptr   (users + 1,) int64
    items    (n,) int32 catalogue rows
    roots    (n,) int32 catalogue rows of what reasons are given for: the item's root, or the item itself
    columns  (n,) float32 each, by name; NaN where a model does not know the item
    """

    indptr: Starts
    items: Rows
    roots: Rows
    columns: Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Sources:
    """Where candidates come from; computes only the lists and names that it is asked for, and remembers them.

    related   (roots, length) `LISTED`: the lists of related roots
    children  (roots, count) int32: the items that are proposed of each root, padded with MISSING
    variants  (roots,) int64: the same number for roots that are variants of each other
    last      (roots,) int64: the same, of what two are credited with that of the last
    items     how many items there are
    scratch   space of threads that are not working
    """

    related: Computed
    children: Computed
    variants: Computed
    last: Computed
    items: int
    scratch: list["Scratch"] = field(default_factory=list)

    @property
    def tables(self) -> "Tables":
        """What was computed up to now, as kernels take it."""
        from crossfade.ranking.jitted import Tables

        related = self.related.values
        return Tables(related["item"], related["score"], self.children.values, self.variants.values, self.last.values)

    def propose(
        self, seeds: History, best: Rows, familiar: History, played: History, threads: int | None = None
    ) -> Candidates:
        """Return the candidates of n users, with the column `CLOSENESS`.

        seeds     the roots that each user recognises
        best      (n, any) the roots that the leading model proposes to each, padded with MISSING
        familiar  the roots that are no discovery to each user
        played    the items that each user played
        """
        from crossfade.kernels.threads import Range, balanced, each, threads_for
        from crossfade.ranking import jitted

        self.related.fill(seeds.rows)
        listed = self.related.values["item"][np.unique(seeds.rows)]
        proposed = np.unique(np.concatenate([listed[listed != MISSING], best[best != MISSING]]))
        self.children.fill(proposed)
        self.variants.fill(proposed)
        self.last.fill(proposed)
        most = np.diff(seeds.indptr) * listed.shape[1] + best.shape[1]
        room = starts_of(most * self.children.values.shape[1])
        counts, items, roots = np.zeros(len(best), np.int64), *np.empty((2, room[-1]), np.int32)
        found = counts, items, roots, np.empty(room[-1], np.float32)
        recognised = CSR(seeds.indptr, seeds.rows, seeds.weights)
        asked = jitted.frozen((recognised, best, self._variants_of(familiar), played[:2], self.tables))

        def fill(piece: Range) -> None:
            try:
                scratch = self.scratch.pop()
            except IndexError:
                rows = len(self.variants.values)
                scratch = np.zeros(rows, np.float32), np.zeros(rows, np.bool_), np.zeros(self.items, np.bool_)
            jitted.propose(piece[0], piece[1], *asked, room, found, scratch)
            self.scratch.append(scratch)

        each(fill, balanced(room, ROW_COST), threads_for(threads))
        indptr = starts_of(counts)
        places = np.arange(indptr[-1]) + np.repeat(room[:-1] - indptr[:-1], counts)
        return Candidates(indptr, items[places], roots[places], {CLOSENESS: found[3][places]})

    def _variants_of(self, history: History) -> tuple[Starts, npt.NDArray[np.int64]]:
        """The variants of these roots, ascending for each user."""
        groups = self.variants(history.rows)
        users = np.repeat(np.arange(len(history.indptr) - 1), np.diff(history.indptr))
        return history.indptr, groups[np.lexsort((groups, users))]


def related_lists(roots: int, length: int, nearest: Callable[[Rows], CSR]) -> Computed:
    """Return the table ``related`` of `Sources` from lists by root."""

    def compute(rows: Rows) -> npt.NDArray[np.void]:
        lists = nearest(rows)
        table = np.full((len(rows), length), np.array((MISSING, 0), dtype=LISTED))
        inside = np.arange(length) < np.diff(lists.indptr)[:, None]
        table["item"][inside], table["score"][inside] = lists.indices, lists.values
        return table

    return Computed(roots, compute, LISTED, (length,))


def popular_children(root_of: Rows, roots: int, items: Items, variants: Computed, most: int) -> Computed:
    """Return the table ``children`` of `Sources`: the ``most`` items of each root that the most users play.

    ``root_of`` (items,) are the roots, MISSING where unknown. Among equals more plays, then the lower row, come first.
    Of ``variants`` of one item only the best is proposed.
    """
    by_root = np.argsort(root_of, kind="stable").astype(np.int32)
    starts = np.searchsorted(root_of[by_root], np.arange(roots + 1)).astype(np.int64)

    def compute(rows: Rows) -> Rows:
        indptr, places = gathered(starts, rows)
        owner, children = np.repeat(np.arange(len(rows)), np.diff(indptr)), by_root[places]
        order = np.lexsort((children, -items.plays[children], -items.listeners[children], owner))
        owner, children = owner[order], children[order]
        first = np.sort(np.unique(variants(children), return_index=True)[1])
        owner, children = owner[first], children[first]
        place = np.arange(len(owner)) - np.searchsorted(owner, owner)
        table = np.full((len(rows), most), MISSING, dtype=np.int32)
        table[owner[place < most], place[place < most]] = children[place < most]
        return table

    return Computed(roots, compute, np.int32, (most,))
