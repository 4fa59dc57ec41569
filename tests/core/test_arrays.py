import io

import numpy as np
import pytest

from crossfade.core.arrays import GrowingArray, let_go, load_array, scratch_array


@pytest.mark.parametrize("length", [0, 1, 9, 10, 100_001])
def test_a_grown_array_has_the_bytes_of_a_saved_one(tmp_path, length):
    values = np.arange(length, dtype=np.int32)
    with GrowingArray(tmp_path / "grown.npy", np.int32) as grown:
        for part in np.array_split(values, 3):
            grown.append(part)
        assert len(grown) == length
    saved = io.BytesIO()
    np.save(saved, values)
    assert (tmp_path / "grown.npy").read_bytes() == saved.getvalue()


def test_other_types_and_shapes_are_refused(tmp_path):
    with GrowingArray(tmp_path / "grown.npy", np.int32) as grown:
        for wrong in (np.zeros(2), np.zeros((2, 2), dtype=np.int32)):
            with pytest.raises(TypeError, match="cannot be appended"):
                grown.append(wrong)


@pytest.mark.parametrize("shape", [(3, 5), 7, 0, (0, 4)])
def test_a_scratch_array_is_zeros_that_leave_no_file(tmp_path, shape):
    array = scratch_array(tmp_path, shape, np.float32)
    assert array.shape == np.zeros(shape).shape
    assert not array.any()
    array += 1
    let_go(array)
    # What was written outlives the memory that held it.
    assert (array == 1).all()
    assert not list(tmp_path.iterdir())


def test_a_scratch_array_says_at_once_that_the_disk_is_full(tmp_path):
    with pytest.raises(OSError, match=r"\[Errno (27|28|75|12)\]"):
        scratch_array(tmp_path, 1 << 58, np.int32)


def test_letting_go_changes_nothing(tmp_path):
    np.save(tmp_path / "numbers.npy", np.arange(5000))
    mapped = load_array(tmp_path / "numbers.npy", dtype=np.int64, ndim=1)
    plain = np.arange(5000)
    for array in (mapped, mapped[10:20], plain):
        before = array.copy()
        let_go(array)
        np.testing.assert_array_equal(array, before)
