"""Arrays on disk: memory-mapped when they are read, appended to where their length is not known in advance."""

import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError


class GrowingArray:
    """A 1-d ``.npy`` file that is appended to; closed, it has the bytes that ``np.save`` would have written."""

    def __init__(self, path: Path, dtype: npt.DTypeLike) -> None:
        self._dtype: np.dtype[Any] = np.dtype(dtype)
        self._length = 0
        self._file: IO[bytes] = path.open("xb")
        self._write_header()

    def __enter__(self) -> "GrowingArray":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._file.seek(0)
                self._write_header()
        finally:
            self._file.close()

    def __len__(self) -> int:
        return self._length

    def append(self, values: npt.NDArray[Any]) -> None:
        """Append ``values`` (n,), which must be of the array's dtype."""
        if values.dtype != self._dtype or values.ndim != 1:
            raise TypeError(f"{values.ndim}-d {values.dtype} cannot be appended to 1-d {self._dtype}")
        self._file.write(np.ascontiguousarray(values).data)
        self._length += len(values)

    def _write_header(self) -> None:
        # NumPy pads the header for a first axis that grows, so that its size is the same for every length.
        described = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False}
        np.lib.format.write_array_header_1_0(self._file, {**described, "shape": (self._length,)})


Scalar = TypeVar("Scalar", bound=np.generic)

_parsing = threading.Lock()
"""NumPy parses the header of a file by `ast.literal_eval`. CPython 3.11 counts its recursion for all threads together,
and raises SystemError if another one parses meanwhile. Only `load_array` reads headers."""


def load_array(path: Path, *, dtype: type[Scalar], ndim: int) -> npt.NDArray[Scalar]:
    """Memory-map an ``.npy`` file; ArtifactError if it is not of this ``dtype`` and ``ndim``.

    Pickled content is refused, so that reading never executes anything.
    """
    # Not `np.load`, which also opens archives and pickles.
    with _parsing:
        try:
            array: npt.NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
        except (ValueError, EOFError) as error:
            # An array without elements cannot be memory-mapped.
            try:
                with path.open("rb") as file:
                    array = np.lib.format.read_array(file, allow_pickle=False)
            except (ValueError, EOFError):
                raise ArtifactError(f"{path} is not an array: {error}. Run `crossfade verify`.") from error
        except OSError as error:
            raise ArtifactError(f"{path} cannot be read: {error.strerror or error}") from error
    if array.dtype != np.dtype(dtype) or array.ndim != ndim:
        raise ArtifactError(f"{path} has {array.ndim}-d {array.dtype}, not {ndim}-d {np.dtype(dtype)}.")
    return array
