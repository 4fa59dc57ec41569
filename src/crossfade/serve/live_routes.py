"""The routes by which clients say what a user plays, likes and does not want, and by which users see and delete it."""

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from crossfade.core.errors import InputError
from crossfade.core.kinds import FIRST_KIND, KINDS
from crossfade.live.matching import matched
from crossfade.live.sessions import session_of
from crossfade.live.submitting import keep_listens, keep_playing, listen_of, playing_of
from crossfade.serve.access import catalogue_of
from crossfade.serve.active import ActiveRelease
from crossfade.serve.guard import SMALL_BODY, User, guarded_routes
from crossfade.serve.limits import RateLimits
from crossfade.serve.live_bodies import (
    BlockBody,
    Blocks,
    Deleted,
    ExclusionBody,
    Exclusions,
    Feedbacks,
    FeedbacksBody,
    Kept,
    ListenBody,
    Listens,
    ListensBody,
    Playing,
    PlayingBody,
    Private,
    PrivateBody,
)
from crossfade.serve.replies import json_reply
from crossfade.stores.contract import Tables
from crossfade.stores.live import LATEST_TIME, LONGEST_NAME, Block, Feedback, ItemRef, Listen, Scope, Which, now
from crossfade.stores.live_contract import LiveState

LARGEST_BODY = 10_485_760  # bytes: 1,000 listens of 10 KiB
MOST_LISTED = 1000
FURTHEST = 10_000_000  # listens that may be skipped by `offset`
DAY = 86_400_000

_USER = "/v1/users/{id:path}"
_Time = Annotated[int | None, Query(description="Milliseconds since 1970, UTC.", ge=0, le=LATEST_TIME)]
_Artist = Annotated[
    str | None, Query(description="Those by an artist of this name.", min_length=1, max_length=LONGEST_NAME)
]
_Text = Annotated[str | None, Query(description="Those with this in a name.", min_length=1, max_length=LONGEST_NAME)]
_Context = Annotated[
    str | None, Query(description="Those of this playlist or station.", min_length=1, max_length=LONGEST_NAME)
]
_Kind = Annotated[
    str, Query(description="The kind of the item.", pattern=f"^({'|'.join(KINDS)})$", examples=[FIRST_KIND])
]
_Item = Annotated[
    str, Query(description="The id of an item.", min_length=1, max_length=LONGEST_NAME, examples=["hetrec:89"])
]


def live_routes(active: ActiveRelease, live: LiveState, limits: RateLimits) -> list[APIRouter]:
    """Return the routes below ``/v1/users/{id}`` that write to ``live``, and read from it."""

    def guarded(scope: Scope, most_bytes: int = SMALL_BODY) -> APIRouter:
        return guarded_routes(live, limits, scope, tag="live", most_bytes=most_bytes)

    return [
        _submitting(active, live, guarded("submit")),
        _sending(active, live, guarded("submit", LARGEST_BODY)),
        _reading(live, guarded("read")),
        _deleting(live, guarded("manage")),
        _managing(active, live, guarded("manage")),
    ]


def _sending(active: ActiveRelease, live: LiveState, routes: APIRouter) -> APIRouter:
    @routes.post(f"{_USER}/listens", summary="Send plays", response_model=Kept)
    def send_listens(user: User, body: ListensBody) -> Response:
        """Answered once they are on the disk. The same user, track and second is one play, however often it is sent."""
        listens = [_listen(user, one, now()) for one in body.listens]
        with catalogue_of(active) as tables:
            added = keep_listens(live, tables, listens)
        return json_reply(Kept(received=len(listens), added=added))

    return routes


