"""All settings of a home: ``crossfade.toml``, one table a room, model or surface.

    [run]
    threads = 2

    [models.als]
    factors = 128

A class of settings lives beside what it sets; here they are only found, by the registries, so that a new
model or surface brings its own table with it.
"""

import difflib
import importlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from crossfade.core.errors import SettingsError
from crossfade.core.home import Home
from crossfade.core.settings import Checked, Range, as_table, from_table
from crossfade.kernels.threads import processors
from crossfade.models.registry import MODELS, model_class
from crossfade.pipeline.runner import RUNNERS
from crossfade.surfaces.registry import SURFACES, registered

MAX_THREADS = 1024
"""More threads than any machine that runs this has processors; beyond, systems refuse to start them."""


@dataclass(frozen=True, kw_only=True)
class RunSettings(Checked):
    """What concerns a run as a whole."""

    # the models to fit where their input is available; surfaces are built from the first that compares items
    models: tuple[str, ...] = (
        "blend",
        "als",
        "cooccurrence",
        "cultural",
        "logistic",
        "popularity",
        "vector_exp",
        "word2vec",
    )
    # the models whose settings are searched on a part of the data where nobody sets them; [] for none
    search: tuple[str, ...] = ("als",)
    # how many steps run side by side at most, and how many processors each may use, and an import; 0 for all
    # processors. Results do not depend on it
    threads: Annotated[int, Range(0, MAX_THREADS)] = 0
    # what the steps that run side by side may take by their estimates, in MB; a step that takes more runs alone, and
    # aggregations spill to disk
    memory_mb: Annotated[int, Range(256)] = 4096
    # a fit is kept until so much has come since, in percent of what there is; 0: all are fitted again whenever anything
    # has come
    refit_percent: Annotated[float, Range(0, 100, unit="percent")] = 5.0
    # what runs the steps: "local" is this machine, "spark" the cluster of [spark], "hadoop" that of [hadoop]
    runner: str = "local"
    keep_artifacts: Annotated[int, Range(1)] = 1  # how many results of each step to keep, the newest first
    keep_releases: Annotated[int, Range(2)] = 3  # how many releases to keep, the active one always among them

    def __post_init__(self) -> None:
        """Refuse models and runners that do not exist."""
        super().__post_init__()
        for names, known, what in (
            (self.models, MODELS, "model"),
            (self.search, MODELS, "model"),
            ((self.runner,), RUNNERS, "runner"),
        ):
            if unknown := next((name for name in names if name not in known), None):
                raise SettingsError(f"there is no {what} {unknown!r}; there are: {', '.join(known)}")
        if not self.models:
            raise SettingsError("models must name at least one model")

    @property
    def memory_bytes(self) -> int:
        """``memory_mb`` in bytes."""
        return self.memory_mb * 1_000_000

    @property
    def processors(self) -> int:
        """``threads``, with 0 resolved to what this process may use."""
        return self.threads or processors()


_ROOMS = {
    "run": "crossfade.pipeline.settings:RunSettings",
    "import": "crossfade.importing.cleaning:CleaningSettings",
    "catalog": "crossfade.catalog.identity:CatalogSettings",
    "interactions": "crossfade.aggregation.interactions:InteractionSettings",
    "sequences": "crossfade.aggregation.sequences:SequenceSettings",
    "index": "crossfade.nearest.contract:IndexSettings",
    "neighbours": "crossfade.ranking.neighbourhood:NeighbourSettings",
    "station": "crossfade.surfaces.station:StationSettings",
    "store": "crossfade.stores.registry:StoreSettings",
    "serve": "crossfade.serve.settings:ServeSettings",
    "hadoop": "crossfade.cluster.hadoop_settings:HadoopSettings",
    "spark": "crossfade.cluster.spark_settings:SparkSettings",
}


def sections() -> list[str]:
    """Every table that ``crossfade.toml`` may have."""
    return [*_ROOMS, *(f"models.{name}" for name in MODELS), *(f"surfaces.{name}" for name in SURFACES)]


