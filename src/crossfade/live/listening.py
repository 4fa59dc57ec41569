"""What a user has heard and does not want, of a release and since."""

import threading
from collections import OrderedDict
from collections.abc import Mapping

from crossfade.core.errors import UnknownIdError
from crossfade.core.kinds import KINDS
from crossfade.live.matching import matched
from crossfade.live.stations import Listener
from crossfade.live.taste import excludes
from crossfade.stores.live import LiveState, Which
from crossfade.surfaces.asking import OpenRelease, Played

MOST_LISTENS = 5_000
"""The latest listens that are looked at, of those that the release has not learned."""

MOST_KEPT = 256
"""Users whose history is kept in memory."""

History = Mapping[str, Mapping[str, Played]]
"""What a user has played: by kind, then by id."""

_kept: OrderedDict[tuple[str, str, int, int], History] = OrderedDict()
_lock = threading.Lock()


def history_of(opened: OpenRelease, state: LiveState, user: str) -> History:
    """Return what ``user`` has played of the catalogue, in the release and since.

    Skips are left out, and listens since that the user has left out of taste.
    """
    try:
        account = state.account(user)
    except UnknownIdError:
        return _of_release(opened, user)
    key = (opened.version, user, account.created_at, account.revision)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    history = _with_listens(opened, state, user, _of_release(opened, user))
    with _lock:
        _kept[key] = history
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return history


def listener_of(opened: OpenRelease, state: LiveState, user: str, *, at: int) -> Listener:
    """Return what ``user`` knows and does not want to hear at the time ``at``, in milliseconds since 1970."""
    known = {item for played in history_of(opened, state, user).values() for item in played}
    try:
        barred = {block.item.id for block in state.blocks(user, at=at)}
        for one in state.feedback(user):
            if one.track.item and (one.sort, one.value) in {("thumb", -1), ("rating", 1)}:
                barred.add(one.track.item.id)
    except UnknownIdError:
        barred = set()
    return Listener(known=known, barred=barred)


def _of_release(opened: OpenRelease, user: str) -> dict[str, dict[str, Played]]:
    return {kind: {one.id: one for one in opened.played(user, kind)} for kind in KINDS}


def _with_listens(
    opened: OpenRelease, state: LiveState, user: str, history: dict[str, dict[str, Played]]
) -> dict[str, dict[str, Played]]:
    """``history`` with the listens that the release has not learned: later than what it knows of the item."""
    learned = {kind: {one.id: one.last for one in played.values()} for kind, played in history.items()}
    tables = opened.release.tables
    parents: dict[tuple[str, str], tuple[str, str] | None] = {}
    exclusions = state.exclusions(user)
    for listen in state.listens(user, Which(), limit=MOST_LISTENS):
        if any(excludes(exclusion, listen) for exclusion in exclusions):
            continue
        item = matched(tables, listen.track).item
        if listen.skipped or item is None or item.kind not in history:
            continue
        if item not in parents:
            try:
                parent = tables.item(*item).parent
            except UnknownIdError:
                parent = None
            parents[item] = (parent.kind, parent.id) if parent else None
        seconds = listen.listened_at // 1000
        for kind, id_ in filter(None, (item, parents[item])):
            if seconds > learned[kind].get(id_, 0):
                before = history[kind].get(id_, Played(id_, 0, 0))
                history[kind][id_] = Played(id_, before.plays + 1, max(before.last, seconds))
    return history
