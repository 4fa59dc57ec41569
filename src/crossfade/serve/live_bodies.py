"""What clients of the live API send and get: pydantic's models of the types of `crossfade.stores.live`."""

from typing import Annotated

from pydantic import Field

from crossfade.core.kinds import KINDS
from crossfade.serve.answers import Answer, Body
from crossfade.stores.live import LATEST_TIME, LONGEST_NAME, Exclusion, ItemRef, Opinion, Track

MOST_LISTENS = 1000
MOST_FEEDBACK = 100

Text = Annotated[str, Field(max_length=LONGEST_NAME)]
Time = Annotated[int, Field(description="Milliseconds since 1970, UTC.", ge=0, le=LATEST_TIME)]
Hour = Annotated[int, Field(ge=0, le=24)]
Length = Annotated[int, Field(description="Milliseconds.", ge=0, le=2**31 - 1)]


class ItemBody(Body):
    """An item of the catalogue."""

    kind: str = Field(pattern=f"^({'|'.join(KINDS)})$", examples=[*KINDS][:1])
    id: str = Field(min_length=1, max_length=LONGEST_NAME, examples=["hetrec:51"])

    def ref(self) -> ItemRef:
        """Return it as the live state has it."""
        return ItemRef(self.kind, self.id)


class TrackBody(Body):
    """What is played: an item, or names that are looked up. Without a title it is an artist or a show."""

    item: ItemBody | None = None
    title: Text | None = Field(default=None, examples=["Roads"])
    artist: Text | None = Field(default=None, examples=["Portishead"])
    album: Text | None = Field(default=None, examples=["Dummy"])
    mbid: Text | None = Field(default=None, description="The MusicBrainz id of the recording.")
    duration_ms: Length | None = None

    def track(self) -> Track:
        """Return it as the live state has it; InputError without an item and an artist."""
        return Track(**{**dict(self), "item": None if self.item is None else self.item.ref()})


class ListenBody(Body):
    """A play."""

    listened_at: Time = Field(description="When it began: milliseconds since 1970, UTC.", examples=[1763640000000])
    track: TrackBody
    ms_played: Length | None = None
    skipped: bool | None = Field(
        default=None, description="By default: heard for less than 30 s, or half of a short track."
    )
    source: Text | None = Field(default=None, examples=["radio"])
    context: Text | None = Field(default=None, description="The id of the playlist or the station.")
    client: Text | None = Field(default=None, description="The player.")


class ListensBody(Body):
    """Plays, at most a thousand."""

    listens: list[ListenBody] = Field(min_length=1, max_length=MOST_LISTENS)


class FeedbackBody(Body):
    """What the user thinks of an item; 0 takes it back."""

    sort: Opinion = Field(examples=["thumb"])
    value: int = Field(description="Thumb -1 to 1, like 0 or 1, rating 0 to 5.", ge=-1, le=5, examples=[1])
    track: TrackBody


class FeedbacksBody(Body):
    """Feedback on several items."""

    feedback: list[FeedbackBody] = Field(min_length=1, max_length=MOST_FEEDBACK)


class BlockBody(Body):
    """An item that the user does not want: never, or not for some days."""

    item: ItemBody
    days: int | None = Field(
        default=None, ge=1, le=3650, description="For so many days; for ever by default.", examples=[30]
    )


class PlayingBody(Body):
    """What a player is playing now."""

    track: TrackBody
    player: str = Field(default="", max_length=200)


class ExclusionBody(Body):
    """Listens that do not count for taste: those of a playlist, or of hours of the day."""

    context: Text | None = Field(default=None, description="The id of a playlist or a station.")
    # JSON has no tuples, so that this one is not strict.
    hours: Annotated[tuple[Hour, Hour], Field(strict=False)] | None = Field(
        default=None, description="From the first hour until before the second.", examples=[[22, 6]]
    )
    timezone: str = Field(default="UTC", max_length=64, examples=["Europe/Berlin"])

    def exclusion(self, user: str) -> Exclusion:
        """Return it as the live state has it; InputError unless it has either a context or hours."""
        return Exclusion(user=user, **dict(self))


class PrivateBody(Body):
    """How long a private session may last."""

    minutes: int = Field(default=360, ge=1, le=24 * 60)


class ListenAnswer(Answer):
    """A play that is kept."""

    id: str = Field(description="By which it is deleted.")
    listened_at: Time
    received_at: Time
    track: TrackBody
    ms_played: Length | None = None
    skipped: bool
    source: str | None = None
    context: str | None = None
    client: str | None = None


class Kept(Answer):
    """What became of listens that were sent; all of them are on the disk now, except those of a private session."""

    received: int
    added: int = Field(description="How many were not there before.")


class Listens(Answer):
    """A user's listens."""

    total: int = Field(description="How many there are of those that were asked for.")
    listens: list[ListenAnswer]


class Deleted(Answer):
    """What was deleted."""

    deleted: int


class FeedbackAnswer(Answer):
    """What the user thinks of an item."""

    sort: Opinion
    value: int
    track: TrackBody
    given_at: Time


class Feedbacks(Answer):
    """The feedback that stands, latest first."""

    feedback: list[FeedbackAnswer]


class BlockAnswer(Answer):
    """An item that the user does not want."""

    item: ItemBody
    name: str
    until: Time | None = None
    created_at: Time


class Blocks(Answer):
    """The blocks that stand, latest first."""

    blocks: list[BlockAnswer]


class PlayingAnswer(Answer):
    """What a player is playing."""

    track: TrackBody
    player: str
    started_at: Time
    ends_at: Time


class Playing(Answer):
    """What the user's players are playing, latest first."""

    playing: list[PlayingAnswer]


class Exclusions(Answer):
    """What is left out of taste."""

    exclusions: list[ExclusionBody]


class Private(Answer):
    """Whether the user is in a private session."""

    until: Time | None = Field(default=None, description="When it ends by itself; left out if there is none.")
