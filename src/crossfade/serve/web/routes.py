"""All routes that the web page needs besides those of the other rooms of the API."""

from fastapi import APIRouter

from crossfade.serve.web.accounts import account_routes
from crossfade.serve.web.audio import audio_routes
from crossfade.serve.web.maps import map_routes
from crossfade.serve.web.session import session_routes
from crossfade.serve.web.site import Site


def web_routes(site: Site) -> APIRouter:
    """Return the routes; their paths are longer than those of items, so they are added before."""
    routes = APIRouter()
    for part in (session_routes, account_routes, audio_routes, map_routes):
        routes.include_router(part(site))
    return routes
