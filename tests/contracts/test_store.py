"""The contracts of registries, table stores and the releases made of both; every registered store keeps them."""

import dataclasses
import threading
import time

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, NotReadyError, SettingsError, UnknownIdError
from crossfade.core.home import Home
from crossfade.core.kinds import KINDS
from crossfade.core.spaces import VectorSpace
from crossfade.core.tables import EVERYONE
from crossfade.stores.contract import Active, Entry, Item, Named, Reason, TableInfo, Version
from crossfade.stores.registry import STORES, StoreSettings, open_releases, open_store

FIRST, SECOND, THIRD = (Version(f"{number:06d}-0123456789ab") for number in (1, 2, 3))


@pytest.fixture(params=sorted(STORES))
def settings(request, make_store_settings):
    return make_store_settings(request.param)


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def registry(home, settings):
    return open_store(home, settings)[0]


@pytest.fixture
def table_store(home, settings):
    return open_store(home, settings)[1]


@pytest.fixture
def releases(home, settings):
    return open_releases(home, settings)


@pytest.fixture(scope="module", params=sorted(STORES))
def tables(request, tmp_path_factory, make_release_parts, make_store_settings):
    """The tables of `release_parts`, in a store that nothing else writes to."""
    directory = tmp_path_factory.mktemp("store")
    home = Home(directory / "home")
    home.prepare()
    parts = make_release_parts(directory)
    _, store = open_store(home, make_store_settings(request.param))
    store.write(FIRST, parts.catalogue, parts.tables)
    opened = store.open(FIRST)
    yield opened
    opened.close()


def test_an_unknown_store_is_refused():
    with pytest.raises(SettingsError, match=r"one of .*sqlite.*papyrus"):
        StoreSettings(kind="papyrus")


class TestRegistry:
    """Which releases exist, and which is active."""

    def test_nothing_is_active_before_the_first(self, registry):
        assert registry.versions() == []
        with pytest.raises(NotReadyError):
            registry.active()

    def test_what_is_added_is_active(self, registry):
        assert registry.add(FIRST)
        assert registry.add(SECOND)
        assert registry.active() == Active(SECOND, pinned=False)
        assert registry.versions() == [FIRST, SECOND]

    def test_under_a_pin_it_is_not(self, registry):
        registry.add(FIRST)
        registry.add(SECOND)
        registry.activate(FIRST, pinned=True)
        assert not registry.add(THIRD)
        assert registry.active() == Active(FIRST, pinned=True)
        assert registry.versions() == [FIRST, SECOND, THIRD]

    def test_without_the_pin_it_is_again(self, registry):
        registry.add(FIRST)
        registry.activate(FIRST, pinned=True)
        registry.activate(FIRST, pinned=False)
        assert registry.active() == Active(FIRST, pinned=False)
        assert registry.add(SECOND)

    @pytest.mark.parametrize("wrong", [SECOND, "../000001-0123456789ab", "", "000001", "latest"])
    def test_what_does_not_exist_cannot_be_activated(self, registry, wrong):
        registry.add(FIRST)
        with pytest.raises(ArtifactError):
            registry.activate(wrong, pinned=True)
        assert registry.active() == Active(FIRST, pinned=False)

    @pytest.mark.parametrize("wrong", ["../000001-0123456789ab", "", "000001", "000001-0123456789ab\n"])
    def test_other_names_are_refused(self, registry, wrong):
        for write in (registry.add, registry.remove):
            with pytest.raises(ArtifactError, match="not the name of a release"):
                write(wrong)
        assert registry.versions() == []

    def test_all_but_the_active_one_can_be_removed(self, registry):
        registry.add(FIRST)
        registry.add(SECOND)
        registry.remove(FIRST)
        registry.remove(THIRD)
        assert registry.versions() == [SECOND]
        with pytest.raises(ArtifactError, match="is active"):
            registry.remove(SECOND)
        assert registry.versions() == [SECOND]

    def test_none_is_active_after_the_active_one_has_stopped_to_be(self, registry):
        registry.deactivate()
        registry.add(FIRST)
        registry.add(SECOND)
        registry.deactivate()
        assert registry.versions() == [FIRST, SECOND]
        with pytest.raises(NotReadyError):
            registry.active()
        registry.remove(SECOND)
        registry.activate(FIRST, pinned=False)
        assert registry.active() == Active(FIRST, pinned=False)

    def test_another_process_sees_the_same(self, registry, home, settings):
        registry.add(FIRST)
        registry.add(SECOND)
        registry.activate(FIRST, pinned=True)
        other = open_store(home, settings)[0]
        assert (other.versions(), other.active()) == ([FIRST, SECOND], Active(FIRST, pinned=True))


