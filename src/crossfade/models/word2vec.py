"""word2vec on sequences: items that occur beside the same items get similar vectors.

Skip-gram with negative sampling. For every item c of a sequence and every item o within the window around it, with k
items n drawn from q(n) ∝ (how often n occurs)^η, maximise

    log σ(v_c · w_o) + Σ_n log σ(-v_c · w_n)

by stochastic gradient ascent; the v are the vectors of the items; the w are dropped. An item that makes up more
than a share t of all tokens is skipped at random, so that what is everywhere does not make everything similar.

The training itself is gensim's. Cost: O(tokens · window · negative · factors) an epoch.

Mikolov, Sutskever, Chen, Corrado & Dean, "Distributed representations of words and phrases and their compositionality",
NIPS 2013. Caselles-Dupré, Lesaint & Royo-Letelier, "Word2vec applied to recommendation: hyperparameters matter",
RecSys 2018 (that η, t, the window and the epochs matter most for recommendation).
"""

import importlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import MissingExtraError
from crossfade.core.progress import Progress, silent
from crossfade.core.sequences import Sequences
from crossfade.core.settings import Checked, Range, as_table
from crossfade.core.spaces import VectorSpace
from crossfade.kernels.threads import threads_for
from crossfade.models.contract import Configured, InputKind
from crossfade.models.factors import FittedItems

LINE = 10_000
"""Items of a sequence that gensim reads at most; longer ones are cut."""


@dataclass(frozen=True, kw_only=True)
class Word2VecSettings(Checked):
    """What `Word2Vec` is fitted with."""

    factors: Annotated[int, Range(8, 1024)] = 64  # width of a vector
    window: Annotated[int, Range(1, LINE)] = 5  # items on either side that count as beside an item
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
    # with one thread equal sequences give equal bytes; with all of them fitting is faster, and no two fits are alike
    reproducible: bool = True
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0  # of the first vectors and all draws


class Word2Vec(Configured[Word2VecSettings]):
    """Items by the company they keep in playlists and listening sessions. Needs the extra "word2vec"."""

    name: ClassVar[str] = "word2vec"
    learns_from: ClassVar[InputKind] = "sequences"
    needs: ClassVar[tuple[str, str] | None] = ("gensim", "word2vec")
    settings_class: ClassVar[type[Word2VecSettings]] = Word2VecSettings
    fitted_class: ClassVar[type[FittedItems]] = FittedItems

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

        Equal sequences and settings give equal bytes, unless ``reproducible`` is off: then ``threads`` (None: one a
        processor) work at once, and each fit is another. Keeps nothing in the ``workspace``. Raises MissingExtraError
        without gensim.
        """
        vectors = np.zeros((len(sequences.item_ids), self.settings.factors), dtype=np.float32)
        counts = np.bincount(sequences.indices, minlength=len(vectors))
        if np.any(counts >= self.settings.least_count):
            trained = self._train(sequences, threads_for(threads), progress)
            rows = np.array(trained.index_to_key, dtype=np.int64)
            vectors[rows] = trained.vectors
        return FittedItems(
            space=VectorSpace(
                model=self.name,
                kind=sequences.kind,
                metric="cosine",
                item_ids=sequences.item_ids,
                item_vectors=vectors,
                settings=as_table(self.settings),
            ),
            support=np.where(counts < self.settings.least_count, 0, counts),
        )

    def _train(self, sequences: Sequences, threads: int, progress: Progress) -> Any:
        """Gensim's vectors, by row number as text."""
        library = _library()
        settings = self.settings
        with tempfile.TemporaryDirectory() as scratch:
            corpus = Path(scratch) / "sequences.txt"
            with translated_storage_errors(corpus), corpus.open("w", encoding="ascii") as lines:
                for sequence in range(len(sequences)):
                    lines.write(" ".join(map(str, sequences.of(sequence))) + "\n")
            model = library.Word2Vec(
                corpus_file=str(corpus),
                vector_size=settings.factors,
                window=settings.window,
                shrink_windows=settings.shrink_window,
                sg=1,
                hs=0,
                negative=settings.negative,
                ns_exponent=settings.negative_exponent,
                sample=settings.subsampling,
                min_count=settings.least_count,
                alpha=settings.learning_rate,
                min_alpha=settings.learning_rate / 250,
                epochs=settings.epochs,
                workers=1 if settings.reproducible else threads,
                seed=settings.seed,
                # Python's own hash of a text is another in each process.
                hashfxn=_hash,
                callbacks=[_epochs_reported(progress, settings.epochs)],
            )
        return model.wv


def _hash(text: str) -> int:
    return int(text) if text.isdigit() else sum(text.encode())


def _library() -> Any:
    try:
        word2vec = importlib.import_module("gensim.models.word2vec")
    except ImportError as error:
        raise MissingExtraError("The model word2vec", extra="word2vec") from error
    return word2vec


def _epochs_reported(progress: Progress, epochs: int) -> Any:
    class Reported(importlib.import_module("gensim.models.callbacks").CallbackAny2Vec):  # type: ignore[misc]
        def __init__(self) -> None:
            self.done = 0

        def on_epoch_end(self, model: Any) -> None:
            self.done += 1
            progress(self.done, epochs, "epochs")

    return Reported()
