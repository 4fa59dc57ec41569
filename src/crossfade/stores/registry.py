"""Every store of releases: one line each; its code is loaded only when it is opened."""

import importlib
from collections.abc import Mapping

from crossfade.core.errors import SettingsError
from crossfade.core.home import Home
from crossfade.stores.contract import ReleaseStore

DEFAULT = "sqlite"

STORES: Mapping[str, str] = {
    "sqlite": "crossfade.stores.sqlite:SQLiteStore",
}
"""The class of each store, as "module:class"; it is made from the home's directory of releases."""


def open_store(home: Home, name: str = DEFAULT) -> ReleaseStore:
    """The store of that ``name``, of the releases of ``home``; SettingsError for a name that does not exist."""
    if name not in STORES:
        raise SettingsError(f"There is no store {name!r}. There are: {', '.join(STORES)}.")
    module, _, cls = STORES[name].partition(":")
    store: ReleaseStore = getattr(importlib.import_module(module), cls)(home.releases)
    return store