class TestTableStore:
    """Tables come and go by version."""

    def test_what_is_written_can_be_opened_until_it_is_dropped(self, table_store, release_parts):
        assert table_store.versions() == []
        for version in (SECOND, FIRST):
            rows = table_store.write(version, release_parts.catalogue, release_parts.tables)
        assert rows == {
            "artists": 5, "tracks": 4, "shows": 1, "episodes": 2, "users": 3,
            "discover-artist": 4, "popular-track": 2, "radio-episode": 1, "radio-track": 3, "related-artist": 5,
        }  # fmt: skip
        assert table_store.versions() == [FIRST, SECOND]
        table_store.drop(FIRST)
        table_store.drop(THIRD)
        assert table_store.versions() == [SECOND]
        for ask in (table_store.open, table_store.verify):
            with pytest.raises(ArtifactError):
                ask(FIRST)
        table_store.verify(SECOND)
        tables = table_store.open(SECOND)
        assert tables.item("artist", "bjork").id == "mb:bjork"
        tables.close()
        tables.close()

    def test_every_kind_has_items_of_its_own(self, table_store, release_parts):
        """A new kind is an entry in KINDS: nothing in a store may name one."""
        table_store.write(FIRST, release_parts.catalogue, release_parts.tables)
        tables = table_store.open(FIRST)
        assert tables.kinds == tuple(KINDS)
        for kind, items in release_parts.catalogue.items():
            for row, id_ in enumerate(items.ids):
                item = tables.item(kind, id_)
                assert (item.kind, item.name, item.plays) == (kind, items.names[row], items.plays[row])
        tables.close()

    @pytest.mark.parametrize(
        ("place", "change", "message"),
        [
            (0, {"items": np.array([2, 3, 1, 4, 5], dtype=np.int32)}, "items point to rows 1 to 5, and there are 5"),
            (0, {"items": np.array([2, 3, 1, 4, -1], dtype=np.int32)}, "items point to rows -1"),
            (0, {"key": "track"}, "key that is not among the catalogue's tracks"),
            (0, {"surface": "Related Artists"}, "cannot be the name of a table"),
            (0, {"surface": 'x"; DROP TABLE artist_items; --'}, "cannot be the name of a table"),
            (1, {"surface": "related", "kind": "artist"}, "each of another name"),
            (0, {"kind": "video"}, "about the kind 'video', and the catalogue has none"),
            (3, {"reason_kind": None}, "reasons point to rows"),
            (3, {"reason_kind": "show"}, "reasons point to rows -1 to 3, and there are 1"),
        ],
    )
    def test_tables_that_do_not_fit_are_refused(self, table_store, release_parts, place, change, message):
        tables = list(release_parts.tables)
        tables[place] = dataclasses.replace(tables[place], **change)
        with pytest.raises(ArtifactError, match=message):
            table_store.write(FIRST, release_parts.catalogue, tables)
        assert table_store.versions() == []

    def test_parents_that_do_not_exist_are_refused(self, table_store, release_parts):
        episodes = release_parts.catalogue["episode"]
        wrong = dataclasses.replace(episodes, parents=np.array([0, 1], dtype=np.int32))
        catalogue = type(release_parts.catalogue)(
            [*(release_parts.catalogue[kind] for kind in ("artist", "track", "show")), wrong]
        )
        with pytest.raises(ArtifactError, match="the parents of episodes point to rows 0 to 1, and there are 1"):
            table_store.write(FIRST, catalogue, release_parts.tables)

    def test_no_tables_are_refused(self, table_store, release_parts):
        with pytest.raises(ArtifactError, match="one table or more"):
            table_store.write(FIRST, release_parts.catalogue, [])


