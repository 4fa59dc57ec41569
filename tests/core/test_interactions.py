"""Interactions: the matrix that models learn from."""

import dataclasses
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core import interactions as module
from crossfade.core.errors import ArtifactError, InputError, UnknownIdError
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.texts import Texts

rows = st.lists(st.tuples(st.sampled_from("uvwx"), st.sampled_from("abcde"), st.integers(1, 9)), max_size=30)


@given(rows)
def test_counts_are_summed_by_pair(listed):
    made = Interactions.from_counts([u for u, _, _ in listed], [i for _, i, _ in listed], [n for _, _, n in listed])
    wanted: dict[tuple[str, str], int] = {}
    for user, item, count in listed:
        wanted[user, item] = wanted.get((user, item), 0) + count
    kept = {
        (made.user_ids[user], made.item_ids[int(made.indices[place])]): float(made.weights[place])
        for user in range(len(made.user_ids))
        for place in range(made.of_user(user).start, made.of_user(user).stop)
    }
    assert kept == wanted
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
def test_arrays_on_the_disk_that_do_not_fit_each_other_are_refused(small, tmp_path, name):
    small.save(tmp_path)
    np.save(tmp_path / f"{name}.npy", getattr(small, name)[:-1])
    with pytest.raises(ArtifactError, match=r"crossfade verify"):
        Interactions.load(tmp_path, kind="track")


def test_pairs_on_the_disk_are_not_read_until_they_are_needed(small, tmp_path):
    small.save(tmp_path)
    np.save(tmp_path / "weights.npy", np.zeros(3, dtype=np.float32))
    assert Interactions.load(tmp_path, kind="track").pairs == 3


def test_one_user_alone_keeps_the_rows_of_items():
    played = Interactions.from_counts(["ann", "bob", "bob"], ["x", "x", "y"], [1, 2, 3])
    alone = played.histories(Ids.of(["bob"]))
    assert (list(alone.user_ids), alone.indptr.tolist(), alone.indices.tolist()) == (["bob"], [0, 2], [0, 1])
    assert (alone.plays.tolist(), alone.weights.tolist()) == ([2, 3], [2, 3])
    assert alone.item_ids == played.item_ids
    assert played.histories(Ids.of(["nobody"])).indptr.tolist() == [0, 0]
    several = played.histories(Ids.of(["bob", "eve", "ann"]))
    assert (several.indptr.tolist(), several.indices.tolist()) == ([0, 1, 3, 3], [0, 0, 1])
    assert (several.plays.tolist(), several.last_played.tolist()) == ([1, 2, 3], [0, 0, 0])


def test_they_are_shown_in_a_line(small):
    assert repr(small) == "Interactions(2 users × 2 tracks, 3 pairs)"


# What is made directly, from arrays.


def made_with(small, **arrays):
    return dataclasses.replace(small, **arrays)


