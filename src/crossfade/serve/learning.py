"""Learning while serving: another process makes a new release when something has come in.

The server goes on answering from the release that it has, and turns to the new one as to any other.
"""

import contextlib
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence

from crossfade.core.errors import CrossfadeError
from crossfade.stores.live_contract import LiveState

NICENESS = 10
"""How much the run gives way to requests."""

ASKED_SECONDS = 0.2
"""How often it is asked whether a run has ended, or the server."""

_log = logging.getLogger("crossfade.serve")


class Learning:
    """Runs ``command`` when anybody's taste has changed in ``live``, at most once in ``seconds``."""

    def __init__(self, live: LiveState, command: Sequence[str], seconds: float) -> None:
        self._live = live
        self._command = [*command]
        self._seconds = seconds
        self._ended = threading.Event()
        self._learned = 0

    def go_on(self) -> None:
        """Learn whenever there is something to learn, until `end`."""
        while True:
            try:
                self.catch_up()
            except (CrossfadeError, OSError) as error:
                _log.warning("Could not learn from new listens: %s", error)
            if self._ended.wait(self._seconds):
                return

    def catch_up(self) -> bool:
        """Run the command if something has come in since it last succeeded; return whether it did."""
        changes = self._live.changes()
        if changes == self._learned:
            return False
        _log.info("Learning from new listens.")
        status = self._status()
        if status == 0:
            self._learned = changes
        elif status is not None:
            # What the command says may name people.
            _log.warning("Learning from new listens failed with status %d. See `crossfade run`.", status)
        return status == 0

    def end(self) -> None:
        """Stop; a run that is under way is ended too, and the next one goes on from there."""
        self._ended.set()

    def _status(self) -> int | None:
        """Run the command and return its status; None if it was ended."""
        with subprocess.Popen(  # noqa: S603 (the command is our own)
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            with contextlib.suppress(OSError):  # it has ended, or the system knows no such priorities
                os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
            while (status := process.poll()) is None:
                if self._ended.wait(ASKED_SECONDS):
                    process.terminate()
            return None if self._ended.is_set() else status


@contextlib.contextmanager
def learning(opened: Callable[[], LiveState], command: Sequence[str], seconds: float) -> Iterator[None]:
    """Learn beside what the block does; ``opened`` opens the live state."""
    with contextlib.closing(opened()) as live:
        learner = Learning(live, command, seconds)
        thread = threading.Thread(target=learner.go_on, name="learning")
        thread.start()
        try:
            yield
        finally:
            learner.end()
            thread.join()
