"""Commands about a home as a whole: what is in it, its releases, its settings."""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import click

from crossfade.cli.options import (
    SuggestingGroup,
    group_home_option,
    home_option,
    json_option,
    live_is_there,
    live_of,
    releases_of,
)
from crossfade.cli.output import Column, counted, print_json, print_line, print_table, say, size
from crossfade.core.artifacts import MANIFEST, verify_unless_replaced
from crossfade.core.errors import ArtifactError, NotReadyError, SettingsError
from crossfade.core.home import Home
from crossfade.core.settings import documented
from crossfade.stores.contract import Version
from crossfade.stores.releases import Releases

NO_RELEASE = "There is no release yet. Run `crossfade run` to make one."


@click.command()
@home_option
@json_option
def status(home: Home, as_json: bool) -> None:
    """Show what is in this home, and what is served."""
    from crossfade.importing.forgetting import pending
    from crossfade.importing.library import imports

    listed: list[dict[str, Any]] = [
        {"import": one.name, "formats": one.ledger.formats}
        | {name: getattr(one.ledger, name) for name in ("plays", "skips", "counts")}
        | {"dropped": sum(one.ledger.dropped.values())}
        for one in imports(home)
    ]
    served = next((one for one in _listed(releases_of(home)) if one["active"]), None)
    used = _bytes_used(home)
    if as_json:
        release = {"release": served and served["version"], "pinned": served is not None and served["pinned"]}
        print_json(
            {"home": str(home.path), "imports": listed, **release, "rows": served and served["rows"], "bytes": used}
        )
        return
    say(f"{home.path}: " + ", ".join(f"{size(count)} of {name}" for name, count in used.items()))
    numbers = ("plays", "skips", "counts", "dropped")
    print_table(
        [Column("import", "name"), Column("format"), *(Column(name, "number", optional=1) for name in numbers)],
        [[one["import"], ", ".join(one["formats"]), *(f"{one[name]:,}" for name in numbers)] for one in listed],
    )
    if pending(home) is not None:
        say("What `crossfade forget` began is not complete: `crossfade run` finishes it.")
    if served is None:
        say(NO_RELEASE if listed else "There are no imports yet. Start with `crossfade import PATH`.")
    else:
        pinned = " (pinned)" if served["pinned"] else ""
        say(f"Serving release {served['version']}{pinned}: {counted(served['rows'])}.")


@click.group(cls=SuggestingGroup, invoke_without_command=True)
@click.pass_context
@home_option
@json_option
def releases(context: click.Context, home: Home, as_json: bool) -> None:
    """List the releases, oldest first; * marks the one that is served. See also the commands below."""
    if context.invoked_subcommand is not None:
        return
    listed = _listed(releases_of(home))
    if as_json:
        print_json(listed)
        return
    if not listed:
        say(NO_RELEASE)
    print_table(
        [Column("active"), Column("version", "name"), Column("rows", "prose")],
        [["*" * one["active"] + " pinned" * one["pinned"], one["version"], counted(one["rows"])] for one in listed],
    )


@releases.command()
@click.argument("version")
@home_option
def activate(home: Home, version: str) -> None:
    """Serve VERSION and pin it: later runs publish new releases without serving them."""
    with _changing(home, "releases activate") as found:
        _activate(home, found, version)
    _say_pinned(version)


@releases.command()
@home_option
def unpin(home: Home) -> None:
    """Serve the newest release again, and each new one as it is published."""
    with _changing(home, "releases unpin") as found:
        version = found.unpin()
    say(f"Serving release {version}, and each new one as it is published.")


@click.command()
@click.argument("version", required=False)
@home_option
def rollback(home: Home, version: str | None) -> None:
    """Serve the release before the active one, or VERSION, and pin it. Nothing is removed."""
    with _changing(home, "rollback") as found:
        if version is None:
            version = found.roll_back()
        else:
            _activate(home, found, version)
    _say_pinned(version)


