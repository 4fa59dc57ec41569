"""Seconds a pass of Vector-Exp and of logistic matrix factorization takes, here and in `implicit`, and what is learned.

    python -m benchmarks.factors
    python -m benchmarks.factors --users 1000000 --items 100000 --pairs 50000000 --turns 3 --without-peers

A pass improves all users, then all items. Sides run on the same matrix, with as many threads, in turns within one
process. Passes are not alike: `implicit` 0.7 looks at up to factors + 2 negatives for a row, drawn by popularity, and
takes one step by Adagrad; ours looks at all that were not played, by a weighted sample, and takes a step of Newton's.
So what each learns in the same time is measured too: a tenth of each user's items is held out, and the curves hold
NDCG@20 and the seconds of fitting for several numbers of passes.

With scikit-learn, rows of a small dense problem are solved by both, and the largest difference is written down.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.generate import long_tailed
from benchmarks.libraries import fitted_vectors
from benchmarks.peers import present
from benchmarks.record import Comparison, Side
from benchmarks.turns import take_turns
from crossfade.core.csr import CSR
from crossfade.core.interactions import Interactions
from crossfade.core.progress import silent
from crossfade.evaluate.recommendation import evaluate
from crossfade.evaluate.splits import Split, random_holdout
from crossfade.kernels.lanes import aligned
from crossfade.kernels.likelihood.half_pass import Link, sample_of, solve_rows, totals_of
from crossfade.kernels.transposing import transposed
from crossfade.models import likelihood
from crossfade.models.factors import FittedFactors
from crossfade.models.likelihood import Likelihood
from crossfade.models.logistic import Logistic
from crossfade.models.vector_exp import VectorExp

K = 20
LINKS: dict[str, Link] = {"vector_exp": "poisson", "logistic": "logistic"}


class Ours:
    """Passes as `crossfade.models.likelihood` does them."""

    def __init__(self, interactions: Interactions, link: Link, factors: int, samples: int, threads: int) -> None:
        damped = np.log1p(interactions.weights)
        self.by_user = CSR(interactions.indptr, interactions.indices, damped / damped.mean())
        self.by_item = transposed(self.by_user, interactions.shape[1])
        totals = totals_of(self.by_user), likelihood.column_totals(self.by_user, interactions.shape[1])
        strength = 0.5 * likelihood.noise_edge(self.by_user.values, *totals, 0.5)
        self.problem = Likelihood(link=link, regularization=strength, exponent=0.5)
        self.state = likelihood.begun(interactions.shape, factors, np.random.default_rng(0))
        self.state.item_intercepts[:] = np.log(np.maximum(totals[1], 0.1) / interactions.shape[0])
        self.samples, self.threads = samples, threads

    def passes(self) -> None:
        self.problem.learn(
            self.by_user,
            self.by_item,
            self.state,
            samples=self.samples,
            passes=1,
            cg_steps=4,
            rng=np.random.default_rng(0),
            threads=self.threads,
            progress=silent,
            polished=False,
        )


class Implicit:
    """Passes as `implicit.cpu.lmf` does them."""

    def __init__(self, interactions: Interactions, factors: int, threads: int) -> None:
        from implicit.lmf import LogisticMatrixFactorization
        from scipy.sparse import csr_matrix

        shape = interactions.shape
        self.matrix = csr_matrix((interactions.weights, interactions.indices, interactions.indptr), shape=shape)
        self.model = LogisticMatrixFactorization(factors=factors, iterations=1, num_threads=threads, random_state=0)

    def passes(self) -> None:
        self.model.fit(self.matrix, show_progress=False)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=2_500_000)
    parser.add_argument("--factors", type=int, nargs="+", default=[64])
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--passes", type=int, nargs="*", default=[2, 5, 10], help="of the curves; none for no curves")
    parser.add_argument("--without-peers", action="store_true", help="time our side alone")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison of passes for each number of factors and threads, one of what is learned, one with a solver."""
    versions, skipped = ({}, {}) if chosen.without_peers else present(["implicit", "sklearn"])
    interactions = long_tailed(chosen.users, chosen.items, chosen.pairs)
    compared = [
        passes(interactions, factors, chosen.samples, chosen.turns, threads, set(versions))
        for factors in chosen.factors
        for threads in chosen.threads
    ]
    if chosen.passes:
        split = random_holdout(interactions, 0.1, np.random.default_rng(0))
        compared.append(learned(split, chosen.factors[0], chosen.passes, max(chosen.threads), set(versions)))
    if "sklearn" in versions:
        compared.append(solved())
    return Findings(comparisons=compared, versions=versions, skipped=skipped)


