"""The server: a socket, the application behind it, and a readable log."""

import errno
import logging
import socket
import time
from collections.abc import Callable

from crossfade.core.errors import BusyError, MissingExtraError, SettingsError
from crossfade.serve.settings import ServeSettings
from crossfade.stores.live import LiveState
from crossfade.stores.releases import Releases
from crossfade.surfaces.station import DEFAULTS, StationSettings

MOST_MESSAGES = 1000  # different ones that are remembered

REPEATED_SECONDS = 60.0
"""The same warning of another library is logged once in so many seconds."""

_log = logging.getLogger("crossfade.serve")


def serve(
    releases: Releases,
    settings: ServeSettings,
    *,
    live: LiveState | None = None,
    station: StationSettings = DEFAULTS,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Answer over HTTP until interrupted; ``ready`` is called with the address once connections are accepted.

    Without a ``live`` state it only reads. ``station`` is how stations are drawn. Raises MissingExtraError without the
    extra ``serve``, BusyError if the port is taken, SettingsError if the address cannot be listened at.
    """
    try:
        import uvicorn

        from crossfade.serve.active import ActiveRelease
        from crossfade.serve.app import create_app
        from crossfade.serve.connections import BACKLOG, Connection
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {
            "fastapi",
            "prometheus_client",
            "pydantic",
            "starlette",
            "uvicorn",
        }:
            raise
        raise MissingExtraError("Serving over HTTP", extra="serve") from error

    _log_readably()
    with listening(settings) as listener:
        # uvicorn's own access log would record who asked for what; the application logs routes instead.
        config = uvicorn.Config(
            create_app(ActiveRelease(releases), settings, live=live, station=station),
            loop="asyncio",
            http=Connection,
            ws="none",
            backlog=BACKLOG,
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=True,
        )
        address = _address(listener, settings.host)
        _log.info("Listening at %s, until interrupted.", address)
        if not settings.is_local:
            _log.warning("There is no login: whoever can reach %s can read this library.", address)
        if ready is not None:
            ready(address)
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            _log.info("Stopped.")


def listening(settings: ServeSettings) -> socket.socket:
    """Return a socket that accepts connections at the address of ``settings``; errors as for `serve`."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"Cannot listen at {settings.host}: {error}. Choose another with --host.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise BusyError(f"Port {settings.port} is used by another program. Choose another with --port.") from error
        raise SettingsError(f"Cannot listen at {settings.host} port {settings.port}: {error.strerror}.") from error
    return listener


def _address(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _log_readably() -> None:
    """Log one line an event to standard error, with the time; from other libraries only warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    others = logging.StreamHandler()
    others.setFormatter(handler.formatter)
    others.addFilter(Seldom())
    for name, level, to in (
        ("crossfade.serve", logging.INFO, handler),
        ("uvicorn", logging.WARNING, others),
        ("asyncio", logging.WARNING, others),
    ):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [to], False
        logger.setLevel(level)
    logging.getLogger("crossfade.serve.connections").filters = [Seldom()]


class Seldom(logging.Filter):
    """Passes a message on once in `REPEATED_SECONDS`, without the traceback of what the machine is short of."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message was not logged lately."""
        text = record.getMessage().partition("\n")[0]
        now = time.monotonic()
        if now - self._last.get(text, float("-inf")) < REPEATED_SECONDS:
            return False
        if len(self._last) >= MOST_MESSAGES:
            self._last.clear()
        self._last[text] = now
        if record.exc_info and isinstance(record.exc_info[1], OSError):
            record.msg, record.args, record.exc_info = f"{text}: {record.exc_info[1]}", None, None
        return True
