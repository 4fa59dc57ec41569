"""The routes about the server, the release and the items of the catalogue."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse

from crossfade.core.kinds import KINDS, Kind
from crossfade.serve.active import ActiveRelease
from crossfade.serve.answers import (
    LONGEST_TEXT,
    ActiveReleaseAnswer,
    Found,
    Health,
    ItemAnswer,
    Problem,
    Ready,
    Terms,
    schema_of,
)
from crossfade.serve.envelope import ENCODED_SLASH
from crossfade.serve.kept import again
from crossfade.serve.metrics import CONTENT_TYPE, Metrics
from crossfade.serve.replies import PROBLEM, json_reply, kept_reply, tagged
from crossfade.serve.settings import ServeSettings

MOST_FOUND = 100  # of each kind; a search that needs more wants a better question
MOST_TERMS = 100  # words of an item; the weights of later ones are close to nothing
NEVER_KEPT = {"Cache-Control": "no-store"}

Id = Annotated[
    str,
    Path(
        alias="id",
        description="An id, or a name. A slash is written %2F.",
        max_length=LONGEST_TEXT,
        min_length=1,
        examples=["Radiohead"],
    ),
]
KindName = Annotated[
    str | None,
    Query(
        description="A kind of item. By default a search covers all kinds, and a list has the release's main kind.",
        pattern=f"^({'|'.join(KINDS)})$",
    ),
]


_PROBLEM = {"content": {PROBLEM: {"schema": schema_of(Problem)}}}
_MEANINGS = {
    401: "The token is missing or not valid.",
    403: "The token is that of another user, or does not allow this.",
    404: "The release has nothing of that name.",
    409: "Somebody else has changed it meanwhile.",
    413: "The body is too large.",
    422: "A parameter cannot be used.",
    429: "Too many requests; Retry-After says when to try again.",
    503: "There is no release yet.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of what can go wrong on a route."""
    return {status: {"description": _MEANINGS[status], **_PROBLEM} for status in statuses}


def plain(part: str) -> str:
    """Return a part of a path with its encoded slashes."""
    return part.replace(ENCODED_SLASH, "/")


def service_routes(active: ActiveRelease, settings: ServeSettings, metrics: Metrics) -> APIRouter:
    """Return the routes that say whether the server lives, is ready, which release it serves, and how it does."""
    routes = APIRouter(tags=["server"])

    @routes.get("/health", summary="Whether the server lives", response_model=Health)
    def health() -> Response:
        """Answers as long as the server does, with a release or without."""
        return json_reply(Health(status="ok"), headers=NEVER_KEPT)

    @routes.get("/ready", summary="Whether there is a release to serve", response_model=Ready, responses=problems(503))
    def ready() -> Response:
        """200 once a release can be read, 503 before."""
        with active.reading() as opened:
            return json_reply(Ready(status="ready", release=opened.release.version), headers=NEVER_KEPT)

    @routes.get(
        "/metrics",
        summary="Measurements for Prometheus",
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {"example": "crossfade_release_age_seconds 86400.0"}}}},
    )
    def measurements() -> Response:
        """Latencies by route, the age of the release, the state of the process, in the text format of Prometheus."""
        return Response(metrics.as_text(), headers={**NEVER_KEPT, "Content-Type": CONTENT_TYPE})

    @routes.get(
        "/v1/release",
        summary="The release that is being served",
        response_model=ActiveReleaseAnswer,
        responses=problems(503),
    )
    def release(request: Request) -> Response:
        """What it was made from, the tables and parts it has, and how much is in it."""
        with active.reading() as opened:
            version, manifest = opened.release.version, opened.release.manifest
            answer = ActiveReleaseAnswer(
                release=version,
                pinned=active.pinned,
                published_at=round(opened.release.published_at * 1000),
                fingerprint=manifest.fingerprint,
                code=manifest.code,
                rows=manifest.rows,
                tables=list(opened.release.tables.tables.values()),
                parts=opened.release.parts,
            )
        tag = f"{version}-pinned" if answer.pinned else version
        response = tagged(answer, tag, personal=False, max_age=settings.max_age)
        return again(response, request.headers.get("If-None-Match"))

    return routes


def catalogue_routes(active: ActiveRelease, settings: ServeSettings) -> APIRouter:
    """Return the routes to items by id and by name. Their paths end in an id, so they are added after longer ones."""
    routes = APIRouter(tags=["catalogue"])

    @routes.get("/v1/search", summary="Items by name", response_model=Found, responses=problems(422, 503))
    def search(
        request: Request,
        q: Annotated[
            str,
            Query(description="A name or a part of it.", min_length=1, max_length=LONGEST_TEXT, examples=["sigur ros"]),
        ],
        kind: KindName = None,
        limit: Annotated[int, Query(description="How many of each kind at most.", ge=1, le=MOST_FOUND)] = 10,
    ) -> Response:
        """Ignores case and diacritics; suggests similar names where nothing matches."""
        with active.reading() as opened:
            found = opened.release.tables.search(q, limit=limit, kinds=None if kind is None else [kind])
            answer = Found(release=opened.release.version, items=found.items, suggestions=found.suggestions)
        return kept_reply(request, answer, answer.release, personal=False, max_age=settings.max_age)

    for kind in KINDS.values():
        _add_item_routes(routes, kind, active, settings)
    return routes


def _add_item_routes(routes: APIRouter, kind: Kind, active: ActiveRelease, settings: ServeSettings) -> None:
    path = f"/v1/{kind.plural}/{{id:path}}"

    @routes.get(
        f"{path}/terms",
        operation_id=f"terms_of_{kind.name}",
        summary=f"The words that say most about one of the {kind.plural}",
        response_model=Terms,
        responses=problems(404, 422, 503),
    )
    def words(
        request: Request,
        text: Id,
        limit: Annotated[int, Query(description="How many words at most.", ge=1, le=MOST_TERMS)] = 20,
    ) -> Response:
        """From the texts and tags that the model "cultural" was fitted on."""
        with active.reading() as opened:
            item = opened.release.tables.item(kind.name, plain(text))
            terms = opened.top_terms(kind.name, item.id, limit)
            answer = Terms(release=opened.release.version, item=item, terms=terms)
        return kept_reply(request, answer, answer.release, personal=False, max_age=settings.max_age)

    @routes.get(
        path,
        operation_id=kind.name,
        summary=f"One of the {kind.plural}",
        response_model=ItemAnswer,
        responses=problems(404, 422, 503),
    )
    def item(request: Request, text: Id) -> Response:
        """By its id, or by its name with or without its parent's: of several, the one with the most listeners."""
        with active.reading() as opened:
            found = opened.release.tables.item(kind.name, plain(text))
            answer = ItemAnswer(release=opened.release.version, item=found)
        return kept_reply(request, answer, answer.release, personal=False, max_age=settings.max_age)
