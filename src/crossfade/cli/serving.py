"""``crossfade serve``."""

import click

from crossfade.cli.options import home_option, served_of
from crossfade.core.home import Home


@click.command()
@click.option("--host", default=None, help="The address to listen at, by default that of the settings: 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="The port; 0 picks a free one.")
@click.option("--workers", type=click.IntRange(1, 256), default=None, help="How many processes answer, by default 1.")
@home_option
def serve(home: Home, host: str | None, port: int | None, workers: int | None) -> None:
    """Answer over HTTP until stopped. New releases are picked up as they become active."""
    import dataclasses
    import functools

    from crossfade.pipeline.settings import Settings
    from crossfade.serve.server import serve as serve_http

    settings = Settings.of(home)
    chosen = {
        name: value for name, value in (("host", host), ("port", port), ("workers", workers)) if value is not None
    }
    address = dataclasses.replace(settings.section("serve"), **chosen)
    serve_http(functools.partial(served_of, home), address, station=settings.section("station"))
