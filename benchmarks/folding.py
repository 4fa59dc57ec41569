"""How long one new user takes: the profile of a history by a fitted model, without training anything.

    python -m benchmarks.folding [--items 300000] [--factors 64] [--plays 5 50 500]

Vectors are drawn; the work depends on their number and width alone. Each turn folds in fresh histories one after the
other, as the server does when somebody has played something: the history comes with the release's list of ids, which
is not the model's own.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.record import Comparison
from benchmarks.turns import take_turns
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.settings import as_table
from crossfade.core.spaces import VectorSpace
from crossfade.models.als import ALSSettings, FittedALS
from crossfade.models.contract import Fitted
from crossfade.models.logistic import FittedLogistic, LogisticSettings
from crossfade.models.vector_exp import FittedVectorExp, VectorExpSettings

KIND = "track"
FITTED = {  # with settings that a fit leaves nothing to find out of
    "als": (FittedALS, ALSSettings(regularization=0.1, alpha=1.0, unobserved_weight=0.01)),
    "logistic": (FittedLogistic, LogisticSettings(alpha=1.0, regularization=1.0)),
    "vector_exp": (FittedVectorExp, VectorExpSettings(regularization=1.0)),
}


def fitted(name: str, items: int, factors: int, rng: np.random.Generator) -> Fitted[np.ndarray]:
    """Return a fitted model of drawn vectors."""
    of_model, settings = FITTED[name]
    space = VectorSpace(
        model=name,
        kind=KIND,
        metric="dot",
        item_ids=Ids.of(f"{row:08x}-0000" for row in range(items)),
        item_vectors=(rng.standard_normal((items, factors)) / np.sqrt(factors)).astype(np.float32),
        settings=as_table(replace(settings, factors=factors)),
    )
    return of_model(space=space, support=rng.integers(1, 1000, items))


def histories(ids: Ids, plays: int, users: int, rng: np.random.Generator) -> list[Interactions]:
    """Return the histories of ``users``, one each, of so many ``plays``."""
    found = []
    for _ in range(users):
        rows = np.sort(rng.choice(len(ids), plays, replace=False)).astype(np.int32)
        found.append(
            Interactions(
                kind=KIND,
                item_ids=ids,
                user_ids=Ids.of(["new"]),
                indptr=np.array([0, plays]),
                indices=rows,
                weights=rng.integers(1, 30, plays).astype(np.float32),
                plays=np.ones(plays, np.int32),
                last_played=np.zeros(plays, np.uint32),
                trusted=True,
            )
        )
    return found


def options(parser: argparse.ArgumentParser) -> None:
    """The sizes."""
    parser.add_argument("--items", type=int, default=300_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--plays", type=int, nargs="+", default=[5, 50, 500], help="items of a history")
    parser.add_argument("--users", type=int, default=50, help="histories of a turn")


def measure(chosen: argparse.Namespace) -> Findings:
    """Time every model with every length of history."""
    rng = np.random.default_rng(0)
    models = {name: fitted(name, chosen.items, chosen.factors, rng) for name in FITTED}
    ids = Ids(*(part.copy() for part in models["als"].item_ids.arrays))
    comparisons = []
    for plays in chosen.plays:
        asked = histories(ids, plays, chosen.users, rng)
        works = {name: _folding(model, asked, max(chosen.threads)) for name, model in models.items()}
        taken = take_turns(works, chosen.turns)
        what = {"plays": plays, "items": chosen.items, "factors": chosen.factors}
        sides = [
            one.side(name, figures={"cpu_ms": 1000 * float(np.median(one.processor)) / chosen.users})
            for name, one in taken.items()
        ]
        comparisons.append(Comparison(name=f"{plays} plays", unit=f"{chosen.users} users", what=what, sides=sides))
    return Findings(comparisons=comparisons)


def _folding(model: Fitted[np.ndarray], asked: Sequence[Interactions], threads: int) -> Callable[[], object]:
    def work() -> None:
        for one in asked:
            model.profiles(one, threads=threads)

    return work


if __name__ == "__main__":
    run_case(__doc__, options, measure, threads=(1,))
