"""Commands about a home as a whole: what is in it, its releases, its settings."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from crossfade.cli.options import home_option, json_option, releases_of
from crossfade.cli.output import Column, counted, print_json, print_table, say, size
from crossfade.core.artifacts import MANIFEST
from crossfade.core.artifacts import verify as verify_artifact
from crossfade.core.errors import ArtifactError, NotReadyError, SettingsError
from crossfade.core.home import Home
from crossfade.core.settings import documented
from crossfade.stores.contract import Active, Version
from crossfade.stores.releases import Releases

NO_RELEASE = "There is no release yet. Run `crossfade run` to make one."


@click.command()
@home_option
@json_option
def status(home: Home, as_json: bool) -> None:
    """Show what is in this home, and what is served."""
    from crossfade.importing.library import imports

    numbers = ("plays", "skips", "counts", "dropped")
    listed: list[dict[str, Any]] = []
    for one in imports(home):
        ledger = one.ledger
        values = (ledger.plays, ledger.skips, ledger.counts, sum(ledger.dropped.values()))
        listed.append({"import": one.name, "formats": ledger.formats, **dict(zip(numbers, values, strict=True))})
    releases = releases_of(home)
    active = _active(releases)
    release, rows = (None, {}) if active is None else (active.version, _rows(releases, active.version))
    used = _bytes_used(home)
    if as_json:
        pinned = active is not None and active.pinned
        shown = {"home": str(home.path), "imports": listed, "release": release, "pinned": pinned}
        print_json({**shown, "rows": rows, "bytes": used})
        return
    say(f"{home.path}: " + ", ".join(f"{size(count)} of {name}" for name, count in used.items()))
    print_table(
        [Column("import"), Column("format"), *(Column(name, "number") for name in numbers)],
        [[one["import"], ", ".join(one["formats"]), *(f"{one[name]:,}" for name in numbers)] for one in listed],
    )
    if active is None:
        say(NO_RELEASE if listed else "There are no imports yet. Start with `crossfade import PATH`.")
    else:
        say(f"Serving release {release}{' (pinned)' if active.pinned else ''}: {counted(rows)}.")


@click.group(invoke_without_command=True)
@click.pass_context
@home_option
@json_option
def releases(context: click.Context, home: Home, as_json: bool) -> None:
    """List the releases, oldest first; * marks the one that is served. See also the commands below."""
    if context.invoked_subcommand is not None:
        return
    all_releases = releases_of(home)
    active = _active(all_releases)
    found = [(version, version == (active and active.version)) for version in all_releases.versions()]
    rows = {version: _rows(all_releases, version) for version, _ in found}
    pinned = active is not None and active.pinned
    if as_json:
        print_json(
            [
                {"version": version, "active": served, "pinned": served and pinned, "rows": rows[version]}
                for version, served in found
            ]
        )
        return
    if not found:
        say(NO_RELEASE)
    marks = {True: "* pinned" if pinned else "*", False: ""}
    print_table(
        [Column("active"), Column("version"), Column("rows")],
        [[marks[served], version, counted(rows[version])] for version, served in found],
    )


@releases.command()
@click.argument("version")
@home_option
def activate(home: Home, version: str) -> None:
    """Serve VERSION and pin it: later runs publish new releases without serving them."""
    with home.locked("releases activate"):
        releases_of(home).activate(Version(version))
    _say_pinned(version)


@releases.command()
@home_option
def unpin(home: Home) -> None:
    """Serve the newest release again, and each new one as it is published."""
    with home.locked("releases unpin"):
        version = releases_of(home).unpin()
    say(f"Serving release {version}, and each new one as it is published.")


@click.command()
@click.argument("version", required=False)
@home_option
def rollback(home: Home, version: str | None) -> None:
    """Serve the release before the active one, or VERSION, and pin it. Nothing is removed."""
    with home.locked("rollback"):
        found = releases_of(home)
        if version is None:
            version = found.roll_back()
        else:
            found.activate(Version(version))
    _say_pinned(version)


@click.command()
@home_option
@json_option
def verify(home: Home, as_json: bool) -> None:
    """Read every byte of every import, step and release against its checksum.

    Names everything that is damaged and then ends with exit code 7.
    """
    found = releases_of(home)
    artifacts = [
        manifest.parent
        for directory in (home.listens, home.runs)
        for manifest in sorted(directory.rglob(MANIFEST))
        if not any(part.startswith(".") for part in manifest.relative_to(home.path).parts)
    ]
    checks: list[Callable[[], object]] = [partial(verify_artifact, place) for place in artifacts]
    checks += [partial(found.verify, version) for version in found.versions()]
    damaged = []
    for check in checks:
        try:
            check()
        except ArtifactError as error:
            damaged.append(str(error))
    if as_json:
        print_json({"checked": len(checks), "damaged": damaged})
    else:
        for line in damaged:
            click.echo(line)
        say(f"Read {len(checks)} artifacts; {len(damaged)} are damaged.")
    if damaged:
        raise ArtifactError(
            f"{len(damaged)} of {len(checks)} artifacts are damaged. Run `crossfade run` to make steps and releases "
            "again; import the files of a damaged import again."
        )


@click.group()
def config() -> None:
    """Show the settings."""


@config.command()
@click.argument("section", required=False)
@home_option
@json_option
def show(home: Home, section: str | None, as_json: bool) -> None:
    """Show every setting of SECTION, or of all: its value, its default and its meaning.

    Change them in HOME/crossfade.toml.
    """
    from crossfade.pipeline.settings import Settings, sections, settings_class

    if section is not None and section not in sections():
        raise SettingsError(f"There is no table [{section}]. There are: {', '.join(sections())}.")
    settings = Settings.of(home)
    shown = [section] if section else sections()
    if as_json:
        print_json({name: dataclasses.asdict(settings.section(name)) for name in shown})
        return
    for name in shown:
        values = settings.section(name)
        print_table(
            [Column(title) for title in ("setting", "value", "default", "accepts", "meaning")],
            [
                [f"{name}.{one.name}", getattr(values, one.name), one.default, one.accepts, one.meaning]
                for one in documented(settings_class(name))
            ],
            title=f"[{name}]",
        )


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    For bash: crossfade completion bash > ~/.local/share/bash-completion/completions/crossfade
    """
    from click.shell_completion import get_completion_class

    from crossfade.cli import crossfade

    found = get_completion_class(shell)
    if found is None:
        raise SettingsError(f"there is no completion for {shell}")
    click.echo(found(crossfade, {}, "crossfade", "_CROSSFADE_COMPLETE").source())


def _active(releases: Releases) -> Active | None:
    """Return the active release; None before the first one."""
    try:
        return releases.active()
    except NotReadyError:
        return None


def _rows(releases: Releases, version: Version) -> dict[str, int]:
    """Return how many rows each table of a release has."""
    with releases.open(version) as release:
        return dict(release.manifest.rows)


def _bytes_used(home: Home) -> dict[str, int]:
    """Return the bytes that each part of the home takes on the disk; a file with several names counts once."""
    used, seen = {}, set()
    for directory in (home.listens, home.runs, home.releases):
        used[directory.name] = 0
        for path in directory.rglob("*"):
            described = path.lstat()
            if path.is_file() and described.st_ino not in seen:
                seen.add(described.st_ino)
                used[directory.name] += described.st_size
    return used


def _say_pinned(version: str) -> None:
    say(
        f"Serving release {version}. It is pinned: later runs publish new releases without serving them, until "
        "`crossfade releases unpin`."
    )