@click.command()
@home_option
@json_option
def verify(home: Home, as_json: bool) -> None:
    """Read every byte of every import, step and release against its checksum, and check the live state.

    Names everything that is damaged and then ends with exit code 7. What a run removes meanwhile is not damaged.
    """
    found = releases_of(home)
    manifests = sorted([*home.listens.glob(f"[!.]*/{MANIFEST}"), *home.runs.glob(f"*/[!.]*/{MANIFEST}")])
    checks = [partial(verify_unless_replaced, manifest.parent) for manifest in manifests]
    checks += [partial(found.verify_unless_removed, version) for version in found.versions()]
    damaged, checked = [], 0
    for check in checks:
        try:
            checked += check() is not None
        except ArtifactError as error:
            checked += 1
            damaged.append(str(error))
    if live_is_there(home):
        checked += 1
        damaged += _damage_of_live(home)
    if as_json:
        print_json({"checked": checked, "damaged": damaged})
    else:
        for line in damaged:
            print_line(line)
        say(f"Read {checked} artifacts; {len(damaged)} are damaged.")
    if damaged:
        raise ArtifactError(
            f"{len(damaged)} of {checked} artifacts are damaged. Run `crossfade run` to make steps and releases "
            "again; import the files of a damaged import again; restore a backup of a damaged live state."
        )


def _damage_of_live(home: Home) -> list[str]:
    """Return what is damaged in the live state."""
    try:
        with contextlib.closing(live_of(home)) as live:
            return list(live.check())
    except ArtifactError as error:
        return [str(error)]


@click.group(cls=SuggestingGroup)
@group_home_option
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
        tuned_tables = {"tuned": settings.tuned} if settings.tuned else {}
        print_json({**{name: dataclasses.asdict(settings.section(name)) for name in shown}, **tuned_tables})
        return
    for name in shown:
        values = settings.section(name)
        print_table(
            [
                Column("setting", "name"),
                Column("value", "prose"),
                Column("default", "prose", optional=2),
                Column("accepts", "prose", optional=1),
                Column("meaning", "prose"),
            ],
            [
                [f"{name}.{one.name}", getattr(values, one.name), one.default, one.accepts, one.meaning]
                for one in documented(settings_class(name))
            ],
            title=f"[{name}]",
        )
    for table, tuned_values in settings.tuned.items():
        if section is None or table.startswith(f"{section.removeprefix('models.')}-"):
            values = ", ".join(f"{key} = {value}" for key, value in tuned_values.items())
            say(f"{home.tuned_file} [{table}], where {home.settings_file.name} sets nothing else: {values}")


@contextlib.contextmanager
def _changing(home: Home, purpose: str) -> Iterator[Releases]:
    """Lock the home to change which release is active, and finish what `crossfade forget` began, as far as possible."""
    from crossfade.pipeline.removal import catch_up

    with home.locked(purpose):
        found = releases_of(home)
        catch_up(home, found)
        yield found
        catch_up(home, found)


def _activate(home: Home, found: Releases, version: str) -> None:
    from crossfade.importing.forgetting import pending

    wish = pending(home)
    if wish is not None and version in wish.releases:
        raise ArtifactError(
            f"Release {version} is being forgotten. `crossfade run` publishes one that takes its place."
        )
    found.activate(Version(version))


def _listed(releases: Releases) -> list[dict[str, Any]]:
    """Return all releases, oldest first, with the number of rows of each table; without, if a release is damaged."""
    try:
        active: tuple[Version | None, bool] = releases.active()
    except NotReadyError:
        active = None, False
    listed = []
    for version in releases.versions():
        rows: dict[str, int] = {}
        with contextlib.suppress(ArtifactError), releases.open(version) as release:
            rows.update(release.manifest.rows)
        served = version == active[0]
        listed.append({"version": version, "active": served, "pinned": served and active[1], "rows": rows})
    return listed


def _bytes_used(home: Home) -> dict[str, int]:
    """Return the bytes on the disk by the part of the home; a file that has several names counts once."""
    used: Counter[str] = Counter()
    for path in {path.lstat().st_ino: path for path in sorted(home.path.rglob("*")) if path.is_file()}.values():
        used[path.relative_to(home.path).parts[0]] += path.lstat().st_size
    return dict(used)


def _say_pinned(version: str) -> None:
    say(
        f"Serving release {version}. It is pinned: later runs publish new releases without serving them, until "
        "`crossfade releases unpin`."
    )
