"""A run: do what is left of the plan, publish the release, and let go of what is no longer needed.

Pages come first. Where they have changed and other models are still to be fitted, a release with the new pages is
published as soon as they are complete. Pages of a blend need all models; before the first release, those of one model
come first. The early release has the other models as the active release has them, and is withdrawn once the complete
release is published, which does not depend on it.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crossfade.core.artifacts import digests_kept, discard, read_manifest
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError, NotReadyError
from crossfade.core.home import Home
from crossfade.core.kinds import KINDS
from crossfade.core.replacing import remove
from crossfade.core.tables import SurfaceTable
from crossfade.live.learning import import_live
from crossfade.pipeline import journal
from crossfade.pipeline.compiling import GATHERING, NOTHING_COMPILING, OTHERS, PAGES, Compiling
from crossfade.pipeline.plan import Plan, first_plan, make_plan
from crossfade.pipeline.removal import catch_up, finish
from crossfade.pipeline.runner import StepResult, Watch, open_runner
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import Step
from crossfade.stores.contract import Version
from crossfade.stores.registry import has_live, open_live, open_releases
from crossfade.stores.releases import Published, Releases

PARTS = ("catalogue", "interactions", "search", "fit", "keep", "join", "neighbours")
"""The actions whose artifacts a release includes, so that it can be asked as models are.

Of neighbours only those of roots, which pages of reasons need a hundred of. Those of children (tracks) are a library's
largest tables, and only Radio reads them, whose own lists are in the release: another list is searched on request.
"""


LONG = 300_000
"""Listens and counts of a library that has no release, from which on pages of one model come before the blend's. With
fewer a whole run takes seconds."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run did.

    steps      each step
    skipped    why a model is not fitted on a kind, by the name that its step would have
    kept       of each earlier fit that was kept, the share of what there is today that it learned from; by step
    release    the one that this run's results are in
    published  whether that is a new one
    active     whether it is served; not if another one is pinned
    """

    steps: list[StepResult]
    skipped: Mapping[str, str]
    kept: Mapping[str, float]
    release: Version
    published: bool
    active: bool


def run(
    home: Home,
    watch: Watch,
    models: Sequence[str] = (),
    compiling: Compiling = NOTHING_COMPILING,
    *,
    full: bool = False,
    on: str = "",
) -> RunResult:
    """Bring the release of ``home`` up to date; ``watch`` is told what is done.

    With ``models`` only these are fitted, and surfaces are built from them; the others of ``[run] models`` are in the
    release as they are in the active one. With ``full`` no earlier fit is kept or started from. ``on``, the master
    of a Spark cluster or "hadoop", carries out the steps, whatever the settings say. What arrived over HTTP becomes an
    import first. Raises BusyError while another process writes in this home, SettingsError for a model that does not
    exist, and the error of a step that fails; what was finished stays, and the next run goes on from there.
    """
    _import_live(home)
    with home.locked("run"):
        return run_locked(home, watch, models, compiling, full=full, on=on)


def _import_live(home: Home) -> None:
    """Bring the import of the live state up to date, if there is a live state."""
    settings = Settings.of(home)
    store = settings.section("store")
    if not has_live(home, store):
        return
    with contextlib.closing(open_live(home, store)) as live:
        import_live(home, live, open_releases(home, store), settings.section("import"))


@digests_kept()
def run_locked(
    home: Home,
    watch: Watch,
    models: Sequence[str] = (),
    compiling: Compiling = NOTHING_COMPILING,
    *,
    full: bool = False,
    on: str = "",
) -> RunResult:
    """Do the same as `run` for a caller that has the home's lock."""
    settings = Settings.of(home).on(on)
    limits = {"threads": settings.run.processors, "memory_bytes": settings.run.memory_bytes}
    runner = open_runner(settings.run.runner, settings.section, **limits)
    releases = open_releases(home, settings.section("store"))
    # Of a release that is to be forgotten nothing goes into the next one.
    forgetting = catch_up(home, releases) is not None
    plan = make_plan(home, settings.fitting(models), full=full)
    others = [name for name in settings.run.models if name not in models] if models and not forgetting else []
    released = settings.fitting([*models, *others])
    before = releases.versions()
    # Pages of one model are better than none, but not than the blend's of an earlier run.
    waiting = plan.blends and not before and not forgetting and plan.plays >= LONG
    first = first_plan(home, settings, full=full) if waiting else plan.pages()
    early: Version | None = None
    results: dict[tuple[str, str], StepResult] = {}
    watch.planned([*{**first.steps, **plan.steps}.values()])

    surfaces = {(step.name, step.fingerprint) for step in first.of("surface")}
    comes_early = not forgetting and _comes_early(home, plan, first, releases)

    def complete(steps: Iterable[Step]) -> None:
        listed = {step.name: step for step in steps}

        def ended(result: StepResult) -> None:
            nonlocal early
            results.setdefault((result.name, listed[result.name].fingerprint), result)
            watch.ended(result)
            if comes_early and early is None and surfaces <= results.keys():
                early = _publish(home, first, released, releases, released.run.models).version
                watch.published(early)

        runner.run([*listed.values()], home, dataclasses.replace(watch, ended=ended))

    if compiling.processes:
        complete(plan.of(*GATHERING))
        compiling.wait(PAGES, watch)
    if waiting or (compiling.processes and not plan.blends):
        complete(first.by_urgency())
    compiling.wait(OTHERS, watch)
    complete(plan.by_urgency())
    release = _publish(home, plan, released, releases, others)
    finish(home, releases, keep=release.version)
    if early is not None and early != release.version:
        releases.withdraw(early)
    releases.prune(settings.run.keep_releases)
    _prune_artifacts(home, plan, settings.run.keep_artifacts)
    journal.prune(home)
    remove(home.unfinished)
    return RunResult(
        steps=[results[name, step.fingerprint] for name, step in plan.steps.items()],
        skipped=plan.skipped,
        kept={step.name: step.share for step in plan.kept()},
        release=release.version,
        published=release.version not in before,
        active=releases.active().version == release.version,
    )


