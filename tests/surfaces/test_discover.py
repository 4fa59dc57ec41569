"""Discover: the promises of a page, in libraries of every kind, and against the readable form."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from crossfade.core.ids import MISSING
from crossfade.core.spaces import VectorSpace
from crossfade.ranking import pages as pages_module
from crossfade.ranking.pages import DiscoverSettings, Listeners
from crossfade.ranking.popularity import evident_space
from crossfade.ranking.reasons import near_threshold
from crossfade.surfaces import discover as discover_module
from crossfade.surfaces.discover import Discover
from crossfade.surfaces.radio import Radio, RadioSettings
from crossfade.surfaces.related import Related, RelatedSettings

LIBRARIES = ("artists", "tracks", "artists and tracks")
SETTINGS = [
    DiscoverSettings(),
    DiscoverSettings(size=12, per_reason=1, per_artist=1, near=90.0, related=5),
    DiscoverSettings(size=30, per_reason=2, diversity=0.8, pool=4, liked=0, taste=0.0, seeds=3),
    DiscoverSettings(size=7, recognised=1000, most_played=1, known=1, liked=5, offered=1, near=100.0, related=3),
]


@pytest.fixture(params=LIBRARIES)
def inputs(request, surface_inputs):
    return with_lists(surface_inputs(request.param))


@pytest.fixture(params=range(len(SETTINGS)))
def settings(request):
    return SETTINGS[request.param]


def with_lists(inputs):
    if inputs.library.artists:
        return dataclasses.replace(inputs, built={"related": Related().build(inputs, RelatedSettings())})
    return dataclasses.replace(inputs, built={"radio": Radio().build(inputs, RadioSettings())})


def pages_of(inputs, settings):
    """{user id: [(item, score, reason, plays)]}"""
    table = Discover().build(inputs, settings)
    columns = [table.items, *(table.columns[name] for name in ("score", "reason", "reason_plays"))]
    return {
        user: list(zip(*(column[table.of_key(row)].tolist() for column in columns), strict=True))
        for row, user in enumerate(table.keys)
    }


class World:
    """What the promises are checked against, worked out apart from the code."""

    def __init__(self, inputs, settings):
        self.maker_kind = "artist" if inputs.library.artists else "track"
        self.item_kind = "track" if inputs.library.tracks else "artist"
        self.makers = inputs.interactions(self.maker_kind)
        self.items = inputs.interactions(self.item_kind)
        count = len(self.items.item_ids)
        same = self.item_kind == self.maker_kind
        self.maker_of = np.arange(count) if same else inputs.catalogue.tracks.artist_rows
        table = inputs.built["related" if self.maker_kind == "artist" else "radio"]
        self.related = {}
        for key, name in enumerate(table.keys):
            listed = table.items[table.of_key(key)][: settings.related]
            scores = table.columns["score"][table.of_key(key)]
            self.related[self.makers.item_ids.find(name)] = dict(zip(listed.tolist(), scores.tolist(), strict=False))
        points = evident_space(inputs.space(self.maker_kind), self.makers.listeners(), 2.0).item_vectors
        self.rel = points @ points.T
        self.near = np.percentile(self.rel[np.triu_indices(len(points), k=1)], settings.near)

    def plays(self, interactions, user):
        row = interactions.user_ids.find(user)
        span = interactions.of_user(row)
        return dict(zip(interactions.indices[span].tolist(), interactions.plays[span].tolist(), strict=True))

    def recognised(self, user, settings):
        plays = self.plays(self.makers, user)
        ranked = sorted(plays.values(), reverse=True)
        least = min(settings.recognised, ranked[min(settings.most_played, len(ranked)) - 1])
        return {seed: count for seed, count in plays.items() if count >= least}

    def believable(self, seed, maker):
        if maker in self.related.get(seed, {}):
            return self.related[seed][maker]
        return self.rel[seed, maker] if self.rel[seed, maker] > self.near else 0.0


def test_every_promise_of_a_page_holds(inputs, settings):
    world = World(inputs, settings)
    pages = pages_of(inputs, settings)
    assert len(pages) > 40
    for user, page in pages.items():
        played, known = world.plays(world.items, user), world.plays(world.makers, user)
        recognised = world.recognised(user, settings)
        uses, by_maker = {}, {}
        assert len(page) <= settings.size
        for item, _, reason, plays in page:
            maker = int(world.maker_of[item])
            assert item not in played
            assert known.get(maker, 0) < settings.known
            assert recognised[reason] == plays
            assert world.believable(reason, maker) > 0
            uses[reason] = uses.get(reason, 0) + 1
            by_maker[maker] = by_maker.get(maker, 0) + 1
        assert max(uses.values()) <= settings.per_reason
        assert max(by_maker.values()) <= settings.per_artist
        assert all(first[1] >= second[1] for first, second in pairwise(page))


def test_the_reason_is_the_strongest_that_is_left(inputs):
    settings = DiscoverSettings(per_reason=2)
    world = World(inputs, settings)
    for user, page in pages_of(inputs, settings).items():
        recognised, uses = world.recognised(user, settings), {}
        for item, _, reason, plays in page:
            maker = int(world.maker_of[item])
            left = [
                np.log1p(count) * world.believable(seed, maker)
                for seed, count in recognised.items()
                if uses.get(seed, 0) < settings.per_reason
            ]
            assert np.log1p(plays) * world.believable(reason, maker) == pytest.approx(max(left), rel=1e-5)
            uses[reason] = uses.get(reason, 0) + 1


def test_the_kernel_gives_the_pages_of_the_readable_form(inputs, settings, monkeypatch):
    seen = []

    def both(listeners, offer, settings, **options):
        filled = pages_module.pages(listeners, offer, settings, **options)
        seen.append((listeners, offer, filled))
        return filled

    monkeypatch.setattr(discover_module, "pages", both)
    # Few ranges, so that many listeners share the kernel's scratch space.
    monkeypatch.setattr("crossfade.kernels.threads.PIECES", 2)
    Discover().build(inputs, settings)
    entries = 0
    for listeners, offer, filled in seen:
        for listener in range(len(listeners)):
            expected = pages_module.page(listener, listeners, offer, settings)
            count = filled.counts[listener]
            assert filled.items[listener, :count].tolist() == [entry.item for entry in expected]
            assert filled.reasons[listener, :count].tolist() == [entry.reason for entry in expected]
            assert filled.plays[listener, :count].tolist() == [entry.plays for entry in expected]
            np.testing.assert_allclose(filled.scores[listener, :count], [e.score for e in expected], atol=2e-6)
            entries += count
    assert entries > 60


def test_a_page_ends_only_when_nothing_believable_is_left(surface_inputs):
    inputs = with_lists(surface_inputs("artists"))
    settings = DiscoverSettings(size=500, per_reason=500, liked=1000)
    world = World(inputs, settings)
    pages = pages_of(inputs, settings)
    for user, page in pages.items():
        known, recognised = world.plays(world.makers, user), world.recognised(user, settings)
        fits = {
            maker
            for maker in range(40)
            if maker not in known and any(world.believable(seed, maker) > 0 for seed in recognised)
        }
        shown = {item for item, *_ in page}
        # A maker that no list has and the vector does not like is no candidate.
        listed = {maker for seed in recognised for maker in world.related.get(seed, {})}
        assert fits & listed <= shown <= fits


def test_the_vector_finds_what_no_list_has(surface_inputs):
    """Lists of one artist leave out most; what the vector likes is believable by its nearness."""
    inputs = with_lists(surface_inputs("artists"))
    few = pages_of(inputs, DiscoverSettings(related=1, near=60.0, per_reason=50, liked=0))
    more = pages_of(inputs, DiscoverSettings(related=1, near=60.0, per_reason=50, liked=40))
    assert sum(map(len, more.values())) > 1.5 * sum(map(len, few.values()))
    # A listener's vector does not like what it points away from.
    space, played = inputs.artist_space, inputs.artist_interactions
    for user, page in more.items():
        row = played.user_ids.find(user)
        listed = {item for item, *_ in few.get(user, [])}
        found = [item for item, *_ in page if item not in listed]
        related = {item for seed in played.played(row).tolist() for item in first_related(inputs, seed)}
        assert all(space.user_vectors[row] @ space.item_vectors[item] > 0 for item in found if item not in related)


def first_related(inputs, artist):
    table = inputs.built["related"]
    key = table.keys.find(inputs.artist_space.item_ids[artist])
    return [] if key == MISSING else table.items[table.of_key(key)][:1].tolist()


def test_tastes_are_met(surface_inputs):
    """Genres are planted: a listener's own, a quarter of all artists and mostly played, still fills half a page."""
    inputs = with_lists(surface_inputs("artists"))
    pages = pages_of(inputs, DiscoverSettings(size=5))
    shown = [(int(user[1:]) % 4, item % 4) for user, page in pages.items() for item, *_ in page]
    assert np.mean([own == found for own, found in shown]) > 0.5


