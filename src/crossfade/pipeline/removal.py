"""Forgetting, second half: removing what was made from imports as they were before something was forgotten.

An artifact is kept if all that it was made from is kept: imports as they are today, and artifacts. A release is kept if
that holds for all its parts. What cannot be shown to be free of what is forgotten is removed.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from crossfade.core.artifacts import MANIFEST, Manifest, discard, read_manifest
from crossfade.core.errors import ArtifactError, NotReadyError
from crossfade.core.home import Home
from crossfade.core.replacing import remove
from crossfade.demo.settings import audio_place, truth_place
from crossfade.demo.truth import forget_listeners
from crossfade.importing.forgetting import Pending, checksums, clean_imports, pending, record, require_gone
from crossfade.importing.library import imports
from crossfade.pipeline import journal
from crossfade.stores.contract import Version
from crossfade.stores.releases import Releases


@dataclass(frozen=True, kw_only=True)
class Affected:
    """What was made from imports that are gone.

    releases   oldest first
    artifacts  the directories of the artifacts of steps
    """

    releases: list[Version]
    artifacts: list[Path]


def affected(home: Home, releases: Releases, gone: Collection[str]) -> Affected:
    """Return what was made from anything but today's imports without those of the checksums ``gone``."""
    places = sorted(place for place in home.runs.glob("*/[!.]*") if place.is_dir())
    unsure = {place: manifest for place in places if (manifest := _readable(place)) is not None}
    kept = set(checksums(home).values()) - set(gone)
    while clean := [place for place, manifest in unsure.items() if kept.issuperset(manifest.identity.inputs.values())]:
        kept.update(unsure.pop(place).fingerprint for place in clean)
        places = [place for place in places if place not in clean]
    found = [version for version in releases.versions() if not _is_free(releases, version, kept)]
    return Affected(releases=found, artifacts=places)


def catch_up(home: Home, releases: Releases) -> Pending | None:
    """Remove all that is to be forgotten but a release that is served until a run replaces it.

    Returns what is still to be forgotten then. The caller has the home's lock.
    """
    clean_imports(home)
    wish = pending(home)
    if wish is None:
        return None
    if wish.gone:
        found = affected(home, releases, wish.gone)
        wish = replace(wish, releases=tuple(sorted({*wish.releases, *found.releases})))
        # From here on, importing the same files again is no reason to keep these releases.
        record(home, wish)
        for place in found.artifacts:
            discard(place) if (place / MANIFEST).exists() else remove(place)
        for place in (home.unfinished, home.path / "spill", home.jobs, home.evaluation):
            remove(place)
        _forget_world(home)
        journal.prune(home)
        wish = replace(wish, gone=())
        record(home, wish)
    served = _served(releases) if wish.serve else None
    releases.retire([Version(version) for version in wish.releases if version != served])
    if served in wish.releases:
        return wish
    finish(home, releases)
    return None


def finish(home: Home, releases: Releases, keep: Version | None = None) -> None:
    """Remove the releases that are still to be forgotten, except ``keep``, and the record of that.

    Raises StorageError if something cannot be removed; the next command tries again.
    """
    wish = pending(home)
    if wish is None:
        return
    releases.retire([Version(version) for version in wish.releases if version != keep])
    for directory in (home.runs, home.releases):
        require_gone(directory)
    record(home, None)


def _forget_world(home: Home) -> None:
    """Forget the truth about listeners of a demo world, and the sound of one that is gone."""
    try:
        if any(one.invented for one in imports(home)):
            forget_listeners(truth_place(home))
            return
    except ArtifactError:
        pass
    for place in (truth_place(home), audio_place(home)):
        remove(place)


def _served(releases: Releases) -> Version | None:
    try:
        return releases.active().version
    except (NotReadyError, ArtifactError):
        return None


def _readable(place: Path) -> Manifest | None:
    try:
        return read_manifest(place)
    except ArtifactError:
        return None


def _is_free(releases: Releases, version: Version, kept: Collection[str]) -> bool:
    try:
        sources = releases.sources(version)
    except ArtifactError:
        return False
    return bool(sources) and sources <= set(kept)
