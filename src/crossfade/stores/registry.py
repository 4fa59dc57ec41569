"""Every store of releases: one line each; its code is loaded only when it is opened."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

from crossfade.core.errors import SettingsError
from crossfade.core.home import Home
from crossfade.core.settings import Checked
from crossfade.stores.contract import Registry, TableStore
from crossfade.stores.live_contract import LiveState
from crossfade.stores.releases import Releases

STORES: Mapping[str, str] = {
    "sqlite": "crossfade.stores.sqlite:open_store",
}
"""A function of each store, as "module:function", that makes its registry and its tables from a home."""

LIVE: Mapping[str, str] = {
    "sqlite": "crossfade.stores.live_sqlite:open_live",
}
"""A function of each store, as "module:function", that opens the live state of a home."""


@dataclass(frozen=True, kw_only=True)
class StoreSettings(Checked):
    """Where releases and the live state are kept."""

    kind: str = "sqlite"  # the store: "sqlite" keeps all in files of this machine

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in STORES:
            raise SettingsError(f"kind must be one of {', '.join(STORES)}, not {self.kind!r}")


def open_store(home: Home, settings: StoreSettings | None = None) -> tuple[Registry, TableStore]:
    """Return the registry and the tables of the store that ``settings`` name."""
    module, _, function = STORES[(settings or StoreSettings()).kind].partition(":")
    store: tuple[Registry, TableStore] = getattr(importlib.import_module(module), function)(home)
    return store


def open_live(home: Home, settings: StoreSettings | None = None) -> LiveState:
    """Return the live state of ``home``, in the store that ``settings`` name; a new one if there was none."""
    module, _, function = LIVE[(settings or StoreSettings()).kind].partition(":")
    live: LiveState = getattr(importlib.import_module(module), function)(home)
    return live


def open_releases(home: Home, settings: StoreSettings | None = None) -> Releases:
    """Return the releases of ``home``, in the store that ``settings`` name."""
    return Releases(home.releases, *open_store(home, settings))
