"""Forgetting an import or a user: out of the imports, out of everything made from them, and a clean release instead."""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass

from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.home import Home
from crossfade.importing.forgetting import Change, begin, changed_checksums, changes
from crossfade.importing.library import imports
from crossfade.live.learning import require_no_live_import
from crossfade.pipeline.removal import affected, catch_up, finish
from crossfade.pipeline.run import RunResult, run_locked
from crossfade.pipeline.runner import Watch
from crossfade.pipeline.settings import Settings
from crossfade.stores.contract import Version
from crossfade.stores.registry import has_live, open_releases


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What was forgotten, or would be.

    imports    what happens to each import that is concerned
    releases   the releases that are removed, oldest first
    artifacts  how many artifacts of steps are removed
    served     whether one of the releases is the active one
    run        the run that replaced it; None if there was none
    """

    imports: list[Change]
    releases: list[Version]
    artifacts: int
    served: bool
    run: RunResult | None = None


def preview(home: Home, names: Collection[str] = (), users: Collection[str] = ()) -> Forgotten:
    """Return what `forget` would do."""
    releases = open_releases(home, Settings.of(home).section("store"))
    found = changes(home, names, users)
    made = affected(home, releases, changed_checksums(home, found))
    served = None
    with contextlib.suppress(NotReadyError):
        served = releases.active().version
    return Forgotten(
        imports=found, releases=made.releases, artifacts=len(made.artifacts), served=served in made.releases
    )


def forget(
    home: Home, names: Collection[str] = (), users: Collection[str] = (), *, watch: Watch | None = None
) -> Forgotten:
    """Forget the imports called ``names`` and the ``users`` (full ids), until no byte of either is in the home.

    With ``watch``, which is told about it, a run publishes a release without them before the active one is removed.
    Without it, the newest release without them is served, or none. What a kill or an error interrupts is finished by
    the next command that writes. Raises UnknownIdError for an import that does not exist, InputError for that of
    the live state.
    """
    store = Settings.of(home).section("store")
    with home.locked("forget"):
        if unknown := set(names) - {one.name for one in imports(home)}:
            raise UnknownIdError(f"There is no import {min(unknown)!r}.")
        if has_live(home, store):
            require_no_live_import(home, names)
        before = preview(home, names, users)
        begin(home, names, users, before.imports, serve=watch is not None)
        releases = open_releases(home, store)
        result = None
        if catch_up(home, releases) is not None and watch is not None:
            try:
                result = run_locked(home, watch)
            except NotReadyError:
                # Nothing is left to make a release from.
                finish(home, releases)
    return Forgotten(
        imports=before.imports,
        releases=before.releases,
        artifacts=before.artifacts,
        served=before.served,
        run=result,
    )
