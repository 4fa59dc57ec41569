"""Commands about a home as a whole: what it holds, its releases, its settings."""

import dataclasses
from typing import Any

import click

from crossfade.cli.options import home_option, json_option
from crossfade.cli.output import Column, print_json, print_table, say, size
from crossfade.core.artifacts import MANIFEST, read_manifest
from crossfade.core.artifacts import verify as verify_artifact
from crossfade.core.errors import ArtifactError, NotReadyError, SettingsError
from crossfade.core.home import Home
from crossfade.core.settings import documented
from crossfade.stores.contract import Version
from crossfade.stores.registry import open_store


@click.command()
@home_option
@json_option
def status(home: Home, as_json: bool) -> None:
    """What this home holds, and what is served."""
    from crossfade.importing.library import imports

    held: list[dict[str, Any]] = []
    for one in imports(home):
        ledger = one.ledger
        held.append(
            {
                "import": one.name,
                "formats": ledger.formats,
                "plays": ledger.plays,
                "skips": ledger.skips,
                "counts": ledger.counts,
                "dropped": sum(ledger.dropped.values()),
            }
        )
    release, rows = _active(home)
    space = {
        path.name: sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        for path in (home.listens, home.runs, home.releases)
    }
    if as_json:
        print_json({"home": str(home.path), "imports": held, "release": release, "rows": rows, "bytes": space})
        return
    say(f"{home.path}: " + ", ".join(f"{size(count)} of {name}" for name, count in space.items()))
    print_table(
        [
            Column("import"),
            Column("format"),
            *(Column(name, "number") for name in ("plays", "skips", "counts", "dropped")),
        ],
        [
            [
                one["import"],
                ", ".join(one["formats"]),
                *(f"{one[name]:,}" for name in ("plays", "skips", "counts", "dropped")),
            ]
            for one in held
        ],
    )
    if release is None:
        say(
            "There is no release yet. "
            + ("`crossfade run` makes one." if held else "Begin with `crossfade import PATH`.")
        )
    else:
        say(f"Release {release} is served: " + ", ".join(f"{count:,} {table}" for table, count in rows.items()) + ".")


@click.command()
@home_option
@json_option
def releases(home: Home, as_json: bool) -> None:
    """List the releases that are kept, oldest first; * marks the one that is served."""
    versions = open_store(home).versions()
    current, _ = _active(home)
    rows = {version: read_manifest(home.releases / version).rows for version in versions}
    if as_json:
        print_json(
            [{"version": version, "active": version == current, "rows": dict(rows[version])} for version in versions]
        )
        return
    if not versions:
        say("There is no release yet. `crossfade run` makes one.")
    print_table(
        [Column("active"), Column("version"), Column("rows")],
        [
            ["*" if version == current else "", version, ", ".join(f"{n:,} {t}" for t, n in rows[version].items())]
            for version in versions
        ],
    )


@click.command()
@click.argument("version", required=False)
@home_option
def rollback(home: Home, version: str | None) -> None:
    """Serve an earlier release again: the one before the active one, or VERSION.

    Readers see the old release or the new one, whole. Nothing is removed.
    """
    store = open_store(home)
    with home.locked("rollback"):
        if version is None:
            active = store.roll_back()
        else:
            active = Version(version)
            store.activate(active)
    say(f"Release {active} is served now.")


@click.command()
@home_option
@json_option
def verify(home: Home, as_json: bool) -> None:
    """Read every byte of every import, step and release against its checksum.

    Ends with exit code 7 if anything is damaged, after naming all of it.
    """
    checked, damaged = 0, []
    for manifest in sorted(home.path.rglob(MANIFEST)):
        if any(part.startswith(".") for part in manifest.relative_to(home.path).parts):
            continue
        try:
            verify_artifact(manifest.parent)
        except ArtifactError as error:
            damaged.append(str(error))
        checked += 1
    if as_json:
        print_json({"checked": checked, "damaged": damaged})
    else:
        for line in damaged:
            click.echo(line)
        say(f"{checked} artifacts read, {len(damaged)} damaged.")
    if damaged:
        raise ArtifactError(
            f"{len(damaged)} of {checked} artifacts are damaged. `crossfade run` makes steps and releases again; "
            "an import has to be imported again."
        )


@click.group()
def config() -> None:
    """Show every setting, its value and what it means."""


@config.command()
@click.argument("section", required=False)
@home_option
@json_option
def show(home: Home, section: str | None, as_json: bool) -> None:
    """Show the settings of SECTION, or all. Change them in HOME/crossfade.toml."""
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
            [Column("setting"), Column("value"), Column("default"), Column("meaning")],
            [
                [f"{name}.{field}", getattr(values, field), default, doc]
                for field, _, default, doc in documented(settings_class(name))
            ],
            title=f"[{name}]",
        )


def _active(home: Home) -> tuple[Version | None, dict[str, int]]:
    """The active release and how many rows its tables have; (None, {}) before the first one."""
    try:
        version = open_store(home).current()
    except NotReadyError:
        return None, {}
    return version, dict(read_manifest(home.releases / version).rows)


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
