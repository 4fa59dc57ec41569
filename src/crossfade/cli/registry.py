"""Which commands there are. Importing this imports none of them."""

import importlib

import click

from crossfade.surfaces.registry import SURFACES

# name → (what it does, in one line; "module:attribute")
_BEFORE: dict[str, tuple[str, str]] = {
    "demo": ("Make a world of listeners and run the whole job on it", "crossfade.cli.library:demo"),
    "import": ("Read listening history: exports, logs, dumps, data sets, playlists", "crossfade.cli.library:import_"),
    "run": ("Learn, recommend and publish; only what has changed", "crossfade.cli.library:run"),
}
_AFTER: dict[str, tuple[str, str]] = {
    "search": ("Find artists and tracks by name", "crossfade.cli.ask:search"),
    "serve": ("Answer over HTTP", "crossfade.cli.serving:serve"),
    "terms": ("The words that say most of an artist", "crossfade.cli.ask:terms"),
    "models": ("What is fitted, on what, when, and how long it took", "crossfade.cli.measuring:models"),
    "evaluate": ("Fit models on one file and measure them on another", "crossfade.cli.measuring:evaluate"),
    "status": ("What this home holds, and what is served", "crossfade.cli.home:status"),
    "forget": ("Take an import out again", "crossfade.cli.library:forget"),
    "releases": ("List the releases that are kept", "crossfade.cli.home:releases"),
    "rollback": ("Serve an earlier release again", "crossfade.cli.home:rollback"),
    "verify": ("Read every byte against its checksum", "crossfade.cli.home:verify"),
    "config": ("Show every setting, its value and what it means", "crossfade.cli.home:config"),
    "doctor": ("Check that this machine and this home are fit", "crossfade.cli.doctor:doctor"),
    "completion": ("Print the completion script for a shell", "crossfade.cli.home:completion"),
}


def commands() -> list[tuple[str, str]]:
    """(name, what it does) of every command; each surface is one."""
    surfaces = {name: (entry.help, "") for name, entry in SURFACES.items()}
    return [(name, what) for name, (what, _) in {**_BEFORE, **surfaces, **_AFTER}.items()]


def load_command(name: str) -> click.Command | None:
    """Import and return the command ``name``; None if there is no such command."""
    if name in SURFACES:
        from crossfade.cli.ask import surface_command

        return surface_command(SURFACES[name])
    if name not in _BEFORE | _AFTER:
        return None
    module, _, attribute = (_BEFORE | _AFTER)[name][1].partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command
