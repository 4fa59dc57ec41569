"""One route for each registered surface, made from its line in the registry, and the stations of Radio."""

import secrets
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response

from crossfade.core.errors import UnknownIdError
from crossfade.core.tables import EVERYONE
from crossfade.serve.active import ActiveRelease
from crossfade.serve.answers import Entry, Listing, Station
from crossfade.serve.replies import json_reply, kept_reply
from crossfade.serve.routes import LONGEST_TEXT, NEVER_KEPT, Id, plain, problems
from crossfade.serve.settings import ServeSettings
from crossfade.stores import contract
from crossfade.stores.contract import ReleaseReader
from crossfade.surfaces.registry import FALLBACK, POOL, SURFACES, Registered
from crossfade.surfaces.station import StationSettings, station_of

LONGEST_PAGE = 1000  # entries; no surface keeps more for one key
LARGEST_SEED = 2**53 - 1  # what every JSON reader takes for a whole number

Limit = Annotated[int, Query(description="How many entries at most.", ge=1, le=LONGEST_PAGE)]
Offset = Annotated[int, Query(description="How many of the first entries to leave out.", ge=0, le=LONGEST_PAGE)]

UserId = Annotated[
    str,
    Path(
        description="A user's id, with or without the name of its source. A slash in it is written %2F.",
        max_length=LONGEST_TEXT,
        min_length=1,
    ),
]

# Who asks by what, and where that stands in a path. An item is a track in one library and an artist in another.
_PLACES = {"artist": ("artist",), "item": ("track", "artist"), "user": ("user",), "everyone": ("everyone",)}


def surface_routes(active: ActiveRelease, settings: ServeSettings, station: StationSettings) -> APIRouter:
    """The routes of all surfaces, whether or not the release of the day has them."""
    routes = APIRouter()
    for line in SURFACES.values():
        for place in _PLACES[line.asked_by]:
            if line.name == POOL:
                _add_station(routes, active, station, place)
            _add_list(routes, active, settings, line, place)
    return routes


def _add_list(routes: APIRouter, active: ActiveRelease, settings: ServeSettings, line: Registered, place: str) -> None:
    def listing(request: Request, key: str, limit: int, offset: int) -> Response:
        with active.reading() as reader:
            surface, found, name = _asked_for(reader, line.name, place, plain(key))
            total, entries = _part(reader, surface, found, limit=limit, offset=offset)
            answer = Listing(
                release=reader.version,
                surface=surface,
                key=found,
                name=name,
                kind=reader.surfaces[surface].kind,
                total=total,
                offset=offset,
                entries=[Entry.of(entry) for entry in entries],
            )
            return kept_reply(request, answer, reader.version, personal=place == "user", max_age=settings.max_age)

    path, endpoint = _endpoint(place, listing)
    routes.add_api_route(
        f"{path}/{line.name}",
        endpoint,
        methods=["GET"],
        name=f"{line.name} by {place}",
        operation_id=f"{line.name}_by_{place}",
        summary=line.title,
        description=_described(line, place),
        response_model=Listing,
        responses=problems(404, 422, 503),
        tags=[line.name],
    )


def _endpoint(place: str, listing: Callable[[Request, str, int, int], Response]) -> tuple[str, Callable[..., Any]]:
    """The beginning of the path, and a function whose parameters are those of the route."""

    def of_user(request: Request, user_id: UserId, limit: Limit = 20, offset: Offset = 0) -> Response:
        return listing(request, user_id, limit, offset)

    def of_artist(request: Request, artist_id: Id, limit: Limit = 20, offset: Offset = 0) -> Response:
        return listing(request, artist_id, limit, offset)

    def of_track(request: Request, track_id: Id, limit: Limit = 20, offset: Offset = 0) -> Response:
        return listing(request, track_id, limit, offset)

    def of_everyone(request: Request, limit: Limit = 20, offset: Offset = 0) -> Response:
        return listing(request, EVERYONE, limit, offset)

    endpoints: dict[str, tuple[str, Callable[..., Any]]] = {
        "user": ("/v1/users/{user_id:path}", of_user),
        "artist": ("/v1/artists/{artist_id:path}", of_artist),
        "track": ("/v1/tracks/{track_id:path}", of_track),
        "everyone": ("/v1", of_everyone),
    }
    return endpoints[place]


