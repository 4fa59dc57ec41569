"""Which earlier fit a fit starts from, if any: decision 17.

A start is an input of the artifact like any other: its fingerprint is part of the identity. What was fitted on an
import that has been removed since is never a start, so what was forgotten stays forgotten.
"""

from collections.abc import Iterator
from dataclasses import replace

from crossfade.core.artifacts import Manifest, is_whole, read_manifest
from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.pipeline.learning import START, WARM_FITS, FitModel
from crossfade.pipeline.steps import Step, place_of

MOST_WARM_FITS = 30
"""Fits in a row that start from the one before; the next one starts from nothing. A month of days."""

LEAST_PLAYS = 1_000_000
"""Listens and counts of a library below which a fit takes seconds, and always starts from nothing."""


def warmed(home: Home, fit: FitModel, source: Step) -> FitModel:
    """Return ``fit`` as it was made before from the same input; else starting from the newest fit that allows it.

    That fit has the same settings, and learned only from imports that ``source`` reads too, counted in the same way.
    """
    earlier = list(_earlier(home, fit))
    for manifest in earlier:
        if manifest.identity.inputs.get(fit.source) == fit.needs[fit.source]:
            same = _continued(fit, manifest.identity.inputs.get(START, ""), manifest)
            if same.fingerprint == manifest.fingerprint and same.is_done(home):
                return same
    for manifest in earlier[:1]:
        start = _continued(fit, manifest.fingerprint, manifest, 1)
        if (
            start.warm_fits <= MOST_WARM_FITS
            and _continues(home, manifest, source)
            and is_whole(place_of(home, fit.name, start.start), start.start)
        ):
            return start
    return fit


def _continued(fit: FitModel, start: str, manifest: Manifest, more: int = 0) -> FitModel:
    return replace(fit, start=start, warm_fits=int(manifest.identity.settings.get(WARM_FITS, 0)) + more)


def _earlier(home: Home, fit: FitModel) -> Iterator[Manifest]:
    """The fits of the same settings by this version of Crossfade, the newest first."""
    places = [place for place in (home.runs / fit.name).glob("[0-9a-f]*") if place.is_dir()]
    for place in sorted(places, key=lambda place: place.stat().st_mtime_ns, reverse=True):
        try:
            manifest = read_manifest(place)
        except ArtifactError:
            continue
        settings = {name: value for name, value in manifest.identity.settings.items() if name != WARM_FITS}
        if settings == dict(fit.settings) and manifest.identity.fingerprint == manifest.fingerprint:
            yield manifest


def _continues(home: Home, manifest: Manifest, source: Step) -> bool:
    """Return whether an earlier fit learned from some of the imports of ``source``, by the same settings."""
    try:
        counted = read_manifest(place_of(home, source.name, manifest.identity.inputs[source.name])).identity
    except (ArtifactError, KeyError):
        return False
    learned = {name: digest for name, digest in counted.inputs.items() if name not in source.needs}
    return dict(counted.settings) == dict(source.settings) and learned.items() <= source.imports.items()
