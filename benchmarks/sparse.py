"""Sparse sets: each model by its defaults, by the short search and tuned, and the blend of the searched ones.

    python -m benchmarks.sparse --data FOLDER    the folder that has the data sets

The sets are MovieLens-1M's train file with ten films a user, HetRec 2011 Last.fm with fourteen artists a user, drawn at
random, and the sample of the Taste Profile as it is. Users have five items or more and items two users or more; a fifth
of each user's items is asked for. Settings are searched, tuned and weighed on cuts of the rest alone. EASE and the
spectral filter, whose fits are longest, are not tuned.
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.blended import Reports, searched, sides_of
from benchmarks.case import Findings, run_case
from benchmarks.record import Comparison, Side, Value
from crossfade.core.holdout import shuffled_places
from crossfade.core.interactions import Interactions
from crossfade.evaluate.comparing import compare
from crossfade.evaluate.pair_files import read_pairs
from crossfade.evaluate.splits import Split, random_holdout
from crossfade.evaluate.tuning import tune
from crossfade.models.registry import model_class

SETS = {
    "MovieLens-1M, 10 films a user": ("movielens1m-m1/train.txt", 10),
    "HetRec Last.fm, 14 artists a user": ("hetrec-lastfm/user_artists.dat", 14),
    "Taste Profile sample": ("taste-profile/10000.txt", None),
}
LEAST_ITEMS, LEAST_USERS = 5, 2
LONG = ("ease", "spectral")
MODELS = ("als", "cooccurrence", *LONG, "logistic", "popularity", "user_neighbours", "vector_exp")
K = 20


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="the folder that has the data sets")
    parser.add_argument("--sets", nargs="+", default=[*SETS], choices=[*SETS])
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--trials", type=int, default=12, help="of tuning each model; 0: none is tuned")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn and of what is asked for")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison a set."""
    comparisons = []
    for name in chosen.sets:
        file, most = SETS[name]
        split = random_holdout(
            thinned(pairs_of(chosen.data / file), most, chosen.seed), 0.2, np.random.default_rng(chosen.seed)
        )
        what: dict[str, Value] = {
            "users": len(split.train.user_ids),
            "items": len(split.train.item_ids),
            "pairs to learn from": split.train.pairs,
        }
        comparisons.append(Comparison(name=name, unit="a fit", what=what, sides=sides(split, chosen)))
    return Findings(comparisons=comparisons)


def pairs_of(file: Path) -> Interactions:
    """Who has what in a file of lists or of pairs, which may begin with the names of its columns."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    if not lines[0].startswith("userID"):
        return read_pairs([file])[0]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as plain:
        plain.writelines(lines[1:])
        plain.flush()
        return read_pairs([Path(plain.name)])[0]


def thinned(interactions: Interactions, most: int | None, seed: int) -> Interactions:
    """``most`` items of each user, by users and items that have pairs enough, each weighing one."""
    kept = np.ones(interactions.pairs, dtype=np.bool_)
    if most is not None:
        kept = shuffled_places(interactions, np.random.default_rng(seed)) < most
    users = np.repeat(np.arange(len(interactions.user_ids)), np.diff(interactions.indptr))
    before = -1
    while kept.sum() != before:
        before = kept.sum()
        for rows, least in ((users, LEAST_ITEMS), (interactions.indices, LEAST_USERS)):
            kept &= np.bincount(rows[kept], minlength=rows.max() + 1)[rows] >= least
    by = interactions.user_ids.select(users[kept])
    return Interactions.from_counts(by, interactions.item_ids.select(interactions.indices[kept]))


def sides(split: Split, chosen: argparse.Namespace) -> list[Side]:
    """The blend and its models: the recall and NDCG of all three settings."""
    threads = max(chosen.threads)
    found = searched(chosen.models, split.train, threads)
    best = reports_of(["blend", *chosen.models], split, {**found, "blend": {"models": tuple(chosen.models)}}, threads)
    rows = {side.name: dict(side.figures) for side in sides_of({"searched ": best}, K)}
    defaults: dict[str, Mapping[str, Any]] = {name: {} for name in chosen.models}
    for way, settings in (("default ", defaults), ("tuned ", tuned_of(split, chosen))):
        others = [name for name in settings if settings[name] != found.get(name, {})]
        fitted = {**best, **reports_of(others, split, settings, threads)}
        some = {name: fitted[name] for name in ("blend", *settings)}
        for side in sides_of({way: some}, K)[1:]:
            rows[side.name] |= side.figures
    return [Side(name=name, figures=figures) for name, figures in rows.items()]


def reports_of(models: list[str], split: Split, settings: Mapping[str, Any], threads: int) -> Reports:
    """The reports of ``models`` with these settings."""
    if not models:
        return {}
    return compare(models, split, k=K, settings=settings, percentile_ranks=False, threads=threads, jobs=1).reports


def tuned_of(split: Split, chosen: argparse.Namespace) -> dict[str, Mapping[str, Any]]:
    """What tuning recommends for each model that it is not too long for; the short search is among the trials."""
    with tempfile.TemporaryDirectory() as scratch:
        return {
            name: tune(
                name, split.train, {}, Path(scratch) / name, trials=chosen.trials, threads=max(chosen.threads)
            ).settings
            for name in chosen.models
            if chosen.trials and name not in LONG and model_class(name).tuned
        }


if __name__ == "__main__":
    run_case(__doc__, options, measure)
