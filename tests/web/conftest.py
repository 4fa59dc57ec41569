"""A demo world that is served by a process of its own, and pages of it in Chromium."""

import contextlib
import http.server
import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import pytest
from click.testing import CliRunner
from tests.programs import started
from tests.web import chromium

from crossfade.cli import crossfade
from crossfade.core.home import Home
from crossfade.stores.registry import open_live

USER = "ann-1"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
FAULT = re.compile("Content Security|status of (404|405|422|500)|each_key")  # what no page may write to the console
QUIET = [
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def within(seconds, holds):
    """Wait until something holds. (The page's policy forbids to wait in it.)"""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@dataclass
class Library:
    """A library that is served.

    address  where
    token    a new token of `USER` for each call of it
    """

    address: str
    home: Home

    def token(self):
        live = open_live(self.home)
        try:
            return live.add_token(USER, label="tests", scopes=frozenset({"read", "submit", "manage", "admin"}))[1]
        finally:
            live.close()


@contextlib.contextmanager
def served(home):
    """A library of which `USER` has an account, served."""
    added = CliRunner().invoke(crossfade, ["users", "add", USER, "--home", str(home)])
    assert added.exit_code == 0, added.output
    command = [sys.executable, "-m", "crossfade", "serve", "--port", "0", "--home", str(home)]
    with started(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        lines = iter(server.stdout.readline, "")
        address = next(found[1] for line in lines if (found := re.search(r"Listening at (\S+)/,", line)))
        # What the server says further is read, so that it never waits for us.
        threading.Thread(target=lambda: [*lines], daemon=True).start()
        yield Library(address, Home(home))


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """A small demo world, served."""
    home = tmp_path_factory.mktemp("world") / "home"
    made = CliRunner().invoke(crossfade, ["demo", "--listeners", "60", "--artists", "60", "--home", str(home)])
    assert made.exit_code == 0, made.output
    with served(home) as there:
        yield there


@pytest.fixture
def bare(tmp_path):
    """A library in which nothing is yet, served."""
    with served(tmp_path / "home") as there:
        yield there


@pytest.fixture(scope="session")
def elsewhere():
    """The paths of requests that left this machine: Chromium sends them to this proxy."""
    asked = []

    class Trap(http.server.BaseHTTPRequestHandler):
        def answer(self):
            asked.append(self.path)
            self.send_error(502)

        do_GET = do_POST = do_HEAD = do_CONNECT = answer  # noqa: N815 (the names that the server calls)

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trap) as trap:
        threading.Thread(target=trap.serve_forever, daemon=True).start()
        yield trap.server_address[1], asked
        trap.shutdown()


@pytest.fixture(scope="session")
def browser(elsewhere):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: the group `test` has it")
    place = chromium.found()
    if place is None:
        pytest.skip(chromium.MISSING)
    playwright.expect.set_options(timeout=20_000)
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(
            executable_path=place,
            args=QUIET,
            proxy={"server": f"http://127.0.0.1:{elsewhere[0]}", "bypass": "127.0.0.1"},
        )
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser, library):
    """Opens the page for a user who is signed in, with whatever options; what goes wrong in it fails the test."""
    contexts, wrong = [], []

    def make(path="/", at=library, **options):
        options = {
            "viewport": {"width": 1280, "height": 860},
            "color_scheme": "dark",
            "reduced_motion": "reduce",
            **options,
        }
        context = browser.new_context(**options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if FAULT.search(said.text) else None)
        page.on("request", lambda sent: None if sent.url.startswith((at.address, "blob:")) else wrong.append(sent.url))
        page.goto(f"{at.address}/#/enter/{at.token()}")
        page.get_by_role("heading", name=f"Hello, {USER}").wait_for()
        if path != "/":
            page.goto(f"{at.address}/#{path}")
        return page

    yield make
    for context in contexts:
        context.close()
    assert not wrong


@pytest.fixture
def api(library):
    """Calls the API as the user."""
    import httpx

    with httpx.Client(base_url=library.address, headers={"Authorization": f"Token {library.token()}"}) as client:

        def call(method, path, body=None):
            answer = client.request(method, f"/v1/{path}", json=body)
            assert answer.is_success, answer.text
            return json.loads(answer.content) if answer.content else None

        yield call
