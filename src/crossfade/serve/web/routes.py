"""All routes that the web page needs besides those of the other rooms of the API."""

from fastapi import APIRouter

from crossfade.serve.web.accounts import account_routes
from crossfade.serve.web.albums import album_routes
from crossfade.serve.web.audio import audio_routes
from crossfade.serve.web.imports import import_routes
from crossfade.serve.web.maps import map_routes
from crossfade.serve.web.runs import run_routes
from crossfade.serve.web.session import session_routes
from crossfade.serve.web.site import Site
from crossfade.serve.web.system import system_routes
from crossfade.serve.web.tags import tag_routes


def web_routes(site: Site) -> list[APIRouter]:
    """Return the routes; their paths are longer than those of items, so they are added before."""
    own = [session_routes(site), account_routes(site)]
    catalogue = [audio_routes(site), map_routes(site), album_routes(site), *tag_routes(site)]
    return [*own, *catalogue, *import_routes(site), *run_routes(site), *system_routes(site)]
