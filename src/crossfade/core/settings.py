"""Settings: frozen dataclasses whose fields carry their own documentation, as a comment beside each.

    @dataclass(frozen=True, kw_only=True)
    class RadioSettings:
        size: int = 250  # items kept for each station, 1 to 1000

        def __post_init__(self) -> None:
            if not 1 <= self.size <= 1000:
                raise SettingsError(f"radio.size must be 1 to 1000, not {self.size}")

A class checks its values when it is made, so a settings object that exists is one that works.
"""

import ast
import dataclasses
import difflib
import inspect
import io
import itertools
import textwrap
import tokenize
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from crossfade.core.errors import SettingsError

SettingsClass = TypeVar("SettingsClass")


def documented(cls: type) -> list[tuple[str, str, object, str]]:
    """``(name, type, default, doc)`` of every field of a settings class, in order.

    The doc is the comment at the end of the field's line, or those on the lines right above it.
    """
    hints, docs = typing.get_type_hints(cls), _comments(cls)
    return [
        (field.name, _type_name(hints[field.name]), field.default, docs[field.name])
        for field in dataclasses.fields(cls)
    ]


def from_table(cls: type[SettingsClass], table: Mapping[str, Any], where: str) -> SettingsClass:
    """``cls`` made from one table of a TOML file.

    Raises SettingsError, naming ``where`` and the nearest known name, for an unknown key or a value of
    another type.
    """
    hints = typing.get_type_hints(cls)
    known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(sorted(known))}."
            raise SettingsError(f"{where}: there is no setting {key!r}.{hint}")
        values[key] = _checked(hints[key], value, f"{where}: {key}")
    try:
        return cls(**values)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error


def as_table(settings: Any) -> dict[str, Any]:
    """The settings as plain values, for a manifest or TOML; leaves out what is None."""
    return {key: value for key, value in dataclasses.asdict(settings).items() if value is not None}


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


def _checked(hint: Any, value: Any, where: str) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not types.NoneType)
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        if value not in typing.get_args(hint):
            choices = ", ".join(map(repr, typing.get_args(hint)))
            raise SettingsError(f"{where} must be one of {choices}, not {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise SettingsError(f"{where} must be a list, not {value!r}")
        return tuple(_checked(typing.get_args(hint)[0], part, where) for part in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise SettingsError(f"{where} must be of type {_type_name(hint)}, not {value!r}")
    return value


def _type_name(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(map(repr, typing.get_args(hint)))
    return getattr(hint, "__name__", str(hint)) if typing.get_origin(hint) is None else str(hint)
