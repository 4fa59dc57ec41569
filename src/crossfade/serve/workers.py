"""Several processes that answer at one address, over the same releases and the same live state.

Each process has a socket of its own at the address, and the kernel spreads connections over them (SO_REUSEPORT).
uvicorn's supervisor starts the processes, replaces one that ends, and ends them with itself. They share nothing but the
home, so whatever one of them answers, the others do: releases are immutable, and the live state is a database.
"""

import os
import signal
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from uvicorn import Config
from uvicorn.supervisors import Multiprocess

from crossfade.core.home import Home
from crossfade.live.music_folder import MusicFolder
from crossfade.serve.active import ActiveRelease
from crossfade.serve.app import create_app
from crossfade.serve.logs import log_readably
from crossfade.serve.metrics import SHARED
from crossfade.serve.settings import ServeSettings
from crossfade.stores.live_contract import LiveState
from crossfade.stores.releases import Releases
from crossfade.surfaces.station import StationSettings

START_SECONDS = 60.0
"""What a process may take until it answers: it loads libraries, and the kernels that are compiled."""

Opened = tuple[Releases, LiveState | None]


@dataclass(frozen=True)
class Application:
    """Makes the application, in whichever process it is called; ``opened`` opens what it serves there."""

    opened: Callable[[], Opened]
    settings: ServeSettings
    station: StationSettings
    music: Callable[[], MusicFolder] | None = None
    home: Home | None = None

    def __call__(self) -> FastAPI:
        """Return an application of this process's own."""
        log_readably()  # a new process knows nothing of it
        releases, live = self.opened()
        music = None if self.music is None else self.music()
        return create_app(
            ActiveRelease(releases), self.settings, live=live, station=self.station, music=music, home=self.home
        )

    def try_out(self) -> None:
        """Open what is served and close it again, so that an error is raised here instead of in each process."""
        if self.music is not None:
            self.music()
        _, live = self.opened()
        if live is not None:
            live.close()


class SharedAddress(socket.socket):
    """A socket at an address that several processes share: sent to another process, it becomes one of that process."""

    @classmethod
    def bound(cls, family: int, place: tuple[Any, ...]) -> "SharedAddress":
        """Return a socket at ``place``, beside others of this class."""
        shared = cls(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # as in `crossfade.serve.server`
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            shared.bind(place)
        except OSError:
            shared.close()
            raise
        return shared

    def __reduce__(self) -> tuple[Any, ...]:
        return SharedAddress.bound, (int(self.family), self.getsockname())


class Workers(Multiprocess):
    """The processes; ``ready`` is called once all of them answer."""

    def __init__(self, config: Config, address: SharedAddress, ready: Callable[[], object]) -> None:
        super().__init__(config, [address])
        self._ready = ready

    def init_processes(self) -> None:
        """Start them."""
        super().init_processes()
        if all(process.wait_until_ready(START_SECONDS, self.should_exit) for process in self.processes):
            self._ready()


def run(config: Config, address: SharedAddress, ready: Callable[[], object]) -> None:
    """Serve with ``config.workers`` processes until a signal ends them; ``config.app`` is an `Application`."""
    ended = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with tempfile.TemporaryDirectory(prefix="crossfade-metrics-") as folder:
        os.environ[SHARED] = folder
        try:
            Workers(config, address, ready).run()
        finally:
            del os.environ[SHARED]
            for number, handler in ended.items():
                signal.signal(number, handler)
