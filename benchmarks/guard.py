"""Compare a fresh run with the committed one, and fail if we became slower against the peers or found less.

    python -m benchmarks --results FOLDER
    python -m benchmarks guard FOLDER

Seconds depend on the machine, so what is compared is how many times as fast ours was as the peers of the same
comparison that took part in both runs, the geometric mean over them, turn by turn; where there is no peer, the limit
takes its place. A ratio has fallen if its median is lower by more than the tolerance and the middle halves of
the turns of both runs do not meet. Figures such as recall may fall, and memory may rise, by what `HELD` says.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.record import RESULTS, Comparison, Record, Side, ratios

TOLERANCE = 0.15  # of the ratio: two runs on one machine that is shared differ by a tenth


@dataclass(frozen=True)
class Bound:
    """How far a figure may go the wrong way: absolutely, or as a share of what it was."""

    worse: int  # -1: less is worse, 1: more is worse
    by: float
    share: bool = False


HELD = {
    "recall": Bound(-1, 0.005),
    "recall@20": Bound(-1, 0.005),
    "ndcg@20": Bound(-1, 0.005),
    "peak_gib": Bound(1, 0.15, share=True),
}


@dataclass(frozen=True)
class Verdict:
    """One thing that was compared; ``what`` is "speed" or the name of a figure."""

    case: str
    comparison: str
    side: str
    what: str
    before: float
    now: float
    fell: bool

    @property
    def change(self) -> float:
        return self.now / self.before - 1 if self.before else float("nan")


def verdicts(before: Record, now: Record, tolerance: float) -> Iterator[Verdict]:
    """Everything of ours that both records hold, of comparisons that were set up alike."""
    fresh = {comparison.name: comparison for comparison in now.comparisons}
    for comparison in before.comparisons:
        found = fresh.get(comparison.name)
        if found is None or dict(found.what) != dict(comparison.what):
            continue
        sides = {side.name: side for side in found.sides}
        for side in comparison.sides:
            if side.kind == "ours" and side.name in sides:
                yield from _of_side(before.case, comparison, found, side, sides[side.name], tolerance)


def resized(before: Record, now: Record) -> list[str]:
    """Settings in which the runs differ; not how often they measured, nor lists, whose values are compared singly."""
    names = [name for name, value in before.settings.items() if not isinstance(value, list) and name != "turns"]
    return [name for name in names if name in now.settings and now.settings[name] != before.settings[name]]


def missing(before: Record, now: Record) -> list[str]:
    """Comparisons of the committed record that the fresh one does not hold, or holds of other sizes."""
    fresh = {comparison.name: dict(comparison.what) for comparison in now.comparisons}
    return [one.name for one in before.comparisons if fresh.get(one.name) != dict(one.what)]


def _of_side(
    case: str, before: Comparison, now: Comparison, was: Side, side: Side, tolerance: float
) -> Iterator[Verdict]:
    both = {one.name for one in before.sides} & {one.name for one in now.sides}
    others = [[one for one in each.sides if one.name in both and one.kind != "ours"] for each in (before, now)]
    for kind in ("peer", "limit"):
        ones, twos = (sorted((o for o in each if o.kind == kind and o.turns), key=lambda o: o.name) for each in others)
        if was.turns and side.turns and ones and [o.name for o in ones] == [o.name for o in twos]:
            old, new = ratios(was, ones), ratios(side, twos)
            slower = np.median(new) < np.median(old) * (1 - tolerance)
            apart = np.quantile(new, 0.75) < np.quantile(old, 0.25)
            fell = bool(slower and apart)
            yield Verdict(case, before.name, was.name, "speed", float(np.median(old)), float(np.median(new)), fell)
            break
    for name, bound in HELD.items():
        old_figure, new_figure = was.figures.get(name), side.figures.get(name)
        if isinstance(old_figure, (int, float)) and isinstance(new_figure, (int, float)):
            worse = bound.worse * (new_figure - old_figure)
            fell = worse > (bound.by * old_figure if bound.share else bound.by)
            yield Verdict(case, before.name, was.name, name, old_figure, new_figure, fell)


def table(found: list[Verdict]) -> list[str]:
    """Aligned lines, what fell first."""
    rows = [("case", "comparison", "side", "what", "before", "now", "change", "")]
    for one in sorted(found, key=lambda verdict: not verdict.fell):
        numbers = f"{one.before:.4g}", f"{one.now:.4g}", f"{one.change:+.1%}"
        rows.append((one.case, one.comparison, one.side, one.what, *numbers, "FELL" if one.fell else ""))
    widths = [max(len(row[column]) for row in rows) for column in range(8)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def main(arguments: list[str] | None = None) -> None:
    """Print the table; the exit code is 1 if anything fell, 2 if there was nothing to compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fresh", type=Path, help="the folder of the fresh records")
    parser.add_argument("--committed", type=Path, default=RESULTS)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="share that a ratio may fall by")
    chosen = parser.parse_args(arguments)
    found: list[Verdict] = []
    for path in sorted(chosen.fresh.glob("*.json")):
        committed = chosen.committed / path.name
        if not committed.exists():
            print(f"{path.stem}: there is no committed record to compare with")
            continue
        before, now = Record.read(committed), Record.read(path)
        if differing := resized(before, now):
            print(f"{before.case}: measured with other {', '.join(differing)} than the committed record")
            continue
        for name in missing(before, now):
            print(f"{before.case}: {name} was not measured again in the same way")
        found += verdicts(before, now, chosen.tolerance)
    if not found:
        print(f"nothing in {chosen.fresh} can be compared with {chosen.committed}")
        sys.exit(2)
    for line in table(found):
        print(line)
    if fell := sum(one.fell for one in found):
        print(f"{fell} of {len(found)} fell; a ratio may by {chosen.tolerance:.0%}, and beyond the spread")
        sys.exit(1)


if __name__ == "__main__":
    main()
