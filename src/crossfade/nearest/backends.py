"""Building and opening indexes, and which backend a catalogue gets."""

import importlib
from pathlib import Path

from crossfade.core.errors import ArtifactError
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Metric, VectorSpace
from crossfade.nearest.contract import DEFAULT_SETTINGS as DEFAULT_SETTINGS
from crossfade.nearest.contract import Index, IndexSettings
from crossfade.nearest.registry import BACKENDS

LARGE = 100_000
"""Items from which on "auto" means clusters: exact search of all neighbours of all items takes a quarter of a minute
there on two processors, and four times as long for twice as many. See docs/decisions/0006-clusters.md."""


def backend_class(name: str) -> type[Index]:
    """The class registered as ``name``."""
    module, _, attribute = BACKENDS[name].partition(":")
    backend: type[Index] = getattr(importlib.import_module(module), attribute)
    return backend


def chosen_backend(settings: IndexSettings, items: int) -> str:
    """The name of the backend for a catalogue of ``items``."""
    if settings.backend != "auto":
        return settings.backend
    return "clusters" if items >= LARGE else "exact"


def build_index(
    space: VectorSpace,
    metric: Metric,
    settings: IndexSettings = DEFAULT_SETTINGS,
    *,
    progress: Progress = silent,
) -> Index:
    """Index ``space`` with the backend that its size and the ``settings`` ask for.

    Raises InputError for vectors that are not finite, MissingExtraError where the backend's library is missing.
    """
    return backend_class(chosen_backend(settings, len(space.item_ids))).build(
        space, metric, settings, progress=progress
    )


def load_index(directory: Path, space: VectorSpace) -> Index:
    """Open an index of any backend; the errors are those of `Index.load`."""
    from crossfade.nearest.files import describe

    backend = describe(directory).backend
    if backend not in BACKENDS:
        raise ArtifactError(f"{directory} has an index of the kind {backend!r}, which this version does not know.")
    return backend_class(backend).load(directory, space)
