"""Opening the web page of one's own library, without typing a token."""

import contextlib
import os
import shlex
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING

from crossfade.cli.options import live_of, releases_of
from crossfade.cli.output import say
from crossfade.core.errors import CrossfadeError
from crossfade.core.home import Home
from crossfade.importing.ledger import DEFAULT_USER
from crossfade.stores.live import ENTRANCE, SCOPES

if TYPE_CHECKING:
    from crossfade.surfaces.asking import OpenRelease

LOOKED_AT = 50
"""Listeners of whom the one with the longest history is shown, where nobody has an account."""


def open_in_browser(home: Home, address: str) -> None:
    """Say how to enter the page at ``address`` as the library's owner, and open it where there is a screen.

    It returns at once, also if the browser runs in the foreground, as a program named by ``BROWSER`` may.
    """
    user, secret = entrance(home)
    # A server that listens at all addresses of this machine is called by one of them.
    place = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:") + f"#/enter/{secret}"
    say(f"Open {place} in a browser. The link works once, within an hour.")
    say(f"For another browser: crossfade tokens add {shlex.quote(user)} --home {shlex.quote(str(home.path))}")
    say("Ctrl-C stops the server.")
    # Without a screen Python would start a text browser in this terminal, which cannot show the page.
    if sys.platform == "darwin" or any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")):
        with contextlib.suppress(webbrowser.Error):
            threading.Thread(target=webbrowser.get().open, args=[place], daemon=True).start()


def entrance(home: Home) -> tuple[str, str]:
    """Return the owner and the secret of a token of all scopes, which begins one session; it replaces the last one."""
    with contextlib.closing(live_of(home)) as live:
        accounts = sorted(live.accounts(), key=lambda account: account.created_at)
        user = accounts[0].user if accounts else _listener(home)
        live.add_user(user)
        for token in live.tokens(user):
            if token.label == ENTRANCE:
                live.revoke(token.id)
        return user, live.add_token(user, label=ENTRANCE, scopes=frozenset(SCOPES))[1]


def longest_heard(opened: "OpenRelease") -> str:
    """Return the listener with the longest history of the first ones; `DEFAULT_USER` if there are none."""
    users = opened.release.tables.users(limit=LOOKED_AT)
    return max(users, key=lambda user: reach.plays if (reach := opened.reach(user)) else 0, default=DEFAULT_USER)


def _listener(home: Home) -> str:
    from crossfade.surfaces.asking import OpenRelease

    with contextlib.suppress(CrossfadeError), releases_of(home).open() as release:
        return longest_heard(OpenRelease(release))
    return DEFAULT_USER
