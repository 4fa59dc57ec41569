"""The application: routes over the active release and the live state."""

import asyncio
import contextlib
import gc
import html
import logging
import math
import threading
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse

from crossfade.core.errors import CrossfadeError
from crossfade.core.home import Home
from crossfade.core.version import __version__
from crossfade.live.music_folder import MusicFolder, keep_scanning
from crossfade.live.taste import tastes_of
from crossfade.serve.active import CHECK_SECONDS, ActiveRelease
from crossfade.serve.audioscrobbler.routes import audioscrobbler_routes
from crossfade.serve.cookies import mark_of
from crossfade.serve.envelope import Envelope
from crossfade.serve.examples import add_examples
from crossfade.serve.kept import KeptReplies
from crossfade.serve.limits import RateLimits
from crossfade.serve.listenbrainz.routes import listenbrainz_routes
from crossfade.serve.lists import OwnPages, list_routes, why_route
from crossfade.serve.live_routes import live_routes
from crossfade.serve.metrics import Metrics
from crossfade.serve.origins import OtherOrigins
from crossfade.serve.playlists import playlist_routes
from crossfade.serve.replies import add_problem_replies
from crossfade.serve.routes import catalogue_routes, service_routes
from crossfade.serve.settings import ServeSettings
from crossfade.serve.stations import station_routes
from crossfade.serve.subsonic.routes import subsonic_routes
from crossfade.serve.web.page import page_routes
from crossfade.serve.web.routes import web_routes
from crossfade.serve.web.site import Site
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.station import DEFAULTS, StationSettings

_DESCRIPTION = """
Recommendations from listening history. Every answer is read from one immutable release and names it; `ETag`
is the release's, so a client that sends `If-None-Match` is told 304 until another release is active. Errors
are `application/problem+json` (RFC 9457).
"""


def create_app(
    active: ActiveRelease,
    settings: ServeSettings,
    *,
    live: LiveState | None = None,
    music: MusicFolder | None = None,
    station: StationSettings = DEFAULTS,
    home: Home | None = None,
) -> FastAPI:
    """Return the ASGI application that serves ``active`` and ``live``, and closes both at the end.

    Without a live state it only reads releases. ``music`` is what players get by Subsonic's API; ``station`` is for the
    stations; ``home`` is for imports and runs from the web page.
    """
    limits = RateLimits(math.ceil(settings.requests / settings.workers))
    site = None if live is None else Site.of(active, live, limits, settings, music, home)

    def prepare(opened: OpenRelease) -> None:
        if own is not None and site is not None:
            own.prepare(opened)
            site.prepare(opened)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            with active.reading():
                pass
        except CrossfadeError as error:
            # Go on: a release may come while the server runs.
            logging.getLogger("crossfade.serve").warning("%s", error)
        if own is not None:
            active.prepare = prepare
        turning = asyncio.create_task(_keep_turning(active, live))
        stop = threading.Event()
        if music is not None:
            threading.Thread(target=keep_scanning, args=(music, stop), name="music", daemon=True).start()
        yield
        stop.set()
        turning.cancel()
        active.close()
        if live is not None:
            live.close()

    # The pages that FastAPI offers for its documentation load scripts from elsewhere: nothing here leaves the machine.
    app = _Described(
        title="Crossfade",
        version=__version__,
        description=_DESCRIPTION.strip(),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Addresses and errors name people; where OpenTelemetry is set up, it would send them elsewhere.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.home = mark_of(home)
    metrics = Metrics(active)
    own = None if live is None else OwnPages(live, active, metrics)
    routers = [
        service_routes(active, settings, metrics),
        *([] if site is None else web_routes(site)),
        list_routes(active, settings, station, own),
        why_route(active, settings, own),
    ]
    if live is not None and own is not None:
        routers += [
            listenbrainz_routes(active, live, limits, own),
            *live_routes(active, live, limits),
            *station_routes(active, live, limits, station),
            *playlist_routes(active, live, limits),
            audioscrobbler_routes(active, live, limits),
        ]
        # Its one route is many calls, which are compared with no other route then.
        routers.insert(0, subsonic_routes(active, live, music, limits))
    # Their paths end in an id, so they come after longer ones.
    routers.append(catalogue_routes(active, settings))
    # Through a router that is included, FastAPI looks for each route twice.
    app.router.routes += [route for router in routers for route in router.routes]
    add_problem_replies(app)
    app.add_middleware(KeptReplies, active=active)
    if settings.origins:
        app.add_middleware(OtherOrigins, origins=settings.origins)
    app.add_middleware(Envelope, settings=settings, metrics=metrics)

    if live is not None and (page := page_routes()) is not None:
        app.include_router(page)

    @app.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    @app.get("/", include_in_schema=False, response_class=HTMLResponse)
    def index() -> Response:
        """List the routes and their parameters, for a person with a browser."""
        return HTMLResponse(_page(app))

    return app


class _Described(FastAPI):
    """An application whose OpenAPI description has examples."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            add_examples(super().openapi())
        return super().openapi()


async def _keep_turning(active: ActiveRelease, live: LiveState | None) -> None:
    """Let go of what is over even while nobody asks: a release, private sessions, what was deleted."""
    await asyncio.to_thread(active.turn)  # which prepares the release
    # What is there by now, most of it modules, stays: each collection of garbage that went through it held up all
    # requests for a fifth of a second.
    gc.collect()
    gc.freeze()
    try:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await asyncio.to_thread(active.turn)
            if live is not None:
                await asyncio.to_thread(_sweep, active, live)
    finally:
        gc.unfreeze()


def _sweep(active: ActiveRelease, live: LiveState) -> None:
    with contextlib.suppress(CrossfadeError):
        live.sweep()
        with active.reading() as opened:
            tastes_of(opened, live).remembered()


def _page(app: FastAPI) -> str:
    """Return a page that lists the routes and their parameters, without a script or a style."""
    rows = []
    for path, methods in app.openapi()["paths"].items():
        for method, route in methods.items():
            called = path if method == "get" else f"{method.upper()} {path}"
            rows.append(f"<dt><code>{html.escape(called)}</code></dt><dd>{html.escape(route['summary'])}")
            named = [parameter for parameter in route.get("parameters", []) if parameter["in"] == "query"]
            rows += [
                f"<br><code>{html.escape(parameter['name'])}</code>: {html.escape(parameter.get('description', ''))}"
                for parameter in named
            ]
            rows.append("</dd>")
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Crossfade</title>\n<h1>Crossfade</h1>',
            '<p>This library answers over HTTP, as <a href="/openapi.json">openapi.json</a> describes.</p>',
            "<dl>",
            *rows,
            "</dl>\n</html>\n",
        ]
    )
