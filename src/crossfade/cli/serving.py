"""``crossfade serve``."""

from pathlib import Path

import click

from crossfade.cli.options import home_option, live_of, served_of
from crossfade.core.home import Home

LEARN_MINUTES = 60


@click.command()
@click.option("--host", default=None, help="The address to listen at, by default that of the settings: 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="The port; 0 picks a free one.")
@click.option("--workers", type=click.IntRange(1, 256), default=None, help="How many processes answer, by default 1.")
@click.option(
    "--music",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=None,
    help="A folder of music files to play to players, by default that of the settings.",
)
@click.option(
    "--learn",
    is_flag=False,
    flag_value=LEARN_MINUTES,
    type=click.IntRange(1, 10_080),
    metavar="[MINUTES]",
    help=f"Run the pipeline when listens have come in, at most every so many minutes, by default {LEARN_MINUTES}.",
)
@click.option("--open", "open_page", is_flag=True, help="Open the web page in a browser, as the library's owner.")
@home_option
def serve(
    home: Home,
    host: str | None,
    port: int | None,
    workers: int | None,
    music: Path | None,
    learn: int | None,
    open_page: bool,
) -> None:
    """Answer over HTTP until stopped. New releases are picked up as they become active."""
    import contextlib
    import dataclasses
    import functools
    import sys

    from crossfade.cli.entering import open_in_browser
    from crossfade.live.music_folder import MusicFolder
    from crossfade.pipeline.settings import Settings
    from crossfade.serve.learning import learning
    from crossfade.serve.server import serve as serve_http

    settings = Settings.of(home)
    chosen = {
        name: value for name, value in (("host", host), ("port", port), ("workers", workers)) if value is not None
    }
    address = dataclasses.replace(settings.section("serve"), **chosen)
    place = music or (Path(address.music).expanduser() if address.music else None)
    folder = None if place is None else functools.partial(MusicFolder, place, home.music)
    with contextlib.ExitStack() as beside:
        if learn is not None:
            command = [sys.executable, "-m", "crossfade", "run", "--home", str(home.path)]
            beside.enter_context(learning(functools.partial(live_of, home), command, learn * 60.0))
        serve_http(
            functools.partial(served_of, home),
            address,
            station=settings.section("station"),
            music=folder,
            home=home,
            ready=functools.partial(open_in_browser, home) if open_page else None,
        )
