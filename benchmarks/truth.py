"""What models find of a planted taste: the demo world (docs/demo-world.md), whose truth no model sees.

    python -m benchmarks.truth

In each world, three things are asked.

Related artists: an artist's truly related are the 20 that lie nearest to it in taste space. Asked are artists of ten
listeners or more, and apart from them those of fewer.

Recommended artists: among the artists that a listener has not played, the truly good are the tenth that the planted
taste likes best, popularity left aside.

Tracks of one playlist: a track's mates are those of a playlist that was held out. Held out are the playlists that
nobody follows, since nobody has played by them: their order is in no listening history.

Precision is the share of 20 places that go to the truly related, good, or mates; an empty place goes to none. The rank
correlation is Spearman's, over all artists, between the model's order and the truth's. Intervals are over artists,
listeners or playlists, of which a sample is asked where there are many. Nothing is timed.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.case import Findings, run_case
from benchmarks.libraries import catalog, learned
from benchmarks.record import Comparison, Side, Value
from crossfade.aggregation.sequences import SequenceSettings, build_sequences
from crossfade.core.home import Home
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.sequences import Sequences
from crossfade.demo.importing import import_demo
from crossfade.demo.settings import DEFAULT, DemoSettings, truth_place
from crossfade.demo.truth import Truth
from crossfade.evaluate.intervals import mean_estimate
from crossfade.importing.library import tables_of
from crossfade.models.contract import ComparesItems, Fitted, missing_extra
from crossfade.models.registry import MODELS, model_class
from crossfade.pipeline.settings import Settings

K = 20
WELL_KNOWN = 10  # listeners
GOOD = 0.1  # share of the artists that a listener has not played
OF_TRACKS = ("als", "cooccurrence", "word2vec")
AGAINST = "als"  # whose lists of tracks those of the others are compared with

Found = Mapping[str, np.ndarray]


def fitted(names: Sequence[str], learn: Mapping[str, Any], threads: int) -> Iterator[tuple[str, Fitted[Any]]]:
    """Each model fitted on what it learns from."""
    for name in names:
        model = model_class(name)
        yield name, model().fit(learn[model.learns_from], threads=threads)


def correlations(given: np.ndarray, true: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(n,) Spearman's, row by row of (n, items), over what is counted; 0 where a row of ``given`` knows no order."""
    from scipy.stats import rankdata

    found = np.zeros(len(given))
    for row, kept in enumerate(counted):
        ours, theirs = rankdata(given[row, kept]), rankdata(true[row, kept])
        ours, theirs = ours - ours.mean(), theirs - theirs.mean()
        length = np.sqrt((ours @ ours) * (theirs @ theirs))
        found[row] = ours @ theirs / length if length else 0.0
    return found


