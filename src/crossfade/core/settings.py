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
import math
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
    """The finite numbers that a setting accepts.

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
        return value in self.also or (
            -math.inf < value < math.inf
            and (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
        )

    def __str__(self) -> str:
        high = None if self.high is None else _number(self.high)
        if self.above is not None:
            text = f"above {_number(self.above)}" + ("" if high is None else f", at most {high}")
        elif self.low is not None:
            text = f"{_number(self.low)} or more" if high is None else f"{_number(self.low)} to {high}"
        else:
            text = "a finite number" if high is None else f"at most {high}"
        text = " or ".join([*map(_number, self.also), text])
        return f"{text} {self.unit}" if self.unit else text


class Checked:
    """The base of every settings class: checks types, choices and ranges of all fields when an object is made."""

    def __post_init__(self) -> None:
        """Raise SettingsError for a value outside its declaration."""
        cls: type = type(self)
        for name, hint in _hints(cls).items():
            object.__setattr__(self, name, _checked(hint, getattr(self, name), name))


@dataclass(frozen=True)
class Documented:
    """One field of a settings class, as the page of settings shows it; ``accepts`` is its range, "" for none."""

    name: str
    type: str
    default: object
    accepts: str
    meaning: str


@dataclass(frozen=True)
class Declared:
    """One field of a settings class: the limits of a number, the choices of a text or a truth value."""

    name: str
    default: Any
    limits: Range
    choices: tuple[Any, ...]


def declared(cls: type) -> list[Declared]:
    """Return every number, choice and truth value of a settings class, in order."""
    found = []
    for field in dataclasses.fields(cls):
        kind, limits, _ = _parts(_hints(cls)[field.name])
        choices = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
        choices = (False, True) if kind is bool else choices
        if choices or kind in (int, float):
            found.append(Declared(field.name, field.default, limits, choices))
    return found


def documented(cls: type) -> list[Documented]:
    """Return every field of a settings class, in order.

    The meaning is the comment in the field's lines, or those on the lines right above it.
    """
    hints, meanings = _hints(cls), dict[str, str]()
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            meanings |= _comments(base)
    return [
        Documented(
            field.name, _type_name(hints[field.name]), field.default, _accepts(hints[field.name]), meanings[field.name]
        )
        for field in dataclasses.fields(cls)
    ]


def from_table(cls: type[SettingsClass], table: Mapping[str, Any], where: str) -> SettingsClass:
    """Make ``cls`` from one table of a TOML file.

    Raises SettingsError, naming ``where`` and the closest setting, for an unknown key or a value that is refused.
    """
    names = sorted(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]
    for key in table:
        if key not in names:
            close = difflib.get_close_matches(key, names, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"The settings are: {', '.join(names)}."
            raise SettingsError(f"{where}: there is no setting {key!r}. {hint}")
    try:
        return cls(**table)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error


def as_table(settings: Any) -> dict[str, Any]:
    """Return the settings as plain values, for a manifest or TOML, without those that are None."""
    return {key: value for key, value in dataclasses.asdict(settings).items() if value is not None}


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """The annotation of each field."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _comments(cls: type) -> dict[str, str]:
    """The comment that belongs to each field, by the field's name."""
    source = textwrap.dedent(inspect.getsource(cls))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token for token in tokens if token.type == tokenize.COMMENT}
    meanings: dict[str, str] = {}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]  # a class has a body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = [line for line in range(node.lineno, (node.end_lineno or 0) + 1) if line in comments]
            if not lines:
                lines = list(itertools.takewhile(_alone_in(comments), range(node.lineno - 1, 0, -1)))[::-1]
            meanings[node.target.id] = " ".join(comments[line].string.lstrip("# ") for line in lines)
    return meanings


def _alone_in(comments: Mapping[int, tokenize.TokenInfo]) -> Callable[[int], bool]:
    return lambda line: line in comments and comments[line].line.lstrip().startswith("#")


def _checked(hint: Any, value: Any, name: str) -> Any:
    """Return ``value`` in its declared type: a list becomes a tuple, a whole number a float."""
    kind, limits, optional = _parts(hint)
    origin = typing.get_origin(kind)
    if optional and value is None:
        return None
    if origin is typing.Literal:
        if value not in typing.get_args(kind):
            raise SettingsError(f"{name} must be one of {', '.join(map(repr, typing.get_args(kind)))}, not {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise SettingsError(f"{name} must be a list, not {value!r}")
        return tuple(_checked(typing.get_args(kind)[0], part, name) for part in value)
    if kind in (int, float):
        wanted: Any = numbers.Integral if kind is int else numbers.Real
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise SettingsError(f"{name} must be {'a whole number' if kind is int else 'a number'}, not {value!r}")
        if value not in limits:
            raise SettingsError(f"{name} must be {limits}, not {value!r}")
        return kind(value)
    if not isinstance(value, kind):
        raise SettingsError(f"{name} must be of type {_type_name(kind)}, not {value!r}")
    return value


def _parts(hint: Any) -> tuple[Any, Range, bool]:
    """The type and the range that an annotation declares, and whether it accepts None."""
    if typing.get_origin(hint) is typing.Annotated:
        kind, *rest = typing.get_args(hint)
        kind, limits, optional = _parts(kind)
        return kind, next((part for part in rest if isinstance(part, Range)), limits), optional
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        kind, limits, _ = _parts(next(part for part in typing.get_args(hint) if part is not types.NoneType))
        return kind, limits, True
    return hint, _ANY, False


def _accepts(hint: Any) -> str:
    kind, limits, _ = _parts(hint)
    if typing.get_origin(kind) is tuple:
        return _accepts(typing.get_args(kind)[0])
    return "" if limits == _ANY else str(limits)


def _type_name(hint: Any) -> str:
    kind, _, optional = _parts(hint)
    if typing.get_origin(kind) is typing.Literal:
        name = " | ".join(map(repr, typing.get_args(kind)))
    elif typing.get_origin(kind) is tuple:
        name = f"tuple[{_type_name(typing.get_args(kind)[0])}, ...]"
    else:
        name = kind.__name__ if isinstance(kind, type) and typing.get_origin(kind) is None else str(kind)
    return f"{name} | None" if optional else name


def _number(value: float) -> str:
    return f"{value:,.10g}" if abs(value) >= 100_000 else f"{value:g}"


_ANY = Range()
