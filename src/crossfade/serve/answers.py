"""The shape of each answer, from which the documentation is made; what is unknown is left out."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from crossfade.stores.contract import Entry, Item, Named, TableInfo
from crossfade.surfaces.why import Why

LONGEST_TEXT = 200  # letters of a name or an id; nothing has a longer one

_Release = Annotated[str, Field(description="The release that this was read from.", examples=["000012-1f0c9a2b77de"])]


class Answer(BaseModel):
    """The base of all: fields are what the documentation says, and no others; nested ones are read from attributes."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class Body(Answer):
    """The base of all that clients send: no value of another type, and no number that is infinite or none."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class ItemAnswer(Answer):
    """An item of the catalogue."""

    release: _Release
    item: Item


class Found(Answer):
    """The result of a search."""

    release: _Release
    items: Mapping[str, tuple[Item, ...]] = Field(description="By kind of item, best match first.")
    suggestions: tuple[str, ...] = Field(description="Similar names, where nothing matched.")


class _List(Answer):
    release: _Release
    key: str = Field(description="The id that the list belongs to; * where it is everyone's.", examples=["hetrec:2"])
    name: str | None = Field(default=None, description="The name of the key.", examples=["Radiohead"])
    kind: str = Field(description="What the entries are.", examples=["track"])
    model: str | None = Field(default=None, description="The model that computed the list, if the request named one.")


class Listing(_List):
    """A part of a ranked list, best first."""

    surface: str = Field(examples=["related"])
    total: int = Field(description="The length of the whole list.", examples=[250])
    offset: int = Field(description="The position of the first of these entries in the list, from 0.", examples=[0])
    entries: list[Entry]


class Station(_List):
    """A radio station: items in the order in which to play them."""

    seed: int = Field(description="The same seed plays the same station, as long as the release is active.")
    entries: list[Entry]


class Terms(Answer):
    """The words that say most about an item, the strongest first, each with its weight."""

    release: _Release
    item: Named
    terms: list[tuple[str, float]] = Field(examples=[[["trip hop", 0.31]]])


class WhyAnswer(Answer):
    """Why an item is on a user's Discover page, or why it isn't."""

    release: _Release
    why: Why


class ActiveReleaseAnswer(Answer):
    """The release that is being served."""

    release: _Release
    pinned: bool = Field(description="Whether newer releases are published without being served.")
    published_at: int = Field(description="Milliseconds since 1970.", examples=[1_700_000_000_000])
    fingerprint: str = Field(description="Equal for releases made from the same inputs, settings and code.")
    code: str = Field(description="The version of Crossfade that made it.", examples=["0.1.0"])
    rows: Mapping[str, int] = Field(description="How many rows each of its tables has.")
    tables: list[TableInfo]
    parts: tuple[str, ...] = Field(description="The artifacts behind the tables.", examples=[["als-artist"]])


class Health(Answer):
    """Whether the server lives."""

    status: str = Field(examples=["ok"])


class Ready(Answer):
    """Whether there is something to serve."""

    status: str = Field(examples=["ready"])
    release: _Release


class InvalidParameter(Answer):
    """A parameter that cannot be used."""

    where: str = Field(examples=["query limit"])
    message: str = Field(examples=["Input should be less than or equal to 1000"])


class Problem(Answer):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str | None = Field(default=None, examples=["There is no artist 'radiohed'. Did you mean Radiohead?"])
    suggestions: list[str] | None = Field(
        default=None, description="Names that may have been meant.", examples=[["Radiohead"]]
    )
    errors: list[InvalidParameter] | None = None


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of ``model`` with what it refers to in its place, as references need."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return inlined(definitions[part["$ref"].rpartition("/")[2]])
            return {name: inlined(inner) for name, inner in part.items()}
        return [inlined(inner) for inner in part] if isinstance(part, list) else part

    whole: dict[str, Any] = inlined(schema)
    return whole
