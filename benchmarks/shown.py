"""The tables of docs/benchmarks.md: records in, lines of Markdown out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.cases import CASES
from benchmarks.record import Record, Side, ratios

Records = Mapping[str, Record]
Rows = Iterable[Sequence[str]]

RECALLS = (0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Table:
    """What shows records, and of which cases: of all that are there, in this order."""

    show: Callable[[list[Record]], list[str]]
    cases: tuple[str, ...]

    def of(self, found: Records) -> list[str]:
        """The lines, or one that says how to measure it."""
        held = [found[case] for case in self.cases if case in found]
        return self.show(held) if held else [f"Not measured yet: `python -m benchmarks {self.cases[0]}`."]


def span(side: Side) -> str:
    """Seconds of the median turn and their range."""
    if not side.turns:
        return "–"
    if len(side.turns) == 1:
        return f"{number(side.median)} s"
    return f"{number(side.median)} s ({number(min(side.turns))} to {number(max(side.turns))})"


def times(ours: Side, other: Side) -> str:
    """How many times as fast ours was, and the range of the turns."""
    if not (ours.turns and other.turns):
        return "–"
    found = ratios(ours, [other])
    middle = f"{float(np.median(found)):.1f}×" if np.median(found) >= 1 else f"{float(np.median(found)):.2f}×"
    return middle if len(found) == 1 else f"{middle} ({found.min():.1f} to {found.max():.1f})"


def number(value: float) -> str:
    """Three significant digits, thousands with commas; whole numbers are shown whole."""
    if value >= 100 or isinstance(value, int):
        return f"{value:,.0f}"
    digits = 3 - len(str(int(value))) if value >= 1 else 3
    return f"{value:.{digits}f}" if value >= 0.01 else f"{value:.2g}"


def version(record: Record, side: str) -> str:
    """A side's name with its version."""
    known = record.versions.get(side.split()[0])
    return f"{side} {known}" if known and side != "crossfade" else side


def markdown(head: Sequence[str], rows: Rows) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


# The tables.


def machines(found: Records) -> list[str]:
    """Where the records come from, and what the limits of the machine were in their runs."""
    kinds: dict[tuple[str, ...], list[Record]] = {}
    for record in found.values():
        one = record.machine
        where = (one.processor, str(one.processors), f"{one.memory_gib:.0f} GiB", one.system, f"Python {one.python}")
        kinds.setdefault(where, []).append(record)
    rows = []
    for where, of in sorted(kinds.items()):
        rows.append(
            [
                *where,
                between([record.machine.gflops for record in of], "GFLOP/s"),
                between([record.machine.gigabytes for record in of], "GB/s"),
            ]
        )
    head = ["processor", "processors", "memory", "system", "", "multiply-adds in registers", "reading memory in order"]
    return markdown(head, rows)


def between(values: Sequence[float | None], unit: str) -> str:
    known = sorted(value for value in values if value is not None)
    if not known:
        return "not measured"
    low, high = f"{known[0]:.0f}", f"{known[-1]:.0f}"
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def peers(found: Records) -> list[str]:
    """Versions of all libraries in the records, and what could not take part."""
    versions: dict[str, set[str]] = {}
    for record in found.values():
        for name, one in record.versions.items():
            versions.setdefault(name, set()).add(one)
    lines = [", ".join(f"{name} {'/'.join(sorted(of))}" for name, of in sorted(versions.items())) + "."]
    skipped = {(peer, reason) for record in found.values() for peer, reason in record.skipped.items()}
    return lines + [f"Without {peer}: {reason}." for peer, reason in sorted(skipped)]


def contest(records: list[Record]) -> list[str]:
    """A row for each comparison, ours first, then each peer with how many times as fast ours was."""
    held = [(record, one) for record in records for one in record.comparisons]
    others: dict[str, str] = {}
    for record, comparison in held:
        for side in comparison.sides:
            if side.name != "crossfade":
                others.setdefault(side.name, version(record, side.name))
    rows = []
    for _, comparison in held:
        sides = {side.name: side for side in comparison.sides}
        ours = sides.get("crossfade") or comparison.sides[0]
        cells = [comparison.name, span(ours)]
        for name in others:
            cells += [f"{span(sides[name])}, {times(ours, sides[name])}" if name in sides else "–"]
        rows.append([*cells, efficiency(ours)])
    head = ["", "crossfade", *(f"{name}, ours is" for name in others.values()), "of the machine"]
    return without_empty(head, rows)


