"""The link that opens the web page as the library's owner."""

import contextlib
import queue
import threading

import pytest

from crossfade.cli.entering import entrance, open_in_browser
from crossfade.stores.live import ENTRANCE, SCOPES
from crossfade.stores.registry import open_live, open_releases


def token_of(home, secret):
    with contextlib.closing(open_live(home)) as live:
        return live.authenticate(secret)


def test_an_empty_library_is_mine(home):
    token = token_of(home, entrance(home)[1])
    assert (token.user, token.label, token.scopes) == ("me", ENTRANCE, frozenset(SCOPES))


def test_a_listener_of_the_library_is_its_owner_until_somebody_has_an_account(home, release_parts):
    release_parts.publish(open_releases(home))
    listener = token_of(home, entrance(home)[1]).user
    with open_releases(home).open() as release:
        assert listener in release.tables.users(limit=50)
    assert token_of(home, entrance(home)[1]).user == listener


def test_the_first_account_is_the_owner(home, live):
    live.add_user("zoe")
    assert token_of(home, entrance(home)[1]).user == "ann"


def test_the_page_is_opened_where_there_is_a_screen(home, monkeypatch, capsys):
    opened, closed = queue.SimpleQueue(), threading.Event()

    class Foreground:
        def open(self, address):
            opened.put(address)
            closed.wait()

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.get", Foreground)
    open_in_browser(home, "http://0.0.0.0:8000/")  # does not wait for the browser
    address = opened.get(timeout=10)
    closed.set()
    assert address.startswith("http://127.0.0.1:8000/#/enter/cf_")
    said = capsys.readouterr().err
    assert f"Open {address} in a browser" in said
    assert "crossfade tokens add me --home" in said


def test_without_a_screen_the_address_is_only_said(home, monkeypatch, capsys):
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("webbrowser.get", lambda: pytest.fail("a browser is started"))
    open_in_browser(home, "http://127.0.0.1:8000/")
    assert "Open http://127.0.0.1:8000/#/enter/cf_" in capsys.readouterr().err


def test_a_link_ends_the_one_before(home):
    before, after = entrance(home)[1], entrance(home)[1]
    assert token_of(home, before) is None
    assert token_of(home, after) is not None
