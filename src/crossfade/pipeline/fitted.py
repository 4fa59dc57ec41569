"""The models of a home: which are fitted on what, when, and how long it took."""

from typing import Any

from crossfade.core.artifacts import read_manifest
from crossfade.core.home import Home
from crossfade.models.registry import MODELS
from crossfade.pipeline import journal
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.settings import Settings


def model_states(home: Home) -> list[dict[str, Any]]:
    """Return every model on every kind, those of ``[run] models`` first and in that order.

    name      of the step that fits it: "als-artist"; of the model alone if it is not chosen
    state     "fitted", "to do" (the next run fits it), "skipped" (its input is missing), "not chosen"
    why       the reason for any state but "fitted"
    rows      how many users and items a fitted model knows
    share     of what there is today that a fit learned from that is kept; left out for others
    finished  when it was fitted, in seconds since 1970; left out if that was not noted
    seconds, peak_bytes  what fitting took; left out if that was not noted

    Raises NotReadyError if nothing has been imported.
    """
    settings = Settings.of(home)
    plan = make_plan(home, settings)
    took = journal.latest(home)
    states: list[dict[str, Any]] = []
    shares = {step.name: step.share for step in plan.kept()}
    for step in plan.of("fit", "keep"):
        if not step.is_done(home):
            states.append({"name": step.name, "state": "to do", "why": step.why(home)})
            continue
        noted = took.get((step.name, step.fingerprint))
        measured = {name: getattr(noted, name) for name in ("finished", "seconds", "peak_bytes") if noted}
        rows = dict(read_manifest(step.place(home)).rows)
        share = {"share": shares[step.name]} if step.name in shares else {}
        states.append({"name": step.name, "state": "fitted", "rows": rows, **share, **measured})
    states += [{"name": name, "state": "skipped", "why": why} for name, why in plan.skipped.items()]
    chosen = settings.run.models
    states.sort(key=lambda state: chosen.index(state["name"].rpartition("-")[0]))
    others = [name for name in MODELS if name not in chosen]
    return states + [{"name": name, "state": "not chosen", "why": "add it to [run] models"} for name in others]
