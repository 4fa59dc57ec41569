"""Discover: the promises of a page, in libraries of every kind, and the kernels against their readable forms."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from crossfade.core.csr import CSR
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import KINDS
from crossfade.models.ease import EASE
from crossfade.ranking import jitted, oracle
from crossfade.ranking.features import POPULARITY
from crossfade.ranking.neighbourhood import Neighbourhood
from crossfade.surfaces.contract import build_table
from crossfade.surfaces.discover import Discover, DiscoverSettings, Pages, roots_of
from crossfade.surfaces.related import Related, RelatedSettings

LIBRARIES = ("artist", "track", "artist and track", "show and episode")
SETTINGS = [
    DiscoverSettings(),
    DiscoverSettings(size=12, per_reason=1, per_parent=1, related=5),
    DiscoverSettings(size=30, per_reason=2, diversity=0.8, pool=4, taste_candidates=0, taste=0.0, seeds=3),
    DiscoverSettings(size=7, recognised=1000, most_played=1, familiar=1, taste_candidates=5, children=1, related=3),
]


@pytest.fixture(params=LIBRARIES)
def inputs(request, surface_inputs):
    return surface_inputs(request.param)


@pytest.fixture(params=range(len(SETTINGS)))
def settings(request):
    return SETTINGS[request.param]


def listing_of(inputs, kind=None):
    """The listing of ``kind``; of the children where nothing is said."""
    listings = Discover().listings(inputs.library)
    return listings[-1] if kind is None else next(one for one in listings if one.kind == kind)


def with_closeness(inputs, percentile):
    """The same library, whose reasons need to be closer, or less close."""
    neighbourhoods = {
        kind: Neighbourhood(near.model, near.scales, near.table, World.threshold_of(near, percentile), 1.0, None)
        for kind, near in inputs.neighbourhoods.items()
    }
    return dataclasses.replace(inputs, neighbourhoods=neighbourhoods)


def pages_of(inputs, settings, kind=None, scorer=None):
    """{user id: [(item, score, reason, plays)]}"""
    listing = listing_of(inputs, kind)
    table = build_table(Pages(inputs, listing, settings, scorer), listing)
    columns = [table.items, *(table.columns[name] for name in ("score", "reason", "reason_plays"))]
    return {
        user: list(zip(*(column[table.of_key(row)].tolist() for column in columns), strict=True))
        for row, user in enumerate(table.keys)
    }


class World:
    """What the promises are checked against, worked out apart from the code."""

    def __init__(self, inputs, settings, kind=None):
        listing = listing_of(inputs, kind)
        self.roots, self.items = inputs.interactions[listing.reason_kind], inputs.interactions[listing.kind]
        catalogue = inputs.catalogue[listing.kind]
        self.root_of = np.arange(len(catalogue)) if listing.kind == listing.reason_kind else catalogue.parents
        near = inputs.neighbourhoods[listing.reason_kind]
        self.closeness = self.closeness_of(near)
        self.threshold = near.threshold
        others = self.closeness.copy()
        np.fill_diagonal(others, -np.inf)
        self.related = {
            row: {int(other): float(others[row, other]) for other in best if others[row, other] > 0}
            for row, best in enumerate(np.argsort(-others, axis=1, kind="stable")[:, : settings.related])
        }

    @staticmethod
    def closeness_of(near):
        points = near.model.space.item_vectors.astype(np.float64)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        hubs = np.maximum(points @ (near.model.support @ points) / near.model.support.sum(), 0)
        counted = near.model.support / (near.model.support + 2.0) / (1 + hubs / 0.5)
        return points @ points.T * np.outer(counted, counted)

    @classmethod
    def threshold_of(cls, near, percentile):
        closeness = cls.closeness_of(near)
        return float(np.percentile(closeness[np.triu_indices(len(closeness), k=1)], percentile))

    def plays(self, interactions, user):
        span = interactions.of_user(interactions.user_ids.find(user))
        return dict(zip(interactions.indices[span].tolist(), interactions.plays[span].tolist(), strict=True))

    def recognised(self, user, settings):
        plays = self.plays(self.roots, user)
        ranked = sorted(plays.values(), reverse=True)
        least = min(settings.recognised, ranked[min(settings.most_played, len(ranked)) - 1])
        return {seed: count for seed, count in plays.items() if count >= least}

    def believable(self, seed, root):
        if root in self.related[seed]:
            return self.related[seed][root]
        return self.closeness[seed, root] if self.closeness[seed, root] > self.threshold else 0.0


def test_every_promise_of_a_page_holds(inputs, settings):
    world = World(inputs, settings)
    pages = pages_of(inputs, settings)
    assert len(pages) > 40
    for user, page in pages.items():
        played, familiar = world.plays(world.items, user), world.plays(world.roots, user)
        recognised = world.recognised(user, settings)
        uses, by_root = {}, {}
        assert len(page) <= settings.size
        for item, _, reason, plays in page:
            root = int(world.root_of[item])
            assert item not in played
            assert familiar.get(root, 0) < settings.familiar
            assert recognised[reason] == plays
            assert world.believable(reason, root) > 0
            uses[reason] = uses.get(reason, 0) + 1
            by_root[root] = by_root.get(root, 0) + 1
        assert max(uses.values()) <= settings.per_reason
        assert max(by_root.values()) <= settings.per_parent
        assert all(first[1] >= second[1] for first, second in pairwise(page))


def test_the_reason_is_the_strongest_that_is_left(inputs):
    settings = DiscoverSettings(per_reason=2)
    world = World(inputs, settings)
    for user, page in pages_of(inputs, settings).items():
        recognised, uses = world.recognised(user, settings), {}
        for item, _, reason, _ in page:
            root = int(world.root_of[item])
            most = np.log1p(max(recognised.values()))
            strengths = {
                seed: world.believable(seed, root) * (1 + np.log1p(count) / most / 4)
                for seed, count in recognised.items()
                if uses.get(seed, 0) < settings.per_reason
            }
            assert strengths[reason] == pytest.approx(max(strengths.values()), rel=1e-5)
            assert world.believable(reason, root) >= 0.8 * max(world.believable(seed, root) for seed in strengths)
            uses[reason] = uses.get(reason, 0) + 1


def test_the_kernels_do_what_their_readable_forms_do(inputs, settings, monkeypatch):
    calls = {"propose": [], "assemble": []}

    def recorded(name, kernel):
        def call(*arguments):
            kernel(*arguments)
            calls[name].append(arguments)

        monkeypatch.setattr(jitted, name, call)

    recorded("propose", jitted.propose)
    recorded("assemble", jitted.assemble)
    # Few ranges, so that many users share the kernel's scratch space.
    monkeypatch.setattr("crossfade.kernels.threads.PIECES", 2)
    pages_of(inputs, settings)
    proposed = listed = 0
    for first, last, *asked, room, (counts, items, roots, closeness), scratch in calls["propose"]:
        assert not any(part.any() for part in scratch)
        for user in range(first, last):
            expected = oracle.candidates(user, *asked)
            span = slice(room[user], room[user] + counts[user])
            assert items[span].tolist() == [item for item, _, _ in expected]
            assert roots[span].tolist() == [root for _, root, _ in expected]
            np.testing.assert_allclose(closeness[span], [close for _, _, close in expected], rtol=1e-5)
            proposed += len(expected)
    for first, last, *asked, (counts, pairs, reasons, values, _, _) in calls["assemble"]:
        for user in range(first, last):
            expected, count = oracle.page(user, *asked), counts[user]
            assert pairs[user, :count].tolist() == [pair for pair, _, _ in expected]
            assert reasons[user, :count].tolist() == [reason for _, reason, _ in expected]
            np.testing.assert_allclose(values[user, :count], [value for _, _, value in expected], atol=2e-6)
            listed += count
    assert proposed > listed > 60


def page_of(scores, vectors, *, variants=None, close=1.0, **rules):
    """The page of one user who recognises one root, close to all candidates; kernel and readable form agree."""
    count = len(scores)
    rows = np.arange(count, dtype=np.int32)
    variants = np.array(rows if variants is None else variants, np.int64)
    vectors = np.array(vectors, dtype=np.float32)
    pairs = jitted.Pairs(np.array([0, count]), np.array(scores, np.float32), rows + 1, variants, rows, rows * 0)
    seeds = CSR(np.array([0, 1]), np.zeros(1, np.int32), np.ones(1, np.float32))
    nothing = np.full((count + 1, 1), MISSING, np.int32)
    tables = jitted.Tables(nothing, nothing.astype(np.float32), nothing, variants, variants)
    items = jitted.Points(vectors, vectors.shape[1], np.ones(count, np.float32))
    roots = jitted.Points(np.ones((1, 1), np.float32), 1, np.full(1, close, np.float32))
    defaults = {"size": 9, "pool": 9, "diversity": 0.0, "per_root": 9, "per_reason": 9, "threshold": 0.5}
    asked = pairs, seeds, np.zeros(1, np.int32), tables, items, roots, jitted.Rules(**(defaults | rules))
    fates = np.zeros(count, np.int8)
    pages = np.zeros(1, np.int64), *np.zeros((2, 1, 9), np.int64), *np.zeros((2, 1, 9), np.float32), fates
    jitted.assemble(0, 1, *asked, pages)
    chosen, values = pages[1][0, : pages[0][0]].tolist(), pages[3][0, : pages[0][0]].tolist()
    assert list(zip(chosen, values, strict=True)) == [
        (pair, pytest.approx(value)) for pair, _, value in oracle.page(0, *asked)
    ]
    return chosen, values


def test_a_page_is_spread_by_marginal_relevance():
    """1 is 0's double: 2 comes before it, though its score is lower."""
    page, values = page_of([1.0, 0.9, 0.6], [[1, 0], [3, 0], [0, 1]], diversity=0.5)
    assert page == [0, 2, 1]
    assert values == pytest.approx([0.5, 0.3, -0.05])


