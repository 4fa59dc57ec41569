"""A home's library, split for evaluation by the settings that its runs have."""

import contextlib
import datetime
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from crossfade.catalog.build import build_catalog
from crossfade.core.errors import InputError
from crossfade.core.home import Home, default_home
from crossfade.core.kinds import kind_named
from crossfade.evaluate.comparing import fittable
from crossfade.evaluate.library import How, LibrarySplit, Source, Way, busiest_kind, split_library
from crossfade.importing.library import tables_of
from crossfade.models.registry import model_class
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.settings import Settings


def open_split(
    home: Path | str | None = None,
    way: Way | None = None,
    *,
    kind: str | None = None,
    fraction: float = 0.2,
    at: datetime.datetime | None = None,
    days: float | None = None,
    folds: int = 5,
    seed: int = 0,
) -> LibrarySplit | list[LibrarySplit]:
    """Return the library at ``home`` split for `crossfade.evaluate`; a list of splits for ``way="folds"``.

    home      a directory; None for ``$CROSSFADE_HOME``, else the one that commands use by default
    way       "temporal" (None, where plays have times), "weak", "strong" or "folds"; see `evaluate.library`
    kind      of items; None for the one that most users play
    fraction, at, days, folds, seed  see `evaluate.library.How`

    Raises NotReadyError if nothing has been imported, InputError for a split that leaves nothing on one side.
    """
    place = Home(Path(home or os.environ.get("CROSSFADE_HOME") or default_home()).expanduser())
    how = How(way=way, fraction=fraction, at=at, days=days, folds=folds, seed=seed)
    splits = split_home(place, kind, how)
    return splits if how.way == "folds" else splits[0]


def split_home(
    home: Home, kind: str | None, how: How, models: Sequence[str] = (), threads: int | None = None
) -> list[LibrarySplit]:
    """Return the splits of the library of ``home``, with the inputs of ``models``, by default those of its settings.

    The home is locked while its tables are read. Raises BusyError if another process writes in it.
    """
    settings = Settings.of(home)
    catalog = make_plan(home, settings).steps["catalog"]
    with contextlib.ExitStack() as stack:
        stack.enter_context(home.locked("evaluate"))
        place = catalog.place(home)
        limits: dict[str, Any] = {
            "memory_limit": settings.run.memory_bytes,
            "threads": threads or settings.run.processors,
        }
        tables = tables_of(home)
        if not catalog.is_done(home):
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crossfade-")))
            build_catalog(tables, place, settings.section("catalog"), **limits)
        source = Source(
            tables=tables,
            catalog=place,
            interactions=settings.section("interactions"),
            sequences=settings.section("sequences"),
            discover=settings.section("surfaces.discover"),
            neighbours=settings.section("neighbours"),
            memory_bytes=limits["memory_limit"],
            threads=limits["threads"],
        )
        chosen = kind_named(kind).name if kind else busiest_kind(source)
        names = {*(models or settings.run.models)}
        for blend in [name for name in names if model_class(name).blends]:
            names |= {*settings.run.models}
            how = replace(how, cut=settings.model(blend, chosen).hidden)
        return split_library(source, chosen, how, {model_class(name).learns_from for name in names})


def models_of(
    home: Home, split: LibrarySplit, names: Sequence[str], changes: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return by name the settings of the models to fit that are set: those of the home, with ``changes``.

    Without ``names`` they are those of ``[run] models`` that the split has the input of. A blend has the same members.
    Settings that `crossfade tune` found are left out, since tuning saw the plays that the split hides.
    """
    settings = Settings.of(home)

    def given(name: str) -> dict[str, Any]:
        return {**settings.given(name, split.train.kind, tuned=False), **changes.get(name, {})}

    possible = {name for name in fittable(split) if model_class(name).learns_from in ("interactions", *split.inputs)}
    chosen = names or [name for name in settings.run.models if name in possible]
    if not chosen:
        raise InputError("This library has the input of no model in [run] models. Name one with --model.")
    found = {name: given(name) for name in chosen}
    for blend in [name for name in chosen if model_class(name).blends]:
        members = [name for name in settings.run.models if name in possible and not model_class(name).blends]
        found[blend] = {"models": members, **found[blend]}
        names = [*dict.fromkeys([*members, *found[blend]["models"]])]
        found |= {one: given(one) for one in names}
    return found
