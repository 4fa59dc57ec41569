"""Which backend a catalogue gets, and what only one backend has to answer for."""

import sys

import numpy as np
import pytest

from crossfade.core.errors import MissingExtraError, SettingsError
from crossfade.core.ids import Ids
from crossfade.core.spaces import VectorSpace
from crossfade.nearest.backends import LARGE, build_index, chosen_backend
from crossfade.nearest.contract import IndexSettings, Restriction
from crossfade.nearest.exact import ExactIndex
from crossfade.nearest.exclusions import Exclusions


def space_of(vectors):
    return VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        item_ids=Ids.of(f"{row:05}" for row in range(len(vectors))),
        item_vectors=np.asarray(vectors, dtype=np.float32),
    )


def test_small_catalogues_are_searched_exactly_and_large_ones_in_clusters():
    assert chosen_backend(IndexSettings(), LARGE - 1) == "exact"
    assert chosen_backend(IndexSettings(), LARGE) == "clusters"
    assert chosen_backend(IndexSettings(backend="graph"), 1) == "graph"
    assert chosen_backend(IndexSettings(backend="exact"), 10 * LARGE) == "exact"
    assert isinstance(build_index(space_of(np.ones((3, 2))), "dot"), ExactIndex)


def test_a_setting_out_of_range_is_refused():
    for wrong in ({"backend": "annoy"}, {"recall": 0.49}, {"links": 65}, {"search_nodes": 99}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            IndexSettings(**wrong)


@pytest.mark.parametrize(
    ("backend", "module", "extra"), [("graph", "usearch.index", "index"), ("forest", "annoy", "annoy")]
)
def test_without_its_library_a_backend_says_what_to_install(monkeypatch, backend, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"crossfade\[{extra}\]"):
        build_index(space_of(np.ones((3, 2))), "dot", IndexSettings(backend=backend))


def test_exclusions_are_counted_once_and_only_where_the_item_is_open():
    restriction = Restriction(
        indptr=np.array([0, 4, 4, 5]),
        indices=np.array([3, 1, 3, 0, 2], dtype=np.int32),
        barred=np.array([0], dtype=np.int32),
    )
    exclusions = Exclusions(restriction, 3, 5)
    # Four items are open; the first query loses 1 and 3 (0 is closed anyway), the last one 2.
    assert exclusions.left.tolist() == [2, 4, 3]
    rows = np.array([[0, 1, 2, 3, 4]] * 2, dtype=np.int32)
    hits = exclusions.hit(np.array([0, 2]), rows)
    assert hits.tolist() == [[True, True, False, True, False], [True, False, True, False, False]]
    alone = exclusions.of(np.array([2, 0]))
    assert alone.indptr.tolist() == [0, 1, 4]
    assert alone.indices.tolist() == [2, 0, 1, 3]
    among = exclusions.among(np.array([0, 1]), np.array([0, 3, 4], dtype=np.int32))
    assert (among.indptr.tolist(), among.indices.tolist(), among.barred.tolist()) == ([0, 2, 2], [0, 1], [0])


def test_a_broader_search_finds_more(rng, monkeypatch):
    monkeypatch.setattr("crossfade.nearest.graph.EXACT_SHARE", 32)
    pytest.importorskip("usearch", reason="needs usearch: pip install 'crossfade[index]'")
    space, queries = space_of(rng.standard_normal((6000, 24))), rng.standard_normal((200, 24)).astype(np.float32)
    exact = build_index(space, "cosine").search(queries, 8).rows
    recalls = []
    for breadth in (16, 32, 64):
        index = build_index(space, "cosine", IndexSettings(backend="graph", search_breadth=breadth))
        found = index.search(queries, 8).rows
        recalls.append(np.mean([np.isin(one, true).mean() for one, true in zip(found, exact, strict=True)]))
    assert recalls[0] < recalls[1] < recalls[2] < 1


def test_a_search_that_has_to_look_at_much_is_exact(rng):
    """Of 20,000 items one in 400 is 50: a breadth of 32 is left to the graph, 64 is not."""
    pytest.importorskip("usearch", reason="needs usearch: pip install 'crossfade[index]'")
    space, queries = space_of(rng.standard_normal((20000, 24))), rng.standard_normal((50, 24)).astype(np.float32)
    exact = build_index(space, "cosine")
    index = build_index(space, "cosine", IndexSettings(backend="graph", links=8, build_breadth=32, search_breadth=32))
    assert index.search(queries, 16).rows.tolist() != exact.search(queries, 16).rows.tolist()
    assert index.search(queries, 17).rows.tolist() == exact.search(queries, 17).rows.tolist()


def test_the_longest_items_are_found_where_the_graph_alone_would_miss_them(rng, monkeypatch):
    monkeypatch.setattr("crossfade.nearest.graph.EXACT_SHARE", 32)
    pytest.importorskip("usearch", reason="needs usearch: pip install 'crossfade[index]'")
    # One item in fifty is thirty times as long as the others: all of the best are among these.
    vectors = rng.standard_normal((6000, 16)).astype(np.float32)
    vectors[::50] *= 30
    space, queries = space_of(vectors), rng.standard_normal((50, 16)).astype(np.float32)
    exact = ExactIndex.build(space, "dot").search(queries, 10)
    graph = build_index(space, "dot", IndexSettings(backend="graph", search_breadth=16)).search(queries, 10)
    assert (exact.rows % 50 == 0).all()
    np.testing.assert_array_equal(graph.rows, exact.rows)
