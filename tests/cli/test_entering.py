"""The link that opens the web page as the library's owner."""

import contextlib

from crossfade.cli.entering import entrance, open_in_browser
from crossfade.stores.live import ENTRANCE, SCOPES
from crossfade.stores.registry import open_live, open_releases


def token_of(home, secret):
    with contextlib.closing(open_live(home)) as live:
        return live.authenticate(secret)


def test_an_empty_library_is_mine(home):
    token = token_of(home, entrance(home))
    assert (token.user, token.label, token.scopes) == ("me", ENTRANCE, frozenset(SCOPES))


def test_a_listener_of_the_library_is_its_owner_until_somebody_has_an_account(home, release_parts):
    release_parts.publish(open_releases(home))
    listener = token_of(home, entrance(home)).user
    with open_releases(home).open() as release:
        assert listener in release.tables.users(limit=50)
    assert token_of(home, entrance(home)).user == listener


def test_the_first_account_is_the_owner(home, live):
    live.add_user("zoe")
    assert token_of(home, entrance(home)).user == "ann"


def test_the_page_is_opened_and_its_address_said(home, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    open_in_browser(home, "http://127.0.0.1:8000/")
    [address] = opened
    assert address.startswith("http://127.0.0.1:8000/#/enter/cf_")
    assert address in capsys.readouterr().err


def test_a_link_ends_the_one_before(home):
    before, after = entrance(home), entrance(home)
    assert token_of(home, before) is None
    assert token_of(home, after) is not None
