"""Earlier results that a run uses again: a fit that is kept (decision 21), a fit that a new one starts from (17), and a
search of settings (20).

Such a fit learned only from imports that are still there, unchanged, by the settings of today: its input has the
fingerprint that a library of these imports alone would give it. So it has nothing of what was forgotten. Every later
artifact names it by its fingerprint.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from crossfade.core.artifacts import Identity, Manifest, is_whole, read_manifest
from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.pipeline.learning import IMPORT, START, WARM_FITS, FitModel, KeepFit, SearchSettings
from crossfade.pipeline.sources import Imports
from crossfade.pipeline.steps import Step, place_of

MOST_WARM_FITS = 30
"""Fits in a row that start from the one before; the next one starts from nothing."""

LEAST_PLAYS = 1_000_000
"""Listens and counts of a library below which a fit takes seconds, and always starts from nothing."""

MOST_NEW_PLAYS = 0.25
"""The share of plays that may have come since a search of settings."""

LEARNED = ("listens", "counts", "playlist_items", "tags", "texts")
"""The tables of imports that models learn from."""


@dataclass(frozen=True, kw_only=True)
class EarlierFits:
    """The fits of earlier runs.

    imports  of today
    rows     of each import, by table
    """

    home: Home
    imports: Imports
    rows: Mapping[str, Mapping[str, int]]

    def instead_of(
        self, fit: FitModel, source: Callable[[Imports], Step | None], *, least_share: float, warm: bool
    ) -> FitModel | KeepFit:
        """Return ``fit`` as it was made before of the same input; else a fit to keep; else ``fit``, maybe warm.

        source       gives the step that makes the input of a model, of some imports alone
        least_share  of today's rows of each table; a fit that is kept learned from more
        warm         whether a fit that is to be made starts from an earlier one, if it can
        """
        earlier = [one for one in self._of_same_settings(fit) if self._continues(one.identity, fit, source)]
        earlier.sort(key=lambda one: (-self._share(one.identity), _warm_fits(one), one.fingerprint))
        whole = (one for one in earlier if is_whole(place_of(self.home, fit.name, one.fingerprint), one.fingerprint))
        newest = next(whole, None)
        if newest is None:
            return fit
        same = replace(fit, start=newest.identity.inputs.get(START, ""), warm_fits=_warm_fits(newest))
        if same.fingerprint == newest.fingerprint:
            return same
        share = self._share(newest.identity)
        if share > least_share:
            return KeepFit(model=fit.model, kind=fit.kind, step=fit.name, fitted_as=newest.fingerprint, share=share)
        start = replace(fit, start=newest.fingerprint, warm_fits=_warm_fits(newest) + 1)
        alike = newest.identity.inputs.get(fit.search) == fit.needs.get(fit.search)
        starts = warm and alike and start.warm_fits <= MOST_WARM_FITS and self.plays >= LEAST_PLAYS
        return start if starts else fit

    def search_instead_of(self, search: SearchSettings) -> SearchSettings:
        """Return ``search`` as it was made before by the same settings, of some of its imports; else itself.

        At most `MOST_NEW_PLAYS` have come since.
        """
        for manifest in self._manifests(search):
            inputs, plays = manifest.identity.inputs, manifest.rows.get("plays", 0)
            same = replace(search, imports=dict(inputs))
            if (
                inputs.items() <= search.imports.items()
                and same.fingerprint == manifest.fingerprint
                and search.plays <= (1 + MOST_NEW_PLAYS) * plays
                and same.is_done(self.home)
            ):
                return same
        return search

    @property
    def plays(self) -> int:
        """Listens and counts of today."""
        return self._total("listens") + self._total("counts")

    def _of_same_settings(self, fit: FitModel) -> Iterator[Manifest]:
        """The fits of the settings of ``fit``, by this version of Crossfade."""
        version = fit.identity.version
        for manifest in self._manifests(fit):
            settings = {name: value for name, value in manifest.identity.settings.items() if name != WARM_FITS}
            searched = fit.search in manifest.identity.inputs
            if (
                searched == fit.searched
                and settings == dict(fit.settings)
                and manifest.identity.version == version
                and manifest.identity.fingerprint == manifest.fingerprint
            ):
                yield manifest

    def _manifests(self, step: Step) -> Iterator[Manifest]:
        """The readable artifacts of the name of ``step``."""
        for place in sorted((self.home.runs / step.name).glob("[0-9a-f]*")):
            with contextlib.suppress(ArtifactError):
                yield read_manifest(place)

    def _continues(self, identity: Identity, fit: FitModel, source: Callable[[Imports], Step | None]) -> bool:
        """Return whether a fit learned from some of today's imports, by today's settings."""
        learned = _learned(identity)
        step = source(learned) if learned and learned.items() <= self.imports.items() else None
        return step is not None and identity.inputs.get(fit.source) == step.fingerprint

    def _share(self, identity: Identity) -> float:
        """The share of today's rows that a fit learned from, in the table that has grown most since."""
        learned = _learned(identity)
        totals = {table: total for table in LEARNED if (total := self._total(table))}
        return min((self._total(table, learned) / total for table, total in totals.items()), default=1.0)

    def _total(self, table: str, imports: Imports | None = None) -> int:
        return sum(self.rows[name].get(table, 0) for name in (self.imports if imports is None else imports))


def _learned(identity: Identity) -> dict[str, str]:
    """The imports that a fit learned from."""
    named = identity.inputs.items()
    return {name.removeprefix(IMPORT): digest for name, digest in named if name.startswith(IMPORT)}


def _warm_fits(manifest: Manifest) -> int:
    return int(manifest.identity.settings.get(WARM_FITS, 0))
