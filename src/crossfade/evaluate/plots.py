"""Plots of a comparison as SVG, made here: no library to install, and a page of them loads nothing from elsewhere.

A plot is a frame with axes, drawn by `Frame`, and marks for numbers; each mark has a title that browsers show.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path

from crossfade.core.artifacts import write_file
from crossfade.evaluate.comparison import Comparison
from crossfade.evaluate.intervals import Estimate

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 58, 150, 16, 46
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
"""Colours that people with any sight tell apart: Wong, "Points of view: color blindness", Nature Methods 2011.

After them they come again, with dashed lines and hollow marks.
"""


@dataclass(frozen=True)
class Plot:
    """A drawing; notebooks show it."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: Path | str) -> None:
        """Write an SVG file; StorageError if that fails."""
        write_file(Path(path), self.svg.encode())


@dataclass(frozen=True)
class Named:
    """A kind of plot: its title, what it shows, and what draws it."""

    title: str
    about: str
    draw: Callable[[Comparison], Plot]


@dataclass
class Frame:
    """Axes from ``x`` to ``y`` (least, most), to which marks are added in units of the data."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    height: int = HEIGHT
    parts: list[str] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), self.height - BOTTOM - up * (self.height - TOP - BOTTOM)

    def line(self, one: tuple[float, float], other: tuple[float, float], paint: str, width: float = 1.5) -> None:
        (x1, y1), (x2, y2) = self.at(*one), self.at(*other)
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke-width="{width}" {paint}/>'
        )

    def dot(self, at: tuple[float, float], place: int, title: str) -> None:
        x, y = self.at(*at)
        self.parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {filled(place)}><title>{escape(title)}</title></circle>'
        )

    def text(self, x: float, y: float, text: str, *, anchor: str = "start", colour: str = "currentColor") -> None:
        """Add text at a place of the drawing, in pixels."""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>')

    def legend(self, names: Sequence[str]) -> None:
        for place, name in enumerate(names):
            y = TOP + 10 + 18 * place
            self.parts.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 8}" width="10" height="10" {filled(place)}/>')
            self.text(WIDTH - RIGHT + 30, y + 1, name if len(name) <= 17 else f"{name[:16]}…")

    def drawn(
        self, x_marks: Sequence[tuple[float, str]] | None = None, y_marks: Sequence[tuple[float, str]] | None = None
    ) -> Plot:
        """The plot, with marks at the axes; by default at round numbers."""
        bottom, right = self.height - BOTTOM, WIDTH - RIGHT
        axes = [f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="currentColor" stroke-opacity=".5"/>']
        marks, self.parts = self.parts, []
        for value, label in _marks(self.x) if x_marks is None else x_marks:
            x, _ = self.at(value, self.y[0])
            self.text(x, bottom + 16, label, anchor="middle")
        for value, label in _marks(self.y) if y_marks is None else y_marks:
            _, y = self.at(self.x[0], value)
            self.text(LEFT - 6, y + 4, label, anchor="end")
            axes.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="currentColor" stroke-opacity=".12"/>')
        self.text((LEFT + right) / 2, self.height - 10, self.x_label, anchor="middle")
        middle = (TOP + bottom) / 2
        turned = (
            f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})" fill="currentColor">'
        )
        turned += f"{escape(self.y_label)}</text>"
        inside = "".join([*axes, *self.parts, turned, *marks])
        return Plot(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
            f'height="{self.height}" role="img" font-family="system-ui, sans-serif" font-size="12">{inside}</svg>'
        )


def colour(place: int) -> str:
    """Return the colour of the model at this place of a comparison."""
    return COLOURS[place % len(COLOURS)]


def filled(place: int) -> str:
    """Return the attributes of the marks of the model at this place."""
    return f'fill="{colour(place) if place < len(COLOURS) else "none"}" stroke="{colour(place)}" stroke-width="1.5"'


def stroked(place: int) -> str:
    """Return the attributes of the lines of the model at this place."""
    return f'stroke="{colour(place)}"' + ("" if place < len(COLOURS) else ' stroke-dasharray="5 3"')


def ticks(least: float, most: float, about: int = 5) -> list[float]:
    """Return about five round numbers from ``least`` to ``most``."""
    rough = (most - least) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(least / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(most / step + 1e-9) + 1)]


def _marks(ends: tuple[float, float]) -> list[tuple[float, str]]:
    return [(value, f"{value:g}") for value in ticks(*ends)]


def strata(comparison: Comparison) -> Plot:
    """Recall of test items by the popularity of the item, one line a model, with intervals."""
    metric = f"recall@{comparison.k}"
    lines = {
        name: [(int(one.name), one.estimates[metric]) for one in report.slices if one.by == "decile" and one.estimates]
        for name, report in comparison.reports.items()
    }
    return _lines(lines, "tenth of the plays: 1 the least played items, 10 the most played", metric)


def curves(comparison: Comparison) -> Plot:
    """Recall by the number of users that a model was fitted on."""
    metric = f"recall@{comparison.k}"
    lines = {
        name: [(point.users, point.estimates[metric]) for point in comparison.curves.get(name, ())]
        for name in comparison.trials
    }
    return _lines(lines, "users that the model was fitted on", metric)


def tradeoff(comparison: Comparison) -> Plot:
    """Accuracy against coverage and novelty: a dot a model at its recall and coverage, with its novelty written."""
    recall, coverage, novelty = (f"{name}@{comparison.k}" for name in ("recall", "coverage", "novelty"))
    found = [tuple(comparison.value(name, one) or 0.0 for one in (coverage, recall, novelty)) for name in comparison]
    frame = Frame(
        _range([one[0] for one in found]),
        _range([one[1] for one in found]),
        f"{coverage}: share of items listed",
        recall,
    )
    for place, (name, (x, y, bits)) in enumerate(zip(comparison, found, strict=True)):
        frame.dot((x, y), place, f"{name}: {recall} {y:.4f}, {coverage} {x:.4f}, {novelty} {bits:.2f} bits")
        across, up = frame.at(x, y)
        # Inside of the frame, so that it is not written over the legend.
        right = across > (LEFT + WIDTH - RIGHT) / 2
        label = {"anchor": "end" if right else "start", "colour": colour(place)}
        frame.text(across + (-7 if right else 7), up + 4, f"{bits:.1f} bits", **label)
    frame.legend(list(comparison))
    return frame.drawn()


def differences(comparison: Comparison) -> Plot:
    """Each model's NDCG minus that of the first one, user by user, with its 95 % interval."""
    metric = f"ndcg@{comparison.k}"
    found = [(name, one[metric]) for name, one in comparison.differences().items()]
    ends = [end for _, one in found for end in (one.low, one.high)]
    first = next(iter(comparison))
    height = TOP + BOTTOM + 26 * max(len(found), 2)
    frame = Frame(_range([*ends, 0.0]), (0.0, max(len(found), 1)), f"{metric} minus that of {first}", "", height)
    frame.line((0, 0), (0, max(len(found), 1)), 'stroke="#888888"', 1)
    names = list(comparison)
    for row, (name, one) in enumerate(found):
        y, place = len(found) - row - 0.5, names.index(name)
        frame.line((one.low, y), (one.high, y), stroked(place), 2.5)
        frame.dot((one.value, y), place, f"{name}: {one}")
        label = name if len(name) <= 19 else f"{name[:18]}…"
        frame.text(WIDTH - RIGHT + 10, frame.at(0, y)[1] + 4, label, colour=colour(place))
    return frame.drawn(y_marks=())


