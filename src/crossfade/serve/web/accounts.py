"""The tokens of a user, and the end of an account."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from crossfade.core.errors import UnknownIdError
from crossfade.serve.access import RefusedError
from crossfade.serve.guard import Caller, User, guarded_routes
from crossfade.serve.replies import json_reply
from crossfade.serve.web.bodies import NewTokenAnswer, NewTokenBody, TokenAnswer, TokensAnswer
from crossfade.serve.web.site import Site
from crossfade.stores.live import Token
from crossfade.stores.live_contract import LiveState

_TOKENS = "/v1/users/{id:path}/tokens"


def account_routes(site: Site) -> APIRouter:
    """Return the routes."""
    live = site.live
    routes = guarded_routes(live, site.limits, "manage", tag="accounts")

    @routes.get(_TOKENS, summary="The user's tokens", response_model=TokensAnswer)
    def tokens(user: User, caller: Caller) -> Response:
        """And app passwords, of players and of browsers."""
        return json_reply(_tokens(live, user, caller))

    @routes.post(_TOKENS, summary="Make a token", status_code=201, response_model=NewTokenAnswer)
    def add(user: User, caller: Caller, body: NewTokenBody) -> Response:
        """Or an app password. It allows no more than the token that the request came with."""
        own = caller.scopes
        scopes = frozenset(own - {"admin"} or own) if body.scopes is None else frozenset(body.scopes)
        if "admin" not in own and not scopes <= own:
            raise RefusedError(403, f"The token does not allow to {', '.join(sorted(scopes - own))}.")
        made, secret = live.add_token(user, label=body.label, scopes=scopes, password=body.password)
        return json_reply(NewTokenAnswer(token=_answer(made, caller), secret=secret), status=201)

    @routes.delete(_TOKENS, summary="Revoke a token", response_model=TokensAnswer)
    def revoke(
        user: User,
        caller: Caller,
        token: Annotated[
            str, Query(description="The id of the token.", min_length=1, max_length=200, examples=["0a1b2c3d4e5f"])
        ],
    ) -> Response:
        """It ends at once; answers with those that are left."""
        if all(one.id != token for one in live.tokens(user)):
            raise UnknownIdError(f"There is no token {token!r} of {user}.")
        live.revoke(token)
        return json_reply(_tokens(live, user, caller))

    @routes.delete("/v1/users/{id}", summary="Delete the account", status_code=204)
    def delete(user: User) -> Response:
        """With its listens, feedback, blocks, stations, playlists and tokens; the next release has forgotten them."""
        live.remove_user(user)
        return Response(status_code=204)

    return routes


def _tokens(live: LiveState, user: str, caller: Token) -> TokensAnswer:
    return TokensAnswer(tokens=[_answer(one, caller) for one in live.tokens(user)])


def _answer(token: Token, caller: Token) -> TokenAnswer:
    return TokenAnswer(
        id=token.id,
        label=token.label,
        sort="password" if token.password else "token",
        scopes=sorted(token.scopes),
        created_at=token.created_at,
        used_at=token.used_at,
        current=token.id == caller.id,
    )
