import datetime
import math
from collections import defaultdict
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.aggregation.interactions import (
    InteractionSettings,
    build_interactions,
    build_playlist_interactions,
)
from crossfade.aggregation.partitions import PLAY, UNIT, Spool, summed, users_of_partitions
from crossfade.core.errors import NotReadyError, SettingsError
from crossfade.core.interactions import Interactions
from crossfade.core.schemas import ALIASES, COUNTS, LISTENS, PLAYLIST_ITEMS

START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def listen(user, artist=None, *, track=None, at=START, skipped=False, source=None):
    kind, item, parent = ("artist", artist, None) if track is None else ("track", track, artist)
    return row(user, kind, item, parent, listened_at=at, skipped=skipped, source=source)


def plays_of(user, plays, *, artist=None, track=None):
    kind, item, parent = ("artist", artist, None) if track is None else ("track", track, artist)
    return row(user, kind, item, parent, plays=plays)


def row(user, kind, item, parent=None, **columns):
    return {"user_id": user, "kind": kind, "item_id": item, "parent_id": parent, **columns}


def heard(user, episode, show=None, *, at=START, **columns):
    return row(user, "episode", episode, show, listened_at=at, **{"skipped": False, **columns})


class Built:
    """Builds interactions from rows, each time into a directory of its own."""

    def __init__(self, place):
        self._place = place
        self._numbers = count()

    def directory(self, *, listens=(), counts=(), aliases=(), kind="artist", files=1, chosen=None, **limits):
        place = self._place / str(next(self._numbers))
        place.mkdir()
        tables = {}
        for name, rows, schema in (("listens", listens, LISTENS), ("counts", counts, COUNTS)):
            for part in range(files if rows else 0):
                path = place / f"{name}-{part}.parquet"
                pq.write_table(pa.Table.from_pylist(list(rows)[part::files], schema), path)
                tables.setdefault(name, []).append(path)
        pairs = [{"kind": kind, "from_id": before, "to_id": after} for kind, before, after in aliases]
        pq.write_table(pa.Table.from_pylist(pairs, ALIASES), place / "aliases.parquet")
        made = place / "made"
        made.mkdir()
        self.rows = build_interactions(tables, place, kind, made, chosen or InteractionSettings(), **limits)
        return made

    def playlists(self, *items, kind="artist", chosen=None):
        place = self._place / str(next(self._numbers))
        (place / "made").mkdir(parents=True)
        rows = [
            {"playlist_id": playlist, "position": position, "kind": kind, "item_id": item, "parent_id": parent}
            for position, (playlist, kind, item, parent) in enumerate(items)
        ]
        pq.write_table(pa.Table.from_pylist(rows, PLAYLIST_ITEMS), place / "playlist_items.parquet")
        self.rows = build_playlist_interactions(place, kind, place / "made", chosen or InteractionSettings())
        return Interactions.load(place / "made", kind=kind)

    def __call__(self, **given):
        return Interactions.load(self.directory(**given), kind=given.get("kind", "artist"))


@pytest.fixture
def built(tmp_path):
    return Built(tmp_path)


def triples(made):
    """(user, item) → (weight, plays, last played)"""
    return {
        (made.user_ids[user], made.item_ids[int(made.indices[pair])]): (
            float(made.weights[pair]),
            int(made.plays[pair]),
            int(made.last_played[pair]),
        )
        for user in range(len(made.user_ids))
        for pair in range(made.indptr[user], made.indptr[user + 1])
    }


PARENTS = {"track": "artist", "episode": "show"}
names = st.sampled_from(["a", "B", "é", "ﬀ", "😀", "", "name:x y", "Z"])
kinds = st.sampled_from(["artist", "track", "show", "episode"])
parents = st.none() | names
listens = st.lists(
    st.builds(
        row,
        names,
        kinds,
        names,
        parents,
        listened_at=st.integers(0, 3_000).map(lambda day: START + day * DAY),
        skipped=st.booleans(),
        source=st.sampled_from([None, "radio", "search", "autoplay", "playlist"]),
    ),
    max_size=30,
)
counts = st.lists(st.builds(row, names, kinds, names, parents, plays=st.integers(1, 50)))
chosen = st.builds(
    InteractionSettings,
    weight=st.sampled_from(["count", "log"]),
    epsilon=st.sampled_from([0.5, 1.0, 20.0]),
    half_life_days=st.sampled_from([0.0, 90.0]),
    min_plays=st.integers(1, 3),
    min_items=st.integers(1, 2),
    min_listeners=st.integers(1, 2),
)


