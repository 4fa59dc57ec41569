"""Draw the plots of docs/benchmarks.md as SVG: one fixed style, and the same bytes for the same records."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from benchmarks.curves import CURVES, Curve, Panel, Records

OURS = ("#c2410c", "#ea8c55", "#7c2d12", "#f4b183")
PEERS = ("#1d4ed8", "#0f766e", "#6d28d9", "#4b5563", "#0891b2", "#a16207", "#be185d", "#65a30d", "#334155", "#9333ea")
MARKS = "osD^vP*X<>"
FEW_TICKS = 8  # up to so many values on an axis, each gets its own tick
WIDE = 200  # from this ratio of the ends of an axis on, powers of ten are ticks enough
LOWEST_RECALL, END = 0.5, 0.003  # END: how near to one the stretching of recalls goes
RECALL_TICKS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1)

STYLE = {
    "svg.hashsalt": "crossfade",
    "svg.fonttype": "path",  # the same letters wherever it is shown
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6b7280",
    "axes.labelcolor": "#374151",
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#e5e7eb",
    "grid.linewidth": 0.6,
    "xtick.color": "#6b7280",
    "ytick.color": "#6b7280",
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def draw(found: Records, folder: Path) -> list[Path]:
    """Write every plot whose records are there; remove those whose records are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, panels_of in CURVES.items():
        path = folder / f"{name}.svg"
        if panels := panels_of(found):
            with matplotlib.rc_context(STYLE):
                figure(panels).savefig(path, format="svg", metadata={"Date": None, "Creator": None})
            # What matplotlib leaves at the ends of lines is nothing to commit.
            path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
            written.append(path)
        else:
            path.unlink(missing_ok=True)
    return written


def figure(panels: list[Panel]) -> Figure:
    """The panels two in a row, over one legend where they share more than a curve."""
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    words = -(-len(names) // 5) if len(names) > 1 else 0  # lines of the legend
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    width = 4.6 * columns if columns > 1 else 6.2
    made = Figure(figsize=(width, 3.5 * rows + 0.22 * words), layout="constrained")
    colours = styles(panels)
    handles: dict[str, Any] = {}
    places = np.ravel(made.subplots(rows, columns, squeeze=False))
    for spare in places[len(panels) :]:
        spare.remove()
    for axes, panel in zip(places, panels, strict=False):
        for curve in panel.curves:
            handles.setdefault(curve.name, line(axes, curve, *colours[curve.name]))
        if panel.linear:
            proportion(axes, panel.curves[0])
        finish(axes, panel)
    if words:
        made.legend(
            [handles[name] for name in names], names, loc="outside lower center", ncols=min(5, len(names)), fontsize=8
        )
    return made


def styles(panels: list[Panel]) -> dict[str, tuple[str, str]]:
    """A colour and a mark for each name, warm for ours, cold for others."""
    kinds = {curve.name: curve.ours for panel in panels for curve in panel.curves}
    ours = [name for name, one in kinds.items() if one]
    others = [name for name, one in kinds.items() if not one]
    alone = (OURS[0], *PEERS)  # several of ours among themselves want to be told apart
    return {
        name: (colours[place % len(colours)], MARKS[place % len(MARKS)])
        for names, colours in ((ours, OURS if others else alone), (others, PEERS))
        for place, name in enumerate(names)
    }


def line(axes: Any, curve: Curve, colour: str, mark: str) -> Any:
    """One curve, its spread as a band."""
    thick = 2.2 if curve.ours else 1.2
    (drawn,) = axes.plot(
        curve.x, curve.y, marker=mark, markersize=5 if curve.ours else 4, color=colour, linewidth=thick,
        zorder=3 if curve.ours else 2,
    )  # fmt: skip
    if curve.low:
        axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
    return drawn


def proportion(axes: Any, curve: Curve) -> None:
    """What growth in exact proportion would be, from the first point."""
    x = np.array([curve.x[0], curve.x[-1]])
    axes.plot(x, curve.y[0] * x / curve.x[0], color="#6b7280", linewidth=1, linestyle=(0, (4, 3)), zorder=4)
    axes.text(
        0.98, 0.04, "dashed: in exact proportion", transform=axes.transAxes, ha="right", color="#6b7280", fontsize=8
    )


def finish(axes: Any, panel: Panel) -> None:
    """Scales, words and ticks."""
    axes.set_title(panel.title)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    plain = FuncFormatter(lambda value, _: f"{value:,.10g}")
    each = sorted({x for curve in panel.curves for x in curve.x})
    if panel.recalls:
        recall_axis(axes, each[0])
    elif panel.x_log:
        axes.set_xscale("log")
        axes.set_xticks(each)
        axes.xaxis.set_major_formatter(plain)
        axes.xaxis.set_minor_locator(NullLocator())
    elif len(each) <= FEW_TICKS and panel.y_label != "loss above the least":
        axes.set_xticks(each)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=panel.x_label == "iteration"))
    if panel.y_log:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < WIDE else (1,), numticks=20))
        axes.yaxis.set_major_formatter(plain)
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(0, axes.get_ylim()[1] * 1.08)


def recall_axis(axes: Any, least: float) -> None:
    """Stretch recalls near one, where nearly all of them are: what is missed in proportion, one itself included."""
    axes.set_xscale(
        "function",
        functions=(
            lambda recall: -np.log10(np.maximum(1 + END - np.asarray(recall), END / 10)),
            lambda place: 1 + END - 10 ** -np.asarray(place),
        ),
    )
    axes.set_xlim(max(LOWEST_RECALL, min(least, 0.9) - 0.02), 1.0005)
    axes.set_xticks([tick for tick in RECALL_TICKS if tick >= axes.get_xlim()[0]])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
