"""Commands that fill a home: the demo world, imports and runs."""

import contextlib
import dataclasses
import difflib
import functools
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crossfade.cli.display import Compiling, Display, progress_of, shown, weights_of
from crossfade.cli.options import (
    demo_home_option,
    home_option,
    json_option,
    live_is_there,
    live_of,
    on_option,
    releases_of,
    served_of,
)
from crossfade.cli.output import Column, counted, print_json, print_line, print_table, say, size
from crossfade.cli.people import what_is_missing
from crossfade.core.errors import InputError, NotReadyError, SettingsError, UnknownIdError
from crossfade.core.home import Home
from crossfade.core.settings import from_table

if TYPE_CHECKING:
    from crossfade.importing.apart import Each
    from crossfade.pipeline.compiling import Compiling as Kernels
    from crossfade.pipeline.runner import Watch
    from crossfade.pipeline.settings import Settings
    from crossfade.pipeline.steps import Step

SHOWN_LISTENERS = 5  # of one's own whose histories a run comments on


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="[FORMAT] PATH…")
@click.option("--user", help='Whose history it is, for files that do not say; otherwise "me".')
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="OURS=THEIRS",
    help="For tables: which column is our user, artist, title, listened_at, plays, …; may be repeated.",
)
@on_option
@json_option
@home_option
def import_(
    home: Home, paths: tuple[str, ...], user: str | None, columns: tuple[str, ...], on: str, as_json: bool
) -> None:
    """Read listening history: exports, logs, dumps, data sets, playlists.

    A PATH is a file, a folder, a zip or a tar, as it was downloaded. FORMAT is recognised from the content if it is not
    given. Afterwards, what was dropped and why is shown, and kept beside the import. With --on, the machines of a
    cluster read the files of a folder side by side; all see it and the library under the same paths.
    """
    from crossfade.formats.registry import FORMATS
    from crossfade.importing.imports import import_paths
    from crossfade.pipeline.settings import Settings

    format_name = None
    if paths[0] in FORMATS and not Path(paths[0]).exists():
        format_name, paths = paths[0], paths[1:]
    if not paths:
        raise click.UsageError(f"A path is missing. Try: crossfade import {format_name} PATH")
    if unclear := [column for column in columns if "=" not in column]:
        raise click.BadParameter(f"{unclear[0]!r} is not of the form OURS=THEIRS", param_hint="--column")
    settings = Settings.of(home).on(on)
    with progress_of("Import") as progress:
        ledgers = import_paths(
            home,
            [Path(path) for path in paths],
            format=format_name,
            columns={ours: theirs for ours, _, theirs in (column.partition("=") for column in columns)},
            user=user,
            settings=settings.section("import"),
            progress=progress,
            threads=settings.run.processors,
            each=_machines(home, settings) if on else None,
        )
    if as_json:
        print_json([ledger.as_json() for ledger in ledgers])
    else:
        for ledger in ledgers:
            for line in ledger.lines():
                print_line(line)
    if failed := [ledger.source for ledger in ledgers if ledger.failure is not None]:
        raise InputError(f"{len(failed)} of {len(ledgers)} could not be imported: {', '.join(failed)}.")


def _machines(home: Home, settings: "Settings") -> "Each":
    """What carries out tasks on the cluster of the ``settings``."""
    from crossfade.cluster.spark import application

    if settings.run.runner != "spark":
        raise SettingsError("Files are imported on this machine or on Spark, not on Hadoop. Leave out --on.")
    home.prepare()
    return application(settings.section("spark"), home.path).each


