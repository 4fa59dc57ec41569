"""Ids and row numbers."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.errors import ArtifactError, InputError, UnknownIdError
from crossfade.core.ids import MISSING, Ids, load_array

# Everything that UTF-8 can hold: no lone surrogates.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(texts))
def test_ids_are_the_distinct_texts_in_the_order_of_their_bytes(names):
    ids = Ids.of(names)
    assert list(ids) == sorted(set(names), key=str.encode)
    assert len(ids) == len(set(names))


@given(st.lists(texts), texts)
def test_every_text_is_found_where_it_stands_and_no_other(names, other):
    ids = Ids.of(names)
    for row, name in enumerate(ids):
        assert ids.find(name) == row
        assert ids[row] == ids[row - len(ids)] == name
    assert (other in ids) == (other in names)
    assert (ids.find(other) == MISSING) == (other not in names)


@given(st.lists(texts, max_size=40), st.lists(texts, max_size=40))
def test_rows_in_bulk_agree_with_one_by_one(names, asked):
    one_by_one = Ids.of(names)
    asked = [*asked, *names]
    alone = [one_by_one.find(name) for name in asked]
    in_bulk = Ids.of(names).rows(asked, missing="mark")
    assert in_bulk.dtype == np.int32
    assert in_bulk.tolist() == alone


def test_few_ids_are_looked_up_without_a_table():
    ids = Ids.of(str(number) for number in range(100))
    assert ids.rows(["7", "x"], missing="mark").tolist() == [ids.find("7"), MISSING]
    # "0" comes first; then each digit d from 1 to 6 with d0 … d9 behind it.
    assert ids.find("7") == 1 + 6 * 11


def test_a_text_that_is_no_text_is_not_found():
    assert Ids.of(["a"]).find("\ud800") == MISSING
    assert 1.5 not in Ids.of(["1.5"])


def test_an_unknown_id_is_named():
    ids = Ids.of(["abba"])
    with pytest.raises(UnknownIdError, match="'bjork'"):
        ids.row("bjork")
    with pytest.raises(UnknownIdError, match=r"2 of 3 .*'x'.*'y'"):
        ids.rows(["x", "abba", "y"])
    assert ids.row("abba") == 0


def test_rows_outside_are_refused():
    ids = Ids.of(["a", "b"])
    for row in (2, -3):
        with pytest.raises(IndexError):
            ids[row]


def test_slices_and_selections():
    ids = Ids.of(["a", "b", "c"])
    assert ids[1:] == ["b", "c"]
    assert ids[::-1] == ["c", "b", "a"]
    assert ids.select([2, MISSING, 0]) == ["c", "a"]


@given(st.lists(texts, max_size=8))
def test_saved_ids_are_the_same_ids(tmp_path_factory, names):
    place = tmp_path_factory.mktemp("ids")
    ids = Ids.of(names)
    ids.save(place / "ids")
    loaded = Ids.load(place / "ids")
    assert loaded == ids
    assert hash(loaded) == hash(ids)
    assert list(loaded) == list(ids)


def test_ids_differ_where_their_borders_do():
    assert Ids.of(["ab", "c"]) != Ids.of(["a", "bc"])
    assert Ids.of(["a"]) != ["a"]


def test_equal_ids_are_equal_files(tmp_path):
    Ids.of(["b", "a"]).save(tmp_path / "one")
    Ids.of(["a", "b", "a"]).save(tmp_path / "two")
    for part in ("bytes", "offsets"):
        assert (tmp_path / f"one.{part}.npy").read_bytes() == (tmp_path / f"two.{part}.npy").read_bytes()


@pytest.mark.parametrize("offsets", [[], [1, 2], [0, 1], [0, 3, 2]])
def test_offsets_that_do_not_fit_are_refused(tmp_path, offsets):
    np.save(tmp_path / "ids.bytes.npy", np.frombuffer(b"ab", dtype=np.uint8))
    np.save(tmp_path / "ids.offsets.npy", np.array(offsets, dtype=np.int64))
    with pytest.raises(ArtifactError, match="ids"):
        Ids.load(tmp_path / "ids")


def test_an_array_of_another_kind_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 2), dtype=np.float32))
    assert load_array(tmp_path / "a.npy", dtype=np.float32, ndim=2).shape == (2, 2)
    for dtype, ndim in ((np.float64, 2), (np.float32, 1)):
        with pytest.raises(ArtifactError, match=r"a\.npy"):
            load_array(tmp_path / "a.npy", dtype=dtype, ndim=ndim)


def test_an_array_that_would_execute_something_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ArtifactError, match=r"a\.npy"):
        load_array(tmp_path / "a.npy", dtype=np.float32, ndim=1)


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"not an array at all, though long enough to have a header"]
)
def test_what_is_not_an_array_is_refused(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"a\.npy"):
        load_array(tmp_path / "a.npy", dtype=np.float32, ndim=1)


def test_an_array_cut_short_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(1000, dtype=np.float32))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[:-1])
    with pytest.raises(ArtifactError, match=r"a\.npy"):
        load_array(tmp_path / "a.npy", dtype=np.float32, ndim=1)


def test_a_missing_array_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"a\.npy cannot be read"):
        load_array(tmp_path / "a.npy", dtype=np.float32, ndim=1)


def test_an_empty_array_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((0, 3), dtype=np.float32))
    assert load_array(tmp_path / "a.npy", dtype=np.float32, ndim=2).shape == (0, 3)


def test_an_arrow_column_gives_the_rows_of_its_strings():
    names = pa.array(["b", None, "a", "not there", "c"])
    assert Ids.of("abc").rows_of_arrow(names).tolist() == [1, MISSING, 0, MISSING, 2]
    assert Ids.of(()).rows_of_arrow(names).tolist() == [MISSING] * 5
    assert Ids.of("abc").rows_of_arrow(names).dtype == np.int32


@pytest.mark.parametrize(
    "names", [[9, 10], np.array([9, 10]), (np.int64(9), "10"), pa.array([9, 10]), iter(["9", 10]), range(9, 11)]
)
def test_whole_numbers_are_the_ids_of_their_digits(names):
    ids = Ids.of([10, 9])
    assert list(ids) == ["10", "9"]
    assert ids.rows(names).tolist() == [1, 0]
    assert 9 in ids
    assert (1.5 in ids, None in ids, True in ids, b"9" in ids) == (False,) * 4


@pytest.mark.parametrize("name", [b"9", 9.0, None, True, ["9"]])
def test_what_is_neither_text_nor_a_whole_number_is_no_id(name):
    ids = Ids.of(["9"])
    with pytest.raises(InputError, match="an id is text or a whole number"):
        ids.rows([name])
    with pytest.raises(InputError, match="an id is text or a whole number"):
        Ids.of([name])


def test_a_message_does_not_print_a_table():
    with pytest.raises(InputError, match=r"not as a ndarray$"):
        Ids.of(["9"]).rows(np.zeros((50, 50)))


@pytest.mark.parametrize("names", ["9", b"9", 9, None, np.array([[9]])])
def test_ids_that_are_not_in_a_list_are_refused(names):
    with pytest.raises(InputError, match="ids are given in a list"):
        Ids.of(["9"]).rows(names)
