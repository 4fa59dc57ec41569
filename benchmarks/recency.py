"""What it is worth that listens age: ALS on a history up to a moment, asked for what its listeners found after it.

    python -m benchmarks.recency --scratch DIR

The history is a demo world (docs/demo-world.md), cut four weeks before its end. Test is every artist, or track, that a
listener played after the cut and not before, so that nothing is asked for twice. Ages are taken from the cut. Every
side is fitted with the same seeds; what it has more than plain ALS is a mean over users of the mean over seeds, with
its 95 % interval. Nothing is timed.
"""

import argparse
import datetime
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.case import Findings, run_case
from benchmarks.record import Comparison, Side
from crossfade.aggregation.interactions import InteractionSettings, build_interactions
from crossfade.core.csr import starts_of
from crossfade.core.ids import MISSING, ItemKind
from crossfade.core.interactions import Interactions
from crossfade.demo.settings import DEFAULT, DemoSettings
from crossfade.demo.world import simulate
from crossfade.evaluate.intervals import difference_estimate
from crossfade.evaluate.recommendation import evaluate_space
from crossfade.models.als import ALS

K = 20
RECENT_DAYS = 7.0
PLAIN = "no ageing"


def interactions_of(listens: pa.Table, kind: ItemKind, scratch: Path, settings: InteractionSettings) -> Interactions:
    """The interactions of a table of listens."""
    directory = Path(tempfile.mkdtemp(dir=scratch))
    pq.write_table(listens, directory / "listens.parquet")
    made = directory / "made"
    made.mkdir()
    build_interactions({"listens": [directory / "listens.parquet"]}, None, kind, made, settings)
    return Interactions.load(made, kind=kind)


def found_later(train: Interactions, later: Interactions) -> Interactions:
    """The pairs of ``later`` that are not in ``train``, of users and items that are, in the rows of ``train``."""
    users = train.user_ids.rows(list(later.user_ids), missing="mark").astype(np.int64)
    items = train.item_ids.rows(list(later.item_ids), missing="mark").astype(np.int64)
    owners, played = np.repeat(users, np.diff(later.indptr)), items[later.indices]
    known = (owners != MISSING) & (played != MISSING)
    width = len(train.item_ids)
    before = np.repeat(np.arange(len(train.user_ids)), np.diff(train.indptr)) * width + train.indices
    keys = np.setdiff1d(owners[known] * width + played[known], before)
    ones = np.ones(len(keys), dtype=np.float32)
    return Interactions(
        kind=train.kind,
        user_ids=train.user_ids,
        item_ids=train.item_ids,
        indptr=starts_of(np.bincount(keys // width, minlength=len(train.user_ids))),
        indices=(keys % width).astype(np.int32),
        weights=ones,
        plays=ones.astype(np.int32),
        last_played=ones.astype(np.uint32),
    )


def scores(train: Interactions, test: Interactions, factors: int, share: float, seeds: int) -> dict[str, np.ndarray]:
    """NDCG and recall (users,), the mean over seeds."""
    runs = []
    for seed in range(seeds):
        space = ALS(factors=factors, recent_share=share, seed=seed).fit(train)
        runs.append(evaluate_space(space, train, test, K, percentile_ranks=False).per_user)
    return {name: np.mean([run[name] for run in runs], axis=0) for name in (f"ndcg@{K}", f"recall@{K}")}


def compare(world: DemoSettings, kind: ItemKind, chosen: argparse.Namespace, scratch: Path) -> Comparison:
    """Every half-life, and every share of what is recent, against plain ALS."""
    listens = pa.concat_tables(simulate(world).listens())
    at = listens["listened_at"]
    cut = pa.scalar(pc.max(at).as_py() - datetime.timedelta(days=chosen.days), at.type)
    before, after = listens.filter(pc.less(at, cut)), listens.filter(pc.greater_equal(at, cut))
    later = interactions_of(after, kind, scratch, InteractionSettings())
    sides, plain = [], None
    for half_life in chosen.half_lives:
        settings = InteractionSettings(half_life_days=half_life, recent_half_life_days=RECENT_DAYS)
        train = interactions_of(before, kind, scratch, settings)
        test = found_later(train, later)
        for share in chosen.shares:
            found = scores(train, test, chosen.factors, share, chosen.seeds)
            plain = plain or found
            figures = {}
            for name, values in found.items():
                apart = difference_estimate(values, plain[name])
                figures[name] = float(values.mean())
                figures[f"{name} more than plain"] = [apart.value, apart.low, apart.high]
            name = f"half-life {half_life:g} d" if half_life else PLAIN
            sides.append(Side(name=f"{name}, recent share {share:g}", figures=figures))
            print(kind, world.seed, sides[-1].name, figures, flush=True)
    return Comparison(
        name=f"{kind}s, demo world {world.seed}",
        unit="a fit",
        what={"kind": kind, "seed": world.seed, "listeners": world.listeners, "pairs": train.pairs, "k": K},
        sides=sides,
    )


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--half-lives", type=float, nargs="+", default=[0, 30, 90], help="in days, the first for plain")
    parser.add_argument("--shares", type=float, nargs="+", default=[0, 0.25, 0.5], help="of what is recent")
    parser.add_argument("--days", type=int, default=28, help="after the cut")
    parser.add_argument("--listeners", type=int, default=DEFAULT.listeners)
    parser.add_argument("--artists", type=int, default=DEFAULT.artists)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3, help="of ALS")
    parser.add_argument("--worlds", type=int, default=2)


def measure(chosen: argparse.Namespace) -> Findings:
    """Both kinds of items in each world."""
    comparisons = []
    for number in range(chosen.worlds):
        world = DemoSettings(listeners=chosen.listeners, artists=chosen.artists, seed=DEFAULT.seed + number)
        for kind in ("artist", "track"):
            with tempfile.TemporaryDirectory(dir=chosen.scratch) as scratch:
                comparisons.append(compare(world, kind, chosen, Path(scratch)))
    return Findings(comparisons=comparisons)


if __name__ == "__main__":
    run_case(__doc__, options, measure)
