"""What ``crossfade playlists`` and ``crossfade stations`` share: what they ask is what routes of HTTP answer."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from crossfade.cli.options import accounts_of, completing_home, releases_of
from crossfade.cli.output import Column, print_json, print_table
from crossfade.core.errors import CrossfadeError, MissingExtraError
from crossfade.core.home import Home
from crossfade.core.kinds import FIRST_KIND, KINDS

if TYPE_CHECKING:
    from pydantic import BaseModel

    from crossfade.serve.active import ActiveRelease
    from crossfade.serve.station_bodies import MadeAnswer, Seed, StationAnswer
    from crossfade.stores.live_contract import LiveState

Asked = TypeVar("Asked", bound="BaseModel")


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
    "--draws", "seed", type=click.IntRange(0), metavar="SEED", help="The same seed draws the same."
)
count_option = click.option("-n", "--count", type=click.IntRange(0, 100), help="How many tracks, by default 10.")


@contextlib.contextmanager
def served(home: Home, user: str) -> "Iterator[tuple[ActiveRelease, LiveState]]":
    """Open the releases and the live state as the server does.

    Raises MissingExtraError without the extra ``serve``, UnknownIdError if ``user`` has no account.
    """
    try:
        import fastapi  # noqa: F401 (what answers imports it)

        from crossfade.serve.active import ActiveRelease
    except ModuleNotFoundError as error:
        raise MissingExtraError("Playlists and stations", extra="serve") from error
    with accounts_of(home) as live, contextlib.closing(ActiveRelease(releases_of(home))) as active:
        live.account(user)
        yield active, live


def asked_for(model: "type[Asked]", **fields: Any) -> "Asked":
    """Return the body of a request with those ``fields`` that are given; a usage error for what it refuses."""
    from pydantic import ValidationError

    try:
        return model(**{name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise click.UsageError(f"{' '.join(map(str, wrong['loc']))}: {wrong['msg']}") from error


def seeds_of(texts: Sequence[str]) -> "list[Seed]":
    """Return what ``KIND:NAME`` means; a name alone is that of an artist or a show."""
    from crossfade.live.pools import PLAYLIST, TAG, TEXT
    from crossfade.serve.station_bodies import Seed

    found = []
    for text in texts:
        kind, _, name = text.partition(":")
        known = kind in (*KINDS, TAG, TEXT, PLAYLIST) and bool(name)
        found.append(asked_for(Seed, kind=kind if known else FIRST_KIND, id=name if known else text))
    return found


def print_tracks(answer: "StationAnswer | MadeAnswer", as_json: bool) -> None:
    """Print tracks that were drawn, each with its reason."""
    if as_json:
        print_json(answer.model_dump(mode="json", exclude_none=True))
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
            [rank, one.name, one.parent.name if one.parent else "", one.text, one.id]
            for rank, one in enumerate(answer.tracks, start=1)
        ],
        title=answer.title,
    )
