"""Cultural similarity: artists are alike if people write the same things about them.

A term t is a tag, or one to three words in a row of a playlist's title or of a text. Of artist a it has the weight

    w(a, t) = h(df(t)) · Σ_source γ_source · ln(1 + how many wrote it)

df being the number of artists of whom it is written. h is BM25's idf, ln(1 + (N - df + ½) / (df + ½)), or the Gaussian
of ln df around its median, which favours what is neither everywhere nor nearly nowhere. Each artist keeps its heaviest
terms, at length 1; the largest singular vectors of that matrix are the space. Cost: O(words + nonzeros · factors).

Whitman & Lawrence, "Inferring descriptions and similarity for music from community metadata", ICMC 2002 (the Gaussian).
Robertson & Zaragoza, "The probabilistic relevance framework: BM25 and beyond", 2009 (the idf).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import starts_of
from crossfade.core.errors import ArtifactError, SettingsError
from crossfade.core.ids import load_array
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import as_table
from crossfade.core.spaces import Vectors
from crossfade.core.texts import Texts
from crossfade.core.writings import Writings
from crossfade.models.contract import Configured, FittedSpace, InputKind
from crossfade.models.terms import Mentions, mentions


@dataclass(frozen=True, kw_only=True)
class CulturalSettings:
    """What `Cultural` is fitted with."""

    factors: int = 128  # width of a vector, 8 to 1024; less where there are fewer terms or artists
    # h, how much a term says: "idf" the more the rarer, "gaussian" most in the middle
    weighting: Literal["idf", "gaussian"] = "idf"
    sigma: float = 1.0  # width of the Gaussian in ln df, above 0 to 100; only for weighting "gaussian"
    least_artists: int = 3  # artists of whom a term is written at least, 1 to 1000000
    most_artists: float = 0.3  # share of the artists written about, above which a term says nothing, above 0 to 1
    terms: int = 1000  # heaviest terms kept of an artist, 1 to 100000
    tag_weight: float = 1.0  # γ of tags, 0 or more
    playlist_weight: float = 0.5  # γ of playlist titles, 0 or more
    prose_weight: float = 0.5  # γ of texts, 0 or more
    shrinkage: float = 5.0  # k: texts about the lesser known of two artists at which their likeness is believed half
    seed: int = 0  # of the vector that the search for singular vectors begins with, 0 or more

    def __post_init__(self) -> None:
        # Written positively, so that NaN is refused too.
        for name, least, most in (
            ("factors", 8, 1024),
            ("least_artists", 1, 1_000_000),
            ("terms", 1, 100_000),
            ("shrinkage", 0, 10_000),
            ("seed", 0, 2**63 - 1),
            *((f"{source}_weight", 0, 1e6) for source in ("tag", "playlist", "prose")),
        ):
            if not least <= getattr(self, name) <= most:
                raise SettingsError(f"{name} must be {least} to {most}, not {getattr(self, name)!r}")
        for name, most in (("sigma", 100), ("most_artists", 1)):
            if not 0 < getattr(self, name) <= most:
                raise SettingsError(f"{name} must be above 0 and at most {most}, not {getattr(self, name)!r}")
        if self.weighting not in ("idf", "gaussian"):
            raise SettingsError(f"weighting must be one of idf, gaussian, not {self.weighting!r}")


@dataclass(frozen=True, eq=False, kw_only=True)
class CulturalSpace(FittedSpace):
    """Artists by what is written about them, with the words themselves.

    vocabulary  the terms, ascending
    indptr, terms, weights  of each artist its terms, heaviest first, at length 1, in compressed rows
    documents   (items,) int64 texts about each artist
    """

    vocabulary: Texts
    indptr: npt.NDArray[np.int64] = field(repr=False)
    terms: npt.NDArray[np.int32] = field(repr=False)
    weights: npt.NDArray[np.float32] = field(repr=False)
    documents: npt.NDArray[np.int64] = field(repr=False)

    def top_terms(self, item_id: str, n: int = 10) -> list[tuple[str, float]]:
        """The ``n`` terms that say most about an artist, with their weights; UnknownIdError for an unknown one."""
        row = self.item_ids.row(item_id)
        span = slice(int(self.indptr[row]), min(int(self.indptr[row + 1]), int(self.indptr[row]) + n))
        return [
            (self.vocabulary[int(term)], float(weight))
            for term, weight in zip(self.terms[span], self.weights[span], strict=True)
        ]

    def likeness(self, item_id: str, other_ids: Sequence[str]) -> npt.NDArray[np.float64]:
        """(n,) how alike an artist is to each of ``other_ids`` (n) in all their words, shrunk by the evidence.

        cos(a, b) · m / (m + k), m being the texts about the lesser known of the two.
        """
        row, others = self.item_ids.row(item_id), self.item_ids.rows(other_ids)
        own = np.zeros(len(self.vocabulary))
        own[self.terms[self.indptr[row] : self.indptr[row + 1]]] = self.weights[self.indptr[row] : self.indptr[row + 1]]
        cosines = np.array(
            [
                own[self.terms[first:last]] @ self.weights[first:last]
                for first, last in zip(self.indptr[others], self.indptr[others + 1], strict=True)
            ]
        )
        known = np.minimum(self.documents[others], self.documents[row])
        held = known + float(self.settings["shrinkage"])
        alike: npt.NDArray[np.float64] = cosines * np.divide(known, held, out=np.zeros(len(held)), where=held > 0)
        return alike

    def save(self, directory: Path) -> None:
        """Write the vectors and the words into ``directory``."""
        super().save(directory)
        self.vocabulary.save(directory / "vocabulary")
        for name in _ARRAYS:
            np.save(directory / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Memory-map what `save` wrote; ArtifactError if a part is missing or does not fit."""
        vectors = FittedSpace.load(directory)
        arrays: dict[str, Any] = {
            name: load_array(directory / f"{name}.npy", dtype=dtype, ndim=1) for name, dtype in _ARRAYS.items()
        }
        items = len(vectors.item_ids)
        if len(arrays["indptr"]) != items + 1 or len(arrays["documents"]) != items:
            raise ArtifactError(f"{directory}: the words of this space are not those of its artists.")
        return cls(**{**vars(vectors), **arrays}, vocabulary=Texts.load(directory / "vocabulary"))


