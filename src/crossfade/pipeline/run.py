"""A run: do what is left of the plan, publish the release, and let go of what is no longer needed."""

from collections.abc import Mapping
from dataclasses import dataclass

from crossfade.core.artifacts import discard
from crossfade.core.catalogue import Catalogue
from crossfade.core.home import Home
from crossfade.core.replacing import remove
from crossfade.core.tables import SurfaceTable
from crossfade.pipeline import journal
from crossfade.pipeline.plan import Plan, make_plan
from crossfade.pipeline.runner import Report, StepResult, open_runner
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import Step
from crossfade.stores.contract import Version
from crossfade.stores.registry import open_releases

PARTS = ("catalogue", "interactions", "fit", "neighbours")
"""The actions whose artifacts a release includes, so that it can be asked as models are."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run did.

    steps      each step
    skipped    why a model is not fitted on a kind, by the name that its step would have
    release    the one that this run's results are in
    published  whether that is a new one
    active     whether it is served; not if another one is pinned
    """

    steps: list[StepResult]
    skipped: Mapping[str, str]
    release: Version
    published: bool
    active: bool


def run(home: Home, report: Report) -> RunResult:
    """Bring the release of ``home`` up to date; ``report`` is as for `Runner.run`.

    Raises BusyError while another process writes in this home, and the error of a step that fails; what was
    finished stays, and the next run goes on from there.
    """
    with home.locked("run"):
        settings = Settings.of(home)
        plan = make_plan(home, settings)
        limits = {"threads": settings.run.processors, "memory_bytes": settings.run.memory_bytes}
        runner = open_runner(settings.run.runner, **limits)
        results = runner.run(list(plan.steps.values()), home, report)
        releases = open_releases(home, settings.section("store"))
        before = releases.versions()
        release = releases.publish(
            [SurfaceTable.load(step.place(home)) for step in plan.of("surface")],
            Catalogue.load(plan.steps["catalogue"].place(home)),
            parts={step.name: step.place(home) for step in plan.of(*PARTS)},
            inputs={name: step.fingerprint for name, step in plan.steps.items()},
            settings=settings.recorded(),
        )
        releases.prune(settings.run.keep_releases)
        _prune_artifacts(home, plan, settings.run.keep_artifacts)
        journal.prune(home)
        remove(home.unfinished)
    return RunResult(
        steps=results,
        skipped=plan.skipped,
        release=release.version,
        published=release.version not in before,
        active=release.active,
    )


def preview(home: Home) -> list[tuple[Step, str | None]]:
    """What `run` would do now: each step with the reason why it would run, or None if it would not."""
    steps = make_plan(home, Settings.of(home)).steps.values()
    return [(step, None if step.is_done(home) else step.why(home)) for step in steps]


def _prune_artifacts(home: Home, plan: Plan, keep: int) -> None:
    """Keep today's artifact of each step and the newest others, ``keep`` in all."""
    today = {step.place(home) for step in plan.steps.values()}
    for directory in (path for path in home.runs.iterdir() if path.is_dir()):
        newest = sorted(directory.iterdir(), key=lambda place: (place in today, place.stat().st_mtime_ns), reverse=True)
        for place in newest[keep:]:
            discard(place)
