"""Training data: what models learn from, checked when it is made, and one file an array when it is saved."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import Any, Self, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.ids import Ids
from crossfade.core.kinds import kind_named
from crossfade.core.texts import Texts, load_parts, save_parts


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TrainingData:
    """The base of interactions, sequences and writings.

    kind      of the items
    item_ids  row number ↔ id of the items
    trusted   whether the parts are known to fit, such as those of an artifact, and need not be read whole to check them

    Arrays of other number types and byte orders are converted. Raises InputError for parts that do not fit.
    """

    kind: str
    item_ids: Ids
    trusted: InitVar[bool] = False

    def __post_init__(self, trusted: bool) -> None:
        kind_named(self.kind)
        for name, kind in _parts(type(self)).items():
            part = getattr(self, name)
            if not issubclass(kind, Texts):
                object.__setattr__(self, name, converted(name, part, kind))
            elif issubclass(kind, Ids) and not isinstance(part, kind):
                raise InputError(f"{name} must be made by `Ids.of`, which sorts them, not a {type(part).__name__}")
        self._check_lengths()
        if not trusted:
            self._check_content()

    def _check_lengths(self) -> None:
        """Raise InputError for parts that do not fit each other; called before `_check_content`."""

    def _check_content(self) -> None:
        """Raise InputError for entries that are out of range, each of which has to be read."""

    def save(self, directory: Path | str) -> None:
        """Write the parts into ``directory``, which is made if it is missing."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        save_parts(directory, {name: getattr(self, name) for name in _parts(type(self))})

    @classmethod
    def load(cls, directory: Path | str, *, kind: str) -> Self:
        """Memory-map what `save` wrote; ArtifactError if the parts do not fit each other."""
        directory = Path(directory)
        parts = load_parts(directory, _parts(cls))
        try:
            return cls(kind=kind, **parts, trusted=True)
        except InputError as error:
            raise ArtifactError(f"{directory}: {error}. Run `crossfade verify`.") from error


def _parts_of(cls: type) -> Mapping[str, Any]:
    """The type of every part of the class: the dtype of an array (n,), or a class of texts."""
    hints = {name: hint for name, hint in get_type_hints(cls).items() if name not in ("kind", "trusted")}
    return {name: get_args(get_args(hint)[1])[0] if get_args(hint) else hint for name, hint in hints.items()}


# Not as a decorator: mypy takes a dataclass for unhashable.
_parts: Callable[[type], Mapping[str, Any]] = functools.cache(_parts_of)


def converted(name: str, array: npt.ArrayLike, dtype: Any) -> npt.NDArray[Any]:
    """Return ``array`` (n,) as numbers of ``dtype``; InputError for what is not numbers or does not fit the type."""
    numbers, wanted = np.asanyarray(array), np.dtype(dtype)
    if numbers.ndim == 1 and numbers.dtype == wanted and numbers.flags.c_contiguous and numbers.flags.aligned:
        return numbers
    whole = wanted.kind in "iu"
    if numbers.ndim != 1 or (len(numbers) and numbers.dtype.kind not in ("iu" if whole else "biuf")):
        described = "whole numbers" if whole else "numbers"
        raise InputError(f"{name} must be a 1-d array of {described}, not {numbers.ndim}-d {numbers.dtype}")
    if whole and len(numbers) and numbers.dtype != wanted:
        limits = np.iinfo(wanted)
        if not limits.min <= int(numbers.min()) <= int(numbers.max()) <= limits.max:
            raise InputError(f"{name} must be {limits.min} to {limits.max}, to fit {wanted}")
    with np.errstate(over="ignore"):  # infinite weights are refused later
        return np.require(numbers, wanted, ["C", "A"])