def test_other_types_and_byte_orders_are_converted(small):
    made = made_with(
        small,
        indptr=np.array([0, 2, 3], dtype=">i4"),
        indices=np.array([0, 9, 1, 9, 1, 9], dtype=np.uint64)[::2],
        weights=[5, 3, 2],
        plays=np.array([5, 9, 3, 9, 2, 9], dtype=np.int32)[::2],
        last_played=np.zeros(3, dtype=">i8"),
    )
    for name in ("indptr", "indices", "weights", "plays", "last_played"):
        converted, wanted = getattr(made, name), getattr(small, name)
        assert converted.dtype == wanted.dtype
        assert converted.dtype.isnative
        assert converted.flags.c_contiguous
        assert converted.tolist() == wanted.tolist()


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"indptr": [0, 3]}, "2 users and 2 indptr do not fit"),
        ({"weights": [1, 2]}, "'weights': 2"),
        ({"indptr": [1, 2, 3]}, "must start at 0"),
        ({"indptr": [0, 4, 3]}, "never decrease"),
        ({"indptr": [0, 2, 2]}, "end at 3"),
        ({"indices": [0, 1, 2]}, "indices of 2 items must be 0 to 1, not 0 to 2"),
        ({"indices": [0, -1, 1]}, "must be 0 to 1, not -1 to 1"),
        ({"indices": [1, 0, 1]}, "must ascend"),
        ({"indices": [1, 1, 0]}, "must ascend"),
        ({"indices": [0.0, 1.0, 1.0]}, "indices must be a 1-d array of whole numbers, not 1-d float64"),
        ({"indices": [0, 1, 2**40]}, "indices must be -2147483648 to 2147483647"),
        ({"indices": [[0, 1, 1]]}, "not 2-d int64"),
        ({"weights": [1, 0, 1]}, "finite numbers above zero"),
        ({"weights": [1, -1, 1]}, "finite numbers above zero"),
        ({"weights": [1, float("nan"), 1]}, "finite numbers above zero"),
        ({"weights": [1, float("inf"), 1]}, "finite numbers above zero"),
        ({"weights": [1, 1e300, 1]}, "1e-18 to 1e+12"),
        ({"weights": [1, 1e-60, 1]}, "1e-18 to 1e+12"),
        ({"weights": ["1", "2", "3"]}, "weights must be a 1-d array of numbers, not 1-d <U1"),
        ({"plays": [1, 0, 1]}, "plays must be 1 or more"),
        ({"last_played": [-1, 0, 0]}, "last_played must be 0 to 4294967295"),
    ],
)
def test_arrays_that_are_not_what_they_should_be_are_refused(small, arrays, says):
    with pytest.raises(InputError, match=re.escape(says)):
        made_with(small, **arrays)


small_numbers = st.lists(st.integers(-2, 5), max_size=6)


@given(small_numbers, small_numbers, st.sampled_from(["<i4", ">i4", ">i8", "<u2"]))
def test_whatever_the_arrays_are_every_pair_that_is_accepted_exists_once(indptr, indices, dtype):
    users, items = Ids.of("uvw"), Ids.of("abcd")
    with np.errstate(all="ignore"):
        starts, rows = np.array(indptr).astype(dtype), np.array(indices).astype(dtype)
    ones = np.ones(len(rows), dtype=np.uint8)
    arrays = {"indptr": starts, "indices": rows, "weights": ones, "plays": ones, "last_played": ones}
    try:
        made = Interactions(kind="artist", user_ids=users, item_ids=items, **arrays)
    except InputError:
        return
    pairs = [(user, item) for user in range(3) for item in made.played(user).tolist()]
    assert len(pairs) == len(set(pairs)) == made.pairs
    assert pairs == sorted(pairs)
    assert all(0 <= item < 4 for _, item in pairs)


@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_items_that_do_not_ascend_are_noticed_wherever_they_stand(monkeypatch, block):
    monkeypatch.setattr(module, "_BLOCK", block)
    whole = Interactions.from_counts([*"aaabbb"], [*"xyzxyz"])
    assert made_with(whole, indices=[0, 1, 2, 0, 1, 2]).pairs == 6
    for place in (1, 2, 4, 5):
        wrong = [0, 1, 2, 0, 1, 2]
        wrong[place] = wrong[place - 1]
        with pytest.raises(InputError, match="must ascend"):
            made_with(whole, indices=wrong)
    assert whole.listeners().tolist() == [2, 2, 2]


def test_a_kind_that_does_not_exist_is_refused(small):
    with pytest.raises(UnknownIdError, match="'mood'"):
        made_with(small, kind="mood")


# Columns of ids.


@pytest.mark.parametrize(
    "users",
    [
        ["10", "9", "10"],
        [10, 9, 10],
        np.array([10, 9, 10], dtype=np.uint16),
        np.array(["10", "9", "10"]),
        np.array(["10", "9", "10"], dtype=object),
        pa.array([10, 9, 10]),
        pa.array(["10", "9", "10"]).dictionary_encode(),
        pa.array(["x", "10", "9"]).dictionary_encode().take(pa.array([1, 2, 1])),
        pa.chunked_array([[10], [9, 10]]),
        pa.chunked_array([["10"], ["9", "10"]], pa.string_view()),
        Texts.of(["10", "9", "10"]),
        (str(number) for number in (10, 9, 10)),
    ],
    ids=lambda users: type(users).__name__,
)
def test_ids_are_text_or_whole_numbers_in_any_column(users):
    made = Interactions.from_counts(users, ["x", "y", "y"], pa.array([1, 2, 3]))
    assert list(made.user_ids) == ["10", "9"]  # by their bytes
    assert made.matrix().toarray().tolist() == [[1, 3], [0, 2]]


