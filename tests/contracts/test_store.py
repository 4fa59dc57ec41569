"""The contract of a store of releases; every registered store keeps it."""

import threading

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, NotReadyError, SettingsError, UnknownIdError
from crossfade.core.home import Home
from crossfade.core.tables import EVERYONE
from crossfade.stores.contract import Artist, Entry, Reason, Surface, Track
from crossfade.stores.registry import STORES, open_store


@pytest.fixture(params=sorted(STORES))
def store(request, tmp_path):
    home = Home(tmp_path / "home")
    home.prepare()
    return open_store(home, request.param)


@pytest.fixture(scope="module", params=sorted(STORES))
def reader(request, tmp_path_factory, make_release_parts):
    """Of the release of `release_parts`, in a store that nothing else writes to."""
    home = Home(tmp_path_factory.mktemp("store") / "home")
    home.prepare()
    store = open_store(home, request.param)
    make_release_parts(home.path).publish(store)
    with store.open() as opened:
        yield opened


def test_nothing_is_served_before_the_first_release(store):
    assert store.versions() == []
    for ask in (store.current, store.open, store.verify, store.roll_back):
        with pytest.raises(NotReadyError):
            ask()


def test_an_unknown_store_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="sqlite"):
        open_store(Home(tmp_path), "papyrus")


def test_publishing_makes_a_release_active(store, release_parts):
    version = release_parts.publish(store)
    assert store.current() == version
    assert store.versions() == [version]
    assert version == f"000001-{store.verify().fingerprint[:12]}"


def test_publishing_the_same_again_publishes_nothing(store, release_parts):
    first = release_parts.publish(store)
    assert release_parts.publish(store) == first
    assert store.versions() == [first]


def test_numbers_grow_and_rolling_back_returns_to_the_one_before(store, release_parts):
    first, second, third = (release_parts.publish(store, day=day) for day in ("1", "2", "3"))
    assert store.versions() == [first, second, third]
    assert store.roll_back() == second
    assert store.roll_back() == first
    assert store.current() == first
    with pytest.raises(NotReadyError):
        store.roll_back()
    assert store.current() == first
    store.activate(third)
    assert store.current() == third


def test_after_rolling_back_a_new_release_has_a_new_number(store, release_parts):
    first, second = (release_parts.publish(store, day=day) for day in ("1", "2"))
    store.roll_back()
    third = release_parts.publish(store, day="2")
    assert third == second.replace("000002", "000003")
    assert store.versions() == [first, second, third]


@pytest.mark.parametrize("wrong", ["000009-000000000000", "../000001-000000000000", "", "000001", "latest"])
def test_a_release_that_is_not_there_cannot_be_activated(store, release_parts, wrong):
    version = release_parts.publish(store)
    for ask in (store.activate, store.verify, store.open):
        with pytest.raises(ArtifactError):
            ask(wrong)
    assert store.current() == version


def test_pruning_keeps_the_newest_and_the_active_one(store, release_parts):
    versions = [release_parts.publish(store, day=str(day)) for day in range(5)]
    store.activate(versions[1])
    assert store.prune(2) == [versions[0], versions[2]]
    assert store.versions() == [versions[1], versions[3], versions[4]]
    assert store.current() == versions[1]
    assert store.prune(0) == [versions[3]]


def test_a_release_that_is_open_is_not_pruned(store, release_parts):
    first = release_parts.publish(store, day="1")
    reader = store.open()
    second = release_parts.publish(store, day="2")
    assert store.prune(1) == []
    assert reader.version == first
    assert reader.artist("mb:bjork").name == "Björk"
    reader.close()
    assert store.prune(1) == [first]
    assert store.versions() == [second]


def test_an_old_release_can_be_opened_beside_the_active_one(store, release_parts):
    first, second = (release_parts.publish(store, day=day) for day in ("1", "2"))
    with store.open(first) as old, store.open() as new:
        assert (old.version, new.version) == (first, second)
        assert old.manifest.identity.inputs["day"] == "1"


