"""``crossfade plan``: how long factors take to fit on a cluster, and what it moves and needs, before renting one."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossfade.cli.display import spoken
from crossfade.cli.options import home_option, json_option, kind_option
from crossfade.cli.output import Column, print_json, print_line, print_table, say, size
from crossfade.core.errors import InputError
from crossfade.core.home import Home

if TYPE_CHECKING:
    from crossfade.cluster.costs import Degrees
    from crossfade.cluster.plan import Cluster, HalfStep, Plan

MOST = 1e18
"""Nothing larger is meant."""

_THOUSANDS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_BINARY = {"ki": 2.0**10, "mi": 2.0**20, "gi": 2.0**30, "ti": 2.0**40}


def _quantity(units: Mapping[str, float], example: str) -> Callable[[Any, click.Parameter, str | None], float | None]:
    """Return what reads positive numbers such as "60e6", "60M", "32GB", "32GiB", "10Gbit/s", in ``units``."""

    def read(context: Any, parameter: click.Parameter, text: str | None) -> float | None:
        if text is None:
            return None
        found = re.fullmatch(r"(\d[\d_,]*\.?\d*(?:e\+?\d+)?) ?([kmgt]i?)?([a-z]*)(/s)?", text.strip().casefold())
        if found is not None and found[3] in units:
            scale = (_THOUSANDS | _BINARY)[found[2] or ""] * units[found[3]]
            number = float(re.sub("[_,]", "", found[1])) * scale
            if 0 < number < MOST:
                return number
        raise click.BadParameter(f"{text!r} is not a quantity such as {example}.")

    return read


def _grid(context: Any, parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """Read numbers of blocks of users and of items: "14x112"."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not of the form 14x112: blocks of users and of items.")
    return int(found[1]), int(found[2])


_count = _quantity({"": 1.0}, "60e6 or 60M")
_bytes = _quantity({"b": 1.0}, "32GB")
_speed = _quantity({"bit": 1 / 8, "b": 1.0}, "10Gbit or 1GB/s")


@click.command()
@click.option("--users", callback=_count, metavar="N", help="Users with interactions.")
@click.option("--items", callback=_count, metavar="N", help="Items with interactions.")
@click.option("--interactions", callback=_count, metavar="N", help="Pairs of a user and an item that was played.")
@click.option(
    "--skew",
    type=click.FloatRange(0, 3),
    default=0.0,
    show_default=True,
    help="How popularity falls with the rank of an item: rank to the power of -SKEW. 0: all are as popular.",
)
@click.option("--user-skew", type=click.FloatRange(0, 3), default=0.0, show_default=True, help="The same of users.")
@kind_option
@click.option("--factors", type=click.IntRange(8, 2048), help="Width of a vector.  [default: of the settings]")
@click.option("--machines", type=click.IntRange(1, 100_000), default=10, show_default=True, help="That work.")
@click.option("--cores", type=click.IntRange(1, 1024), default=8, show_default=True, help="For tasks, of each machine.")
@click.option("--memory", callback=_bytes, default="32GB", show_default=True, help="For tasks, of each machine.")
@click.option(
    "--network", callback=_speed, default="10Gbit", show_default=True, help="What a machine receives a second."
)
@click.option(
    "--folder", callback=_speed, help="What the shared folder delivers a second.  [default: what machines receive]"
)
@click.option(
    "--gflops", type=click.FloatRange(0, min_open=True), help="Of a core in kernels, 10^9 operations a second."
)
@click.option("--blocks", callback=_grid, metavar="KxL", help="Blocks of users and of items, instead of the best.")
@click.option("--plot", "drawing", type=click.Path(path_type=Path, dir_okay=False), help="Write an SVG over blocks.")
@json_option
@home_option
def plan(
    home: Home,
    users: float | None,
    items: float | None,
    interactions: float | None,
    skew: float,
    user_skew: float,
    kind: str | None,
    factors: int | None,
    gflops: float | None,
    blocks: tuple[int, int] | None,
    drawing: Path | None,
    as_json: bool,
    **machines: Any,
) -> None:
    """Show what fitting ALS takes on a cluster: bytes moved, memory, tasks and time of every scheme.

    Without --users, --items and --interactions, the library's own users and items are counted.
    """
    from crossfade.cluster.costs import SCHEMES
    from crossfade.cluster.plan import FLOPS, Cluster, choose_scheme
    from crossfade.models.als import ALSSettings

    given = (users, items, interactions)
    if any(given) and not all(given):
        raise click.UsageError("--users, --items and --interactions go together. Without them, a library is counted.")
    if users and items and interactions:
        settings = ALSSettings()
        sides = _invented(users, items, interactions, skew, user_skew)
    else:
        settings, sides = _counted(home, kind)
    chosen: dict[str, Any] = {
        "blocks": blocks,
        "steps": 0 if settings.training_solver == "cholesky" else settings.cg_steps,
    }
    cluster = Cluster(flops=gflops * 1e9 if gflops else FLOPS, **machines)
    problem = (*sides, factors or settings.factors, cluster)
    if drawing is not None:
        from crossfade.cluster.plan_plot import plot

        plot(*problem, steps=chosen["steps"]).save(drawing)
    compared = {scheme: _best(scheme, *problem, **chosen) for scheme in SCHEMES}
    error, best = None, None
    try:
        best = choose_scheme(*problem, **chosen)
    except InputError as failure:
        error = failure
    if as_json:
        print_json(_as_json(*problem, compared, best))
    else:
        _print(*problem, compared, best, settings.iterations)
    if drawing is not None:
        say(f"Plot: {drawing}")
    if error is not None:
        raise error


