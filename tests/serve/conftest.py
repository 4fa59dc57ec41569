"""A served library, and a client that calls it without a socket."""

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from crossfade.core.home import Home
from crossfade.serve.settings import ServeSettings
from crossfade.stores.registry import open_live, open_releases

fastapi = pytest.importorskip("fastapi", reason="needs the extra `serve`")


class Client:
    """Calls an application in this process."""

    def __init__(self, app, runner):
        self._app = app
        self._runner = runner

    def request(self, method, url, **options):
        async def call():
            transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
                return await client.request(method, url, **options)

        return self._runner.run(call())

    def get(self, url, **options):
        return self.request("GET", url, **options)


@dataclass(frozen=True)
class Served:
    """A library that is served: it looks at every request which release is active, so that tests need not wait."""

    home: Home
    releases: Any
    active: Any
    live: Any
    folder: Any
    app: Any


@contextlib.contextmanager
def serving(directory, music=None):
    from crossfade.live.music_folder import MusicFolder
    from crossfade.serve.active import ActiveRelease
    from crossfade.serve.app import create_app

    home = Home(directory / "home")
    home.prepare()
    releases = open_releases(home)
    active = ActiveRelease(releases, check_seconds=0)
    live = open_live(home)
    folder = None if music is None else MusicFolder(music, home.music)
    if folder is not None:
        folder.scan()
    app = create_app(active, ServeSettings(), live=live, music=folder, home=home)
    yield Served(home, releases, active, live, folder, app)
    live.close()
    active.close()


@contextlib.contextmanager
def on_loopback(app, **options):
    from uvicorn import Config, Server

    from crossfade.serve.connections import Connection
    from crossfade.serve.server import listening

    listener = listening(ServeSettings(port=0))
    server = Server(Config(app, http=Connection, ws="none", log_config=None, loop="asyncio", **options))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(timeout=30)
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def serve_on_loopback():
    """Serves an application on a port of this machine, as a context that gives the port."""
    return on_loopback


@pytest.fixture(scope="session")
def opensubsonic(shared_data):
    """The file of OpenSubsonic's OpenAPI description; skips where it is absent."""
    place = shared_data.parent / "opensubsonic" / "openapi.json"
    if not place.exists():
        pytest.skip(f"needs OpenSubsonic's OpenAPI description, {place}")
    return place


@pytest.fixture(scope="session")
def client_of():
    """Makes a client of any application."""
    with asyncio.Runner() as runner:
        yield lambda app: Client(app, runner)


@pytest.fixture(scope="session")
def serve_library():
    """Makes a served library below any directory, without a release, as a context; also with a folder of music."""
    return serving


@pytest.fixture(scope="session")
def served(tmp_path_factory, make_release_parts):
    """A library with the release of `release_parts`; tests may only read it."""
    directory = tmp_path_factory.mktemp("served")
    with serving(directory) as library:
        make_release_parts(directory).publish(library.releases)
        yield library


@pytest.fixture
def client(served, client_of):
    """A client of `served`."""
    return client_of(served.app)


@pytest.fixture
def unpublished(tmp_path):
    """A library of this test's own, without a release."""
    with serving(tmp_path) as library:
        yield library


@pytest.fixture
def home(unpublished):
    return unpublished.home


@pytest.fixture
def releases(unpublished):
    return unpublished.releases


@pytest.fixture
def active(unpublished):
    return unpublished.active


@pytest.fixture
def live(unpublished):
    return unpublished.live


@pytest.fixture
def empty(unpublished, client_of):
    """A client of `unpublished`."""
    return client_of(unpublished.app)