_ARRAYS: dict[str, Any] = {"indptr": np.int64, "terms": np.int32, "weights": np.float32, "documents": np.int64}


class Cultural(Configured[CulturalSettings]):
    """Artists by what is written about them: tags, titles of playlists, prose."""

    name: ClassVar[str] = "cultural"
    learns_from: ClassVar[InputKind] = "texts"
    settings_class: ClassVar[type[CulturalSettings]] = CulturalSettings
    space_class: ClassVar[type[CulturalSpace]] = CulturalSpace

    def fit(self, writings: Writings, /, *, threads: int | None = None, progress: Progress = silent) -> CulturalSpace:
        """The space of all items of ``writings``, without users; an item that nobody wrote about is a zero vector.

        Equal writings and settings give equal bytes, whatever the number of ``threads``.
        """
        found = mentions(writings, self._shares(), self.settings.least_artists, self.settings.most_artists)
        progress(1, 3, "steps")
        indptr, terms, weights = self._profiles(found, len(writings.item_ids))
        progress(2, 3, "steps")
        vectors = _singular(indptr, terms, weights, len(found.vocabulary), self.settings.factors, self.settings.seed)
        progress(3, 3, "steps")
        return CulturalSpace(
            model=self.name,
            kind=writings.kind,
            metric="cosine",
            item_ids=writings.item_ids,
            item_vectors=vectors,
            settings=as_table(self.settings),
            vocabulary=found.vocabulary,
            indptr=indptr,
            terms=terms,
            weights=weights,
            documents=np.bincount(writings.items, minlength=len(writings.item_ids)).astype(np.int64),
        )

    def _shares(self) -> npt.NDArray[np.float64]:
        settings = self.settings
        return np.array([settings.tag_weight, settings.playlist_weight, settings.prose_weight])

    def _profiles(
        self, found: Mentions, items: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Each item's heaviest terms, at length 1, in compressed rows."""
        weights = found.strengths * self._says(found.frequencies, found.written_about)[found.terms]
        # Heaviest first, equal ones in the order of the vocabulary.
        order = np.lexsort((found.terms, -weights, found.items))
        owners, terms, weights = found.items[order], found.terms[order], weights[order]
        indptr = starts_of(np.bincount(owners, minlength=items))
        kept = np.arange(len(owners)) - indptr[owners] < self.settings.terms
        owners, terms, weights = owners[kept], terms[kept], weights[kept]
        lengths = np.sqrt(np.bincount(owners, weights=weights**2, minlength=items))
        return (
            starts_of(np.bincount(owners, minlength=items)),
            terms.astype(np.int32),
            (weights / lengths[owners]).astype(np.float32),
        )

    def _says(self, frequencies: npt.NDArray[np.int64], artists: int) -> npt.NDArray[np.float64]:
        """(terms,) h: how much each term says, by how many ``artists`` it is written of."""
        counted = frequencies.astype(np.float64)
        if self.settings.weighting == "idf":
            says: npt.NDArray[np.float64] = np.log1p((artists - counted + 0.5) / (counted + 0.5))
            return says
        logarithms = np.log(counted)
        middle = np.median(logarithms) if len(logarithms) else 0.0
        return np.exp(-((logarithms - middle) ** 2) / (2 * self.settings.sigma**2))


def _singular(
    indptr: npt.NDArray[np.int64],
    terms: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    vocabulary: int,
    factors: int,
    seed: int,
) -> Vectors:
    """(items, factors) the items along the largest singular vectors; zero beyond the rank that there can be."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import svds
    from threadpoolctl import threadpool_limits

    items = len(indptr) - 1
    vectors = np.zeros((items, factors), dtype=np.float32)
    width = min(factors, items - 1, vocabulary - 1)
    if width < 1 or not len(terms):
        return vectors
    matrix = csr_array((weights.astype(np.float64), terms, indptr), shape=(items, vocabulary))
    start = np.random.default_rng(seed).standard_normal(min(matrix.shape))
    # More threads of BLAS would add in another order.
    with threadpool_limits(1, user_api="blas"):
        left, lengths, _ = svds(matrix, k=width, v0=start)
    order = np.argsort(-lengths, kind="stable")
    along = left[:, order] * lengths[order]
    # The sign of a singular vector means nothing, so the largest number is made positive.
    largest = along[np.argmax(np.abs(along), axis=0), np.arange(width)]
    vectors[:, :width] = along * np.where(largest < 0, -1.0, 1.0)
    return vectors