def _lines(lines: dict[str, list[tuple[int, Estimate]]], x_label: str, y_label: str) -> Plot:
    """A line a model through its estimates, with the intervals upright."""
    xs = [x for line in lines.values() for x, _ in line] or [0, 1]
    tops = [one.high for line in lines.values() for _, one in line] or [1.0]
    room = (max(xs) - min(xs)) * 0.03 or 1.0
    frame = Frame((min(xs) - room, max(xs) + room), _range([0.0, *tops]), x_label, y_label)
    for place, (name, line) in enumerate(lines.items()):
        for (x, one), (next_x, after) in pairwise(line):
            frame.line((x, one.value), (next_x, after.value), stroked(place), 2)
        for x, one in line:
            frame.line((x, one.low), (x, one.high), stroked(place), 1)
            frame.dot((x, one.value), place, f"{name}, {x:,}: {one}")
    frame.legend(list(lines))
    return frame.drawn([(x, f"{x:,}") for x in sorted({*xs})] if len({*xs}) <= 10 else None)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return somewhat more than the range of ``values``, never empty; nothing below 0 where no value is."""
    least, most = min(values), max(values)
    margin = (most - least) * 0.06 or abs(most) * 0.1 or 1.0
    return (least - margin if least < 0 else max(least - margin, 0.0)), most + margin


PLOTS = {
    "strata": Named("Recall by popularity", "Items are in ten groups with as many plays each.", strata),
    "curves": Named("Learning curves", "How much more listeners help: models fitted on parts of the users.", curves),
    "tradeoff": Named(
        "Accuracy against coverage and novelty",
        "Up: more of what people went on to play. Right: more of the catalogue. More bits: less known items.",
        tradeoff,
    ),
    "differences": Named(
        "Differences", "User by user, with 95 % intervals. Across 0 a difference may be by chance.", differences
    ),
}
"""The plots by name."""
