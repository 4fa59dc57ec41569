"""Cultural similarity: items are similar if people write the same about them.

A term t is a tag, or one to three words in a row of a playlist's title or of a text. Of item a it has the weight

    w(a, t) = h(df(t)) · Σ_source γ_source · ln(1 + how many wrote it)

df being the number of items about which it is written. h is BM25's idf, ln(1 + (N - df + ½) / (df + ½)), or the
Gaussian of ln df around its median, which favours what is neither everywhere nor almost nowhere. Each item keeps its
heaviest terms, at length 1; the largest singular vectors of that matrix are the space. Cost: O(words + nonzeros ·
factors).

Whitman & Lawrence, "Inferring descriptions and similarity for music from community metadata", ICMC 2002 (the Gaussian).
Robertson & Zaragoza, "The probabilistic relevance framework: BM25 and beyond", 2009 (the idf).
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import load_array
from crossfade.core.csr import CSR, starts_of
from crossfade.core.ids import Id, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Checked, Range, as_table
from crossfade.core.spaces import Vectors, VectorSpace
from crossfade.core.texts import Texts
from crossfade.core.writings import Writings
from crossfade.kernels.histories import multiplied
from crossfade.kernels.threads import threads_for
from crossfade.kernels.transposing import transposed
from crossfade.models.contract import Configured, InputKind, require
from crossfade.models.factors import FittedItems
from crossfade.models.sketch import sketched
from crossfade.models.terms import Mentions, mentions, terms_in

COVERED = 0.8
"""A term is part of a longer one that contains it and has at least this share of its items: "time" of "all time"."""

CHUNK = 4_000_000
"""Terms of items that are counted at a time."""


@dataclass(frozen=True, kw_only=True)
class CulturalSettings(Checked):
    """What `Cultural` is fitted with."""

    factors: Annotated[int, Range(8, 1024)] = 128  # width of a vector
    # h, how much a term says: "idf" the more the rarer, "gaussian" most in the middle
    weighting: Literal["idf", "gaussian"] = "idf"
    sigma: Annotated[float, Range(above=0, high=100)] = 1.0  # width of the Gaussian in ln df; only for "gaussian"
    least_items: Annotated[int, Range(1, 1_000_000)] = 3  # items about which a term is written at least
    # share of the items that anything is written about, above which a term says nothing
    most_items: Annotated[float, Range(above=0, high=1)] = 0.3
    terms: Annotated[int, Range(1, 100_000)] = 1000  # heaviest terms kept of an item
    tag_weight: Annotated[float, Range(0, 1e6)] = 1.0  # γ of tags
    playlist_weight: Annotated[float, Range(0, 1e6)] = 0.5  # γ of playlist titles
    prose_weight: Annotated[float, Range(0, 1e6)] = 0.5  # γ of texts
    seed: Annotated[int, Range(0)] = 0  # of the vectors that the search for singular vectors begins with


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FittedCultural(FittedItems):
    """Items by what is written about them, with the words themselves.

    vocabulary  the terms, ascending
    tagged      (terms,) whether somebody gives the term as a tag; the others are phrases of titles and prose
    words       (items, terms) the terms of each item, heaviest first, at length 1
    """

    vocabulary: Texts
    tagged: npt.NDArray[np.bool_]
    words: CSR

    @cached_property
    def frequencies(self) -> npt.NDArray[np.int64]:
        """(terms,) how many items keep each term."""
        counts = np.zeros(len(self.vocabulary), dtype=np.int64)
        for start in range(0, len(self.words.indices), CHUNK):
            counts += np.bincount(self.words.indices[start : start + CHUNK], minlength=len(counts))
        return counts

    def top_terms(self, item_id: Id, n: int = 10) -> list[tuple[str, float]]:
        """Return the ``n`` terms that say most about an item, with their weights, in the order of `told`.

        Raises UnknownIdError for an unknown item.
        """
        own = self.words.take(self.item_ids.rows([item_id]))
        weights = dict(zip(own.indices.tolist(), own.values.tolist(), strict=True))
        return [(self.vocabulary[term], weights[term]) for term in self.told(own.indices, n).tolist()]

    def told(self, terms: npt.NDArray[np.integer[Any]], n: int) -> npt.NDArray[np.int64]:
        """Return the ``n`` of ``terms``, rows of the vocabulary with the best first, that people are shown.

        Tags come before phrases. Of the first 2n those are left out that are part of another: of a tag only tags say
        whether it is.
        """
        tagged = self.tagged[terms]
        first = np.concatenate([terms[tagged], terms[~tagged]])[: 2 * n].astype(np.int64)
        tagged, counts = self.tagged[first], self.frequencies[first]
        names = [f" {self.vocabulary[term]} " for term in first.tolist()]
        whole = [
            not any(
                name in longer and name != longer and counts[other] >= COVERED * counts[place]
                for other, longer in enumerate(names)
                if tagged[other] or not tagged[place]
            )
            for place, name in enumerate(names)
        ]
        return first[whole][:n]

    def about(self, text: str, n: int = 10) -> tuple[Rows, npt.NDArray[np.float32]]:
        """Return the rows and weights of the ``n`` items of which the terms in ``text`` say most, best first.

        A weight is the sum of those of the terms, above zero, times ln(1 + support): an item of which one person wrote
        one word has all its weight on that, and would lead every list. Empty where no term is known.
        """
        asked = [
            row
            for term in terms_in(text)
            if (row := bisect_left(self.vocabulary, term)) < len(self.vocabulary) and self.vocabulary[row] == term
        ]
        places = np.flatnonzero(np.isin(self.words.indices, asked))
        owners = np.searchsorted(self.words.indptr, places, side="right") - 1
        weights = np.bincount(owners, weights=self.words.values[places], minlength=self.words.rows)
        weights = weights * np.log1p(self.support)
        rows = np.argsort(-weights, kind="stable")[:n]
        rows = rows[weights[rows] > 0]
        return rows.astype(np.int32), weights[rows].astype(np.float32)

    def _save_more(self, directory: Path) -> None:
        self.vocabulary.save(directory / "vocabulary")
        np.save(directory / "tagged.npy", self.tagged, allow_pickle=False)
        self.words.save(directory, "words")

    @classmethod
    def _load_more(cls, directory: Path, space: VectorSpace) -> dict[str, Any]:
        return {
            "vocabulary": Texts.load(directory / "vocabulary"),
            "tagged": load_array(directory / "tagged.npy", dtype=np.bool_, ndim=1),
            "words": CSR.load(directory, "words"),
        }


class Cultural(Configured[CulturalSettings]):
    """Items by what is written about them: tags, titles of playlists, prose."""

    name: ClassVar[str] = "cultural"
    learns_from: ClassVar[InputKind] = "texts"
    version: ClassVar[int] = 2
    settings_class: ClassVar[type[CulturalSettings]] = CulturalSettings
    fitted_class: ClassVar[type[FittedCultural]] = FittedCultural

    def fit(
        self,
        writings: Writings,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
    ) -> FittedCultural:
        """Fit the items of ``writings``; one that nobody wrote about is a zero vector. See `Model.fit`.

        Keeps nothing in the ``workspace``.
        """
        require(Writings, writings, "Cultural", "the class crossfade.Writings")
        settings, items = self.settings, len(writings.item_ids)
        shares = np.array([settings.tag_weight, settings.playlist_weight, settings.prose_weight])
        mentioned = mentions(writings, shares, settings.least_items, settings.most_items)
        progress(1, 3, "steps")
        words = self._words(mentioned, items)
        progress(2, 3, "steps")
        vectors = _singular(words, len(mentioned.vocabulary), settings, threads_for(threads))
        progress(3, 3, "steps")
        return FittedCultural(
            space=VectorSpace(
                model=self.name,
                kind=writings.kind,
                metric="cosine",
                item_ids=writings.item_ids,
                item_vectors=vectors,
                settings=as_table(settings),
            ),
            support=np.bincount(writings.items, minlength=items).astype(np.int64),
            vocabulary=mentioned.vocabulary,
            tagged=mentioned.tagged,
            words=words,
        )

    def _words(self, mentioned: Mentions, items: int) -> CSR:
        """The heaviest terms of each item, at length 1."""
        weights = (
            mentioned.strengths * self._importance(mentioned.frequencies, mentioned.written_about)[mentioned.terms]
        )
        # Heaviest first, equal ones in the order of the vocabulary.
        order = np.lexsort((mentioned.terms, -weights, mentioned.items))
        owners, terms, weights = mentioned.items[order], mentioned.terms[order], weights[order]
        kept = np.arange(len(owners)) - np.searchsorted(owners, owners) < self.settings.terms
        owners, terms, weights = owners[kept], terms[kept], weights[kept]
        lengths = np.sqrt(np.bincount(owners, weights=weights**2, minlength=items))
        return CSR(
            starts_of(np.bincount(owners, minlength=items)),
            terms.astype(np.int32),
            (weights / lengths[owners]).astype(np.float32),
        )

    def _importance(self, frequencies: npt.NDArray[np.int64], items: int) -> npt.NDArray[np.float64]:
        """(terms,) h: how much each term says, by how many of the ``items`` it is written about."""
        counted = frequencies.astype(np.float64)
        if self.settings.weighting == "idf":
            rarity: npt.NDArray[np.float64] = np.log1p((items - counted + 0.5) / (counted + 0.5))
            return rarity
        logarithms = np.log(counted)
        middle = np.median(logarithms) if len(logarithms) else 0.0
        return np.exp(-((logarithms - middle) ** 2) / (2 * self.settings.sigma**2))


def _singular(words: CSR, vocabulary: int, settings: CulturalSettings, threads: int) -> Vectors:
    """(items, factors) the items along the largest singular vectors; zero beyond the rank that there can be.

    Singular vectors times their lengths are the eigenvectors of all inner products times the roots of their values.
    """
    turned = transposed(words, vocabulary)
    return sketched(
        lambda vectors: multiplied(words, multiplied(turned, vectors, threads), threads),
        words.rows,
        settings.factors,
        settings.seed,
    )
