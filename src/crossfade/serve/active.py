"""The release that is being served: opened once, shared by all requests, replaced when another becomes active."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from crossfade.core.errors import ArtifactError, CrossfadeError, NotReadyError, StorageError
from crossfade.stores.releases import Release, Releases
from crossfade.surfaces.asking import OpenRelease

CHECK_SECONDS = 1.0
"""How often, at most, the registry is asked which release is active."""

PREPARING_SECONDS = 5.0
"""How long a release is prepared before it is served all the same: who removes the one before waits for that."""

_log = logging.getLogger("crossfade.serve")


class NoReleaseError(NotReadyError):
    """There is nothing to serve yet."""


@dataclass(eq=False)
class _Shared:
    release: Release
    opened: OpenRelease
    readers: int = 0
    replaced: bool = False


class ActiveRelease:
    """Lends each request one whole release, whatever is published meanwhile.

    If a new release cannot be opened, the one before is still served, and the log says why. If there is none any more,
    nothing is served.

    prepare  what is done with a release before requests get it, so that none of them waits for it; `turn` has to be
             called now and then. The first release is lent at once
    """

    def __init__(self, releases: Releases, *, check_seconds: float = CHECK_SECONDS) -> None:
        self.pinned = False
        self.prepare: Callable[[OpenRelease], object] | None = None
        self._prepared = ""
        self._next: _Shared | None = None
        self._releases = releases
        self._check_seconds = check_seconds
        self._lock = threading.Lock()
        self._shared: _Shared | None = None
        self._checked_at = float("-inf")
        self._warned = ""

    @contextlib.contextmanager
    def reading(self) -> Iterator[OpenRelease]:
        """Lend the active release until the block ends.

        Raises NoReleaseError before the first release, ArtifactError if it is damaged and none was open before.
        """
        with self._lock:
            self._refresh()
            if self._shared is None:
                raise NoReleaseError("There is no release to serve yet.")
            shared = self._shared
            shared.readers += 1
        try:
            yield shared.opened
        finally:
            with self._lock:
                shared.readers -= 1
                self._close_unread(shared)

    def turn(self) -> None:
        """Turn to another release if one has become active, and prepare it before; errors are left to the requests.

        For one thread at a time.
        """
        with contextlib.suppress(CrossfadeError):
            if self.prepare is not None:
                self._prepare(self.prepare)
            with self._lock:
                self._refresh()

    def close(self) -> None:
        """Let go of the release once its last reader is done."""
        with self._lock:
            self._replace(None)
            self._close_next(self._next)
            self._next = None
            self._checked_at = float("-inf")

    def _refresh(self) -> None:
        if time.monotonic() - self._checked_at < self._check_seconds:
            return
        try:
            active = self._releases.active()
            if self._shared is None or self._shared.release.version != active.version:
                if self.prepare is not None and self._shared is not None and self._version_of_next != active.version:
                    return  # until it is prepared
                shared, self._next = self._next, None
                if shared is None or shared.release.version != active.version:
                    self._close_next(shared)
                    release = self._releases.open()
                    shared = _Shared(release, OpenRelease(release))
                self._replace(shared)
                _log.info("Serving release %s.", shared.release.version)
            self.pinned = active.pinned
            self._warned = ""
        except NotReadyError:
            # `crossfade forget` has removed what was served, and nothing is left instead.
            self._replace(None)
            return
        except (ArtifactError, StorageError) as error:
            if self._shared is None:
                raise
            version = self._shared.release.version
            self._warn(f"Still serving release {version}: the active one could not be opened ({error})")
        # A failure is not asked for again by every request either, once there is something to serve. It may have taken
        # long, where a server is waited for.
        self._checked_at = time.monotonic()

    def _prepare(self, prepare: Callable[[OpenRelease], object]) -> None:
        """Prepare the active release, unless that was done, and have it ready to be served."""
        version = self._releases.active().version
        if version == self._prepared:
            return
        with self._lock:
            served = self._shared is not None and self._shared.release.version == version
        if served:
            with self.reading() as opened:
                prepare(opened)
        else:
            release = self._releases.open()
            shared = _Shared(release, OpenRelease(release))
            preparing = threading.Thread(target=prepare, args=(shared.opened,), name="preparing", daemon=True)
            preparing.start()
            preparing.join(PREPARING_SECONDS)
            with self._lock:
                before, self._next = self._next, shared
                self._close_next(before)
                self._checked_at = float("-inf")
        self._prepared = version

    @property
    def _version_of_next(self) -> str | None:
        return None if self._next is None else self._next.release.version

    def _close_next(self, shared: _Shared | None) -> None:
        if shared is not None:
            shared.release.close()

    def _replace(self, shared: _Shared | None) -> None:
        before, self._shared = self._shared, shared
        if before is not None:
            before.replaced = True
            self._close_unread(before)

    def _close_unread(self, shared: _Shared) -> None:
        if shared.replaced and not shared.readers:
            shared.release.close()

    def _warn(self, message: str) -> None:
        """Log ``message``, once as long as it stays the same."""
        if message != self._warned:
            _log.warning(message)
            self._warned = message
