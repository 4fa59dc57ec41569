"""A library's splits: nothing of what is asked for is in any input, and pages are measured as shown."""

import datetime
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.aggregation.interactions import InteractionSettings
from crossfade.aggregation.sequences import SequenceSettings
from crossfade.catalog.build import build_catalog
from crossfade.core.errors import InputError, NotReadyError
from crossfade.core.schemas import ALIASES, TABLES
from crossfade.evaluate.comparing import compare
from crossfade.evaluate.library import How, Source, busiest_kind, split_library
from crossfade.evaluate.pages import pages_of, with_pages
from crossfade.evaluate.recommendation import evaluate
from crossfade.models.blend import Blend
from crossfade.models.cooccurrence import Cooccurrence
from crossfade.surfaces.discover import DiscoverSettings

DAY = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)


def library(place, **tables):
    """A library of these rows by table, each a mapping of column to value."""
    paths = {}
    for name, rows in tables.items():
        path = place / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, TABLES[name]), path)
        paths[name] = [path]
    catalog = place / "catalog"
    catalog.mkdir()
    build_catalog(paths, catalog)
    return Source(
        tables={"listens": [], "counts": [], **paths},
        catalog=catalog,
        interactions=InteractionSettings(half_life_days=0),
        sequences=SequenceSettings(shortest=2),
        threads=1,
    )


def listen(user, track, day, artist="a"):
    return {
        "user_id": user,
        "listened_at": DAY + datetime.timedelta(days=day, seconds=ord(track[-1])),
        "kind": "track",
        "item_id": track,
        "parent_id": artist,
        "skipped": False,
    }


def named(interactions):
    users = np.repeat([*interactions.user_ids], np.diff(interactions.indptr))
    items = np.array([*interactions.item_ids])[interactions.indices]
    return dict(zip(zip(users.tolist(), items.tolist(), strict=True), interactions.plays.tolist(), strict=True))


def orders(sequences):
    return sorted("".join(sequences.item_ids.select(sequences.of(number))) for number in range(len(sequences)))


def playlist(name, owner, tracks, title=None):
    items = [
        {"playlist_id": name, "position": place, "kind": "track", "item_id": track, "parent_id": "a"}
        for place, track in enumerate(tracks)
    ]
    return {"playlist_id": name, "title": title or name, "owner": owner}, items


@pytest.fixture
def source(tmp_path):
    """ann and bob over ten days, a playlist of ann and one of a stranger, counts, and a tag."""
    own, of_own = playlist("p1", "ann", ["x", "w"], "mine")
    other, of_other = playlist("p2", "stranger", ["x", "y"], "theirs")
    return library(
        tmp_path,
        listens=[
            listen("ann", "x", 0),
            listen("ann", "y", 0),
            listen("ann", "x", 1),
            listen("bob", "x", 2),
            listen("bob", "y", 2),
            listen("ann", "x", 7),
            listen("ann", "z", 7, "b"),
            listen("bob", "w", 9, "b"),
            listen("cy", "x", 9),
        ],
        counts=[{"user_id": "bob", "kind": "track", "item_id": "w", "parent_id": "b", "plays": 9}],
        playlists=[own, other],
        playlist_items=[*of_own, *of_other],
        tags=[{"kind": "track", "item_id": "x", "tag": "loud", "count": 2}],
    )


EVERYTHING = ("interactions", "sequences", "texts")


def test_later_plays_are_in_no_input(source):
    (split,) = split_library(source, "track", How(at=DAY + datetime.timedelta(days=7)), EVERYTHING)
    assert named(split.train) == {("ann", "x"): 2, ("ann", "y"): 1, ("bob", "x"): 1, ("bob", "y"): 1}
    assert named(split.test) == {("ann", "z"): 1, ("bob", "w"): 1, ("cy", "x"): 1}
    assert named(split.repeats) == {("ann", "x"): 1}
    # Sessions of train and the stranger's playlist; ann's own would tell that x and w belong together.
    assert orders(split.inputs["sequences"]) == ["xy", "xy", "xy"]
    assert [*split.inputs["texts"].texts] == ["loud", "theirs", "theirs"]
    assert named(split.roots) == {("ann", "a"): 3, ("bob", "a"): 2}
    tracks = split.catalogue["track"]
    assert dict(zip(tracks.ids, tracks.listeners.tolist(), strict=True)) == {"x": 2, "y": 2}
    assert split.how == "plays from 2024-05-08 00:00 UTC hidden"


