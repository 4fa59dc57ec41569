"""Interactions: the matrix that models learn from."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.interactions import Interactions

rows = st.lists(st.tuples(st.sampled_from("uvwx"), st.sampled_from("abcde"), st.integers(1, 9)), max_size=30)


@given(rows)
def test_counts_are_summed_by_pair(listed):
    made = Interactions.from_counts([u for u, _, _ in listed], [i for _, i, _ in listed], [n for _, _, n in listed])
    wanted: dict[tuple[str, str], int] = {}
    for user, item, count in listed:
        wanted[user, item] = wanted.get((user, item), 0) + count
    held = {
        (made.user_ids[user], made.item_ids[int(made.indices[place])]): float(made.weights[place])
        for user in range(len(made.user_ids))
        for place in range(made.of_user(user).start, made.of_user(user).stop)
    }
    assert held == wanted
    assert made.pairs == len(wanted)
    assert made.plays.tolist() == made.weights.tolist()
    assert all(np.all(np.diff(made.played(user)) > 0) for user in range(len(made.user_ids)))


@pytest.fixture
def small():
    return Interactions.from_counts(["ann", "bob", "ann", "ann"], ["x", "y", "y", "x"], [1, 2, 3, 4], kind="track")


def test_by_hand(small):
    assert small.kind == "track"
    assert small.shape == (2, 2)
    assert small.indptr.tolist() == [0, 2, 3]
    assert small.indices.tolist() == [0, 1, 1]
    assert small.weights.tolist() == [5, 3, 2]
    assert small.listeners().tolist() == [1, 2]
    assert small.item_plays().tolist() == [5, 5]
    assert small.matrix().toarray().tolist() == [[5, 3], [0, 2]]
    assert small.last_played.tolist() == [0, 0, 0]


def test_the_types_are_those_that_kernels_want(small):
    arrays = small.indptr, small.indices, small.weights, small.plays, small.last_played
    assert [str(array.dtype) for array in arrays] == ["int64", "int32", "float32", "int32", "uint32"]


def test_a_fraction_of_a_play_is_still_a_play():
    made = Interactions.from_counts(["u"], ["i"], [0.25])
    assert made.weights.tolist() == [0.25]
    assert made.plays.tolist() == [1]


def test_a_count_beyond_the_type_is_held_at_its_end():
    assert Interactions.from_counts(["u"], ["i"], [1e12]).plays.tolist() == [2**31 - 1]


def test_no_rows_are_no_interactions():
    made = Interactions.from_counts([], [], [])
    assert made.shape == (0, 0)
    assert made.pairs == 0
    assert made.listeners().tolist() == []


@pytest.mark.parametrize("plays", [[0], [-1], [float("nan")], [float("inf")]])
def test_counts_that_are_none_are_refused(plays):
    with pytest.raises(InputError, match="above zero"):
        Interactions.from_counts(["u"], ["i"], plays)


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(InputError, match="2 users, 1 items, 1 plays"):
        Interactions.from_counts(["u", "v"], ["i"], [1])


def test_saved_interactions_are_the_same(small, tmp_path):
    small.save(tmp_path)
    loaded = Interactions.load(tmp_path, kind="track")
    assert loaded.user_ids == small.user_ids
    assert loaded.item_ids == small.item_ids
    for name in ("indptr", "indices", "weights", "plays", "last_played"):
        assert np.array_equal(getattr(loaded, name), getattr(small, name))
        assert isinstance(getattr(loaded, name), np.memmap)


@pytest.mark.parametrize("name", ["indptr", "indices", "weights", "plays", "last_played"])
def test_arrays_that_do_not_fit_each_other_are_refused(small, tmp_path, name):
    small.save(tmp_path)
    np.save(tmp_path / f"{name}.npy", getattr(small, name)[:-1])
    with pytest.raises(ArtifactError, match="do not fit"):
        Interactions.load(tmp_path, kind="track")


def test_one_user_alone_keeps_the_rows_of_items():
    played = Interactions.from_counts(["ann", "bob", "bob"], ["x", "x", "y"], [1, 2, 3])
    played = dataclasses.replace(played, recent=np.array([0.1, 0.2, 0.3], dtype=np.float32))
    alone = played.only("bob")
    assert (list(alone.user_ids), alone.indptr.tolist(), alone.indices.tolist()) == (["bob"], [0, 2], [0, 1])
    assert (alone.plays.tolist(), alone.weights.tolist()) == ([2, 3], [2, 3])
    assert alone.recent.tolist() == pytest.approx([0.2, 0.3])
    assert alone.item_ids == played.item_ids
    assert played.only("nobody").indptr.tolist() == [0, 0]
