"""word2vec on sequences: items that stand beside the same items come to lie side by side.

Skip-gram with negative sampling. For every item c of a sequence and every item o within the window around it, with k
items n drawn from q(n) ∝ (how often n occurs)^η, maximise

    log σ(v_c · w_o) + Σ_n log σ(-v_c · w_n)

by stochastic gradient ascent; the v are the vectors of the items, the w are thrown away. An item that makes up more
than a share t of all tokens is passed over at random, so that what is everywhere does not glue everything together.

The training itself is gensim's. Cost: O(tokens · window · negative · factors) an epoch.

Mikolov, Sutskever, Chen, Corrado & Dean, "Distributed representations of words and phrases and their compositionality",
NIPS 2013. Caselles-Dupré, Lesaint & Royo-Letelier, "Word2vec applied to recommendation: hyperparameters matter",
RecSys 2018 (that η, t, the window and the epochs matter most for recommendation).
"""

import importlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import MissingExtraError, SettingsError
from crossfade.core.progress import Progress, silent
from crossfade.core.sequences import Sequences
from crossfade.core.settings import as_table
from crossfade.kernels.threads import processors
from crossfade.models.contract import Configured, FittedSpace, InputKind

LINE = 10_000
"""Items of a sequence that gensim reads at most; longer ones are cut."""


@dataclass(frozen=True, kw_only=True)
class Word2VecSettings:
    """What `Word2Vec` is fitted with."""

    factors: int = 64  # width of a vector, 8 to 1024
    window: int = 5  # items on either side that count as beside an item, 1 to 10000
    # whether a window is shrunk at random, so that nearer items count more; not for sequences whose order means little
    shrink_window: bool = True
    negative: int = 5  # items drawn against each pair, 1 to 100
    # η, how drawing follows frequency: 1 as often as they occur, 0 all alike, below 0 the rare more often; -2 to 2
    negative_exponent: float = 0.5
    subsampling: float = 1e-4  # t, share of all tokens above which an item is passed over at random, 0 (never) to 1
    epochs: int = 10  # passes over all sequences, 1 to 1000
    least_count: int = 3  # occurrences below which an item is left out, 1 to 1000000
    learning_rate: float = 0.025  # of the first step, above 0 to 1; falls evenly to a 250th
    # with one thread equal sequences give equal bytes; with all of them fitting is faster, and no two fits are alike
    reproducible: bool = True
    seed: int = 0  # of the first vectors and all draws, 0 to 4294967295

    def __post_init__(self) -> None:
        # Written positively, so that NaN is refused too.
        for name, least, most in (
            ("factors", 8, 1024),
            ("window", 1, LINE),
            ("negative", 1, 100),
            ("negative_exponent", -2, 2),
            ("subsampling", 0, 1),
            ("epochs", 1, 1000),
            ("least_count", 1, 1_000_000),
            ("seed", 0, 2**32 - 1),
        ):
            if not least <= getattr(self, name) <= most:
                raise SettingsError(f"{name} must be {least} to {most}, not {getattr(self, name)!r}")
        if not 0 < self.learning_rate <= 1:
            raise SettingsError(f"learning_rate must be above 0 and at most 1, not {self.learning_rate!r}")


class Word2Vec(Configured[Word2VecSettings]):
    """Items by the company they keep in playlists and listening sessions. Needs the extra "word2vec"."""

    name: ClassVar[str] = "word2vec"
    learns_from: ClassVar[InputKind] = "sequences"
    needs: ClassVar[tuple[str, str]] = ("gensim", "word2vec")
    settings_class: ClassVar[type[Word2VecSettings]] = Word2VecSettings
    space_class: ClassVar[type[FittedSpace]] = FittedSpace

    def fit(self, sequences: Sequences, /, *, threads: int | None = None, progress: Progress = silent) -> FittedSpace:
        """The space of all items of ``sequences``, without users; items that occur too seldom are zero vectors.

        Equal sequences and settings give equal bytes, unless ``reproducible`` is off: then ``threads`` (None: one a
        processor) work at once, and each fit is another. Raises MissingExtraError without gensim.
        """
        vectors = np.zeros((len(sequences.item_ids), self.settings.factors), dtype=np.float32)
        counts = np.bincount(sequences.indices, minlength=len(vectors))
        if np.any(counts >= self.settings.least_count):
            trained = self._train(sequences, threads or processors(), progress)
            rows = np.array(trained.index_to_key, dtype=np.int64)
            vectors[rows] = trained.vectors
        return FittedSpace(
            model=self.name,
            kind=sequences.kind,
            metric="cosine",
            item_ids=sequences.item_ids,
            item_vectors=vectors,
            settings=as_table(self.settings),
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
                callbacks=[_epochs_told(progress, settings.epochs)],
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


def _epochs_told(progress: Progress, epochs: int) -> Any:
    class Told(importlib.import_module("gensim.models.callbacks").CallbackAny2Vec):  # type: ignore[misc]
        def __init__(self) -> None:
            self.done = 0

        def on_epoch_end(self, model: Any) -> None:
            self.done += 1
            progress(self.done, epochs, "epochs")

    return Told()