def test_the_default_moment_leaves_a_fraction_after_it(source):
    (split,) = split_library(source, "track", How(fraction=0.3), ())
    assert named(split.train).keys() == {("ann", "x"), ("ann", "y"), ("bob", "x"), ("bob", "y")}
    assert not split.inputs


def test_test_may_last_some_days(source):
    (split,) = split_library(source, "track", How(at=DAY + datetime.timedelta(days=7), days=1.5), ())
    assert named(split.test) == {("ann", "z"): 1}
    (split,) = split_library(source, "track", How(at=DAY + datetime.timedelta(days=7), days=1e300), ())
    assert split.test.pairs == 3


@pytest.mark.parametrize("way", ["weak", "folds", "strong"])
def test_hidden_pairs_are_in_no_input(source, way):
    splits = split_library(source, "track", How(way=way, fraction=0.4, folds=3, seed=2), EVERYTHING)
    assert len(splits) == (3 if way == "folds" else 1)
    for split in splits:
        train, test = named(split.train), named(split.test)
        hidden = {**test, **(named(split.shown) if split.shown else {})}
        assert hidden
        assert not train.keys() & hidden.keys()
        assert "xw" not in orders(split.inputs["sequences"])
        artists = {"x": "a", "y": "a", "z": "b", "w": "b"}
        assert named(split.roots).keys() == {(user, artists[item]) for user, item in train}
        assert split.catalogue["track"].listeners.sum() == len(train)


def test_a_hidden_pair_takes_its_plays_out_of_the_sequences(tmp_path):
    """Each user plays x, y and z in one session: what is left of it are the items of train."""
    rows = [listen(f"u{user}", track, user) for user in range(20) for track in "xyz"]
    source = library(tmp_path, listens=rows)
    (split,) = split_library(source, "track", How(way="weak", fraction=0.34), ("sequences",))
    users = by_user(split.train)
    assert orders(split.inputs["sequences"]) == sorted(users.values())
    assert {len(one) for one in users.values()} == {2}


def by_user(interactions):
    """The items of each user in the order of their ids, of one letter each."""
    users = {}
    for user, item in sorted(named(interactions)):
        users[user] = users.get(user, "") + item
    return users


@pytest.mark.parametrize("way", ["weak", "temporal"])
def test_train_is_split_once_more_for_a_blend_and_no_input_of_that_has_what_it_hides(tmp_path, monkeypatch, way):
    monkeypatch.setattr("crossfade.models.blend_weights.LEAST_HITS", 5)
    listens = [
        listen(f"u{user}", track, 3 * (track in "fg") + 6 * (track in "hi"))
        for user in range(6)
        for track in "abcdefghi"
    ]
    source = library(tmp_path, listens=listens)
    assert split_library(source, "track", How(way=way, fraction=0.2), ())[0].cut is None
    (split,) = split_library(source, "track", How(way=way, fraction=0.2, cut=0.25), ("sequences",))
    cut, train = split.cut, {*named(split.train)}
    assert {*named(cut.train)} | {*named(cut.test)} == train
    assert not {*named(cut.train)} & {*named(cut.test)}
    assert not train & {*named(split.test)}
    for one in (split, cut):
        assert orders(one.inputs["sequences"]) == sorted(part for part in sequences_of(one.train) if len(part) > 1)
    if way == "temporal":
        assert (cut.train.pairs, cut.test.pairs, split.test.pairs) == (6 * 5, 6 * 2, 6 * 2)
        assert cut.repeats is not None