def test_any_scores_are_ranked_best_first_and_earlier_ones_among_equals():
    page, values = page_of([-0.5, 2.0, 0.0, -3.0, 2.0], np.ones((5, 1)), pool=2)
    assert page == [1, 4, 2, 0, 3]
    assert values == [2.0, 2.0, 0.0, -0.5, -3.0]


def test_what_is_full_is_passed_over():
    vectors = np.ones((4, 1))
    assert page_of([4, 3, 2, 1], vectors, variants=[7, 7, 7, 8], per_root=2, pool=1)[0] == [0, 1, 3]
    assert page_of([4, 3, 2, 1], vectors, per_reason=3)[0] == [0, 1, 2]
    # The closeness is 0.8 squared.
    assert page_of([4, 3, 2, 1], vectors, close=0.8, threshold=0.63)[0] == [0, 1, 2, 3]
    assert page_of([4, 3, 2, 1], vectors, close=0.8, threshold=0.65)[0] == []


class Reversed:
    """A scorer that likes the least popular best, and writes no column of a model."""

    needs = (POPULARITY,)

    def score(self, candidates):
        assert set(candidates.columns) == {"closeness", POPULARITY}
        return -candidates.columns[POPULARITY]


def test_any_scorer_makes_pages_that_keep_the_promises(inputs):
    settings = DiscoverSettings(diversity=0.0, size=5, per_reason=50)
    pages, by_formula = pages_of(inputs, settings, scorer=Reversed()), pages_of(inputs, settings)
    world = World(inputs, settings)
    listeners = inputs.catalogue[listing_of(inputs).kind].listeners
    assert pages.keys() == by_formula.keys()
    for user, page in pages.items():
        counts = [listeners[item] for item, *_ in page]
        assert counts == sorted(counts)
        assert all(item not in world.plays(world.items, user) for item, *_ in page)
        assert all(world.believable(reason, int(world.root_of[item])) > 0 for item, _, reason, _ in page)


