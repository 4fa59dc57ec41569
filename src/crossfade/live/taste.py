"""A user's taste as it is now: what a release knows of the user, and what came since.

A listen counts as it does in a release (`crossfade.aggregation.interactions`): for its item and the item's parent, as
much as its source is worth, less with age. What a user likes counts as `LIKED` plays more. A skip is no play. A release
that has learned a listen knows that the item was played then, so nothing is counted twice. So a listen, a thumb or a
block counts in the very next request, and nothing is trained for it.

What a user dislikes or blocks is barred. What is close to something disliked loses a part of its score, and `SKIPPED`
times that if it is close to something skipped.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from crossfade.aggregation.interactions import InteractionSettings
from crossfade.core.computed import RowMap, row_map
from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.ids import MISSING
from crossfade.core.kinds import KINDS
from crossfade.live.cache import Cache
from crossfade.live.counting import Count, Known, Weighing, excludes
from crossfade.live.matching import matched
from crossfade.live.stations import Listener
from crossfade.stores.contract import Entry, TableInfo
from crossfade.stores.live import Exclusion, Feedback, ItemRef, Listen, Track, Which
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.asking import OpenRelease

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

LATEST_SECOND = 2**32 - 1
"""The latest time that interactions have, in the year 2106: a player's clock may be wrong."""

MOST_MATCHED = 100_000
"""Descriptions of tracks whose items are remembered."""

MOST_TASTES = 256
"""Users whose taste is kept in memory."""

MOST_PAGES = 1_000
"""Pages that are kept in memory; one has some 30 KB."""

Item = tuple[str, int]
"""A kind, and a row of the catalogue."""


class Played(NamedTuple):
    """An item in a user's history: how often it was played, and when last (seconds since 1970, 0 if unknown)."""

    id: str
    plays: int
    last: int


History = Mapping[str, Mapping[str, Played]]
"""What a user has played: by kind, then by id."""


@dataclass(frozen=True)
class Listened:
    """What the live listens of a user say, by items of a release's catalogue.

    known    by kind, what the release knows of the user
    since    the time from which on listens count, in milliseconds since 1970
    until    all of them are before it
    number   how many they are
    counts   plays that the release has not learned
    heard    items that were played, whether or not the release has learned it
    skipped  items that were skipped
    """

    known: Mapping[str, Known]
    since: int
    until: int
    number: int = 0
    counts: Mapping[Item, Count] = field(default_factory=dict)
    heard: Set[Item] = frozenset()
    skipped: Set[Item] = frozenset()


@dataclass
class Taste:
    """What a user has done, by items of a release's catalogue.

    stamp     changes with what the user has done
    known     by kind, what the release knows of the user
    counts    plays since, and what is liked
    heard     items that were played, whether or not the release has learned it
    liked     items, among them ones that were never played
    disliked  items, and how much, at most 1
    barred    items that are not listed
    """

    stamp: tuple[int, ...] = ()
    known: Mapping[str, Known] = field(default_factory=dict)
    counts: dict[Item, Count] = field(default_factory=dict)
    heard: Set[Item] = frozenset()
    liked: set[Item] = field(default_factory=set)
    disliked: dict[Item, float] = field(default_factory=dict)
    barred: set[Item] = field(default_factory=set)

    def dislike(self, items: Sequence[Item], strength: float) -> None:
        """Count an item as disliked, and what it belongs to, the second of ``items``, half as much."""
        for item, share in zip(items, (1.0, OF_ROOT), strict=False):
            self.disliked[item] = max(self.disliked.get(item, 0.0), strength * share)


class Page(NamedTuple):
    """A table, and entries that it would have in a release, best first."""

    table: TableInfo
    entries: list[Entry]


class Remembered:
    """What is in memory of a live state, until something is deleted there; ``deletions`` is the number of that."""

    def __init__(self, deletions: int) -> None:
        self.deletions = deletions
        self.items: dict[Track, Item | None] = {}
        self.listened: Cache[Listened] = Cache(MOST_TASTES)
        self.tastes: Cache[Taste] = Cache(MOST_TASTES)
        self.pages: Cache[Page] = Cache(MOST_PAGES)