def _submitting(active: ActiveRelease, live: LiveState, routes: APIRouter) -> APIRouter:
    @routes.post(f"{_USER}/feedback", summary="Thumbs, likes and ratings", response_model=Feedbacks)
    def give_feedback(user: User, body: FeedbacksBody) -> Response:
        """The last one of a sort and an item counts; 0 takes it back. Answers with all that stands."""
        at = now()
        with catalogue_of(active) as tables:
            tracks = [one.track.track() for one in body.feedback]
            found = tracks if tables is None else [matched(tables, track) for track in tracks]
        live.give(
            [
                Feedback(user=user, sort=one.sort, value=one.value, track=track, given_at=at)
                for one, track in zip(body.feedback, found, strict=True)
            ]
        )
        return json_reply(Feedbacks.model_validate({"feedback": live.feedback(user)}))

    @routes.put(f"{_USER}/playing", summary="Say what is playing", response_model=Playing)
    def set_playing(user: User, body: PlayingBody) -> Response:
        """Shown until the track ends, or the same player plays something else."""
        playing = playing_of(body.track.track(), user, now(), client=body.player)
        with catalogue_of(active) as tables:
            keep_playing(live, tables, playing)
        return json_reply(Playing.model_validate({"playing": live.now_playing(user, at=now())}))

    @routes.delete(f"{_USER}/playing", summary="Say that a player has stopped", response_model=Playing)
    def stop_playing(
        user: User,
        player: Annotated[
            str, Query(description="The player; the one without a name by default.", max_length=200)
        ] = "",
    ) -> Response:
        """Answers with what the other players play."""
        live.stop_playing(user, player)
        return json_reply(Playing.model_validate({"playing": live.now_playing(user, at=now())}))

    return routes


def _reading(live: LiveState, routes: APIRouter) -> APIRouter:
    @routes.get(f"{_USER}/listens", summary="The user's plays", response_model=Listens)
    def listens(
        user: User,
        since: _Time = None,
        until: _Time = None,
        artist: _Artist = None,
        text: _Text = None,
        context: _Context = None,
        limit: Annotated[int, Query(description="How many at most.", ge=1, le=MOST_LISTED)] = 25,
        offset: Annotated[int, Query(description="How many to leave out.", ge=0, le=FURTHEST)] = 0,
    ) -> Response:
        """Newest first; those that fit all parameters that are given."""
        which = Which(since=since, until=until, artist=artist, text=text, context=context)
        found = live.listens(user, which, limit=limit, offset=offset)
        total = live.count_listens(user, which)
        return json_reply(Listens.model_validate({"total": total, "listens": found}))

    @routes.get(f"{_USER}/feedback", summary="What the user thinks of items", response_model=Feedbacks)
    def feedback(user: User) -> Response:
        """Latest first."""
        return json_reply(Feedbacks.model_validate({"feedback": live.feedback(user)}))

    @routes.get(f"{_USER}/playing", summary="What is playing", response_model=Playing)
    def playing(user: User) -> Response:
        """On each of the user's players, latest first."""
        return json_reply(Playing.model_validate({"playing": live.now_playing(user, at=now())}))

    @routes.get(f"{_USER}/blocks", summary="What the user does not want", response_model=Blocks)
    def blocks(user: User) -> Response:
        """Latest first, without those whose time is over."""
        return json_reply(Blocks.model_validate({"blocks": live.blocks(user, at=now())}))

    @routes.get(f"{_USER}/exclusions", summary="What is left out of taste", response_model=Exclusions)
    def exclusions(user: User) -> Response:
        """Playlists, stations and hours of the day."""
        return json_reply(Exclusions.model_validate({"exclusions": live.exclusions(user)}))

    @routes.get(f"{_USER}/private", summary="Whether a private session is on", response_model=Private)
    def private(user: User) -> Response:
        """And when it ends by itself."""
        return json_reply(Private(until=live.private_until(user, at=now())))

    return routes