class TestTables:
    """What the tables of one release answer."""

    def test_the_tables_are_described(self, tables):
        assert dict(tables.tables) == {
            "discover-artist": TableInfo(
                name="discover-artist",
                surface="discover",
                key="user",
                kind="artist",
                reason_kind="artist",
                columns=("reason", "reason_plays", "score"),
                keys=3,
            ),
            "popular-track": TableInfo(name="popular-track", surface="popular", key="user", kind="track", keys=1),
            "radio-episode": TableInfo(
                name="radio-episode", surface="radio", key="episode", kind="episode", columns=("score",), keys=1
            ),
            "radio-track": TableInfo(
                name="radio-track", surface="radio", key="track", kind="track", columns=("score",), keys=2
            ),
            "related-artist": TableInfo(
                name="related-artist", surface="related", key="artist", kind="artist", columns=("score",), keys=2
            ),
        }

    def test_entries_stand_in_order_with_names(self, tables):
        assert tables.entries("related-artist", "mb:radiohead") == [
            Entry(id="mb:bjork", name="Björk", score=0.75),
            Entry(id="name:sigur rós", name="Sigur Rós", score=0.5),
            Entry(id="mb:motorhead", name="Motörhead", score=0.25),
        ]

    def test_a_score_is_the_shortest_number_that_it_stands_for(self, tables):
        assert [entry.score for entry in tables.entries("related-artist", "mb:acdc")] == [0.9, 0.1]

    def test_a_page_of_entries(self, tables):
        whole = tables.entries("related-artist", "mb:radiohead")
        assert tables.count("related-artist", "mb:radiohead") == len(whole) == 3
        assert tables.entries("related-artist", "mb:radiohead", limit=1) == whole[:1]
        assert tables.entries("related-artist", "mb:radiohead", limit=2, offset=1) == whole[1:]
        assert tables.entries("related-artist", "mb:radiohead", offset=3) == []

    def test_children_are_listed_with_their_parents(self, tables):
        bjork = Named(kind="artist", id="mb:bjork", name="Björk")
        assert tables.entries("radio-track", "t/1 creep") == [
            Entry(id="t:army", name="Army of Me", parent=bjork, score=0.5),
            Entry(id="t:hunter", name="Hunter", parent=bjork, score=0.25),
        ]
        quiz = Named(kind="show", id="s:quiz", name="Quiz Night")
        assert tables.entries("radio-episode", "e:1") == [Entry(id="e:2", name="Quiz Two", parent=quiz, score=0.5)]

    def test_a_reason_names_what_was_played(self, tables):
        reason = Reason(kind="artist", id="mb:radiohead", name="Radiohead", plays=31, text="Because you play Radiohead")
        assert tables.entries("discover-artist", "hetrec:2") == [
            Entry(id="name:sigur rós", name="Sigur Rós", score=0.8, reason=reason),
            Entry(id="mb:acdc", name="AC/DC", score=0.1, reason=None),
        ]

    def test_a_table_for_everyone_has_no_users(self, tables):
        assert [entry.id for entry in tables.entries("popular-track", EVERYONE)] == ["t:hunter", "t/1 creep"]
        assert tables.users(limit=10) == ["hetrec:2", "hetrec:7", "lastfm:7"]
        assert tables.users(limit=1, offset=1) == ["hetrec:7"]

    def test_what_a_release_lacks_is_named(self, tables):
        for ask in (tables.entries, tables.count):
            with pytest.raises(NotReadyError, match=r"now-playing.*related-artist"):
                ask("now-playing", "mb:bjork")
            with pytest.raises(UnknownIdError, match="bjork"):
                ask("related-artist", "mb:bjork")

    @pytest.mark.parametrize("text", ["mb:bjork", "Björk", "bjork", "BJÖRK ", "Bjo\u0308rk"])
    def test_an_item_is_found_by_id_and_by_name(self, tables, text):
        assert tables.item("artist", text) == Item(kind="artist", id="mb:bjork", name="Björk", listeners=9, plays=90)

    @pytest.mark.parametrize("text", ["AC/DC", "acdc", "ac dc", "AC-DC"])
    def test_punctuation_does_not_matter(self, tables, text):
        assert tables.item("artist", text).id == "mb:acdc"

    def test_a_child_is_found_by_id_name_and_parent(self, tables):
        creep = Item(
            kind="track",
            id="t/1 creep",
            name="Creep",
            parent=Named(kind="artist", id="mb:radiohead", name="Radiohead"),
            fields={"album": "Pablo Honey", "duration_ms": 238_000},
            listeners=7,
            plays=70,
        )
        # Of two tracks of one name it is the one that more people listen to.
        for text in ("t/1 creep", "creep", "Creep Radiohead", "radiohead - creep"):
            assert tables.item("track", text) == creep
        unknown = tables.item("track", "t:creep")
        assert (unknown.parent, unknown.fields) == (None, {})
        assert tables.item("episode", "quiz night quiz two").id == "e:2"

    def test_a_misspelt_name_brings_suggestions(self, tables):
        with pytest.raises(UnknownIdError, match="Did you mean Motörhead") as caught:
            tables.item("artist", "motorhed")
        assert caught.value.suggestions[0] == "Motörhead"
        for kind, text, wanted in (("track", "huntre", ("Hunter",)), ("artist", "zzzzzz", ()), ("video", "hunter", ())):
            with pytest.raises(UnknownIdError) as caught:
                tables.item(kind, text)
            assert caught.value.suggestions[:1] == wanted

    def test_a_user_is_found_by_id_and_by_what_follows_the_source(self, tables):
        assert tables.user("hetrec:2") == "hetrec:2"
        assert tables.user("2") == "hetrec:2"
        with pytest.raises(UnknownIdError) as caught:
            tables.user("7")
        assert caught.value.suggestions == ("hetrec:7", "lastfm:7")
        for unknown in ("3", "", "etrec:2", EVERYONE, "hetrec:"):
            with pytest.raises(UnknownIdError):
                tables.user(unknown)

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
    def test_search_finds_names_by_their_parts(self, tables, text, artists):
        assert found(tables, text)["artist"] == artists

    def test_search_finds_children_by_name_and_parent(self, tables):
        assert found(tables, "creep")["track"] == ["Creep", "Creep"]
        assert found(tables, "creep radioh")["track"] == ["Creep"]
        # The artist of that name and its tracks, the one with more listeners first.
        assert found(tables, "björk") == {
            "artist": ["Björk"], "track": ["Hunter", "Army of Me"], "show": [], "episode": [],
        }  # fmt: skip
        assert found(tables, "quiz") == {
            "artist": [], "track": [], "show": ["Quiz Night"], "episode": ["Quiz One", "Quiz Two"],
        }  # fmt: skip

    def test_search_is_limited_to_kinds(self, tables):
        assert found(tables, "quiz", kinds=["episode"]) == {"episode": ["Quiz One", "Quiz Two"]}
        assert found(tables, "head", kinds=["track", "artist"]).keys() == {"artist", "track"}
        # Similar names of other kinds are not suggested.
        assert tables.search("raadiohaed", limit=10, kinds=["show"]).suggestions == ()

    def test_search_keeps_to_its_limit(self, tables):
        assert found(tables, "head", limit=1)["artist"] == ["Radiohead"]
        assert not any(found(tables, "creep", limit=0).values())

    def test_search_suggests_where_nothing_matches(self, tables):
        hits = tables.search("raadiohaed", limit=10)
        assert not any(hits.items.values())
        assert hits.suggestions[0] == "Radiohead"
        assert tables.search("radiohead", limit=10).suggestions == ()

    @pytest.mark.parametrize(
        "text", ["", " ", "\x00", "'; DROP TABLE artist_items; --", "%", "\ud800", "\U0001f3b8", "x" * 100_000]
    )
    def test_odd_questions_find_nothing(self, tables, text):
        assert not any(found(tables, text).values())
        for ask in (*(lambda text, kind=kind: tables.item(kind, text) for kind in KINDS), tables.user):
            with pytest.raises(UnknownIdError):
                ask(text)
        with pytest.raises(UnknownIdError):
            tables.entries("related-artist", text)

    def test_many_threads_read_at_once(self, tables):
        wanted = tables.entries("related-artist", "mb:radiohead"), tables.search("head", limit=5)
        answers = []

        def ask():
            answers.extend(
                (tables.entries("related-artist", "mb:radiohead"), tables.search("head", limit=5)) for _ in range(50)
            )

        in_threads([ask] * 8)
        assert answers == [wanted] * 400


