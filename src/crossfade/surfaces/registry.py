"""Every surface, in the order in which they are built: one line each.

A line says what commands and routes need to know, and where the surface is; its code is loaded only when the
surface is built.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from crossfade.core.errors import UnknownIdError
from crossfade.surfaces.contract import Library, Surface

FALLBACK = "popular"
"""The surface that is shown to users of whom nothing is known."""

POOL = "radio"
"""The surface that stations draw from."""

AskedBy = Literal["artist", "item", "user", "everyone"]
"""What a person names to see the list; an "item" is a track, or an artist where the library has no tracks."""


@dataclass(frozen=True)
class Registered:
    """name     of the surface, its table, its command and its route
    asked_by  what a person names to see a list of it
    title     as people read it
    help      one line for the command's help and the route's documentation
    home      "module:class"
    learned   whether it comes out otherwise by another model
    """

    name: str
    asked_by: AskedBy
    title: str
    help: str
    home: str
    learned: bool = True

    def load(self) -> Surface:
        """The surface itself; this imports its module."""
        module, _, cls = self.home.partition(":")
        surface: Surface = getattr(importlib.import_module(module), cls)()
        return surface


SURFACES: Mapping[str, Registered] = {
    line.name: line
    for line in (
        Registered(
            "related", "artist", "Related Artists", "Artists like an artist.", "crossfade.surfaces.related:Related"
        ),
        Registered("radio", "item", "Radio", "A station that goes on from an item.", "crossfade.surfaces.radio:Radio"),
        Registered(
            "popular",
            "everyone",
            "Popular",
            "What most listeners play.",
            "crossfade.surfaces.popular:Popular",
            learned=False,
        ),
        Registered(
            "discover",
            "user",
            "Discover",
            "New music for a user, with reasons.",
            "crossfade.surfaces.discover:Discover",
        ),
    )
}


def registered(name: str) -> Registered:
    """The line of one surface; UnknownIdError, with what there is, for another name."""
    if name not in SURFACES:
        raise UnknownIdError(f"There is no surface {name!r}. There are: {', '.join(SURFACES)}.")
    return SURFACES[name]


def available(library: Library) -> list[Registered]:
    """The surfaces that a library can have, each after those that it needs."""
    return [line for line in SURFACES.values() if line.load().available(library)]