def _add_station(routes: APIRouter, active: ActiveRelease, settings: StationSettings, place: str) -> None:
    def station(key: str, length: int, seed: int | None) -> Response:
        seed = secrets.randbelow(LARGEST_SEED) if seed is None else seed
        with active.reading() as reader:
            surface, found, name = _asked_for(reader, POOL, place, plain(key))
            _, pool = _part(reader, surface, found)
            played = station_of(pool, np.random.default_rng(seed), settings)
            answer = Station(
                release=reader.version,
                key=found,
                name=name or found,
                kind=reader.surfaces[surface].kind,
                seed=seed,
                entries=[Entry.of(entry) for entry in played[:length]],
            )
            return json_reply(answer, headers=NEVER_KEPT)

    length_query = Query(description="How many items at most.", ge=1, le=LONGEST_PAGE)
    seed_query = Query(
        description="Chooses the station; a new one each time where it is left out.", ge=0, le=LARGEST_SEED
    )

    def of_artist(
        artist_id: Id, length: Annotated[int, length_query] = 25, seed: Annotated[int | None, seed_query] = None
    ) -> Response:
        return station(artist_id, length, seed)

    def of_track(
        track_id: Id, length: Annotated[int, length_query] = 25, seed: Annotated[int | None, seed_query] = None
    ) -> Response:
        return station(track_id, length, seed)

    path, endpoint = {
        "artist": ("/v1/artists/{artist_id:path}", of_artist),
        "track": ("/v1/tracks/{track_id:path}", of_track),
    }[place]
    routes.add_api_route(
        f"{path}/{POOL}/station",
        endpoint,
        methods=["GET"],
        name=f"station by {place}",
        operation_id=f"station_by_{place}",
        summary="A station to play",
        description="Items of the Radio in the order in which to play them: without repeats, each artist's apart.",
        response_model=Station,
        responses=problems(404, 422, 503),
        tags=[POOL],
    )


def _asked_for(reader: ReleaseReader, surface: str, place: str, text: str) -> tuple[str, str, str | None]:
    """(surface, key, what the key is called) of the list to show."""
    held = reader.surfaces.get(surface)
    if held is None:
        raise UnknownIdError(f"Release {reader.version} has no {surface}.")
    if place == "everyone":
        return surface, EVERYONE, None
    if held.key != place:
        raise UnknownIdError(f"In release {reader.version}, {surface} is asked for by {held.key}, not by {place}.")
    if place == "user":
        try:
            return surface, reader.user(text), None
        except UnknownIdError:
            # Somebody new gets what most listeners play. Whom the library knows is nobody's business either.
            if FALLBACK not in reader.surfaces:
                raise UnknownIdError(f"Release {reader.version} has nothing for new users.") from None
            return FALLBACK, EVERYONE, None
    if place == "track":
        track = reader.track(text)
        return surface, track.id, track.title
    artist = reader.artist(text)
    return surface, artist.id, artist.name


def _part(
    reader: ReleaseReader, surface: str, key: str, *, limit: int | None = None, offset: int = 0
) -> tuple[int, list[contract.Entry]]:
    """How long the list of ``key`` is, and a part of it; nothing where the surface found nothing for that key."""
    try:
        total = len(reader.ranked(surface, key))
    except UnknownIdError:
        return 0, []
    return total, reader.entries(surface, key, limit=limit, offset=offset)


def _described(line: Registered, place: str) -> str:
    if place == "user":
        return f"{line.help} A user of whom nothing is known gets what most listeners play; `surface` says so."
    return line.help