def test_a_cut_by_time_that_hides_too_little_is_made_by_pairs(tmp_path):
    listens = [listen(f"u{user}", track, "abcdefghi".index(track)) for user in range(6) for track in "abcdefghi"]
    (split,) = split_library(library(tmp_path, listens=listens), "track", How(fraction=0.2, cut=0.25), ())
    assert split.how.startswith("plays from")
    assert split.cut.how == "25% of each user's items hidden"
    assert split.cut.repeats is None


def sequences_of(interactions):
    """What each user played on one day, by the days of the test above."""
    for items in by_user(interactions).values():
        for day in ("abcde", "fg", "hi"):
            yield "".join(item for item in items if item in day)


def test_aliases_are_hidden_with_what_they_stand_for(source, tmp_path):
    """z of another id is the same track, so a play by that id is one of the pair."""
    path = source.catalog / "aliases.parquet"
    rows = [{"kind": "track", "from_id": "y", "to_id": "x"}]
    pq.write_table(pa.Table.from_pylist(rows, ALIASES), path)
    (split,) = split_library(source, "track", How(at=DAY + datetime.timedelta(days=7)), ())
    assert named(split.train) == {("ann", "x"): 3, ("bob", "x"): 2}
    for weak in split_library(source, "track", How(way="folds", folds=2), ("sequences",)):
        assert not named(weak.train).keys() & named(weak.test).keys()
        hidden = {item for user, item in named(weak.test) if user == "ann"}
        if "x" in hidden:
            assert ("ann", "a") not in named(weak.roots)


def test_a_library_of_playlists_is_split_as_if_they_were_users(tmp_path):
    lists = [playlist(f"p{number}", None, [*"xyzw"], f"title {number}") for number in range(6)]
    source = library(
        tmp_path, playlists=[one for one, _ in lists], playlist_items=[item for _, some in lists for item in some]
    )
    assert busiest_kind(source) == "artist"
    (split,) = split_library(source, "track", How(fraction=0.25), EVERYTHING)
    assert (split.train.pairs, split.test.pairs) == (18, 6)
    kept = {}
    for name, item in named(split.train):
        kept.setdefault(name, set()).add(item)
    assert sorted(map(set, orders(split.inputs["sequences"])), key=sorted) == sorted(kept.values(), key=sorted)
    assert split.roots is None


def test_what_cannot_be_split_is_refused(source, tmp_path):
    with pytest.raises(InputError, match="nothing to be asked for"):
        split_library(source, "track", How(at=DAY + datetime.timedelta(days=99)), ())
    with pytest.raises(InputError, match="nothing to fit models on"):
        split_library(source, "track", How(at=DAY - datetime.timedelta(days=9)), ())
    others = [{**listen("ann", "e", -1), "kind": "episode"}]
    path = source.tables["listens"][0].with_name("episodes.parquet")
    pq.write_table(pa.Table.from_pylist(others, TABLES["listens"]), path)
    with_others = replace(source, tables={**source.tables, "listens": [*source.tables["listens"], path]})
    with pytest.raises(InputError, match="no plays of tracks before"):
        split_library(with_others, "track", How(at=DAY), ())
    for wrong in ({"fraction": 1.0}, {"fraction": float("nan")}, {"days": float("nan")}, {"days": 0.0}):
        with pytest.raises(InputError):
            How(**wrong)
    for moment in ({"at": DAY}, {"days": 3.0}):
        with pytest.raises(InputError, match="temporal"):
            How(way="weak", **moment)
    with pytest.raises(NotReadyError, match="playlists of shows"):
        split_library(source, "show", How(), ())
    untimed = replace(source, tables={**source.tables, "listens": []})
    with pytest.raises(InputError, match="--split weak"):
        split_library(untimed, "track", How(way="temporal"), ())
    with pytest.raises(NotReadyError):
        busiest_kind(replace(untimed, tables={}, catalog=_empty(tmp_path)))


