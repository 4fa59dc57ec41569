"""Products AᵀA of a sparse matrix A of users and items with itself: row by row, each user of an item once."""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import Floats


@jit
def fill_products(first: int, last: int, by_user: CSR, by_item: CSR, products: npt.NDArray[np.floating]) -> None:
    """Add Σ_u a_ui a_uj to the rows ``first`` to ``last`` of ``products`` (items, items), up to the diagonal.

    ``by_user`` has the items of each user in ascending order.
    """
    for item in range(first, last):
        row = products[item]
        for entry in range(by_item.indptr[item], by_item.indptr[item + 1]):
            user, weight = by_item.indices[entry], by_item.values[entry]
            for place in range(by_user.indptr[user], by_user.indptr[user + 1]):
                other = by_user.indices[place]
                if other > item:
                    break
                row[other] += weight * by_user.values[place]


@jit
def add_product_rows(items: Rows, by_user: CSR, by_item: CSR, products: Floats) -> None:
    """Add Σ_u a_ui a_uj over all items j to row n of ``products`` (n, items), for each i = items[n]."""
    for number in range(len(items)):
        row = products[number]
        for entry in range(by_item.indptr[items[number]], by_item.indptr[items[number] + 1]):
            user, weight = by_item.indices[entry], by_item.values[entry]
            for place in range(by_user.indptr[user], by_user.indptr[user + 1]):
                row[by_user.indices[place]] += weight * by_user.values[place]
