import io

import numpy as np
import pytest

from crossfade.core.arrays import GrowingArray


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
