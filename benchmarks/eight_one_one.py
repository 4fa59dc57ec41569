"""HetRec 2011 Last.fm, split 8:1:1: all models and their blend, with plays, tags and friends imported.

    python -m benchmarks.eight_one_one --data FOLDER    the folder of HetRec 2011 Last.fm

Of each user's artists a random tenth is asked for and another one is the validation part, which nothing is fitted on.
All 17,632 artists are candidates. Papers differ in whether lists may have what is in the validation part, where it can
only miss, so both are measured: "masked" leaves it out of the lists, as many libraries do. Settings are searched and
weights learned on cuts of the train part; --validate asks for the validation part instead of the test part.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from benchmarks.blended import searched, sides_of
from benchmarks.case import Findings, run_case
from benchmarks.record import Comparison, Value
from crossfade.core.csr import CSR
from crossfade.core.holdout import part_of
from crossfade.core.home import Home
from crossfade.core.interactions import Interactions
from crossfade.evaluate.comparing import compare
from crossfade.evaluate.library import How
from crossfade.evaluate.recommendation import Report, listeners_of, ranked_lists, report_of, validate
from crossfade.evaluate.splits import Split
from crossfade.importing.imports import import_paths
from crossfade.models.contract import Fitted
from crossfade.pipeline.evaluating import split_home

MEMBERS = (
    "als",
    "cooccurrence",
    "cultural",
    "ease",
    "logistic",
    "popularity",
    "spectral",
    "user_neighbours",
    "vector_exp",
)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="the folder of HetRec 2011 Last.fm")
    parser.add_argument("--models", nargs="+", default=list(MEMBERS))
    parser.add_argument("--validate", action="store_true", help="ask for the validation part")
    parser.add_argument("-k", type=int, default=10, help="length of lists")
    parser.add_argument("--seed", type=int, default=0)


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison of all models."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch))
        import_paths(home, [chosen.data])
        how = How(way="weak", fraction=0.2, seed=chosen.seed, cut=0.15)
        split = split_home(home, "artist", how, [*chosen.models])[0]
    first = np.random.default_rng(chosen.seed + 1).random(split.test.pairs) < 0.5
    asked = replace(split, test=part_of(split.test, first == chosen.validate))
    other = part_of(split.test, first != chosen.validate)
    threads = max(chosen.threads)
    settings = searched(chosen.models, split.train, threads)
    compared = compare(
        ["blend", *chosen.models],
        asked,
        k=chosen.k,
        settings={**settings, "blend": {"models": tuple(chosen.models)}},
        pages=False,
        percentile_ranks=False,
        threads=threads,
        jobs=1,
    )
    masked = {
        name: without(trial.model, asked, other, chosen.k) for name, trial in compared.trials.items() if trial.model
    }
    sides = sides_of({"": compared.reports, "masked ": masked}, chosen.k)
    what: dict[str, Value] = {
        "users": len(asked.train.user_ids),
        "artists": len(asked.train.item_ids),
        "pairs": asked.train.pairs,
        "asked for": "validation" if chosen.validate else "test",
        "seed": chosen.seed,
    }
    return Findings(comparisons=[Comparison(name="HetRec 2011 Last.fm, 8:1:1", unit="a fit", what=what, sides=sides)])


def without(model: Fitted[Any], split: Split, other: Interactions, k: int) -> Report:
    """The report of lists without the pairs of ``other``, for the users of whom something is asked."""
    task = validate(model, split.train, split.test, k)
    known = model.histories_of(split.train.histories(task.asked)), model.histories_of(other.histories(task.asked))
    shape = known[0].rows, len(model.item_ids)
    either = sum(csr_array((np.ones(len(one.indices)), one.indices, one.indptr), shape=shape) for one in known).tocsr()
    either.sort_indices()
    indptr, indices = either.indptr.astype(np.int64), either.indices.astype(np.int32)
    task = replace(task, excluded=CSR(indptr, indices, either.data.astype(np.float32)))
    popularity = listeners_of(model.item_ids, split.train)
    return report_of(model.name, ranked_lists(model, task, k), task, k, popularity, lists_alone=True)


if __name__ == "__main__":
    run_case(__doc__, options, measure)
