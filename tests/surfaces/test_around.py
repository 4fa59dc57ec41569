"""Maps around an item, and the shortest way between two."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.spaces import Neighbours
from crossfade.surfaces import around as module
from crossfade.surfaces.around import LINKS, around, way
from crossfade.surfaces.asking import OpenRelease

find = Ids.find


@pytest.fixture
def opened(small_library):
    _, release, _ = small_library("artist and track")
    return OpenRelease(release)


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


class Drawn:
    """A neighbourhood of the items a00, a01, … by lists that are drawn; some scores are above 1."""

    def __init__(self, rng, items=40, width=5):
        self.model = SimpleNamespace(item_ids=Ids.of(f"a{row:02}" for row in range(items)))
        alike = np.triu(rng.uniform(0.05, 1.3, (items, items)), 1)
        self.alike = alike + alike.T
        rows = np.array([rng.choice(np.delete(np.arange(items), row), width, replace=False) for row in range(items)])
        scores = np.take_along_axis(self.alike, rows, axis=1)
        order = np.argsort(-scores, axis=1)
        self.table = Neighbours(
            rows=np.take_along_axis(rows, order, axis=1).astype(np.int32),
            scores=np.take_along_axis(scores, order, axis=1).astype(np.float32),
        )

    def nearest(self, rows, depth):
        return Neighbours(rows=self.table.rows[rows, :depth], scores=self.table.scores[rows, :depth])

    def costs(self):
        """(items, items) 1 - closeness of those in the list of the row; a sparse 0 would be no link."""
        made = np.zeros_like(self.alike)
        np.put_along_axis(made, self.table.rows, np.maximum(1 - self.table.scores.astype(float), 1e-12), axis=1)
        return csr_array(made)


@pytest.fixture
def drawn(opened, rng, monkeypatch):
    made = Drawn(rng)
    monkeypatch.setattr(OpenRelease, "neighbourhood", lambda release, kind: made)
    return made


def test_a_way_is_the_shortest_over_lists_from_both_ends(opened, drawn):
    far = dijkstra(drawn.costs())
    for first, last in [(0, 1), (3, 30), (17, 38), (38, 2), (5, 21), (9, 12), (33, 14), (20, 7)]:
        stops = way(opened, "artist", f"a{first:02}", f"a{last:02}")
        rows = [int(stop.node.item.id[1:]) for stop in stops]
        assert (rows[0], rows[-1], stops[0].closeness) == (first, last, None)
        closeness = [stop.closeness for stop in stops[1:]]
        assert 1 - np.array(closeness) == pytest.approx(
            [1 - min(drawn.alike[pair], 1) for pair in itertools.pairwise(rows)], abs=1e-6
        )
        assert sum(1 - one for one in closeness) == pytest.approx((far[first] + far[last]).min(), abs=1e-6)
        assert stops[-1].node.closeness == pytest.approx(np.prod(closeness))


@pytest.mark.parametrize("drawn_of_each", [LINKS, 1])
def test_a_map_has_the_strongest_links_and_the_way_to_each_node(opened, drawn, drawn_of_each, monkeypatch):
    monkeypatch.setattr(module, "LINKS", drawn_of_each)
    made = around(opened, "artist", "a05", 20)
    places = {int(node.item.id[1:]): place for place, node in enumerate(made.nodes)}
    links = {frozenset({link.source, link.target}): link.closeness for link in made.links}
    lists = {row: [other for other in drawn.table.rows[row].tolist() if other in places] for row in places}
    for row, others in lists.items():
        assert {frozenset({places[row], places[other]}) for other in others[:drawn_of_each]} <= links.keys()
    assert all(0 < closeness <= 1 for closeness in links.values())
    for place, node in enumerate(made.nodes[1:], start=1):
        ways = [made.nodes[other].closeness * links.get(frozenset({place, other}), 0) for other in range(20)]
        assert max(ways) >= node.closeness - 1e-6


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
