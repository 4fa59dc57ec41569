"""``crossfade serve``."""

import click

from crossfade.cli.options import home_option, live_of, releases_of
from crossfade.core.home import Home


@click.command()
@click.option("--host", default=None, help="The address to listen at, by default that of the settings: 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="The port; 0 picks a free one.")
@home_option
def serve(home: Home, host: str | None, port: int | None) -> None:
    """Answer over HTTP until stopped. New releases are picked up as they become active."""
    import dataclasses

    from crossfade.pipeline.settings import Settings
    from crossfade.serve.server import serve as serve_http

    settings = Settings.of(home)
    chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    address = dataclasses.replace(settings.section("serve"), **chosen)
    serve_http(releases_of(home), address, live=live_of(home), station=settings.section("station"))
