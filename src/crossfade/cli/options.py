"""Options that several commands share, and completion of names from the active release."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from crossfade.core.errors import CrossfadeError
from crossfade.core.home import Home
from crossfade.core.kinds import KINDS
from crossfade.core.paths import shown

if TYPE_CHECKING:
    from crossfade.stores.releases import Releases

Command = TypeVar("Command", bound=Callable[..., Any])

_COMPLETIONS = 20  # names offered at a time; a person reads no more


def default_home(name: str = "crossfade") -> Path:
    """``$XDG_DATA_HOME/<name>``, by default ``~/.local/share/<name>``."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / name


def _as_home(context: click.Context, parameter: click.Parameter, value: Path) -> Home:
    # A group has the option too, and what is given to the group is meant for its commands.
    outer = context.parent.params.get("home") if context.parent else None
    if outer is not None and context.get_parameter_source("home") is not ParameterSource.COMMANDLINE:
        return outer  # type: ignore[no-any-return]
    try:
        value = value.expanduser()
    except RuntimeError as error:
        raise click.BadParameter(f"{value}: there is no user of that name.") from error
    if shown(value) != str(value):
        raise click.BadParameter(f"{shown(value)}: the name is not UTF-8. Choose another directory.")
    return Home(value)


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


def complete_models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the models whose names start with what was typed."""
    from crossfade.models.registry import MODELS

    return [CompletionItem(name) for name in MODELS if name.startswith(incomplete)]


def complete_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the items of the active release whose names start with what was typed."""
    try:
        home = context.params.get("home") or Home(Path(os.environ.get("CROSSFADE_HOME") or default_home()))
        with releases_of(home).open() as release:
            found = release.tables.search(incomplete, limit=_COMPLETIONS)
    except CrossfadeError:
        return []
    from crossfade.cli.completion import offered

    names = dict.fromkeys(item.name for items in found.items.values() for item in items)
    return [CompletionItem(name) for name in names if offered(name)]
