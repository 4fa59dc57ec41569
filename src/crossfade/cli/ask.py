"""Questions to the active release: the surfaces, search and terms."""

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import click

from crossfade.cli.options import (
    accounts_of,
    complete_models,
    complete_names,
    home_option,
    ids_option,
    json_option,
    kind_option,
    limit_option,
    releases_of,
)
from crossfade.cli.output import Column, print_json, print_line, print_table, say
from crossfade.cli.people import FEW_LISTENERS, only_listener, what_is_missing
from crossfade.core.errors import UnknownIdError
from crossfade.core.home import Home
from crossfade.core.tables import EVERYONE, USER
from crossfade.stores.contract import Entry, Item, TableInfo, Tables
from crossfade.stores.live import now
from crossfade.surfaces.registry import FALLBACK, POOL, Registered

if TYPE_CHECKING:
    from crossfade.surfaces.why import Why

_MODEL_HELP = "Compute the list with this model; `crossfade models` lists them."
_STATION_HELP = "Draw a station, without repeats and with items of one artist apart; the same seed draws the same one."
_model_option = click.option("--model", metavar="NAME", help=_MODEL_HELP, shell_complete=complete_models)
_station_option = click.option("--station", type=click.IntRange(0), metavar="SEED", help=_STATION_HELP)


def surface_command(surface: Registered) -> click.Command:
    """Return the command that shows lists of one surface, from its line in the registry."""

    def show(
        home: Home,
        limit: int,
        as_json: bool,
        ids: bool,
        kind: str | None,
        station: int | None = None,
        model: str | None = None,
        asked: str | None = EVERYONE,
    ) -> None:
        from crossfade.surfaces.asking import OpenRelease

        asked = only_listener(home) if asked is None else asked
        with releases_of(home).open() as release:
            opened = OpenRelease(release)
            table = opened.table(surface.name, kind)
            if asked != EVERYONE and table.key == USER:
                with contextlib.suppress(UnknownIdError):
                    table = opened.table_with(surface.name, release.tables.user(asked), kind) or table
            key, name, note = _key(release.tables, table, asked)
            reach = opened.reach(name or asked, kind) if table.key == USER and asked != EVERYONE else None
            alone = note is not None and reach is not None and reach.plays > 0 and reach.listeners < FEW_LISTENERS
            if alone:  # what is popular would be this listener's own items
                key, name, note = asked, asked, f"No recommendations for {asked!r} yet."
            elif note:
                table = opened.table(FALLBACK, kind)
            if missing := reach and what_is_missing(reach, name or asked):
                note = f"{note} {missing}" if note else missing
            whole = None if station is not None else limit
            entries = [] if alone else opened.entries(table.surface, key, kind=table.kind, model=model, limit=whole)
            if station is not None:
                entries = _station(home, entries, station)[:limit]
        if as_json:
            described = {"surface": table.surface, "kind": table.kind, "key": key, "name": name}
            described |= {"model": model} if model else {}
            entries_json = [as_plain(entry) for entry in entries]
            print_json({**described, "release": release.version, "note": note, "entries": entries_json})
            return
        if note:
            say(note)
        title = f"{surface.title}: {name}" if name else surface.title
        print_entries(
            entries, title=title, note=f"release {release.version}" + (f", {model}" if model else ""), ids=ids
        )

    command = click.Command(surface.name, callback=show, help=surface.help)
    for option in (kind_option, limit_option, ids_option, json_option, home_option):
        option(command)
    if surface.learned:
        _model_option(command)
    if surface.name == POOL:
        _station_option(command)
    if surface.asked_by != "everyone":
        complete = complete_names if surface.asked_by == "item" else None
        # Without a user, the only listener of one's own is meant.
        required, name = surface.asked_by != USER, surface.asked_by.upper()
        metavar = name if required else f"[{name}]"
        click.argument("asked", metavar=metavar, required=required, shell_complete=complete)(command)
    return command


@click.command()
@click.argument("text", shell_complete=complete_names)
@kind_option
@limit_option
@ids_option
@json_option
@home_option
def search(home: Home, text: str, kind: str | None, limit: int, as_json: bool, ids: bool) -> None:
    """Find items by name, ignoring case and diacritics."""
    with releases_of(home).open() as release:
        found = release.tables.search(text, limit=limit, kinds=None if kind is None else [kind])
    if as_json:
        items = {name: [as_plain(item) for item in group] for name, group in found.items.items()}
        print_json({"items": items, "suggestions": found.suggestions})
        return
    if found.suggestions:
        say(f"Nothing is called {text!r}. Did you mean {', '.join(found.suggestions)}?")
    print_table(
        [
            Column("kind"),
            Column("name"),
            Column("of", optional=1),
            Column("listeners", "number", optional=1),
            Column("id", "id"),
        ],
        [
            [item.kind, item.name, item.parent.name if item.parent else "", item.listeners, item.id]
            for group in found.items.values()
            for item in group
        ],
        ids=ids,
    )