def test_a_scorer_that_needs_a_model_that_is_missing_is_refused(surface_inputs):
    class Blend(Reversed):
        needs = ("word2vec", POPULARITY)

    with pytest.raises(ArtifactError, match="word2vec"):
        pages_of(surface_inputs("track"), DiscoverSettings(), scorer=Blend())


def test_the_model_is_asked_for_its_own_scores(surface_inputs):
    """EASE knows more than the points that stand for it: candidates are ranked by its scores."""
    inputs = surface_inputs("artist")
    played = inputs.interactions["artist"]
    model = EASE().fit(played)
    inputs = dataclasses.replace(
        inputs, models={"artist": [model]}, neighbourhoods={"artist": Neighbourhood.build(model)}
    )
    settings = DiscoverSettings(taste=1.0, popularity_cost=0.0, diversity=0.0, per_reason=50)
    scores = model.recommend(list(played.user_ids), 40, exclude=played)
    for user, page in pages_of(inputs, settings).items():
        ranked = [row for row in scores.rows[played.user_ids.row(user)].tolist() if row in {item for item, *_ in page}]
        positive = [item for item, score, *_ in page if score > 0]
        assert positive == ranked[: len(positive)]


def test_a_page_ends_only_when_nothing_believable_is_left(surface_inputs):
    inputs = surface_inputs("artist")
    settings = DiscoverSettings(size=500, per_reason=500, taste_candidates=1000)
    world = World(inputs, settings)
    for user, page in pages_of(inputs, settings).items():
        familiar, recognised = world.plays(world.roots, user), world.recognised(user, settings)
        fits = {
            root
            for root in range(40)
            if root not in familiar and any(world.believable(seed, root) > 0 for seed in recognised)
        }
        shown = {item for item, *_ in page}
        # A root that no list has and the model does not propose is no candidate.
        listed = {root for seed in recognised for root in world.related[seed]}
        assert fits & listed <= shown <= fits


