"""The session of a web page: a token of its own in a cookie, for a token that a person has."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from crossfade.core.errors import CrossfadeError
from crossfade.serve.access import RefusedError, require_page
from crossfade.serve.answers import Answer, Body
from crossfade.serve.cookies import clear_cookie, cookie_of, set_cookie
from crossfade.serve.guard import guarded_routes
from crossfade.serve.live_bodies import Time
from crossfade.serve.replies import json_reply
from crossfade.serve.web.site import Site
from crossfade.stores.live import ENTRANCE, Scope, Token, now
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.asking import WORDS

LABEL = "Web page"
"""Of the tokens of sessions."""

MOST_SESSIONS = 20
"""Of one user; the one that was used longest ago ends for another one."""


class EnterBody(Body):
    """A token, such as `crossfade tokens add` prints."""

    token: str = Field(min_length=1, max_length=200, examples=["cf_0a1b2c3d4e5f_" + 40 * "0"])


class LibraryAnswer(Answer):
    """What the library has, for a page to know what it can show."""

    release: str | None = Field(default=None, description="Left out before the first.")
    kinds: tuple[str, ...] = Field(description="Kinds that have items.")
    lists: dict[str, list[str]] = Field(description="Kinds that each surface lists.")
    words: tuple[str, ...] = Field(description="Kinds whose items have words: tags, or texts.")
    invented: bool = Field(description="Whether it is a demo world.")
    audio: Annotated[str | None, Field(examples=["files"])] = Field(
        default=None, description="What can be heard: `files` of a music folder, or `made` in a demo world."
    )


class SessionAnswer(Answer):
    """Who is there; without a user nobody is, and private is whatever needs one."""

    user: str | None = None
    scopes: tuple[Scope, ...] = ()
    private_until: Time | None = Field(default=None, description="When the private session ends by itself.")
    token: str | None = Field(default=None, description="The id of the session's token.")
    library: LibraryAnswer


def session_routes(site: Site) -> APIRouter:
    """Return the routes."""
    live = site.live
    routes = guarded_routes(live, site.limits, None, tag="session")

    @routes.post("/v1/session", summary="Begin a session of the web page", response_model=SessionAnswer)
    def enter(request: Request, body: EnterBody) -> Response:
        """Makes a token with the same scopes for this browser, and sets it as a cookie that scripts cannot read."""
        require_page(request)
        token = live.authenticate(body.token)
        if token is None:
            raise RefusedError(401, "The token is not valid. Make another with `crossfade tokens`.")
        before = _signed_in(live, request)
        if before is not None and before.user != token.user:
            # A link that somebody sends must not put what is played here into an account of theirs.
            raise RefusedError(409, f"This browser is signed in as {before.user}. Sign out first.")
        _end(live, before)
        if token.label == ENTRANCE:
            live.revoke(token.id)
        kept, secret = _begun(live, token)
        response = json_reply(_answer(site, kept))
        set_cookie(request, response, secret)
        return response

    @routes.get("/v1/session", summary="Who is there, and what the library has", response_model=SessionAnswer)
    def session(request: Request) -> Response:
        """Answers without a user where there is no session."""
        token = _signed_in(live, request)
        response = json_reply(_answer(site, token))
        if token is None and cookie_of(request) is not None:
            clear_cookie(request, response)
        return response

    @routes.delete("/v1/session", summary="End the session", status_code=204)
    def leave(request: Request) -> Response:
        """Revokes the token of this browser, and removes the cookie."""
        require_page(request)
        _end(live, _signed_in(live, request))
        response = Response(status_code=204)
        clear_cookie(request, response)
        return response

    return routes


def _begun(live: LiveState, token: Token) -> tuple[Token, str]:
    """Make the token of a new session, in place of the ones that were used longest ago if there are too many."""
    sessions = [one for one in live.tokens(token.user) if one.label == LABEL]
    sessions.sort(key=lambda one: (one.used_at or 0, one.created_at))
    for one in sessions[: max(0, len(sessions) - MOST_SESSIONS + 1)]:
        live.revoke(one.id)
    return live.add_token(token.user, label=LABEL, scopes=token.scopes)


def _signed_in(live: LiveState, request: Request) -> Token | None:
    """The token in the cookie of a request; None without a valid one."""
    secret = cookie_of(request)
    return None if secret is None else live.authenticate(secret)


def _end(live: LiveState, token: Token | None) -> None:
    """Revoke the token of a session, if there is one; a token that was made otherwise stays."""
    if token is not None and token.label == LABEL:
        live.revoke(token.id)


def _answer(site: Site, token: Token | None) -> SessionAnswer:
    if token is None:
        return SessionAnswer(library=_library(site))
    return SessionAnswer(
        user=token.user,
        scopes=tuple(sorted(token.scopes)),
        private_until=site.live.private_until(token.user, at=now()),
        token=token.id,
        library=_library(site),
    )


def _library(site: Site) -> LibraryAnswer:
    audio, invented = site.audio.source, site.audio.invented
    try:
        with site.active.reading() as opened:
            lists: dict[str, list[str]] = {}
            for table in opened.release.tables.tables.values():
                lists.setdefault(table.surface, []).append(table.kind)
            return LibraryAnswer(
                release=opened.version,
                kinds=opened.release.tables.kinds,
                lists=lists,
                words=tuple(kind for kind in opened.release.tables.kinds if opened.has_model(WORDS, kind)),
                invented=invented,
                audio=audio,
            )
    except CrossfadeError:
        return LibraryAnswer(kinds=(), lists={}, words=(), invented=invented, audio=audio)
