"""Every store of releases: one line each; its code is loaded only when it is opened."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossfade.core.errors import SettingsError
from crossfade.core.home import Home
from crossfade.core.settings import Checked
from crossfade.stores.cassandra_settings import CassandraSettings
from crossfade.stores.contract import Registry, TableStore
from crossfade.stores.live_contract import LiveState
from crossfade.stores.releases import Releases

STORES: Mapping[str, str] = {
    "sqlite": "crossfade.stores.sqlite:open_store",
    "cassandra": "crossfade.stores.cassandra:open_store",
}
"""A function of each store, as "module:function", that makes its registry and tables from a home and the settings."""

LIVE: Mapping[str, str] = {
    "sqlite": "crossfade.stores.live_sqlite:open_live",
    "cassandra": "crossfade.stores.live_cassandra:open_live",
}
"""A function of each store, as "module:function", that opens the live state from a home and the settings."""


@dataclass(frozen=True, kw_only=True)
class StoreKind(Checked):
    """Which store it is; the settings of each kind are beside it in `StoreSettings`."""

    kind: str = "sqlite"  # the store: "sqlite" keeps all in files of this machine, "cassandra" in a cluster

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in STORES:
            raise SettingsError(f"kind must be one of {', '.join(STORES)}, not {self.kind!r}")


@dataclass(frozen=True, kw_only=True)
class StoreSettings(CassandraSettings, StoreKind):
    """Where releases and the live state are kept."""


def open_store(home: Home, settings: StoreSettings | None = None) -> tuple[Registry, TableStore]:
    """Return the registry and the tables of the store that ``settings`` name."""
    store: tuple[Registry, TableStore] = _opened(STORES, home, settings)
    return store


def open_live(home: Home, settings: StoreSettings | None = None) -> LiveState:
    """Return the live state of ``home``, in the store that ``settings`` name; a new one if there was none."""
    live: LiveState = _opened(LIVE, home, settings)
    return live


def has_live(home: Home, settings: StoreSettings | None = None) -> bool:
    """Return whether there is a live state to open; a store that is a server makes its own."""
    kind = (settings or StoreSettings()).kind
    return home.live.exists() if kind == "sqlite" else kind in LIVE


def open_releases(home: Home, settings: StoreSettings | None = None) -> Releases:
    """Return the releases of ``home``, in the store that ``settings`` name."""
    return Releases(home.releases, *open_store(home, settings))


def _opened(functions: Mapping[str, str], home: Home, settings: StoreSettings | None) -> Any:
    settings = settings or StoreSettings()
    module, _, function = functions[settings.kind].partition(":")
    return getattr(importlib.import_module(module), function)(home, settings)