@pytest.mark.parametrize(
    ("users", "says"),
    [
        ([b"a"], "users must be text or whole numbers, not binary"),
        (["a", b"b"], "not binary"),
        ([1.5], "not double"),
        ([True], "not bool"),
        ([["a"]], "not list"),
        ([None], "missing (None or NaN), as 1 of 1"),
        (["a", None], "missing (None or NaN), as 1 of 2"),
        (["a", 1], "all text or all whole numbers"),
        ([1, "a"], "all text or all whole numbers"),
        ([2**70], "all text or all whole numbers"),
        (["\ud800"], "all text or all whole numbers"),
        (None, "all text or all whole numbers"),
        (np.zeros((2, 2), dtype=int), "all text or all whole numbers"),
        (pa.array([1.5]).dictionary_encode(), "not double"),
        (pa.array(["a", None]).dictionary_encode(), "as 1 of 2"),
    ],
)
def test_what_is_no_id_is_refused(users, says):
    with pytest.raises(InputError, match=re.escape(says)):
        Interactions.from_counts(users, ["x"] * (1 if users is None else len(users)))


def test_rows_without_counts_count_once_each():
    made = Interactions.from_counts(["u", "u", "v"], ["i", "i", "i"])
    assert made.matrix().toarray().tolist() == [[2], [1]]


@pytest.mark.parametrize("plays", [["many"], [[1]], [None]])
def test_counts_that_are_not_numbers_are_refused(plays):
    with pytest.raises(InputError):
        Interactions.from_counts(["u"], ["i"], plays)


@pytest.mark.parametrize("plays", [[1e39], [1e308, 1e308], [6e11, 6e11], [1e-60], [1e-19]])
def test_counts_too_large_or_small_to_learn_from_are_refused(plays):
    with pytest.raises(InputError, match="1e-18 to 1e\\+12"):
        Interactions.from_counts(["u"] * len(plays), ["i"] * len(plays), plays)


def from_rows(**changes):
    parts = {"user_rows": [0, 1], "item_rows": [1, 0], "counts": [1.0, 2.0], **changes}
    return Interactions.from_rows(Ids.of(["ann", "bob"]), Ids.of(["x", "y"]), **parts)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"user_rows": [0, 2]}, "indices of 2 users must be 0 to 1, not 0 to 2"),
        ({"user_rows": [0, -1]}, "indices of 2 users must be 0 to 1, not -1 to 0"),
        ({"item_rows": [0, 2]}, "indices of 2 items must be 0 to 1, not 0 to 2"),
        ({"item_rows": np.array([0, 2**32])}, "to fit int32"),
        ({"item_rows": [0.0, 1.0]}, "item_rows must be a 1-d array of whole numbers"),
        ({"item_rows": [0]}, "2 users, 1 items, 2 plays"),
        ({"counts": [1.0, "many"]}, "plays must be numbers"),
        ({"counts": [1.0, float("nan")]}, "above zero"),
    ],
)
def test_rows_that_do_not_fit_are_refused(changes, says):
    with pytest.raises(InputError, match=says):
        from_rows(**changes)


def test_rows_of_any_type_give_the_same_pairs():
    wanted = from_rows().matrix().toarray().tolist()
    for dtype in (">i4", np.int64, np.uint8):
        made = from_rows(
            user_rows=np.array([0, 1], dtype), item_rows=np.array([1, 0], dtype), counts=np.float16([1, 2])
        )
        assert made.matrix().toarray().tolist() == wanted == [[0, 1], [2, 0]]


@pytest.mark.parametrize("name", ["user_ids", "item_ids"])
def test_ids_in_a_list_could_be_unsorted_and_are_refused(small, name):
    with pytest.raises(InputError, match=f"{name} must be made by `Ids.of`, which sorts them, not a list"):
        made_with(small, **{name: ["b", "a"]})