class Tastes:
    """The tastes of the users of one live state by one open release; safe to use from any number of threads."""

    def __init__(self, opened: OpenRelease, live: LiveState) -> None:
        self.opened, self._live = opened, live
        self._remembered = Remembered(-1)
        self._weighing: dict[str, Weighing] = {}
        self._to_catalogue: dict[str, RowMap] = {}

    def remembered(self) -> Remembered:
        """Return what is in memory, which is nothing after a deletion."""
        deletions, remembered = self._live.deletions(), self._remembered
        if remembered.deletions != deletions:
            remembered = self._remembered = Remembered(deletions)
        return remembered

    def of(self, user: str, *, at: int) -> Taste:
        """Return what ``user`` has done, with the blocks that stand at the time ``at`` (milliseconds since 1970).

        Raises UnknownIdError for a user without an account.
        """
        taste, blocks = self._of(user), self._live.blocks(user, at=at)
        blocked = {item for block in blocks if (item := self.row(block.item)) is not None}
        # A block that ends is no change of the account.
        return replace(taste, stamp=(*taste.stamp, len(blocks)), barred=taste.barred | blocked)

    def history(self, user: str) -> History:
        """Return what ``user`` has played of the catalogue, in the release and since.

        Skips are left out, and listens since that the user has left out of taste. A user without an account has a
        history too.
        """
        try:
            return self._played(self._of(user))
        except UnknownIdError:
            return self._played(Taste(known=self._known(user)))

    def listener(self, user: str, *, at: int) -> Listener:
        """Return what ``user`` knows, and does not want to hear at the time ``at``; nobody needs an account for it."""
        try:
            taste = self.of(user, at=at)
        except UnknownIdError:
            taste = Taste(known=self._known(user))
        known = {item for played in self._played(taste).values() for item in played}
        return Listener(known=known, barred={self.opened.catalogue[kind].ids[row] for kind, row in taste.barred})

    def row(self, item: ItemRef) -> Item | None:
        """Return an item by its row of the catalogue; None if it is not there."""
        catalogue = self.opened.catalogue
        row = catalogue[item.kind].ids.find(item.id) if item.kind in catalogue else MISSING
        return None if row == MISSING else (item.kind, row)

    def with_parent(self, item: Item) -> list[Item]:
        """Return the item, and what it belongs to, if that is known."""
        kind, row = item
        parent, parents = KINDS[kind].parent, self.opened.catalogue[kind].parents
        if parent is None or parents is None or parents[row] == MISSING:
            return [item]
        return [item, (parent, int(parents[row]))]

    def weighing(self, kind: str) -> Weighing:
        """Return what plays of ``kind`` weigh in the release."""
        if kind not in self._weighing:
            made: Mapping[str, Any] = {}
            latest = 0
            with contextlib.suppress(NotReadyError):  # nobody in the release has played any
                made = self.opened.made_with(f"interactions-{kind}")
                latest = int(self.opened.interactions(kind).last_played.max(initial=0))
            names = [one.name for one in fields(InteractionSettings) if one.name in made]
            self._weighing[kind] = Weighing(InteractionSettings(**{name: made[name] for name in names}), latest)
        return self._weighing[kind]

    def _played(self, taste: Taste) -> History:
        """What was played of the catalogue."""
        found: dict[str, dict[str, Played]] = {}
        for kind in KINDS:
            rows = dict(taste.known[kind].items) if kind in taste.known else {}
            for (name, row), count in taste.counts.items():
                if name == kind and count.plays:
                    plays, latest = rows.get(row, (0, 0))
                    rows[row] = plays + count.plays, max(latest, count.latest)
            ids = self.opened.catalogue[kind].ids.select([*rows]) if rows else []
            found[kind] = {one: Played(one, *seen) for one, seen in zip(ids, rows.values(), strict=True)}
        return found

    def _of(self, user: str) -> Taste:
        """What a user has done, without blocks; from memory as long as the account is the same."""
        remembered, account = self.remembered(), self._live.account(user)
        stamp = account.created_at, account.revision
        taste = remembered.tastes.find(user, stamp)
        if taste is None:
            listened = self._listened(user, account.created_at, remembered)
            taste = self._made(user, stamp, listened, remembered.items)
            remembered.tastes.keep(user, taste, stamp)
        return taste

    def _made(self, user: str, stamp: tuple[int, ...], listened: Listened, items: dict[Track, Item | None]) -> Taste:
        """What a user has done, without blocks: what they listened to, and said."""
        taste = Taste(stamp, listened.known, dict(listened.counts), listened.heard)
        self._judge(taste, self._live.feedback(user), items)
        for item in listened.skipped - listened.heard - taste.liked:
            taste.dislike(self.with_parent(item), SKIPPED)
        return taste

    def _listened(self, user: str, created_at: int, remembered: Remembered) -> Listened:
        """What the live listens of a user say; only those are read that came since it was asked for last."""
        exclusions = self._live.exclusions(user)
        stamp = created_at, *exclusions
        before = remembered.listened.find(user, stamp)
        if before is None:
            known = self._known(user)
            learned = max((one.latest for one in known.values()), default=0)
            since = max(learned - LATE_SECONDS, 0) * 1000
            before = Listened(known, since, since)
        listened = self._with_later(user, before, exclusions, remembered.items)
        remembered.listened.keep(user, listened, stamp)
        return listened

    def _with_later(
        self, user: str, before: Listened, exclusions: Sequence[Exclusion], items: dict[Track, Item | None]
    ) -> Listened:
        """``before`` with the listens that are later; made anew where that is not all that has come."""
        later = self._live.listens(user, Which(since=before.until), limit=MOST_LISTENS)  # the latest first
        number = before.number + len(later)
        played = [
            (item, listen)
            for listen in later
            if (item := self._item(listen.track, items)) is not None
            and not any(excludes(exclusion, listen) for exclusion in exclusions)
        ]
        if before.number and (
            number > MOST_LISTENS
            or number != self._live.count_listens(user, Which(since=before.since))
            or any(item in before.heard and not KINDS[item[0]].repeats for item, _ in played)
        ):
            return self._with_later(user, Listened(before.known, before.since, before.since), exclusions, items)
        counts, heard, skipped = dict(before.counts), set(before.heard), set(before.skipped)
        for item, listen in played:
            if listen.skipped:
                skipped.add(item)
            elif KINDS[item[0]].repeats or item not in heard:
                heard.add(item)
                self._count(counts, before.known, listen, item)
        until = later[0].listened_at + 1 if later else before.until
        return Listened(before.known, before.since, until, number, counts, heard, skipped)

    def _item(self, track: Track, items: dict[Track, Item | None]) -> Item | None:
        """The item that a track is, or if the release has no such track, its artist or show; None for neither."""
        if track not in items:
            if len(items) >= MOST_MATCHED:
                items.clear()
            found = None if track.item is None else self.row(track.item)
            if track.artist:
                named = replace(track, item=None)
                for one in (named, replace(named, title=None, mbid=None)):
                    if found is None and (ref := matched(self.opened.release.tables, one).item) is not None:
                        found = self.row(ref)
            items[track] = found
            return found
        return items[track]

    def _known(self, user: str) -> dict[str, Known]:
        """What the release knows of a user, by kind."""
        known = {}
        for kind, items in self.opened.catalogue.items():
            known[kind] = Known({})
            with contextlib.suppress(NotReadyError):  # nobody in the release has played any
                played = self.opened.interactions(kind)
                if (row := played.user_ids.find(user)) != MISSING:
                    if kind not in self._to_catalogue:
                        self._to_catalogue[kind] = row_map(played.item_ids, items.ids)
                    pairs = played.of_user(row)
                    rows = self._to_catalogue[kind](played.indices[pairs])
                    seen = zip(played.plays[pairs].tolist(), played.last_played[pairs].tolist(), strict=True)
                    known[kind] = Known(
                        {row: one for row, one in zip(rows.tolist(), seen, strict=True) if row != MISSING}
                    )
        return known

    def _count(self, counts: dict[Item, Count], known: Mapping[str, Known], listen: Listen, item: Item) -> None:
        """Count a play for its item and for what that belongs to, unless the release has learned it."""
        seconds = min(listen.listened_at // 1000, LATEST_SECOND)
        if not KINDS[item[0]].repeats and known[item[0]].of(item[1])[0]:
            return
        for kind, row in self.with_parent(item):
            if seconds > known[kind].of(row)[1]:
                count = counts.get((kind, row), Count())
                weight = count.weight + self.weighing(kind).share(listen)
                counts[kind, row] = Count(weight, count.plays + 1, max(count.latest, seconds))

    def _judge(self, taste: Taste, feedback: Iterable[Feedback], items: dict[Track, Item | None]) -> None:
        """Count what the user said of items."""
        said: dict[Item, dict[str, int]] = {}
        for one in feedback:
            if (item := self._item(one.track, items)) is not None:
                said.setdefault(item, {}).setdefault(one.sort, one.value)
        for item, values in said.items():
            opinion = _opinion(values)
            if opinion < 0:
                taste.dislike(self.with_parent(item), 1.0)
                taste.barred.add(item)
            elif opinion > 0:
                for liked in self.with_parent(item):
                    taste.liked.add(liked)
                    count = taste.counts.get(liked, Count())
                    taste.counts[liked] = count._replace(weight=count.weight + LIKED)


def tastes_of(opened: OpenRelease, live: LiveState) -> Tastes:
    """Return the tastes of the users of ``live`` by a release, the same ones as long as that is open."""
    return opened.once((Tastes, live), lambda: Tastes(opened, live))


def _opinion(values: Mapping[str, int]) -> int:
    """1 for an item that the user likes, -1 for one that the user dislikes, else 0; a thumb counts most."""
    if thumb := values.get("thumb", 0):
        return thumb
    rating = values.get("rating", 0)
    return -1 if rating == 1 else 1 if rating >= 4 or values.get("like", 0) else 0
