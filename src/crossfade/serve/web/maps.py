"""Maps of what is close to what, and the ways between items."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from crossfade.core.kinds import KINDS, Kind
from crossfade.serve.answers import LONGEST_TEXT
from crossfade.serve.replies import kept_reply
from crossfade.serve.routes import Id, plain, problems
from crossfade.serve.web.bodies import MapAnswer, PathAnswer
from crossfade.serve.web.site import Site
from crossfade.surfaces.around import around, way

LARGEST_MAP = 300


def map_routes(site: Site) -> APIRouter:
    """Return the routes, for the kinds that have no parent: those have neighbour tables."""
    routes = APIRouter(tags=["maps"], responses=problems(404, 422, 503))
    for kind in KINDS.values():
        if kind.parent is None:
            _add_map(routes, kind, site)
            _add_path(routes, kind, site)
    return routes


def _add_map(routes: APIRouter, kind: Kind, site: Site) -> None:
    @routes.get(
        f"/v1/{kind.plural}/{{id:path}}/map",
        operation_id=f"map_of_{kind.name}",
        summary=f"A map around one of the {kind.plural}",
        response_model=MapAnswer,
    )
    def map_around(
        request: Request,
        text: Id,
        size: Annotated[int, Query(description="How many nodes at most.", ge=2, le=LARGEST_MAP)] = 60,
    ) -> Response:
        """Half of the nodes are the closest to the item, the rest the closest to those."""
        with site.active.reading() as opened:
            item = opened.release.tables.item(kind.name, plain(text))
            made = around(opened, kind.name, item.id, size)
            answer = MapAnswer(release=opened.version, nodes=made.nodes, links=made.links)
        return kept_reply(request, answer, answer.release, personal=False, max_age=site.settings.max_age)


def _add_path(routes: APIRouter, kind: Kind, site: Site) -> None:
    @routes.get(
        f"/v1/{kind.plural}/{{id:path}}/path/{{other}}",
        operation_id=f"path_of_{kind.name}",
        summary=f"The way between two {kind.plural}",
        response_model=PathAnswer,
    )
    def path_between(
        request: Request,
        text: Id,
        other: Annotated[
            str,
            Path(description="The id or name at the end.", min_length=1, max_length=LONGEST_TEXT, examples=["Muse"]),
        ],
    ) -> Response:
        """The chain of related items with the smallest sum of 1 - closeness; 404 if none is found."""
        with site.active.reading() as opened:
            tables = opened.release.tables
            first, last = tables.item(kind.name, plain(text)), tables.item(kind.name, plain(other))
            answer = PathAnswer(release=opened.version, path=way(opened, kind.name, first.id, last.id))
        return kept_reply(request, answer, answer.release, personal=False, max_age=site.settings.max_age)
