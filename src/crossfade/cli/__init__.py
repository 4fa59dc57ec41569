"""The command line: parse, call, print. What the commands do is in the rooms below.

A file has the commands of one topic. It is imported when one of them is called, so that ``crossfade --help`` answers at
once. Exit codes are those of `crossfade.core.errors`; 2 is a usage error, 130 an interruption.
"""

import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from crossfade.cli.options import SuggestingGroup, group_home_option
from crossfade.cli.registry import COMMANDS, load_command
from crossfade.cli.reporting import end_with_starter
from crossfade.cli.terminal import hold_standard_descriptors, outputs, printable
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import CrossfadeError
from crossfade.core.version import __version__

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """End the process with a message instead of a traceback when an error of ours, or of a file, comes out."""
    try:
        with translated_storage_errors(Path()):
            yield
    except CrossfadeError as error:
        message, code = str(error), error.exit_code
    except OSError as error:
        message, code = f"{error.filename or 'The system'}: {error.strerror or error}.", CrossfadeError.exit_code
    else:
        return
    click.echo(f"Error: {printable(message)}", err=True)
    sys.exit(code)


class CommandGroup(SuggestingGroup):
    """All commands by name; each is imported only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command ``cmd_name``, or None."""
        return load_command(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line a command, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (what, _) in COMMANDS.items()])

    def main(self, *args: Any, **options: Any) -> Any:
        """Parse and run; our own errors and those of the operating system become messages with their exit codes."""
        try:
            with outputs(), _reported():
                if request := os.environ.get("_CROSSFADE_COMPLETE"):
                    from crossfade.cli.completion import answer

                    answer(self, request)
                    sys.exit()
                return super().main(*args, **options)
        except CrossfadeError as error:
            # Nothing is left to write it to but the stream itself.
            sys.stderr.write(f"Error: {printable(str(error))}\n")
            sys.exit(error.exit_code)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and end well when it is interrupted."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted. What was complete is kept; the same command goes on from there.", err=True)
            ctx.exit(INTERRUPTED)


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start with `crossfade demo`, or bring your own: `crossfade import PATH`, then `crossfade run`.",
)
@group_home_option
@click.version_option(__version__, prog_name="crossfade")
def crossfade() -> None:
    """Recommendations from listening history: Discover, Related, Radio."""


def main() -> None:
    """The entry point of the ``crossfade`` command."""
    hold_standard_descriptors()
    end_with_starter()
    try:
        crossfade(prog_name="crossfade")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            # A step that has not stopped yet would crash while the interpreter is taken down around its thread.
            os._exit(INTERRUPTED)
        raise
    finally:
        # The end of the process frees everything; the interpreter would first look through it all, several times.
        gc.disable()