@click.command()
@click.argument("item", shell_complete=complete_names)
@kind_option
@limit_option
@json_option
@home_option
def terms(home: Home, item: str, kind: str | None, limit: int, as_json: bool) -> None:
    """The most characteristic words of an item, from tags, playlist titles and texts."""
    from crossfade.surfaces.asking import OpenRelease

    with releases_of(home).open() as release:
        found = release.tables.item(kind or release.tables.kinds[0], item)
        weights = OpenRelease(release).top_terms(found.kind, found.id, limit)
    if as_json:
        words = [{"term": term, "weight": weight} for term, weight in weights]
        print_json({"kind": found.kind, "id": found.id, "name": found.name, "terms": words})
        return
    best = weights[0][1] if weights else 1.0
    print_table(
        [Column("#", "number"), Column("term"), Column("weight", "number"), Column("", "bar")],
        [[rank, term, weight, weight / best] for rank, (term, weight) in enumerate(weights, start=1)],
        title=found.name,
    )


@click.command()
@click.argument("asked", metavar="[USER] ITEM", nargs=-1, required=True, shell_complete=complete_names)
@kind_option
@_model_option
@click.option("--now", "fresh", is_flag=True, help="About the page as it is now, with what came since the release.")
@json_option
@home_option
def why(home: Home, asked: tuple[str, ...], kind: str | None, model: str | None, fresh: bool, as_json: bool) -> None:
    """Explain why an item is on a user's Discover page, or why it isn't.

    Says its place, what each model and feature adds to its score, its reason, and what else of the history it is close
    to. Without USER, the only listener of your own is meant.
    """
    from crossfade.surfaces.asking import OpenRelease

    if len(asked) > 2:
        raise click.UsageError("Name a user and an item. Quote a name that has spaces.")
    with releases_of(home).open() as release:
        opened, user = OpenRelease(release), asked[0] if len(asked) > 1 else only_listener(home)
        if fresh:
            from crossfade.live.fresh import why_fresh

            with accounts_of(home) as live:
                answer = why_fresh(opened, live, user, asked[-1], at=now(), kind=kind, model=model)
        else:
            answer = opened.why(release.tables.user(user), asked[-1], kind=kind, model=model)
    if as_json:
        print_json({"release": release.version, **as_plain(answer)})
        return
    item = answer.item.name + (f" – {answer.parent.name}" if answer.parent else "")
    print_line(answer.text)
    if answer.contributions:
        print_table(
            [Column("part of the score"), Column("adds", "number")],
            [[name, f"{part:+.3f}"] for name, part in answer.contributions.items()]
            + [[f"in {answer.model}: {name}", f"{part:+.3f}"] for name, part in answer.models.items()],
            title=f"{item}: score {answer.score:.3f}, no. {answer.rank:,} of {answer.candidates:,} by score",
            note=f"release {release.version}, {answer.model}",
        )
    if answer.evidence:
        print_table(
            [Column("close to"), Column("closeness", "number"), Column("plays", "number"), Column("id", "id")],
            [[one.name, f"{one.closeness:.3f}", f"{one.plays:,}", one.id] for one in answer.evidence],
        )


def as_plain(value: "Entry | Item | Why") -> dict[str, Any]:
    """Return an entry, an item or an answer as JSON has it, without what is unknown."""
    return dataclasses.asdict(
        value, dict_factory=lambda pairs: {name: part for name, part in pairs if part is not None and part != {}}
    )


def print_entries(entries: list[Entry], *, title: str = "", note: str = "", ids: bool = False) -> None:
    """Print a ranked list: rank, name, parent and reason if there are any, and the score as a bar."""
    best = max((entry.score for entry in entries if entry.score is not None), default=0.0)
    columns = [(Column("#", "number"), range(1, len(entries) + 1)), (Column("name"), [entry.name for entry in entries])]
    if parents := {entry.parent.kind for entry in entries if entry.parent}:
        names = [entry.parent.name if entry.parent else "" for entry in entries]
        columns.append((Column("/".join(sorted(parents))), names))
    if best > 0:
        scores = [entry.score or 0.0 for entry in entries]
        columns += [
            (Column("score", "number", optional=1), scores),
            (Column("", "bar"), [score / best for score in scores]),
        ]
    if any(entry.reason for entry in entries):
        reasons = [entry.reason.text if entry.reason else "" for entry in entries]
        columns.append((Column("reason", optional=1), reasons))
    columns.append((Column("id", "id"), [entry.id for entry in entries]))
    print_table(
        [column for column, _ in columns],
        list(zip(*(cells for _, cells in columns), strict=True)),
        title=title,
        note=note,
        ids=ids,
    )


def _station(home: Home, pool: list[Entry], seed: int) -> list[Entry]:
    import numpy as np

    from crossfade.pipeline.settings import Settings
    from crossfade.surfaces.station import station_of

    return station_of(pool, np.random.default_rng(seed), Settings.of(home).section("station"))


def _key(tables: Tables, table: TableInfo, text: str) -> tuple[str, str | None, str | None]:
    """Return the key of what a person typed, its name, and a note if a user without a list gets everyone's instead."""
    if table.key != USER:
        item = tables.item(table.key, text)
        return item.id, f"{item.name} – {item.parent.name}" if item.parent else item.name, None
    if text == EVERYONE:
        return EVERYONE, None, None
    try:
        user = tables.user(text)
        tables.count(table.name, user)
    except UnknownIdError as error:
        hint = f" Did you mean {', '.join(error.suggestions)}?" if error.suggestions else ""
        return EVERYONE, None, f"No recommendations for {text!r} yet. Showing what is popular.{hint}"
    return user, user, None