def aggregated(listens, counts, aliases, kind, chosen):
    """What `build_interactions` says it makes, by dictionaries: the independent oracle."""
    plays = [
        {"time": row["listened_at"], "lean back": row["source"] in ("radio", "autoplay"), "plays": 1, **row}
        for row in listens
        if not row["skipped"]
    ] + [{"time": None, "lean back": False, **row} for row in counts]
    for play in plays:
        play["settled"] = aliases.get((play["kind"], play["item_id"]), play["item_id"])
    latest = {}
    for play in [play for play in plays if play["kind"] == "episode"]:
        item = play["user_id"], play["settled"]
        if item not in latest or _rank(play) < _rank(latest[item]):
            latest[item] = play
    plays = [play for play in plays if play["kind"] != "episode"] + [
        {**play, "plays": 1 if play["time"] is None else play["plays"]} for play in latest.values()
    ]
    taken = [(play, play["settled"]) for play in plays if play["kind"] == kind] + [
        (play, aliases.get((kind, play["parent_id"]), play["parent_id"]))
        for play in plays
        if PARENTS.get(play["kind"]) == kind and play["parent_id"] is not None
    ]
    newest = max((play["time"] for play, _ in taken if play["time"]), default=START)
    weights, totals, last = defaultdict(float), defaultdict(int), defaultdict(int)
    for play, item in taken:
        pair = play["user_id"], item
        weight = play["plays"]
        if play["time"]:
            age = (newest - play["time"]) / DAY
            weight = 0.5 ** (age / chosen.half_life_days) if chosen.half_life_days else 1
            last[pair] = max(last[pair], int(play["time"].timestamp()))
        weights[pair] += weight * (0.5 if play["lean back"] else 1)
        totals[pair] += play["plays"]
    kept = [pair for pair in totals if totals[pair] >= chosen.min_plays]
    kept = [pair for pair in kept if sum(other[0] == pair[0] for other in kept) >= chosen.min_items]
    kept = [pair for pair in kept if sum(other[1] == pair[1] for other in kept) >= chosen.min_listeners]
    if chosen.weight == "log":
        weights = {pair: math.log(1 + weight / chosen.epsilon) for pair, weight in weights.items()}
    return {pair: (weights[pair], totals[pair], last[pair]) for pair in kept}, bool(taken)


def _rank(play):
    """The latest play first; then one that was chosen, then the first parent."""
    parent = play["parent_id"]
    ago = math.inf if play["time"] is None else -play["time"].timestamp()
    return ago, play["lean back"], parent is None, (parent or "").encode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    listens,
    counts,
    st.sampled_from([{}, {(kind, old): new for kind in ("track", "artist", "show") for old, new in ("Ba", "éZ")}]),
    kinds,
    chosen,
)
def test_interactions_are_what_dictionaries_add_up(built, listens, counts, aliases, kind, chosen):
    expected, anything = aggregated(listens, counts, aliases, kind, chosen)
    renamed = [(*old, new) for old, new in aliases.items()]
    given = {"listens": listens, "counts": counts, "aliases": renamed, "kind": kind, "chosen": chosen}
    if not listens and not counts:
        with pytest.raises(NotReadyError, match="crossfade import"):
            built(**given)
    elif anything and not expected:
        with pytest.raises(SettingsError, match="lower them"):
            built(**given)
    else:
        made = built(**given)
        found = triples(made)
        assert found.keys() == expected.keys()
        assert len(found) == made.pairs
        for pair, (weight, plays, last) in expected.items():
            assert found[pair] == (pytest.approx(weight, rel=1e-5, abs=1e-8), plays, last)
        assert list(made.user_ids) == sorted({user for user, _ in expected}, key=str.encode)
        assert list(made.item_ids) == sorted({item for _, item in expected}, key=str.encode)
        assert all((np.diff(made.played(user)) > 0).all() for user in range(len(made.user_ids)))
        assert built.rows["pairs"] == len(expected)


