"""The release that is being served: opened once, shared by all requests, exchanged when another becomes active."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from crossfade.core.errors import ArtifactError, NotReadyError, StorageError
from crossfade.stores.contract import ReleaseReader, ReleaseStore

CHECK_SECONDS = 1.0
"""How often, at most, the store is asked which release is active."""

_log = logging.getLogger("crossfade.serve")


@dataclass(eq=False)
class _Shared:
    reader: ReleaseReader
    users: int = 0
    replaced: bool = False


class ActiveRelease:
    """Gives each request the reader of one whole release, whatever is published meanwhile.

    Where a new release cannot be opened, the one before goes on being served, and the log says why.
    """

    def __init__(self, store: ReleaseStore, *, check_seconds: float = CHECK_SECONDS) -> None:
        self._store = store
        self._check_seconds = check_seconds
        self._lock = threading.Lock()
        self._shared: _Shared | None = None
        self._checked_at = float("-inf")
        self._said = ""

    @contextlib.contextmanager
    def reading(self) -> Iterator[ReleaseReader]:
        """The reader of the active release, open until the block ends.

        Raises NotReadyError before the first release, ArtifactError if it is damaged and none was open before.
        """
        with self._lock:
            self._refresh()
            if self._shared is None:
                raise NotReadyError("There is no release to serve yet.")
            shared = self._shared
            shared.users += 1
        try:
            yield shared.reader
        finally:
            with self._lock:
                shared.users -= 1
                if shared.replaced and not shared.users:
                    shared.reader.close()

    def close(self) -> None:
        """Let go of the release; those who are reading may finish."""
        with self._lock:
            self._replace(None)
            self._checked_at = float("-inf")

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._checked_at < self._check_seconds:
            return
        try:
            version = self._store.current()
            if self._shared is None or self._shared.reader.version != version:
                self._replace(_Shared(self._store.open(version)))
                _log.info("Serving release %s.", version)
            self._said = ""
        except NotReadyError:
            if self._shared is None:
                return
        except (ArtifactError, StorageError) as error:
            if self._shared is None:
                raise
            self._warn(f"Release {self._shared.reader.version} is served on, since the active one cannot be: {error}")
        # A failure is not asked for again by every request either, once there is something to serve.
        self._checked_at = now

    def _replace(self, shared: _Shared | None) -> None:
        before, self._shared = self._shared, shared
        if before is not None:
            before.replaced = True
            if not before.users:
                before.reader.close()

    def _warn(self, message: str) -> None:
        """Say ``message`` once, however often it is found."""
        if message != self._said:
            _log.warning(message)
            self._said = message