def test_the_model_finds_what_no_list_has(surface_inputs):
    """Lists of one root leave out most; what the model proposes is believable by its closeness."""
    inputs = with_closeness(surface_inputs("artist"), 60.0)
    few = pages_of(inputs, DiscoverSettings(related=1, per_reason=50, taste_candidates=0))
    more = pages_of(inputs, DiscoverSettings(related=1, per_reason=50, taste_candidates=40))
    assert sum(map(len, more.values())) > 1.5 * sum(map(len, few.values()))
    # A user's vector does not propose what it points away from.
    space, played = inputs.models["artist"][0].space, inputs.interactions["artist"]
    world = World(inputs, DiscoverSettings(related=1))
    for user, page in more.items():
        row = played.user_ids.find(user)
        related = {root for seed in played.played(row).tolist() for root in world.related[seed]}
        proposed = [item for item, *_ in page if item not in related]
        assert all(space.user_vectors[row] @ space.item_vectors[item] > 0 for item in proposed)


def test_tastes_are_met(surface_inputs):
    """Genres are planted: a user's own, a quarter of all artists and mostly played, still fills half a page."""
    pages = pages_of(surface_inputs("artist"), DiscoverSettings(size=5))
    shown = [(int(user[1:]) % 4, item % 4) for user, page in pages.items() for item, *_ in page]
    assert np.mean([own == listed for own, listed in shown]) > 0.5


def bare(inputs, kind, **changes):
    """The library, whose model of ``kind`` has other vectors, metric or users."""
    model = inputs.models[kind][0]
    space = dataclasses.replace(model.space, space_id="", **changes)
    return dataclasses.replace(inputs, models={**inputs.models, kind: [dataclasses.replace(model, space=space)]})


def test_a_model_that_knows_no_users_judges_by_their_histories(surface_inputs):
    inputs = bare(surface_inputs("artist"), "artist", user_ids=None, user_vectors=None)
    pages = pages_of(inputs, DiscoverSettings(diversity=0.0, taste=1.0, popularity_cost=0.0))
    assert len(pages) > 40
    model, played = inputs.models["artist"][0], inputs.interactions["artist"]
    scores = model.profiles(played) @ model.space.item_vectors.T
    for user, page in pages.items():
        ranked = scores[played.user_ids.row(user)][[item for item, score, *_ in page if score > 0]]
        assert np.all(np.diff(ranked) <= 1e-6)


