"""``crossfade stations``: the stations of the live state."""

import contextlib
from collections.abc import Iterator
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
    asked_for,
    count_option,
    draws_option,
    print_tracks,
    seeds_of,
    served,
    station_argument,
    user_argument,
)
from crossfade.core.home import Home

if TYPE_CHECKING:
    from crossfade.serve.stations import Stations


@contextlib.contextmanager
def _opened(home: Home, user: str) -> "Iterator[Stations]":
    with served(home, user) as (active, live):
        from crossfade.pipeline.settings import Settings
        from crossfade.serve.stations import Stations

        yield Stations(active, live, Settings.of(home).section("station"))


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
    with _opened(home, user) as api:
        from crossfade.serve.station_bodies import StartStation

        answer = api.start(user, asked_for(StartStation, seeds=seeds_of(seeds), **drawn))
    print_tracks(answer, as_json)
    if answer.id is not None:
        say(f"Go on with: crossfade stations next {user} {answer.id}")


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
    count: int | None,
    adventure: float | None,
    as_json: bool,
    **signals: str | None,
) -> None:
    """Steer the station ID of USER, and print what it plays next."""
    given = [(action, item) for action, item in signals.items() if item is not None]
    if len(given) > 1:
        raise click.UsageError("Say one thing at a time: --up, --down, --skip or --undo.")
    action, item = given[0] if given else (None, None)
    with _opened(home, user) as api:
        from crossfade.serve.station_bodies import StationSignal

        answer = api.steer(
            user, station, asked_for(StationSignal, action=action, item=item, adventure=adventure, count=count)
        )
    print_tracks(answer, as_json)


@stations.command("why")
@user_argument
@station_argument
@click.argument("item")
@json_option
@home_option
def why_track(home: Home, user: str, station: str, item: str, as_json: bool) -> None:
    """Say why the station ID of USER plays the track ITEM (an id), or why not."""
    with _opened(home, user) as api:
        answer = api.why(user, station, item)
    if as_json:
        print_json(answer.model_dump(mode="json", exclude_none=True))
        return
    print_line(answer.text)


@stations.command("delete")
@user_argument
@station_argument
@home_option
def delete_station(home: Home, user: str, station: str) -> None:
    """Delete the station ID of USER for good."""
    with accounts_of(home) as live:
        live.delete_station(user, station)
