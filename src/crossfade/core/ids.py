"""External ids (strings; whole numbers as their digits), row numbers (int32), and the conversion between them."""

import numbers
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NewType, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import load_array as load_array
from crossfade.core.errors import InputError, UnknownIdError
from crossfade.core.texts import Texts, laid_out

if TYPE_CHECKING:
    import pyarrow as pa

Row = NewType("Row", int)
Rows = npt.NDArray[np.int32]

Id = str | int
"""An id as people write it: text, or a whole number, which is the same id as its digits."""

MISSING = -1
"""The row number for "no item", which pads lists that are shorter than k."""


class Ids(Texts):
    """Unique strings in ascending order of their UTF-8 bytes; the place of a string is its row number.

    Ids that came as whole numbers are strings of digits here, and can be asked for as either. `numbers` remembers how
    they came, so that results have them as they were given.
    """

    __slots__ = ("_lookup", "numbers")

    def __init__(self, buffer: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], *, numbers: bool = False) -> None:
        super().__init__(buffer, offsets)
        self._lookup: dict[str, int] | None = None
        self.numbers = numbers

    @classmethod
    def of(cls, names: Iterable[Id]) -> Self:
        """Make ids of the distinct ``names``, sorted."""
        listed = list(names)
        whole = bool(listed) and not any(isinstance(name, str) for name in listed)
        return cls(*laid_out(sorted({as_text(name).encode() for name in listed})), numbers=whole)

    def __contains__(self, name: object) -> bool:
        return _is_id(name) and self.find(name) != MISSING

    def find(self, name: Any) -> int:
        """Return the row of the id ``name``, or MISSING; InputError for what is no id."""
        name = as_text(name)
        if self._lookup is not None:
            return self._lookup.get(name, MISSING)
        wanted = name.encode(errors="surrogatepass")
        row = bisect_left(range(len(self)), wanted, key=self._bytes)
        return row if row < len(self) and self._bytes(row) == wanted else MISSING

    def row(self, name: Id) -> Row:
        """Return the row of ``name``; UnknownIdError if it is not one of these ids."""
        row = self.find(name)
        if row == MISSING:
            raise UnknownIdError(f"There is no id {name!r} among these {len(self)}.")
        return Row(row)

    def rows(self, names: Iterable[Id], *, missing: Literal["raise", "mark"] = "raise") -> Rows:
        """Return the rows (n,) int32 of ``names``; an unknown one raises UnknownIdError, or is MISSING.

        ``names`` is a list, an array, or a column of Arrow, pandas or polars. Raises InputError for what is none, and
        for entries that are neither text nor whole numbers.
        """
        names = listed_ids(names)
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

    def as_given(self, rows: npt.NDArray[np.integer]) -> "pa.Array":
        """Return the ids at ``rows`` (n,) as they were given: strings, or int64 if they came as whole numbers."""
        import pyarrow as pa

        chosen = self.to_arrow().take(pa.array(rows))
        return chosen.cast(pa.int64() if self.numbers else pa.string())

    def save(self, stem: Path) -> None:
        """Write what `Texts.save` writes, and an empty ``<stem>.numbers`` if the ids came as whole numbers."""
        super().save(stem)
        if self.numbers:
            _numbers_mark(stem).touch()

    @classmethod
    def load(cls, stem: Path) -> Self:
        """Memory-map what `save` wrote; ArtifactError if it is missing or damaged."""
        loaded = super().load(stem)
        loaded.numbers = _numbers_mark(stem).exists()
        return loaded


def as_text(name: object) -> str:
    """Return an id as text; InputError for what is neither text nor a whole number."""
    if isinstance(name, str):
        return name
    if not _is_id(name):
        raise InputError(f"an id is text or a whole number, not {_told(name)}")
    return str(int(name))  # type: ignore[call-overload]


def listed_ids(names: Any) -> Sequence[Id]:
    """Return ``names`` as a sequence; InputError for what is not a list, an array or a column."""
    if isinstance(names, str | bytes) or not isinstance(names, Iterable) or getattr(names, "ndim", 1) != 1:
        raise InputError(f"ids are given in a list, such as ['ann', 'bob'] or [1, 2], not as {_told(names)}")
    for method in ("to_pylist", "tolist", "to_list"):  # of Arrow, of NumPy and pandas, of polars
        if hasattr(names, method):
            plain: list[Id] = getattr(names, method)()
            return plain
    return names if isinstance(names, Sequence) else list(names)


def _is_id(name: object) -> bool:
    return isinstance(name, str) or (isinstance(name, numbers.Integral) and not isinstance(name, bool))


def _told(value: object) -> str:
    """A short value as it is written, or else its type."""
    written = repr(value)
    return written if len(written) <= 40 and "\n" not in written else f"a {type(value).__name__}"


def _numbers_mark(stem: Path) -> Path:
    return stem.with_name(stem.name + ".numbers")
