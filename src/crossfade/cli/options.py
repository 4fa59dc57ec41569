"""Options that several commands share, and completion of names from the active release."""

import contextlib
import difflib
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from crossfade.core.errors import CrossfadeError, NotReadyError
from crossfade.core.home import Home, default_home
from crossfade.core.kinds import KINDS
from crossfade.core.paths import shown
from crossfade.surfaces.registry import SURFACES

if TYPE_CHECKING:
    from crossfade.stores.live_contract import LiveState
    from crossfade.stores.releases import Releases

Command = TypeVar("Command", bound=Callable[..., Any])

_GIVEN = f"{__name__}.home"  # of the contexts of a command line: the home that it names
_COMPLETIONS = 20  # names offered at a time; a person reads no more


class SuggestingGroup(click.Group):
    """A group that suggests the closest of its commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that ``args`` begin with; for a name that is unknown, suggest the closest one."""
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            close = difflib.get_close_matches(args[0], names, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"`{ctx.command_path} --help` lists them."
            raise click.UsageError(f"There is no command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)


def _as_home(context: click.Context, parameter: click.Parameter, value: Path | None) -> Home | None:
    # Groups have the option too, and what is given to a group is meant for its commands.
    given = context.get_parameter_source("home") is ParameterSource.COMMANDLINE
    if not given and _GIVEN in context.meta:
        return context.meta[_GIVEN]  # type: ignore[no-any-return]
    if value is None:
        return None
    try:
        value = value.expanduser()
    except RuntimeError as error:
        raise click.BadParameter(f"{value}: there is no user of that name.") from error
    if shown(value) != str(value):
        raise click.BadParameter(f"{shown(value)}: the name is not UTF-8. Choose another directory.")
    home = Home(value)
    if given:
        context.meta[_GIVEN] = home
    return home


def _home_option(name: str) -> Callable[[Command], Command]:
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="CROSSFADE_HOME",
        default=partial(default_home, name),
        show_default=f"~/.local/share/{name}",
        show_envvar=True,
        callback=_as_home,
        help="The directory of the library.",
    )


home_option = _home_option("crossfade")
demo_home_option = _home_option("crossfade-demo")  # invented listeners never share a home with real ones
group_home_option = click.option(  # for groups that do nothing themselves
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    callback=_as_home,
    expose_value=False,
    help="The directory of the library, for the command that follows.",
)
_MASTERS = ("spark://", "yarn", "k8s://", "local[2]", "hadoop")


def complete_masters(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer how the address of a cluster begins."""
    return [CompletionItem(master) for master in _MASTERS if master.startswith(incomplete)]


on_option = click.option(
    "--on",
    default="",
    metavar="MASTER",
    shell_complete=complete_masters,
    help="A Spark cluster: spark://HOST:PORT, yarn, k8s://https://HOST:PORT, or local[N] for N processors here; "
    "or hadoop, for the MapReduce jobs of [hadoop].",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ids_option = click.option("--ids", is_flag=True, help="Show ids in tables too; a pipe and JSON always have them.")
limit_option = click.option(
    "-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Show at most so many."
)


kind_option = click.option("--kind", type=click.Choice(list(KINDS)), help="The kind of items to show.")


def releases_of(home: Home) -> "Releases":
    """Return the releases of ``home``, in the store that its settings name."""
    from crossfade.pipeline.settings import Settings
    from crossfade.stores.registry import open_releases

    return open_releases(home, Settings.of(home).section("store"))


def live_is_there(home: Home) -> bool:
    """Return whether there is a live state of ``home``, in the store that its settings name."""
    from crossfade.pipeline.settings import Settings
    from crossfade.stores.registry import has_live

    return has_live(home, Settings.of(home).section("store"))


def live_of(home: Home) -> "LiveState":
    """Return the live state of ``home``, in the store that its settings name; a new one if there was none."""
    from crossfade.pipeline.settings import Settings
    from crossfade.stores.registry import open_live

    return open_live(home, Settings.of(home).section("store"))


@contextlib.contextmanager
def accounts_of(home: Home, *, new: bool = False) -> Iterator["LiveState"]:
    """Open the live state of ``home``; NotReadyError if there is none, unless a ``new`` one may be made."""
    if not new and not live_is_there(home):
        raise NotReadyError("There are no accounts yet. Make one with `crossfade users add NAME`.")
    with contextlib.closing(live_of(home)) as live:
        yield live


def served_of(home: Home) -> "tuple[Releases, LiveState | None]":
    """Return what a server of ``home`` serves: `releases_of` and `live_of`."""
    return releases_of(home), live_of(home)


def completing_home(context: click.Context) -> Home:
    """Return the home that a command line names so far, or the default."""
    home: Home | None = context.params.get("home")
    return home or Home(Path(os.environ.get("CROSSFADE_HOME") or default_home()))


def complete_models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the models whose names start with what was typed."""
    from crossfade.models.registry import MODELS

    return [CompletionItem(name) for name in MODELS if name.startswith(incomplete)]


def complete_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the items of the active release that the command accepts, by what was typed of their names."""
    from crossfade.surfaces.asking import OpenRelease

    kind, surface = context.params.get("kind"), SURFACES.get(context.info_name or "")
    try:
        with releases_of(completing_home(context)).open() as release:
            if surface is not None:
                kind = OpenRelease(release).table(surface.name, kind).key
            found = release.tables.search(incomplete, limit=_COMPLETIONS, kinds=None if kind is None else [kind])
    except CrossfadeError:
        return []
    from crossfade.cli.completion import offered

    names = dict.fromkeys(item.name for items in found.items.values() for item in items)
    return [CompletionItem(name) for name in names if offered(name)]
