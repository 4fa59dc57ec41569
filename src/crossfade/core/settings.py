"""Settings: frozen dataclasses whose fields state their type, range, default and meaning once.

    @dataclass(frozen=True, kw_only=True)
    class RadioSettings(Checked):
        size: Annotated[int, Range(1, 1000)] = 250  # items kept for each station

The declaration drives the check when an object is made, the message where a value is refused, and the page of settings.
A settings object that exists is therefore valid.
"""

import ast
import dataclasses
import difflib
import functools
import inspect
import io
import itertools
import numbers
import textwrap
import tokenize
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from crossfade.core.errors import SettingsError

SettingsClass = TypeVar("SettingsClass")


@dataclass(frozen=True)
class Range:
    """The numbers that a setting accepts.

    low, high  inclusive bounds; None for none
    above      exclusive lower bound, in place of ``low``
    also       single values accepted besides, such as 0 for "off"
    unit       shown after the numbers, such as "days"
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    also: tuple[float, ...] = ()
    unit: str = ""

    def __contains__(self, value: float) -> bool:
        # Each comparison is positive, so that NaN is refused.
        if value in self.also:
            return True
        low = value > self.above if self.above is not None else self.low is None or value >= self.low
        return low and (value <= self.high if self.high is not None else value < float("inf"))

    def __str__(self) -> str:
        if self.above is not None:
            text = f"above {_number(self.above)}" + ("" if self.high is None else f", at most {_number(self.high)}")
        elif self.high is None:
            text = "any number" if self.low is None else f"{_number(self.low)} or more"
        else:
            text = (
                f"at most {_number(self.high)}" if self.low is None else f"{_number(self.low)} to {_number(self.high)}"
            )
        text = " or ".join([*map(_number, self.also), text])
        return f"{text} {self.unit}" if self.unit else text


class Checked:
    """The base of every settings class: checks types, choices and ranges of all fields when an object is made."""

    def __post_init__(self) -> None:
        """Raise SettingsError for a value outside its declaration."""
        for name, hint in _hints(type(self)).items():
            object.__setattr__(self, name, _checked(hint, getattr(self, name), name))


@dataclass(frozen=True)
class Documented:
    """One field of a settings class, as the page of settings shows it; ``accepts`` is empty for any value of the type."""

    name: str
    type: str
    default: object
    accepts: str
    meaning: str


def documented(cls: type) -> list[Documented]:
    """Every field of a settings class, in order.

    The meaning is the comment at the end of the field's line, or those on the lines right above it.
    """
    hints, meanings = _hints(cls), _comments(cls)
    return [
        Documented(
            field.name, _type_name(hints[field.name]), field.default, _accepts(hints[field.name]), meanings[field.name]
        )
        for field in dataclasses.fields(cls)
    ]


def from_table(cls: type[SettingsClass], table: Mapping[str, Any], where: str) -> SettingsClass:
    """``cls`` made from one table of a TOML file.

    Raises SettingsError, naming ``where`` and the nearest known name, for an unknown key or a value that is refused.
    """
    known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, sorted(known), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" Known settings: {', '.join(sorted(known))}."
            raise SettingsError(f"{where}: there is no setting {key!r}.{hint}")
    try:
        return cls(**table)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error


def as_table(settings: Any) -> dict[str, Any]:
    """The settings as plain values, for a manifest or TOML; leaves out what is None."""
    return {key: value for key, value in dataclasses.asdict(settings).items() if value is not None}


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """The type of each field, with its range."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _comments(cls: type) -> dict[str, str]:
    """The comment that belongs to each field, by the field's name."""
    source = textwrap.dedent(inspect.getsource(cls))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    found = {token.start[0]: token for token in tokens if token.type == tokenize.COMMENT}
    docs: dict[str, str] = {}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]  # a class has a body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = [node.end_lineno or 0]
            if lines[0] not in found:
                lines = list(itertools.takewhile(_alone_in(found), range(node.lineno - 1, 0, -1)))[::-1]
            docs[node.target.id] = " ".join(found[line].string.lstrip("# ") for line in lines)
    return docs


def _alone_in(found: Mapping[int, tokenize.TokenInfo]) -> Callable[[int], bool]:
    return lambda line: line in found and found[line].line.lstrip().startswith("#")


def _checked(hint: Any, value: Any, name: str) -> Any:
    """``value`` as its declaration wants it: lists become tuples, whole numbers floats where a float is declared."""
    kind, limits = _parts(hint)
    if isinstance(kind, types.UnionType):
        if value is None:
            return None
        kind, inner = _parts(next(part for part in typing.get_args(kind) if part is not types.NoneType))
        limits = inner or limits
    if typing.get_origin(kind) is typing.Literal:
        if value not in typing.get_args(kind):
            raise SettingsError(f"{name} must be one of {', '.join(typing.get_args(kind))}, not {value!r}")
        return value
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise SettingsError(f"{name} must be a list, not {value!r}")
        return tuple(_checked(typing.get_args(kind)[0], part, name) for part in value)
    if kind in (int, float):
        wanted = numbers.Integral if kind is int else numbers.Real
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise SettingsError(f"{name} must be {'a whole number' if kind is int else 'a number'}, not {value!r}")
        if limits is not None and value not in limits:
            raise SettingsError(f"{name} must be {limits}, not {value!r}")
        return kind(value)
    if not isinstance(value, kind):
        raise SettingsError(f"{name} must be of type {_type_name(kind)}, not {value!r}")
    return value


def _parts(hint: Any) -> tuple[Any, Range | None]:
    """The type and the range of an annotation."""
    if typing.get_origin(hint) is not typing.Annotated:
        return hint, None
    kind, *rest = typing.get_args(hint)
    return kind, next((part for part in rest if isinstance(part, Range)), None)


def _accepts(hint: Any) -> str:
    kind, limits = _parts(hint)
    if limits is None and isinstance(kind, types.UnionType):
        return _accepts(next(part for part in typing.get_args(kind) if part is not types.NoneType))
    return "" if limits is None else str(limits)


def _type_name(hint: Any) -> str:
    kind, _ = _parts(hint)
    if isinstance(kind, types.UnionType):
        return " | ".join(_type_name(part) if part is not types.NoneType else "None" for part in typing.get_args(kind))
    if typing.get_origin(kind) is typing.Literal:
        return " | ".join(map(repr, typing.get_args(kind)))
    return getattr(kind, "__name__", str(kind)) if typing.get_origin(kind) is None else str(kind)


def _number(value: float) -> str:
    return f"{value:,.10g}".replace(",", "_").replace("_", ",") if abs(value) >= 100_000 else f"{value:g}"