def test_new_music_needs_no_user_vectors(surface_inputs):
    inputs = surface_inputs("artists")
    space = inputs.artist_space
    bare = VectorSpace(
        model=space.model, kind="artist", metric="dot", item_ids=space.item_ids, item_vectors=space.item_vectors
    )
    pages = pages_of(with_lists(dataclasses.replace(inputs, artist_space=bare)), DiscoverSettings())
    assert len(pages) > 40


def test_a_cosine_space_ranks_by_cosine(surface_inputs):
    """Longer vectors change nothing then."""
    inputs = with_lists(surface_inputs("artists"))
    cosine = dataclasses.replace(inputs.artist_space, metric="cosine", space_id="")
    lengths = np.linspace(1, 3, len(cosine.item_ids)).astype(np.float32)[:, None]
    longer = dataclasses.replace(cosine, item_vectors=cosine.item_vectors * lengths, space_id="")
    first, second = (
        pages_of(dataclasses.replace(inputs, artist_space=space), DiscoverSettings()) for space in (cosine, longer)
    )
    assert {user: [entry[0] for entry in page] for user, page in first.items()} == {
        user: [entry[0] for entry in page] for user, page in second.items()
    }


def test_other_spellings_of_what_is_played_are_no_news(surface_inputs):
    inputs = surface_inputs("artists")
    names = list(inputs.catalogue.artists.names)
    # Rows 0 and 4, of one genre, become one artist in two spellings.
    names[0], names[4] = "The Café", "cafe"
    artists = dataclasses.replace(inputs.catalogue.artists, names=names)
    inputs = with_lists(dataclasses.replace(inputs, catalogue=dataclasses.replace(inputs.catalogue, artists=artists)))
    played = inputs.artist_interactions
    for user, page in pages_of(inputs, DiscoverSettings(known=1)).items():
        rows = played.played(played.user_ids.find(user)).tolist()
        shown = {item for item, *_ in page}
        assert len(shown & {0, 4}) <= 1
        if 0 in rows or 4 in rows:
            assert not shown & {0, 4}


