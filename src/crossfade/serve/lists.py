"""The routes to ranked lists: each registered surface by all that it can be asked by, and the stations of Radio."""

import contextlib
import functools
import inspect
import secrets
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from crossfade.core.errors import CrossfadeError, UnknownIdError
from crossfade.core.kinds import KINDS
from crossfade.core.tables import EVERYONE, USER
from crossfade.live.fresh import Fresh, fresh_page, prepare, why_fresh
from crossfade.serve.access import require_user, required_token, secret_of
from crossfade.serve.active import ActiveRelease
from crossfade.serve.answers import LONGEST_TEXT, Listing, Station, WhyAnswer
from crossfade.serve.metrics import Metrics
from crossfade.serve.replies import json_reply, kept_reply
from crossfade.serve.routes import NEVER_KEPT, Id, KindName, plain, problems
from crossfade.serve.settings import ServeSettings
from crossfade.stores.contract import Entry, Item, TableInfo, Tables
from crossfade.stores.live import now
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.registry import FALLBACK, PAGES, POOL, SURFACES, Registered
from crossfade.surfaces.station import StationSettings, station_of

LONGEST_PAGE = 1000  # entries; no surface keeps more for one key
READ_AT_ONCE = 100  # entries that are read without giving way to other requests; they take about a millisecond
LARGEST_SEED = 2**53 - 1  # what every JSON reader takes for a whole number

Model = Annotated[
    str | None,
    Query(description="The model of the release that computes the list; by default its first one.", max_length=64),
]
Size = Annotated[int, Query(description="How many entries at most.", ge=1, le=LONGEST_PAGE)]

Lookup = Callable[[Tables, str, str], Item]

_PATHS: Mapping[str, Mapping[str, str]] = {
    "item": {kind.name: f"/v1/{kind.plural}/{{id:path}}" for kind in KINDS.values()},
    "user": {USER: "/v1/users/{id:path}"},
    "everyone": {EVERYONE: "/v1"},
}
"""The paths that lists are below, by what they are asked by, for each `Registered.asked_by`."""


def why_route(active: ActiveRelease, settings: ServeSettings, own: "OwnPages | None" = None) -> APIRouter:
    """Return the route that explains the pages of `PAGES`; with ``own``, as they are now for users with a token."""
    routes = APIRouter()

    @routes.get(
        f"{_PATHS[USER][USER]}/why",
        operation_id="why",
        summary="Why an item is on a user's page, or why it isn't",
        response_model=WhyAnswer,
        responses=problems(*((401, 403) if own else ()), 404, 422, 503),
        tags=[PAGES],
    )
    def explain(
        request: Request,
        text: Id,
        item: Annotated[
            str, Query(description="The item's id or name.", min_length=1, max_length=LONGEST_TEXT, examples=["Muse"])
        ],
        kind: KindName = None,
        model: Model = None,
    ) -> Response:
        """Place, score, what each model and feature added, reason and evidence; else what kept it from the page.

        With the user's token, of the page as it is now.
        """
        if own is not None and own.asked_for(request):
            return own.why(request, plain(text), item, kind, model)
        with active.reading() as opened:
            user = opened.release.tables.user(plain(text))
            answer = WhyAnswer(release=opened.release.version, why=opened.why(user, item, kind=kind, model=model))
        return kept_reply(request, answer, answer.release, personal=True, max_age=settings.max_age)

    return routes


def list_routes(
    active: ActiveRelease, settings: ServeSettings, station: StationSettings, own: "OwnPages | None" = None
) -> APIRouter:
    """Return the routes of all surfaces, whether or not the release has their tables.

    With ``own``, a user who sends a token gets the page as it is now.
    """
    routes = APIRouter()
    for line in SURFACES.values():
        for by, path in _PATHS[line.asked_by].items():
            if line.name == POOL:
                _add_station(routes, active, station, by, path)
            _add_list(routes, active, settings, line, by, path, own if line.name == PAGES else None)
    return routes


