"""What evaluations of a blend and of its models find, as the sides of a comparison; and what they are searched with."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.record import Side, Value
from crossfade.core.interactions import Interactions
from crossfade.evaluate.intervals import Estimate
from crossfade.evaluate.recommendation import Report
from crossfade.evaluate.searching import search_settings
from crossfade.models.registry import model_class

Reports = Mapping[str, Report]
"""By the name of a model."""

METRICS = ("recall", "ndcg")


def searched(models: Sequence[str], train: Interactions, threads: int) -> dict[str, Mapping[str, Any]]:
    """The settings of each model, as the short search finds them on ``train``; none for those that learn otherwise."""
    return {
        name: search_settings(name, train, {}, threads=threads).settings
        for name in models
        if model_class(name).learns_from == "interactions"
    }


def sides_of(ways: Mapping[str, Reports], k: int) -> list[Side]:
    """A side for each model: recall and NDCG by every way, whose name begins theirs, and what ``blend`` has more."""
    sides = []
    for name in next(iter(ways.values())):
        figures: dict[str, Value] = {}
        for way, reports in ways.items():
            for metric in (f"{one}@{k}" for one in METRICS):
                figures[f"{way}{metric}"] = listed(reports[name].estimates[metric])
                if name != "blend":
                    figures[f"blend minus it, {way}{metric}"] = listed(reports["blend"].minus(reports[name])[metric])
        sides.append(Side(name=name, figures=figures))
        print(name, figures, flush=True)
    return sides


def listed(estimate: Estimate) -> Value:
    """The value and the ends of its interval."""
    return [estimate.value, estimate.low, estimate.high]
