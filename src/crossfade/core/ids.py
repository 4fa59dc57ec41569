"""External ids (strings), row numbers (int32), and the conversion between them."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NewType, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import load_array as load_array
from crossfade.core.errors import UnknownIdError
from crossfade.core.texts import Texts, laid_out

if TYPE_CHECKING:
    import pyarrow as pa

Row = NewType("Row", int)
Rows = npt.NDArray[np.int32]

MISSING = -1
"""The row number for "no item", which pads lists that are shorter than k."""


class Ids(Texts):
    """Unique strings in ascending order of their UTF-8 bytes; the place of a string is its row number."""

    __slots__ = ("_lookup",)

    def __init__(self, buffer: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> None:
        super().__init__(buffer, offsets)
        self._lookup: dict[str, int] | None = None

    @classmethod
    def of(cls, strings: Iterable[str]) -> Self:
        """Make ids of the distinct ``strings``, sorted."""
        return cls(*laid_out(sorted({name.encode() for name in strings})))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) != MISSING

    def find(self, name: str) -> int:
        """Return the row of ``name``, or MISSING."""
        if self._lookup is not None:
            return self._lookup.get(name, MISSING)
        wanted = name.encode(errors="surrogatepass")
        row = bisect_left(range(len(self)), wanted, key=self._bytes)
        return row if row < len(self) and self._bytes(row) == wanted else MISSING

    def row(self, name: str) -> Row:
        """Return the row of ``name``; UnknownIdError if it is not one of these ids."""
        row = self.find(name)
        if row == MISSING:
            raise UnknownIdError(f"There is no id {name!r} among these {len(self)}.")
        return Row(row)

    def rows(self, names: Sequence[str], *, missing: Literal["raise", "mark"] = "raise") -> Rows:
        """Return the rows (n,) int32 of ``names``; an unknown one raises UnknownIdError, or is MISSING."""
        if self._lookup is None and len(names) * 8 > len(self):
            # A table costs one pass over all ids, a search about twenty steps an id.
            self._lookup = {name: row for row, name in enumerate(self)}
        found = np.fromiter((self.find(name) for name in names), dtype=np.int32, count=len(names))
        if missing == "raise" and (unknown := np.flatnonzero(found == MISSING)).size:
            shown = ", ".join(repr(names[position]) for position in unknown[:5])
            raise UnknownIdError(f"{unknown.size} of {len(names)} ids are unknown, among them {shown}.")
        return found

    def rows_of_arrow(self, names: "pa.Array") -> Rows:
        """Return the rows (n,) int32 of the strings of an Arrow array; null and unknown ones are MISSING."""
        import pyarrow.compute as pc

        ids = self.to_arrow()
        rows = pc.index_in(names.cast(ids.type), value_set=ids, skip_nulls=True).fill_null(MISSING)
        return np.asarray(rows.to_numpy(zero_copy_only=False), dtype=np.int32)

    def select(self, rows: npt.ArrayLike) -> list[str]:
        """Return the ids at ``rows``, in that order, without MISSING rows."""
        return [self[int(row)] for row in np.asarray(rows).ravel() if row != MISSING]
