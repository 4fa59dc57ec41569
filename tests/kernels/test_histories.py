"""Products of histories and vectors, laid out whole or in part."""

import numpy as np

from crossfade.core.csr import CSR
from crossfade.kernels import histories
from crossfade.kernels.histories import FEW, multiplied


def test_few_entries_lay_out_only_the_vectors_that_they_need(monkeypatch, rng: np.random.Generator) -> None:
    vectors = rng.standard_normal((40 * FEW, 24)).astype(np.float32)
    indices = np.sort(rng.choice(len(vectors), 12, replace=False)).astype(np.int32)
    matrix = CSR(np.array([0, 5, 5, 12]), indices, rng.random(12, np.float32))
    monkeypatch.setattr(histories, "FEW", len(vectors))
    whole = multiplied(matrix, vectors, 1)
    monkeypatch.undo()
    laid_out: list[int] = []
    monkeypatch.setattr(
        histories, "aligned", lambda rows, width: laid_out.append(rows) or np.zeros((rows, width), "f4")
    )
    assert multiplied(matrix, vectors, 1).tobytes() == whole.tobytes()
    assert laid_out == [12, 3]
    expected = np.stack([matrix.values[s] @ vectors[indices[s]] for s in (slice(0, 5), slice(0, 0), slice(5, 12))])
    np.testing.assert_allclose(whole, expected, rtol=1e-5, atol=1e-5)
