"""Kinds of item, as data: a new kind is one entry here and nothing else.

A kind without a parent is a *root* (an artist, a show); a kind with one is what people play (a track, an episode). A
root and its children are a *family*: Discover lists the children and gives roots as reasons, Related compares roots.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from crossfade.core.errors import UnknownIdError

FieldType = Literal["text", "number"]


@dataclass(frozen=True)
class Field:
    """A column that items of a kind have besides id, name and parent: text, or a whole number (int32)."""

    name: str
    type: FieldType


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of item.

    name     singular, as it is stored: "track"
    plural   "tracks": the table, the route
    parent   the kind that its items belong to; None for a root
    repeats  whether playing an item again says more about taste; if not, all plays of an item by a user count as one
    fields   further columns of the catalogue
    verb     what people do with its items, as in "Because you play Radiohead"
    """

    name: str
    plural: str
    parent: str | None = None
    repeats: bool = True
    fields: tuple[Field, ...] = ()
    verb: str = "play"

    @property
    def root(self) -> str:
        """The name of the kind at the top of this one's family."""
        return self.name if self.parent is None else kind_named(self.parent).root


DURATION = Field("duration_ms", "number")

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(name="artist", plural="artists"),
        Kind(
            name="track",
            plural="tracks",
            parent="artist",
            fields=(Field("album", "text"), DURATION, Field("isrc", "text")),
        ),
        Kind(name="show", plural="shows", verb="listen to"),
        Kind(name="episode", plural="episodes", parent="show", repeats=False, fields=(DURATION,), verb="listen to"),
    )
}
"""Every kind by name; earlier kinds come first in lists and defaults."""

FIRST_KIND = next(iter(KINDS))


def kind_named(name: str) -> Kind:
    """Return the kind called ``name``; UnknownIdError if there is none."""
    if name not in KINDS:
        raise UnknownIdError(f"There is no kind of item {name!r}. There are: {', '.join(KINDS)}.")
    return KINDS[name]


def item_fields() -> tuple[Field, ...]:
    """Return the fields of all kinds, each once."""
    return tuple(dict.fromkeys(field for kind in KINDS.values() for field in kind.fields))