def test_without_artists_known_for_tracks_the_items_are_artists(surface_inputs):
    inputs = surface_inputs("artists and tracks")
    tracks = inputs.catalogue.tracks
    nameless = dataclasses.replace(tracks, artist_rows=np.full(len(tracks.ids), MISSING, np.int32))
    inputs = with_lists(dataclasses.replace(inputs, catalogue=dataclasses.replace(inputs.catalogue, tracks=nameless)))
    assert Discover().build(inputs, DiscoverSettings()).kind == "artist"


def test_chunks_of_listeners_do_not_matter(inputs, monkeypatch):
    whole = pages_of(inputs, DiscoverSettings())
    monkeypatch.setattr(discover_module, "CHUNK", 7)
    assert pages_of(inputs, DiscoverSettings()) == whole


def test_near_is_the_percentile_of_all_pairs(rng):
    points = rng.normal(size=(50, 4)).astype(np.float32)
    rels = [points[a] @ points[b] for a in range(50) for b in range(a)]
    assert near_threshold(points, 99.5) == pytest.approx(np.percentile(rels, 99.5), rel=1e-5)
    assert near_threshold(points[:1], 99.5) == np.inf


def test_near_is_estimated_where_pairs_are_many(rng):
    points = rng.normal(size=(1800, 4)).astype(np.float32)
    exact = np.percentile((points @ points.T)[np.triu_indices(1800, k=1)], 99.5)
    assert near_threshold(points, 99.5) == pytest.approx(exact, rel=0.02)


def test_listeners_are_counted_by_their_histories():
    nothing = np.zeros(0, np.int32)
    listeners = Listeners(
        vectors=None,
        played=(np.zeros(4, np.int64), nothing, nothing),
        items=(np.zeros(4, np.int64), nothing),
        liked=np.zeros((3, 0), np.int32),
    )
    assert len(listeners) == 3


def test_a_page_made_for_one_listener_is_theirs_among_all(inputs):
    pages = pages_of(inputs, DiscoverSettings())
    for user in list(pages)[::17]:
        assert pages_of(with_lists(inputs).only(user), DiscoverSettings()) == {user: pages[user]}
