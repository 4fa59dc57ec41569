"""The other libraries: which are installed, and why the rest cannot take part."""

import importlib
from collections.abc import Iterable
from importlib import metadata

DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "faiss": "faiss-cpu",
}
"""Of modules whose distribution has another name."""


def version(module: str) -> str:
    """The version that is installed; PackageNotFoundError if none is."""
    return metadata.version(DISTRIBUTIONS.get(module, module))


def present(modules: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Versions of those that can be imported, and the reasons of those that cannot. Missing peers stop nothing."""
    versions, skipped = {}, {}
    for module in modules:
        try:
            importlib.import_module(module)
            versions[module] = version(module)
        except metadata.PackageNotFoundError:
            versions[module] = "unknown"
        # A wheel may be built for another system, or want a library that is not here: OSError, AttributeError, …
        except Exception as error:  # noqa: BLE001
            skipped[module] = f"{type(error).__name__}: {error}".splitlines()[0]
    return versions, skipped
