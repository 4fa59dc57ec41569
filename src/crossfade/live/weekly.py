"""The lists of the week and the day that people know from elsewhere, by their names there.

    daily-jams          mostly what the user plays these days, with some of what is close to it
    weekly-jams         the user's favourites of the last half year
    weekly-exploration  tracks that the user has never played: the Discover page, and what is close to favourites

A favourite i is drawn with odds plays_i · ½^(age_i / half-life), without repeats. A list is made when it is first asked
for in its week (from Monday) or day, both UTC, and stays the same until the next, or until the user deletes listens.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.live import stations
from crossfade.live.fresh import fresh_page
from crossfade.live.playlists import apart, as_track, entry_of, generated
from crossfade.live.pools import ReleasePools
from crossfade.live.stations import MOST_SEEDS, Listener, Source
from crossfade.live.taste import Played, tastes_of
from crossfade.stores.contract import Entry, Named
from crossfade.stores.live import ChangedError, ItemRef, Playlist
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.registry import PAGES

LENGTH = 50
"""Tracks of a list."""

SEEDS = 10
"""Favourites whose pools are drawn from."""

KEPT = 2
"""Lists of a sort that are kept, the latest."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a list is made.

    title      as people read it
    days       how long it stays
    half_life  days after which a play counts half
    familiar   share of it that is drawn from favourites; of 0, everything is new to the user
    adventure  of the rest, as in a station
    """

    title: str
    days: int
    half_life: float
    familiar: float
    adventure: float


RECIPES: Mapping[str, Recipe] = {
    "daily-jams": Recipe(title="Daily Jams", days=1, half_life=14, familiar=0.7, adventure=0.2),
    "weekly-jams": Recipe(title="Weekly Jams", days=7, half_life=180, familiar=1.0, adventure=0.2),
    "weekly-exploration": Recipe(title="Weekly Exploration", days=7, half_life=60, familiar=0.0, adventure=0.6),
}
"""The lists by name."""


def current(
    opened: OpenRelease, state: LiveState, user: str, *, at: int, sorts: Iterable[str] = RECIPES
) -> list[Playlist]:
    """Return the lists of ``user`` at the time ``at`` (milliseconds since 1970), made where they are not there yet.

    Empty for a user who has played nothing that the release knows, and without Radio. Raises UnknownIdError
    for a user without an account, and for a sort that is none of `RECIPES`.
    """
    try:
        pools = ReleasePools(opened)
    except NotReadyError:
        return []
    listener = tastes_of(opened, state).listener(user, at=at)
    found = []
    for sort in sorts:
        if sort not in RECIPES:
            raise UnknownIdError(f"There is no list {sort!r}. There are: {', '.join(RECIPES)}.")
        period = period_of(sort, at).isoformat()
        kept = next((one for one in state.playlists(user, sort) if one.info.get("period") == period), None)
        playlist = kept or _made(pools, state, user, sort, at, listener)
        if playlist is not None:
            # What was blocked since it was made is not in it any more.
            listed = tuple(one for one in playlist.tracks if not _barred(pools, one.item, listener))
            found.append(replace(playlist, tracks=listed))
    return found


def period_of(sort: str, at: int) -> date:
    """Return the first day of the week or the day that a list of the time ``at`` is for."""
    today = datetime.fromtimestamp(at / 1000, UTC).date()
    return today - timedelta(days=today.weekday()) if RECIPES[sort].days == 7 else today


def _made(pools: ReleasePools, state: LiveState, user: str, sort: str, at: int, listener: Listener) -> Playlist | None:
    """A new list, kept in place of the one before and of those that are too old."""
    recipe, period, deletions = RECIPES[sort], period_of(sort, at), state.deletions()
    made = _entries(pools, state, user, sort, at, listener)
    if not made:
        return None
    day = f"{period:%Y-%m-%d %a}"
    list_id = str(uuid5(NAMESPACE_URL, f"crossfade:{user}:{sort}:{period}"))
    before = {one.id: one for one in state.playlists(user, sort)}
    playlist = Playlist(
        id=list_id,
        user=user,
        title=f"{recipe.title} for {user}, {f'week of {day}' if recipe.days == 7 else day}",
        tracks=tuple(as_track(pools, entry) for entry, _ in made),
        sort=sort,
        info={
            "period": period.isoformat(),
            "reasons": {entry.id: reason for entry, reason in made},
        },
        of_listens=deletions,
        created_at=at,
        changed_at=at,
        revision=before[list_id].revision if list_id in before else 0,
    )
    with contextlib.suppress(ChangedError):  # another process was faster with the same, or listens were deleted
        playlist = state.put_playlist(playlist)
    older = sorted((one for one in before.values() if one.id != list_id), key=lambda one: -one.created_at)
    for one in older[KEPT - 1 :]:
        with contextlib.suppress(UnknownIdError):
            state.delete_playlist(user, one.id)
    return playlist


def _entries(
    pools: ReleasePools, state: LiveState, user: str, sort: str, at: int, listener: Listener
) -> list[tuple[Entry, str]]:
    """The tracks of a list, each with its reason; none where nothing is known of the user."""
    recipe = RECIPES[sort]
    rng = np.random.default_rng(list(f"{user} {sort} {period_of(sort, at)}".encode()))
    history = tastes_of(pools.opened, state).history(user)
    favourites = _favourites(pools, history[pools.kind].values(), at / 1000, recipe.half_life, listener, rng)
    if not favourites:
        return []
    familiar = favourites[: round(recipe.familiar * LENGTH)]
    made = [(entry, _played(plays)) for entry, plays in familiar]
    if len(made) < LENGTH:
        seeds = [Source(id=one.id, because=_as_named(pools, one), share=1 / SEEDS) for one, _ in favourites[:SEEDS]]
        if not recipe.familiar:
            seeds += _of_page(pools, state, user, at)
            listener = Listener(barred={*listener.barred, *history[pools.kind]})
        tracks = generated(
            pools,
            seeds[:MOST_SEEDS],
            LENGTH - len(made),
            listener=listener,
            heard=[entry for entry, _ in made],
            adventure=recipe.adventure,
            seed=int(rng.integers(2**31)),
        )
        made += [(one.entry, _in_words(one)) for one in tracks]
        if familiar:
            made = [made[place] for place in rng.permutation(len(made))]
    return [made[place] for place in apart([entry for entry, _ in made])]


def _favourites(
    pools: ReleasePools,
    played: Iterable[Played],
    now: float,
    half_life: float,
    listener: Listener,
    rng: np.random.Generator,
) -> list[tuple[Entry, int]]:
    """Up to `LENGTH` items and their plays, drawn by how often and how lately they were played."""
    items = list(played)
    ages = np.array([max(now - one.last, 0.0) / 86_400 for one in items])
    # Of an item without a time it is not known how old its plays are: all of them count alike.
    odds = np.log([max(one.plays, 1) for one in items]) - np.log(2) * np.minimum(ages / half_life, 60)
    order = np.argsort(-(odds + rng.gumbel(size=len(items))), kind="stable")
    found: list[tuple[Entry, int]] = []
    for place in order.tolist():
        entry = entry_of(pools, items[place].id)
        if entry is not None and not listener.bars(entry):
            found.append((entry, items[place].plays))
        if len(found) == 2 * LENGTH:
            break
    return [found[place] for place in apart([entry for entry, _ in found])][:LENGTH]


def _of_page(pools: ReleasePools, state: LiveState, user: str, at: int) -> Sequence[Source]:
    """The items of the user's Discover page as it is now, which count as much as the favourites."""
    try:
        page = fresh_page(pools.opened, state, user, at=at, kind=pools.kind)
    except (UnknownIdError, NotReadyError):
        return []
    entries = page.entries if page.table.surface == PAGES else []
    return [
        Source(id=one.id, because=one.reason or _as_named(pools, one), itself=one, share=1 / len(entries))
        for one in entries
    ]


def _as_named(pools: ReleasePools, entry: Entry) -> Named:
    return Named(kind=pools.kind, id=entry.id, name=entry.name)


def _played(plays: int) -> str:
    return f"You played it {plays:,} time{'' if plays == 1 else 's'}"


def _in_words(track: stations.Track) -> str:
    return f"Because you play {track.parts[0].source.name}"


def _barred(pools: ReleasePools, item: ItemRef | None, listener: Listener) -> bool:
    entry = entry_of(pools, item.id) if item else None
    return entry is not None and listener.bars(entry)