def _invented(
    users: float, items: float, interactions: float, skew: float, user_skew: float
) -> "tuple[Degrees, Degrees]":
    from crossfade.cluster.costs import Degrees

    if not max(users, items) <= interactions <= users * items:
        raise InputError(
            f"{interactions:,.0f} interactions do not fit {users:,.0f} users and {items:,.0f} items. Each user "
            "and item has at least one, and a user and an item have at most one."
        )
    return (
        Degrees.falling(users, interactions, user_skew, items) if user_skew else Degrees.even(users, interactions),
        Degrees.falling(items, interactions, skew, users) if skew else Degrees.even(items, interactions),
    )


def _counted(home: Home, kind: str | None) -> "tuple[Any, tuple[Degrees, Degrees]]":
    """Return the settings of ALS in a home, and the degrees of its users and items."""
    import numpy as np

    from crossfade.cluster.costs import Degrees
    from crossfade.core.csr import starts_of
    from crossfade.models.als import ALS
    from crossfade.pipeline.settings import Settings
    from crossfade.pipeline.tuned import interactions_of

    settings = Settings.of(home)
    found = interactions_of(home, settings, kind)
    listeners = np.bincount(found.indices, minlength=found.shape[1])
    return settings.model(ALS.name, found.kind), (Degrees.of(found.indptr), Degrees.of(starts_of(listeners)))


def _best(scheme: str, *problem: Any, **chosen: Any) -> "Plan":
    """Return the plan of one scheme for both sides: the fastest that fits, else that which needs least memory."""
    from crossfade.cluster.plan import choose_scheme, plans

    try:
        return choose_scheme(*problem, schemes=[scheme], **chosen)
    except InputError:
        return min(plans(*problem, schemes=[scheme], **chosen), key=lambda plan: plan.memory)


def _print(
    users: "Degrees",
    items: "Degrees",
    factors: int,
    cluster: "Cluster",
    compared: Mapping[str, "Plan"],
    best: "Plan | None",
    iterations: int,
) -> None:
    print_table(
        [
            Column("scheme", "name"),
            Column("solves", "name"),
            Column("blocks", "number"),
            Column("tasks", "number"),
            Column("moves", "number"),
            Column("a task", "number"),
            Column("a machine", "number"),
            Column("seconds", "number"),
            Column("fits", "name"),
        ],
        [
            [
                scheme,
                solves,
                f"{side.blocks:,}",
                f"{side.cost.tasks:,}",
                size(side.cost.moved),
                size(side.cost.held),
                size(side.memory),
                f"{side.seconds:,.3g}" if side.seconds < 1000 else f"{side.seconds:,.0f}",
                "yes" if side.memory <= cluster.memory else "no",
            ]
            for scheme, plan in compared.items()
            for solves, side in (("users", plan.users), ("items", plan.items))
        ],
        title=f"{users.total:,.0f} users, {items.total:,.0f} items, {users.ratings:,.0f} pairs, {factors} factors",
        note=f"{cluster.machines:,} machines, each {cluster.cores} cores, {size(cluster.memory)}, "
        f"{size(cluster.network)}/s; broadcast only for comparison",
    )
    if best is None:
        return
    print_line(
        f"Best: users {_told(best.users)}, items {_told(best.items)}. An iteration takes about "
        f"{_seconds(best.seconds)} and moves {size(best.moved)}; {iterations} take "
        f"{spoken(iterations * best.seconds)}. A machine needs {size(best.memory)}, and the ratings take "
        f"{size(best.stored)} of disk."
    )
    print_line("Run it with: crossfade run --on spark://HOST:7077. It plans anew from the true counts of its library.")


def _told(side: "HalfStep") -> str:
    return f"by {side.scheme} in {side.blocks:,} blocks"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else spoken(seconds)


def _as_json(
    users: "Degrees",
    items: "Degrees",
    factors: int,
    cluster: "Cluster",
    compared: Mapping[str, "Plan"],
    best: "Plan | None",
) -> dict[str, Any]:
    """Bytes and seconds; infinite numbers as null."""

    def costs(side: "HalfStep") -> dict[str, float]:
        return {name: getattr(side.cost, name) for name in ("moved", "held", "tasks")}

    def told(plan: "Plan") -> dict[str, Any]:
        sides = {
            name: {
                **dataclasses.asdict(side),
                "cost": costs(side),
                "seconds": side.seconds,
                "fits": side.memory <= cluster.memory,
            }
            for name, side in (("users", plan.users), ("items", plan.items))
        }
        for side in sides.values():
            side["split_above"] = side["split_above"] if side["split_above"] < float("inf") else None
        totals = ("stored", "moved", "memory", "seconds")
        return {**sides, **{name: getattr(plan, name) for name in totals}}

    return {
        "users": users.total,
        "items": items.total,
        "interactions": users.ratings,
        "factors": factors,
        "cluster": dataclasses.asdict(cluster),
        "schemes": {scheme: told(plan) for scheme, plan in compared.items()},
        "best": None if best is None else told(best),
    }
