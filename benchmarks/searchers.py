"""The ways of finding the nearest items, ours and those of other libraries, behind one interface.

A searcher is built once for a catalogue and then searched at several breadths: what it looks at for a query, in the
library's own unit. Graphs need a metric, which the inner product is not, so for it they are given the items with one
more coordinate that brings all to one length (Bachrach et al., RecSys 2014); without it they find half of what
they should. Whoever has a way of its own for inner products uses that.

A new one is a class here and its name in `SEARCHERS`.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np

from benchmarks.record import Kind
from crossfade.core.spaces import VectorSpace
from crossfade.nearest.clusters import ClusterIndex
from crossfade.nearest.contract import IndexSettings
from crossfade.nearest.exact import ExactIndex
from crossfade.nearest.graph import GraphIndex

LINKS, BUILD_BREADTH = 16, 128  # of every graph
WIDE = (64, 128, 256, 512)  # breadths at which graphs are searched; below k they are k
NUMPY_BLOCK = 64  # queries whose scores NumPy holds at once


@dataclass(frozen=True)
class Catalogue:
    """The items to search, and how they are compared."""

    space: VectorSpace
    metric: Any  # "dot" or "cosine"

    @cached_property
    def items(self) -> np.ndarray:
        """(items, factors) whose inner product with a query of `asked` is the score."""
        return self.space.item_vectors if self.metric == "dot" else unit(self.space.item_vectors)

    @cached_property
    def points(self) -> np.ndarray:
        """(items, factors or one more), all of one length; products with `aimed` queries order them as scores do."""
        return levelled(self.items) if self.metric == "dot" else self.items

    def asked(self, queries: np.ndarray) -> np.ndarray:
        return queries if self.metric == "dot" else unit(queries)

    def aimed(self, queries: np.ndarray) -> np.ndarray:
        """Queries for `points`, of length one."""
        return np.pad(unit(queries), ((0, 0), (0, self.points.shape[1] - queries.shape[1])))


class Searcher(Protocol):
    """Built with its catalogue, the most items a query will want and the number of threads."""

    kind: ClassVar[Kind] = "peer"
    module: ClassVar[str | None] = None  # the library, where it is not one of ours
    breadths: Sequence[int | float | None]  # None: there is nothing to choose
    # Whoever builds more than one index sets build_seconds, what one takes.

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None: ...

    def search(self, queries: np.ndarray, k: int, breadth: Any, threads: int) -> np.ndarray:
        """(queries, k) rows of items, best first."""


class BlockedNumPy:
    """A product of blocks and argpartition: what one writes without a library."""

    kind: ClassVar[Kind] = "peer"
    module = None
    breadths = (None,)

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        self.catalogue = catalogue

    def search(self, queries: np.ndarray, k: int, breadth: None, threads: int) -> np.ndarray:
        asked, found = self.catalogue.asked(queries), []
        for first in range(0, len(asked), NUMPY_BLOCK):
            scores = asked[first : first + NUMPY_BLOCK] @ self.catalogue.items.T
            best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
            found.append(np.take_along_axis(best, order, axis=1))
        return np.concatenate(found)


class Exact:
    """Ours: every item, in an order and a form that the processor likes."""

    kind: ClassVar[Kind] = "ours"
    module = None
    breadths = (None,)

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        self.index = ExactIndex.build(catalogue.space, catalogue.metric)

    def search(self, queries: np.ndarray, k: int, breadth: None, threads: int) -> np.ndarray:
        return self.index.search(queries, k, threads=threads).rows


class Clusters:
    """Ours: the items of the clusters that are near; a breadth is the recall that it is to measure itself to."""

    kind: ClassVar[Kind] = "ours"
    module = None
    breadths = (0.9, 0.95, 0.98, 0.99)

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        self.indexes: dict[float, ClusterIndex] = {}
        for recall in self.breadths:
            settings = IndexSettings(backend="clusters", recall=recall)
            started = time.perf_counter()
            self.indexes[recall] = ClusterIndex.build(catalogue.space, catalogue.metric, settings)
            self.build_seconds = time.perf_counter() - started  # of one index, which is for one recall

    def search(self, queries: np.ndarray, k: int, breadth: float, threads: int) -> np.ndarray:
        return self.indexes[breadth].search(queries, k, threads=threads).rows


class Graph:
    """Ours: usearch's graph behind our interface, with exact scores, and by dot the longest items beside it."""

    kind: ClassVar[Kind] = "ours"
    module = "usearch"
    breadths = WIDE

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        settings = IndexSettings(links=LINKS, build_breadth=BUILD_BREADTH)
        index = GraphIndex.build(catalogue.space, catalogue.metric, settings)
        self.indexes = {
            breadth: GraphIndex(catalogue.space, catalogue.metric, index._library, breadth) for breadth in WIDE
        }

    def search(self, queries: np.ndarray, k: int, breadth: int, threads: int) -> np.ndarray:
        return self.indexes[breadth].search(queries, k, threads=threads).rows


