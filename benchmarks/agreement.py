"""Related artists held against what the models did not see: what others wrote, and who else listens.

    python -m benchmarks.agreement --data FOLDER    the folder of HetRec 2011 Last.fm

Of the people who gave tags, one half is learned from (by the model of what is written; the others read no tags) and the
other half judges: two artists are alike by tags as the cosine of how often each tag was given to them. Of each user's
artists a fifth is held out, and all models learn from the rest: two artists are alike by listeners as the cosine of who
has them among what was held out. An artist is asked for if it has enough listeners to learn from and enough tags
to judge by, and its 20 most similar are taken among such artists; an empty place is alike to nothing.

Listing what everybody plays brings shared listeners without any taste. So beside each list stand artists of as many
listeners, drawn at random from the nearest by rank, and what counts is how much more alike the listed ones are.
Intervals are over artists.
"""

import argparse
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.libraries import learned
from benchmarks.record import Comparison, Side, Value
from crossfade.core.home import Home
from crossfade.core.ids import MISSING
from crossfade.core.interactions import Interactions
from crossfade.core.writings import Writings
from crossfade.evaluate.intervals import difference_estimate, mean_estimate
from crossfade.evaluate.splits import random_holdout
from crossfade.importing.imports import import_paths
from crossfade.models import blend_compared
from crossfade.models.blend import Blend, BlendSettings
from crossfade.models.blend_weights import Weights
from crossfade.models.contract import ComparesItems
from crossfade.models.registry import model_class
from crossfade.pipeline.settings import Settings

MODELS = ("als", "vector_exp", "logistic", "cooccurrence", "ease", "cultural")
GIVEN = "user_taggedartists.dat"
NEAR = 25  # ranks up or down from which an artist of as many listeners is drawn
DRAWS = 10  # of them for each place of a list


@dataclass(frozen=True, kw_only=True)
class Judges:
    """The n artists that are asked for, which are the candidates too.

    rows       (n,) of the interactions
    ids        (n,)
    listeners  (n,) in train
    alike      (n, n) by the name of the judge, NaN on the diagonal
    """

    rows: np.ndarray
    ids: list[str]
    listeners: np.ndarray
    alike: Mapping[str, np.ndarray]


def folder_of(data: Path, taggers: set[str], folder: Path) -> Path:
    """A copy of the data set with the tags of ``taggers`` alone."""
    folder.mkdir()
    for name in ("artists.dat", "tags.dat", "user_artists.dat"):
        shutil.copy(data / name, folder / name)
    head, *lines = (data / GIVEN).read_text("latin-1").splitlines(keepends=True)
    kept = [line for line in lines if line.partition("\t")[0] in taggers]
    (folder / GIVEN).write_text("".join([head, *kept]), "latin-1", newline="")
    return folder


def halves(data: Path, rng: np.random.Generator) -> list[set[str]]:
    """The people who gave tags, in two halves."""
    lines = (data / GIVEN).read_text("latin-1").splitlines()[1:]
    taggers = rng.permutation(sorted({line.partition("\t")[0] for line in lines})).tolist()
    return [set(taggers[::2]), set(taggers[1::2])]


def judges(train: Interactions, test: Interactions, writings: Writings, listeners: int, tags: int) -> Judges:
    """Who can be asked for, and how alike they are by tags and by listeners that no model saw."""
    from scipy.sparse import csr_array

    texts: dict[str, int] = {}
    places = np.array([texts.setdefault(text, len(texts)) for text in writings.texts], dtype=np.int64)
    written = csr_array(
        (writings.counts.astype(np.float64), (writings.items, places)), shape=(len(writings.item_ids), len(texts))
    )
    played = test.matrix().astype(np.float64).T.tocsr()
    played.data[:] = 1
    # Texts are about artists whom too few play to be learned from, too.
    of = writings.item_ids.rows(list(train.item_ids), missing="mark")
    written = written[np.maximum(of, 0)]
    has = (np.asarray(written.sum(axis=1)).ravel() >= tags) & (of != MISSING)
    known = train.listeners()
    rows = np.flatnonzero(has & (known >= listeners) & (np.diff(played.indptr) > 0))
    return Judges(
        rows=rows,
        ids=train.item_ids.select(rows),
        listeners=known[rows],
        alike={"tags": cosines(written[rows]), "listeners": cosines(played[rows])},
    )


