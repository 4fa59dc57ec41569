"""The result of comparing models: a table that prints, becomes a data frame, and draws plots."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossfade.core.artifacts import write_file
from crossfade.core.columns import frame_of
from crossfade.core.errors import InputError
from crossfade.core.kinds import kind_named
from crossfade.evaluate.intervals import Estimate
from crossfade.evaluate.recommendation import Report
from crossfade.evaluate.trials import Trial

if TYPE_CHECKING:
    import pyarrow as pa

    from crossfade.evaluate.plots import Plot


@dataclass(frozen=True, kw_only=True)
class Point:
    """A place on a learning curve: how a model does that was fitted on a part of the users.

    share, users  the part of train's users
    estimates     by metric
    """

    share: float
    users: int
    estimates: Mapping[str, Estimate]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pages:
    """The lists of one model as people would see them, beside its plain lists.

    model   its name
    report  of the pages
    cost    by metric: pages minus plain lists, user by user
    empty   share of the users without a page
    """

    model: str
    report: Report
    cost: Mapping[str, Estimate]
    empty: float


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Comparison:
    """How models did on one split.

    k, split, kind   the length of lists, the split in words, and the kind of items
    users, items     of train, whether or not anybody is asked about them
    train_pairs, test_pairs  the sizes of the parts
    trials           by the name of each model, in the order that they were asked for in
    curves           by name: learning curves, where they were asked for
    pages            what people would see, where the split is one of a library
    """

    k: int
    split: str
    kind: str
    users: int
    items: int
    train_pairs: int
    test_pairs: int
    trials: Mapping[str, Trial]
    curves: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    pages: Pages | None = None

    @property
    def columns(self) -> list[str]:
        """The metrics that tables show."""
        return [f"{name}@{self.k}" for name in ("recall", "ndcg", "mrr", "coverage", "novelty", "diversity")]

    @property
    def reports(self) -> dict[str, Report]:
        """The report of each model, by name."""
        return {name: trial.report for name, trial in self.trials.items()}

    def __getitem__(self, name: str) -> Report:
        if name not in self.trials:
            raise InputError(f"there is no {name!r} in this comparison; there are: {', '.join(self.trials)}")
        return self.trials[name].report

    def __iter__(self) -> Iterator[str]:
        return iter(self.trials)

    def __len__(self) -> int:
        return len(self.trials)

    def minus(self, first: str, second: str) -> dict[str, Estimate]:
        """Return by metric the mean difference of two models, user by user; see `Report.minus`."""
        return self[first].minus(self[second])

    def differences(self) -> Mapping[str, dict[str, Estimate]]:
        """Return `minus` of each model and the first one, by the name of the model."""
        return self._differences

    @cached_property
    def _differences(self) -> Mapping[str, dict[str, Estimate]]:
        first, *others = self.trials
        return {name: self.minus(name, first) for name in others if self[name].asked == self[first].asked}

    def value(self, name: str, metric: str) -> float | None:
        """Return a metric of a model, of users or of all lists together; None for one that it lacks."""
        report = self[name]
        return report.estimates[metric].value if metric in report.estimates else report.totals.get(metric)

    @property
    def heading(self) -> str:
        """What was done, in a line."""
        asked = max(report.users for report in self.reports.values())
        skipped = max(report.skipped for report in self.reports.values())
        told = f" ({skipped:,} without a history skipped)" if skipped else ""
        return (
            f"{asked:,} users asked{told}, {self.train_pairs:,} pairs of {self.users:,} users and {self.items:,} "
            f"{kind_named(self.kind).plural} to learn from; {self.split}"
        )

    def __repr__(self) -> str:
        width = max(map(len, (*self.trials, "model")))
        lines = [self.heading, "  ".join([f"{'model':<{width}}", *(f"{name:>12}" for name in self.columns)])]
        for name in self.trials:
            cells = (self.value(name, metric) for metric in self.columns)
            lines.append(
                "  ".join([f"{name:<{width}}", *(" " * 12 if one is None else f"{one:12.4f}" for one in cells)])
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from crossfade.evaluate.report_page import fragment

        return fragment(self)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each number: model, part, metric, value, low and high (None without an interval), users.

        part  "" for all, "repeats", "pages", "decile 1" to "decile 10" of popularity, "history of 5–9 items", or
              "fitted on 25% of the users"
        """
        rows: list[dict[str, Any]] = []

        def add(model: str, part: str, users: int, numbers: Mapping[str, Estimate | float]) -> None:
            for metric, one in numbers.items():
                estimate = one if isinstance(one, Estimate) else None
                value = estimate.value if estimate else one
                ends = (estimate.low, estimate.high) if estimate else (None, None)
                numbered = {"value": value, "low": ends[0], "high": ends[1], "users": users}
                rows.append({"model": model, "part": part, "metric": metric, **numbered})

        for name, report in self.reports.items():
            add(name, "", report.users, {**report.estimates, **report.totals})
            if report.repeats is not None:
                add(name, "repeats", report.repeats.users, report.repeats.estimates)
            for one in report.slices:
                part = f"decile {one.name}" if one.by == "decile" else f"history of {one.name}"
                exposure = {} if one.exposure is None else {"exposure": one.exposure}
                add(name, part, one.users, {**one.estimates, **exposure})
            for point in self.curves.get(name, ()):
                add(name, f"fitted on {point.share:.0%} of the users", report.users, point.estimates)
            if self.pages is not None and self.pages.model == name:
                add(name, "pages", self.pages.report.users, {**self.pages.report.estimates, **self.pages.report.totals})
        return rows

    def to_arrow(self) -> "pa.Table":
        """Return `rows` as an Arrow table."""
        import pyarrow as pa

        text = dict.fromkeys(("model", "part", "metric"), pa.string())
        numbers = dict.fromkeys(("value", "low", "high"), pa.float64())
        return pa.Table.from_pylist(self.rows(), pa.schema({**text, **numbers, "users": pa.int64()}))

    def to_pandas(self) -> Any:
        """Return `to_arrow` as a pandas data frame; MissingExtraError without pandas."""
        return frame_of(self.to_arrow(), "pandas")

    def to_polars(self) -> Any:
        """Return `to_arrow` as a polars data frame; MissingExtraError without polars."""
        return frame_of(self.to_arrow(), "polars")

    def plot(self, name: str) -> "Plot":
        """Return a plot, which notebooks show, by its name in `plots.PLOTS`; InputError for others."""
        from crossfade.evaluate.plots import PLOTS

        if name not in PLOTS:
            raise InputError(f"there is no plot {name!r}; there are: {', '.join(PLOTS)}")
        return PLOTS[name].draw(self)

    def save(self, path: Path | str) -> None:
        """Write a page with all tables and plots, which loads nothing from elsewhere; StorageError if that fails."""
        from crossfade.evaluate.report_page import page

        write_file(Path(path), page(self).encode())
