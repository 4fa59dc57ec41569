"""What clients of stations and of playlists send and get."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from crossfade.core.kinds import FIRST_KIND, KINDS
from crossfade.live.pools import PLAYLIST, TAG, TEXT
from crossfade.serve.answers import LONGEST_TEXT, Answer, Body
from crossfade.serve.live_bodies import TrackBody
from crossfade.stores.contract import Named
from crossfade.stores.live import LONGEST_PLAYLIST, Track

MOST_SEEDS = 20  # each of which may stand for ten tracks
MOST_DRAWN = 100  # tracks of one answer of a station
MOST_TRACKS = 500  # of a playlist that is made
LONGEST_QUEUE = 200

Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
Adventure = Annotated[float, Field(ge=0, le=1, description="From familiar (0) to adventurous (1).")]
Count = Annotated[int, Field(ge=0, le=MOST_DRAWN, description="How many tracks to play next.")]
Length = Annotated[int, Field(ge=1, le=MOST_TRACKS, description="Tracks, or as many as there are.")]
Kind = Annotated[str, Field(pattern=f"^({'|'.join(KINDS)})$", description="What to play, by default the main kind.")]


class Seed(Body):
    """What a station or a playlist starts from."""

    kind: Annotated[str, Field(pattern=f"^({'|'.join((*KINDS, TAG, TEXT, PLAYLIST))})$", examples=[FIRST_KIND])]
    id: Text = Field(description="An id or a name; the words of a tag or a text.", examples=["Radiohead"])


class Drawn(Body):
    """How tracks are drawn."""

    adventure: Adventure = 0.5
    seed: int | None = Field(
        default=None, ge=0, lt=2**53, description="Of the draws; another one each time by default."
    )

    def fields(self) -> dict[str, Any]:
        """Return the fields by their names, with pairs for seeds, as `crossfade.live` has them."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: [(seed.kind, seed.id) for seed in value] if isinstance(value, list) else value
            for name, value in given.items()
        }


class StartStation(Drawn):
    """A station to start."""

    seeds: list[Seed] = Field(min_length=1, max_length=MOST_SEEDS)
    title: Text | None = None
    kind: Kind | None = None
    keep: bool = Field(default=True, description="Whether the server keeps the station.")
    count: Count = 10


class StationSignal(Body):
    """What happened to a station; what is left out did not."""

    action: Literal["up", "down", "skip", "undo"] | None = None
    item: Text | None = Field(default=None, description="The id of the track that the action is about.")
    heard: float | None = Field(default=None, ge=0, le=1e6, description="Seconds of it that were heard before a skip.")
    requeue: bool = Field(
        default=False, description="What was drawn after the item will not be played, and may be drawn again."
    )
    adventure: Adventure | None = None
    count: Count = 10


class StateSignal(StationSignal):
    """A signal to a station that the server does not keep."""

    state: dict[str, Any] = Field(description="As the last answer had it.")


class Queue(Body):
    """What is played and will be played."""

    queue: list[Text] = Field(
        min_length=1, max_length=LONGEST_QUEUE, description="Ids of tracks, the last one at the end."
    )
    kind: Kind | None = None
    count: Annotated[int, Field(ge=1, le=MOST_DRAWN)] = 1


class Because(Answer):
    """One of the sources that a track is played for."""

    origin: Literal["seed", "up", "grown", "played"] = Field(
        description="A seed, a track with a thumb up, one that was played when little was left, one of the queue."
    )
    source: Named
    share: float = Field(description="Of the odds of the track, 0 to 1.")


class TrackAnswer(Answer):
    """A track to play, and why."""

    id: str
    name: str
    parent: Named | None = None
    text: str = Field(examples=["Because you started from Radiohead"])
    because: list[Because]


class StationAnswer(Answer):
    """A station, and what it plays next."""

    id: str | None = Field(default=None, description="Left out for a station that is not kept.")
    title: str
    kind: str
    adventure: float
    seeds: list[Named]
    marks: Mapping[str, Literal["up", "down", "skip"]] = Field(description="Thumbs and skips by id.")
    tracks: list[TrackAnswer] = Field(default=[], description="What to play next.")
    state: dict[str, Any] | None = Field(default=None, description="To be sent back, of a station that is not kept.")


class StationsAnswer(Answer):
    """The stations of a user, the last changed first."""

    stations: list[StationAnswer]


class WhyTrackAnswer(Answer):
    """Why a station plays a track, or why not."""

    text: str
    chance: float = Field(description="That it is drawn next, 0 to 1.")
    because: list[Because]
    nudges: Mapping[str, float] = Field(description="What each thumb and skip multiplies its odds by.")


class NowPlayingAnswer(Answer):
    """What to play after a queue."""

    release: str
    kind: str
    tracks: list[TrackAnswer]


class MakePlaylist(Drawn):
    """A playlist to make."""

    title: Text | None = Field(
        default=None, description="Says what to play where there are no seeds.", examples=["Rainy days"]
    )
    seeds: list[Seed] = Field(default=[], max_length=MOST_SEEDS)
    exclude: list[Seed] = Field(default=[], max_length=MOST_SEEDS, description="Items, artists and tags to leave out.")
    kind: Kind | None = None
    length: Length = 25
    keep: bool = Field(default=False, description="Whether the server keeps the playlist.")


class ContinuePlaylist(Drawn):
    """How to go on with a playlist."""

    include: list[Seed] = Field(
        default=[], max_length=MOST_SEEDS, description="What there should be more of, or surely is."
    )
    exclude: list[Seed] = Field(default=[], max_length=MOST_SEEDS, description="Items, artists and tags to leave out.")
    length: Length = 25
    keep: bool = Field(default=False, description="Whether the tracks are added to the playlist.")


class EditPlaylist(Body):
    """What a playlist shall be; what is left out stays."""

    title: Text | None = None
    tracks: list[TrackBody] | None = Field(default=None, max_length=LONGEST_PLAYLIST, description="In their order.")


class PlaylistAnswer(Answer):
    """A playlist."""

    id: str
    title: str
    sort: str = Field(description="What generated it, such as weekly-exploration; empty for the user's own.")
    tracks: list[Track]
    reasons: Mapping[str, str] = Field(default={}, description="By the ids of tracks that were chosen for the user.")
    dropped: int = Field(default=0, description="Entries of a file that do not say which track they are.")


class MadeAnswer(Answer):
    """Tracks that were chosen, and the playlist that has them."""

    id: str | None = Field(default=None, description="Of the playlist; left out if it is not kept.")
    title: str
    tracks: list[TrackAnswer]


class PlaylistRow(Answer):
    """A playlist without its tracks."""

    id: str
    title: str
    sort: str
    kind: str | None = Field(default=None, description="Of what is in it, as of the first that the library has.")
    tracks: int
    changed_at: int = Field(description="Milliseconds since 1970.")


class PlaylistsAnswer(Answer):
    """The playlists of a user, the last changed first."""

    playlists: list[PlaylistRow]


class ForgottenTrack(Answer):
    """A track that was loved and not played for long."""

    id: str
    name: str
    plays: int
    last: int = Field(description="Seconds since 1970.")


class ForgottenAnswer(Answer):
    """What was loved and forgotten, the most loved first."""

    tracks: list[ForgottenTrack]
