"""Pages as they are now, for users with accounts: made when they are asked for, and kept until something changes."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

from crossfade.live.taste import Tastes
from crossfade.stores.contract import Entry, TableInfo
from crossfade.stores.live import LiveState
from crossfade.surfaces.asking import OpenRelease

MOST_PAGES = 1_000
"""Pages that are kept in memory; one has some 30 KB."""


class Fresh(NamedTuple):
    """A page as it is now.

    table    in which it would be in a release: that of what most people play, for a user of whom nothing is known
    entries  best first
    made_in  seconds; 0 for a page that was kept
    """

    table: TableInfo
    entries: list[Entry]
    made_in: float


class FreshPages:
    """The pages of users by a live state; safe to use from any number of threads."""

    def __init__(self, live: LiveState, *, clock: Callable[[], float] = time.time) -> None:
        self._live = live
        self._clock = clock
        self._lock = Lock()
        self._pages: OrderedDict[tuple[str | None, ...], tuple[tuple[int, ...], Fresh]] = OrderedDict()

    def prepare(self, opened: OpenRelease) -> None:
        """Make the page of one user of a release, so that the first request does not wait for what all need.

        Raises the errors of `OpenRelease.pages`.
        """
        opened.once(Tastes, lambda: Tastes(opened)).prepare()

    def page(self, opened: OpenRelease, user: str, kind: str | None = None, model: str | None = None) -> Fresh:
        """Return the page of ``user`` by the open release; see `crossfade.live.taste.Tastes.page`.

        A user of whom too little is known gets what most people play.
        """
        at = int(self._clock() * 1000)
        account, blocks = self._live.account(user), self._live.blocks(user, at=at)
        # A block that ends is no change of the account.
        changed = account.created_at, account.revision, len(blocks)
        key = (opened.version, user, kind, model)
        with self._lock:
            when, kept = self._pages.get(key, ((), None))
        if kept is not None and when == changed:
            return kept._replace(made_in=0.0)
        started = time.perf_counter()
        tastes = opened.once(Tastes, lambda: Tastes(opened))
        table, entries = tastes.page(self._live, user, at=at, kind=kind, model=model)
        if not entries:
            table, entries = tastes.popular(self._live, user, at=at, kind=kind)
        fresh = Fresh(table, entries, time.perf_counter() - started)
        with self._lock:
            self._pages[key] = changed, fresh
            self._pages.move_to_end(key)
            while len(self._pages) > MOST_PAGES:
                self._pages.popitem(last=False)
        return fresh