def efficiency(side: Side) -> str:
    flops, moved = side.figures.get("gflops"), side.figures.get("gigabytes")
    if isinstance(flops, (int, float)) and isinstance(moved, (int, float)):
        return f"{flops:.0f} GFLOP/s, {moved:.0f} GB/s"
    return "–"


def without_empty(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The table without columns that hold nothing."""
    kept = [place for place in range(len(head)) if any(row[place] != "–" for row in rows)]
    return markdown([head[place] for place in kept], [[row[place] for place in kept] for row in rows])


def retrieval(records: list[Record]) -> list[str]:
    """Queries a second of each method at the breadth that is fastest among those that reach a recall."""
    lines: list[str] = []
    for comparison in records[-1].comparisons:
        methods: dict[str, list[Side]] = {}
        for side in comparison.sides:
            methods.setdefault(str(side.figures["method"]), []).append(side)
        rows = [
            [
                f"**{method}**" if sides[0].kind == "ours" else method,
                *(fastest(sides, least) for least in RECALLS),
                f"{max(float(side.figures['recall']) for side in sides):.3f}",
                f"{number(sides[0].preparation.get('build', 0.0))} s",
            ]
            for method, sides in sorted(methods.items(), key=lambda pair: -speed(pair[1], RECALLS[1]))
        ]
        head = ["queries a second", *(f"recall ≥ {least}" for least in RECALLS), "highest recall", "build"]
        items, factors = comparison.what["items"], comparison.what["factors"]
        lines += [f"{items:,} items, {factors} factors, {comparison.name}:", "", *markdown(head, rows), ""]
    return lines[:-1]


def speed(sides: Sequence[Side], least: float) -> float:
    return max((float(s.figures["queries_a_second"]) for s in sides if float(s.figures["recall"]) >= least), default=0)


def fastest(sides: Sequence[Side], least: float) -> str:
    reached = speed(sides, least)
    return f"{reached:,.0f}" if reached else "–"


def throughput(records: list[Record]) -> list[str]:
    """A row for each side of each comparison: seconds, rows a second, the peak of memory."""
    held = [one for record in records for one in record.comparisons]
    rows = []
    for comparison in held:
        for side in comparison.sides:
            speeds = [side.figures.get("rows_a_second"), side.figures.get("megabytes_a_second")]
            rows.append(
                [
                    f"{comparison.name}, {comparison.what['rows']:,} rows" if side is comparison.sides[0] else "",
                    side.name,
                    span(side),
                    *(number(float(one)) if isinstance(one, (int, float)) else "–" for one in speeds),
                    f"{number(float(side.figures['peak_gib']))} GiB",
                ]
            )
    return without_empty(["", "", "time", "rows/s", "MB/s", "peak memory"], rows)


def quality(records: list[Record]) -> list[str]:
    """Recall and NDCG of each side, and by how much ours is ahead."""
    comparison = records[-1].comparisons[0]
    metrics = [name for name in comparison.sides[0].figures if " " not in name]
    rows = [[side.name, *(f"{float(side.figures[metric]):.4f}" for metric in metrics)] for side in comparison.sides]
    for side in comparison.sides:
        apart = [side.figures.get(f"{metric} of crossfade more") for metric in metrics]
        if all(isinstance(one, list) for one in apart):
            cells = [f"{one[0]:+.4f} [{one[1]:.4f}, {one[2]:.4f}]" for one in apart if isinstance(one, list)]
            rows.append([f"crossfade minus {side.name}", *cells])
    return markdown(["", *metrics], rows)


def estimates(records: list[Record]) -> list[str]:
    """A row for each side of each comparison with all that is said of it, each with its interval where it has one."""
    held = [one for record in records for one in record.comparisons]
    figures = list(dict.fromkeys(name for one in held for side in one.sides for name in side.figures))
    rows = [
        [
            comparison.name if side is comparison.sides[0] else "",
            f"**{side.name}**" if side.kind == "ours" else side.name,
            *(interval(side.figures.get(name)) for name in figures),
        ]
        for comparison in held
        for side in comparison.sides
    ]
    return without_empty(["", "", *figures], rows)


def asked(what: str) -> Callable[[list[Record]], list[str]]:
    """`estimates` of the comparisons whose names begin so."""

    def table(records: list[Record]) -> list[str]:
        held = [one for record in records for one in record.comparisons if one.name.startswith(what)]
        return estimates([replace(records[-1], comparisons=held)])

    return table


def plain(records: list[Record]) -> list[str]:
    """A row for each side of each comparison with all its numbers: for cases without a table of their own."""
    held = [one for record in records for one in record.comparisons]
    sides = [side for comparison in held for side in comparison.sides]
    figures = list(
        dict.fromkeys(name for side in sides for name, one in side.figures.items() if isinstance(one, (int, float)))
    )
    prepared = list(dict.fromkeys(name for side in sides for name in side.preparation))
    units = list(dict.fromkeys(comparison.unit for comparison in held))
    rows = []
    for comparison in held:
        ours = next((side for side in comparison.sides if side.kind == "ours" and side.turns), None)
        name = comparison.name if len(units) == 1 else f"{comparison.name}: {comparison.unit}"
        rows += [
            [
                name if side is comparison.sides[0] else "",
                side.name,
                span(side),
                times(ours, side) if ours and side.kind != "ours" else "–",
                *(cell(side.figures.get(name)) for name in figures),
                *(f"{cell(side.preparation.get(name))} s".replace("– s", "–") for name in prepared),
            ]
            for side in comparison.sides
        ]
    head = [
        "",
        "side",
        units[0] if len(units) == 1 else "seconds",
        "ours is",
        *(name.replace("_", " ") for name in figures),
        *prepared,
    ]
    return without_empty(head, rows)


def job(records: list[Record]) -> list[str]:
    """One row for each thing that is known of the one fit."""
    comparison = records[-1].comparisons[0]
    side = comparison.sides[0]
    taste, chance = (float(side.figures[name]) for name in ("planted_taste", "planted_taste_by_chance"))
    rows = [
        [f"{len(side.turns)} iterations, each", span(side)],
        *([name, f"{number(seconds)} s"] for name, seconds in side.preparation.items() if seconds),
        ["the fit", f"{number(float(side.figures['fit_minutes']))} minutes"],
        ["peak memory", f"{number(float(side.figures['peak_gib']))} GiB"],
        ["attempts", cell(side.figures["attempts"])],
        ["recommended artists of the user's own taste", f"{taste:.0%} ({chance:.1%} by chance)"],
    ]
    return markdown([comparison.name, f"{comparison.what['threads']} threads"], rows)


def cell(value: object) -> str:
    return number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else "–"


def interval(value: object) -> str:
    if isinstance(value, list) and len(value) == 3:
        # Nothing is 0 here whatever its sign.
        middle, low, high = (f"{round(one, 4) + 0.0:.4f}" for one in value)
        return f"{middle} [{low}, {high}]"
    return cell(value)


def growth(what: str) -> Callable[[list[Record]], list[str]]:
    """Seconds an iteration as one number grows, and what that is for each unit of it."""

    def table(records: list[Record]) -> list[str]:
        held = [one for one in records[-1].comparisons if one.what["grows"] == what]
        first = held[0].sides[0].median / float(held[0].what[what])  # type: ignore[arg-type]
        rows = []
        for one in held:
            at, side = float(one.what[what]), one.sides[0]  # type: ignore[arg-type]
            each = side.median / at / first if what != "threads" else held[0].sides[0].median / side.median
            rows.append([f"{at:,.0f}", span(side), f"{each:.2f}"])
        of = "times as fast as one" if what == "threads" else "seconds for each, the first row being 1"
        return markdown([what, "an iteration", of], rows)

    return table


def cluster(records: list[Record]) -> list[str]:
    """What an iteration takes and moves, and how many processor seconds others take for one of ours."""
    rows, figures = [], ("vectors_gb", "sums_gb", "read_gb", "written_gb", "shuffled_gb", "shipped_gb")
    for comparison in (one for record in records for one in record.comparisons):
        first = float(np.median(comparison.sides[0].processor))
        for side in comparison.sides:
            busy = float(np.median(side.processor))
            rows.append(
                [
                    comparison.name if side is comparison.sides[0] else "",
                    side.name,
                    span(side),
                    f"{number(busy)} s",
                    f"{busy / first:.2f}" if busy < 10 * first else f"{busy / first:.0f}",
                    *(cell(side.figures.get(name)) for name in figures),
                ]
            )
    named = [name.replace("_gb", ", GB") for name in figures]
    return without_empty(["", "side", "an iteration", "processors", "of the first", *named], rows)


def cluster_growth(records: list[Record]) -> list[str]:
    """Processor seconds an iteration as pairs grow, and what that is for each pair."""
    rows, first = [], dict[str, float]()
    for comparison in records[-1].comparisons:
        for side in comparison.sides:
            each = float(np.median(side.processor)) / float(comparison.what["pairs"])  # type: ignore[arg-type]
            first.setdefault(side.name, each)
            pairs, busy = f"{float(comparison.what['pairs']):,.0f}", float(np.median(side.processor))  # type: ignore[arg-type]
            rows.append([pairs, side.name, span(side), f"{number(busy)} s", f"{each / first[side.name]:.2f}"])
    head = ["pairs", "side", "an iteration", "processors", "processors for each pair, the first row being 1"]
    return markdown(head, rows)


GROWTH = ("growth", "growth-390m")  # the last that is there is shown

TABLES = {
    "als": Table(contest, ("als", "als-cholesky")),
    "als-spark": Table(plain, ("als-spark",)),
    "cluster": Table(cluster, ("cluster", "cluster-64")),
    "cluster-growth": Table(cluster_growth, ("cluster-growth",)),
    "als-solvers": Table(plain, ("als-solvers",)),
    "als-solvers-512": Table(plain, ("als-solvers-512",)),
    "job-2014": Table(job, ("job-2014",)),
    "growth-pairs": Table(growth("pairs"), GROWTH),
    "growth-factors": Table(growth("factors"), GROWTH),
    "growth-threads": Table(growth("threads"), GROWTH),
    "factors": Table(plain, ("factors",)),
    "factors-1m": Table(plain, ("factors-1m",)),
    "pairs": Table(plain, ("pairs",)),
    "pairs-1m": Table(plain, ("pairs-1m",)),
    "words": Table(plain, ("words",)),
    "quality": Table(quality, ("quality",)),
    "agreement": Table(estimates, ("agreement",)),
    "heads": Table(estimates, ("heads",)),
    "eight-one-one": Table(estimates, ("eight-one-one",)),
    "missing": Table(estimates, ("missing",)),
    "sparse": Table(estimates, ("sparse",)),
    "truth-related": Table(asked("related artists"), ("truth",)),
    "truth-recommended": Table(asked("recommended artists"), ("truth",)),
    "truth-playlists": Table(asked("tracks of one playlist"), ("truth",)),
    "retrieval": Table(retrieval, ("retrieval",)),
    "retrieval-300k": Table(retrieval, ("retrieval-300k",)),
    "pruning": Table(plain, ("pruning",)),
    "candidates": Table(plain, ("candidates", "candidates-1m")),
    "folding": Table(plain, ("folding",)),
    "tables": Table(plain, ("tables", "tables-300k", "tables-1m")),
    "shared-memory": Table(plain, ("shared-memory",)),
    "cassandra": Table(plain, ("cassandra",)),
    "live-listens": Table(plain, ("live-listens",)),
    "imports": Table(throughput, ("imports",)),
    "interactions": Table(throughput, ("interactions",)),
}


def others(found: Records) -> list[str]:
    """A section for each case that has no table of its own: its name, its command, all its numbers."""
    shown = {case for table in TABLES.values() for case in table.cases}
    lines: list[str] = []
    for case in sorted(set(CASES) - shown):
        command = [f"`{found[case].command}`", ""] if case in found else []
        lines += [f"### {case}", "", *command, *Table(plain, (case,)).of(found), ""]
    return lines[:-1] or ["Every case has its table above."]


SUMMARIES: dict[str, Callable[[Records], list[str]]] = {"machines": machines, "peers": peers, "others": others}
"""Tables of all records together."""
