"""``crossfade playlists``: the playlists of the live state."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

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
    draws_option,
    given,
    opened_for,
    playlist_argument,
    print_tracks,
    seeds_of,
    user_argument,
)
from crossfade.core.home import Home
from crossfade.stores.live import now

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
    from crossfade.live.own_playlists import listed

    with opened_for(home, user) as (opened, live):
        found = listed(opened, live, user, at=now())
    if as_json:
        rows = [given(id=one.id, title=one.title, sort=one.sort, tracks=len(one.tracks)) for one in found]
        print_json({"playlists": rows})
        return
    print_table(
        [Column("id", "name"), Column("title"), Column("made by"), Column("length", "number")],
        [[one.id, one.title, one.sort, len(one.tracks)] for one in found],
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
    from crossfade.live.own_playlists import make

    with opened_for(home, user) as (opened, live):
        made = make(opened, live, user, seeds_of(seeds), at=now(), exclude=seeds_of(exclude), **given(**drawn))
    print_tracks(made.title, made.tracks, {"id": made.id} if as_json else None)
    if made.id is not None:
        say(f"Kept as {made.id}.")


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
    from crossfade.live.own_playlists import go_on

    more, less = seeds_of(include), seeds_of(exclude)
    with opened_for(home, user) as (opened, live):
        made = go_on(opened, live, user, playlist, at=now(), include=more, exclude=less, **given(**drawn))
    print_tracks(made.title, made.tracks, {"id": made.id} if as_json else None)


@playlists.command("forgotten")
@user_argument
@limit_option
@json_option
@home_option
def forgotten_tracks(home: Home, user: str, limit: int, as_json: bool) -> None:
    """Show what USER played often, and not for two months."""
    from crossfade.live.own_playlists import forgotten_by

    with opened_for(home, user) as (opened, live):
        found = forgotten_by(opened, live, user, limit, at=now())
    if as_json:
        rows = [{"id": one.id, "name": one.name, "plays": played.plays, "last": played.last} for one, played in found]
        print_json(given(tracks=rows))
        return
    print_table(
        [Column("name"), Column("plays", "number"), Column("id", "id")],
        [[one.name, played.plays, one.id] for one, played in found],
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
    from crossfade.live.own_playlists import readable

    with accounts_of(home) as live:
        click.echo(as_file(readable(live, user, playlist), form, "http://127.0.0.1:8000"))


@playlists.command("import")
@user_argument
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
def import_playlist(home: Home, user: str, file: Path) -> None:
    """Keep FILE, a playlist as JSPF, XSPF or M3U, for USER, and print its id."""
    from crossfade.live.own_playlists import read

    with opened_for(home, user) as (opened, live):
        kept, dropped = read(opened.release.tables, live, user, file.read_bytes(), at=now())
    say(f"{kept.title}: {len(kept.tracks)} tracks, {dropped} entries that do not say which they are.")
    print_line(kept.id)


@playlists.command("delete")
@user_argument
@playlist_argument
@home_option
def delete_playlist(home: Home, user: str, playlist: str) -> None:
    """Delete the playlist ID of USER for good."""
    with accounts_of(home) as live:
        live.delete_playlist(user, playlist)
