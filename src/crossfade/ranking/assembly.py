"""Assembly: a page of the candidates with the best scores, without monotony, and with a reason for each item.

A page is chosen one item at a time by maximal marginal relevance. The next item is the one that maximises

    (1 - d) · score(i) - d · max_{j on the page} cos(y_i, y_j)        (the cosine counted as 0 where negative)

over the best remaining candidates. It is passed over if the page has enough of its root already, or if there is no
reason left for it (`crossfade.ranking.reasons`). The value at which an item was chosen never rises from one to the
next, so it serves as the page's score.

Cost for a page of n from a pool of p: O(n · p · factors). The readable form is `crossfade.ranking.oracle.page`.

Carbonell & Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing summaries",
SIGIR 1998.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.computed import RowMap, row_map
from crossfade.core.csr import CSR, starts_of
from crossfade.core.ids import Ids
from crossfade.core.spaces import VectorSpace
from crossfade.ranking.candidates import ROW_COST, Candidates, Sources
from crossfade.ranking.lists import RankedLists
from crossfade.ranking.popularity import Floats
from crossfade.ranking.reasons import History

if TYPE_CHECKING:
    from crossfade.ranking.jitted import Points, Rules


class Placed(NamedTuple):
    """Items as points, and the row among these of a catalogue row, MISSING for an item without a point."""

    points: "Points"
    row_of: RowMap

    @classmethod
    def of(cls, space: VectorSpace, ids: Ids, scales: Floats | None = None) -> "Placed":
        """The items of ``space``, whose cosines are multiplied by ``scales`` (items,), by catalogue rows of ``ids``."""
        from crossfade.ranking.jitted import Points

        scales = np.ones(len(space.item_ids), np.float32) if scales is None else scales
        return cls(Points(space.item_vectors, space.points.shape[1], scales), row_map(ids, space.item_ids))


class Assembled(NamedTuple):
    """Pages, and how they came about.

    lists      m items in all, by user
    places     (m,) of the items among the candidates
    closeness  (m,) of the reasons to the items' roots
    fates      (n,) what became of each candidate, by the numbers of `crossfade.ranking.jitted`
    """

    lists: RankedLists
    places: npt.NDArray[np.int64]
    closeness: Floats
    fates: npt.NDArray[np.int8]


class Assembler(NamedTuple):
    """Makes pages of candidates.

    sources  for the lists of related roots, and which roots are variants of each other
    items    the points that make items alike
    roots    the points that make roots close to seeds
    threads  processors to use, None for all
    """

    sources: Sources
    items: Placed
    roots: Placed
    rules: "Rules"
    threads: int | None = None

    def pages(self, candidates: Candidates, scores: Floats, seeds: History) -> "Assembled":
        """Return the page of each user: items with the columns score, reason and reason_plays.

        ``scores`` (n,) are those of the ``candidates``, from any scorer; ``seeds`` what the users recognise.
        """
        from crossfade.kernels.threads import Range, balanced, each, threads_for
        from crossfade.ranking import jitted

        shape = len(candidates.indptr) - 1, self.rules.size
        counts, places, reasons = np.zeros(shape[0], np.int64), *np.zeros((2, *shape), np.int64)
        values, closeness = np.zeros((2, *shape), np.float32)
        pages = counts, places, reasons, values, closeness, np.zeros(len(scores), np.int8)
        pairs = jitted.Pairs(
            candidates.indptr,
            scores,
            candidates.roots,
            self.sources.variants(candidates.roots),
            self.items.row_of(candidates.items),
            self.roots.row_of(candidates.roots),
        )
        recognised, points = CSR(seeds.indptr, seeds.rows, seeds.reason_weights), self.roots.row_of(seeds.rows)
        tables = self.sources.tables
        inputs = jitted.frozen((pairs, recognised, points, tables, self.items.points, self.roots.points))

        def fill(piece: Range) -> None:
            jitted.assemble(piece[0], piece[1], *inputs, self.rules, pages)

        each(fill, balanced(candidates.indptr, ROW_COST), threads_for(self.threads))
        listed = np.arange(shape[1]) < counts[:, None]
        columns = {
            "score": values[listed],
            "reason": seeds.rows[reasons[listed]],
            "reason_plays": seeds.plays[reasons[listed]],
        }
        lists = RankedLists(starts_of(counts), candidates.items[places[listed]], columns)
        return Assembled(lists, places[listed], closeness[listed], pages[-1])
