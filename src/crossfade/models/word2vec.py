"""word2vec on sequences: items that occur beside the same items get similar vectors.

Skip-gram with negative sampling. For every item c of a sequence and every item o within the window around it, with k
items n drawn from q(n) ∝ (how often n occurs)^η, maximise

    log σ(v_c · w_o) + Σ_n log σ(-v_c · w_n)

by stochastic gradient ascent; the v are the vectors of the items; the w are dropped. An item that makes up more
than a share t of all tokens is skipped at random, so that what is everywhere does not make everything similar.

`crossfade.kernels.skipgram` has the training. Cost: O(tokens · window · negative · factors) an epoch.

Mikolov, Sutskever, Chen, Corrado & Dean, "Distributed representations of words and phrases and their compositionality",
NIPS 2013. Caselles-Dupré, Lesaint & Royo-Letelier, "Word2vec applied to recommendation: hyperparameters matter",
RecSys 2018 (that η, t, the window and the epochs matter most for recommendation).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import starts_of
from crossfade.core.progress import Progress, silent
from crossfade.core.sequences import Sequences
from crossfade.core.settings import Checked, Range, as_table
from crossfade.core.spaces import VectorSpace
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.kernels.skipgram import Corpus, Draws, train
from crossfade.kernels.threads import threads_for
from crossfade.models.contract import Configured, InputKind, require
from crossfade.models.factors import FittedItems

PARTS = 16
"""Parts of the items at most: as many processors can train at a time."""

LEAST_PART = 256
"""Items in a part at least, so that what is drawn from one is like what is drawn from all."""

SHARES = 32
"""Places in the table that items are drawn from, for each item of a part."""


@dataclass(frozen=True, kw_only=True)
class Word2VecSettings(Checked):
    """What `Word2Vec` is fitted with."""

    factors: Annotated[int, Range(8, 1024)] = 64  # width of a vector
    window: Annotated[int, Range(1, 10_000)] = 5  # items on either side that count as beside an item
    # whether a window is shrunk at random, so that closer items count more; not for sequences whose order means little
    shrink_window: bool = True
    negative: Annotated[int, Range(1, 100)] = 5  # items drawn against each pair
    # η, how drawing follows frequency: 1 as often as they occur, 0 all alike, below 0 the rare more often
    negative_exponent: Annotated[float, Range(-2, 2)] = 0.5
    # t, share of all tokens above which an item is passed over at random; 0: never
    subsampling: Annotated[float, Range(0, 1)] = 1e-4
    epochs: Annotated[int, Range(1, 1000)] = 10  # passes over all sequences
    least_count: Annotated[int, Range(1, 1_000_000)] = 3  # occurrences below which an item is left out
    learning_rate: Annotated[float, Range(above=0, high=1)] = 0.025  # of the first step; falls evenly to a 250th
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0  # of the first vectors and all draws


class Word2Vec(Configured[Word2VecSettings]):
    """Items by the company they keep in playlists and listening sessions."""

    name: ClassVar[str] = "word2vec"
    learns_from: ClassVar[InputKind] = "sequences"
    settings_class: ClassVar[type[Word2VecSettings]] = Word2VecSettings
    fitted_class: ClassVar[type[FittedItems]] = FittedItems
    tuned: ClassVar[tuple[str, ...]] = (
        "factors",
        "window",
        "negative_exponent",
        "subsampling",
        "epochs",
        "learning_rate",
    )

    def fit(
        self,
        sequences: Sequences,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
    ) -> FittedItems:
        """Fit the items of ``sequences``; those that occur too seldom are zero vectors. See `Model.fit`.

        Equal sequences and settings give equal bytes for any number of ``threads``. Keeps nothing in the ``workspace``.
        """
        require(Sequences, sequences, "Word2Vec", "Sequences.from_lists")
        counts = np.bincount(sequences.indices, minlength=len(sequences.item_ids))
        counts[counts < self.settings.least_count] = 0
        vectors = np.zeros((len(counts), self.settings.factors), dtype=np.float32)
        if counts.any():
            # The most frequent first, dealt out in turns, so that all parts are alike.
            rows = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
            parts = min(max(len(rows) // LEAST_PART, 1), PARTS)
            size = -(-len(rows) // parts)
            numbers = np.full(len(counts), -1, dtype=np.int32)
            numbers[rows] = np.arange(len(rows)) % parts * size + np.arange(len(rows)) // parts
            trained = self._train(sequences, counts, numbers, parts, size, threads_for(threads), progress)
            vectors[rows] = trained[numbers[rows], : self.settings.factors]
        return FittedItems(
            space=VectorSpace(
                model=self.name,
                kind=sequences.kind,
                metric="cosine",
                item_ids=sequences.item_ids,
                item_vectors=vectors,
                settings=as_table(self.settings),
            ),
            support=counts,
        )

    def _train(
        self,
        sequences: Sequences,
        counts: npt.NDArray[np.int64],
        numbers: npt.NDArray[np.int32],
        parts: int,
        size: int,
        threads: int,
        progress: Progress,
    ) -> Floats:
        """The vectors (parts · size, width) by the ``numbers`` (items,) of items, -1 for those that are left out."""
        settings = self.settings
        kept = numbers[sequences.indices] >= 0
        occurring = np.zeros(parts * size, dtype=np.float64)
        occurring[numbers[counts > 0]] = counts[counts > 0]
        share = settings.subsampling * occurring.sum()
        with np.errstate(divide="ignore"):
            chances = np.sqrt(share / occurring) + share / occurring if share else np.full(parts * size, 2.0)
        corpus = Corpus(
            indptr=starts_of(kept)[sequences.indptr],
            items=numbers[sequences.indices[kept]],
            chances=chances.astype(np.float32),
            drawn=_drawn(occurring.reshape(parts, size), settings.negative_exponent),
        )
        vectors, outputs = (
            aligned(parts * size, padded(settings.factors)),
            aligned(parts * size, padded(settings.factors)),
        )
        rng = np.random.default_rng(settings.seed)
        vectors[:, : settings.factors] = (rng.random((parts * size, settings.factors)) - 0.5) / settings.factors
        draws = Draws(settings.window, settings.shrink_window, settings.negative)
        for epoch in range(settings.epochs):

            def rate(done: float, epoch: int = epoch) -> float:
                return settings.learning_rate * max(1 - (epoch + done) / settings.epochs, 1 / 250)

            train(corpus, draws, vectors, outputs, rate, seed=settings.seed, epoch=epoch, threads=threads)
            progress(epoch + 1, settings.epochs, "epochs")
        return vectors


def _drawn(occurring: npt.NDArray[np.float64], exponent: float) -> npt.NDArray[np.int32]:
    """The numbers (parts, any) of each part's items, as often as follows (parts, size) how often they occur."""
    parts, size = occurring.shape
    table = np.empty((parts, SHARES * size), dtype=np.int32)
    for part, counts in enumerate(occurring):
        some = np.flatnonzero(counts)
        reached = np.cumsum(counts[some] ** exponent)
        places = np.searchsorted(reached, (np.arange(SHARES * size) + 0.5) * (reached[-1] / (SHARES * size)))
        table[part] = part * size + some[places]
    return table
