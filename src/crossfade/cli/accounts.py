"""``crossfade users add``, ``tokens``, ``listens``, ``backup``, ``restore``: the live state of a home."""

import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from crossfade.cli.options import SuggestingGroup, accounts_of, home_option, json_option, limit_option
from crossfade.cli.output import Column, print_json, print_line, print_table, say
from crossfade.core.home import Home
from crossfade.stores.live import SCOPES, USUAL_SCOPES, Listen, Scope, Which
from crossfade.stores.live_contract import LiveState

Command = TypeVar("Command", bound=Callable[..., Any])


@click.command("add")
@click.argument("user")
@home_option
def add_user(home: Home, user: str) -> None:
    """Make an account for USER, a listener of the library or a new one, and a token for their player."""
    with accounts_of(home, new=True) as live:
        live.add_user(user)
        _, secret = live.add_token(user, label="first")
    say(f"{user} has an account. This token is shown once; give it to the player (docs/http.md):")
    print_line(secret)


@click.command("remove")
@click.argument("user")
@home_option
def remove_user(home: Home, user: str) -> None:
    """Delete the account of USER with its listens, feedback, stations and playlists."""
    with accounts_of(home) as live:
        live.remove_user(user)
    say(f"Removed the account of {user}. Imports that name {user} are left: crossfade forget --user {user}")


@click.group(cls=SuggestingGroup, invoke_without_command=True)
@click.pass_context
@json_option
@home_option
def tokens(context: click.Context, home: Home, as_json: bool) -> None:
    """List the tokens and app passwords. See also the commands below."""
    if context.invoked_subcommand is not None:
        return
    with accounts_of(home) as live:
        listed = live.tokens()
    if as_json:
        print_json({"tokens": [{**dataclasses.asdict(one), "scopes": sorted(one.scopes)} for one in listed]})
        return
    print_table(
        [Column("id", "name"), Column("user"), Column("sort"), Column("scopes"), Column("used"), Column("label")],
        [
            [
                one.id,
                one.user,
                "password" if one.password else "token",
                " ".join(sorted(one.scopes)),
                "" if one.used_at is None else _date(one.used_at)[:10],
                one.label,
            ]
            for one in listed
        ],
    )


@tokens.command("add")
@click.argument("user")
@click.option("--label", default="", help="What it is for.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(list(SCOPES)), help="By default all but admin.")
@click.option("--password", is_flag=True, help="An app password, for players that speak Subsonic or Audioscrobbler.")
@home_option
def add_token(home: Home, user: str, label: str, scopes: tuple[Scope, ...], password: bool) -> None:
    """Make a token for USER, who has an account, and print it. It cannot be shown again."""
    with accounts_of(home) as live:
        _, secret = live.add_token(user, label=label, scopes=frozenset(scopes) or USUAL_SCOPES, password=password)
    print_line(secret)


@tokens.command("revoke")
@click.argument("token_id", metavar="ID")
@home_option
def revoke_token(home: Home, token_id: str) -> None:
    """End the token or app password ID at once, also for running servers."""
    with accounts_of(home) as live:
        live.revoke(token_id)
    say(f"Revoked {token_id}.")


def _which_options(command: Command) -> Command:
    for option in reversed(
        [
            click.option("--since", help="From this date or time on, such as 2026-11-20 or 2026-11-20T22:00, UTC."),
            click.option("--until", help="Before this date or time."),
            click.option("--artist", help="Of this artist."),
            click.option("--text", help="With this in the title, the artist or the album."),
            click.option("--session", help="Of the session that this listen (an id) is in."),
            click.option("--id", "ids", multiple=True, help="This listen; may be given several times."),
        ]
    ):
        command = option(command)
    return command


@click.group(cls=SuggestingGroup)
@home_option
def listens(home: Home) -> None:
    """List and delete what arrived by HTTP. What was imported is removed by `crossfade forget`."""


@listens.command("list")
@click.argument("user")
@_which_options
@limit_option
@json_option
@home_option
def list_listens(home: Home, user: str, limit: int, as_json: bool, **meant: Any) -> None:
    """List the listens of USER, newest first."""
    with accounts_of(home) as live:
        which = _which(live, user, **meant)
        count, found = live.count_listens(user, which), live.listens(user, which, limit=limit)
    if as_json:
        print_json({"count": count, "listens": [{"id": one.id, **dataclasses.asdict(one)} for one in found]})
        return
    print_table(
        [Column("listened"), Column("title", "text"), Column("by", "text"), Column("player"), Column("id", "name")],
        [_shown(one) for one in found],
    )
    if count > len(found):
        say(f"{count:,} in all; show more with --limit.")


@listens.command("delete")
@click.argument("user")
@_which_options
@click.option("--all", "everything", is_flag=True, help="All of them.")
@home_option
def delete_listens(home: Home, user: str, everything: bool, **meant: Any) -> None:
    """Delete listens of USER: one, a session, a span, an artist, or all. The next run forgets them."""
    if everything == any(meant.values()):
        raise click.UsageError("Say which listens are meant, or --all.")
    with accounts_of(home) as live:
        deleted = live.delete_listens(user, _which(live, user, **meant))
    say(f"Deleted {deleted:,} listens of {user}.")


@click.command()
@click.argument("place", type=click.Path(path_type=Path))
@home_option
def backup(home: Home, place: Path) -> None:
    """Write the live state (accounts, listens, feedback, stations, playlists) into a new file PLACE, also while served.

    The file holds personal data and app passwords.
    """
    with accounts_of(home) as live:
        live.backup(place)
    say(f"Wrote {place}.")


@click.command()
@click.argument("place", type=click.Path(path_type=Path))
@home_option
def restore(home: Home, place: Path) -> None:
    """Replace the live state by the backup PLACE, also while served. What came since the backup is lost."""
    with accounts_of(home, new=True) as live:
        live.restore(place)
    say(f"Restored {place}.")


def _which(
    live: LiveState,
    user: str,
    *,
    since: str | None,
    until: str | None,
    artist: str | None,
    text: str | None,
    session: str | None,
    ids: tuple[str, ...],
) -> Which:
    from crossfade.live.sessions import session_of

    which = Which() if session is None else session_of(live, user, session)
    return dataclasses.replace(
        which,
        since=_time(since, "--since") if since is not None else which.since,
        until=_time(until, "--until") if until is not None else which.until,
        artist=artist,
        text=text,
        ids=list(ids) or None,
    )


def _time(text: str, option: str) -> int:
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no date such as 2026-11-20.", param_hint=option) from error
    return round(time.replace(tzinfo=time.tzinfo or datetime.UTC).timestamp() * 1000)


def _date(time: int) -> str:
    return f"{datetime.datetime.fromtimestamp(time / 1000, datetime.UTC):%Y-%m-%d %H:%M}"


def _shown(listen: Listen) -> list[str]:
    track = listen.track
    named = track.title or ("" if track.item is None else track.item.id)
    return [_date(listen.listened_at), named, track.artist or "", listen.client or "", listen.id]
