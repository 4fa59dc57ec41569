"""Tuning a library: what its models learn from, and the settings that were found, in ``HOME/tuned.toml``."""

import json
from collections.abc import Mapping
from typing import Any

from crossfade.core.artifacts import write_file
from crossfade.core.errors import NotReadyError
from crossfade.core.home import Home
from crossfade.core.interactions import Interactions
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.settings import Settings, tables_in

_HEAD = """# Settings that `crossfade tune` found, a table for each model and kind of item.
# crossfade.toml overrides them. Remove a table, or this file, to undo tuning.
"""


def interactions_of(home: Home, settings: Settings, kind: str | None) -> Interactions:
    """Return the interactions that models of ``kind`` learn from, None for the first kind that the library has.

    Raises NotReadyError if there are none, or if they were not counted since the last import.
    """
    steps = {step.kind: step for step in make_plan(home, settings).of("interactions")}
    step = steps.get(kind) if kind else next(iter(steps.values()), None)
    if step is None:
        raise NotReadyError(f"This library has no interactions with items of kind {kind}.")
    if not step.is_done(home):
        raise NotReadyError("There are imports that no run has counted. Run `crossfade run` first.")
    return Interactions.load(step.place(home), kind=step.kind)


def write_tuned(home: Home, model: str, kind: str, settings: Mapping[str, Any]) -> None:
    """Replace the table of a model on items of ``kind`` in ``tuned.toml``; without ``settings`` remove it."""
    with home.locked("tune"):
        tables = {**tables_in(home.tuned_file), f"{model}-{kind}": settings}
        # Numbers, texts and truth values are written in TOML as in JSON.
        lines = [
            "\n".join([f"\n[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())])
            for name, table in tables.items()
            if table
        ]
        write_file(home.tuned_file, "\n".join([_HEAD.rstrip("\n"), *lines, ""]).encode())
