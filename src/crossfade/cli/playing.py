"""What ``crossfade playlists`` and ``crossfade stations`` share."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from crossfade.cli.ask import as_plain
from crossfade.cli.options import accounts_of, completing_home, releases_of
from crossfade.cli.output import Column, print_json, print_table
from crossfade.core.errors import CrossfadeError
from crossfade.core.home import Home
from crossfade.core.kinds import FIRST_KIND, KINDS

if TYPE_CHECKING:
    from crossfade.live.playlists import Seeds
    from crossfade.live.stations import Track
    from crossfade.stores.live_contract import LiveState
    from crossfade.surfaces.asking import OpenRelease


def complete_users(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the users who have accounts."""
    return _offered(context, incomplete, lambda live: [(account.user, "") for account in live.accounts()])


def complete_playlists(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the ids of the user's playlists, with their titles."""
    from crossfade.live.playlists import playlists_of

    user = context.params.get("user", "")
    return _offered(context, incomplete, lambda live: [(one.id, one.title) for one in playlists_of(live, user)])


def complete_stations(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the ids of the user's stations, with their names."""
    user = context.params.get("user", "")
    return _offered(context, incomplete, lambda live: [(one.id, one.name) for one in live.stations(user)])


def _offered(
    context: click.Context, incomplete: str, listed: "Callable[[LiveState], list[tuple[str, str]]]"
) -> list[CompletionItem]:
    from crossfade.cli.completion import offered

    try:
        with accounts_of(completing_home(context)) as live:
            found = listed(live)
    except CrossfadeError:
        return []
    return [
        CompletionItem(value, help=what or None)
        for value, what in found
        if value.startswith(incomplete) and offered(value)
    ]


user_argument = click.argument("user", shell_complete=complete_users)
playlist_argument = click.argument("playlist", metavar="ID", shell_complete=complete_playlists)
station_argument = click.argument("station", metavar="ID", shell_complete=complete_stations)
adventure_option = click.option(
    "--adventure", type=click.FloatRange(0, 1), help="From familiar (0) to adventurous (1); a new one has 0.5."
)
draws_option = click.option(
    "--draws", "seed", type=click.IntRange(0, 2**53 - 1), metavar="SEED", help="The same seed draws the same."
)
count_option = click.option(
    "-n", "--count", type=click.IntRange(0, 100), default=10, show_default=True, help="How many tracks."
)


@contextlib.contextmanager
def opened_for(home: Home, user: str) -> "Iterator[tuple[OpenRelease, LiveState]]":
    """Open the active release and the live state; UnknownIdError if ``user`` has no account."""
    from crossfade.surfaces.asking import OpenRelease

    with accounts_of(home) as live:
        live.account(user)
        with releases_of(home).open() as release:
            yield OpenRelease(release), live


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given; what is left out is as the function that takes them has it."""
    return {name: value for name, value in options.items() if value is not None}


def seeds_of(texts: Sequence[str]) -> "Seeds":
    """Return what ``KIND:NAME`` means; a name alone is that of an artist or a show."""
    from crossfade.live.pools import PLAYLIST, TAG, TEXT

    found = []
    for text in texts:
        kind, _, name = text.partition(":")
        known = kind in (*KINDS, TAG, TEXT, PLAYLIST) and bool(name)
        found.append((kind, name) if known else (FIRST_KIND, text))
    return found


def print_tracks(title: str, tracks: "Sequence[Track]", told: dict[str, Any] | None) -> None:
    """Print tracks that were drawn, each with its reason; as JSON with what else is ``told``, unless that is None."""
    if told is not None:
        listed = [
            {**as_plain(one.entry), "text": one.text, "because": [part._asdict() for part in one.parts]}
            for one in tracks
        ]
        print_json(given(**told, title=title, tracks=listed))
        return
    print_table(
        [
            Column("#", "number"),
            Column("name"),
            Column("of", optional=1),
            Column("reason", optional=2),
            Column("id", "id"),
        ],
        [
            [rank, one.entry.name, one.entry.parent.name if one.entry.parent else "", one.text, one.entry.id]
            for rank, one in enumerate(tracks, start=1)
        ],
        title=title,
    )
