"""A user's taste as it is now: the history of a release and what came since, and the page that follows from it.

A page is made by the code that makes the published pages, of a history that is put together here. So a listen, a thumb
or a block counts in the very next request, and nothing is trained for it: models fold the history in.

A listen counts as it does in a release (`crossfade.aggregation.interactions`): for its item and the item's parent, as
much as its source is worth, less with age. What a user likes counts as `LIKED` plays more. A skip is no play. A release
that has learned a listen knows that the item was played then, so nothing is counted twice.

What a user dislikes or blocks is not on the page, nor is it a reason; of an artist or a show nothing is. What is close
to something disliked loses a part of its score, and `SKIPPED` times that if it is close to something skipped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from crossfade.aggregation.interactions import LEAN_BACK, InteractionSettings
from crossfade.core.computed import RowMap, row_map
from crossfade.core.csr import CSR
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import LEAST_WEIGHT, MOST_WEIGHT, Interactions
from crossfade.core.kinds import KINDS
from crossfade.core.tables import EVERYONE
from crossfade.live.matching import matched
from crossfade.stores.contract import Entry, Named, Reason, TableInfo
from crossfade.stores.live import Exclusion, Feedback, ItemRef, Listen, LiveState, Track, Which
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.discover import Pages, Unwanted
from crossfade.surfaces.registry import FALLBACK

LIKED = 5
"""Plays that a thumb up, a like, or a rating of 4 or 5 counts as: what is played as often can be a reason."""

SKIPPED = 0.3
"""How much a skip is of a thumb down."""

OF_ROOT = 0.5
"""How much disliking a track is of disliking its artist."""

MOST_LISTENS = 5_000
"""The latest listens of a user that count until a release has learned them."""

LATE_SECONDS = 14 * 86_400
"""How much older than the latest listen that a release has of a user one may be that arrives later."""

MOST_MATCHED = 100_000
"""Descriptions of tracks whose items are remembered."""

Item = tuple[str, int]
"""A kind, and a row of the catalogue."""


@dataclass
class Count:
    """What came since of one item: how much it weighs in plays, how many plays, and the latest (seconds since 1970)."""

    weight: float = 0.0
    plays: int = 0
    latest: int = 0


@dataclass
class Taste:
    """What a user has done since a release was made, by items of its catalogue.

    counts    plays, and what is liked
    heard     items that were played, whether or not the release has learned it
    liked     items, among them ones that were never played
    disliked  items, and how much, at most 1
    barred    items that are not listed
    """

    counts: dict[Item, Count] = field(default_factory=dict)
    heard: set[Item] = field(default_factory=set)
    liked: set[Item] = field(default_factory=set)
    disliked: dict[Item, float] = field(default_factory=dict)
    barred: set[Item] = field(default_factory=set)

    def dislike(self, items: Sequence[Item], strength: float) -> None:
        """Count an item as disliked, and what it belongs to, the second of ``items``, half as much."""
        for item, share in zip(items, (1.0, OF_ROOT), strict=False):
            self.disliked[item] = max(self.disliked.get(item, 0.0), strength * share)


class Weighing(NamedTuple):
    """What plays weigh: as ``settings`` say, aged towards ``reference``, in seconds since 1970."""

    settings: InteractionSettings
    reference: int

    def share(self, listen: Listen) -> float:
        """Return what one listen counts, in plays."""
        settings = self.settings
        share = settings.lean_back_weight if (listen.source or "").lower() in LEAN_BACK else settings.chosen_weight
        age = max(0, self.reference - listen.listened_at // 1000)
        return share * 0.5 ** (age / (settings.half_life_days * 86_400)) if settings.half_life_days else share

    def plays(self, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return what such ``weights`` (n,) count in plays."""
        wide = weights.astype(np.float64)
        return wide if self.settings.weight == "count" else self.settings.epsilon * np.expm1(wide)

    def weights(self, plays: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return the weights (n,) of so many ``plays``."""
        weighed = plays if self.settings.weight == "count" else np.log1p(plays / self.settings.epsilon)
        return weighed.clip(LEAST_WEIGHT, MOST_WEIGHT).astype(np.float32)


class Known(NamedTuple):
    """What a release knows of one user and kind: plays and the latest one (seconds since 1970), by catalogue row."""

    items: Mapping[int, tuple[int, int]]

    def of(self, row: int) -> tuple[int, int]:
        """Return how often an item was played, and when last; zeros for one that was not."""
        return self.items.get(row, (0, 0))

    @property
    def latest(self) -> int:
        """When anything was played last."""
        return max((latest for _, latest in self.items.values()), default=0)


class Tastes:
    """The tastes of users by one open release; safe to use from any number of threads."""

    def __init__(self, opened: OpenRelease) -> None:
        self.opened = opened
        self._items: dict[Track, Item | None] = {}
        self._weighing: dict[str, Weighing] = {}
        self._to_played: dict[str, RowMap] = {}

    def page(
        self, state: LiveState, user: str, *, at: int, kind: str | None = None, model: str | None = None
    ) -> tuple[TableInfo, list[Entry]]:
        """Return the page of ``user``, as a release of now would have it, and the table in which that would be.

        at     the present, in milliseconds since 1970
        kind   of the items; None for the release's default
        model  the one that leads; None for the release's own

        The page of a user of whom nothing is known is empty. Raises UnknownIdError for a user without an account, and
        the errors of `OpenRelease.pages`.
        """
        table, pages = self.opened.pages(kind, model)
        known = {name: self._known(pages, name, user) for name in pages.played}
        taste = self.taste(state, user, known, at=at)
        histories = {name: self._history(pages, name, user, taste) for name in pages.played}
        entries = self.opened.listed(table, pages.pages(histories, unwanted=self._unwanted(pages, taste)))
        return table, self._as_liked(entries, taste, known)

    def prepare(self) -> None:
        """Make a page as a user with a history gets it, for what it leaves in memory; errors as for `page`."""
        table, pages = self.opened.pages()
        user = next(iter(pages.keys), "")
        histories = {kind: self._history(pages, kind, user, Taste()) for kind in pages.played}
        self.opened.listed(table, pages.pages(histories, unwanted=self._unwanted(pages, Taste())))

    def popular(
        self, state: LiveState, user: str, *, at: int, kind: str | None = None
    ) -> tuple[TableInfo, list[Entry]]:
        """Return what most people play, and ``user`` has neither played nor does not want; arguments as for `page`."""
        table = self.opened.table(FALLBACK, kind)
        taste = self.taste(state, user, {}, at=at)
        hidden, entries = taste.barred | taste.heard, []
        for entry in self.opened.entries(FALLBACK, EVERYONE, kind=table.kind):
            item = self._row(ItemRef(table.kind, entry.id))
            if item is None or not hidden.intersection(self._with_parent(item)):
                entries.append(entry)
        return table, entries

    def taste(self, state: LiveState, user: str, known: Mapping[str, Known], *, at: int) -> Taste:
        """Return what ``user`` has done since the release, which has ``known`` the user by kind, was made."""
        taste, skipped = Taste(), set[Item]()
        learned = max((one.latest for one in known.values()), default=0)
        since = Which(since=max(learned - LATE_SECONDS, 0) * 1000)
        exclusions = state.exclusions(user)
        for listen in state.listens(user, since, limit=MOST_LISTENS):  # the latest first
            item = self.item(listen.track)
            if item is None or any(excludes(exclusion, listen) for exclusion in exclusions):
                continue
            if listen.skipped:
                skipped.add(item)
            elif KINDS[item[0]].repeats or item not in taste.heard:
                taste.heard.add(item)
                self._count(taste, listen, item, known)
        self._judge(taste, state.feedback(user))
        for item in skipped - taste.heard - taste.liked:
            taste.dislike(self._with_parent(item), SKIPPED)
        blocked = (self._row(block.item) for block in state.blocks(user, at=at))
        taste.barred.update(item for item in blocked if item is not None)
        return taste

    def item(self, track: Track) -> Item | None:
        """Return the item that a track is, or if the release has no such track, its artist or show; None for neither.

        Remembers what it found.
        """
        if track not in self._items:
            if len(self._items) >= MOST_MATCHED:
                self._items.clear()
            found = None if track.item is None else self._row(track.item)
            if track.artist:
                named = replace(track, item=None)
                for one in (named, replace(named, title=None, mbid=None)):
                    if found is None and (ref := matched(self.opened.release.tables, one).item) is not None:
                        found = self._row(ref)
            self._items[track] = found
        return self._items[track]

    def _row(self, item: ItemRef) -> Item | None:
        catalogue = self.opened.catalogue
        row = catalogue[item.kind].ids.find(item.id) if item.kind in catalogue else MISSING
        return None if row == MISSING else (item.kind, row)

    def _with_parent(self, item: Item) -> list[Item]:
        """The item, and what it belongs to, if that is known."""
        kind, row = item
        parent, parents = KINDS[kind].parent, self.opened.catalogue[kind].parents
        if parent is None or parents is None or parents[row] == MISSING:
            return [item]
        return [item, (parent, int(parents[row]))]

    def _known(self, pages: Pages, kind: str, user: str) -> Known:
        played = pages.played[kind]
        row = played.user_ids.find(user)
        if row == MISSING:
            return Known({})
        pairs = played.of_user(row)
        rows = pages.rows_of(kind, played.indices[pairs])
        seen = zip(played.plays[pairs].tolist(), played.last_played[pairs].tolist(), strict=True)
        return Known(dict(zip(rows.tolist(), seen, strict=True)))

    def _count(self, taste: Taste, listen: Listen, item: Item, known: Mapping[str, Known]) -> None:
        """Count a play for its item and for what that belongs to, unless the release has learned it."""
        seconds, own = listen.listened_at // 1000, known.get(item[0])
        if own is not None and not KINDS[item[0]].repeats and own.of(item[1])[0]:
            return
        for kind, row in self._with_parent(item):
            if kind not in known or seconds <= known[kind].of(row)[1]:
                continue
            count = taste.counts.setdefault((kind, row), Count())
            count.weight += self.weighing(kind).share(listen)
            count.plays += 1
            count.latest = max(count.latest, seconds)

    def _judge(self, taste: Taste, feedback: Iterable[Feedback]) -> None:
        """Count what the user said of items."""
        said: dict[Item, dict[str, int]] = {}
        for one in feedback:
            if (item := self.item(one.track)) is not None:
                said.setdefault(item, {}).setdefault(one.sort, one.value)
        for item, values in said.items():
            opinion = _opinion(values)
            if opinion < 0:
                taste.dislike(self._with_parent(item), 1.0)
                taste.barred.add(item)
            elif opinion > 0:
                for liked in self._with_parent(item):
                    taste.liked.add(liked)
                    taste.counts.setdefault(liked, Count()).weight += LIKED

    def weighing(self, kind: str) -> Weighing:
        """Return what plays of ``kind`` weigh in the release."""
        if kind not in self._weighing:
            part = f"interactions-{kind}"
            made = self.opened.made_with(part)
            names = [one.name for one in fields(InteractionSettings) if one.name in made]
            played = self.opened.interactions(kind)
            latest = int(played.last_played.max(initial=0))
            self._weighing[kind] = Weighing(InteractionSettings(**{name: made[name] for name in names}), latest)
        return self._weighing[kind]

    def _history(self, pages: Pages, kind: str, user: str, taste: Taste) -> Interactions:
        """What ``user`` has played of ``kind``, by the items that anybody in the release has played."""
        before = pages.played[kind].histories([user])
        weighing = self.weighing(kind)
        counts = [(self._played_row(pages, item), count, item) for item, count in taste.counts.items()]
        new = [(row, count, item) for row, count, item in counts if item[0] == kind and row != MISSING]
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

    def _played_row(self, pages: Pages, item: Item) -> int:
        """The row of an item in the interactions of its kind; MISSING for one that nobody in the release played."""
        kind, row = item
        if kind not in pages.played:
            return MISSING
        if kind not in self._to_played:
            self._to_played[kind] = row_map(self.opened.catalogue[kind].ids, pages.played[kind].item_ids)
        return int(self._to_played[kind](np.array([row], dtype=np.int32))[0])

    def _unwanted(self, pages: Pages, taste: Taste) -> Unwanted:
        # What was played, but by nobody in the release, no history can say.
        unknown = {item for item in taste.counts if self._played_row(pages, item) == MISSING}
        barred = {kind: _row_of_items(taste.barred | unknown, kind) for kind in pages.played}
        disliked = {item: share for item, share in taste.disliked.items() if item[0] == pages.root_kind}
        return Unwanted(barred, _row_of_items(disliked, pages.root_kind, disliked))

    def _as_liked(self, entries: Sequence[Entry], taste: Taste, known: Mapping[str, Known]) -> list[Entry]:
        """The entries; a reason that is liked has the true number of its plays, and says so if there are none."""
        catalogue = self.opened.catalogue
        liked = {(kind, catalogue[kind].ids[row]): (kind, row) for kind, row in taste.liked if kind in known}
        found = []
        for entry in entries:
            reason = entry.reason
            if reason is not None and (item := liked.get((reason.kind, reason.id))) is not None:
                named = Named(kind=reason.kind, id=reason.id, name=reason.name)
                plays = taste.counts[item].plays + known[item[0]].of(item[1])[0]
                text = Reason.of(named, plays).text if plays else f"Because you like {reason.name}"
                entry = replace(entry, reason=replace(reason, plays=plays or None, text=text))
            found.append(entry)
        return found


def _opinion(values: Mapping[str, int]) -> int:
    """1 for an item that the user likes, -1 for one that the user dislikes, else 0; a thumb counts most."""
    if thumb := values.get("thumb", 0):
        return thumb
    rating = values.get("rating", 0)
    return -1 if rating == 1 else 1 if rating >= 4 or values.get("like", 0) else 0


def excludes(exclusion: Exclusion, listen: Listen) -> bool:
    """Whether a listen is left out of taste."""
    if exclusion.hours is None:
        return exclusion.context == listen.context
    first, last = exclusion.hours
    hour = datetime.fromtimestamp(listen.listened_at / 1000, _zone(exclusion.timezone)).hour
    return first <= hour < last if first <= last else hour >= first or hour < last


@cache
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return UTC


def _row_of_items(items: Iterable[Item], kind: str, values: Mapping[Item, float] | None = None) -> CSR:
    """One row: the ``items`` of ``kind``, ascending, and their values."""
    rows = sorted(row for name, row in items if name == kind)
    of_rows = [1.0 if values is None else values[kind, row] for row in rows]
    return CSR(np.array([0, len(rows)]), np.array(rows, dtype=np.int32), np.array(of_rows, dtype=np.float32))