def settings_class(section: str) -> type[Any]:
    """The class of settings behind one table."""
    room, _, name = section.partition(".")
    if room == "models":
        return model_class(name).settings_class
    if room == "surfaces":
        return registered(name).load().settings_class
    module, _, attribute = _ROOMS[section].partition(":")
    found: type[Any] = getattr(importlib.import_module(module), attribute)
    return found


class Settings:
    """The settings of one home; each table is checked when it is asked for, unknown tables at once."""

    def __init__(
        self,
        tables: dict[str, Any],
        where: str = "the settings",
        tuned: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        self._tables = _flattened(tables, where)
        self._where, self._tuned = where, tuned

    @classmethod
    def of(cls, home: Home) -> "Settings":
        """Read ``crossfade.toml`` of ``home``; all defaults where there is none."""
        return cls(tables_in(home.settings_file), str(home.settings_file), tables_in(home.tuned_file))

    def fitting(self, models: Sequence[str]) -> "Settings":
        """Return these settings with ``[run] models`` replaced by ``models``; themselves if there are none."""
        if not models:
            return self
        run = {**self._tables.get("run", {}), "models": [*dict.fromkeys(models)]}
        return Settings({**self._tables, "run": run}, self._where, self._tuned)

    def on(self, master: str) -> "Settings":
        """Return these settings with a run on "hadoop" or the Spark cluster of ``master``; themselves if that is ""."""
        if not master:
            return self
        if master == "hadoop":
            run = {**self._tables.get("run", {}), "runner": "hadoop"}
            return Settings({**self._tables, "run": run}, self._where, self._tuned)
        run = {**self._tables.get("run", {}), "runner": "spark"}
        spark = {**self._tables.get("spark", {}), "master": master}
        return Settings({**self._tables, "run": run, "spark": spark}, self._where, self._tuned)

    def section(self, name: str) -> Any:
        """The settings object of one table."""
        return from_table(settings_class(name), self._tables.get(name, {}), f"{self._where}: [{name}]")

    def given(self, model: str, kind: str, *, tuned: bool = True) -> dict[str, Any]:
        """What is set of a model on items of ``kind``: in ``crossfade.toml``, else, if ``tuned``, in ``tuned.toml``."""
        below = self._tuned.get(f"{model}-{kind}", {}) if tuned else {}
        return {**below, **self._tables.get(f"models.{model}", {})}

    @property
    def tuned(self) -> Mapping[str, Mapping[str, Any]]:
        """The tables of ``tuned.toml``, by model and kind: "als-artist"."""
        return self._tuned

    def model(self, model: str, kind: str) -> Any:
        """The settings object of a model on items of ``kind``."""
        # Alone first, so that an error names the file that it is in.
        self.section(f"models.{model}")
        return from_table(settings_class(f"models.{model}"), self.given(model, kind), f"tuned.toml: [{model}-{kind}]")

    def recorded(self) -> dict[str, dict[str, Any]]:
        """What a release records: the settings of which a list that is asked for later is made, by table."""
        used = [name for name in sections() if name == "neighbours" or name.startswith("surfaces.")]
        return {"run": {"models": list(self.run.models)}, **{name: as_table(self.section(name)) for name in used}}

    @property
    def run(self) -> RunSettings:
        """The table [run]."""
        found: RunSettings = self.section("run")
        return found


def tables_in(path: Path) -> dict[str, Any]:
    """The tables of a file; none if it is missing."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error


def _flattened(tables: dict[str, Any], where: str) -> dict[str, dict[str, Any]]:
    names = sections()
    flat: dict[str, Any] = {}
    for name, table in tables.items():
        nested = isinstance(table, dict) and name not in names
        flat |= {f"{name}.{key}": value for key, value in table.items()} if nested else {name: table}
    for section, content in flat.items():
        if section not in names or not isinstance(content, dict):
            close = difflib.get_close_matches(section, names, n=1)
            hint = f"Did you mean [{close[0]}]?" if close else f"There are: {', '.join(names)}."
            raise SettingsError(f"{where}: there is no table [{section}]. {hint}")
    return flat
