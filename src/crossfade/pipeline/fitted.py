"""The models of a home: which are fitted, on what, when, and how long it took."""

from collections.abc import Mapping
from dataclasses import dataclass

from crossfade.core.artifacts import read_manifest
from crossfade.core.home import Home
from crossfade.models.registry import MODELS, model_class
from crossfade.pipeline import journal
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import Step


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A model on items of one kind.

    space       the name of its space: "als-artist"
    learns_from  "interactions", "sequences" or "texts"
    state       "fitted", "to do" (the next run fits it), "skipped" (the library lacks its input), "not chosen"
    why         for what is not fitted, the reason
    rows        how many users and items its space has
    finished    when it was fitted, in seconds since 1970; None where that is not noted
    seconds, peak_bytes   what fitting took; None where that is not noted
    """

    space: str
    learns_from: str
    state: str
    why: str = ""
    rows: Mapping[str, int] | None = None
    finished: float | None = None
    seconds: float | None = None
    peak_bytes: int | None = None


def fitted_models(home: Home) -> list[Fitted]:
    """Every model that there is, those of ``[run] models`` first and in that order.

    Raises NotReadyError if nothing has been imported.
    """
    settings = Settings.of(home)
    plan = make_plan(home, settings)
    took = journal.latest(home)
    found = [_state(home, name, step, took) for name, step in plan.spaces.items()]
    found += [
        Fitted(space=name, learns_from=model_class(name.rpartition("-")[0]).learns_from, state="skipped", why=why)
        for name, why in plan.skipped.items()
    ]
    chosen = settings.run.models
    found.sort(key=lambda one: chosen.index(one.space.rpartition("-")[0]))
    return found + [
        Fitted(space=name, learns_from=model_class(name).learns_from, state="not chosen", why="name it in [run] models")
        for name in MODELS
        if name not in chosen
    ]


def _state(home: Home, name: str, step: Step, took: Mapping[tuple[str, str], journal.Took]) -> Fitted:
    source = model_class(name.rpartition("-")[0]).learns_from
    if not step.is_done(home):
        return Fitted(space=name, learns_from=source, state="to do", why=step.why(home))
    noted = took.get((step.name, step.identity.fingerprint))
    return Fitted(
        space=name,
        learns_from=source,
        state="fitted",
        rows=read_manifest(step.place(home)).rows,
        finished=noted.finished if noted else None,
        seconds=noted.seconds if noted else None,
        peak_bytes=noted.peak_bytes if noted else None,
    )
