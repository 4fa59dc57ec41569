"""Pages evaluated as people see them: Discover with its caps, its diversity and its reasons.

The same model's plain lists are measured beside them, so what the rules cost is a number.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from crossfade.core.errors import InputError
from crossfade.core.ids import MISSING
from crossfade.core.interactions import Interactions
from crossfade.evaluate.comparison import Comparison, Pages
from crossfade.evaluate.library import LibrarySplit
from crossfade.evaluate.recommendation import Report, listeners_of, report_of, validate
from crossfade.models.contract import ComparesItems, Fitted, Model
from crossfade.models.registry import model_class
from crossfade.ranking.neighbourhood import Neighbourhood
from crossfade.surfaces.contract import SurfaceInputs
from crossfade.surfaces.discover import Discover


def with_pages(
    comparison: Comparison,
    split: LibrarySplit,
    models: Mapping[str, Model[Any] | Fitted[Any]],
    *,
    seed: int = 0,
    threads: int | None = None,
) -> Comparison:
    """Return the comparison with the pages of its first model that compares items; as it is if none does.

    ``models`` by name, as they were before they were fitted.
    """
    fitted: dict[str, Any] = {name: trial.model for name, trial in comparison.trials.items()}
    name = next((name for name, model in fitted.items() if isinstance(model, ComparesItems)), None)
    if name is None:
        return comparison
    model = None if split.roots is None else _of_roots(models[name])
    roots = None if model is None else model.fit(split.roots, threads=threads)
    plain = comparison.trials[name].report
    pages = pages_of(fitted[name], split, plain, name=name, roots_model=roots, seed=seed, threads=threads)
    return replace(comparison, pages=pages)


def _of_roots(model: Any) -> Model[Any] | None:
    """Return what to fit on interactions with roots; None for a model that was fitted before or needs other input."""
    if isinstance(model, Fitted) or model.learns_from != "interactions":
        return None
    from crossfade.models.blend import Blend

    if isinstance(model, Blend):
        some = tuple(name for name in model.settings.models if model_class(name).learns_from == "interactions")
        model = Blend(replace(model.settings, models=some))
    chosen: Model[Any] = model
    return chosen


def pages_of(
    model: Fitted[Any],
    split: LibrarySplit,
    plain: Report,
    *,
    name: str = "",
    roots_model: Fitted[Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Pages:
    """Return how the pages of ``model`` do beside its plain lists.

    plain        the report of its plain lists on the same split
    name         what the comparison calls the model, by default its own name
    roots_model  the same model fitted on the split's roots; reasons are roots where there is one

    Raises InputError for a model that does not compare items.
    """
    kind, k = model.kind, plain.k
    models = {kind: [model]}
    interactions = {kind: split.train}
    if roots_model is not None and split.roots is not None:
        models[roots_model.kind], interactions[roots_model.kind] = [roots_model], split.roots
    compared = {one: Neighbourhood.build(found[0], split.neighbours) for one, found in models.items()}
    inputs = SurfaceInputs(
        catalogue=split.catalogue, interactions=interactions, models=models, neighbourhoods=compared, threads=threads
    )
    surface = Discover()
    listing = next((one for one in surface.listings(inputs.library) if one.kind == kind), None)
    if listing is None:
        raise InputError(f"There are no pages of {kind}s by {model.name}.")
    prepared = surface.prepare(inputs, listing, split.discover)
    history = split.train if split.shown is None else split.shown
    task = validate(model, history, split.test, k, fold_in=split.shown is not None, threads=threads)
    histories: dict[str, Interactions] = {kind: history.histories(task.asked)}
    histories |= {one: played.histories(task.asked) for one, played in interactions.items() if one != kind}
    lists = prepared.pages(histories, trained=interactions if split.shown is None else ())
    ranked = np.full((len(task.asked), k), MISSING, dtype=np.int32)
    rows = model.item_ids.rows(split.catalogue[kind].ids.select(lists.items), missing="mark")
    lengths = np.diff(lists.indptr)
    users = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(rows)) - lists.indptr[users]
    shown = place < k
    ranked[users[shown], place[shown]] = rows[shown]
    report = report_of(model.name, ranked, task, k, listeners_of(model.item_ids, split.train), seed=seed)
    empty = float(np.mean(lengths == 0))
    return Pages(model=name or model.name, report=report, cost=report.minus(plain), empty=empty)
