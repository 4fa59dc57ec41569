"""Components by Hash-to-Min against SciPy's, its messages against the bound, and what is lost and repeated."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components as by_scipy

from crossfade.cluster import components
from crossfade.cluster.components import connected_components
from crossfade.cluster.engine import LocalEngine
from crossfade.core.errors import InputError
from crossfade.kernels.components import labels_of, numbers_of


def written(directory, left, right):
    directory.mkdir()
    np.save(directory / "left.npy", np.asarray(left, dtype=np.uint32))
    np.save(directory / "right.npy", np.asarray(right, dtype=np.uint32))
    return directory


def expected(left, right, vertices):
    """The smallest vertex of each component."""
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(vertices, vertices))
    count, labels = by_scipy(graph, directed=False)
    smallest = np.full(count, vertices)
    np.minimum.at(smallest, labels, np.arange(vertices))
    return smallest[labels]


def star(rng):
    return np.full(300, 299), np.arange(300), 300


def path(rng):
    order = rng.permutation(500)
    return order[:-1], order[1:], 500


def clique(rng):
    return *np.triu_indices(40), 45


def sparse(rng):
    # About as many edges as vertices: components of all sizes, and vertices alone.
    return rng.integers(0, 2000, 1100), rng.integers(0, 2000, 1100), 2000


def giant(rng):
    # One component with nine tenths of all, beside small ones.
    big, small = rng.integers(0, 700, (2, 1500)), 700 + rng.integers(0, 100, (2, 40))
    return *np.concatenate([big, small], axis=1), 800


def nothing(rng):
    return [], [], 7


def loops_and_repeats(rng):
    return [3, 3, 1, 2, 5], [3, 3, 2, 1, 5], 6


@pytest.mark.parametrize("graph", [star, path, clique, sparse, giant, nothing, loops_and_repeats])
@pytest.mark.parametrize(("slots", "piece"), [(1, 1 << 22), (3, 200)])
def test_components_are_those_of_scipy(rng, tmp_path, monkeypatch, graph, slots, piece):
    monkeypatch.setattr(components, "PIECE", piece)
    left, right, vertices = graph(rng)
    edges = written(tmp_path / "edges", left, right)
    found = connected_components(LocalEngine(slots), edges, vertices, workspace=tmp_path / "work")
    np.testing.assert_array_equal(found, expected(left, right, vertices))
    assert not (tmp_path / "work").exists()


def test_no_task_holds_more_than_a_piece_however_large_a_component_is(rng, tmp_path, monkeypatch):
    monkeypatch.setattr(components, "PIECE", 1000)
    sizes = []
    monkeypatch.setattr(
        components,
        "pass_on",
        lambda pairs, least, sent, original=components.pass_on: (
            sizes.append(len(pairs)) or original(pairs, least, sent)
        ),
    )
    # The whole graph is one component: in the end its least vertex has 6,000 members.
    vertices = 6000
    left, right = np.arange(1, vertices), rng.integers(0, np.arange(1, vertices))
    edges = written(tmp_path / "edges", left, right)
    found = connected_components(LocalEngine(2), edges, vertices, workspace=tmp_path / "work")
    assert not found.any()
    assert max(sizes) <= 1000
    assert len(sizes) > 50


def worst_round(tmp_path, vertices, name):
    """The most cells that a round sends for a path in the order of the numbers, by vertices and edges, and rounds."""
    edges = written(tmp_path / name, np.arange(vertices - 1), np.arange(1, vertices))
    rounds = []
    connected_components(LocalEngine(1), edges, vertices, workspace=tmp_path / "work", ended=rounds.append)
    return 2 * max(one.pairs for one in rounds[1:]) / (2 * vertices - 1), len(rounds) - 1


@pytest.mark.parametrize("vertices", [64, 512, 4096])
def test_a_path_takes_few_rounds_of_few_messages(tmp_path, vertices):
    cells, rounds = worst_round(tmp_path, vertices, "path")
    assert cells <= 3.9
    # The last of them finds that all is settled.
    assert rounds <= 17


def test_without_hashed_labels_a_path_is_quadratic(tmp_path, monkeypatch):
    monkeypatch.setattr(components, "labels_of", lambda numbers: np.array(numbers))
    monkeypatch.setattr(components, "numbers_of", lambda labels: labels)
    small, large = (worst_round(tmp_path, vertices, str(vertices))[0] for vertices in (128, 512))
    assert large > 3 * small > 100


def test_labels_are_a_bijection(rng):
    numbers = np.concatenate([np.arange(100_000), rng.integers(0, 1 << 32, 100_000)]).astype(np.uint32)
    np.testing.assert_array_equal(numbers_of(labels_of(numbers)), numbers)
    # In no order: half of the neighbours fall.
    assert np.mean(np.diff(labels_of(np.arange(100_000)).astype(np.int64)) < 0) == pytest.approx(0.5, abs=0.01)


class Failing(LocalEngine):
    """Carries out every task twice, and loses the driver after some."""

    def each(self, work, tasks, *, cached=""):
        left = self.__dict__.setdefault("left", iter(range(9)))
        done = []
        for number in range(tasks):
            if self.slots == 1 and next(left, None) is None:
                raise RuntimeError("the driver is lost")
            work(number)
            done.append(work(number))
        return done


def test_lost_and_repeated_tasks_change_nothing(rng, tmp_path, monkeypatch):
    monkeypatch.setattr(components, "PIECE", 500)
    left, right, vertices = path(rng)
    edges = written(tmp_path / "edges", left, right)
    with pytest.raises(RuntimeError):
        connected_components(Failing(1), edges, vertices, workspace=tmp_path / "work")
    rounds = []
    found = connected_components(Failing(2), edges, vertices, workspace=tmp_path / "work", ended=rounds.append)
    assert not found.any()
    # It goes on after the last round that was complete.
    assert rounds[0].number >= 1


def test_an_edge_to_nowhere_is_refused(tmp_path):
    edges = written(tmp_path / "edges", [0, 1], [1, 7])
    with pytest.raises(InputError, match="not below 7"):
        connected_components(LocalEngine(1), edges, 7, workspace=tmp_path / "work")