def _empty(place):
    (place / "empty").mkdir()
    build_catalog({}, place / "empty")
    return place / "empty"


def test_the_kind_that_most_users_play_is_evaluated(source):
    assert busiest_kind(source) == "artist"  # of equals the first
    no_artists = [{**listen("dan", "q", 1), "parent_id": None}]
    path = source.tables["listens"][0].with_name("more.parquet")
    pq.write_table(pa.Table.from_pylist(no_artists, TABLES["listens"]), path)
    assert (
        busiest_kind(replace(source, tables={**source.tables, "listens": [*source.tables["listens"], path]})) == "track"
    )


@pytest.fixture
def tastes(tmp_path):
    """40 users of two tastes with 12 of 20 tracks each, two tracks an artist."""
    rng = np.random.default_rng(3)
    rows = [
        {**listen(f"u{u:02d}", f"{20 * (u % 2) + int(t)}", int(t)), "item_id": f"t{20 * (u % 2) + int(t):02d}"}
        | {"parent_id": f"a{(20 * (u % 2) + int(t)) // 2:02d}"}
        for u in range(40)
        for t in rng.choice(20, 12, replace=False)
    ]
    tracks = [{"item_id": f"t{t:02d}", "name": f"Track {t}", "parent_id": f"a{t // 2:02d}"} for t in range(40)]
    artists = [{"item_id": f"a{a:02d}", "name": f"Artist {a}"} for a in range(20)]
    return library(tmp_path, listens=rows, tracks=tracks, artists=artists)


@pytest.mark.parametrize("way", ["weak", "strong"])
def test_pages_are_measured_beside_plain_lists(tastes, way):
    (split,) = split_library(tastes, "artist", How(way=way, fraction=0.25), ())
    model = Cooccurrence().fit(split.train)
    plain = evaluate(model, split.train, split.test, 5, shown=split.shown, percentile_ranks=False)
    pages = pages_of(model, split, plain)
    assert list(pages.report.asked) == list(plain.asked)
    assert pages.report.estimates["recall@5"].value > 0.3
    assert pages.cost["recall@5"].value == pytest.approx(
        pages.report.estimates["recall@5"].value - plain.estimates["recall@5"].value
    )
    assert pages.empty == 0
    assert {"coverage@5", "gini@5"} == pages.report.totals.keys()


def test_a_comparison_has_the_pages_of_the_first_model_that_compares_items(tastes):
    (split,) = split_library(
        replace(tastes, discover=DiscoverSettings(size=3, familiar=1000)), "track", How(way="weak"), ()
    )
    found = compare(["popularity", "cooccurrence"], split, k=5)
    assert found.pages.model == "cooccurrence"
    assert list(found.pages.report.asked) == list(found["cooccurrence"].asked)
    # The pages are those of the settings: three items, so at most 3 of 5 places are hits.
    assert 0 < found.pages.report.per_user["precision@5"].max() <= 3 / 5
    assert "pages" in set(found.to_arrow().column("part").to_pylist())
    assert compare("popularity", split, k=5).pages is None
    assert compare("cooccurrence", split, k=5, pages=False).pages is None


def test_a_blend_of_all_models_has_pages_with_roots_by_those_that_roots_have_the_input_of(tastes, monkeypatch):
    (split,) = split_library(tastes, "track", How(way="weak"), ("interactions", "sequences"))
    blend = Blend(models=("cooccurrence", "popularity", "word2vec"))
    fitted = []
    monkeypatch.setattr(Blend, "fit", lambda self, roots, **_: fitted.append((self.settings.models, roots.kind)))
    monkeypatch.setattr("crossfade.evaluate.pages.pages_of", lambda *_, roots_model, **__: None)
    found = compare("cooccurrence", split, k=5, pages=False)
    with_pages(found, split, {"cooccurrence": blend})
    assert fitted == [(("cooccurrence", "popularity"), "artist")]
