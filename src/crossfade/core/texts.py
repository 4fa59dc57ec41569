"""Millions of strings by row number, without an object for each; and parts of an artifact as files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import load_array
from crossfade.core.errors import ArtifactError

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 4096
"""Strings whose bytes are copied at a time, where all are read."""


class Texts(Sequence[str]):
    """Strings in any order: one buffer (bytes,) uint8 of UTF-8 and offsets (n + 1,) int64."""

    __slots__ = ("_buffer", "_offsets")

    def __init__(self, buffer: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> None:
        # As plain arrays: a slice of a memory map takes some five times as long.
        self._buffer = np.asarray(buffer)
        self._offsets = np.asarray(offsets)

    @classmethod
    def of(cls, strings: Iterable[str]) -> Self:
        """Make texts of ``strings``, in their order."""
        return cls(*laid_out([text.encode() for text in strings]))

    @classmethod
    def from_arrow(cls, column: "pa.Array") -> Self:
        """Make texts of an Arrow array without nulls, in its order."""
        import pyarrow as pa

        column = column.cast(pa.large_string())
        if not len(column):
            return cls(*laid_out([]))
        _, starts, content = column.buffers()
        ends = np.frombuffer(starts, dtype=np.int64)[column.offset : column.offset + len(column) + 1]
        text = np.empty(0, dtype=np.uint8) if content is None else np.frombuffer(content, dtype=np.uint8)
        return cls(text[ends[0] : ends[-1]], ends - ends[0])

    def to_arrow(self) -> "pa.Array":
        """Return the strings as an Arrow array that shares this memory."""
        import pyarrow as pa

        return pa.LargeStringArray.from_buffers(len(self), pa.py_buffer(self._offsets), pa.py_buffer(self._buffer))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self._bytes(position).decode() for position in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} {type(self).__name__.lower()}")
        return self._bytes(row % len(self)).decode()

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), BLOCK):
            offsets = self._offsets[first : first + BLOCK + 1]
            content, places = self._buffer[offsets[0] : offsets[-1]].tobytes(), (offsets - offsets[0]).tolist()
            yield from (content[start:end].decode() for start, end in pairwise(places))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return False
        if self._offsets is other._offsets and self._buffer is other._buffer:
            return True
        same = np.array_equal(self._offsets, other._offsets) and np.array_equal(self._buffer, other._buffer)
        if same:
            # They share their arrays from now on, so that comparing them again costs nothing.
            other._offsets, other._buffer = self._offsets, self._buffer
        return same

    def __hash__(self) -> int:
        return hash((len(self), self._buffer[:64].tobytes()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} {type(self).__name__.lower()})"

    def save(self, stem: Path) -> None:
        """Write ``<stem>.bytes.npy`` and ``<stem>.offsets.npy``."""
        np.save(stem.with_name(stem.name + ".bytes.npy"), self._buffer, allow_pickle=False)
        np.save(stem.with_name(stem.name + ".offsets.npy"), self._offsets, allow_pickle=False)

    @classmethod
    def load(cls, stem: Path) -> Self:
        """Memory-map what `save` wrote; ArtifactError if it is missing or damaged."""
        buffer = load_array(stem.with_name(stem.name + ".bytes.npy"), dtype=np.uint8, ndim=1)
        offsets = load_array(stem.with_name(stem.name + ".offsets.npy"), dtype=np.int64, ndim=1)
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(buffer) or np.any(np.diff(offsets) < 0):
            raise ArtifactError(f"{stem}: the offsets do not fit the text. Run `crossfade verify`.")
        return cls(buffer, offsets)

    @property
    def arrays(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """The buffer and the offsets, not to be changed."""
        return self._buffer, self._offsets

    def _bytes(self, row: int) -> bytes:
        return self._buffer[self._offsets[row] : self._offsets[row + 1]].tobytes()


def laid_out(encoded: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the buffer and the offsets of strings in UTF-8."""
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def save_parts(directory: Path, parts: Mapping[str, Any]) -> None:
    """Write each array as ``<name>.npy`` and each column of strings as `Texts` into ``directory``."""
    for name, part in parts.items():
        if isinstance(part, np.ndarray):
            np.save(directory / f"{name}.npy", part, allow_pickle=False)
        else:
            (part if isinstance(part, Texts) else Texts.of(part)).save(directory / name)


def load_parts(directory: Path, types: Mapping[str, Any]) -> dict[str, Any]:
    """Memory-map what `save_parts` wrote: of each name the dtype of a 1-d array, or a class of texts.

    Raises ArtifactError if a part is missing or of another type.
    """
    return {
        name: type_.load(directory / name)
        if issubclass(type_, Texts)
        else load_array(directory / f"{name}.npy", dtype=type_, ndim=1)
        for name, type_ in types.items()
    }
