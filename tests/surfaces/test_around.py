"""Maps around an item, and the shortest way between two."""

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.ids import MISSING, Ids
from crossfade.surfaces import around as module
from crossfade.surfaces.around import around, way
from crossfade.surfaces.asking import OpenRelease

find = Ids.find


@pytest.fixture
def opened(small_library):
    _, release, _ = small_library("artist and track")
    return OpenRelease(release)


def costs(hood, width):
    """(items, items) 1 - closeness of each pair of which one lists the other among its ``width`` closest."""
    found = hood.nearest(np.arange(len(hood.model.item_ids), dtype=np.int32), width)
    dense = np.zeros((len(found.rows),) * 2)
    for row, (others, scores) in enumerate(zip(found.rows, found.scores, strict=True)):
        for other, score in zip(others, scores, strict=True):
            if other != MISSING and score > 0:
                dense[row, other] = dense[other, row] = 1 - min(score, 1)
    return dense


def test_a_map_has_the_closest_first_and_only_what_is_linked(opened):
    hood = opened.neighbourhood("artist")
    made = around(opened, "artist", "a05", 12)
    assert (made.nodes[0].item.id, made.nodes[0].closeness) == ("a05", 1.0)
    assert len(made.nodes) == 12
    closeness = [node.closeness for node in made.nodes]
    assert closeness == sorted(closeness, reverse=True)
    assert closeness[-1] > 0
    nearest = hood.nearest(np.array([hood.model.item_ids.find("a05")], dtype=np.int32), 5)
    assert {hood.model.item_ids[row] for row in nearest.rows[0].tolist()} <= {node.item.id for node in made.nodes}
    graph = np.zeros((12, 12))
    for link in made.links:
        assert link.source < link.target
        graph[link.source, link.target] = link.closeness
    hops = dijkstra(csr_array(graph), directed=False, unweighted=True, indices=0)
    assert np.isfinite(hops).all()  # one can walk from the middle to every node


def test_a_larger_map_goes_further(opened):
    small, large = (around(opened, "artist", "a05", size) for size in (6, 30))
    assert {node.item.id for node in small.nodes} <= {node.item.id for node in large.nodes}
    assert len(large.nodes) == 30


def test_what_no_model_knows_is_alone_and_what_nobody_knows_is_an_error(opened, monkeypatch):
    known, others = opened.neighbourhood("artist"), opened.catalogue["artist"].ids
    monkeypatch.setattr(Ids, "find", lambda ids, name: MISSING if ids is known.model.item_ids else find(ids, name))
    assert others is not known.model.item_ids
    made = around(opened, "artist", "a05", 5)
    assert ([node.item.id for node in made.nodes], made.links) == (["a05"], [])
    with pytest.raises(UnknownIdError):
        around(opened, "artist", "nobody", 5)
    with pytest.raises(NotReadyError, match="No chain"):
        way(opened, "artist", "a05", "a06")


@pytest.mark.parametrize(("first", "last"), [("a00", "a01"), ("a00", "a04"), ("a17", "a38"), ("a38", "a02")])
def test_a_way_is_the_shortest(opened, first, last, monkeypatch):
    monkeypatch.setattr(module, "WAYS", 4)
    hood = opened.neighbourhood("artist")
    rows = [hood.model.item_ids.find(one) for one in (first, last)]
    shortest = dijkstra(csr_array(costs(hood, 4)), directed=False, indices=rows[0])[rows[1]]
    if np.isinf(shortest):
        with pytest.raises(NotReadyError):
            way(opened, "artist", first, last)
        return
    stops = way(opened, "artist", first, last)
    assert (stops[0].node.item.id, stops[-1].node.item.id, stops[0].closeness) == (first, last, None)
    assert sum(1 - stop.closeness for stop in stops[1:]) == pytest.approx(shortest, abs=1e-6)
    dense = costs(hood, 4)
    for one, other in itertools.pairwise(stops):
        pair = [hood.model.item_ids.find(stop.node.item.id) for stop in (one, other)]
        assert 1 - other.closeness == pytest.approx(dense[pair[0], pair[1]], abs=1e-6)


def test_the_way_to_itself_has_one_stop(opened):
    [stop] = way(opened, "artist", "a03", "a03")
    assert stop.node.closeness == 1.0


def test_a_search_for_a_way_is_bounded(opened, monkeypatch):
    monkeypatch.setattr(module, "MOST_EXPANDED", 0)
    with pytest.raises(NotReadyError, match="No chain of related artists joins Item a00 and Item a39"):
        way(opened, "artist", "a00", "a39")


def test_kinds_that_nothing_compares_have_no_map(release_parts, tmp_path, home):
    from crossfade.stores.registry import open_releases

    release_parts.publish(open_releases(home))
    with open_releases(home).open() as release, pytest.raises(NotReadyError):
        around(OpenRelease(release), "show", "s:quiz", 5)