class OwnPages:
    """The pages of users with accounts, as they are now, for those whose token allows to read them."""

    def __init__(self, live: LiveState, active: ActiveRelease, metrics: Metrics) -> None:
        self._live, self._active, self._metrics = live, active, metrics

    def prepare(self, opened: OpenRelease) -> None:
        """Have pages of a release ready to be made; whatever is wrong with it, requests will say."""
        with contextlib.suppress(CrossfadeError):
            prepare(opened, self._live)

    def asked_for(self, request: Request) -> bool:
        """Return whether a request sends a token."""
        return secret_of(request) is not None

    def listing(
        self, request: Request, user: str, kind: str | None, model: str | None, limit: int, offset: int
    ) -> Response:
        """Return a part of the page of ``user``.

        Raises RefusedError unless the token is the user's, UnknownIdError if an administrator asks for a user without
        an account.
        """
        user = require_user(required_token(self._live, request, "read"), user)
        with self._active.reading() as opened:
            page = self.page(opened, user, kind, model)
            answer = Listing(
                release=opened.release.version,
                surface=page.table.surface,
                key=user if page.table.surface == PAGES else EVERYONE,
                name=None,
                kind=page.table.kind,
                model=model,
                total=len(page.entries),
                offset=offset,
                entries=page.entries[offset : offset + limit],
            )
        return json_reply(answer, headers=NEVER_KEPT)

    def why(self, request: Request, user: str, item: str, kind: str | None, model: str | None) -> Response:
        """Return why ``item`` is on the page of ``user``, or why it isn't; raises what `listing` does."""
        user = require_user(required_token(self._live, request, "read"), user)
        with self._active.reading() as opened:
            why = why_fresh(opened, self._live, user, item, at=now(), kind=kind, model=model)
            answer = WhyAnswer(release=opened.release.version, why=why)
        return json_reply(answer, headers=NEVER_KEPT)

    def page(self, opened: OpenRelease, user: str, kind: str | None, model: str | None = None) -> Fresh:
        """Return the whole page of ``user``, as `fresh_page` does."""
        page = fresh_page(opened, self._live, user, at=now(), kind=kind, model=model)
        if page.made_in:
            self._metrics.page.observe(page.made_in)
        return page


def _add_list(
    routes: APIRouter,
    active: ActiveRelease,
    settings: ServeSettings,
    line: Registered,
    by: str,
    path: str,
    own: OwnPages | None = None,
) -> None:
    def answered(
        request: Request, text: str, kind: str | None, model: str | None, limit: int, offset: int, lookup: Lookup
    ) -> Response:
        with active.reading() as opened:
            table, key, name = _asked_for(opened, line.name, by, text, kind, lookup)
            model = None if key == EVERYONE else model
            total, entries = _part(opened, table, key, model, limit=limit, offset=offset)
            answer = Listing(
                release=opened.release.version,
                surface=table.surface,
                key=key,
                name=name,
                kind=table.kind,
                model=model,
                total=total,
                offset=offset,
                entries=entries,
            )
        return kept_reply(request, answer, answer.release, personal=by == USER, max_age=settings.max_age)

    async def listing(
        request: Request,
        text: Id,
        kind: KindName = None,
        model: Model = None,
        limit: Size = 20,
        offset: Annotated[int, Query(description="How many entries to leave out.", ge=0, le=LONGEST_PAGE)] = 0,
    ) -> Response:
        text = plain(text)
        if own is not None and own.asked_for(request):
            return await run_in_threadpool(own.listing, request, text, kind, model, limit, offset)
        if model is None and limit + offset <= READ_AT_ONCE:
            # A few lookups by index take less time than the way to another thread.
            with contextlib.suppress(_UnknownNameError):
                return answered(request, text, kind, model, limit, offset, _known)
        return await run_in_threadpool(answered, request, text, kind, model, limit, offset, _named)

    fixed = {"text": EVERYONE} if by == EVERYONE else {"kind": by} if by in KINDS else {}
    name = f"{line.name}_for_everyone" if by == EVERYONE else f"{line.name}_by_{by}"
    routes.get(
        f"{path}/{line.name}",
        operation_id=name,
        summary=line.title,
        description=_described(line, by, own),
        response_model=Listing,
        responses=problems(*((401, 403) if own else ()), 404, 422, 503),
        tags=[line.name],
    )(_with(listing, fixed if line.learned else {**fixed, "model": None}))


