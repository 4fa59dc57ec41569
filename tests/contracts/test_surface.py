"""The contract of a surface; every registered surface keeps it, in every library, for every kind that it lists."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, NotReadyError, SettingsError, UnknownIdError
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import KINDS
from crossfade.core.settings import documented
from crossfade.core.tables import EVERYONE, USER
from crossfade.models.factors import FittedItems
from crossfade.nearest.contract import IndexSettings
from crossfade.ranking.neighbourhood import Neighbourhood
from crossfade.surfaces.contract import Library, Listing, SurfaceInputs, build_table
from crossfade.surfaces.registry import SURFACES, kind_listed, registered

LIBRARIES = ("artist", "track", "artist and track", "show and episode", "artist and track, by graph")
LISTED = [(library, name) for library in LIBRARIES for name in SURFACES]


@pytest.fixture(params=LISTED, ids=" - ".join)
def case(request, surface_inputs):
    """A library, a surface, and the listings of the one on the other."""
    library, name = request.param
    inputs = surface_inputs(library.removesuffix(", by graph"))
    if "graph" in library:
        pytest.importorskip("usearch", reason="needs usearch: pip install 'crossfade[index]'")
        by_graph = IndexSettings(backend="graph", search_breadth=16)
        built = {kind: Neighbourhood.build(near.model, index=by_graph) for kind, near in inputs.neighbourhoods.items()}
        inputs = dataclasses.replace(inputs, neighbourhoods=built)
    surface = registered(name).load()
    return inputs, surface, surface.listings(inputs.library)


@pytest.fixture
def tables(case):
    return [table_of(*case[:2], listing) for listing in case[2]]


def table_of(inputs, surface, listing, progress=lambda *_: None, **settings):
    return build_table(surface.prepare(inputs, listing, surface.settings_class(**settings)), listing, progress)


def assert_same(table, other):
    assert table.keys == other.keys
    assert table.indptr.tobytes() == other.indptr.tobytes()
    assert table.items.tobytes() == other.items.tobytes()
    assert table.columns.keys() == other.columns.keys()
    for name, column in table.columns.items():
        assert column.tobytes() == other.columns[name].tobytes()


@pytest.mark.parametrize("line", SURFACES.values(), ids=SURFACES)
def test_it_is_named_as_registered(line):
    assert line.load().name == line.name


@pytest.mark.parametrize(
    ("library", "expected"),
    [
        (("artist", "track"), {"related-artist", "radio-artist", "radio-track"}),
        (("track",), {"radio-track"}),
        (("show", "episode"), {"related-show", "radio-show", "radio-episode"}),
        ((), set()),
    ],
)
def test_every_kind_has_its_listings(library, expected):
    played = {f"{name}-{kind}" for kind in library for name in ("popular", "discover")}
    listings = [
        listing
        for line in SURFACES.values()
        for listing in line.load().listings(Library(kinds=library, compared=library))
    ]
    assert {listing.name for listing in listings} == expected | played
    assert len(listings) == len(expected | played)


def test_without_listeners_there_are_no_pages_for_users():
    names = [
        one.name for line in SURFACES.values() for one in line.load().listings(Library(kinds=(), compared=["show"]))
    ]
    assert sorted(names) == ["popular-show", "radio-show", "related-show"]


def test_reasons_are_roots_where_they_are_played_and_compared():
    def reasons(kinds, compared):
        listings = registered("discover").load().listings(Library(kinds=kinds, compared=compared))
        return {listing.kind: listing.reason_kind for listing in listings}

    both = ["artist", "track"]
    assert reasons(both, both) == {"artist": "artist", "track": "artist"}
    assert reasons(["track"], both) == reasons(both, ["track"]) == {"track": "track"}


def test_the_table_is_what_the_listing_says(case, tables):
    inputs, surface, listings = case
    for table, listing in zip(tables, listings, strict=True):
        assert (table.surface, table.key, table.kind, table.reason_kind) == dataclasses.astuple(listing)
        assert (surface.name, table.name) == (listing.surface, listing.name)
        assert len(table.keys)
        assert list(table.keys) == sorted(table.keys)
        if listing.key == USER:
            users = inputs.interactions[listing.reason_kind or listing.kind].user_ids
            assert all(key in users or key == EVERYONE for key in table.keys)
        else:
            assert all(key in inputs.catalogue[listing.key].ids for key in table.keys)
        assert 0 <= table.items.min() <= table.items.max() < len(inputs.catalogue[listing.kind])
        assert table.columns["score"].dtype == np.float32
        if listing.reason_kind is not None:
            assert table.columns["reason"].min() >= 0
            assert table.columns["reason"].max() < len(inputs.catalogue[listing.reason_kind])


def test_lists_are_never_empty_repeat_nothing_and_fall_in_score(tables):
    for table in tables:
        for key in range(len(table.keys)):
            span = table.of_key(key)
            items, scores = table.items[span], table.columns["score"][span]
            assert len(items)
            assert len(set(items.tolist())) == len(items)
            assert np.all(np.diff(scores) <= 0)
            assert np.all(np.isfinite(scores))


def test_nothing_is_listed_for_itself(case, tables):
    for table in tables:
        if table.key == table.kind:
            ids = case[0].catalogue[table.kind].ids
            for key, name in enumerate(table.keys):
                assert ids.find(name) not in table.items[table.of_key(key)]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_inputs_give_the_same_bytes_on_any_number_of_threads(case, tables, threads):
    inputs, surface, listings = case
    for table, listing in zip(tables, listings, strict=True):
        assert_same(table_of(dataclasses.replace(inputs, threads=threads), surface, listing), table)


def test_one_key_asked_has_the_list_that_is_published(case, tables):
    inputs, surface, listings = case
    for table, listing in zip(tables, listings, strict=True):
        prepared = surface.prepare(inputs, listing, surface.settings_class())
        for row in range(0, len(prepared.keys), 13):
            alone = surface.prepare(inputs, listing, surface.settings_class())
            for asked in (prepared, alone):
                lists = asked.lists(np.array([row], dtype=np.int32))
                key = table.keys.find(prepared.keys[row])
                span = slice(0, 0) if key < 0 else table.of_key(key)
                assert lists.indptr.tolist() == [0, span.stop - span.start]
                assert lists.items.tobytes() == table.items[span].tobytes()
                for name, column in lists.columns.items():
                    assert column.tobytes() == table.columns[name][span].tobytes()


def test_keys_in_chunks_give_the_same_table(case, tables, monkeypatch):
    monkeypatch.setattr("crossfade.surfaces.contract.CHUNK", 7)
    for table, listing in zip(tables, case[2], strict=True):
        assert_same(table_of(*case[:2], listing), table)


def test_memory_mapped_inputs_give_the_same_bytes(case, tables, tmp_path):
    inputs, surface, listings = case
    interactions, models, neighbourhoods = {}, {}, {}
    for kind, played in inputs.interactions.items():
        model = inputs.models[kind][0]
        for name, part in (("interactions", played), ("model", model), ("near", inputs.neighbourhoods[kind])):
            (tmp_path / f"{name}-{kind}").mkdir()
            part.save(tmp_path / f"{name}-{kind}")
        interactions[kind] = Interactions.load(tmp_path / f"interactions-{kind}", kind=kind)
        models[kind] = [FittedItems.load(tmp_path / f"model-{kind}")]
        neighbourhoods[kind] = Neighbourhood.load(tmp_path / f"near-{kind}", models[kind][0])
    loaded = dataclasses.replace(inputs, interactions=interactions, models=models, neighbourhoods=neighbourhoods)
    for table, listing in zip(tables, listings, strict=True):
        assert_same(table_of(loaded, surface, listing), table)


def test_it_reports_its_progress(case):
    for listing in case[2]:
        reports = []
        table_of(*case[:2], listing, lambda done, total, unit, reports=reports: reports.append((done, total)))
        assert reports == sorted(reports)
        assert reports[-1][0] == reports[-1][1]


def test_a_smaller_size_gives_shorter_lists(case):
    for listing in case[2]:
        assert np.diff(table_of(*case[:2], listing, size=2).indptr).max() == 2


@pytest.mark.parametrize("line", SURFACES.values(), ids=SURFACES)
def test_its_settings_are_documented_and_refuse_nonsense(line):
    settings = line.load().settings_class
    for field in documented(settings):
        assert field.meaning, f"{line.name}.{field.name} is not documented"
        for wrong in (-1, 10**9, float("nan")):
            with pytest.raises(SettingsError, match=field.name):
                settings(**{field.name: wrong})


def test_a_kind_without_a_neighbourhood_is_named(surface_inputs):
    inputs = dataclasses.replace(surface_inputs("track"), neighbourhoods={})
    for name in ("radio", "discover"):
        surface = registered(name).load()
        with pytest.raises(ArtifactError, match="tracks"):
            surface.prepare(inputs, Listing(name, "track", "track"), surface.settings_class())


def test_the_library_follows_from_the_inputs(surface_inputs):
    inputs = surface_inputs("artist and track")
    fewer = SurfaceInputs(
        catalogue=inputs.catalogue,
        interactions={"track": inputs.interactions["track"]},
        neighbourhoods={"artist": inputs.neighbourhoods["artist"]},
    )
    assert fewer.library == Library(kinds=["track"], compared=["artist"])


def test_an_unknown_surface_is_refused_by_name():
    with pytest.raises(UnknownIdError, match=r"'relatd'.*related"):
        registered("relatd")


@pytest.mark.parametrize(
    ("players", "expected"),
    [
        ({"artist": 10, "track": 5}, "track"),
        ({"artist": 10, "track": 4}, "artist"),
        ({"track": 4}, "track"),
        ({"show": 100, "episode": 100}, "episode"),
        ({"artist": 1, "show": 100, "episode": 100}, "artist"),
    ],
)
def test_children_are_listed_where_half_as_many_play_them(players, expected):
    for order in (list(players), list(players)[::-1]):
        assert kind_listed("radio", {kind: players[kind] for kind in order}) == expected


def test_a_kind_that_is_not_listed_is_refused_with_those_that_are():
    assert kind_listed("radio", {"artist": 1, "show": 1}, "show") == "show"
    assert kind_listed("discover", {"artist": 0, "track": 0, "show": 3, "episode": 0}) == "show"
    assert kind_listed("discover", {"artist": 0}) == "artist"
    with pytest.raises(NotReadyError, match=r"Radio of the kind 'track'.*artist, show"):
        kind_listed("radio", {"artist": 1, "show": 1}, "track")
    with pytest.raises(NotReadyError, match="no Discover"):
        kind_listed("discover", {})


def test_the_registry_imports_nothing_heavy():
    heavy = "numba", "scipy", "pyarrow", "duckdb"
    code = (
        "import sys; from crossfade.surfaces.registry import SURFACES; [line.load() for line in SURFACES.values()];"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_kind_of_item_is_in_a_library_here():
    assert {kind for library in LIBRARIES for kind in KINDS if kind in library} == set(KINDS)
