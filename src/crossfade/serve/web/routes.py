"""All routes that the web page needs besides those of the other rooms of the API."""

from fastapi import APIRouter

from crossfade.serve.web.accounts import account_routes
from crossfade.serve.web.albums import album_routes
from crossfade.serve.web.audio import audio_routes
from crossfade.serve.web.maps import map_routes
from crossfade.serve.web.session import session_routes
from crossfade.serve.web.site import Site
from crossfade.serve.web.tags import tag_routes


def web_routes(site: Site) -> APIRouter:
    """Return the routes; their paths are longer than those of items, so they are added before."""
    routes = APIRouter()
    parts = (session_routes, account_routes, audio_routes, map_routes, album_routes, tag_routes)
    for part in parts:
        routes.include_router(part(site))
    return routes
