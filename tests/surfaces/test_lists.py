"""Related Artists, Radio and Popular: evidence, spellings, versions and caps."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.catalogue import Artists, Catalogue
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import Neighbours, VectorSpace
from crossfade.core.tables import EVERYONE
from crossfade.nearest.contract import IndexSettings
from crossfade.ranking.lists import Grouping
from crossfade.ranking.nearest_lists import nearest_lists
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings
from crossfade.surfaces.contract import SurfaceInputs
from crossfade.surfaces.popular import Popular, PopularSettings
from crossfade.surfaces.radio import Radio, RadioSettings
from crossfade.surfaces.related import Related, RelatedSettings


def library(vectors, listeners, names=None):
    """Artists a00, a01, … with these vectors, each played by as many users as it has listeners."""
    ids = [f"a{row:02d}" for row in range(len(listeners))]
    pairs = [(f"u{user:03d}", artist) for artist, count in zip(ids, listeners, strict=True) for user in range(count)]
    played = Interactions.from_counts(*zip(*pairs, strict=True), [5] * len(pairs))
    return SurfaceInputs(
        catalogue=Catalogue(
            artists=Artists(
                ids=played.item_ids, names=names or ids, listeners=played.listeners(), plays=played.item_plays()
            ),
            tracks=None,
        ),
        artist_interactions=played,
        artist_space=VectorSpace(
            model="planted",
            kind="artist",
            metric="dot",
            item_ids=Ids.of(ids),
            item_vectors=np.array(vectors, dtype=np.float32),
        ),
    )


def shrunk(inputs, shrinkage):
    """The same library, whose artists are believed half at so many listeners."""
    return near_by(inputs, NeighbourSettings(shrinkage=shrinkage))


def near_by(inputs, *settings):
    """The same library with its table of neighbours made as the settings (of table and index) say."""
    artists = Neighbourhood.build(inputs.artist_space, inputs.artist_interactions.listeners(), *settings)
    return dataclasses.replace(inputs, neighbourhoods={"artist": artists})


def listed(table, key):
    return table.items[table.of_key(table.keys.row(key))].tolist()


def test_an_artist_with_three_listeners_is_nobodys_twin():
    """a01 points exactly where a00 does, but three listeners made it so; a02, at cosine 0.8, has a hundred."""
    inputs = library([[1, 0], [2, 0], [0.8, 0.6]], [100, 3, 100])
    table = Related().build(inputs, RelatedSettings())
    assert listed(table, "a00") == [2, 1]
    # e(100) = 100/102, e(3) = 3/5.
    assert table.columns["score"][:2].tolist() == pytest.approx([0.8 * (100 / 102) ** 2, 100 / 102 * 3 / 5])
    assert listed(Related().build(shrunk(inputs, 0), RelatedSettings()), "a00") == [1, 2]


def test_related_lists_hold_the_largest_shrunk_cosines(surface_inputs):
    inputs = surface_inputs("artists")
    table = Related().build(shrunk(inputs, 3), RelatedSettings(size=7))
    vectors = inputs.artist_space.item_vectors.astype(np.float64)
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    evidence = inputs.catalogue.artists.listeners / (inputs.catalogue.artists.listeners + 3.0)
    rel = directions @ directions.T * np.outer(evidence, evidence)
    np.fill_diagonal(rel, -np.inf)
    for row, key in enumerate(table.keys):
        scores = np.sort(rel[inputs.catalogue.artists.ids.find(key)])[::-1][:7]
        np.testing.assert_allclose(table.columns["score"][table.of_key(row)], scores[scores > 0], rtol=1e-5)


def test_only_what_points_the_same_way_is_related():
    table = Related().build(library([[1, 0], [0.9, 0.1], [-1, 0]], [9, 9, 9]), RelatedSettings())
    assert listed(table, "a00") == [1]
    assert "a02" not in table.keys


def test_spellings_of_one_artist_stand_once_and_never_for_each_other():
    names = ["Beyoncé", "beyonce", "Solange", "The Carters", "Carters feat. Somebody"]
    vectors = [[1, 0.0], [1, 0.1], [1, 0.2], [1, 0.3], [1, 0.4]]
    table = Related().build(shrunk(library(vectors, [50, 40, 30, 20, 10], names), 5), RelatedSettings())
    assert listed(table, "a00") == [2, 3]
    # From a02, a00 (cosine 0.981, 50 listeners) is nearer than its other spelling a01 (0.995, 40 listeners).
    assert listed(table, "a02") == [0, 3]


def test_a_list_cut_by_spellings_is_still_filled_as_far_as_can_be(rng):
    """Thirty spellings of one artist stand before the others, more than any list was searched at first."""
    names = ["Same"] * 30 + [f"Other {row}" for row in range(20)] + ["Key"]
    angles = np.concatenate([np.linspace(0.01, 0.1, 30), np.linspace(0.2, 1.2, 20), [0.0]])
    inputs = library(np.column_stack([np.cos(angles), np.sin(angles)]), [5] * 51, names)
    table = Related().build(inputs, RelatedSettings(size=10))
    assert listed(table, "a50") == [0, *range(30, 39)]


def many_artists(rng):
    """Two thousand artists in all directions, a third of them in two spellings."""
    names = [f"Artist {row - row % 3 // 2}" for row in range(3000)]
    return library(rng.standard_normal((3000, 24)), rng.integers(1, 9, 3000).tolist(), names)


def test_a_graph_finds_nearly_the_lists_of_exact_search(rng, monkeypatch):
    monkeypatch.setattr("crossfade.nearest.graph.EXACT_SHARE", 32)
    pytest.importorskip("usearch", reason="needs usearch: pip install 'crossfade[index]'")
    inputs = many_artists(rng)
    settings = RelatedSettings(size=5)
    kept = NeighbourSettings(size=13)
    exact = Related().build(near_by(inputs, kept), settings)
    graph = Related().build(near_by(inputs, kept, IndexSettings(backend="graph", search_breadth=16)), settings)
    assert graph.keys == exact.keys
    assert np.diff(graph.indptr).tolist() == [5] * 3000
    assert graph.items.tobytes() != exact.items.tobytes()
    found, wanted = graph.items.reshape(3000, 5), exact.items.reshape(3000, 5)
    assert np.mean([np.isin(found[key], wanted[key]).mean() for key in range(3000)]) > 0.9


class FickleIndex:
    """Finds rows 1, 2, 3 at first, and in a deeper search only the last of them and what is no neighbour."""

    backend = "exact"

    def __init__(self):
        self.depths = []

    def search(self, queries, k, restriction, *, threads=None):
        self.depths.append(k)
        rows = np.full((len(queries), k), MISSING, dtype=np.int32)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        first = len(self.depths) == 1
        rows[:, :3], scores[:, :3] = ([1, 2, 3], [0.9, 0.8, 0.7]) if first else ([3, 4, 5], [0.7, 0.0, -0.1])
        return Neighbours(rows, scores)


def test_a_deeper_search_that_finds_less_leaves_nothing_of_the_first(monkeypatch):
    """As a graph can: it looks elsewhere when it looks at more."""
    index = FickleIndex()
    monkeypatch.setattr("crossfade.nearest.tables.build_index", lambda *_: index)
    space = library([[1, 0]] * 60, [5] * 60).artist_space
    near = Neighbourhood.build(space, np.full(60, 5), NeighbourSettings(size=3))
    alone = Grouping(groups=np.full(60, MISSING, dtype=np.int32), cap=1, own_cap=0)
    lists = nearest_lists(near, 5, [alone])
    assert index.depths == [3, 12]
    assert lists.rows.tolist() == [3] * 60
    assert lists.scores.tolist() == pytest.approx([0.7] * 60)


def test_radio_keeps_an_artist_to_a_few_tracks(surface_inputs):
    inputs = surface_inputs("artists and tracks")
    table = Radio().build(inputs, RadioSettings(per_artist=2))
    makers = inputs.catalogue.tracks.artist_rows
    most = [np.bincount(makers[table.items[table.of_key(row)]]).max() for row in range(len(table.keys))]
    assert max(most) == 2


def test_radio_plays_a_song_in_one_version(surface_inputs):
    inputs = surface_inputs("artists and tracks")
    tracks = inputs.catalogue.tracks
    # All tracks of an artist are versions of one song.
    titles = [f"Song{' - Live' if row % 2 else ' (Remastered)'}" for row in range(len(tracks.ids))]
    catalogue = dataclasses.replace(inputs.catalogue, tracks=dataclasses.replace(tracks, titles=titles))
    table = Radio().build(dataclasses.replace(inputs, catalogue=catalogue), RadioSettings())
    for row, key in enumerate(table.keys):
        makers = tracks.artist_rows[table.items[table.of_key(row)]]
        assert len(set(makers.tolist())) == len(makers)
        assert tracks.artist_rows[tracks.ids.find(key)] not in makers


def test_radio_has_as_many_as_there_are_to_play():
    angles = np.linspace(0, 1.5, 40)
    inputs = library(np.column_stack([np.cos(angles), np.sin(angles)]), [5] * 40)
    table = Radio().build(inputs, RadioSettings())
    assert np.diff(table.indptr).tolist() == [39] * 40


def test_popular_ranks_by_listeners_then_plays():
    inputs = library([[1, 0]] * 4, [2, 3, 3, 1])
    artists = dataclasses.replace(inputs.catalogue.artists, plays=np.array([900, 10, 20, 1]))
    inputs = dataclasses.replace(inputs, catalogue=dataclasses.replace(inputs.catalogue, artists=artists))
    table = Popular().build(inputs, PopularSettings())
    assert listed(table, EVERYONE) == [2, 1, 0, 3]
    assert table.columns["score"].tolist() == pytest.approx([1, 1, 2 / 3, 1 / 3])


def test_popular_shares_its_places_among_artists(surface_inputs):
    inputs = surface_inputs("artists and tracks")
    table = Popular().build(inputs, PopularSettings(per_artist=1))
    makers = inputs.catalogue.tracks.artist_rows[table.items]
    assert len(set(makers.tolist())) == len(makers)