@pytest.mark.parametrize("users", ["ab", b"ab"])
def test_one_text_is_no_column(users):
    with pytest.raises(InputError, match="users must be a list, an array or a column"):
        Interactions.from_counts(users, ["x", "y"])


def test_whole_numbers_are_remembered_as_such(tmp_path):
    made = Interactions.from_counts(np.array([10, 9], np.int8), ["x", "y"])
    made.save(tmp_path)
    for interactions in (made, Interactions.load(tmp_path, kind="artist"), made.histories([9, 10, 11])):
        assert interactions.user_ids.numbers
        assert not interactions.item_ids.numbers
    assert made.user_ids.as_given(np.array([1, 0, 1])).to_pylist() == [9, 10, 9]
    assert made.item_ids.as_given(np.array([1])).to_pylist() == ["y"]
    assert made.histories([9]).played(0).tolist() == [1]
    # int64 cannot hold it, so it is given back as text.
    assert not Interactions.from_counts(np.array([2**63], np.uint64), ["x"]).user_ids.numbers


# Matrices.


def broken(**parts):
    """A matrix of SciPy's whose arrays were changed to what they must not be."""
    made = scipy.sparse.csr_array(np.array([[1, 2, 0], [0, 0, 3], [0, 0, 0]]))
    for name, values in parts.items():
        setattr(made, name, np.array(values, dtype=np.int32))
    return made


@pytest.fixture
def matrix():
    return scipy.sparse.csr_array(np.array([[0, 2, 0], [1, 0, 3]]))


@pytest.mark.parametrize("form", ["csr_array", "csr_matrix", "coo_array", "csc_array", "lil_matrix"])
def test_a_matrix_keeps_its_counts_under_its_ids(matrix, form):
    matrix = getattr(scipy.sparse, form)(matrix)
    made = Interactions.from_csr(matrix, ["zoe", "ann"], [30, 4, 5], kind="track")
    assert (list(made.user_ids), list(made.item_ids), made.kind) == (["ann", "zoe"], ["30", "4", "5"], "track")
    assert made.matrix().toarray().tolist() == [[1, 0, 3], [0, 2, 0]]


def test_a_matrix_without_ids_is_known_by_its_numbers():
    dense = np.zeros((11, 2))
    dense[10, 1], dense[2, 0] = 7, 1
    made = Interactions.from_csr(scipy.sparse.csr_array(dense))
    assert made.shape == (11, 2)
    assert list(made.user_ids)[:4] == ["0", "1", "10", "2"]
    assert made.played(made.user_ids.row("10")).tolist() == [1]
    assert made.weights.tolist() == [7, 1]


def test_zeros_and_entries_that_stand_twice():
    entries = ([2.0, 0.5, 0.0], ([0, 0, 1], [1, 1, 0]))
    made = Interactions.from_csr(scipy.sparse.coo_array(entries, shape=(2, 2)))
    assert made.matrix().toarray().tolist() == [[0, 2.5], [0, 0]]


def test_whether_there_is_an_interaction_is_a_count_of_one(matrix):
    assert Interactions.from_csr(matrix.astype(bool)).weights.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"user_ids": ["a"]}, "user_ids must be 2 different ids, not 1 different ones of 1"),
        ({"user_ids": ["a", "a"]}, "not 1 different ones of 2"),
        ({"item_ids": ["a", "b"]}, "item_ids must be 3 different ids"),
        ({"matrix": scipy.sparse.csr_array([[-1, 1, 1], [1, 1, 1]])}, "above zero"),
        ({"matrix": scipy.sparse.csr_array([[float("nan"), 1, 1], [1, 1, 1]])}, "finite"),
        ({"matrix": scipy.sparse.coo_array([1, 2, 3])}, "2 dimensions, not 1"),
        ({"matrix": "matrix"}, "not a matrix of counts"),
        ({"matrix": broken(indptr=[0, 2, 1, 3])}, "not a matrix of counts"),
        ({"matrix": broken(indices=[0, 1, 9])}, "not a matrix of counts"),
        ({"matrix": broken(indices=[0, -1, 1])}, "not a matrix of counts"),
    ],
)
def test_a_matrix_that_does_not_fit_is_refused(matrix, changes, says):
    with pytest.raises(InputError, match=says):
        Interactions.from_csr(**{"matrix": matrix, **changes})


