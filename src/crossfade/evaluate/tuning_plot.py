"""What mattered in tuning, as an SVG: the importance of each setting, and NDCG@20 over the values that were tried."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from crossfade.evaluate.tuning import Tuned, TunedTrial

WIDTH, HEIGHT, MARGIN = 260, 150, 46
"""Of one slice and of the space around it, in pixels."""


def plot(tuned: Tuned) -> str:
    """Return the page: importance above, below it a slice a setting, the most important first."""
    names = sorted({name for trial in tuned.trials for name in trial.settings}, key=lambda name: _rank(tuned, name))
    bars = len(names) * 22 + 50
    parts = [_text(16, 24, f"{tuned.model}: what mattered in {len(tuned.trials)} trials", size=15)]
    for number, name in enumerate(names):
        share, y = tuned.importance.get(name, 0.0), 50 + 22 * number
        parts.append(_text(150, y + 11, name, anchor="end"))
        parts.append(f'<rect x="160" y="{y}" width="{360 * share:.1f}" height="14" fill="#4269d0"/>')
        parts.append(_text(166 + 360 * share, y + 11, f"{share:.0%}" if tuned.importance else ""))
    for number, name in enumerate(names):
        x, y = number % 3 * (WIDTH + MARGIN) + MARGIN, bars + number // 3 * (HEIGHT + MARGIN) + 20
        parts.append(f'<g transform="translate({x},{y})">{_slice(tuned.trials, name)}</g>')
    width = 3 * (WIDTH + MARGIN) + MARGIN
    height = bars + math.ceil(len(names) / 3) * (HEIGHT + MARGIN) + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _rank(tuned: Tuned, name: str) -> tuple[float, str]:
    return -tuned.importance.get(name, 0.0), name


def _slice(trials: Sequence[TunedTrial], name: str) -> str:
    """NDCG@20 over the values of one setting; pruned trials are hollow."""
    points = [(trial.settings[name], trial) for trial in trials if name in trial.settings]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value, _ in points)
    # Choices stand side by side, numbers on a logarithmic scale where they can.
    values: list[Any] = sorted({value for value, _ in points}, key=None if numbers else str)
    beside = {value: (number + 0.5) / len(values) for number, value in enumerate(values)}
    places = {value: _place(value, values) for value in values} if numbers else beside
    low, high = min(trial.ndcg for _, trial in points), max(trial.ndcg for _, trial in points)
    dots = []
    for value, trial in points:
        x, y = WIDTH * places[value], HEIGHT * (1 - (trial.ndcg - low) / ((high - low) or 1.0))
        fill = "none" if trial.pruned else "#4269d0"
        dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{fill}" stroke="#4269d0"/>')
    ends = (values[0], values[-1]) if numbers else ()
    labels = [_text(WIDTH * places[value], HEIGHT + 16, _shown(value), anchor="middle") for value in ends or values]
    frame = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#ccc"/>'
    scale = _text(-4, 10, f"{high:.3f}", anchor="end") + _text(-4, HEIGHT, f"{low:.3f}", anchor="end")
    return frame + scale + "".join(dots) + "".join(labels) + _text(WIDTH / 2, -6, name, anchor="middle")


def _place(value: float, values: Sequence[float]) -> float:
    low, high = values[0], values[-1]
    if low == high:
        return 0.5
    if low > 0:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
