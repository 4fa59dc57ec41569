"""``crossfade playlists``: the playlists of the live state."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from crossfade.cli.options import (
    SuggestingGroup,
    accounts_of,
    complete_names,
    group_home_option,
    home_option,
    json_option,
    limit_option,
)
from crossfade.cli.output import Column, print_json, print_line, print_table, say
from crossfade.cli.playing import (
    adventure_option,
    asked_for,
    draws_option,
    playlist_argument,
    print_tracks,
    seeds_of,
    served,
    user_argument,
)
from crossfade.core.home import Home

if TYPE_CHECKING:
    from crossfade.serve.playlists import Playlists

Command = TypeVar("Command", bound=Callable[..., Any])


def _drawn(command: Command) -> Command:
    """Add the options of how tracks are chosen, which are fields of what is asked."""
    for option in (
        json_option,
        home_option,
        click.option("--keep", is_flag=True, help="Keep the tracks: in a new playlist, or in the one continued."),
        draws_option,
        adventure_option,
        click.option("--length", type=click.IntRange(1, 500), help="How many tracks, by default 25."),
        click.option("--exclude", multiple=True, metavar="SEED", help="Leave this out; may be given several times."),
    ):
        command = option(command)
    return command


@contextlib.contextmanager
def _opened(home: Home, user: str) -> "Iterator[Playlists]":
    with served(home, user) as (active, live):
        from crossfade.serve.playlists import Playlists

        yield Playlists(active, live)


@click.group(cls=SuggestingGroup)
@group_home_option
def playlists() -> None:
    """List, make, continue, import and export the playlists of users with accounts."""


@playlists.command("list")
@user_argument
@json_option
@home_option
def list_playlists(home: Home, user: str, as_json: bool) -> None:
    """List the playlists of USER; those of the week and the day are made if they aren't there yet."""
    with _opened(home, user) as api:
        answer = api.listed(user, None)
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    print_table(
        [Column("id", "name"), Column("title"), Column("made by"), Column("length", "number")],
        [[one.id, one.title, one.sort, one.tracks] for one in answer.playlists],
    )


@playlists.command("generate")
@user_argument
@click.argument("seeds", metavar="SEED...", nargs=-1, shell_complete=complete_names)
@click.option("--title", help="The title. Without seeds it says what to play.")
@_drawn
def generate_playlist(
    home: Home, user: str, seeds: tuple[str, ...], exclude: tuple[str, ...], as_json: bool, **drawn: Any
) -> None:
    """Make a playlist for USER from each SEED: an artist, or KIND:NAME, such as track:Creep or tag:rock."""
    with _opened(home, user) as api:
        from crossfade.serve.station_bodies import MakePlaylist

        answer = api.make(user, asked_for(MakePlaylist, seeds=seeds_of(seeds), exclude=seeds_of(exclude), **drawn))
    print_tracks(answer, as_json)
    if answer.id is not None:
        say(f"Kept as {answer.id}.")


@playlists.command("continue")
@user_argument
@playlist_argument
@click.option("--include", multiple=True, metavar="SEED", help="More of this; may be given several times.")
@_drawn
def continue_playlist(
    home: Home,
    user: str,
    playlist: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    as_json: bool,
    **drawn: Any,
) -> None:
    """Go on with the playlist ID of USER, by tracks that are not in it."""
    with _opened(home, user) as api:
        from crossfade.serve.station_bodies import ContinuePlaylist

        asked = asked_for(ContinuePlaylist, include=seeds_of(include), exclude=seeds_of(exclude), **drawn)
        answer = api.go_on(user, playlist, asked)
    print_tracks(answer, as_json)


@playlists.command("forgotten")
@user_argument
@limit_option
@json_option
@home_option
def forgotten_tracks(home: Home, user: str, limit: int, as_json: bool) -> None:
    """Show what USER played often, and not for two months."""
    with _opened(home, user) as api:
        answer = api.forgotten(user, limit)
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    print_table(
        [Column("name"), Column("plays", "number"), Column("id", "id")],
        [[one.name, one.plays, one.id] for one in answer.tracks],
    )


@playlists.command("export")
@user_argument
@playlist_argument
@click.option(
    "--format", "form", type=click.Choice(["jspf", "xspf", "m3u"]), default="m3u", show_default=True, help="The format."
)
@home_option
def export_playlist(home: Home, user: str, playlist: str, form: str) -> None:
    """Print the playlist ID of USER as a file."""
    from crossfade.formats.playlist_files import as_file

    with _opened(home, user) as api:
        click.echo(as_file(api.readable(user, playlist), form, "http://127.0.0.1:8000"))


@playlists.command("import")
@user_argument
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
def import_playlist(home: Home, user: str, file: Path) -> None:
    """Keep FILE, a playlist as JSPF, XSPF or M3U, for USER, and print its id."""
    with _opened(home, user) as api:
        kept = api.keep(user, file.read_bytes())
    say(f"{kept.title}: {len(kept.tracks)} tracks, {kept.dropped} entries that do not say which they are.")
    print_line(kept.id)


@playlists.command("delete")
@user_argument
@playlist_argument
@home_option
def delete_playlist(home: Home, user: str, playlist: str) -> None:
    """Delete the playlist ID of USER for good."""
    with accounts_of(home) as live:
        live.delete_playlist(user, playlist)