def cosines(counts: Any) -> np.ndarray:
    """(n, n) of the rows of a sparse matrix, NaN on the diagonal."""
    products = (counts @ counts.T).toarray()
    lengths = np.sqrt(np.diag(products))
    alike: np.ndarray = products / np.maximum(np.outer(lengths, lengths), np.finfo(float).tiny)
    np.fill_diagonal(alike, np.nan)
    return alike


def listed(model: Any, asked: Judges, places: int) -> np.ndarray:
    """(n, places) the most similar of the candidates, by their place among them; MISSING where there is none."""
    found = model.similar(asked.ids, places, allowed_items=asked.ids).rows
    where = np.full(len(model.item_ids), MISSING, dtype=np.int64)
    where[model.item_ids.rows(asked.ids)] = np.arange(len(asked.ids))
    return np.where(found == MISSING, MISSING, where[found])


def likeness(alike: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """(n,) how alike each artist is to its list (n, places) in the mean."""
    each = np.take_along_axis(alike, np.maximum(lists, 0), axis=1)
    mean: np.ndarray = np.where(lists == MISSING, 0.0, each).mean(axis=1)
    return mean


def as_popular(asked: Judges, lists: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(DRAWS, n, places) for each listed artist others of as many listeners; MISSING where nothing is listed."""
    order = np.argsort(asked.listeners, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    near = min(NEAR, (len(order) - 1) // 2)
    steps = rng.integers(1, near + 1, (DRAWS, *lists.shape)) * rng.choice([-1, 1], (DRAWS, *lists.shape))
    drawn = rank[np.maximum(lists, 0)][None] + steps
    # Beyond an end one goes the other way.
    drawn = np.where((drawn < 0) | (drawn >= len(order)), drawn - 2 * steps, drawn)
    return np.where(lists[None] == MISSING, MISSING, order[drawn])


def figures(asked: Judges, lists: np.ndarray, rng: np.random.Generator) -> dict[str, Value]:
    """What both judges say of lists (n, places)."""
    matched = as_popular(asked, lists, rng)
    itself = np.arange(len(lists))[None, :, None]
    said: dict[str, Value] = {}
    for name, alike in asked.alike.items():
        found = likeness(alike, lists)
        value = mean_estimate(found)
        others = np.where((matched == MISSING) | (matched == itself), 0.0, alike[itself, np.maximum(matched, 0)])
        # An artist that was drawn for its own list says nothing.
        drawn = np.maximum((matched != itself).sum(axis=(0, 2)), 1)
        apart = difference_estimate(found, others.sum(axis=(0, 2)) / drawn)
        said[name] = [value.value, value.low, value.high]
        said[f"{name}, more than as popular"] = [apart.value, apart.low, apart.high]
    said["listeners of a listed artist"] = float(np.median(asked.listeners[lists[lists != MISSING]]))
    return said


def baselines(asked: Judges, places: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Lists (n, places) without a model."""
    count = len(asked.ids)
    itself = np.arange(count)[:, None]
    dice = rng.random((count, count))
    popular = np.broadcast_to(asked.listeners.astype(float), (count, count)).copy()
    lists = {}
    for name, scores in (("random", dice), ("popularity", popular)):
        scores[itself, itself] = -np.inf
        lists[name] = np.argsort(-scores, axis=1, kind="stable")[:, :places]
    return lists


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="the folder of HetRec 2011 Last.fm")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--places", type=int, default=20, help="of a list")
    parser.add_argument("--kept", type=int, default=3, help="listeners of an artist that is learned from, at least")
    parser.add_argument("--listeners", type=int, default=10, help="to learn from, of an artist that is asked for")
    parser.add_argument("--tags", type=int, default=5, help="to judge by, of an artist that is asked for")
    parser.add_argument("--seed", type=int, default=0, help="of what is held out")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison of all models."""
    rng = np.random.default_rng(chosen.seed)
    settings = Settings({"interactions": {"min_listeners": chosen.kept}})
    with tempfile.TemporaryDirectory() as scratch:
        homes = []
        for number, taggers in enumerate(halves(chosen.data, rng)):
            homes.append(Home(Path(scratch) / f"home-{number}"))
            import_paths(homes[-1], [folder_of(chosen.data, taggers, Path(scratch) / f"data-{number}")])
        interactions = learned(homes[0], "interactions", "artist", settings)
        to_learn, to_judge = (learned(home, "texts", "artist", settings) for home in homes)
        split = random_holdout(interactions, 0.2, rng)
        asked = judges(split.train, split.test, to_judge, chosen.listeners, chosen.tags)
        sides = []
        for name, lists in baselines(asked, chosen.places, rng).items():
            sides.append(Side(name=name, kind="peer", figures=figures(asked, lists, rng)))
        fits: dict[str, Any] = {}
        for name in chosen.models:
            model = model_class(name)
            learns = to_learn if model.learns_from == "texts" else split.train
            fits[name] = model().fit(learns, threads=max(chosen.threads))
        # What models count for recommendations does not matter for similar items.
        weights = replace(Weights.even([*fits]), compared=learned_weights(fits, split.train, chosen))
        fits = {"blend": Blend().join(fits, weights, split.train), **fits}
        lists = {name: listed(fitted, asked, chosen.places) for name, fitted in fits.items()}
        for name, fitted in fits.items():
            said = figures(asked, lists[name], rng)
            said["little known, if all may be listed"] = little_known(fitted, split.train, asked, chosen)
            for judge, alike in asked.alike.items() if name != "blend" else ():
                apart = difference_estimate(likeness(alike, lists["blend"]), likeness(alike, lists[name]))
                said[f"blend minus it, {judge}"] = [apart.value, apart.low, apart.high]
            sides.append(Side(name=name, figures=said))
            print(name, said, flush=True)
    best = {name: np.sort(np.nan_to_num(alike, nan=-1.0))[:, ::-1] for name, alike in asked.alike.items()}
    most: dict[str, Value] = {name: float(one[:, : chosen.places].mean()) for name, one in best.items()}
    sides.append(Side(name="the most that there is", kind="limit", figures=most))
    what: dict[str, Value] = {
        "artists": len(asked.ids),
        "kept": len(interactions.item_ids),
        "pairs": split.train.pairs,
        "places": chosen.places,
        "seed": chosen.seed,
    }
    return Findings(comparisons=[Comparison(name="HetRec 2011 Last.fm", unit="a fit", what=what, sides=sides)])


def learned_weights(fits: Mapping[str, Any], train: Interactions, chosen: argparse.Namespace) -> Any:
    """What each model counts in the blend, learned on a cut of ``train``; a model of what is written has no cut."""
    cut = random_holdout(train, BlendSettings().hidden, np.random.default_rng(chosen.seed))
    parts = [
        fit
        if model_class(name).learns_from == "texts"
        else model_class(name)().fit(cut.train, threads=max(chosen.threads))
        for name, fit in fits.items()
    ]
    return blend_compared.learned(parts, cut.train, cut.test)


def little_known(model: ComparesItems, train: Interactions, asked: Judges, chosen: argparse.Namespace) -> float:
    """The share of places that go to artists of too few listeners to be asked for, where no artist is barred."""
    found = model.similar(asked.ids, chosen.places).rows
    rows = train.item_ids.rows(list(model.item_ids), missing="mark")[found[found != MISSING]]
    return float((np.where(rows == MISSING, 0, train.listeners()[rows]) < chosen.listeners).mean())


if __name__ == "__main__":
    run_case(__doc__, options, measure)