def test_the_files_are_those_of_interactions_that_were_saved(built, tmp_path):
    rows = [("u", "é", 3), ("u", "a", 1), ("v", "Z", 7), ("v", "é", 2)]
    made = built.directory(counts=[plays_of(user, plays, artist=artist) for user, artist, plays in rows])
    saved = tmp_path / "saved"
    saved.mkdir()
    Interactions.from_counts(*zip(*rows, strict=True)).save(saved)
    assert {path.name: path.read_bytes() for path in made.iterdir()} == {
        path.name: path.read_bytes() for path in saved.iterdir()
    }


def test_of_an_episode_only_the_latest_play_counts_for_it_and_for_its_show(built):
    played = [
        heard("u", "e:1", "s", at=START - 90 * DAY),
        heard("u", "e:1", "s", at=START, source="radio"),
        heard("u", "same as e:1", "s", at=START - 180 * DAY),
        heard("u", "e:2", "s", at=START - 90 * DAY),
        heard("v", "e:1", "s", at=START - 180 * DAY),
        heard("v", "e:3", at=START - 90 * DAY, skipped=True),
    ]
    counted = [row("u", "episode", "e:2", "s", plays=9), row("v", "episode", "e:3", "s", plays=7)]
    given = {"listens": played, "counts": counted, "aliases": [("episode", "same as e:1", "e:1")]}
    now, before, long_ago = (int((START - days * DAY).timestamp()) for days in (0, 90, 180))
    assert triples(built(kind="episode", **given)) == {
        ("u", "e:1"): (0.5, 1, now),
        ("u", "e:2"): (0.5, 1, before),
        ("v", "e:1"): (0.25, 1, long_ago),
        ("v", "e:3"): (1.0, 1, 0),
    }
    assert triples(built(kind="show", **given)) == {("u", "s"): (1.0, 2, now), ("v", "s"): (1.25, 2, long_ago)}


def test_a_show_itself_repeats(built):
    made = built(listens=[row("u", "show", "s", listened_at=START, skipped=False)] * 3, kind="show")
    assert made.plays.tolist() == [3]


def test_playlists_are_the_users_of_what_they_contain(built):
    items = [("p", "track", "t:1", "a:1"), ("p", "track", "t:1", "a:1"), ("p", "track", "t:2", "a:1")]
    items += [("q", "track", "t:2", None), ("q", "artist", "a:2", None), ("q", "show", "s", None)]
    assert triples(built.playlists(*items, kind="track")) == {
        ("p", "t:1"): (2.0, 2, 0),
        ("p", "t:2"): (1.0, 1, 0),
        ("q", "t:2"): (1.0, 1, 0),
    }
    assert built.rows == {"users": 2, "items": 2, "pairs": 3, "events": 4}
    assert triples(built.playlists(*items)) == {("p", "a:1"): (3.0, 3, 0), ("q", "a:2"): (1.0, 1, 0)}


def test_an_episode_is_once_in_a_playlist_and_settings_apply(built):
    items = [("p", "episode", "e", "s"), ("p", "episode", "e", "s"), ("p", "episode", "f", "s"), ("q", "show", "s", "")]
    assert triples(built.playlists(*items, kind="episode")) == {("p", "e"): (1.0, 1, 0), ("p", "f"): (1.0, 1, 0)}
    few = InteractionSettings(min_plays=2, weight="log")
    assert triples(built.playlists(*items, kind="show", chosen=few)) == {("p", "s"): (pytest.approx(math.log(3)), 2, 0)}


def test_a_catalogue_without_playlists_gives_no_interactions(built):
    assert built.playlists().shape == (0, 0)


