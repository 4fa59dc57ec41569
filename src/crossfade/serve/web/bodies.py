"""What clients of the routes of the web page send and get, apart from its session."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from crossfade.live.imported import Imported
from crossfade.live.imported_plays import ImportedPlay
from crossfade.live.jobs import Sort, State
from crossfade.live.tag_taste import TasteRoot, TasteTag
from crossfade.serve.answers import Answer, Body
from crossfade.serve.live_bodies import Text, Time
from crossfade.stores.contract import Entry, Item, Named
from crossfade.stores.live import Scope
from crossfade.surfaces.around import Link, Node, Stop
from crossfade.surfaces.children import Album
from crossfade.surfaces.fitted import ModelOf
from crossfade.surfaces.tags import Tag


class TokenAnswer(Answer):
    """A token or an app password, without its secret."""

    id: str
    label: str
    sort: Literal["token", "password"]
    scopes: list[Scope]
    created_at: Time
    used_at: Time | None = Field(default=None, description="The last day on which it was used.")
    current: bool = Field(description="Whether this request came with it.")


class TokensAnswer(Answer):
    """A user's tokens and app passwords, oldest first."""

    tokens: list[TokenAnswer]


class NewTokenBody(Body):
    """What a token is for, and what it allows."""

    label: Text = Field(default="", examples=["my phone"])
    scopes: list[Scope] | None = Field(
        default=None, min_length=1, max_length=4, description="By default those of the request's own token, but admin."
    )
    password: bool = Field(default=False, description="An app password, for players of Subsonic and Audioscrobbler.")


class NewTokenAnswer(Answer):
    """A new token with its secret, which is shown once."""

    token: TokenAnswer
    secret: str


class MapAnswer(Answer):
    """A map around an item: the node in the middle first, then the closest first; links name nodes by their places."""

    release: str
    nodes: list[Node]
    links: list[Link]


class PathAnswer(Answer):
    """A chain of related items from one to another."""

    release: str
    path: list[Stop] = Field(description="Each with its closeness to the one before.")


class ChildrenAnswer(Answer):
    """What belongs to an item, most listeners first."""

    release: str
    item: Named
    total: int
    offset: int
    items: list[Item]


class AlbumsAnswer(Answer):
    """The albums of an artist, most listeners first."""

    release: str
    item: Named
    albums: list[Album]


class AlbumAnswer(Answer):
    """An album with its tracks: in the order of the music folder, else most listeners first."""

    release: str
    item: Named
    album: Album
    tracks: list[Item]


class TagsAnswer(Answer):
    """The tags that say most, first the strongest, with places from -1 to 1."""

    release: str
    kind: str = Field(description="What they are said of.")
    total: int
    tags: list[Tag]


class TagAnswer(Answer):
    """What a tag is said of."""

    release: str
    tag: str
    items: Mapping[str, list[Entry]] = Field(description="By kind, those that it says most about first.")
    similar: list[Tag] = Field(description="Tags that lie close on the map.")


class TasteAnswer(Answer):
    """A user's taste on the map."""

    release: str
    tags: list[TasteTag]
    roots: list[TasteRoot]


class PlayableAnswer(Answer):
    """Those of the tracks that can be heard, in the order of the question."""

    playable: list[str] = Field(examples=[["hetrec:51:roads"]])


class ImportsAnswer(Answer):
    """Imports with their ledgers, the latest first."""

    imports: list[Imported]


class ImportedPlaysAnswer(Answer):
    """What imports have of a listener, the latest first."""

    total: int = Field(description="How many there are of those that were asked for.")
    plays: list[ImportedPlay]


class WorkAnswer(Answer):
    """A piece of work that is going on."""

    title: str
    share: float | None = None


class ProgressAnswer(Answer):
    """What a terminal shows: steps, a bar, and the time left in words."""

    steps: int
    done: int
    share: float | None = Field(default=None, description="From 0 to 1; left out while it is unknown.")
    left: str = Field(description="The time left, empty while it is unknown.")
    running: list[WorkAnswer]
    note: str


class JobDescribed(Answer):
    """An import or a run."""

    id: str
    sort: Sort
    what: str = Field(description="The file that is imported; empty for a run.")
    state: State
    started: Time
    ended: Time | None = None
    message: str | None = Field(default=None, description="Why it failed or was interrupted.")
    made: list[str] = Field(description="The names of imports, or the release.")
    progress: ProgressAnswer


class JobAnswer(Answer):
    """The job that was started last; left out before the first."""

    job: JobDescribed | None = None


class RunBody(Body):
    """How to run."""

    full: bool = Field(default=False, description="Fit all models from nothing.")


class ModelsAnswer(Answer):
    """The models of the release; `adds` is in NDCG@20, on plays that were hidden when the blend was learned."""

    release: str
    models: list[ModelOf]


class EvaluationAnswer(Answer):
    """The figures of the last `crossfade evaluate` of this library, as `--json` prints them; empty before the first."""

    finished: int | None = Field(default=None, description="Milliseconds since 1970.")
    figures: dict[str, Any] | None = None
