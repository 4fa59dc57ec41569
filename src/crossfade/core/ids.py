"""External ids (strings) and row numbers (int32), and the one place that converts between them."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NewType, TypeVar, overload

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError, UnknownIdError

UserId = NewType("UserId", str)
ItemId = NewType("ItemId", str)
Row = NewType("Row", int)
Rows = npt.NDArray[np.int32]

ItemKind = Literal["artist", "track"]
"""What the items of a matrix, a space or a surface are."""

MISSING = -1
"""The row number that stands for "no item"; pads a list that is shorter than k."""


class Ids(Sequence[str]):
    """Unique strings in ascending order of their UTF-8 bytes; a string's place is its row number.

    Held as one byte buffer (bytes,) uint8 and offsets (n + 1,) int64, so that millions of ids take little more
    than their text and can be memory-mapped.
    """

    __slots__ = ("_buffer", "_lookup", "_offsets")

    def __init__(self, buffer: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> None:
        self._buffer = buffer
        self._offsets = offsets
        self._lookup: dict[str, int] | None = None

    @classmethod
    def of(cls, ids: Iterable[str]) -> "Ids":
        """The distinct ``ids``, sorted."""
        encoded = sorted({name.encode() for name in ids})
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(name) for name in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[position] for position in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} ids")
        return self._bytes(row % len(self)).decode()

    def __iter__(self) -> Iterator[str]:
        return (self._bytes(row).decode() for row in range(len(self)))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) != MISSING

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Ids)
            and np.array_equal(self._offsets, other._offsets)
            and np.array_equal(self._buffer, other._buffer)
        )

    def __hash__(self) -> int:
        return hash((len(self), self._buffer[:64].tobytes()))

    def __repr__(self) -> str:
        return f"Ids({len(self)} ids)"

    def find(self, name: str) -> int:
        """The row of ``name``, or MISSING."""
        if self._lookup is not None:
            return self._lookup.get(name, MISSING)
        wanted = name.encode(errors="surrogatepass")
        row = bisect_left(range(len(self)), wanted, key=self._bytes)
        return row if row < len(self) and self._bytes(row) == wanted else MISSING

    def row(self, name: str) -> Row:
        """The row of ``name``; UnknownIdError if it is not one of these ids."""
        row = self.find(name)
        if row == MISSING:
            raise UnknownIdError(f"There is no id {name!r} among these {len(self)}.")
        return Row(row)

    def rows(self, names: Sequence[str], *, missing: Literal["raise", "mark"] = "raise") -> Rows:
        """The rows (n,) int32 of ``names``; an unknown one raises UnknownIdError, or is marked MISSING."""
        if self._lookup is None and len(names) * 8 > len(self):
            # A table costs one pass over all ids; a search costs some twenty steps an id.
            self._lookup = {name: row for row, name in enumerate(self)}
        found = np.fromiter((self.find(name) for name in names), dtype=np.int32, count=len(names))
        if missing == "raise" and (unknown := np.flatnonzero(found == MISSING)).size:
            shown = ", ".join(repr(names[position]) for position in unknown[:5])
            raise UnknownIdError(f"{unknown.size} of {len(names)} ids are not known, among them {shown}.")
        return found

    def select(self, rows: npt.ArrayLike) -> list[str]:
        """The ids at ``rows``, in that order; MISSING rows are left out."""
        return [self[int(row)] for row in np.asarray(rows).ravel() if row != MISSING]

    def save(self, stem: Path) -> None:
        """Write ``<stem>.bytes.npy`` and ``<stem>.offsets.npy``."""
        np.save(stem.with_name(stem.name + ".bytes.npy"), self._buffer, allow_pickle=False)
        np.save(stem.with_name(stem.name + ".offsets.npy"), self._offsets, allow_pickle=False)

    @classmethod
    def load(cls, stem: Path) -> "Ids":
        """Memory-map what `save` wrote; ArtifactError if it is not there or not consistent."""
        buffer = load_array(stem.with_name(stem.name + ".bytes.npy"), dtype=np.uint8, ndim=1)
        offsets = load_array(stem.with_name(stem.name + ".offsets.npy"), dtype=np.int64, ndim=1)
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(buffer) or np.any(np.diff(offsets) < 0):
            raise ArtifactError(f"{stem}: the ids' offsets do not fit their text. Run `crossfade verify`.")
        return cls(buffer, offsets)

    def _bytes(self, row: int) -> bytes:
        return self._buffer[self._offsets[row] : self._offsets[row + 1]].tobytes()


Scalar = TypeVar("Scalar", bound=np.generic)


def load_array(path: Path, *, dtype: type[Scalar], ndim: int) -> npt.NDArray[Scalar]:
    """Memory-map an ``.npy`` file of the given ``dtype`` and ``ndim``; ArtifactError if it is another.

    Pickled content is refused, so that reading never executes anything.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        # An array without elements cannot be memory-mapped.
        try:
            array = np.load(path, allow_pickle=False)
        except ValueError:
            raise ArtifactError(f"{path} is not an array that Crossfade wrote: {error}") from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}") from error
    if array.dtype != np.dtype(dtype) or array.ndim != ndim:
        raise ArtifactError(f"{path} holds {array.ndim}-d {array.dtype}, not {ndim}-d {np.dtype(dtype)}.")
    return array  # type: ignore[no-any-return]
