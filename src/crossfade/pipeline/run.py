"""A run: do what is left of the plan, publish the release, and let go of what is no longer needed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from crossfade.core.artifacts import discard
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import NotReadyError
from crossfade.core.home import Home
from crossfade.core.progress import Progress
from crossfade.core.replacing import remove
from crossfade.core.tables import SurfaceTable
from crossfade.pipeline import journal
from crossfade.pipeline.plan import Plan, make_plan
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import Step
from crossfade.pipeline.workflow import StepResult, carry_out
from crossfade.stores.contract import ReleaseStore, Version
from crossfade.stores.registry import open_store


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run did.

    steps      each step
    skipped    why a model has no space of a kind, by the name that it would have
    version    the release that is active now
    published  whether that is a new one
    """

    steps: list[StepResult]
    skipped: Mapping[str, str]
    version: Version
    published: bool


def run(home: Home, report: Callable[[Step], Progress]) -> RunResult:
    """Bring the release of ``home`` up to date; ``report`` gives a listener for each step that runs.

    Raises BusyError while another process writes in this home, and the error of a step that fails; what was
    finished stays, and the next run goes on from there.
    """
    with home.locked("run"):
        settings = Settings.of(home)
        plan = make_plan(home, settings)
        results = carry_out(plan.steps, home, report)
        store = open_store(home)
        before = _current(store)
        version = store.publish(
            [SurfaceTable.load(step.place(home)) for step in plan.surfaces.values()],
            Catalogue.load(plan.names.place(home)),
            spaces=[(name, step.place(home)) for name, step in plan.spaces.items()],
            inputs=plan.released,
        )
        store.prune(settings.run.keep_releases)
        _prune_artifacts(home, plan, settings.run.keep_artifacts)
        journal.prune(home)
        remove(home.unfinished)
    return RunResult(steps=results, skipped=plan.skipped, version=version, published=version != before)


def preview(home: Home) -> list[tuple[Step, str | None]]:
    """What `run` would do now: each step with the reason why it would run, or None if it would not."""
    plan = make_plan(home, Settings.of(home))
    return [(step, None if step.is_done(home) else step.why(home)) for step in plan.steps]


def _current(store: ReleaseStore) -> Version | None:
    try:
        return store.current()
    except NotReadyError:
        return None


def _prune_artifacts(home: Home, plan: Plan, keep: int) -> None:
    """Keep today's artifact of each step and the newest others, ``keep`` in all."""
    today = {step.place(home) for step in plan.steps}
    for directory in (path for path in home.runs.iterdir() if path.is_dir()):
        newest = sorted(directory.iterdir(), key=lambda place: (place in today, place.stat().st_mtime_ns), reverse=True)
        for place in newest[keep:]:
            discard(place)