def preview(home: Home, models: Sequence[str] = (), *, full: bool = False) -> list[tuple[Step, str | None]]:
    """What `run` would do now: each step with the reason why it would run, or None if it would not."""
    steps = make_plan(home, Settings.of(home).fitting(models), full=full).steps.values()
    return [(step, None if step.is_done(home) else step.why(home)) for step in steps]


def _comes_early(home: Home, plan: Plan, pages: Plan, releases: Releases) -> bool:
    """Return whether readers gain from a release before the other models are fitted."""
    with contextlib.suppress(NotReadyError, ArtifactError):
        if releases.active().pinned:
            return False
        with releases.open() as release:
            inputs = release.manifest.identity.inputs
            if all(inputs.get(step.name) == step.fingerprint for step in pages.of("surface")):
                return False
    left = [step for name, step in plan.steps.items() if name not in pages.steps and not step.place(home).exists()]
    return any(step.takes_time for step in left)


def parts_of(plan: Plan) -> list[Step]:
    """Return the steps whose artifacts a release of ``plan`` includes."""
    return [step for step in plan.of(*PARTS) if step.action != "neighbours" or KINDS[step.kind].parent is None]


def _publish(home: Home, plan: Plan, settings: Settings, releases: Releases, others: Sequence[str]) -> Published:
    """Publish what the ``plan`` made, and of other models what the active release has."""
    included = parts_of(plan)
    inputs = {step.name: step.fingerprint for step in (*plan.of("surface"), *included)}
    parts = {step.name: step.place(home) for step in included}
    with contextlib.ExitStack() as opened:
        with contextlib.suppress(NotReadyError, ArtifactError):
            active = opened.enter_context(releases.open())
            for name in {f"{model}-{kind}" for model in others for kind in KINDS}.difference(parts) & {*active.parts}:
                parts[name] = active.part(name)
                inputs[name] = read_manifest(parts[name]).fingerprint
        return releases.publish(
            [SurfaceTable.load(step.place(home)) for step in plan.of("surface")],
            Catalogue.load(plan.steps["catalogue"].place(home)),
            parts=parts,
            inputs=inputs,
            settings=settings.recorded(),
        )


def _prune_artifacts(home: Home, plan: Plan, keep: int) -> None:
    """Keep today's artifact of each step and the newest others, ``keep`` in all."""
    today = {step.place(home) for step in plan.steps.values()}
    for directory in (path for path in home.runs.iterdir() if path.is_dir()):
        newest = sorted(directory.iterdir(), key=lambda place: (place in today, place.stat().st_mtime_ns), reverse=True)
        for place in newest[keep:]:
            discard(place)