@click.command()
@click.argument("name", required=False)
@click.option("--user", "users", multiple=True, metavar="USER", help="Forget a listener; may be repeated.")
@click.option("--import", "names", multiple=True, metavar="IMPORT", help="Forget an import; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@click.option("--no-run", is_flag=True, help="Remove at once, without a run that publishes a new release first.")
@json_option
@home_option
def forget(
    home: Home,
    name: str | None,
    users: tuple[str, ...],
    names: tuple[str, ...],
    dry_run: bool,
    no_run: bool,
    as_json: bool,
) -> None:
    """Remove a listener, or an import, and everything that was made from it.

    NAME is one of `crossfade status` or a listener. Imports, steps and releases that have it are removed or made again,
    so that no byte of it stays in the home. The old release is served until a run has published one without it.
    """
    from crossfade.importing.forgetting import mentions, pending
    from crossfade.pipeline import forgetting

    try:
        chosen, listeners = _to_forget(home, name, names, users)
    except UnknownIdError as error:
        if dry_run or pending(home) is None:
            raise
        say(f"{error} Something else is still to be forgotten, which is finished now.")
        chosen, listeners = [], []
    if dry_run:
        forgotten = forgetting.preview(home, chosen, listeners)
    else:
        _remove_accounts(home, listeners)
        with _watched(home) as watch:
            forgotten = forgetting.forget(home, chosen, listeners, watch=None if no_run else watch)
    mentioned = {user: mentions(home, user) for user in listeners}
    if as_json:
        print_json({**dataclasses.asdict(forgotten), "mentioned": mentioned})
        return
    would = "Would remove" if dry_run else "Removed"
    for change in forgotten.imports:
        whole = "import" if change.deleted else "from import"
        print_line(f"{would} {whole} {change.name}: {counted(change.rows) or 'no rows'}")
    for version in forgotten.releases:
        print_line(f"{would} release {version}")
    print_line(f"{would} {forgotten.artifacts} results of steps")
    for user, where in mentioned.items():
        for one in where:
            say(f"Import {one} has no rows of {user}, but that name. Is it theirs? crossfade forget --import {one}")
    if forgotten.run is not None:
        say(f"Serving release {forgotten.run.release}, which has nothing of it.")
    elif forgotten.served:
        say("A run would publish a release first." if dry_run and not no_run else _now_served(home))


def _remove_accounts(home: Home, users: Sequence[str]) -> None:
    """Remove what ``users`` did while the library was served; otherwise it would become an import again."""
    if users and live_is_there(home):
        with contextlib.closing(live_of(home)) as live:
            for account in live.accounts():
                if account.user in users:
                    live.remove_user(account.user)
                    say(f"Removed the account of {account.user}.")


def _to_forget(home: Home, name: str | None, names: Sequence[str], users: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the imports and the users (full ids) that a person means."""
    from crossfade.importing.forgetting import bare, user_named
    from crossfade.importing.library import imports, users_of

    known, listeners = [one.name for one in imports(home)], users_of(home) if name or users else {}
    found = [user_named(user, listeners) for user in users]
    chosen = [*names]
    if name is not None:
        user = None
        with contextlib.suppress(UnknownIdError):
            user = user_named(name, listeners)
        if user is not None and name in known:
            raise click.UsageError(
                f"Both an import and a listener are called {name}. Try --import {name} or --user {shlex.quote(user)}."
            )
        if user is None and name not in known:
            close = difflib.get_close_matches(name, [*known, *listeners, *map(bare, listeners)], n=3)
            raise UnknownIdError(
                f"There is no import and no listener {name!r}.", suggestions=tuple(dict.fromkeys(close))
            )
        found += [user] if user is not None else []
        chosen += [name] if user is None else []
    for one in chosen:
        if one not in known:
            close = difflib.get_close_matches(one, known, n=3)
            raise UnknownIdError(f"There is no import {one!r}.", suggestions=tuple(close))
    if not chosen and not found:
        raise click.UsageError(
            "Name an import or a listener. `crossfade status` lists imports, `crossfade users` listeners."
        )
    return chosen, found


def _now_served(home: Home) -> str:
    try:
        return f"Serving release {releases_of(home).active().version}."
    except NotReadyError:
        return "Nothing is served now. Run `crossfade run` to publish a release of what is left."


@click.command()
@click.option("--model", "models", multiple=True, metavar="NAME", help="Fit only this model; may be repeated.")
@click.option("--full", is_flag=True, help="Fit all models from nothing; keep no earlier fit.")
@on_option
@click.option("--dry-run", is_flag=True, help="Only show what would run, and why.")
@json_option
@home_option
def run(home: Home, models: tuple[str, ...], full: bool, on: str, dry_run: bool, as_json: bool) -> None:
    """Fit models, build surfaces and publish a release; only what has changed.

    Fits are kept until more than refit_percent of [run] has come since. The pages of the first model are published
    before the other models are fitted. A run that was stopped goes on from there. The old release is served until a new
    one is whole.
    """
    from crossfade.pipeline.run import preview

    if not dry_run:
        with _compiled_aside(home) as compiling:
            _run(home, compiling, models, full=full, on=on, as_json=as_json)
        return
    steps = preview(home, models, full=full)
    if as_json:
        told = [(step.name, step.title, why, None if why else step.why_kept) for step, why in steps]
        print_json([dict(zip(("step", "title", "runs_because", "kept_because"), one, strict=True)) for one in told])
        return
    print_table(
        [Column("step"), Column(""), Column("because", "prose")],
        [[step.title, "run" if why else "keep", why or step.why_kept] for step, why in steps],
    )


@click.command()
@click.option("--listeners", type=click.IntRange(10, 10_000_000), default=None, help="The number of listeners.")
@click.option("--artists", type=click.IntRange(10, 5_000_000), default=None, help="The number of artists.")
@click.option("--seed", type=click.IntRange(0), default=None, help="The same seed makes the same world.")
@click.option("--open", "open_page", is_flag=True, help="On a terminal, serve the result and open it in a browser.")
@demo_home_option
def demo(home: Home, listeners: int | None, artists: int | None, seed: int | None, open_page: bool) -> None:
    """Simulate listeners, import their listens, run everything and show the result.

    The listeners, artists and tracks are invented. What the models learn from them is not.
    """
    from crossfade.demo.settings import DemoSettings

    chosen = {"listeners": listeners, "artists": artists, "seed": seed}
    settings = from_table(DemoSettings, {name: value for name, value in chosen.items() if value is not None}, "demo")
    with _compiled_aside(home) as compiling:
        with progress_of("Simulate listeners") as progress:
            from crossfade.demo.importing import import_demo  # takes a second

            ledger = import_demo(home, settings, progress)
        for line in ledger.lines():
            print_line(line)
        _run(home, compiling, as_json=False)
    shown = _show_demo(home)
    if open_page and sys.stdout.isatty():
        from crossfade.cli.entering import open_in_browser
        from crossfade.pipeline.settings import Settings
        from crossfade.serve.server import free_port, serve

        settings_of = Settings.of(home).section
        serve(
            functools.partial(served_of, home),
            free_port(settings_of("serve")),  # a demo should not fail because something else is being served
            station=settings_of("station"),
            home=home,
            ready=functools.partial(open_in_browser, home),
        )
    else:
        for command in (*shown, "serve --open"):
            say(f"Try: crossfade {command} --home {shlex.quote(str(home.path))}")


@contextlib.contextmanager
def _watched(home: Home) -> Iterator["Watch"]:
    """Show the steps of a run while they are carried out."""
    from crossfade.pipeline.journal import latest
    from crossfade.pipeline.runner import Watch

    with contextlib.closing(Compiling()) as compiling:
        display = Display(note=compiling)
        with shown(display) as say_above:

            def planned(steps: Sequence["Step"]) -> None:
                before = sorted(latest(home).values(), key=lambda took: took.finished)
                took = {one.step: one.seconds for one in before}
                display.expect(weights_of({step.name: step.action for step in steps}, took), known=bool(took))

            def compiled(begins: bool) -> None:
                if begins:
                    display.begin("compiling", "Compile kernels (first run only)")
                else:
                    display.end("compiling")

            yield Watch(
                planned=planned,
                begun=lambda step: display.begin(step.name, step.title),
                ended=lambda result: display.end(result.name),
                compiling=compiled,
                published=lambda version: say_above(f"Pages are ready in release {version}; fitting the other models."),
            )


def _compiled_aside(home: Home) -> contextlib.AbstractContextManager["Kernels"]:
    """Compile kernels beside what follows, if that is not done yet."""
    from crossfade.pipeline.compiling import compiled_aside
    from crossfade.pipeline.settings import Settings

    return compiled_aside(home, Settings.of(home).run.processors)


def _run(
    home: Home,
    compiling: "Kernels",
    models: Sequence[str] = (),
    *,
    full: bool = False,
    on: str = "",
    as_json: bool,
) -> None:
    from crossfade.pipeline.run import run as run_pipeline

    with _watched(home) as watch:
        result = run_pipeline(home, watch, models, compiling, full=full, on=on)
    if as_json:
        print_json(result)
        return
    # A person reads what was done; a script, what there is.
    terminal = sys.stdout.isatty()
    listed = [step for step in result.steps if step.built or not terminal]
    print_table(
        [
            Column("step"),
            *([] if terminal else [Column("")]),
            Column("seconds", "number"),
            Column("memory", "number", optional=2),
            Column("rows", optional=1),
        ],
        [
            [
                step.title,
                *([] if terminal else ["built" if step.built else "kept"]),
                f"{step.seconds:.1f}" if step.built else "",
                size(step.peak_bytes) if step.built else "",
                counted(step.rows),
            ]
            for step in listed
        ],
    )
    if kept := len(result.steps) - len(listed):
        say(f"{kept} more steps are as they were.")
    if result.kept:
        least = min(result.kept.values())
        say(f"Kept {len(result.kept)} fits, made on at least {least:.1%} of what there is; `run --full` fits all anew.")
    for name, why in result.skipped.items():
        say(f"Skipped {name}: {why}.")
    say(f"{'Published' if result.published else 'Nothing has changed since'} release {result.release}.")
    if not result.active:
        say("It is not served, because another one is pinned. Run `crossfade releases unpin` to serve it.")
    _say_what_is_missing(home)


def _say_what_is_missing(home: Home) -> None:
    """Say what the home's own listeners lack for good recommendations."""
    from crossfade.importing.people import own_listeners
    from crossfade.surfaces.asking import OpenRelease

    if own := own_listeners(home):
        with releases_of(home).open() as release:
            opened = OpenRelease(release)
            reaches = [(user, opened.reach(user)) for user in own[:SHOWN_LISTENERS]]
        for message in dict.fromkeys(what_is_missing(reach, user) for user, reach in reaches if reach):
            if message:
                say(message)


def _show_demo(home: Home) -> list[str]:
    """Show a listener's recommendations, and what is related to the reason of the first; return these commands."""
    from crossfade.cli.ask import print_entries
    from crossfade.cli.entering import longest_heard
    from crossfade.surfaces.asking import OpenRelease

    shown: list[str] = []
    # The listener may have nothing that is new to them.
    with contextlib.suppress(UnknownIdError), releases_of(home).open() as release:
        opened = OpenRelease(release)
        user = longest_heard(opened)
        page = opened.entries("discover", user, limit=10)
        click.echo()
        print_entries(page, title=f"Discover for {user}", note=f"release {release.version}")
        shown.append(f"discover {shlex.quote(user)}")
        for seed in [entry.reason for entry in page if entry.reason][:1]:
            related = opened.entries("related", seed.id, kind=seed.kind, limit=10)
            click.echo()
            print_entries(related, title=f"Related to {seed.name}")
            shown.append(f"related {shlex.quote(seed.name)}")
    return shown
