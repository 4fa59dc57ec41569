"""The curves that the plots of docs/benchmarks.md show, taken from records; no drawing here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.record import Comparison, Record, Side


@dataclass(frozen=True)
class Curve:
    """One line of a plot, or one point of it."""

    name: str
    ours: bool
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()  # of the spread around y, where it is known
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Panel:
    """One set of axes."""

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    x_log: bool = False
    y_log: bool = False
    linear: bool = False  # draw what exact proportion through the first point of the first curve would be
    recalls: bool = False  # x is a recall


Records = Mapping[str, Record]


def retrieval(case: str) -> Callable[[Records], list[Panel]]:
    """Recall against queries a second, a panel for each comparison on one thread."""

    def panels(found: Records) -> list[Panel]:
        held = found[case].comparisons if case in found else ()
        return [_recall_panel(one) for one in held if one.what["threads"] == 1]

    return panels


def _recall_panel(comparison: Comparison) -> Panel:
    methods: dict[str, list[Side]] = {}
    for side in comparison.sides:
        methods.setdefault(str(side.figures["method"]), []).append(side)
    curves = []
    for method, sides in methods.items():
        # In the order in which they were searched, which is that of breadth.
        points = [(float(side.figures["recall"]), float(side.figures["queries_a_second"])) for side in sides]
        recalls, speeds = zip(*points, strict=True)
        curves.append(Curve(method, sides[0].kind == "ours", recalls, speeds))
    return Panel(
        title=comparison.name,
        x_label="recall",
        y_label="queries a second",
        curves=tuple(curves),
        y_log=True,
        recalls=True,
    )


def grown(found: Records, what: str) -> list[Comparison]:
    """The points of a curve of growth, of the longest run that there is."""
    record = found.get("growth-390m") or found.get("growth")
    return [one for one in record.comparisons if one.what["grows"] == what] if record else []


def growth(what: str, label: str, per: float = 1.0) -> Callable[[Records], list[Panel]]:
    """Seconds an iteration against what grows."""

    def panels(found: Records) -> list[Panel]:
        held = grown(found, what)
        if len(held) < 2:
            return []
        x = tuple(float(one.what[what]) / per for one in held)  # type: ignore[arg-type]
        sides = [one.sides[0] for one in held]
        if what == "threads":
            y = tuple(sides[0].median / side.median for side in sides)
            return [Panel("", label, "times as fast as one", (Curve("crossfade", True, x, y),), linear=True)]
        curve = Curve(
            "crossfade",
            True,
            x,
            tuple(side.median for side in sides),
            tuple(min(side.turns) for side in sides),
            tuple(max(side.turns) for side in sides),
        )
        return [Panel("", label, "seconds an iteration", (curve,), x_log=True, y_log=True, linear=what == "pairs")]

    return panels


def factors(found: Records) -> list[Panel]:
    """Seconds an iteration against factors, of all sides of the ALS cases."""
    if "als" not in found:
        return []
    points: dict[str, list[tuple[float, Side, bool]]] = {}
    for comparison in found["als"].comparisons:
        for side in comparison.sides:
            at = float(comparison.what["factors"])  # type: ignore[arg-type]
            points.setdefault(side.name, []).append((at, side, side.kind == "ours"))
    curves = []
    for name, held in points.items():
        held.sort(key=lambda point: point[0])
        sides = [side for _, side, _ in held]
        curves.append(
            Curve(
                name,
                held[0][2],
                tuple(at for at, _, _ in held),
                tuple(side.median for side in sides),
                tuple(min(side.turns) for side in sides),
                tuple(max(side.turns) for side in sides),
            )
        )
    longest = max(len(curve.x) for curve in curves)
    return [Panel("", "factors", "seconds an iteration", tuple(curves), y_log=True)] if longest > 1 else []


def losses(case: str) -> Callable[[Records], list[Panel]]:
    """Loss against seconds, a panel for each comparison, a curve for each solver."""

    def panels(found: Records) -> list[Panel]:
        made = []
        for comparison in found[case].comparisons if case in found else ():
            sides = [side for side in comparison.sides if side.curves.get("loss")]
            least = min((min(side.curves["loss"]) for side in sides), default=0.0)
            curves = tuple(
                Curve(
                    side.name,
                    side.kind == "ours",
                    tuple(side.curves["seconds"]),
                    tuple(loss / least - 1 for loss in side.curves["loss"]),
                )
                for side in sides
            )
            if curves:
                # The least loss itself has no place on a logarithmic axis.
                kept = tuple(_above(curve) for curve in curves)
                made.append(Panel(comparison.name, "seconds", "loss above the least", kept, y_log=True))
        return made

    return panels


def _above(curve: Curve) -> Curve:
    places = [place for place, value in enumerate(curve.y) if value > 0]
    return Curve(curve.name, curve.ours, tuple(curve.x[i] for i in places), tuple(curve.y[i] for i in places))


def job(found: Records) -> list[Panel]:
    """Seconds of each iteration of the 2014 job."""
    if "job-2014" not in found:
        return []
    side = found["job-2014"].comparisons[0].sides[0]
    y = tuple(side.curves.get("seconds", side.turns))
    curve = Curve("crossfade", True, tuple(float(one) for one in range(1, len(y) + 1)), y)
    return [Panel("", "iteration", "seconds", (curve,))]


CURVES: dict[str, Callable[[Records], list[Panel]]] = {
    "retrieval": retrieval("retrieval"),
    "retrieval-300k": retrieval("retrieval-300k"),
    "als-factors": factors,
    "als-solvers": losses("als-solvers"),
    "als-solvers-512": losses("als-solvers-512"),
    "growth-pairs": growth("pairs", "million interactions", 1e6),
    "growth-factors": growth("factors", "factors"),
    "growth-threads": growth("threads", "threads"),
    "job-2014": job,
}