def passes(
    interactions: Interactions, factors: int, samples: int, turns: int, threads: int, peers: set[str]
) -> Comparison:
    """All sides in turns, one pass a turn."""
    works: dict[str, Callable[[], None]] = {
        name: Ours(interactions, link, factors, samples, threads).passes for name, link in LINKS.items()
    }
    if "implicit" in peers:
        works["implicit LMF"] = Implicit(interactions, factors, threads).passes
    taken = take_turns(works, turns)
    return Comparison(
        name=f"{factors} factors, {threads} thread{'s' * (threads > 1)}",
        unit="a pass",
        what={"factors": factors, "threads": threads, "samples": samples},
        sides=[one.side(name, "ours" if name in LINKS else "peer") for name, one in taken.items()],
    )


def learned(split: Split, factors: int, counts: Sequence[int], threads: int, peers: set[str]) -> Comparison:
    """What whole fits of some numbers of passes take and learn."""
    fits: dict[str, Callable[[int], FittedFactors]] = {
        "vector_exp": lambda count: VectorExp(factors=factors, passes=count).fit(split.train, threads=threads),
        "logistic": lambda count: Logistic(factors=factors, passes=count).fit(split.train, threads=threads),
    }
    if "implicit" in peers:
        fits["implicit LMF"] = lambda count: _fitted_by_peer(split.train, factors, count, threads)
    sides = []
    for name, fit in fits.items():
        seconds, found = [], []
        # A peer's step is smaller, so it gets more of them.
        scale = 1 if name in LINKS else 5
        for count in counts:
            started = time.perf_counter()
            model = fit(scale * count)
            seconds.append(time.perf_counter() - started)
            found.append(_ndcg(model, split))
        curves = {"passes": [scale * count for count in counts], "seconds": seconds, f"ndcg@{K}": found}
        best = int(np.argmax(found))
        figures = {f"ndcg@{K}": found[best], "seconds": seconds[best]}
        sides.append(Side(name=name, kind="ours" if name in LINKS else "peer", figures=figures, curves=curves))
    return Comparison(name=f"{factors} factors, what is learned", unit="a fit", what={"factors": factors}, sides=sides)


def solved() -> Comparison:
    """The largest difference between our logistic rows and scikit-learn's, of intercepts and coefficients."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    columns, factors, penalty = 400, 16, 2.0
    fixed = aligned(columns, factors)
    fixed[:] = rng.normal(0, 0.7, fixed.shape)
    worst = 0.0
    for _ in range(20):
        successes = np.where(rng.random(columns) < 0.2, rng.exponential(2.0, columns), 0.0).astype(np.float32)
        played = np.flatnonzero(successes).astype(np.int32)
        half = CSR(np.array([0, len(played)]), played, successes[played])
        vector, intercept = aligned(1, factors), np.zeros(1, dtype=np.float32)
        solve_rows(
            half,
            fixed,
            np.zeros(columns, dtype=np.float32),
            vector,
            intercept,
            penalties=np.full(1, penalty),
            sample=sample_of(np.ones(columns), columns, rng),
            link="logistic",
            steps=20,
            cg_steps=16,
        )
        # A pair counts as so many successes and one failure: two rows of a weighted regression.
        theirs = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000).fit(
            np.concatenate((fixed[played], fixed)),
            np.concatenate((np.ones(len(played)), np.zeros(columns))),
            np.concatenate((successes[played], np.ones(columns))),
        )
        expected = np.append(theirs.coef_, theirs.intercept_)
        worst = max(worst, float(np.abs(np.append(vector, intercept) - expected).max()))
    side = Side(name="crossfade against scikit-learn", figures={"largest difference": worst})
    return Comparison(
        name="rows of a dense logistic regression", unit="20 rows", what={"factors": factors}, sides=[side]
    )


def _fitted_by_peer(train: Interactions, factors: int, count: int, threads: int) -> FittedFactors:
    from implicit.lmf import LogisticMatrixFactorization
    from scipy.sparse import csr_matrix

    model = LogisticMatrixFactorization(factors=factors, iterations=count, num_threads=threads, random_state=0)
    matrix = csr_matrix((np.log1p(train.weights), train.indices, train.indptr), shape=train.shape)
    model.fit(matrix, show_progress=False)
    return fitted_vectors("implicit", train, model.user_factors, model.item_factors)


def _ndcg(model: FittedFactors, split: Split) -> float:
    report = evaluate(model, split.train, split.test, K, percentile_ranks=False)
    return report.estimates[f"ndcg@{K}"].value


if __name__ == "__main__":
    run_case(__doc__, options, measure, turns=5, blas=1)
