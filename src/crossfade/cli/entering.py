"""Opening the web page of one's own library, without typing a token."""

import contextlib
import webbrowser

from crossfade.cli.options import live_of, releases_of
from crossfade.cli.output import say
from crossfade.core.errors import CrossfadeError
from crossfade.core.home import Home
from crossfade.importing.ledger import DEFAULT_USER
from crossfade.stores.live import ENTRANCE, SCOPES

LOOKED_AT = 50
"""Listeners of whom the one with the longest history is shown, where nobody has an account."""


def open_in_browser(home: Home, address: str) -> None:
    """Open the page at ``address`` in a browser as the library's owner, and print where that is."""
    place = f"{address}#/enter/{entrance(home)}"
    say(f"Open {place} in a browser. The link works once, within an hour.")
    webbrowser.open(place)


def entrance(home: Home) -> str:
    """Return the secret of a token that begins one session of the owner, who may do everything; it ends the last."""
    with contextlib.closing(live_of(home)) as live:
        accounts = sorted(live.accounts(), key=lambda account: account.created_at)
        user = accounts[0].user if accounts else _listener(home)
        live.add_user(user)
        for token in live.tokens(user):
            if token.label == ENTRANCE:
                live.revoke(token.id)
        return live.add_token(user, label=ENTRANCE, scopes=frozenset(SCOPES))[1]


def _listener(home: Home) -> str:
    """The listener with the longest history of the first ones of the library; `DEFAULT_USER` without any."""
    from crossfade.surfaces.asking import OpenRelease

    with contextlib.suppress(CrossfadeError), releases_of(home).open() as release:
        opened, users = OpenRelease(release), release.tables.users(limit=LOOKED_AT)
        return max(users, key=lambda user: reach.plays if (reach := opened.reach(user)) else 0, default=DEFAULT_USER)
    return DEFAULT_USER
