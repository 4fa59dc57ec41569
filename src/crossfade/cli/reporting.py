"""A command and the program that started it: its progress as a file of JSON, replaced twice a second, and its end."""

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from crossfade.core.artifacts import write_file
from crossfade.core.errors import CrossfadeError
from crossfade.core.progress import REPORT

SECONDS = 0.5


@contextlib.contextmanager
def reported(state: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """Write what ``state`` returns into the file that the environment names, if it does, while the block runs."""
    place = os.environ.get(REPORT)
    if not place:
        yield
        return
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(SECONDS):
            _write(Path(place), state())

    thread = threading.Thread(target=report, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _write(Path(place), state())


def end_with_starter() -> None:
    """Interrupt this command at the end of its input, if its progress is for a program: that program has ended."""
    if os.environ.get(REPORT):
        threading.Thread(target=_interrupt, name="starter", daemon=True).start()


def _interrupt() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)


def _write(place: Path, state: dict[str, Any]) -> None:
    with contextlib.suppress(CrossfadeError, OSError):  # no work fails because nobody can see it
        write_file(place, json.dumps(state).encode())