class Usearch:
    """usearch in half precision."""

    kind: ClassVar[Kind] = "peer"
    module = "usearch"
    breadths = WIDE

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        from usearch.index import Index

        self.catalogue = catalogue
        self.index = Index(
            ndim=catalogue.points.shape[1],
            metric="cos",
            dtype="f16",
            connectivity=LINKS,
            expansion_add=BUILD_BREADTH,
        )
        self.index.add(np.arange(len(catalogue.points)), catalogue.points, threads=threads)

    def search(self, queries: np.ndarray, k: int, breadth: int, threads: int) -> np.ndarray:
        self.index.expansion_search = max(breadth, k)
        return self.index.search(self.catalogue.aimed(queries), k, threads=threads).keys.astype(np.int64)


class Voyager:
    """voyager, whose own inner-product space cannot be searched so well."""

    kind: ClassVar[Kind] = "peer"
    module = "voyager"
    breadths = WIDE

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        import voyager

        self.catalogue = catalogue
        self.index = voyager.Index(
            voyager.Space.InnerProduct,
            catalogue.points.shape[1],
            M=LINKS,
            ef_construction=BUILD_BREADTH,
            random_seed=1,
            max_elements=len(catalogue.points),
        )
        self.index.add_items(catalogue.points, np.arange(len(catalogue.points)), num_threads=threads)

    def search(self, queries: np.ndarray, k: int, breadth: int, threads: int) -> np.ndarray:
        aimed = self.catalogue.aimed(queries)
        return self.index.query(aimed, k, num_threads=threads, query_ef=max(breadth, k))[0].astype(np.int64)


class Hnswlib:
    """hnswlib, where it was compiled for this processor."""

    kind: ClassVar[Kind] = "peer"
    module = "hnswlib"
    breadths = WIDE

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        import hnswlib

        self.catalogue = catalogue
        self.index = hnswlib.Index(space="ip", dim=catalogue.points.shape[1])
        self.index.init_index(max_elements=len(catalogue.points), M=LINKS, ef_construction=BUILD_BREADTH, random_seed=1)
        self.index.add_items(catalogue.points, num_threads=threads)

    def search(self, queries: np.ndarray, k: int, breadth: int, threads: int) -> np.ndarray:
        self.index.set_ef(max(breadth, k))
        return self.index.knn_query(self.catalogue.aimed(queries), k, num_threads=threads)[0].astype(np.int64)


class FaissFlat:
    """faiss's exact search."""

    kind: ClassVar[Kind] = "peer"
    module = "faiss"
    breadths: Sequence[int | None] = (None,)

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        import faiss

        self.catalogue = catalogue
        faiss.omp_set_num_threads(threads)
        self.index = self.made(faiss, catalogue)

    def made(self, faiss: Any, catalogue: Catalogue) -> Any:
        index = faiss.IndexFlatIP(catalogue.items.shape[1])
        index.add(catalogue.items)
        return index

    def queries(self, queries: np.ndarray) -> np.ndarray:
        return self.catalogue.asked(queries)

    def widen(self, breadth: Any) -> None:
        """Make the next search look at so much."""

    def search(self, queries: np.ndarray, k: int, breadth: Any, threads: int) -> np.ndarray:
        import faiss

        faiss.omp_set_num_threads(threads)
        self.widen(breadth)
        return self.index.search(np.ascontiguousarray(self.queries(queries)), k)[1]


