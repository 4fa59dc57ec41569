"""All commands by name. Importing this imports none of them."""

import importlib
from collections.abc import Mapping

import click

from crossfade.surfaces.registry import SURFACES

COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("Simulate listeners, run everything and show the result", "library:demo"),
    "import": ("Read listening history: exports, logs, dumps, data sets, playlists", "library:import_"),
    "run": ("Fit models, build surfaces and publish a release; only what has changed", "library:run"),
    **{name: (surface.help, "") for name, surface in SURFACES.items()},
    "why": ("Explain why an item is on a user's Discover page, or why it isn't", "ask:why"),
    "users": ("Show whose listening history is in this home; add and remove accounts", "people:users"),
    "tokens": ("List, make and revoke the keys of accounts", "accounts:tokens"),
    "listens": ("List and delete what players sent", "accounts:listens"),
    "playlists": ("List, make, continue, import and export playlists", "playlists:playlists"),
    "stations": ("Start and steer stations", "stations:stations"),
    "search": ("Find items by name", "ask:search"),
    "serve": ("Answer over HTTP", "serving:serve"),
    "terms": ("The most characteristic words of an item", "ask:terms"),
    "models": ("Show which models are fitted on what", "measuring:models"),
    "evaluate": ("Fit models on a part of the library and measure them on the rest", "measuring:evaluate"),
    "tune": ("Search the best settings of models on a part of the data", "tuning:tune"),
    "plan": ("Show what fitting takes on a cluster, before renting one", "planning:plan"),
    "status": ("Show what is in this home, and what is served", "home:status"),
    "forget": ("Remove a listener or an import, and all that was made from it", "library:forget"),
    "releases": ("List, activate and unpin releases", "home:releases"),
    "rollback": ("Serve an earlier release and pin it", "home:rollback"),
    "backup": ("Write accounts, listens, feedback and playlists into a file", "accounts:backup"),
    "restore": ("Replace them by those of a backup", "accounts:restore"),
    "verify": ("Read every byte against its checksum", "home:verify"),
    "config": ("Show the settings", "home:config"),
    "doctor": ("Check the installation, the machine and the home", "doctor:doctor"),
    "completion": ("Print the completion script for a shell", "completion:completion"),
}
"""What each command does, and "module:attribute" in this room; a surface's command is made from its own registry."""


def load_command(name: str) -> click.Command | None:
    """Import and return the command ``name``; None if there is no such command."""
    if name in SURFACES:
        from crossfade.cli.ask import surface_command

        return surface_command(SURFACES[name])
    if name not in COMMANDS:
        return None
    module, _, attribute = COMMANDS[name][1].partition(":")
    command: click.Command = getattr(importlib.import_module(f"crossfade.cli.{module}"), attribute)
    return command
