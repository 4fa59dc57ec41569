"""``crossfade users``: whose listening history is in a home; and who is meant where no user is named."""

import contextlib
import dataclasses
from typing import TYPE_CHECKING

import click

from crossfade.cli.accounts import add_user, remove_user
from crossfade.cli.options import SuggestingGroup, home_option, json_option, live_is_there, live_of
from crossfade.cli.output import Column, print_json, print_table, say
from crossfade.core.errors import UnknownIdError
from crossfade.core.home import Home

if TYPE_CHECKING:
    from crossfade.surfaces.reach import Reach

FEW_LISTENERS = 20
"""With fewer listeners, models have next to nothing to learn from."""

SMALL_SHARE = 0.5
"""Of a listener's plays; if others share less, recommendations follow from a small part of the history."""

DATA_SETS = (
    "Import a public data set beside it, such as HetRec 2011 (https://grouplens.org/datasets/hetrec-2011/) or current "
    "listens of ListenBrainz (https://data.metabrainz.org/pub/musicbrainz/listenbrainz/), and run `crossfade run`. "
    "docs/guides/self-hoster.md shows how."
)


@click.group(cls=SuggestingGroup, invoke_without_command=True)
@click.pass_context
@click.option("--all", "everybody", is_flag=True, help="List the listeners of data sets too.")
@json_option
@home_option
def users(context: click.Context, home: Home, everybody: bool, as_json: bool) -> None:
    """Show whose listening history is in this home, and who has an account. See also the commands below.

    A listener of your own is one whose history was imported by itself. Those of data sets are counted.
    """
    if context.invoked_subcommand is not None:
        return
    from crossfade.importing.library import imports
    from crossfade.importing.people import listeners, own_listeners

    found = listeners(home, None if everybody else own_listeners(home))
    sets = {one.name: one.ledger.listeners for one in imports(home) if one.ledger.listener is None}
    accounts = _accounts(home)
    if as_json:
        listed = [dataclasses.asdict(one) for one in found]
        print_json({"users": listed, "data_sets": sets, "accounts": accounts})
        return
    print_table(
        [Column("user"), Column("listens", "number"), Column("first"), Column("last"), Column("imports")],
        [[one.user, f"{one.listens:,}", one.first, one.last, ", ".join(one.imports)] for one in found],
    )
    if not found:
        say("There is no listener of your own. Import a history: crossfade import PATH --user NAME")
    for name, number in sets.items():
        if number is None:
            say(f"{name} was imported by an earlier version. Import its files again to see whose history it has.")
        elif number and not everybody:
            say(f"{number:,} more listeners in {name}. Show them with --all.")
    if accounts:
        say(f"With an account: {', '.join(accounts)}.")


users.add_command(add_user)
users.add_command(remove_user)


def _accounts(home: Home) -> list[str]:
    """Return who has an account, without making a live state where there is none."""
    if not live_is_there(home):
        return []
    with contextlib.closing(live_of(home)) as live:
        return [account.user for account in live.accounts()]


def only_listener(home: Home) -> str:
    """Return the only listener of one's own; UnknownIdError, which lists them, if there are several or none."""
    from crossfade.importing.people import own_listeners

    own = own_listeners(home)
    if len(own) == 1:
        return own[0]
    if own:
        raise UnknownIdError(f"Which listener? There are: {', '.join(own)}. Try: crossfade discover {own[0]}")
    raise UnknownIdError(
        "Which listener? No history here was imported by itself. Name one of the data sets' listeners, which "
        "`crossfade users --all` lists, or import your own: crossfade import PATH --user NAME"
    )


def what_is_missing(reach: "Reach", user: str) -> str | None:
    """Return what ``user`` lacks for good recommendations, and how to get it; None if nothing, or nothing played."""
    if not reach.plays:
        return None
    if reach.listeners < FEW_LISTENERS:
        listeners = "only one listener" if reach.listeners == 1 else f"only {reach.listeners} listeners"
        return f"This library has {listeners}, and models learn taste from many. {DATA_SETS}"
    if reach.share < SMALL_SHARE:
        return (
            f"Only {reach.share:.0%} of the plays of {user} are of artists or shows that anybody else here plays, and "
            f"recommendations follow from these alone. {DATA_SETS}"
        )
    return None
