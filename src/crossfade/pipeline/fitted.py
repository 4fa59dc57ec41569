"""The models of a home: which are fitted on what, when, and how long it took."""

from collections.abc import Mapping
from dataclasses import dataclass

from crossfade.core.artifacts import read_manifest
from crossfade.core.home import Home
from crossfade.models.registry import MODELS
from crossfade.pipeline import journal
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """A model on items of one kind.

    name      of the step that fits it: "als-artist"; of the model alone if it is not chosen
    state     "fitted", "to do" (the next run fits it), "skipped" (its input is missing), "not chosen"
    why       for what is not fitted, the reason
    rows      how many users and items it knows
    finished  when it was fitted, in seconds since 1970; None if that was not noted
    seconds, peak_bytes  what fitting took; None if that was not noted
    """

    name: str
    state: str
    why: str = ""
    rows: Mapping[str, int] | None = None
    finished: float | None = None
    seconds: float | None = None
    peak_bytes: int | None = None


def model_states(home: Home) -> list[ModelState]:
    """Return every model on every kind, those of ``[run] models`` first and in that order.

    Raises NotReadyError if nothing has been imported.
    """
    settings = Settings.of(home)
    plan = make_plan(home, settings)
    took = journal.latest(home)
    states = []
    for step in plan.of("fit"):
        name = step.name
        if not step.is_done(home):
            states.append(ModelState(name=name, state="to do", why=step.why(home)))
            continue
        noted = took.get((name, step.fingerprint))
        measured = {} if noted is None else {key: getattr(noted, key) for key in ("finished", "seconds", "peak_bytes")}
        states.append(ModelState(name=name, state="fitted", rows=read_manifest(step.place(home)).rows, **measured))
    states += [ModelState(name=name, state="skipped", why=why) for name, why in plan.skipped.items()]
    chosen = settings.run.models
    states.sort(key=lambda state: chosen.index(state.name.rpartition("-")[0]))
    return states + [
        ModelState(name=name, state="not chosen", why="add it to [run] models") for name in MODELS if name not in chosen
    ]
