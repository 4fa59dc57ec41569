"""What belongs to an artist or a show, and albums."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from crossfade.core.kinds import KINDS, Kind
from crossfade.serve.answers import LONGEST_TEXT
from crossfade.serve.replies import json_reply, kept_reply
from crossfade.serve.routes import NEVER_KEPT, Id, plain, problems
from crossfade.serve.web.bodies import AlbumAnswer, AlbumsAnswer, ChildrenAnswer
from crossfade.serve.web.site import Site
from crossfade.stores.contract import Item, Named
from crossfade.surfaces.children import ALBUM, album_tracks, albums, child_kind, children

MOST_CHILDREN = 200


def album_routes(site: Site) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["catalogue"], responses=problems(404, 422, 503))
    for kind in KINDS.values():
        child = child_kind(kind.name)
        if child is not None:
            _add_children(routes, kind, KINDS[child], site)
            if any(field.name == ALBUM for field in KINDS[child].fields):
                _add_albums(routes, kind, child, site)
    return routes


def _add_children(routes: APIRouter, kind: Kind, child: Kind, site: Site) -> None:
    @routes.get(
        f"/v1/{kind.plural}/{{id:path}}/{child.plural}",
        operation_id=f"{child.plural}_of_{kind.name}",
        summary=f"The {child.plural} of one of the {kind.plural}",
        response_model=ChildrenAnswer,
    )
    def listed(
        request: Request,
        text: Id,
        limit: Annotated[int, Query(description="How many at most.", ge=1, le=MOST_CHILDREN)] = 20,
        offset: Annotated[int, Query(description="How many to leave out.", ge=0, le=1_000_000)] = 0,
    ) -> Response:
        """Those with most listeners first."""
        with site.active.reading() as opened:
            item = opened.release.tables.item(kind.name, plain(text))
            total, items = children(opened, child.name, item.id, limit, offset)
            answer = ChildrenAnswer(release=opened.version, item=_named(item), total=total, offset=offset, items=items)
        return kept_reply(request, answer, answer.release, personal=False, max_age=site.settings.max_age)


def _add_albums(routes: APIRouter, kind: Kind, child: str, site: Site) -> None:
    @routes.get(
        f"/v1/{kind.plural}/{{id:path}}/albums",
        operation_id=f"albums_of_{kind.name}",
        summary=f"The albums of one of the {kind.plural}",
        response_model=AlbumsAnswer,
    )
    def listed(request: Request, text: Id) -> Response:
        """Empty where the catalogue knows none."""
        with site.active.reading() as opened:
            item = opened.release.tables.item(kind.name, plain(text))
            answer = AlbumsAnswer(release=opened.version, item=_named(item), albums=albums(opened, child, item.id))
        return kept_reply(request, answer, answer.release, personal=False, max_age=site.settings.max_age)

    @routes.get("/v1/albums", operation_id="album", summary="An album with its tracks", response_model=AlbumAnswer)
    def album(
        request: Request,
        artist: Annotated[
            str,
            Query(
                description="The id or name of its artist.", min_length=1, max_length=LONGEST_TEXT, examples=["Muse"]
            ),
        ],
        name: Annotated[
            str, Query(description="The name of the album.", min_length=1, max_length=LONGEST_TEXT, examples=["Dummy"])
        ],
    ) -> Response:
        """Whatever the case and accents of its name."""
        with site.active.reading() as opened:
            item = opened.release.tables.item(kind.name, artist)
            found, tracks = album_tracks(opened, child, item.id, name)
            in_order = site.audio.in_order(opened.release.tables, tracks)
            answer = AlbumAnswer(release=opened.version, item=_named(item), album=found, tracks=in_order)
        if site.audio.source == "files":
            return json_reply(answer, headers=NEVER_KEPT)  # the folder may change
        return kept_reply(request, answer, answer.release, personal=False, max_age=site.settings.max_age)


def _named(item: Item) -> Named:
    return Named(kind=item.kind, id=item.id, name=item.name)