class TestReleases:
    """Tables and parts published, activated, pinned, opened and pruned as one."""

    def test_nothing_is_served_before_the_first_release(self, releases):
        assert releases.versions() == []
        for ask in (releases.active, releases.open, releases.verify, releases.roll_back, releases.unpin):
            with pytest.raises(NotReadyError):
                ask()

    def test_publishing_makes_a_release_active(self, releases, release_parts):
        version, active = release_parts.publish(releases)
        assert active
        assert releases.active() == Active(version, pinned=False)
        assert releases.versions() == [version]
        assert version == f"000001-{releases.verify().fingerprint[:12]}"

    def test_publishing_the_same_again_publishes_nothing(self, releases, release_parts):
        first = release_parts.publish(releases)
        assert release_parts.publish(releases) == first
        assert releases.versions() == [first.version]

    def test_rolling_back_returns_to_the_one_before_and_pins_it(self, releases, release_parts):
        first, second, third = (release_parts.publish(releases, day=day).version for day in ("1", "2", "3"))
        assert releases.versions() == [first, second, third]
        assert releases.roll_back() == second
        assert releases.active() == Active(second, pinned=True)
        assert releases.roll_back() == first
        with pytest.raises(NotReadyError, match="no earlier whole release"):
            releases.roll_back()
        assert releases.active() == Active(first, pinned=True)
        releases.activate(third)
        assert releases.active() == Active(third, pinned=True)

    def test_under_a_pin_releases_are_published_beside_it(self, releases, release_parts):
        first, second = (release_parts.publish(releases, day=day).version for day in ("1", "2"))
        releases.roll_back()
        third, active = release_parts.publish(releases, day="3")
        assert not active
        assert releases.versions() == [first, second, third]
        assert releases.active() == Active(first, pinned=True)
        with releases.open() as release:
            assert release.version == first
        # What is the newest already is not published again, and is still not active.
        assert release_parts.publish(releases, day="3") == (third, False)
        # What is pinned but not the newest is, so that unpinning serves what was asked for last.
        fourth, active = release_parts.publish(releases, day="1")
        assert fourth == first.replace("000001", "000004")
        assert not active

    def test_unpinning_serves_the_newest(self, releases, release_parts):
        release_parts.publish(releases, day="1")
        second = release_parts.publish(releases, day="2").version
        releases.roll_back()
        third = release_parts.publish(releases, day="3").version
        assert releases.unpin() == third
        assert releases.active() == Active(third, pinned=False)
        fourth, active = release_parts.publish(releases, day="4")
        assert active
        releases.activate(second)
        assert releases.unpin() == fourth

    @pytest.mark.parametrize("wrong", ["000009-000000000000", "../000001-000000000000", "", "000001", "latest"])
    def test_a_release_that_does_not_exist_cannot_be_activated(self, releases, release_parts, wrong):
        version = release_parts.publish(releases).version
        for ask in (releases.activate, releases.verify, releases.open):
            with pytest.raises(ArtifactError):
                ask(wrong)
        assert releases.active() == Active(version, pinned=False)

    def test_pruning_keeps_the_newest_and_the_active_one(self, releases, release_parts, table_store):
        versions = [release_parts.publish(releases, day=str(day)).version for day in range(5)]
        releases.activate(versions[1])
        assert releases.prune(2) == [versions[0], versions[2]]
        assert releases.versions() == table_store.versions() == [versions[1], versions[3], versions[4]]
        assert releases.active().version == versions[1]
        assert releases.prune(0) == [versions[3]]

    def test_what_is_retired_is_gone_and_the_newest_other_one_is_active(self, releases, release_parts, table_store):
        first, second, third = (release_parts.publish(releases, day=day).version for day in "123")
        releases.activate(second)
        with releases.open():
            releases.retire([second, third], patience=0.0)
        assert releases.versions() == table_store.versions() == [first]
        assert releases.active() == Active(first, pinned=False)
        releases.retire([first, second])
        assert releases.versions() == table_store.versions() == []
        with pytest.raises(NotReadyError):
            releases.active()

    def test_who_has_a_release_open_gets_time_to_turn_to_another_one(self, releases, release_parts):
        first, second = (release_parts.publish(releases, day=day).version for day in "12")
        opened = releases.open(first)
        closing = threading.Timer(0.2, opened.close)
        closing.start()
        before = time.monotonic()
        releases.retire([first], patience=30.0)
        assert 0.1 < time.monotonic() - before < 20.0
        assert releases.versions() == [second]

    def test_a_release_that_is_open_is_not_pruned(self, releases, release_parts):
        first = release_parts.publish(releases, day="1").version
        release = releases.open()
        second = release_parts.publish(releases, day="2").version
        assert releases.prune(1) == []
        assert release.version == first
        assert release.tables.item("artist", "mb:bjork").name == "Björk"
        release.close()
        release.close()
        assert releases.prune(1) == [first]
        assert releases.versions() == [second]

    def test_an_old_release_can_be_opened_beside_the_active_one(self, releases, release_parts):
        first, second = (release_parts.publish(releases, day=day).version for day in ("1", "2"))
        with releases.open(first) as old, releases.open() as new:
            assert (old.version, new.version) == (first, second)
            assert old.manifest.identity.inputs["day"] == "1"
            assert old.manifest.identity.settings == {"run": {"models": ["als"]}}

    def test_what_was_written_but_not_added_is_removed(self, releases, release_parts, registry, table_store):
        """As a process leaves it that was killed before its release was added, or after it was removed."""
        first = release_parts.publish(releases, day="1").version
        table_store.write(SECOND, release_parts.catalogue, release_parts.tables)
        with pytest.raises(ArtifactError, match="There is no release"):
            releases.open(SECOND)
        assert releases.prune(5) == []
        assert table_store.versions() == [first]
        second = release_parts.publish(releases, day="2").version
        registry.remove(first)
        third = release_parts.publish(releases, day="3").version
        assert table_store.versions() == releases.versions() == [second, third]

    def test_parts_are_served_with_their_release(self, releases, release_parts):
        release_parts.publish(releases)
        with releases.open() as release:
            assert release.parts == ("als-artist", "catalogue")
            space = VectorSpace.load(release.part("als-artist"))
            assert space.item_vectors.tolist() == np.eye(5, 3).tolist()
            assert list(type(release_parts.catalogue).load(release.part("catalogue"))["episode"].names) == [
                "Quiz One",
                "Quiz Two",
            ]
            with pytest.raises(NotReadyError, match=r"word2vec-track.*als-artist"):
                release.part("word2vec-track")

    @pytest.mark.parametrize("wrong", ["", "..", "a/b", "Als", "-x"])
    def test_a_part_has_a_plain_name(self, releases, release_parts, table_store, wrong):
        parts = {wrong: release_parts.parts["catalogue"]}
        with pytest.raises(ArtifactError, match="cannot be the name of a part"):
            dataclasses.replace(release_parts, parts=parts).publish(releases)
        assert releases.versions() == table_store.versions() == []

    def test_readers_see_one_whole_release_while_others_are_published(self, releases, release_parts):
        """Each release has its own number as the plays of its artists: a mixture would show."""
        stop, wrong = threading.Event(), []

        def numbered(number):
            catalogue = release_parts.catalogue
            artists = dataclasses.replace(catalogue["artist"], plays=np.full(5, number))
            others = [catalogue[kind] for kind in catalogue if kind != "artist"]
            dataclasses.replace(release_parts, catalogue=type(catalogue)([artists, *others])).publish(
                releases, day=str(number)
            )

        def read():
            while not stop.is_set():
                try:
                    with releases.open() as release:
                        plays = {release.tables.item("artist", name).plays for name in ("bjork", "radiohead")}
                        if plays != {int(release.manifest.identity.inputs["day"])}:
                            wrong.append(plays)
                except ArtifactError as error:
                    wrong.append(error)

        def publish():
            for number in range(1, 12):
                numbered(number)
                releases.prune(1)
            stop.set()

        numbered(0)
        in_threads([read, read, read, publish])
        assert not wrong


def found(tables, text, limit=10, kinds=None):
    hits = tables.search(text, limit=limit, kinds=kinds)
    return {kind: [item.name for item in items] for kind, items in hits.items.items()}


def in_threads(functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
