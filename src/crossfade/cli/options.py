"""Options that many commands share, and completion of names from the active release."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from crossfade.core.errors import CrossfadeError
from crossfade.core.home import Home

Command = TypeVar("Command", bound=Callable[..., Any])

_COMPLETIONS = 20  # names offered at a time; a person reads no more


def default_home() -> Path:
    """``$XDG_DATA_HOME/crossfade``, by default ``~/.local/share/crossfade``."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "crossfade"


def _as_home(context: click.Context, parameter: click.Parameter, value: Path) -> Home:
    return Home(value.expanduser())


home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="CROSSFADE_HOME",
    default=default_home,
    show_default="~/.local/share/crossfade",
    show_envvar=True,
    callback=_as_home,
    help="The directory that holds the library.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
limit_option = click.option(
    "-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to show at most."
)


def complete_models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Models that begin like what was typed."""
    from crossfade.models.registry import MODELS

    return [CompletionItem(name) for name in MODELS if name.startswith(incomplete)]


def complete_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Artists and tracks of the active release that begin like what was typed."""
    from crossfade.stores.registry import open_store

    try:
        home = context.params.get("home") or Home(Path(os.environ.get("CROSSFADE_HOME") or default_home()))
        with open_store(home).open() as reader:
            found = reader.search(incomplete, limit=_COMPLETIONS)
    except CrossfadeError:
        return []
    return [
        *(CompletionItem(artist.name) for artist in found.artists),
        *(CompletionItem(track.title) for track in found.tracks),
    ]