def test_users_whom_the_model_has_not_seen_stand_beside_the_others(surface_inputs):
    inputs = surface_inputs("artist and track")
    whole = pages_of(inputs, DiscoverSettings())
    for kind in ("artist", "track"):
        space = inputs.models[kind][0].space
        rows = np.arange(0, len(space.user_ids), 2)
        inputs = bare(inputs, kind, user_ids=Ids.of(space.user_ids.select(rows)), user_vectors=space.user_vectors[rows])
    pages = pages_of(inputs, DiscoverSettings())
    assert pages.keys() == whole.keys()
    users = list(inputs.interactions["artist"].user_ids)
    assert all((pages[user] == whole[user]) or users.index(user) % 2 for user in pages)
    assert sum(pages[user] != whole[user] for user in pages) > 20


def test_a_cosine_space_ranks_by_cosine(surface_inputs):
    """Longer vectors change nothing then."""
    inputs = surface_inputs("artist")
    vectors = inputs.models["artist"][0].space.item_vectors
    lengths = np.linspace(1, 3, len(vectors)).astype(np.float32)[:, None]
    first, second = (
        pages_of(bare(inputs, "artist", metric="cosine", item_vectors=some), DiscoverSettings())
        for some in (vectors, vectors * lengths)
    )
    assert {user: [entry[0] for entry in page] for user, page in first.items()} == {
        user: [entry[0] for entry in page] for user, page in second.items()
    }


def renamed(inputs, kind, names):
    """The library, some of whose items of ``kind`` have these names by row."""
    items = inputs.catalogue[kind]
    all_names = [names.get(row, name) for row, name in enumerate(items.names)]
    others = [other for other in inputs.catalogue.values() if other is not items]
    catalogue = type(inputs.catalogue)([*others, dataclasses.replace(items, names=all_names)])
    return dataclasses.replace(inputs, catalogue=catalogue)


def test_other_spellings_of_what_is_played_are_no_discovery(surface_inputs):
    # Rows 0 and 4, of one genre, become one artist in two spellings.
    inputs = renamed(surface_inputs("artist"), "artist", {0: "The Café", 4: "cafe"})
    played = inputs.interactions["artist"]
    for user, page in pages_of(inputs, DiscoverSettings(familiar=1)).items():
        rows = played.played(played.user_ids.find(user)).tolist()
        shown = {item for item, *_ in page}
        assert len(shown & {0, 4}) <= 1
        if 0 in rows or 4 in rows:
            assert not shown & {0, 4}


def test_chunks_of_users_do_not_matter(inputs, monkeypatch):
    whole = pages_of(inputs, DiscoverSettings())
    monkeypatch.setattr("crossfade.surfaces.contract.CHUNK", 7)
    assert pages_of(inputs, DiscoverSettings()) == whole


def test_the_size_of_related_lists_people_see_changes_no_page(inputs):
    """Discover draws on the neighbourhood, not on a table: asking Related for little before changes nothing."""
    whole = pages_of(inputs, DiscoverSettings())
    for listing in Related().listings(inputs.library):
        build_table(Related().prepare(inputs, listing, RelatedSettings(size=5)), listing)
    assert pages_of(inputs, DiscoverSettings()) == whole
    assert pages_of(inputs, DiscoverSettings(related=5)) != whole


class Watched:
    """A fitted model that records which users and items it is asked for."""

    def __init__(self, model):
        self._model = model
        self.asked = []

    def __getattr__(self, name):
        return getattr(self._model, name)

    def trained_profiles(self, users):
        self.asked.append(users.tolist())
        return self._model.trained_profiles(users)

    def scores(self, profiles, indptr, items, **options):
        assert len(profiles) == 1
        return self._model.scores(profiles, indptr, items, **options)

    def best(self, profiles, k, *rest, **options):
        assert len(profiles) == 1
        return self._model.best(profiles, k, *rest, **options)


