"""Whole vectors in registers."""

import numpy as np
import pytest

from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import spread, total
from crossfade.kernels.products import ROWS, products
from crossfade.kernels.strips import (
    add_multiple,
    add_product,
    inner_lanes,
    load_strip,
    prefetch_strip,
    store_strip,
    zeros,
)


@jit
def _everything(numbers, written, blocks):
    size = 16 * len(blocks)
    first, second = load_strip(numbers, 3, blocks), load_strip(numbers, 3 + size, blocks)
    prefetch_strip(numbers, 0, blocks)
    store_strip(written, 1, add_multiple(first, spread(np.float32(2.0)), second))
    store_strip(written, 1 + size, add_product(first, second, first))
    store_strip(written, 1 + 2 * size, zeros(blocks))
    written[0] = total(inner_lanes(first, second))


@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_each_operation_is_that_of_numpy(rng, lanes):
    size = 16 * lanes
    # Small integers multiply and add up exactly in any order.
    numbers = rng.integers(-20, 20, 2 * size + 10).astype(np.float32)
    written = np.ones(3 * size + 2, dtype=np.float32)
    _everything(numbers, written, (0,) * lanes)
    first, second = numbers[3 : 3 + size], numbers[3 + size : 3 + 2 * size]
    assert written[0] == first @ second
    np.testing.assert_array_equal(written[1 : 1 + size], 2 * first + second)
    np.testing.assert_array_equal(written[1 + size : 1 + 2 * size], first * second + first)
    assert not written[1 + 2 * size : -1].any()
    assert written[-1] == 1.0


@pytest.mark.parametrize(("terms", "columns"), [(1, 16), (37, 48)])
def test_a_product_with_panels_is_that_of_numpy(rng, terms, columns):
    # More terms in the panels, and more room between rows, than the product uses.
    first = rng.integers(-9, 9, (ROWS, terms + 5)).astype(np.float32)
    second = rng.integers(-9, 9, (terms + 3, columns)).astype(np.float32)
    panels = np.ascontiguousarray(second.reshape(terms + 3, -1, 16).transpose(1, 0, 2))
    written = np.full((ROWS, columns + 4), 7, dtype=np.float32)
    products(first, 2, terms + 5, terms, panels, columns, written, 3, columns + 4)
    np.testing.assert_array_equal(written[:, 3 : 3 + columns], first[:, 2 : 2 + terms] @ second[:terms])
    assert (written[:, :3] == 7).all()
    assert (written[:, 3 + columns :] == 7).all()
