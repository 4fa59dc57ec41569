"""The words that names are made of, by family of genres; they lie in ``vocabulary.toml``, which says how."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Style:
    """How a family names its artists, albums and tracks (patterns), and its own banks of words."""

    artists: tuple[str, ...]
    tracks: tuple[str, ...]
    albums: tuple[str, ...]
    places: tuple[str, ...]
    instruments: tuple[str, ...]
    banks: Mapping[str, tuple[str, ...]]


def words(text: str) -> tuple[str, ...]:
    """The words of ``text``; an underscore stands for a space inside one."""
    return tuple(word.replace("_", " ") for word in text.split())


def _style(table: Mapping[str, Any]) -> Style:
    return Style(
        artists=tuple(table["artists"]),
        tracks=tuple(table["tracks"]),
        albums=tuple(table["albums"]),
        places=words(table["places"]),
        instruments=tuple(table["instruments"]),
        banks={name: words(text) for name, text in table.get("banks", {}).items()},
    )


_READ = tomllib.loads(resources.files("crossfade.demo").joinpath("vocabulary.toml").read_text(encoding="utf-8"))

COMMON = {name: words(text) for name, text in _READ["common"].items()}
"""The banks that every family may draw from."""


def _with_base(table: Mapping[str, Any]) -> dict[str, Any]:
    base = _READ["family"][table["like"]]
    return {**base, **table, "banks": {**base.get("banks", {}), **table.get("banks", {})}}


STYLES = {family: _style(table) for family, table in _READ["family"].items()} | {
    genre: _style(_with_base(table)) for genre, table in _READ["style"].items()
}
"""By family, and by genre where it has names of its own."""

LISTENERS = words(_READ["listeners"])
"""First names of listeners, from many places."""

TAKEN = words(_READ["taken"])
"""Names of known artists that the patterns could form."""

OWN_PLACES = {name: words(table["places"]) for name, table in _READ["genre"].items() if "places" in table}
"""Where artists of some genres come from, instead of their family's places."""

OWN_INSTRUMENTS = {
    name: tuple(table["instruments"]) for name, table in _READ["genre"].items() if "instruments" in table
}
"""What artists of some genres play, instead of their family's instruments."""
