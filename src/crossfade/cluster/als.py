"""Alternating least squares on the machines of a cluster: the same vectors as `crossfade.models.als`, to rounding.

Ratings lie in blocks (`crossfade.cluster.grid`), users and items are solved in turn by block (`solving`), and each
half-step leaves a state on disk from which a run that was killed goes on (`als_work`). Vectors come to the blocks that
need them as files of a shared folder (`als_files`), or, where there is none, through Spark's shuffle (`als_shuffle`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from crossfade.cluster.als_files import Files
from crossfade.cluster.als_work import (
    Cut,
    Cuts,
    Exchange,
    Turn,
    Work,
    begin,
    cuts_begun,
    last_whole,
    made_from,
    read_state,
    write_state,
)
from crossfade.cluster.costs import Degrees
from crossfade.cluster.engine import Engine
from crossfade.cluster.plan import Cluster, Plan, choose_scheme, plans
from crossfade.cluster.solving import Scheme
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.csr import CSR, starts_of
from crossfade.core.interactions import Interactions
from crossfade.core.locking import locked
from crossfade.core.progress import Progress, silent
from crossfade.core.replacing import make_directory, sweep
from crossfade.kernels.als.axes import principal_axes, turn
from crossfade.models.als import ALS, ALSSettings, FittedALS, first_vectors, fitted_of
from crossfade.models.als_objective import resolved, scaled_weights
from crossfade.models.contract import require_interactions

if TYPE_CHECKING:
    from crossfade.cluster.spark import SparkEngine

NETWORK = 1.25e9
"""Bytes a second that a machine is taken to receive: 10 Gbit/s."""


def choose_cuts(
    interactions: Interactions,
    listeners: npt.NDArray[np.int64],
    settings: ALSSettings,
    engine: Engine,
    begun: Cuts | None = None,
) -> Cuts:
    """Return how the two sides are best solved on ``engine``; InputError if that takes more memory.

    ``begun``, in which a fit began on a cluster that may have been another one, are kept if they fit this one.
    """
    users, items = Degrees.of(interactions.indptr), Degrees.of(starts_of(listeners))
    cluster = Cluster(machines=engine.slots, cores=1, memory=engine.memory_bytes, network=NETWORK)
    steps = 0 if settings.training_solver == "cholesky" else settings.cg_steps
    if begun is not None:
        blocks = begun[0].blocks, begun[1].blocks
        for plan in plans(users, items, settings.columns, cluster, blocks=blocks, steps=steps):
            if cuts_of(plan) == begun and plan.memory <= cluster.memory:
                return begun
    return cuts_of(choose_scheme(users, items, settings.columns, cluster, steps=steps))


def cuts_of(plan: Plan) -> Cuts:
    """Return how a plan cuts the two sides."""
    users, items = (Cut(cast("Scheme", side.scheme), side.blocks) for side in (plan.users, plan.items))
    return users, items


def fit_on(
    engine: Engine,
    source: Path,
    settings: ALSSettings,
    *,
    kind: str,
    workspace: Path,
    cuts: Cuts | None = None,
    start: FittedALS | None = None,
    threads: int = 1,
    progress: Progress = silent,
) -> FittedALS:
    """Do what `ALS.fit` does, on the machines of ``engine``; the same vectors, to rounding.

    source     the directory of the interactions; machines that exchange files see it, and ``workspace``, under these
               paths
    workspace  a directory of this fit's own, made where it is missing; remove it once the model is saved
    cuts       how users and how items are solved; None for what `choose_cuts` says
    threads    of the driver, for the final vectors of items

    Raises InputError, BusyError and StorageError as `ALS.fit` does.
    """
    model = ALS(settings)
    interactions = Interactions.load(source, kind=kind)
    require_interactions(interactions, "ALS")
    if not model.starts_from(start, interactions):
        start = None
    listeners = interactions.listeners()
    settings = _resolved(settings, interactions, listeners)
    fit = made_from(settings, interactions, start)
    if cuts is None:
        cuts = choose_cuts(interactions, listeners, settings, engine, cuts_begun(workspace, fit))
    with translated_storage_errors(workspace):
        make_directory(workspace)
        with locked(workspace, "a fit"):
            sweep(workspace)
            begin(workspace, fit, cuts)
            work = Work.of(workspace, source, settings, interactions, listeners, cuts, fit)
            through = _exchange(work, engine)
            through.place(interactions)
            (users, items), turns = first_vectors(settings, interactions, start)
            done = last_whole(work, through.near)
            if done is None:
                write_state(work, 0, users)
                write_state(work, 1, items)
                done = 1
            for number in range(done - 1, turns):
                progress(number, turns + 1, "half-iterations")
                through.half_step(Turn(number))
            progress(turns, turns + 1, "half-iterations")
            last = Turn(turns, exact=True)
            if done != last.made:
                through.half_step(last)
            read_state(work, last.made, users)
            read_state(work, last.fixed, items)
            through.end()
    if settings.users_along_axes:
        turn(items, principal_axes(work.gram(last.fixed))[0], threads)
    progress(turns + 1, turns + 1, "half-iterations")
    return fitted_of(settings, interactions, (users, items), listeners)


def _exchange(work: Work, engine: Engine) -> Exchange:
    if engine.exchange == "files":
        return Files(work, engine)
    from crossfade.cluster.als_shuffle import Shuffle

    return Shuffle(work, cast("SparkEngine", engine))


def _resolved(settings: ALSSettings, interactions: Interactions, listeners: npt.NDArray[np.int64]) -> ALSSettings:
    """Return ``settings`` with nothing left unset."""
    nothing = np.zeros(0, dtype=np.int32)
    by_user = CSR(interactions.indptr, interactions.indices, scaled_weights(settings, interactions.weights))
    return resolved(settings, by_user, CSR(starts_of(listeners), nothing, by_user.values[:0]))