def _described(line: Registered, by: str, own: OwnPages | None) -> str:
    """What the documentation of a list says."""
    if by != USER:
        return line.help
    now = " With the user's token, listens, thumbs and blocks count that came since the release." if own else ""
    return f"{line.help} A user without a list gets what most listeners play.{now}"


def _add_station(routes: APIRouter, active: ActiveRelease, settings: StationSettings, by: str, path: str) -> None:
    @routes.get(
        f"{path}/{POOL}/station",
        operation_id=f"station_by_{by}",
        summary="A station to play",
        response_model=Station,
        responses=problems(404, 422, 503),
        tags=[POOL],
    )
    def station(
        text: Id,
        model: Model = None,
        length: Size = 25,
        seed: Annotated[
            int | None, Query(description="Chooses the station; a new one each time by default.", ge=0, le=LARGEST_SEED)
        ] = None,
    ) -> Response:
        """Items of the Radio in the order in which to play them: without repeats, those of one parent apart."""
        seed = secrets.randbelow(LARGEST_SEED) if seed is None else seed
        with active.reading() as opened:
            table, key, name = _asked_for(opened, POOL, by, plain(text), by)
            _, pool = _part(opened, table, key, model)
            played = station_of(pool, np.random.default_rng(seed), settings)
            answer = Station(
                release=opened.release.version,
                key=key,
                name=name,
                kind=table.kind,
                model=model,
                seed=seed,
                entries=played[:length],
            )
        return json_reply(answer, headers=NEVER_KEPT)


def _with(endpoint: Callable[..., Any], values: Mapping[str, object]) -> Callable[..., Any]:
    """Return ``endpoint`` with fixed values for parameters that its route lacks."""
    fixed = functools.partial(endpoint, **values)
    signature = inspect.signature(endpoint)
    parameters = [parameter for name, parameter in signature.parameters.items() if name not in values]
    # FastAPI reads the parameters of a route from the signature.
    fixed.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return fixed


class _UnknownNameError(Exception):
    """No item has a name, so that similar ones have to be looked for, which takes its time."""


def _named(tables: Tables, kind: str, text: str) -> Item:
    return tables.item(kind, text)


def _known(tables: Tables, kind: str, text: str) -> Item:
    """Return the item that `Tables.item` returns; _UnknownNameError if there is none."""
    if (found := tables.find(kind, text)) is None:
        raise _UnknownNameError
    return found


def _asked_for(
    opened: OpenRelease, surface: str, by: str, text: str, kind: str | None, lookup: Lookup | None = None
) -> tuple[TableInfo, str, str | None]:
    """Return the table, the key, and the name of the key of the list to show."""
    tables = opened.release.tables
    if by in KINDS:
        table = opened.table(surface, kind)
        item = (lookup or _named)(tables, by, text)
        return table, item.id, item.name
    if by == USER:
        with contextlib.suppress(UnknownIdError):
            user = tables.user(text)
            if (table_of_user := opened.table_with(surface, user, kind)) is not None:
                return table_of_user, user, None
        # A new user gets what most listeners play. Whether the library knows a user is nobody's business either.
        surface = FALLBACK
    return opened.table(surface, kind), EVERYONE, None


def _part(
    opened: OpenRelease, table: TableInfo, key: str, model: str | None, *, limit: int | None = None, offset: int = 0
) -> tuple[int, list[Entry]]:
    """Return the length of the list of ``key``, and a part of it; an item without a list has an empty one."""
    tables = opened.release.tables
    if model is not None:
        entries = opened.entries(table.surface, key, kind=table.kind, model=model)
        return len(entries), entries[offset : None if limit is None else offset + limit]
    try:
        return tables.count(table.name, key), tables.entries(table.name, key, limit=limit, offset=offset)
    except UnknownIdError:
        return 0, []
