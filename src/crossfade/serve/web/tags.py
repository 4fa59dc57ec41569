"""The library's tags on a map, what they are said of, and a user's taste among them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from crossfade.live.tag_taste import taste_map
from crossfade.serve.answers import LONGEST_TEXT
from crossfade.serve.guard import User, guarded_routes
from crossfade.serve.replies import json_reply, kept_reply
from crossfade.serve.routes import plain, problems
from crossfade.serve.web.bodies import TagAnswer, TagsAnswer, TasteAnswer
from crossfade.serve.web.site import Site
from crossfade.surfaces.tags import MOST_TAGS, similar_tags, tag_map, tagged

MOST_ITEMS = 200
MOST_SIMILAR = 12


def tag_routes(site: Site) -> list[APIRouter]:
    """Return the routes."""
    return [
        _reading(site, APIRouter(tags=["tags"], responses=problems(404, 422, 503))),
        _own(site, guarded_routes(site.live, site.limits, "read", tag="tags")),
    ]


def _reading(site: Site, routes: APIRouter) -> APIRouter:
    @routes.get("/v1/tags", summary="The library's tags", response_model=TagsAnswer)
    def tags(
        request: Request,
        limit: Annotated[int, Query(description="How many at most.", ge=1, le=MOST_TAGS)] = MOST_TAGS,
    ) -> Response:
        """With how many items each is said of, and a place: tags that are said of the same items lie close."""
        with site.active.reading() as opened:
            known = tag_map(opened)
            answer = TagsAnswer(
                release=opened.version, kind=known.kind, total=len(known.tags), tags=[*known.tags[:limit]]
            )
        return kept_reply(request, answer, answer.release, personal=False, max_age=site.settings.max_age)

    @routes.get("/v1/tags/{tag}", summary="What a tag is said of", response_model=TagAnswer)
    def one(
        request: Request,
        tag: Annotated[str, Path(description="The tag.", min_length=1, max_length=LONGEST_TEXT, examples=["trip hop"])],
        limit: Annotated[int, Query(description="How many of each kind at most.", ge=1, le=MOST_ITEMS)] = 30,
    ) -> Response:
        """The items that it says most about, and similar tags."""
        name = plain(tag)
        with site.active.reading() as opened:
            items = tagged(opened, name, limit)
            answer = TagAnswer(
                release=opened.version, tag=name, items=items, similar=similar_tags(opened, name, MOST_SIMILAR)
            )
        return kept_reply(request, answer, answer.release, personal=False, max_age=site.settings.max_age)

    return routes


def _own(site: Site, routes: APIRouter) -> APIRouter:
    @routes.get("/v1/users/{id:path}/taste", summary="The user's taste on the map of tags", response_model=TasteAnswer)
    def taste(user: User) -> Response:
        """Tags by how much of the taste they are, and the artists or shows that are played most, with their places."""
        with site.active.reading() as opened:
            made = taste_map(opened, site.live, user)
            answer = TasteAnswer(release=opened.version, tags=made.tags, roots=made.roots)
        return json_reply(answer)

    return routes
