"""What people see first: the heads of lists, of stations and of pages, and the reasons on these.

    python -m benchmarks.heads --data FOLDER    the folder of HetRec 2011 Last.fm

Of the people who gave tags, one half is learned from (by the model of what is written) and the other half judges: two
artists are alike by tags as the cosine of how often each tag was given to them. Everything is asked of a release, as
commands and the server ask it, once with each model leading:

    Related   the first ten of the best-known artists: how alike they are to the artist, and how popular. "popularity"
              is the median listeners of what is listed, in those of the ten artists that the judges would list.
    Radio     stations of the same artists, the first 25 played: the median place in the pool, and how alike
    Discover  the first ten of listeners' pages: the share of the hundred best-known artists, and how alike an item is
              to the most alike artist that the listener plays
    reasons   of the same: how alike item and reason are, in what the most alike artist that the listener recognises is
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.agreement import cosines, folder_of, halves
from benchmarks.case import Findings, run_case
from benchmarks.libraries import learned
from benchmarks.record import Comparison, Side, Value
from crossfade.core.errors import UnknownIdError
from crossfade.core.home import Home
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.writings import Writings
from crossfade.evaluate.intervals import mean_estimate
from crossfade.importing.imports import import_paths
from crossfade.pipeline.run import run
from crossfade.pipeline.runner import Watch
from crossfade.pipeline.settings import Settings
from crossfade.stores.contract import Entry
from crossfade.stores.registry import open_releases
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.discover import DiscoverSettings
from crossfade.surfaces.station import station_of

MODELS = ("blend", "als", "cooccurrence", "vector_exp", "logistic", "cultural")
KIND = "artist"
HEAD = 10
PLAYED = 25
STATIONS = 3
BEST_KNOWN = 100

Lists = Callable[[str, str], Sequence[Entry]]
"""A surface and a key, to its list."""


class Judge:
    """How alike artists are by tags: those whom enough listeners play and enough tags describe."""

    def __init__(self, played: Interactions, writings: Writings, listeners: int, tags: int) -> None:
        from scipy.sparse import csr_array

        texts: dict[str, int] = {}
        places = np.array([texts.setdefault(text, len(texts)) for text in writings.texts], dtype=np.int64)
        shape = len(writings.item_ids), len(texts)
        written = csr_array((writings.counts.astype(np.float64), (writings.items, places)), shape=shape)
        rows = writings.item_ids.rows(list(played.item_ids), missing="mark")
        known = played.listeners()
        chosen = np.flatnonzero((rows != MISSING) & (known >= listeners))
        chosen = chosen[np.asarray(written.sum(axis=1)).ravel()[rows[chosen]] >= tags]
        self.ids, self.listeners = Ids.of(played.item_ids.select(chosen)), known[chosen]
        self.alike = np.nan_to_num(cosines(written[rows[chosen]]))
        self.best_known = np.argsort(-self.listeners, kind="stable")

    def of(self, item: str, others: Sequence[str]) -> np.ndarray:
        """(others,) how alike each is to ``item``; 0 for those of whom too little is known."""
        row, rows = self.ids.find(item), self.ids.rows(list(others), missing="mark")
        return np.zeros(len(rows)) if row == MISSING else np.where(rows == MISSING, 0.0, self.alike[row, rows])


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="the folder of HetRec 2011 Last.fm")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--artists", type=int, default=50, help="the best-known, to ask for")
    parser.add_argument("--users", type=int, default=300, help="whose pages are looked at")
    parser.add_argument("--listeners", type=int, default=5, help="of an artist that is judged, at least")
    parser.add_argument("--tags", type=int, default=5, help="of an artist that is judged, at least")
    parser.add_argument("--seed", type=int, default=0, help="of who judges")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison of all models."""
    rng = np.random.default_rng(chosen.seed)
    with tempfile.TemporaryDirectory() as scratch:
        homes = []
        for number, taggers in enumerate(halves(chosen.data, rng)):
            homes.append(Home(Path(scratch) / f"home-{number}"))
            import_paths(homes[-1], [folder_of(chosen.data, taggers, Path(scratch) / f"data-{number}")])
        run(homes[0], Watch(), chosen.models)
        played = learned(homes[0], "interactions", KIND, Settings({}))
        judge = Judge(played, learned(homes[1], "texts", KIND, Settings({})), chosen.listeners, chosen.tags)
        users = rng.choice(len(played.user_ids), min(chosen.users, len(played.user_ids)), replace=False)
        with open_releases(homes[0]).open() as release:
            opened = OpenRelease(release)
            sides = []
            for model in chosen.models:
                figures = heads(judge, played, lists_of(opened, model), chosen.artists, np.sort(users))
                sides.append(Side(name=model, figures=figures))
                print(model, figures, flush=True)
    what: dict[str, Value] = {"judged": len(judge.ids), "artists": chosen.artists, "users": len(users)}
    return Findings(comparisons=[Comparison(name="HetRec 2011 Last.fm", unit="a model", what=what, sides=sides)])


