"""The steps that a cluster carries out with all its machines: each makes the artifact that `Step.run` makes.

A function of this module gets the step, its draft, its context and the machines. What is not here runs on the driver.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossfade.aggregation.interactions import InteractionSettings
from crossfade.aggregation.sequences import SequenceSettings
from crossfade.cluster.als import fit_on as fit_als
from crossfade.cluster.cooccurrence import fit_on as fit_cooccurrence
from crossfade.cluster.counting import count_interactions
from crossfade.cluster.engine import Engine
from crossfade.cluster.ordering import Listens, order_sequences
from crossfade.cluster.retrieval import build_table_in_slices, compute_neighbours
from crossfade.cluster.shares import Shares, shared_out
from crossfade.core.artifacts import Draft
from crossfade.models.contract import Fitted
from crossfade.pipeline.gathering import CountInteractions, CountPlaylists, OrderSequences
from crossfade.pipeline.learning import BuildSurface, ComputeNeighbours, FitModel
from crossfade.pipeline.steps import Context, Step

Distributed = Callable[[Any, Draft, Context, Engine], None]
"""Fills the draft of a step, as `Step.run` does, with the tasks of an engine; a task may use ``context.threads``."""


def workspace_of(step: Step, context: Context) -> Path:
    """Return where a step leaves what is complete of it for the next run, should this one be lost."""
    return context.home.unfinished / step.name


def interactions(step: CountInteractions | CountPlaylists, draft: Draft, context: Context, engine: Engine) -> None:
    """Count how often each user played each item."""
    plays, settings = step.plays(context), InteractionSettings(**step.settings)
    shares = _shares(step, context, engine, plays.paths)
    draft.rows.update(count_interactions(engine, plays, draft.path, settings, shares, progress=context.progress))


def sequences(step: OrderSequences, draft: Draft, context: Context, engine: Engine) -> None:
    """Write down in which order items were played."""
    listens = Listens(
        paths=tuple(step.tables(context)["listens"]),
        catalog=step.catalog(context),
        kind=step.kind,
        item_ids=step.inputs(context.home)[step.counted] / "item_ids",
        settings=SequenceSettings(**step.settings),
    )
    shares = _shares(step, context, engine, listens.paths)
    draft.rows.update(order_sequences(engine, listens, draft.path, shares, progress=context.progress))


def _shares(step: Step, context: Context, engine: Engine, paths: Sequence[Path]) -> Shares:
    """The shares of the users in which a step reads ``paths``."""
    return Shares(
        workspace=workspace_of(step, context),
        fingerprint=step.fingerprint,
        starts=shared_out(engine, paths),
        memory_bytes=context.memory_bytes,
        threads=context.threads,
    )


def neighbours(step: ComputeNeighbours, draft: Draft, context: Context, engine: Engine) -> None:
    """Compute the nearest neighbours of each item."""
    neighbourhood = compute_neighbours(
        engine,
        step.inputs(context.home)[step.fitted],
        *step.table_settings,
        directory=draft.path,
        workspace=workspace_of(step, context),
        threads=context.threads,
        progress=context.progress,
    )
    step.save(neighbourhood, draft)


def surface(step: BuildSurface, draft: Draft, context: Context, engine: Engine) -> None:
    """Build one table of a surface."""
    table = build_table_in_slices(
        engine,
        step.sources(context.home),
        workspace=workspace_of(step, context),
        threads=context.threads,
        progress=context.progress,
    )
    step.save(table, draft)


def fit(step: FitModel, draft: Draft, context: Context, engine: Engine) -> None:
    """Fit a model, with all machines if it is in `FITS`."""
    model: Any = step.chosen(context.home)
    if step.model not in FITS:
        return step.run(draft, context)
    fitted = FITS[step.model](
        engine,
        step.inputs(context.home)[step.source],
        model.settings,
        kind=step.kind,
        workspace=workspace_of(step, context),
        threads=context.threads,
        progress=context.progress,
        **step.starting(context.home),
    )
    return step.save(fitted, draft)


FITS: Mapping[str, Callable[..., Fitted[Any]]] = {
    "als": fit_als,
    "cooccurrence": fit_cooccurrence,
}
"""What fits the model of a name on many machines, to what `Model.fit` gives."""

SHUFFLED = ("als",)
"""Of these the models that machines fit also without a shared folder."""

DISTRIBUTED: Mapping[str, Distributed] = {
    "cut-fit": fit,
    "fit": fit,
    "interactions": interactions,
    "neighbours": neighbours,
    "playlists": interactions,
    "sequences": sequences,
    "surface": surface,
}
"""The function of each action; the other steps are carried out by the driver alone."""
