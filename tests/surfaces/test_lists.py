"""Related, Radio and Popular: evidence, spellings, versions and caps."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.catalogue import Catalogue, Items
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import VectorSpace
from crossfade.core.tables import EVERYONE, USER
from crossfade.models.factors import FittedItems
from crossfade.nearest.contract import IndexSettings
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings
from crossfade.surfaces.contract import Listing, SurfaceInputs, build_table
from crossfade.surfaces.popular import Popular, PopularSettings
from crossfade.surfaces.radio import Radio, RadioSettings
from crossfade.surfaces.related import Related, RelatedSettings


def library(vectors, listeners, names=None, kind="artist"):
    """Items a00, a01, … with these vectors, each played by as many users as it has listeners."""
    ids = [f"a{row:02d}" for row in range(len(listeners))]
    pairs = [(f"u{user:03d}", item) for item, count in zip(ids, listeners, strict=True) for user in range(count)]
    played = Interactions.from_counts(*zip(*pairs, strict=True), [5] * len(pairs), kind=kind)
    vectors = np.array(vectors, dtype=np.float32)
    space = VectorSpace(model="planted", kind=kind, metric="dot", item_ids=Ids.of(ids), item_vectors=vectors)
    items = Items(
        kind=kind,
        ids=played.item_ids,
        names=names or ids,
        listeners=played.listeners(),
        plays=played.item_plays(),
        fields={},
    )
    return compared(
        SurfaceInputs(
            catalogue=Catalogue([items]),
            interactions={kind: played},
            models={kind: [FittedItems(space=space, support=played.listeners())]},
        )
    )


def compared(inputs, *settings):
    """The same library with neighbourhoods by these settings (of neighbours, of the index); by default without hubs."""
    settings = settings or (NeighbourSettings(hubs=0),)
    built = {kind: Neighbourhood.build(models[0], *settings) for kind, models in inputs.models.items()}
    return dataclasses.replace(inputs, neighbourhoods=built)


def table_of(surface, inputs, settings, kind="artist"):
    key = USER if surface.name == "popular" else kind
    listing = Listing(surface.name, key, kind)
    return build_table(surface.prepare(inputs, listing, settings), listing)


def related(inputs, **settings):
    return table_of(Related(), inputs, RelatedSettings(**settings))


def listed(table, key):
    return table.items[table.of_key(table.keys.row(key))].tolist()


def with_items(inputs, kind, **columns):
    """The library, whose items of ``kind`` have other columns in the catalogue."""
    items = [dataclasses.replace(some, **columns) if some.kind == kind else some for some in inputs.catalogue.values()]
    return dataclasses.replace(inputs, catalogue=Catalogue(items))


def test_an_artist_with_three_listeners_is_nobodys_twin():
    """a01 points exactly where a00 does, but three listeners made it so; a02, at cosine 0.8, has a hundred."""
    inputs = library([[1, 0], [2, 0], [0.8, 0.6]], [100, 3, 100])
    table = related(inputs)
    assert listed(table, "a00") == [2, 1]
    # e(100) = 100/102, e(3) = 3/5.
    assert table.columns["score"][:2].tolist() == pytest.approx([0.8 * (100 / 102) ** 2, 100 / 102 * 3 / 5])
    assert listed(related(compared(inputs, NeighbourSettings(shrinkage=0, hubs=0))), "a00") == [1, 2]


def test_what_is_close_to_everything_does_not_lead():
    """a04 has every listener and lies between a00 and a01 and the rest, closest of all to each."""
    vectors = [[1, 0, 0.0], [0.95, 0.31, 0], [0, 1, 0], [0, 0, 1], [0.8, 0.5, 0.3]]
    inputs = library(vectors, [20, 20, 20, 20, 90])
    assert listed(related(inputs), "a01")[0] == 4
    assert listed(related(compared(inputs, NeighbourSettings())), "a01")[0] == 0


def test_related_lists_hold_the_largest_shrunk_cosines(surface_inputs):
    inputs = compared(surface_inputs("artist"), NeighbourSettings(shrinkage=3, hubs=0))
    table = related(inputs, size=7)
    vectors = inputs.models["artist"][0].space.item_vectors.astype(np.float64)
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    artists = inputs.catalogue["artist"]
    evidence = artists.listeners / (artists.listeners + 3.0)
    closeness = directions @ directions.T * np.outer(evidence, evidence)
    np.fill_diagonal(closeness, -np.inf)
    for row, key in enumerate(table.keys):
        scores = np.sort(closeness[artists.ids.find(key)])[::-1][:7]
        np.testing.assert_allclose(table.columns["score"][table.of_key(row)], scores[scores > 0], rtol=1e-5)


def test_only_what_points_the_same_way_is_related():
    table = related(library([[1, 0], [0.9, 0.1], [-1, 0]], [9, 9, 9]))
    assert listed(table, "a00") == [1]
    assert "a02" not in table.keys


def test_spellings_of_one_artist_stand_once_and_never_for_each_other():
    names = ["Beyoncé", "beyonce", "Solange", "The Carters", "Carters feat. Somebody"]
    vectors = [[1, 0.0], [1, 0.1], [1, 0.2], [1, 0.3], [1, 0.4]]
    table = related(compared(library(vectors, [50, 40, 30, 20, 10], names), NeighbourSettings(shrinkage=5, hubs=0)))
    assert listed(table, "a00") == [2, 3]
    # From a02, a00 (cosine 0.981, 50 listeners) is closer than its other spelling a01 (0.995, 40 listeners).
    assert listed(table, "a02") == [0, 3]


def test_a_joint_credit_stands_in_no_list_of_those_who_share_it():
    names = ["Jay-Z", "Linkin Park", "Jay-Z and Linkin Park", "Eminem", "The Linkin Park Tribute"]
    vectors = [[1, 0.0], [1, 0.1], [1, 0.05], [1, 0.2], [1, 0.1]]
    table = related(library(vectors, [50, 60, 20, 40, 10], names))
    assert listed(table, "a00") == [1, 3]
    assert listed(table, "a01") == [0, 3]
    assert listed(table, "a02") == [3]
    # In anybody else's list it stands with neither.
    assert listed(table, "a03") == [1, 0]


def test_a_list_cut_by_spellings_is_still_filled_as_far_as_can_be():
    """Thirty spellings of one artist stand before the others, more than any list was searched at first."""
    names = ["Same"] * 30 + [f"Other {row}" for row in range(20)] + ["Key"]
    angles = np.concatenate([np.linspace(0.01, 0.1, 30), np.linspace(0.2, 1.2, 20), [0.0]])
    inputs = library(np.column_stack([np.cos(angles), np.sin(angles)]), [5] * 51, names)
    for kept in (400, 5):
        table = related(compared(inputs, NeighbourSettings(size=kept)), size=10)
        assert listed(table, "a50") == [0, *range(30, 39)]


def many_artists(rng):
    """Two thousand artists in all directions, a third of them in two spellings."""
    names = [f"Artist {row - row % 3 // 2}" for row in range(3000)]
    return library(rng.standard_normal((3000, 24)), rng.integers(1, 9, 3000).tolist(), names)


def test_a_graph_finds_nearly_the_lists_of_exact_search(rng, monkeypatch):
    monkeypatch.setattr("crossfade.nearest.graph.EXACT_SHARE", 32)
    pytest.importorskip("usearch", reason="needs usearch: pip install 'crossfade[index]'")
    inputs = many_artists(rng)
    kept = NeighbourSettings(size=13)
    exact = related(compared(inputs, kept), size=5)
    graph = related(compared(inputs, kept, IndexSettings(backend="graph", search_breadth=16)), size=5)
    assert graph.keys == exact.keys
    assert np.diff(graph.indptr).tolist() == [5] * 3000
    assert graph.items.tobytes() != exact.items.tobytes()
    approximate, wanted = graph.items.reshape(3000, 5), exact.items.reshape(3000, 5)
    assert np.mean([np.isin(approximate[key], wanted[key]).mean() for key in range(3000)]) > 0.9


@pytest.mark.parametrize("kinds", ["artist and track", "show and episode"])
def test_radio_keeps_a_parent_to_a_few_children(surface_inputs, kinds):
    inputs, child = surface_inputs(kinds), kinds.split()[-1]
    table = table_of(Radio(), inputs, RadioSettings(per_parent=2), child)
    parents = inputs.catalogue[child].parents
    assert max(np.bincount(parents[table.items[table.of_key(row)]]).max() for row in range(len(table.keys))) == 2


def test_radio_plays_a_song_in_one_version(surface_inputs):
    inputs = surface_inputs("artist and track")
    tracks = inputs.catalogue["track"]
    # All tracks of an artist are versions of one song.
    names = [f"Song{' - Live' if row % 2 else ' (Remastered)'}" for row in range(len(tracks))]
    table = table_of(Radio(), with_items(inputs, "track", names=names), RadioSettings(), "track")
    for row, key in enumerate(table.keys):
        parents = tracks.parents[table.items[table.of_key(row)]]
        assert len(set(parents.tolist())) == len(parents)
        assert tracks.parents[tracks.ids.find(key)] not in parents


def test_radio_has_as_many_as_there_are_to_play():
    angles = np.linspace(0, 1.5, 40)
    inputs = library(np.column_stack([np.cos(angles), np.sin(angles)]), [5] * 40)
    assert np.diff(table_of(Radio(), inputs, RadioSettings()).indptr).tolist() == [39] * 40


def test_popular_ranks_by_listeners_then_plays():
    inputs = library([[1, 0]] * 4, [2, 3, 3, 1])
    played = inputs.interactions["artist"]
    plays = np.array([900, 10, 20, 1])[played.indices]
    inputs = dataclasses.replace(inputs, interactions={"artist": dataclasses.replace(played, plays=plays)})
    table = table_of(Popular(), inputs, PopularSettings())
    assert listed(table, EVERYONE) == [2, 1, 0, 3]
    assert table.columns["score"].tolist() == pytest.approx([1, 1, 2 / 3, 1 / 3])


def test_popular_without_listeners_counts_what_the_model_learned_from():
    """As in a library of playlists, whose rows are no users."""
    inputs = library([[1, 0]] * 4, [1, 1, 1, 1])
    model = dataclasses.replace(inputs.models["artist"][0], support=np.array([2, 3, 4, 0]))
    table = table_of(
        Popular(), dataclasses.replace(inputs, interactions={}, models={"artist": [model]}), PopularSettings()
    )
    assert listed(table, EVERYONE) == [2, 1, 0]
    assert table.columns["score"].tolist() == pytest.approx([1, 3 / 4, 1 / 2])


def test_popular_goes_as_deep_as_it_must():
    names = ["Same"] * 30 + [f"Other {row}" for row in range(10)]
    inputs = library([[1, 0]] * 40, [*range(60, 20, -1)], names)
    assert listed(table_of(Popular(), inputs, PopularSettings(size=3)), EVERYONE) == [0, 30, 31]
    assert len(listed(table_of(Popular(), inputs, PopularSettings(size=20)), EVERYONE)) == 11


def test_popular_shares_its_places_among_parents(surface_inputs):
    inputs = surface_inputs("artist and track")
    table = table_of(Popular(), inputs, PopularSettings(per_parent=1), "track")
    parents = inputs.catalogue["track"].parents[table.items]
    assert len(set(parents.tolist())) == len(parents)