def _deleting(live: LiveState, routes: APIRouter) -> APIRouter:
    @routes.delete(f"{_USER}/listens", summary="Delete plays", response_model=Deleted)
    def delete_listens(
        user: User,
        listen: Annotated[list[str] | None, Query(description="Plays by their ids.", max_length=MOST_LISTED)] = None,
        session: Annotated[
            str | None, Query(description="All of the session that this play is in.", max_length=LONGEST_NAME)
        ] = None,
        since: _Time = None,
        until: _Time = None,
        artist: _Artist = None,
        text: _Text = None,
        context: _Context = None,
        everything: Annotated[bool, Query(description="All of them; without any other parameter.")] = False,
    ) -> Response:
        """Those that fit all parameters that are given. The next release has forgotten them."""
        which = Which(ids=listen, since=since, until=until, artist=artist, text=text, context=context)
        if everything == (which != Which() or session is not None):
            raise InputError("Say which listens are meant, or that everything is, and not both.")
        if session is not None:
            span = session_of(live, user, session)
            which = dataclasses.replace(
                which,
                since=max(since or 0, span.since or 0),
                until=min(until or LATEST_TIME, span.until or LATEST_TIME),
            )
        return json_reply(Deleted(deleted=live.delete_listens(user, which)))

    return routes


def _managing(active: ActiveRelease, live: LiveState, routes: APIRouter) -> APIRouter:
    @routes.post(f"{_USER}/blocks", summary="Block an item", response_model=Blocks)
    def block(user: User, body: BlockBody) -> Response:
        """Never, or not for some days. A block of an artist covers all that is by it."""
        at, item = now(), body.item.ref()
        until = None if body.days is None else at + body.days * DAY
        with catalogue_of(active) as tables:
            name = _name(tables, item)
        live.block(Block(user=user, item=item, name=name, until=until, created_at=at))
        return json_reply(Blocks.model_validate({"blocks": live.blocks(user, at=at)}))

    @routes.delete(f"{_USER}/blocks", summary="Undo a block", response_model=Blocks)
    def unblock(user: User, kind: _Kind, item: _Item) -> Response:
        """Answers with the blocks that stand; undoing one that does not stand changes nothing."""
        live.unblock(user, ItemRef(kind, item))
        return json_reply(Blocks.model_validate({"blocks": live.blocks(user, at=now())}))

    @routes.post(f"{_USER}/exclusions", summary="Leave plays out of taste", response_model=Exclusions)
    def exclude(user: User, body: ExclusionBody) -> Response:
        """They are kept, and count for nothing."""
        live.exclude(body.exclusion(user))
        return json_reply(Exclusions.model_validate({"exclusions": live.exclusions(user)}))

    @routes.post(f"{_USER}/exclusions/undo", summary="Count them again", response_model=Exclusions)
    def include(user: User, body: ExclusionBody) -> Response:
        """Answers with what is still left out."""
        live.include(body.exclusion(user))
        return json_reply(Exclusions.model_validate({"exclusions": live.exclusions(user)}))

    @routes.put(f"{_USER}/private", summary="Begin a private session", response_model=Private)
    def start_private(user: User, body: PrivateBody) -> Response:
        """Until it is ended or its time is over, nothing that is played or said is kept, also if it is sent later."""
        live.start_private(user, now() + body.minutes * 60_000)
        return json_reply(Private(until=live.private_until(user, at=now())))

    @routes.delete(f"{_USER}/private", summary="End the private session", response_model=Private)
    def end_private(user: User) -> Response:
        """What was played in it stays unknown."""
        live.end_private(user)
        return json_reply(Private(until=live.private_until(user, at=now())))

    return routes


def _listen(user: str, sent: ListenBody, at: int) -> Listen:
    listen = listen_of(
        sent.track.track(), user, sent.listened_at / 1000, at, ms_played=sent.ms_played, client=sent.client
    )
    more: dict[str, Any] = {"listened_at": sent.listened_at, "source": sent.source, "context": sent.context}
    if sent.skipped is not None:
        more["skipped"] = sent.skipped
    return dataclasses.replace(listen, **more)


def _name(tables: Tables | None, item: ItemRef) -> str:
    """Return the name of an item, its id where the catalogue does not know it."""
    found = None if tables is None else tables.find(item.kind, item.id)
    return item.id if found is None else found.name
