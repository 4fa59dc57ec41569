"""The routes about the catalogue, the release and the server itself."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from crossfade.serve.active import ActiveRelease
from crossfade.serve.answers import (
    ActiveReleaseAnswer,
    Artist,
    Found,
    Health,
    Problem,
    Ready,
    ServedSurface,
    Track,
    artist_answer,
    track_answer,
)
from crossfade.serve.envelope import ENCODED_SLASH
from crossfade.serve.replies import PROBLEM, json_reply, kept_reply
from crossfade.serve.settings import ServeSettings
from crossfade.surfaces.registry import SURFACES

LONGEST_TEXT = 200  # letters of a name that is searched for or an id; longer ones are nobody's
MOST_FOUND = 100  # of each kind; a search that needs more wants a better question
NEVER_KEPT = {"Cache-Control": "no-store"}

Id = Annotated[
    str, Path(description="An id, or a name. A slash in it is written %2F.", max_length=LONGEST_TEXT, min_length=1)
]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of what can go wrong on a route."""
    shown = {"content": {PROBLEM: {"schema": Problem.model_json_schema()}}}
    meanings = {
        404: "There is no such thing in the release.",
        422: "A parameter cannot be used.",
        503: "There is no release yet.",
    }
    return {status: {"description": meanings[status], **shown} for status in statuses}


def plain(part: str) -> str:
    """A part of a path as it was meant."""
    return part.replace(ENCODED_SLASH, "/")


def service_routes(active: ActiveRelease, settings: ServeSettings) -> APIRouter:
    """Whether the server lives, whether it is ready, and which release it serves."""
    routes = APIRouter(tags=["server"])

    @routes.get("/health", summary="Whether the server lives", response_model=Health)
    def health() -> Response:
        """Answers as long as the server does, with a release or without."""
        return json_reply(Health(status="ok"), headers=NEVER_KEPT)

    @routes.get("/ready", summary="Whether there is a release to serve", response_model=Ready, responses=problems(503))
    def ready() -> Response:
        """200 once a release can be read, 503 before."""
        with active.reading() as reader:
            return json_reply(Ready(status="ready", release=reader.version), headers=NEVER_KEPT)

    @routes.get(
        "/v1/release",
        summary="The release that is being served",
        response_model=ActiveReleaseAnswer,
        responses=problems(503),
    )
    def release(request: Request) -> Response:
        """What it was made from, the surfaces it has, and how much is in it."""
        with active.reading() as reader:
            surfaces = [
                ServedSurface(
                    name=name,
                    title=SURFACES[name].title if name in SURFACES else name,
                    key=surface.key,
                    kind=surface.kind,
                    columns=list(surface.columns),
                    keys=surface.keys,
                )
                for name, surface in reader.surfaces.items()
            ]
            answer = ActiveReleaseAnswer(
                release=reader.version,
                fingerprint=reader.manifest.fingerprint,
                code=reader.manifest.code,
                rows=reader.manifest.rows,
                surfaces=surfaces,
                spaces=list(reader.spaces),
            )
            return kept_reply(request, answer, reader.version, personal=False, max_age=settings.max_age)

    return routes


def catalogue_routes(active: ActiveRelease, settings: ServeSettings) -> APIRouter:
    """Artists and tracks, by id and by name. Its paths end in an id, so they are added after the longer ones."""
    routes = APIRouter(tags=["catalogue"])

    @routes.get("/v1/search", summary="Artists and tracks by name", response_model=Found, responses=problems(422, 503))
    def search(
        request: Request,
        q: Annotated[
            str,
            Query(description="A name or a part of it.", min_length=1, max_length=LONGEST_TEXT, examples=["sigur ros"]),
        ],
        limit: Annotated[int, Query(description="How many of each kind at most.", ge=1, le=MOST_FOUND)] = 10,
    ) -> Response:
        """Whatever the case and the diacritics; names that look alike where nothing matches."""
        with active.reading() as reader:
            answer = Found.of(reader.version, reader.search(q, limit=limit))
            return kept_reply(request, answer, reader.version, personal=False, max_age=settings.max_age)

    @routes.get(
        "/v1/artists/{artist_id:path}",
        summary="An artist",
        response_model=Artist,
        responses=problems(404, 422, 503),
    )
    def artist(request: Request, artist_id: Id) -> Response:
        """By its id, or the most played one of that name."""
        with active.reading() as reader:
            answer = artist_answer(reader.version, reader.artist(plain(artist_id)))
            return kept_reply(request, answer, reader.version, personal=False, max_age=settings.max_age)

    @routes.get(
        "/v1/tracks/{track_id:path}", summary="A track", response_model=Track, responses=problems(404, 422, 503)
    )
    def track(request: Request, track_id: Id) -> Response:
        """By its id, or the most played one of that title, with or without its artist."""
        with active.reading() as reader:
            answer = track_answer(reader.version, reader.track(plain(track_id)))
            return kept_reply(request, answer, reader.version, personal=False, max_age=settings.max_age)

    return routes
