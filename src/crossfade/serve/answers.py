"""The shapes of what is answered, which also are the documentation's; what is not known is left out."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from crossfade.core.ids import ItemKind
from crossfade.core.tables import KeyKind
from crossfade.stores import contract

Release = Annotated[str, Field(description="The release that this was read from.", examples=["000012-1f0c9a2b77de"])]


class Answer(BaseModel):
    """The base of all: fields are what the documentation says, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NamedArtist(Answer):
    """An artist, by id and name."""

    id: str = Field(examples=["a74b1b7f-71a5-4011-9441-d0b5e4122711"])
    name: str = Field(examples=["Radiohead"])


class Reason(Answer):
    """What in the user's own history makes an entry believable."""

    kind: ItemKind = Field(description="What the reason is.")
    id: str = Field(examples=["87c5dedd-371d-4a53-9f7f-80522fb7f3cb"])
    name: str = Field(examples=["Björk"])
    plays: int | None = Field(None, description="How often the user played it.", examples=[31])


class Entry(Answer):
    """One item of a list."""

    id: str = Field(examples=["a74b1b7f-71a5-4011-9441-d0b5e4122711"])
    name: str = Field(examples=["Radiohead"])
    artist: NamedArtist | None = Field(None, description="Of a track, where it is known.")
    score: float | None = Field(None, description="Higher is better; comparable within one list only.", examples=[0.75])
    reason: Reason | None = Field(None, description="Left out where the item is there for being popular.")

    @classmethod
    def of(cls, entry: contract.Entry) -> "Entry":
        """The answer's form of what a store gave."""
        reason = entry.reason
        return cls(
            id=entry.id,
            name=entry.name,
            artist=_named(entry.artist_id, entry.artist_name),
            score=entry.score,
            reason=None
            if reason is None
            else Reason(kind=reason.kind, id=reason.id, name=reason.name, plays=reason.plays),
        )


class Listing(Answer):
    """A part of a ranked list, best first."""

    release: Release
    surface: str = Field(examples=["related"])
    key: str = Field(description="The id that the list belongs to; * where it is everyone's.", examples=["hetrec:2"])
    name: str | None = Field(None, description="What the key is called.", examples=["Radiohead"])
    kind: ItemKind = Field(description="What the entries are.")
    total: int = Field(description="How many entries the whole list has.", examples=[250])
    offset: int = Field(description="Where in the list the first of these entries stands, from 0.", examples=[0])
    entries: list[Entry]


class Station(Answer):
    """A radio station: items in the order in which they are played."""

    release: Release
    key: str = Field(description="The item that the station goes on from.", examples=["hetrec:51"])
    name: str = Field(examples=["Creep"])
    kind: ItemKind = Field(description="What the entries are.")
    seed: int = Field(description="The same seed plays the same station, as long as the release is active.")
    entries: list[Entry]


class Artist(Answer):
    """An artist of the catalogue."""

    release: Release
    id: str = Field(examples=["a74b1b7f-71a5-4011-9441-d0b5e4122711"])
    name: str = Field(examples=["Radiohead"])
    listeners: int = Field(description="Users who played it.", examples=[380])
    plays: int = Field(description="How often they did.", examples=[41_000])


class Track(Answer):
    """A track of the catalogue."""

    release: Release
    id: str = Field(examples=["hetrec:51"])
    title: str = Field(examples=["Creep"])
    artist: NamedArtist | None = None
    album: str | None = Field(None, examples=["Pablo Honey"])
    track_ms: int | None = Field(None, description="Its length in milliseconds.", examples=[238_000])
    listeners: int = Field(description="Users who played it.", examples=[380])
    plays: int = Field(description="How often they did.", examples=[41_000])


class FoundArtist(Answer):
    """An artist that a search found."""

    id: str
    name: str
    listeners: int


class FoundTrack(Answer):
    """A track that a search found."""

    id: str
    title: str
    artist: NamedArtist | None = None
    listeners: int


class Found(Answer):
    """What a search found, best match first."""

    release: Release
    artists: list[FoundArtist]
    tracks: list[FoundTrack]
    suggestions: list[str] = Field(description="Names that look like what was asked for, where nothing matched.")

    @classmethod
    def of(cls, release: str, found: contract.Found) -> "Found":
        """The answer's form of what a store gave."""
        return cls(
            release=release,
            artists=[
                FoundArtist(id=artist.id, name=artist.name, listeners=artist.listeners) for artist in found.artists
            ],
            tracks=[
                FoundTrack(
                    id=track.id,
                    title=track.title,
                    artist=_named(track.artist_id, track.artist_name),
                    listeners=track.listeners,
                )
                for track in found.tracks
            ],
            suggestions=list(found.suggestions),
        )


class ServedSurface(Answer):
    """A surface of the active release."""

    name: str = Field(examples=["related"])
    title: str = Field(examples=["Related Artists"])
    key: KeyKind = Field(description="What it is asked for by.")
    kind: ItemKind = Field(description="What it lists.")
    columns: list[str] = Field(description="What an entry has besides its name.", examples=[["score"]])
    keys: int = Field(description="How many lists there are.", examples=[17_632])


class ActiveReleaseAnswer(Answer):
    """The release that is being served."""

    release: Release
    fingerprint: str = Field(description="Equal for releases made from the same inputs, settings and code.")
    code: str = Field(description="The version of Crossfade that made it.", examples=["0.1.0"])
    rows: Mapping[str, int] = Field(description="How many rows each of its tables has.")
    surfaces: list[ServedSurface]
    spaces: list[str] = Field(description="The vector spaces behind the surfaces.", examples=[["als-artist"]])


class Health(Answer):
    """Whether the server lives."""

    status: str = Field(examples=["ok"])


class Ready(Answer):
    """Whether there is something to serve."""

    status: str = Field(examples=["ready"])
    release: Release


class InvalidParameter(Answer):
    """A parameter that cannot be used."""

    where: str = Field(examples=["query limit"])
    says: str = Field(examples=["Input should be less than or equal to 1000"])


class Problem(Answer):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str | None = Field(None, examples=["There is no artist 'radiohed'. Did you mean Radiohead?"])
    suggestions: list[str] | None = Field(None, description="Names that may have been meant.", examples=[["Radiohead"]])
    errors: list[InvalidParameter] | None = None


def artist_answer(release: str, artist: contract.Artist) -> Artist:
    """The answer's form of an artist."""
    return Artist(release=release, id=artist.id, name=artist.name, listeners=artist.listeners, plays=artist.plays)


def track_answer(release: str, track: contract.Track) -> Track:
    """The answer's form of a track."""
    known: dict[str, Any] = {"album": track.album, "track_ms": track.track_ms}
    return Track(
        release=release,
        id=track.id,
        title=track.title,
        artist=_named(track.artist_id, track.artist_name),
        listeners=track.listeners,
        plays=track.plays,
        **known,
    )


def _named(artist_id: str | None, name: str | None) -> NamedArtist | None:
    return None if artist_id is None or name is None else NamedArtist(id=artist_id, name=name)
