"""``crossfade stations``: the stations of the live state."""

from typing import TYPE_CHECKING, Any

import click

from crossfade.cli.options import (
    SuggestingGroup,
    accounts_of,
    complete_names,
    group_home_option,
    home_option,
    json_option,
)
from crossfade.cli.output import Column, print_json, print_line, print_table, say
from crossfade.cli.playing import (
    adventure_option,
    count_option,
    draws_option,
    given,
    opened_for,
    print_tracks,
    seeds_of,
    station_argument,
    user_argument,
)
from crossfade.core.home import Home
from crossfade.stores.live import now

if TYPE_CHECKING:
    from crossfade.surfaces.station import StationSettings


@click.group(cls=SuggestingGroup)
@group_home_option
def stations() -> None:
    """List, start and steer the stations of users with accounts."""


@stations.command("list")
@user_argument
@json_option
@home_option
def list_stations(home: Home, user: str, as_json: bool) -> None:
    """List the stations of USER."""
    with accounts_of(home) as live:
        kept = live.stations(user)
    if as_json:
        print_json({"stations": [{"id": one.id, "title": one.name, "changed_at": one.changed_at} for one in kept]})
        return
    print_table([Column("id", "name"), Column("title")], [[one.id, one.name] for one in kept])


@stations.command("start")
@user_argument
@click.argument("seeds", metavar="SEED...", nargs=-1, required=True, shell_complete=complete_names)
@click.option("--title", help="The title; by default the names of the seeds.")
@count_option
@adventure_option
@draws_option
@json_option
@home_option
def start_station(home: Home, user: str, seeds: tuple[str, ...], as_json: bool, **drawn: Any) -> None:
    """Start a station for USER from each SEED: an artist, or KIND:NAME, such as track:Creep, tag:rock."""
    from crossfade.live.own_stations import start

    with opened_for(home, user) as (opened, live):
        asked = {"at": now(), "settings": _settings(home), **given(**drawn)}
        going = start(opened, live, user, seeds_of(seeds), **asked)
    print_tracks(going.state.title, going.tracks, {"id": going.id} if as_json else None)
    if going.id is not None:
        say(f"Go on with: crossfade stations next {user} {going.id}")


@stations.command("next")
@user_argument
@station_argument
@click.option("--up", metavar="ITEM", help="A thumb up for this track of the station (an id).")
@click.option("--down", metavar="ITEM", help="A thumb down for this track.")
@click.option("--skip", metavar="ITEM", help="This track was skipped.")
@click.option("--undo", metavar="ITEM", help="Take back what was said of this track.")
@count_option
@adventure_option
@json_option
@home_option
def next_tracks(
    home: Home,
    user: str,
    station: str,
    count: int,
    adventure: float | None,
    as_json: bool,
    **signals: str | None,
) -> None:
    """Steer the station ID of USER, and print what it plays next."""
    said: list[tuple[Any, str]] = [(action, item) for action, item in signals.items() if item is not None]
    if len(said) > 1:
        raise click.UsageError("Say one thing at a time: --up, --down, --skip or --undo.")
    from crossfade.live.own_stations import steer
    from crossfade.live.stations import Signal

    action, item = said[0] if said else (None, None)
    signal = Signal(at=now() / 1000, action=action, item=item, adventure=adventure, count=count)
    with opened_for(home, user) as (opened, live):
        going = steer(opened, live, user, station, signal, _settings(home))
    print_tracks(going.state.title, going.tracks, {"id": going.id, "marks": going.state.marks} if as_json else None)


@stations.command("why")
@user_argument
@station_argument
@click.argument("item")
@json_option
@home_option
def why_track(home: Home, user: str, station: str, item: str, as_json: bool) -> None:
    """Say why the station ID of USER plays the track ITEM (an id), or why not."""
    from crossfade.live.own_stations import why

    with opened_for(home, user) as (opened, live):
        told = why(opened, live, user, station, item, at=now(), settings=_settings(home))
    if as_json:
        parts = [part._asdict() for part in told.parts]
        print_json({"text": told.text, "chance": told.chance, "because": parts, "nudges": told.nudges})
        return
    print_line(told.text)


@stations.command("delete")
@user_argument
@station_argument
@home_option
def delete_station(home: Home, user: str, station: str) -> None:
    """Delete the station ID of USER for good."""
    with accounts_of(home) as live:
        live.delete_station(user, station)


def _settings(home: Home) -> "StationSettings":
    from crossfade.pipeline.settings import Settings

    settings: StationSettings = Settings.of(home).section("station")
    return settings
