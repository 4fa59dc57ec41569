"""A plan as a drawing: what each scheme moves and needs, over the number of blocks."""

import math
from collections.abc import Callable, Sequence

from crossfade.cluster.costs import SCHEMES, Degrees
from crossfade.cluster.plan import Cluster, Plan, plans
from crossfade.evaluate.plots import HEIGHT, RIGHT, WIDTH, Frame, Plot, stroked

BLOCKS = tuple(1 << power for power in range(13))
"""Of users, and as many of items, that are drawn."""


def plot(users: Degrees, items: Degrees, factors: int, cluster: Cluster, *, steps: int = 3) -> Plot:
    """Draw bytes moved by an iteration, memory that a machine needs and seconds, by scheme; arguments as for `plans`.

    Axes are logarithmic. A dashed line is the memory that each machine has.
    """
    found = {
        scheme: [
            next(plans(users, items, factors, cluster, blocks=(blocks, blocks), schemes=[scheme], steps=steps))
            for blocks in BLOCKS
        ]
        for scheme in SCHEMES
    }
    panels = (
        _panel(found, lambda plan: plan.moved, "bytes moved by an iteration"),
        _panel(found, lambda plan: plan.memory, "bytes that a machine needs", limit=cluster.memory),
        _panel(found, lambda plan: plan.seconds, "seconds of an iteration"),
    )
    drawn = "".join(f'<svg y="{place * HEIGHT}" {panel.svg[5:]}' for place, panel in enumerate(panels))
    height = HEIGHT * len(panels)
    return Plot(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
        f'<rect width="100%" height="100%" fill="white"/>{drawn}</svg>'
    )


def _panel(
    found: dict[str, list[Plan]],
    value: Callable[[Plan], float],
    label: str,
    limit: float | None = None,
) -> Plot:
    lines = {scheme: [math.log10(value(plan)) for plan in line] for scheme, line in found.items()}
    reached = [one for line in lines.values() for one in line] + ([] if limit is None else [math.log10(limit)])
    least, most = math.floor(min(reached)), math.ceil(max(reached))
    across = range(len(BLOCKS))
    frame = Frame((0, across[-1]), (least, most), "blocks of users, and as many of items", label)
    for place, (scheme, line) in enumerate(lines.items()):
        for x in across[:-1]:
            # Half and streamed move the same: the one that is drawn first is wider.
            frame.line((x, line[x]), (x + 1, line[x + 1]), stroked(place), 6 if scheme == "half" else 2)
        for x, plan in enumerate(found[scheme]):
            frame.dot((x, line[x]), place, f"{scheme}, {BLOCKS[x]} blocks: {_told(plan)}")
    if limit is not None:
        y = math.log10(limit)
        frame.line((0, y), (across[-1], y), 'stroke="#888888" stroke-dasharray="4 3"')
        frame.text(WIDTH - RIGHT + 6, frame.at(0, y)[1] + 4, "what a machine has", colour="#666666")
    frame.legend(list(lines))
    return frame.drawn(
        [(x, f"{BLOCKS[x]}") for x in across], [(power, _prefixed(power)) for power in _thinned(range(least, most + 1))]
    )


def _thinned(powers: range) -> Sequence[int]:
    return powers[:: 1 + len(powers) // 9]


def _prefixed(power: int) -> str:
    """Return ten to the power of ``power``: "100 G"."""
    prefix = max(0, min(power // 3, 5))
    return f"{10.0 ** (power - 3 * prefix):g} {' kMGTP'[prefix]}".rstrip()


def _told(plan: Plan) -> str:
    return f"{plan.moved / 1e9:,.3g} GB moved, {plan.memory / 1e9:,.3g} GB a machine, {plan.seconds:,.3g} s"