def test_the_surfaces_are_described(reader):
    assert dict(reader.surfaces) == {
        "discover": Surface(
            name="discover", key="user", kind="artist", columns=("reason", "reason_plays", "score"), keys=3
        ),
        "popular": Surface(name="popular", key="user", kind="track", columns=(), keys=1),
        "radio": Surface(name="radio", key="track", kind="track", columns=("score",), keys=2),
        "related": Surface(name="related", key="artist", kind="artist", columns=("score",), keys=2),
    }
    rows = {"artists": 5, "tracks": 4, "users": 3, "discover": 4, "popular": 2, "radio": 3, "related": 5}
    assert dict(reader.manifest.rows) == rows


def test_the_entries_of_an_artist_stand_in_order_with_names(reader):
    assert reader.entries("related", "mb:radiohead") == [
        Entry(id="mb:bjork", name="Björk", score=0.75),
        Entry(id="name:sigur rós", name="Sigur Rós", score=0.5),
        Entry(id="mb:motorhead", name="Motörhead", score=0.25),
    ]


def test_a_score_is_the_shortest_number_that_it_stands_for(reader):
    assert [entry.score for entry in reader.entries("related", "mb:acdc")] == [0.9, 0.1]


def test_a_page_of_entries(reader):
    whole = reader.entries("related", "mb:radiohead")
    assert reader.entries("related", "mb:radiohead", limit=1) == whole[:1]
    assert reader.entries("related", "mb:radiohead", limit=2, offset=1) == whole[1:]
    assert reader.entries("related", "mb:radiohead", offset=3) == []


def test_tracks_are_listed_with_their_artists(reader):
    assert reader.entries("radio", "t/1 creep") == [
        Entry(id="t:army", name="Army of Me", artist_id="mb:bjork", artist_name="Björk", score=0.5),
        Entry(id="t:hunter", name="Hunter", artist_id="mb:bjork", artist_name="Björk", score=0.25),
    ]


def test_a_reason_names_what_was_played(reader):
    reason = Reason(kind="artist", id="mb:radiohead", name="Radiohead", plays=31)
    assert reader.entries("discover", "hetrec:2") == [
        Entry(id="name:sigur rós", name="Sigur Rós", score=0.8, reason=reason),
        Entry(id="mb:acdc", name="AC/DC", score=0.1, reason=None),
    ]


def test_a_table_for_everyone_has_no_users(reader):
    assert [entry.id for entry in reader.entries("popular", EVERYONE)] == ["t:hunter", "t/1 creep"]
    assert reader.users(limit=10) == ["hetrec:2", "hetrec:7", "lastfm:7"]
    assert reader.users(limit=1, offset=1) == ["hetrec:7"]


def test_rows_are_what_the_table_held(reader):
    ranked = reader.ranked("radio", "t/1 creep")
    assert ranked.items.tolist() == [1, 3]
    assert ranked.items.dtype == np.int32
    assert ranked.columns["score"].tolist() == [0.5, 0.25]


def test_what_a_release_lacks_is_named(reader):
    with pytest.raises(NotReadyError, match=r"now-playing.*related"):
        reader.entries("now-playing", "mb:bjork")
    with pytest.raises(UnknownIdError, match="bjork"):
        reader.entries("related", "mb:bjork")
    with pytest.raises(NotReadyError, match="als-artist"):
        reader.space("word2vec-track")


@pytest.mark.parametrize("text", ["mb:bjork", "Björk", "bjork", "BJÖRK ", "Bjo\u0308rk"])
def test_an_artist_is_found_by_id_and_by_name(reader, text):
    assert reader.artist(text) == Artist(id="mb:bjork", name="Björk", listeners=9, plays=90)


@pytest.mark.parametrize("text", ["AC/DC", "acdc", "ac dc", "AC-DC"])
def test_punctuation_does_not_matter(reader, text):
    assert reader.artist(text).id == "mb:acdc"