def test_one_user_asked_computes_one_user(inputs, monkeypatch):
    watched = {kind: Watched(models[0]) for kind, models in inputs.models.items()}
    searched = []
    nearest = Neighbourhood.nearest
    monkeypatch.setattr(
        Neighbourhood, "nearest", lambda self, keys, *rest: searched.extend(keys) or nearest(self, keys, *rest)
    )
    inputs = dataclasses.replace(inputs, models={kind: [model] for kind, model in watched.items()})
    listing = listing_of(inputs)
    pages = Pages(inputs, listing, DiscoverSettings(seeds=3, related=2, taste_candidates=2))
    assert not searched
    lists = pages.lists(np.array([9], dtype=np.int32))
    assert len(lists.items)
    assert all(model.asked in ([[9]], [[9], [9]]) for model in watched.values())
    # Lists of three seeds, and names of what these were chosen from, of what the model proposes, and of the history.
    assert len(searched) == 3
    played = inputs.interactions[listing.reason_kind].played(9)
    named = pages.sources.variants._filled
    assert 0 < named.sum() <= 3 * 2 * 2 + 2 + len(played)
    if listing.kind != listing.reason_kind:
        named = inputs.variants[listing.kind]._filled
        assert 0 < named.sum() <= 4 * (3 * 2 + 2)


def test_a_history_that_nobody_has_stored_gets_a_page(inputs):
    """As a live server asks: listens that arrived a moment ago, in any rows, whatever the model was fitted on."""
    listing = listing_of(inputs)
    stored = {kind: inputs.interactions[kind] for kind in (listing.reason_kind, listing.kind)}
    pages = Pages(inputs, listing, DiscoverSettings())
    user = 9
    live = {}
    for kind, played in stored.items():
        span = played.of_user(user)
        ids = [*played.item_ids.select(played.indices[span]), "not in the catalogue"]
        live[kind] = Interactions.from_counts(["u09"] * len(ids), ids, [*played.plays[span].tolist(), 1000], kind=kind)
    lists = pages.pages(live)
    unseen = bare(
        bare(inputs, listing.kind, user_ids=None, user_vectors=None),
        listing.reason_kind,
        user_ids=None,
        user_vectors=None,
    )
    expected = Pages(unseen, listing, DiscoverSettings()).lists(np.array([user], dtype=np.int32))
    assert len(lists.items) > 5
    assert lists.items.tolist() == expected.items.tolist()
    assert lists.columns["reason"].tolist() == expected.columns["reason"].tolist()


def test_users_of_later_interactions_have_the_profiles_of_their_histories(inputs):
    """A model that was kept knows a user from before, and the page is made of what the user has played since."""
    listing = listing_of(inputs)
    kinds = dict.fromkeys((listing.kind, listing.reason_kind))
    unseen = inputs
    for kind in kinds:
        unseen = bare(unseen, kind, user_ids=None, user_vectors=None)
    user = np.array([9], dtype=np.int32)
    trained, expected = (Pages(one, listing, DiscoverSettings()).lists(user) for one in (inputs, unseen))
    later = Pages(dataclasses.replace(inputs, later={*kinds}), listing, DiscoverSettings()).lists(user)
    assert later.columns["score"].tolist() == expected.columns["score"].tolist() != trained.columns["score"].tolist()


def test_what_nobody_has_played_can_be_discovered(surface_inputs):
    """An item that the catalogue and the model know, though no history has it."""
    inputs = surface_inputs("artist")
    played = inputs.interactions["artist"]
    gone = 8
    kept = played.indices != gone
    users = np.repeat(np.arange(len(played.user_ids)), np.diff(played.indptr))[kept]
    others = np.setdiff1d(np.arange(40), [gone])
    fewer = Interactions.from_rows(
        played.user_ids,
        Ids.of(played.item_ids.select(others)),
        users.astype(np.int32),
        np.searchsorted(others, played.indices[kept]).astype(np.int32),
        played.plays[kept],
    )
    pages = pages_of(dataclasses.replace(inputs, interactions={"artist": fewer}), DiscoverSettings())
    assert any(gone in [item for item, *_ in page] for page in pages.values())


def test_roots_are_found_up_the_family(inputs):
    for kind, items in inputs.catalogue.items():
        expected = np.arange(len(items)) if KINDS[kind].parent is None else items.parents
        if KINDS[kind].root in inputs.catalogue:
            assert roots_of(inputs.catalogue, kind).tolist() == expected.tolist()