class FaissGraph(FaissFlat):
    """faiss's graph."""

    breadths = WIDE

    def made(self, faiss: Any, catalogue: Catalogue) -> Any:
        index = faiss.IndexHNSWFlat(catalogue.points.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = BUILD_BREADTH
        index.add(catalogue.points)
        return index

    def queries(self, queries: np.ndarray) -> np.ndarray:
        return self.catalogue.aimed(queries)

    def widen(self, breadth: int) -> None:
        self.index.hnsw.efSearch = breadth


class FaissQuantized(FaissFlat):
    """faiss's inverted lists of product-quantized residuals, four bits a code, and a second look at the best."""

    breadths = (8, 32, 128)  # lists looked at
    looked_at_again: ClassVar[int] = 4  # times k

    def made(self, faiss: Any, catalogue: Catalogue) -> Any:
        items, width = catalogue.items.shape
        lists = 2 ** round(np.log2(4 * np.sqrt(items)))
        codes = width // 2 if width % 2 == 0 else width
        index = faiss.index_factory(width, f"IVF{lists},PQ{codes}x4fs,RFlat", faiss.METRIC_INNER_PRODUCT)
        index.train(catalogue.items)
        index.add(catalogue.items)
        index.k_factor = self.looked_at_again
        self.base = faiss.extract_index_ivf(index)
        return index

    def widen(self, breadth: int) -> None:
        self.base.nprobe = min(breadth, self.base.nlist)


class ScaNN:
    """ScaNN: a tree of clusters, anisotropic quantization, and a second look at the best."""

    kind: ClassVar[Kind] = "peer"
    module = "scann"
    breadths = (10, 30, 100, 300)  # leaves looked at
    looked_at_again: ClassVar[int] = 4  # times k

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        import scann

        self.catalogue, items = catalogue, len(catalogue.items)
        self.leaves = max(2, round(2 * np.sqrt(items)))
        self.index = (
            scann.scann_ops_pybind.builder(catalogue.items, k, "dot_product")
            .set_n_training_threads(threads)
            .tree(num_leaves=self.leaves, num_leaves_to_search=100, training_sample_size=min(items, 250_000))
            .score_ah(2, anisotropic_quantization_threshold=0.2)
            .reorder(k * self.looked_at_again)
            .build()
        )

    def search(self, queries: np.ndarray, k: int, breadth: int, threads: int) -> np.ndarray:
        self.index.set_num_threads(threads)
        search = self.index.search_batched if threads == 1 else self.index.search_batched_parallel
        return search(
            self.catalogue.asked(queries),
            final_num_neighbors=k,
            pre_reorder_num_neighbors=k * self.looked_at_again,
            leaves_to_search=min(breadth, self.leaves),
        )[0].astype(np.int64)


class Annoy:
    """annoy, which answers one query at a time and lets several threads ask."""

    kind: ClassVar[Kind] = "peer"
    module = "annoy"
    breadths = (2_000, 10_000, 50_000)  # nodes looked at
    trees: ClassVar[int] = 50

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        from annoy import AnnoyIndex

        self.catalogue = catalogue
        # Its own way for inner products is the same further coordinate, which finds less than it does given the points.
        self.index = AnnoyIndex(catalogue.points.shape[1], "angular")
        self.index.set_seed(1)
        for row, point in enumerate(catalogue.points):
            self.index.add_item(row, point)
        self.index.build(self.trees, n_jobs=threads)

    def search(self, queries: np.ndarray, k: int, breadth: int, threads: int) -> np.ndarray:
        def of(query: np.ndarray) -> list[int]:
            found = self.index.get_nns_by_vector(query, k, search_k=breadth)
            return found + [-1] * (k - len(found))

        aimed = self.catalogue.aimed(queries)
        if threads == 1:
            return np.array([of(query) for query in aimed])
        with ThreadPoolExecutor(threads) as pool:
            return np.array(list(pool.map(of, aimed)))


class PyNNDescent:
    """pynndescent, compiled by Numba like ours."""

    kind: ClassVar[Kind] = "peer"
    module = "pynndescent"
    breadths = (0.05, 0.1, 0.2, 0.3)  # its epsilon

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        import numba
        from pynndescent import NNDescent

        self.catalogue = catalogue
        numba.set_num_threads(threads)
        self.index = NNDescent(
            catalogue.points, metric="cosine", n_jobs=threads, random_state=1, parallel_batch_queries=True
        )
        self.index.prepare()

    def search(self, queries: np.ndarray, k: int, breadth: float, threads: int) -> np.ndarray:
        import numba

        numba.set_num_threads(threads)
        return self.index.query(self.catalogue.aimed(queries), k, epsilon=breadth)[0].astype(np.int64)


class ImplicitTopK:
    """implicit's exact search, a BLAS product and a selection, which its models recommend by."""

    kind: ClassVar[Kind] = "peer"
    module = "implicit"
    breadths = (None,)

    def __init__(self, catalogue: Catalogue, k: int, threads: int) -> None:
        self.catalogue = catalogue

    def search(self, queries: np.ndarray, k: int, breadth: None, threads: int) -> np.ndarray:
        from implicit.cpu.topk import topk

        return topk(self.catalogue.items, self.catalogue.asked(queries), k, num_threads=threads)[0]


SEARCHERS: dict[str, type[Any]] = {
    "exact": Exact,
    "clusters": Clusters,
    "graph": Graph,
    "numpy": BlockedNumPy,
    "implicit": ImplicitTopK,
    "faiss flat": FaissFlat,
    "faiss graph": FaissGraph,
    "faiss quantized": FaissQuantized,
    "scann": ScaNN,
    "voyager": Voyager,
    "usearch": Usearch,
    "hnswlib": Hnswlib,
    "annoy": Annoy,
    "pynndescent": PyNNDescent,
}


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors at length one."""
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)).astype(np.float32)


def levelled(items: np.ndarray) -> np.ndarray:
    """One more coordinate, so that all are of length one."""
    scaled = items / np.linalg.norm(items, axis=1).max()
    rest = np.sqrt(np.maximum(1 - (scaled**2).sum(axis=1, keepdims=True), 0))
    return np.concatenate([scaled, rest], axis=1).astype(np.float32)