def shares(lists: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(n,) which share of each list (n, K) of rows is ``right`` (n, items)."""
    hits = np.take_along_axis(right, np.maximum(lists, 0), axis=1) & (lists != MISSING)
    share: np.ndarray = hits.mean(axis=1)
    return share


def best(scores: np.ndarray, count: np.ndarray | int) -> np.ndarray:
    """(n, items) whether an item is among the ``count`` of the highest scores of its row."""
    place = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1, kind="stable")
    among: np.ndarray = place < np.broadcast_to(count, len(scores))[:, None]
    return among


def of_played(rows: np.ndarray, item_ids: Ids, played: Ids) -> np.ndarray:
    """``rows`` of ``item_ids`` as rows of ``played``, of which a model may know more than were played."""
    return np.append(played.rows(item_ids, missing="mark"), np.int32(MISSING))[rows]


class Related:
    """Which artists are related, for a sample of artists that have listeners enough, and of others."""

    def __init__(self, truth: Truth, interactions: Interactions, sample: int, rng: np.random.Generator) -> None:
        rows = truth.artist_ids.rows(list(interactions.item_ids))
        listeners = interactions.listeners()
        # Popular artists as often as others: what is asked for does not depend on who is played most.
        known = rng.permutation(np.flatnonzero(listeners >= WELL_KNOWN))[:sample]
        others = rng.permutation(np.flatnonzero((listeners > 0) & (listeners < WELL_KNOWN)))[:sample]
        self.asked = np.concatenate([known, others])
        self.known = np.arange(len(self.asked)) < len(known)
        self.item_ids = interactions.item_ids
        self.ids = self.item_ids.select(self.asked)
        places = truth.artist_vectors[rows]
        nearness = -((places[self.asked][:, None] - places[None]) ** 2).sum(axis=2)
        nearness[np.arange(len(self.asked)), self.asked] = -np.inf
        self.nearness = nearness
        self.right = best(nearness, K)
        self.of_genre = truth.artist_genres[rows][self.asked][:, None] == truth.artist_genres[rows][None]
        self.listeners = listeners

    def of_lists(self, lists: np.ndarray) -> Found:
        """What lists (n, all) of rows say, best first."""
        first = lists[:, :K]
        scores = np.full(self.nearness.shape, -float(lists.shape[1]))
        row, place = np.nonzero(lists != MISSING)
        scores[row, lists[row, place]] = -place
        others = np.isfinite(self.nearness)
        return {
            "precision": shares(first, self.right),
            "rank correlation": correlations(scores, self.nearness, others),
            "of its own genre": shares(first, self.of_genre),
        }

    def of_model(self, model: Any) -> Found:
        """What the model says, which compares items."""
        lists = model.similar(self.ids, len(self.listeners) - 1, allowed_items=self.item_ids).rows
        return self.of_lists(of_played(lists, model.item_ids, self.item_ids))

    def side(self, name: str, found: Found, kind: Any = "ours") -> Side:
        said = {what: estimate(values[self.known]) for what, values in found.items()}
        said["precision, few listeners"] = estimate(found["precision"][~self.known])
        return Side(name=name, kind=kind, figures=said)


class Recommended:
    """What a sample of listeners would like of what they have not played."""

    def __init__(self, truth: Truth, interactions: Interactions, sample: int, rng: np.random.Generator) -> None:
        artists = truth.artist_ids.rows(list(interactions.item_ids))
        users = np.sort(rng.permutation(len(interactions.user_ids))[:sample]).astype(np.int32)
        self.users, self.ids = users, interactions.user_ids.select(users)
        people = truth.user_ids.rows(self.ids)
        self.interactions, self.histories = interactions, interactions.histories(Ids.of(self.ids))
        self.taste = np.array([truth.affinity(int(person), artists) for person in people])
        self.open = np.ones(self.taste.shape, dtype=np.bool_)
        for place, user in enumerate(users):
            self.open[place, interactions.played(int(user))] = False
        # A tenth has to leave room for a list.
        count = np.maximum(np.rint(GOOD * self.open.sum(axis=1)).astype(np.int64), 1)
        self.right = best(np.where(self.open, self.taste, -np.inf), count)

    def of_model(self, model: Fitted[Any]) -> Found:
        """What the model says; one that learned nothing of users is shown their histories."""
        users: Sequence[str] | Interactions = self.ids
        if model.user_ids is None:
            users, profiles = self.histories, model.profiles(self.histories)
        else:
            profiles = model.trained_profiles(self.users)
        played = self.interactions.item_ids
        lists = model.recommend(users, K, exclude=self.interactions, allowed_items=played).rows
        lists = of_played(lists, model.item_ids, played)
        count, items = self.taste.shape
        everything = np.tile(model.item_ids.rows(played), count)
        scores = model.scores(profiles, np.arange(count + 1, dtype=np.int64) * items, everything)
        return {
            "precision": shares(lists, self.right),
            "rank correlation": correlations(scores.reshape(count, items), self.taste, self.open),
        }

    def chance(self) -> Found:
        """What lists without any order would find."""
        return {"precision": self.right.sum(axis=1) / np.maximum(self.open.sum(axis=1), 1)}


def estimate(values: np.ndarray) -> Value:
    """The mean with the ends of its 95 % interval; nothing where nobody was asked."""
    if not len(values):
        return None
    found = mean_estimate(values)
    return [found.value, found.low, found.high]


def artists_of(
    home: Home, truth: Truth, chosen: argparse.Namespace, rng: np.random.Generator
) -> tuple[list[Side], list[Side]]:
    """Related and recommended artists."""
    settings = Settings({})
    learn = {source: learned(home, source, "artist", settings) for source in ("interactions", "sequences", "texts")}
    interactions: Interactions = learn["interactions"]
    related = Related(truth, interactions, chosen.sample, rng)
    recommended = Recommended(truth, interactions, chosen.sample, rng)
    count = len(interactions.item_ids)
    dice = rng.permuted(np.tile(np.arange(count), (len(related.asked), 1)), axis=1)
    dice = dice[dice != related.asked[:, None]].reshape(-1, count - 1)
    sides = [related.side("random", related.of_lists(dice), "peer")]
    chance = {name: estimate(values) for name, values in recommended.chance().items()}
    others = [Side(name="random", kind="peer", figures=chance)]
    for name, model in fitted(chosen.models, learn, max(chosen.threads)):
        if isinstance(model, ComparesItems):
            sides.append(related.side(name, related.of_model(model)))
            print(len(interactions.user_ids), "related", name, sides[-1].figures, flush=True)
        said = {what: estimate(values) for what, values in recommended.of_model(model).items()}
        others.append(Side(name=name, figures=said))
        print(len(interactions.user_ids), "recommended", name, said, flush=True)
    order = np.argsort(-related.nearness, axis=1, kind="stable")[:, :-1]
    return [*sides, related.side("the truth", related.of_lists(order), "limit")], others


def held_out(home: Home, scratch: Path, interactions: Interactions) -> tuple[list[np.ndarray], Sequences]:
    """The track rows of each playlist that nobody follows, and the sequences that are left without them."""
    merged, kind = catalog(home, Settings({})), "track"
    playlists = pq.read_table(merged / "playlists.parquet")
    items = pq.read_table(merged / "playlist_items.parquet")
    unknown = playlists.filter(pc.equal(playlists["followers"], 0))["playlist_id"].combine_chunks()
    left = scratch / "catalog"
    left.mkdir()
    for path in merged.glob("*.parquet"):
        if path.name != "playlists.parquet":
            (left / path.name).hardlink_to(path)
    followed = pc.invert(pc.is_in(playlists["playlist_id"], value_set=unknown))
    # Items of playlists that the catalogue does not have make no sequence.
    pq.write_table(playlists.filter(followed), left / "playlists.parquet")
    place = scratch / "sequences"
    place.mkdir()
    build_sequences(tables_of(home)["listens"], left, kind, interactions.item_ids, place, SequenceSettings())
    tested = items.filter(pc.is_in(items["playlist_id"], value_set=unknown))
    rows = interactions.item_ids.rows(tested["item_id"].to_pylist(), missing="mark")
    by = np.unique(np.array(tested["playlist_id"].to_pylist(), dtype=np.str_), return_inverse=True)[1]
    mates = [np.unique(rows[(by == one) & (rows != MISSING)]) for one in range(by.max(initial=-1) + 1)]
    return [of for of in mates if len(of) > 1], Sequences.load(place, kind=kind)


def playlists_of(home: Home, scratch: Path, chosen: argparse.Namespace) -> list[Side]:
    """Mates of tracks in playlists that nobody has heard."""
    interactions: Interactions = learned(home, "interactions", "track", Settings({}))
    mates, sequences = held_out(home, scratch, interactions)
    if not mates:
        return []
    asked = np.unique(np.concatenate(mates))
    ids = interactions.item_ids.select(asked)
    learn = {"interactions": interactions, "sequences": sequences}
    popular = np.argsort(-interactions.listeners(), kind="stable")[: K + 1]
    # An item is not a mate of its own, so where it stands in the list of all the next takes its place.
    others = np.array([popular[popular != row][:K] for row in asked])
    hits = {"popularity": of_playlists(mates, asked, others)}
    names = [name for name in OF_TRACKS if name in chosen.models]
    for name, model in fitted(names, learn, max(chosen.threads)):
        if isinstance(model, ComparesItems):
            hits[name] = of_playlists(mates, asked, model.similar(ids, K).rows)
    sides = []
    for name, found in hits.items():
        said = {"precision": estimate(np.array([one.mean() for one in found]))}
        if AGAINST in hits and name != AGAINST:
            apart = [one.mean() - other.mean() for one, other in zip(found, hits[AGAINST], strict=True)]
            said[f"precision, more than {AGAINST}"] = estimate(np.array(apart))
            new = [(one & ~other).mean() for one, other in zip(found, hits[AGAINST], strict=True)]
            said[f"precision, but for what {AGAINST} lists"] = estimate(np.array(new))
        sides.append(Side(name=name, kind="peer" if name == "popularity" else "ours", figures=said))
        print(len(interactions.user_ids), "tracks", name, said, flush=True)
    most = np.array([min(len(of) - 1, K) / K for of in mates])
    return [*sides, Side(name="the most that there is", kind="limit", figures={"precision": estimate(most)})]


def of_playlists(mates: list[np.ndarray], asked: np.ndarray, lists: np.ndarray) -> list[np.ndarray]:
    """For each playlist (tracks, K) which of the listed tracks are on it; ``lists`` (asked, K) of rows."""
    found = []
    for tracks in mates:
        listed = lists[np.searchsorted(asked, tracks)]
        found.append(np.isin(listed, tracks))
    return found


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listeners", type=int, nargs="+", default=[300, 1000, 3000], help="of each world")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--days", type=int, default=90, help="of each history")
    parser.add_argument("--sample", type=int, default=500, help="artists, and listeners, that are asked for")
    parser.add_argument("--seed", type=int, default=DEFAULT.seed, help="of the worlds, and of who is asked for")


def measure(chosen: argparse.Namespace) -> Findings:
    """Three comparisons in each world."""
    without = {name: missing_extra(model_class(name)) for name in chosen.models}
    skipped = {name: f"needs the extra {extra!r}" for name, extra in without.items() if extra is not None}
    chosen.models = [name for name in chosen.models if name not in skipped]
    comparisons = []
    for listeners in chosen.listeners:
        # In the proportions of the default world.
        world = DemoSettings(
            listeners=listeners,
            artists=listeners * DEFAULT.artists // DEFAULT.listeners,
            playlists=listeners * DEFAULT.playlists // DEFAULT.listeners,
            days=chosen.days,
            seed=chosen.seed,
        )
        with tempfile.TemporaryDirectory() as scratch:
            home = Home(Path(scratch) / "home")
            import_demo(home, world)
            rng = np.random.default_rng(chosen.seed)
            related, recommended = artists_of(home, Truth.load(truth_place(home)), chosen, rng)
            asked = {
                "related artists": related,
                "recommended artists": recommended,
                "tracks of one playlist": playlists_of(home, Path(scratch), chosen),
            }
        what: dict[str, Value] = {"listeners": listeners, "artists": world.artists, "seed": world.seed, "k": K}
        comparisons += [
            Comparison(name=f"{name}, {listeners:,} listeners", unit="a fit", what=what, sides=sides)
            for name, sides in asked.items()
        ]
    return Findings(comparisons=comparisons, skipped=skipped)


if __name__ == "__main__":
    run_case(__doc__, options, measure)
