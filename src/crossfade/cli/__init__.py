"""The command line: parse, call, print. What the commands do is in the rooms below.

Commands live one group a file in this room and are imported when they are called, so that
``crossfade --help`` answers at once. Exit codes are those of `crossfade.core.errors`; 2 is a usage error,
130 an interruption.
"""

import os
import sys
from typing import Any

import click

from crossfade import __version__
from crossfade.cli.registry import commands, load_command
from crossfade.core.errors import CrossfadeError


class CommandGroup(click.Group):
    """All commands by name; each is imported only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a person's way through them."""
        return [name for name, _ in commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command ``cmd_name``, or None."""
        return load_command(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line a command, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(commands())

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; our own errors become messages with their exit codes."""
        try:
            return super().invoke(ctx)
        except CrossfadeError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Begin with `crossfade demo`, or bring your own: `crossfade import PATH`, then `crossfade run`.",
)
@click.version_option(__version__, prog_name="crossfade")
def crossfade() -> None:
    """Recommendations from listening history: Discover, Related Artists, Radio."""


def main() -> None:
    """The entry point of the ``crossfade`` command."""
    try:
        crossfade(prog_name="crossfade")
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
