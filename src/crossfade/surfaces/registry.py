"""Every surface: one line each, with what commands and routes need. Its code is imported only when it is used."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.kinds import KINDS
from crossfade.surfaces.contract import Surface

FALLBACK = "popular"
"""The surface that is shown to users of whom nothing is known."""

POOL = "radio"
"""The surface that stations draw from."""

PAGES = "discover"
"""The surface whose pages are explained."""

LEAST_SHARE = 0.5
"""Children are listed by default if at least this share of those who have a list of roots have one of children."""

AskedBy = Literal["item", "user", "everyone"]
"""What a person names to see a list: an item, a user, or nothing, as it is the same list for everyone."""


@dataclass(frozen=True)
class Registered:
    """name     of the surface, its command and its route
    asked_by  what a person names to see a list of it
    title     as people read it
    help      one line for the command's help and the route's documentation
    home      "module:class"
    learned   whether it depends on the model
    """

    name: str
    asked_by: AskedBy
    title: str
    help: str
    home: str
    learned: bool = True

    def load(self) -> Surface:
        """Import and return the surface."""
        module, _, cls = self.home.partition(":")
        surface: Surface = getattr(importlib.import_module(f"crossfade.surfaces.{module}"), cls)()
        return surface


SURFACES: Mapping[str, Registered] = {
    line.name: line
    for line in (
        Registered("related", "item", "Related", "Artists, shows, … like another one.", "related:Related"),
        Registered("radio", "item", "Radio", "A station that goes on from an item.", "radio:Radio"),
        Registered("popular", "everyone", "Popular", "What most people play.", "popular:Popular", learned=False),
        Registered("discover", "user", "Discover", "New items for a user, with reasons.", "discover:Discover"),
    )
}


def registered(name: str) -> Registered:
    """The line of one surface; UnknownIdError, with the surfaces there are, for another name."""
    if name not in SURFACES:
        raise UnknownIdError(f"There is no surface {name!r}. There are: {', '.join(SURFACES)}.")
    return SURFACES[name]


def kind_listed(surface: str, players: Mapping[str, int], kind: str | None = None) -> str:
    """Return which kind of item ``surface`` lists: ``kind``, or where it is None the default of a release.

    ``players`` gives the number of users who play them for each kind that has a table of the surface, 0 if that is
    empty. The default is of the first family in `KINDS` that has a table: its children if at least half as many users
    play these, else its roots. Raises NotReadyError if the release has no such table.
    """
    title = registered(surface).title
    if kind is not None:
        if kind not in players:
            kinds = ", ".join(players) or "none"
            raise NotReadyError(f"This release has no {title} of the kind {kind!r}. It has {title} of: {kinds}.")
        return kind
    # A table in which nobody has a list is no default, unless there is no other.
    players = {name: count for name, count in players.items() if count} or players
    for root in KINDS:
        family = [name for name in KINDS if name in players and KINDS[name].root == root]
        for name in reversed(family):
            if name == family[0] or players[name] >= LEAST_SHARE * players[family[0]]:
                return name
    raise NotReadyError(f"This release has no {title}. Run `crossfade run`.")
