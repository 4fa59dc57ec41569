"""Questions to the active release: the surfaces, and search."""

from typing import Any

import click

from crossfade.cli.options import complete_models, complete_names, home_option, json_option, limit_option
from crossfade.cli.output import Column, print_json, print_table, say
from crossfade.core.errors import UnknownIdError
from crossfade.core.home import Home
from crossfade.core.tables import EVERYONE
from crossfade.stores.contract import Entry, ReleaseReader
from crossfade.stores.registry import open_store
from crossfade.surfaces.registry import FALLBACK, POOL, Registered

_ASKED = ("artist", "item", "user")
_MODEL_HELP = "Ask this model instead of the first; `crossfade models` lists them."
_STATION_HELP = "Draw a station to play, without repeats and with artists apart; the same seed draws the same one."


def surface_command(surface: Registered) -> click.Command:
    """The command that shows one surface, made from its line in the registry."""

    def show(
        home: Home, limit: int, as_json: bool, station: int | None = None, model: str | None = None, **asked: str
    ) -> None:
        with open_store(home).open() as reader:
            key, about, note = _asked_for(reader, surface, asked.get(surface.asked_by, EVERYONE))
            if key is None:
                entries = reader.entries(FALLBACK, EVERYONE, limit=limit)
            else:
                entries = _entries(home, reader, surface, key, model)
                entries = (entries if station is None else _station(home, entries, station))[:limit]
            if as_json:
                described = {"surface": surface.name, "key": key, "name": about, "release": reader.version}
                described |= {"model": model} if model else {}
                print_json({**described, "note": note, "entries": [entry_json(entry) for entry in entries]})
                return
            if note:
                say(note)
            title = f"{surface.title}: {about}" if about else surface.title
            print_entries(entries, title=title, note=f"release {reader.version}" + (f", {model}" if model else ""))

    command = click.Command(surface.name, callback=show, help=surface.help)
    for option in (limit_option, json_option, home_option):
        option(command)
    if surface.learned:
        command.params.append(
            click.Option(["--model"], metavar="NAME", help=_MODEL_HELP, shell_complete=complete_models)
        )
    if surface.name == POOL:
        command.params.append(click.Option(["--station"], type=click.IntRange(0), metavar="SEED", help=_STATION_HELP))
    if surface.asked_by in _ASKED:
        complete = None if surface.asked_by == "user" else complete_names
        command.params.insert(0, click.Argument([surface.asked_by], shell_complete=complete))
    return command


@click.command()
@click.argument("text", shell_complete=complete_names)
@limit_option
@json_option
@home_option
def search(home: Home, text: str, limit: int, as_json: bool) -> None:
    """Find artists and tracks by name, whatever the case and the diacritics."""
    with open_store(home).open() as reader:
        found = reader.search(text, limit=limit)
    if as_json:
        artists = [{"id": artist.id, "name": artist.name, "listeners": artist.listeners} for artist in found.artists]
        tracks = [
            {"id": track.id, "title": track.title, "artist": track.artist_name, "listeners": track.listeners}
            for track in found.tracks
        ]
        print_json({"artists": artists, "tracks": tracks, "suggestions": list(found.suggestions)})
        return
    if found.suggestions:
        say(f"Nothing is called {text!r}. Did you mean {', '.join(found.suggestions)}?")
    print_table(
        [Column("kind"), Column("name"), Column("artist"), Column("listeners", "number"), Column("id")],
        [
            *(["artist", artist.name, "", artist.listeners, artist.id] for artist in found.artists),
            *(["track", track.title, track.artist_name, track.listeners, track.id] for track in found.tracks),
        ],
    )


@click.command()
@click.argument("artist", shell_complete=complete_names)
@limit_option
@json_option
@home_option
def terms(home: Home, artist: str, limit: int, as_json: bool) -> None:
    """The words that say most of an artist, from tags, playlist titles and texts."""
    from crossfade.pipeline.asking import top_terms

    with open_store(home).open() as reader:
        found = reader.artist(artist)
        said = top_terms(home, reader, found.id, limit)
    if as_json:
        words = [{"term": term, "weight": weight} for term, weight in said]
        print_json({"artist": found.id, "name": found.name, "terms": words})
        return
    best = said[0][1] if said else 1.0
    print_table(
        [Column("#", "number"), Column("term"), Column("weight", "number"), Column("", "bar")],
        [[rank, term, weight, weight / best] for rank, (term, weight) in enumerate(said, start=1)],
        title=found.name,
    )


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry as a machine reads it; what is not known is left out."""
    described: dict[str, Any] = {"id": entry.id, "name": entry.name}
    if entry.artist_id is not None:
        described["artist"] = {"id": entry.artist_id, "name": entry.artist_name}
    if entry.score is not None:
        described["score"] = entry.score
    if entry.reason is not None:
        reason = entry.reason
        described["reason"] = {"id": reason.id, "name": reason.name, "plays": reason.plays}
    return described


def print_entries(entries: list[Entry], *, title: str = "", note: str = "") -> None:
    """A ranked list: rank, name, artist and reason where there are any, and the score as a bar."""
    best = max((entry.score for entry in entries if entry.score is not None), default=0.0)
    columns, cells = [Column("#", "number"), Column("name")], []
    for rank, entry in enumerate(entries, start=1):
        cells.append([rank, entry.name])
    if any(entry.artist_name for entry in entries):
        columns.append(Column("artist"))
        for row, entry in zip(cells, entries, strict=True):
            row.append(entry.artist_name or "")
    if best > 0:
        columns += [Column("score", "number"), Column("", "bar")]
        for row, entry in zip(cells, entries, strict=True):
            row += [entry.score, (entry.score or 0.0) / best]
    if any(entry.reason for entry in entries):
        columns.append(Column("because you played"))
        for row, entry in zip(cells, entries, strict=True):
            row.append(f"{entry.reason.name} ({entry.reason.plays:,} times)" if entry.reason else "")
    columns.append(Column("id"))
    for row, entry in zip(cells, entries, strict=True):
        row.append(entry.id)
    print_table(columns, cells, title=title, note=note)


def _entries(home: Home, reader: ReleaseReader, surface: Registered, key: str, model: str | None) -> list[Entry]:
    if model is None:
        return reader.entries(surface.name, key)
    from crossfade.pipeline.asking import entries_by

    return entries_by(home, reader, surface.name, key, model)


def _station(home: Home, pool: list[Entry], seed: int) -> list[Entry]:
    import numpy as np

    from crossfade.pipeline.settings import Settings
    from crossfade.surfaces.station import station_of

    return station_of(pool, np.random.default_rng(seed), Settings.of(home).section("station"))


def _asked_for(reader: ReleaseReader, surface: Registered, text: str) -> tuple[str | None, str | None, str | None]:
    """(key, its name, a note for the person); no key means: show what is popular."""
    if surface.asked_by == "everyone":
        return EVERYONE, None, None
    if surface.asked_by == "user":
        try:
            user = reader.user(text)
        except UnknownIdError as error:
            # Somebody new is not a mistake: they get what most listeners play.
            near = f" Did you mean {', '.join(error.suggestions)}?" if error.suggestions else ""
            return None, None, f"There is no page for {text!r} yet; this is what most listeners play.{near}"
        return user, user, None
    if reader.surfaces[surface.name].key == "track":
        track = reader.track(text)
        return track.id, f"{track.title} – {track.artist_name}" if track.artist_name else track.title, None
    artist = reader.artist(text)
    return artist.id, artist.name, None