def test_a_listen_loses_half_its_weight_in_a_half_life(built):
    aged = [("new", 0), ("half", 90), ("quarter", 180), ("eighth", 270)]
    made = built(
        listens=[listen("u", artist, at=START - age * DAY) for artist, age in aged],
        counts=[plays_of("u", 4, artist="counted")],
        chosen=InteractionSettings(half_life_days=90),
    )
    weights = {item: weight for (_, item), (weight, _, _) in triples(made).items()}
    assert weights == {"new": 1.0, "half": 0.5, "quarter": 0.25, "eighth": 0.125, "counted": 4.0}


def test_listens_age_towards_the_reference_time_and_later_ones_do_not_gain(built):
    made = built(
        listens=[listen("u", "before", at=START - 90 * DAY), listen("u", "after", at=START + DAY)],
        chosen=InteractionSettings(half_life_days=90),
        reference_time=START,
    )
    assert {item: weight for (_, item), (weight, _, _) in triples(made).items()} == {"before": 0.5, "after": 1.0}


def test_the_oldest_listen_still_weighs_something(built):
    made = built(
        listens=[listen("u", "a"), listen("u", "b", at=START - 10_000 * DAY)],
        chosen=InteractionSettings(half_life_days=1, weight="log"),
    )
    assert (made.weights > 0).all()


def test_what_nobody_chose_weighs_less_but_is_as_much_played(built):
    made = built(listens=[listen("u", "a", source=source) for source in ("Radio", "autoplay", "search", None)])
    assert triples(made)["u", "a"] == (3.0, 4, int(START.timestamp()))


@pytest.mark.parametrize("kind", ["artist", "track"])
def test_an_alias_is_counted_as_what_it_stands_for(built, kind):
    made = built(
        listens=[listen("u", "x", track="x"), listen("u", "z", track="z")],
        counts=[plays_of("u", 2, artist="y", track="y"), plays_of("v", 1, artist="y", track="y")],
        aliases=[(kind, "y", "x"), (kind, "nobody played", "z"), ("show", "x", "w"), ("episode", "z", "w")],
        kind=kind,
    )
    assert {pair: plays for pair, (_, plays, _) in triples(made).items()} == {
        ("u", "x"): 3,
        ("u", "z"): 1,
        ("v", "x"): 1,
    }
    assert list(made.item_ids) == ["x", "z"]


def test_a_skip_is_no_play(built):
    made = built(listens=[listen("u", "a"), listen("u", "b", skipped=True), listen("v", "a", skipped=True)])
    assert list(made.user_ids) == ["u"]
    assert list(made.item_ids) == ["a"]


def test_a_library_without_tracks_has_empty_track_interactions(built):
    made = built(listens=[listen("u", "a")], kind="track")
    assert made.shape == (0, 0)
    assert built.rows == {"users": 0, "items": 0, "pairs": 0, "events": 0}


def test_an_empty_library_says_to_import(built):
    with pytest.raises(NotReadyError, match="crossfade import"):
        built()


def test_a_huge_count_is_held_at_the_largest_number(built):
    made = built(counts=[plays_of("u", 2**62, artist="a")] * 9 + [plays_of("u", 1, artist="b")])
    assert made.plays.tolist() == [2**31 - 1, 1]
    assert made.weights[0] == pytest.approx(2**32, rel=1e-6)


@pytest.fixture
def many():
    rng = np.random.default_rng(7)
    users, artists = rng.integers(0, 300, 20_000), rng.zipf(1.3, 20_000) % 5_000
    days, sources = rng.random(20_000) * 3_000, rng.choice(np.array(["radio", "search"]), 20_000)
    return [
        listen(f"user {user * 7919 % 300}", f"artist {artist}", at=START + float(day) * DAY, source=str(source))
        for user, artist, day, source in zip(users, artists, days, sources, strict=True)
    ]