def test_a_track_is_found_by_id_title_and_artist(reader):
    creep = Track(
        id="t/1 creep",
        title="Creep",
        artist_id="mb:radiohead",
        artist_name="Radiohead",
        album="Pablo Honey",
        track_ms=238_000,
        listeners=7,
        plays=70,
    )
    # Of two tracks of one title it is the one that more people listen to.
    for text in ("t/1 creep", "creep", "Creep Radiohead", "radiohead - creep"):
        assert reader.track(text) == creep
    unknown = reader.track("t:creep")
    assert (unknown.artist_id, unknown.artist_name, unknown.album, unknown.track_ms) == (None, None, None, None)


def test_a_misspelt_name_brings_suggestions(reader):
    with pytest.raises(UnknownIdError, match="Did you mean Motörhead") as caught:
        reader.artist("motorhed")
    assert caught.value.suggestions[0] == "Motörhead"
    with pytest.raises(UnknownIdError) as caught:
        reader.track("huntre")
    assert caught.value.suggestions[0] == "Hunter"
    with pytest.raises(UnknownIdError) as caught:
        reader.artist("zzzzzz")
    assert caught.value.suggestions == ()


def test_a_user_is_found_by_id_and_by_what_stands_behind_the_source(reader):
    assert reader.user("hetrec:2") == "hetrec:2"
    assert reader.user("2") == "hetrec:2"
    with pytest.raises(UnknownIdError) as caught:
        reader.user("7")
    assert caught.value.suggestions == ("hetrec:7", "lastfm:7")
    for unknown in ("3", "", "etrec:2", EVERYONE, "hetrec:"):
        with pytest.raises(UnknownIdError):
            reader.user(unknown)


def found(reader, text, limit=10):
    hits = reader.search(text, limit=limit)
    return [artist.name for artist in hits.artists], [track.title for track in hits.tracks]


@pytest.mark.parametrize(
    ("text", "artists"),
    [
        ("b", ["Björk"]),
        ("bjö", ["Björk"]),
        ("RADIO", ["Radiohead"]),
        ("head", ["Radiohead", "Motörhead"]),  # inside a word; the one with more listeners first
        ("ros", ["Sigur Rós"]),
        ("ros sig", ["Sigur Rós"]),
        ("ac/d", ["AC/DC"]),
    ],
)
def test_search_finds_names_by_their_parts(reader, text, artists):
    assert found(reader, text)[0] == artists


def test_search_finds_tracks_by_title_and_artist(reader):
    assert found(reader, "creep")[1] == ["Creep", "Creep"]
    assert found(reader, "creep radioh")[1] == ["Creep"]
    # The artist that is called so, and its tracks, the one with more listeners first.
    assert found(reader, "björk") == (["Björk"], ["Hunter", "Army of Me"])


def test_search_holds_its_limit(reader):
    assert found(reader, "head", limit=1)[0] == ["Radiohead"]
    assert found(reader, "creep", limit=0) == ([], [])


def test_search_suggests_where_nothing_matches(reader):
    hits = reader.search("raadiohaed", limit=10)
    assert (hits.artists, hits.tracks) == ((), ())
    assert hits.suggestions[0] == "Radiohead"


@pytest.mark.parametrize(
    "text", ["", " ", "\x00", "'; DROP TABLE artists; --", "%", "\ud800", "\U0001f3b8", "x" * 100_000]
)
def test_odd_questions_find_nothing(reader, text):
    assert found(reader, text) == ([], [])
    for ask in (reader.artist, reader.track, reader.user):
        with pytest.raises(UnknownIdError):
            ask(text)
    with pytest.raises(UnknownIdError):
        reader.entries("related", text)


def test_a_space_is_served_with_its_release(reader):
    space = reader.space("als-artist")
    assert reader.spaces == ("als-artist",)
    assert space.item_vectors.tolist() == np.eye(5, 3).tolist()
    assert list(space.user_ids) == ["hetrec:2"]


def test_many_threads_read_one_reader(reader):
    wanted = reader.entries("related", "mb:radiohead"), reader.search("head", limit=5)
    answers = []

    def ask():
        answers.extend((reader.entries("related", "mb:radiohead"), reader.search("head", limit=5)) for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [wanted] * 400
