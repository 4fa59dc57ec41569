import gc
import io
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crossfade.core.arrays import GrowingArray, load_array


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


def test_threads_load_at_the_same_time(tmp_path):
    np.save(tmp_path / "values.npy", np.arange(6, dtype=np.float32).reshape(2, 3))

    def let_others_run(*_):
        time.sleep(0)

    thresholds = gc.get_threshold()
    gc.callbacks.append(let_others_run)
    gc.set_threshold(5)  # so often that threads interrupt each other while a header is parsed
    try:
        with ThreadPoolExecutor(4) as pool:
            loading = [pool.submit(load_array, tmp_path / "values.npy", dtype=np.float32, ndim=2) for _ in range(200)]
            assert {one.result().shape for one in loading} == {(2, 3)}
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(let_others_run)