def test_bytes_depend_neither_on_threads_nor_on_memory_nor_on_files(built, many, monkeypatch):
    chosen = InteractionSettings(weight="log", half_life_days=30, min_listeners=2)
    written = []
    for threads, memory_limit, block, batch, files in [
        (1, 1 << 30, 1 << 22, 1 << 20, 1),
        (2, 64 << 20, 1 << 22, 1 << 20, 5),
        (2, 1 << 30, 97, 101, 1),
    ]:
        monkeypatch.setattr("crossfade.aggregation.partitions._BLOCK", block)
        monkeypatch.setattr("crossfade.core.queries.BATCH", batch)
        made = built.directory(listens=many, files=files, threads=threads, memory_limit=memory_limit, chosen=chosen)
        written.append({path.name: path.read_bytes() for path in made.iterdir()})
    assert written[0] == written[1] == written[2]
    assert "spool" not in written[0]
    assert {row["item_id"] for row in many} >= set(Interactions.load(made, kind="artist").item_ids)


def test_progress_never_falls_and_ends_at_the_total(built, many):
    told = []
    built(listens=many, progress=lambda done, total, unit: told.append((done, total, unit)))
    assert told[-1] == (20_000, 20_000, "plays")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)


def test_too_little_memory_is_refused_by_name(built):
    with pytest.raises(SettingsError, match="memory_limit"):
        built(listens=[listen("u", "a")], memory_limit=1000)


def test_nothing_is_left_behind_by_a_failure(built, tmp_path):
    with pytest.raises(SettingsError, match="min_listeners 9"):
        built(listens=[listen("u", "a")], chosen=InteractionSettings(min_listeners=9))
    assert not list(tmp_path.glob("*/made/spool"))


def test_partitions_hold_whole_neighbouring_users(monkeypatch):
    monkeypatch.setattr("crossfade.aggregation.partitions._BLOCK", 10)
    partitions = users_of_partitions(np.array([4, 4, 4, 4, 90, 1, 1]), memory_limit=1 << 30)
    assert (np.diff(partitions.astype(int)) >= 0).all()
    assert set(np.diff(partitions.astype(int))) <= {0, 1}
    assert partitions[0] == 0
    assert len(set(partitions)) == 4  # the first users by tens, the heavy one, and those behind it
    assert len(users_of_partitions(np.array([], dtype=np.int64), memory_limit=1 << 30)) == 0


def test_the_number_of_partitions_is_bounded(monkeypatch):
    monkeypatch.setattr("crossfade.aggregation.partitions._BLOCK", 1)
    assert users_of_partitions(np.full(5_000, 3), memory_limit=1 << 30).max() < 512


def test_a_user_of_many_blocks_is_summed_block_by_block(tmp_path, monkeypatch, rng):
    monkeypatch.setattr("crossfade.aggregation.partitions._BLOCK", 100)
    items = rng.integers(0, 30, 1_000)
    spool = Spool(tmp_path, np.zeros(1, dtype=np.uint16), items=30, memory_limit=1 << 30)
    ones = np.ones(1_000, dtype=np.int64)
    spool.write(user=ones * 0, item=items, plays=ones, seconds=np.arange(1_000), units=ones * UNIT)
    (partition,) = spool.partitions
    partition.summarise(min_plays=1, min_items=1)
    assert partition.pairs()["item"].tolist() == list(range(30))
    assert partition.pairs()["plays"].tolist() == np.bincount(items).tolist()
    assert partition.pairs()["seconds"].tolist() == [int(np.flatnonzero(items == item)[-1]) for item in range(30)]


def test_sums_beyond_the_largest_count_stay_there():
    plays = np.zeros(3, dtype=PLAY)
    plays["plays"] = 2**31
    plays["units"] = 2**61
    once = summed(plays, items=1)
    again = summed(np.concatenate((once, plays)), items=1)
    assert once["plays"].tolist() == again["plays"].tolist() == [2**32 - 1]
    assert once["units"].tolist() == again["units"].tolist() == [(2**32 - 1) * UNIT]


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight": "square"},
        {"epsilon": 0.0},
        {"epsilon": float("nan")},
        {"half_life_days": -1.0},
        {"half_life_days": 0.001},
        {"half_life_days": float("nan")},
        {"half_life_days": float("inf")},
        {"chosen_weight": 0.0},
        {"lean_back_weight": 1.5},
        {"lean_back_weight": float("nan")},
        {"min_plays": 0},
        {"min_items": 0},
        {"min_listeners": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        InteractionSettings(**wrong)