def lists_of(opened: OpenRelease, model: str) -> Lists:
    """The lists of a release with ``model`` leading; an empty one where there is none."""

    def entries(surface: str, key: str) -> Sequence[Entry]:
        try:
            return opened.entries(surface, key, kind=KIND, model=model)
        except UnknownIdError:
            return []

    return entries


def heads(judge: Judge, played: Interactions, lists: Lists, artists: int, users: np.ndarray) -> dict[str, Value]:
    """The figures of one model, each the mean with its interval."""
    found: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    def known_by(ids: Sequence[str]) -> np.ndarray:
        return played.listeners()[played.item_ids.rows(list(ids), missing="mark")]

    for row in judge.best_known[:artists].tolist():
        artist = judge.ids[row]
        related = [entry.id for entry in lists("related", artist)[:HEAD]]
        best = judge.listeners[np.argsort(-judge.alike[row], kind="stable")[:HEAD]]
        add("related: alike", judge.of(artist, related).sum() / HEAD)
        add("related: popularity", float(np.median(known_by(related)) / np.median(best)) if related else np.nan)
        pool = lists("radio", artist)
        place = {entry.id: number for number, entry in enumerate(pool, start=1)}
        for seed in range(STATIONS if pool else 0):
            station = [entry.id for entry in station_of(pool, np.random.default_rng(seed))][:PLAYED]
            add("station: median place", float(np.median([place[item] for item in station])))
            add("station: alike", judge.of(artist, station).mean())
            add("station: first five alike", judge.of(artist, station[:5]).mean())
    top = set(judge.ids.select(judge.best_known[:BEST_KNOWN]))
    least = DiscoverSettings().recognised
    for user in users.tolist():
        span = played.of_user(user)
        own = played.item_ids.select(played.indices[span])
        recognised = played.item_ids.select(played.indices[span][played.plays[span] >= least])
        page = lists("discover", played.user_ids[user])[:HEAD]
        for entry in page:
            add("discover: best known", float(entry.id in top))
            add("discover: alike", judge.of(entry.id, own).max(initial=0))
            add("discover: listeners", float(known_by([entry.id])[0]))
            most = judge.of(entry.id, recognised).max(initial=0)
            if entry.reason is not None and most > 0:
                add("reason: alike", judge.of(entry.id, [entry.reason.id])[0])
                add("reason: of the most alike", judge.of(entry.id, [entry.reason.id])[0] / most)
    figures: dict[str, Value] = {}
    for name, values in found.items():
        kept = np.array([value for value in values if np.isfinite(value)])
        if name == "discover: listeners":
            figures[name] = float(np.median(kept))
        else:
            mean = mean_estimate(kept)
            figures[name] = [mean.value, mean.low, mean.high]
    return figures


if __name__ == "__main__":
    run_case(__doc__, options, measure)