# Frames, tables and files.

ROWS = {"listener": ["ann", "bob", "ann"], "song": [7, 8, 8], "times": [1.0, 2.0, 3.0], "note": [None, 1, 2]}
CHOSEN = {"user": "listener", "item": "song", "weight": "times", "kind": "track"}


class Capsules:
    """A table of a library that PyArrow has never heard of."""

    def __arrow_c_stream__(self, requested_schema=None):
        return pa.table(ROWS).__arrow_c_stream__(requested_schema)


def check(made, wanted=((1, 3), (0, 2))):
    assert (list(made.user_ids), list(made.item_ids), made.kind) == (["ann", "bob"], ["7", "8"], "track")
    assert made.matrix().toarray().tolist() == [list(row) for row in wanted]


@pytest.mark.parametrize("table", [pa.table(ROWS), pa.table(ROWS).to_batches()[0], Capsules(), ROWS], ids=type)
def test_tables_of_arrow(table):
    check(Interactions.from_arrow(table, **CHOSEN))
    check(Interactions.from_arrow(table, **{**CHOSEN, "weight": None}), wanted=((1, 1), (0, 1)))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame(ROWS)
    check(Interactions.from_frame(frame, **CHOSEN))
    check(Interactions.from_arrow(frame, **CHOSEN))
    names = frame["listener"]
    categories = names.astype("category") if library == "pandas" else names.cast(frames.Categorical)
    check(Interactions.from_counts(categories, frame["song"], frame["times"], kind="track"))
    with pytest.raises(InputError, match="no column 'who'; the columns are: listener, song, times, note"):
        Interactions.from_frame(frame, user="who", item="song")
    with pytest.raises(InputError, match="not double"):
        Interactions.from_frame(frame, user="times", item="song")


def test_a_list_is_no_data_frame():
    with pytest.raises(InputError, match="a data frame has columns, a list has not"):
        Interactions.from_frame([1, 2])


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no column 'user'; the columns are: listener, song, times, note"):
        Interactions.from_arrow(ROWS)


def test_files(tmp_path, matrix):
    pq.write_table(pa.table(ROWS), tmp_path / "a.parquet")
    check(Interactions.from_file(tmp_path / "a.parquet", **CHOSEN))
    (tmp_path / "a.CSV").write_text("times,song,listener\n1,7,ann\n2,8,bob\n3,8,ann\n")
    check(Interactions.from_file(str(tmp_path / "a.CSV"), **CHOSEN))
    scipy.sparse.save_npz(tmp_path / "a.npz", matrix)
    assert Interactions.from_file(tmp_path / "a.npz").matrix().toarray().tolist() == matrix.toarray().tolist()


def test_ids_in_csv_files_keep_their_zeros(tmp_path):
    (tmp_path / "a.csv").write_text("user,item\n007,1\n7,2020-01-01\n")
    made = Interactions.from_file(tmp_path / "a.csv")
    assert (list(made.user_ids), list(made.item_ids)) == (["007", "7"], ["1", "2020-01-01"])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"", r"a\.txt: interactions are read from \.npz, \.parquet and \.csv files only"),
        ("a.npz", b"PK\x03\x04", r"a\.npz: this file cannot be read"),
        ("a.npz", b"nothing", r"a\.npz: this file cannot be read"),
        ("a.parquet", b"nothing", r"a\.parquet: this file cannot be read"),
        ("a.csv", b"", r"a\.csv: this file cannot be read"),
        ("a.csv", b"user,item\nann\n", r"a\.csv: this file cannot be read"),
        ("a.csv", b"who,item\nann,x\n", r"a\.csv: there is no column 'user'"),
        ("gone.csv", None, r"gone\.csv: this file cannot be read"),
    ],
)
def test_files_that_are_none_of_these_are_refused(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        Interactions.from_file(tmp_path / name)


def test_a_matrix_of_objects_is_not_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", format=np.array([{}], dtype=object))
    with pytest.raises(InputError, match=r"a\.npz: this file cannot be read"):
        Interactions.from_file(tmp_path / "a.npz")
