"""Partitions, how deep a search must go, and the files of the clustered index."""

import json

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.spaces import VectorSpace
from crossfade.nearest.clusters import SHORTEST_LIST, ClusterIndex
from crossfade.nearest.contract import IndexSettings, Restriction
from crossfade.nearest.exact import ExactIndex
from crossfade.nearest.files import file_digest
from crossfade.nearest.kmeans import assigned, clustered
from crossfade.nearest.layout import laid_out


def space_of(vectors, users=None):
    return VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        item_ids=Ids.of(f"{row:05}" for row in range(len(vectors))),
        item_vectors=np.asarray(vectors, dtype=np.float32),
        user_ids=None if users is None else Ids.of(f"u{row:05}" for row in range(len(users))),
        user_vectors=users,
    )


def planted(rng, items=8000, factors=16, centres=60, spread=0.35):
    around = rng.standard_normal((centres, factors))
    vectors = around[rng.integers(centres, size=items)] + spread * rng.standard_normal((items, factors))
    return (vectors * rng.lognormal(0, 0.5, (items, 1))).astype(np.float32)


def test_points_go_to_the_nearest_mean(rng):
    points, means = rng.standard_normal((700, 5)).astype(np.float32), rng.standard_normal((40, 5)).astype(np.float32)
    distances = ((points[:, None] - means[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(assigned(points, means, 2), distances.argmin(axis=1))


def test_planted_clusters_are_found_whatever_the_threads(rng):
    # Eight heaps, far apart on the axes: whoever starts where, the means end inside heaps and split none badly.
    heap = np.repeat(np.arange(8), 100)
    points = (100 * np.eye(8)[heap] + rng.standard_normal((800, 8))).astype(np.float32)
    means, nearest = clustered(points, 24, np.random.default_rng(1), 1)
    again = clustered(points, 24, np.random.default_rng(1), 2)
    np.testing.assert_array_equal(means, again[0])
    np.testing.assert_array_equal(nearest, again[1])
    assert all(len(set(heap[nearest == cluster])) <= 1 for cluster in range(24))
    for cluster in set(nearest):
        np.testing.assert_allclose(means[cluster], points[nearest == cluster].mean(axis=0), atol=1.5)


def test_equal_points_leave_clusters_empty_and_are_still_all_there():
    points = np.ones((300, 4), dtype=np.float32)
    means, nearest = clustered(points, 9, np.random.default_rng(1), 1)
    layout = laid_out(points, means, nearest)
    assert layout.fits(300, 4)
    assert len(set(layout.clusters_of_items())) == 1


def test_a_layout_has_every_vector_in_its_lane(rng):
    points, nearest = rng.standard_normal((100, 3)).astype(np.float32), rng.integers(7, size=100).astype(np.int32)
    layout = laid_out(points, np.zeros((8, 3), np.float32), nearest)
    lanes = layout.panels.transpose(0, 2, 1).reshape(-1, 3)
    present = layout.listed != MISSING
    np.testing.assert_array_equal(lanes[present], points[layout.listed[present]])
    assert not lanes[~present].any()
    np.testing.assert_array_equal(layout.clusters_of_items(), nearest)
    # As of a loaded one: Numba compiles a kernel anew for arrays that may be written.
    assert not any(array.flags.writeable for array in (layout.panels, layout.starts, layout.listed))


@pytest.mark.parametrize("recall", [0.8, 0.95, 1.0])
def test_as_many_are_found_as_were_asked_for(rng, recall):
    vectors = planted(rng)
    index = ClusterIndex.build(space_of(vectors), "cosine", IndexSettings(recall=recall))
    others = rng.choice(len(vectors), 500, replace=False).astype(np.int32)
    itself = Restriction(indptr=np.arange(501), indices=others)
    for k in (10, 60):
        found = index.search(vectors[others], k, itself).rows
        truth = ExactIndex.build(space_of(vectors), "cosine").search(vectors[others], k, itself).rows
        measured = np.mean([np.isin(one, best).mean() for one, best in zip(found, truth, strict=True)])
        assert measured >= recall - 0.005
        assert index.depths[-1].clusters < 0.5 * 179 or recall == 1.0


def test_the_sample_is_of_those_who_ask(rng):
    """Listeners of one corner need fewer clusters than all items do; by cosine items ask."""
    vectors = planted(rng)
    users = np.tile(vectors[:1], (50, 1)) + 0.01 * rng.standard_normal((50, 16)).astype(np.float32)
    lone = ClusterIndex.build(space_of(vectors, users), "dot")
    plain = ClusterIndex.build(space_of(vectors), "dot")
    assert [depth.size for depth in lone.depths] == [SHORTEST_LIST * 2**step for step in range(7)]
    assert lone.depths != plain.depths
    by_cosine = [ClusterIndex.build(space, "cosine").depths for space in (space_of(vectors, users), space_of(vectors))]
    assert by_cosine[0] == by_cosine[1]


def test_deeper_lists_need_more_clusters_and_hold_what_was_asked(rng):
    index = ClusterIndex.build(space_of(planted(rng)), "cosine", IndexSettings(recall=0.9))
    assert all(depth.recall >= 0.9 for depth in index.depths)
    assert index.depths[-1].clusters > index.depths[0].clusters


def test_a_small_catalogue_is_searched_whole(rng):
    vectors = rng.standard_normal((60, 8)).astype(np.float32)
    index = ClusterIndex.build(space_of(vectors), "dot")
    assert index.depths == ()
    exact = ExactIndex.build(space_of(vectors), "dot")
    np.testing.assert_array_equal(index.search(vectors, 50).rows, exact.search(vectors, 50).rows)


def test_zero_vectors_alone_are_no_sample():
    index = ClusterIndex.build(space_of(np.zeros((200, 4))), "cosine")
    assert index.search(np.zeros((1, 4), np.float32), 3).rows.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("listed.npy", lambda listed: np.where(listed == 5, 6, listed)),
        ("listed.npy", lambda listed: np.where(listed == 5, 999_999, listed)),
        ("starts.npy", lambda starts: starts + 1),
        ("starts.npy", lambda starts: starts[::-1].copy()),
        ("panels.npy", lambda panels: panels[:-1]),
        ("panels.npy", lambda panels: panels.astype(np.float64)),
        ("means.npy", lambda means: means[:, :-1]),
    ],
)
def test_files_that_would_lead_outside_are_refused_even_with_a_checksum(rng, tmp_path, name, changed):
    """Kernels trust these numbers, so they are looked at beyond their checksum."""
    space = space_of(planted(rng, 500))
    ClusterIndex.build(space, "dot").save(tmp_path)
    np.save(tmp_path / name, np.ascontiguousarray(changed(np.load(tmp_path / name))))
    described = json.loads((tmp_path / "index.json").read_text())
    described["files"][name] = file_digest(tmp_path / name)
    (tmp_path / "index.json").write_text(json.dumps(described))
    with pytest.raises(ArtifactError):
        ClusterIndex.load(tmp_path, space)


@pytest.mark.parametrize("depths", [None, [[8]], [[8, 0, 1.0]], [["a", 1, 1.0]]])
def test_depths_that_make_no_sense_are_refused(rng, tmp_path, depths):
    space = space_of(planted(rng, 500))
    ClusterIndex.build(space, "dot").save(tmp_path)
    described = json.loads((tmp_path / "index.json").read_text())
    described["details"] = {} if depths is None else {"depths": depths}
    (tmp_path / "index.json").write_text(json.dumps(described))
    with pytest.raises(ArtifactError, match=r"depths|fit"):
        ClusterIndex.load(tmp_path, space)
