"""The server: a socket, and the application behind it in one process or several."""

import contextlib
import dataclasses
import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from crossfade.core.errors import BusyError, MissingExtraError, SettingsError
from crossfade.core.home import Home
from crossfade.live.music_folder import MusicFolder
from crossfade.serve.logs import log_readably
from crossfade.serve.settings import ServeSettings
from crossfade.stores.live_contract import LiveState
from crossfade.stores.releases import Releases
from crossfade.surfaces.station import DEFAULTS, StationSettings

GRACE_SECONDS = 10
"""What requests that are under way get to end once the server is stopped."""

_EXTRA = frozenset({"fastapi", "prometheus_client", "pydantic", "starlette", "uvicorn"})

_log = logging.getLogger("crossfade.serve")


def serve(
    opened: Callable[[], tuple[Releases, LiveState | None]],
    settings: ServeSettings,
    *,
    station: StationSettings = DEFAULTS,
    music: Callable[[], MusicFolder] | None = None,
    home: Home | None = None,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Answer over HTTP until interrupted; ``ready`` is called with the address once connections are accepted.

    opened   opens the releases and the live state, in each process anew; with several it is sent there by pickle.
             Without a live state the server only reads
    station  how stations are drawn
    music    opens the folder that players get, as ``opened`` does; None without one
    home     that of the library, for imports and runs from the web page; None for a server without them

    Raises MissingExtraError without the extra ``serve``, BusyError if the port is taken, SettingsError if the address
    cannot be listened at.
    """
    try:
        import uvicorn

        from crossfade.serve import workers
        from crossfade.serve.connections import BACKLOG, Connection
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise MissingExtraError("Serving over HTTP", extra="serve") from error

    log_readably()
    shared = settings.workers > 1
    with listening(settings, workers.SharedAddress.bound if shared else _bound) as listener:
        application = workers.Application(opened, settings, station, music, home)
        if shared:
            application.try_out()
        # uvicorn's own access log would record who asked for what; the application logs routes instead.
        config = uvicorn.Config(
            application if shared else application(),
            factory=shared,
            workers=settings.workers,
            loop="asyncio",
            http=Connection,
            ws="none",
            backlog=BACKLOG,
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=True,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        address = _address(listener, settings.host)

        def begin() -> None:
            _log.info("Listening at %s, until interrupted.", address)
            if not settings.is_local:
                _log.warning("There is no login: whoever can reach %s can read this library.", address)
            if ready is not None:
                ready(address)

        if threading.current_thread() is threading.main_thread():
            # uvicorn raises the signal again once all is ended: that of systemd is no more an error than Ctrl-C.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            if isinstance(listener, workers.SharedAddress):
                workers.run(config, listener, begin)
            else:
                begin()
                uvicorn.Server(config).run(sockets=[listener])
        _log.info("Stopped.")


def listening(
    settings: ServeSettings, bound: Callable[[int, tuple[Any, ...]], socket.socket] | None = None
) -> socket.socket:
    """Return a socket at the address of ``settings``, made by ``bound``; errors as for `serve`."""
    try:
        family, _, _, _, place = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"Cannot listen at {settings.host}: {error}. Choose another with --host.") from error
    try:
        return (bound or _bound)(family, place)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise BusyError(f"Port {settings.port} is used by another program. Choose another with --port.") from error
        raise SettingsError(f"Cannot listen at {settings.host} port {settings.port}: {error.strerror}.") from error


def free_port(settings: ServeSettings) -> ServeSettings:
    """Return ``settings`` with any free port where theirs is taken; errors as for `serve` otherwise."""
    try:
        listening(settings).close()
    except BusyError:
        return dataclasses.replace(settings, port=0)
    return settings


def _bound(family: int, place: tuple[Any, ...]) -> socket.socket:
    # Only with the protocol named does asyncio send the parts of an answer at once, instead of 40 ms apart.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _address(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
