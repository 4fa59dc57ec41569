"""A user's page as it is now: made when it is asked for, by the code that makes the published pages.

It is a page of another history: what the release knows of the user, with what came since (`crossfade.live.taste`);
models fold that in. What is disliked or blocked is not on it, nor is it a reason; of an artist or a show nothing is.
A page is kept in memory until something changes.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from crossfade.core.computed import row_map
from crossfade.core.csr import CSR
from crossfade.core.errors import NotReadyError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.tables import EVERYONE
from crossfade.live.taste import LIKED, Item, Page, Taste, Tastes, tastes_of
from crossfade.stores.contract import Entry, Named, Reason, TableInfo
from crossfade.stores.live import ItemRef
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.discover import Pages, Unwanted
from crossfade.surfaces.registry import FALLBACK, PAGES
from crossfade.surfaces.why import Why


class Fresh(NamedTuple):
    """A page as it is now.

    table    in which it would be in a release: that of what most people play, for a user of whom nothing is known
    entries  best first
    made_in  seconds; 0 for a page that was kept
    """

    table: TableInfo
    entries: list[Entry]
    made_in: float = 0.0


def fresh_page(
    opened: OpenRelease, live: LiveState, user: str, *, at: int, kind: str | None = None, model: str | None = None
) -> Fresh:
    """Return the page of ``user`` as a release of now would have it.

    at     the present, in milliseconds since 1970
    kind   of the items; None for the release's default, or if there is nothing of that for the user, another
    model  the one that leads; None for the release's own

    A user of whom too little is known gets what most people play, as does everyone where the release has no pages of
    ``kind``: nobody had played anything. Raises UnknownIdError for a user without an account,
    and the errors of `OpenRelease.pages`.
    """
    tastes = tastes_of(opened, live)
    pages, taste, key = tastes.remembered().pages, tastes.of(user, at=at), (user, kind, model)
    if (kept := pages.find(key, taste.stamp)) is not None:
        return Fresh(*kept)
    started = time.perf_counter()
    tables: list[TableInfo] = []
    with suppress(NotReadyError):
        tables = opened.tables(PAGES, kind)
    for table in tables:
        page = own_page(tastes, user, taste, table.kind, model)
        if page.entries:
            break
    else:
        page = _popular(tastes, taste, kind)
    pages.keep(key, page, taste.stamp)
    return Fresh(*page, made_in=time.perf_counter() - started)


def own_page(tastes: Tastes, user: str, taste: Taste, kind: str | None = None, model: str | None = None) -> Page:
    """Return the page of ``user``, whose ``taste`` this is; empty if nothing is known. See `fresh_page`."""
    table, pages = tastes.opened.pages(kind, model)
    histories, unwanted = _made_of(tastes, user, taste, pages)
    entries = tastes.opened.listed(table, pages.pages(histories, unwanted=unwanted))
    return Page(table, [replace(entry, reason=_true_reason(tastes, taste, entry.reason)) for entry in entries])


def why_fresh(
    opened: OpenRelease,
    live: LiveState,
    user: str,
    item: str,
    *,
    at: int,
    kind: str | None = None,
    model: str | None = None,
) -> Why:
    """Return why ``item`` is on the page of ``user`` as it is now, or why it isn't.

    Parameters and errors are those of `fresh_page` and of `OpenRelease.why`.
    """
    tastes = tastes_of(opened, live)
    taste = tastes.of(user, at=at)
    answer = opened.why(user, item, kind=kind, model=model, made_of=partial(_made_of, tastes, user, taste))
    if answer.reason is None or (reason := _true_reason(tastes, taste, answer.reason)) is None:
        return answer
    return replace(answer, reason=reason, text=answer.text.replace(answer.reason.text, reason.text))


def _made_of(tastes: Tastes, user: str, taste: Taste, pages: Pages) -> tuple[dict[str, Interactions], Unwanted]:
    """What a page of ``user`` is made of: histories by kind, and what is unwanted."""
    rows = {name: _played_rows(tastes, pages, name, taste) for name in pages.played}
    histories = {name: _history(tastes, pages, name, user, taste, of_items) for name, of_items in rows.items()}
    return histories, _unwanted(pages, taste, rows)


def prepare(opened: OpenRelease, live: LiveState) -> None:
    """Make a page of one user of a release, so that the first request does not wait for what all pages need.

    Raises the errors of `OpenRelease.pages`.
    """
    _, pages = opened.pages()
    own_page(tastes_of(opened, live), next(iter(pages.keys), ""), Taste())


def _popular(tastes: Tastes, taste: Taste, kind: str | None) -> Page:
    """What most people play, without what the user has played or does not want."""
    table = tastes.opened.table(FALLBACK, kind)
    hidden, entries = taste.barred | taste.heard, []
    for entry in tastes.opened.entries(FALLBACK, EVERYONE, kind=table.kind):
        item = tastes.row(ItemRef(table.kind, entry.id))
        if item is None or not hidden.intersection(tastes.with_parent(item)):
            entries.append(entry)
    return Page(table, entries)


def _history(
    tastes: Tastes, pages: Pages, kind: str, user: str, taste: Taste, of_items: Mapping[Item, int]
) -> Interactions:
    """What ``user`` has played of ``kind``, by the items that anybody in the release has played (``of_items``)."""
    before = pages.played[kind].histories([user])
    weighing = tastes.weighing(kind)
    new = [(row, taste.counts[item], item) for item, row in of_items.items() if row != MISSING]
    rows = np.array([row for row, *_ in new], dtype=np.int32)
    # What is liked can be a reason, as if it was played so often.
    plays = [max(count.plays, LIKED) if item in taste.liked else count.plays for _, count, item in new]
    indices, places = np.unique(np.concatenate([before.indices, rows]), return_inverse=True)
    weights, summed = (
        np.bincount(places, np.concatenate(pair), minlength=len(indices)).astype(np.float64)
        for pair in (
            (weighing.plays(before.weights), [count.weight for _, count, _ in new]),
            (before.plays, plays),
        )
    )
    latest = np.zeros(len(indices), dtype=np.uint32)
    seen = np.concatenate([before.last_played, np.array([count.latest for _, count, _ in new], dtype=np.uint32)])
    np.maximum.at(latest, places, seen)
    return replace(
        before,
        user_ids=Ids.of([user]),
        indptr=np.array([0, len(indices)], dtype=np.int64),
        indices=indices,
        weights=weighing.weights(weights),
        plays=summed.clip(1, np.iinfo(np.int32).max).astype(np.int32),
        last_played=latest,
        trusted=True,
    )


def _played_rows(tastes: Tastes, pages: Pages, kind: str, taste: Taste) -> dict[Item, int]:
    """The rows of the items of ``kind`` that were played since in the interactions; MISSING where nobody else did."""
    items, opened = [item for item in taste.counts if item[0] == kind], tastes.opened
    to_played = opened.once(("played", kind), lambda: row_map(opened.catalogue[kind].ids, pages.played[kind].item_ids))
    rows = to_played(np.array([row for _, row in items], dtype=np.int32))
    return dict(zip(items, rows.tolist(), strict=True))


def _unwanted(pages: Pages, taste: Taste, rows: Mapping[str, Mapping[Item, int]]) -> Unwanted:
    # What was played, but by nobody in the release, no history can say.
    barred = {
        kind: _row_of_items(taste.barred | {item for item, row in of_items.items() if row == MISSING}, kind)
        for kind, of_items in rows.items()
    }
    disliked = {item: share for item, share in taste.disliked.items() if item[0] == pages.root_kind}
    return Unwanted(barred, _row_of_items(disliked, pages.root_kind, disliked))


def _true_reason(tastes: Tastes, taste: Taste, reason: Reason | None) -> Reason | None:
    """The reason; one that is liked has the true number of its plays, and says so if there are none."""
    if reason is None:
        return None
    item = reason.kind, int(tastes.opened.catalogue[reason.kind].ids.find(reason.id))
    if item not in taste.liked:
        return reason
    named = Named(kind=reason.kind, id=reason.id, name=reason.name)
    plays = taste.counts[item].plays + taste.known[item[0]].of(item[1])[0]
    text = Reason.of(named, plays).text if plays else f"Because you like {reason.name}"
    return replace(reason, plays=plays or None, text=text)


def _row_of_items(items: Iterable[Item], kind: str, values: Mapping[Item, float] | None = None) -> CSR:
    """One row: the ``items`` of ``kind``, ascending, and their values."""
    rows = sorted(row for name, row in items if name == kind)
    of_rows = [1.0 if values is None else values[kind, row] for row in rows]
    return CSR(np.array([0, len(rows)]), np.array(rows, dtype=np.int32), np.array(of_rows, dtype=np.float32))
