import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids
from crossfade.core.texts import Texts

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6))


@given(texts)
def test_texts_are_the_strings_in_their_order(strings):
    held = Texts.of(strings)
    assert list(held) == strings
    assert held[:] == strings
    assert [held[row - len(strings)] for row in range(len(strings))] == strings
    assert held == Texts.of(strings)


@given(texts)
def test_texts_go_through_arrow_and_back(strings):
    held = Texts.of(strings)
    assert held.to_arrow().to_pylist() == strings
    assert Texts.from_arrow(pa.array(["before", *strings, "behind"])[1:-1]) == held
    assert Texts.from_arrow(held.to_arrow()) == held


def test_texts_are_read_as_they_were_saved(tmp_path):
    held = Texts.of(["Björk", "", "b"])
    held.save(tmp_path / "names")
    assert list(Texts.load(tmp_path / "names")) == ["Björk", "", "b"]
    np.save(tmp_path / "names.offsets.npy", np.array([0, 9, 3, 7], dtype=np.int64))
    with pytest.raises(ArtifactError, match="verify"):
        Texts.load(tmp_path / "names")


def test_a_row_beyond_the_end_is_an_error():
    with pytest.raises(IndexError):
        Texts.of(["a"])[1]


def test_ids_are_sorted_and_texts_are_not():
    assert list(Ids.of(["b", "a", "b"])) == ["a", "b"]
    assert list(Texts.of(["b", "a", "b"])) == ["b", "a", "b"]
    assert Ids.of(["a"]) != Texts.of(["b"])


def test_all_strings_are_read_over_the_bounds_of_blocks(monkeypatch):
    monkeypatch.setattr("crossfade.core.texts.BLOCK", 3)
    for strings in ([], ["", ""], ["é", "", "b€", "c"], ["a", "é", "", "", "", "b", "ccc"]):
        assert list(Texts.of(strings)) == strings


def test_equal_texts_share_their_arrays_once_compared() -> None:
    one, other = Ids.of(["a", "b"]), Ids.of(["a", "b"])
    assert one.arrays[0] is not other.arrays[0]
    assert one == other
    assert all(left is right for left, right in zip(one.arrays, other.arrays, strict=True))
    assert list(other) == ["a", "b"]
    assert one != Ids.of(["a", "c"])
    assert list(one) == ["a", "b"]
