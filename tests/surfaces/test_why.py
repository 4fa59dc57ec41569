"""Why an item is on a page, or isn't: what is said agrees with the page, and with the library."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.ids import MISSING
from crossfade.ranking.popularity import popularity
from crossfade.surfaces.contract import build_table
from crossfade.surfaces.discover import Discover, DiscoverSettings, Pages
from crossfade.surfaces.why import RELATED, why

LIBRARIES = ("artist", "track", "artist and track", "show and episode")
USERS = 3

DEFAULT = DiscoverSettings()
TIGHT = DiscoverSettings(size=4, pool=6, related=2, taste_candidates=3, children=2, per_reason=1, per_parent=1)


def shown_by(inputs, settings, scorer=None):
    """{user: [(item, reason)]} of some users, and what made the pages."""
    listing = Discover().listings(inputs.library)[-1]
    pages = Pages(inputs, listing, settings, scorer)
    table = build_table(pages, listing)
    shown = {}
    for user in pages.keys[:USERS]:
        place = table.keys.find(user)
        span = table.of_key(place) if place != MISSING else slice(0, 0)
        shown[user] = list(zip(table.items[span].tolist(), table.columns["reason"][span].tolist(), strict=True))
    return shown, pages


def asked(inputs, settings=DEFAULT, scorer=None):
    """{(user, item): why} for every item and the users of `shown_by`, and what that gives."""
    shown, pages = shown_by(inputs, settings, scorer)
    answers = {
        (user, item): why(pages, inputs.catalogue, user, item)
        for user in shown
        for item in range(len(inputs.catalogue[pages.kind]))
    }
    return answers, shown, pages


@pytest.fixture(params=LIBRARIES)
def inputs(request, surface_inputs):
    return surface_inputs(request.param)


@pytest.mark.parametrize("settings", [DiscoverSettings(), TIGHT], ids=["default", "tight"])
def test_what_is_said_agrees_with_the_page(inputs, settings):
    answers, shown, pages = asked(inputs, settings)
    played = inputs.interactions[pages.kind]
    roots = inputs.catalogue[pages.root_kind].ids
    for (user, item), answer in answers.items():
        placed = [entry for entry, _ in shown[user]]
        assert (answer.outcome == "shown") == (item in placed) == (answer.place is not None)
        assert answer.page == len(placed)
        assert answer.text.endswith(".")
        row = played.user_ids.find(user)
        own = [] if row == MISSING else played.item_ids.select(played.played(row))
        assert (answer.outcome == "played") == (inputs.catalogue[pages.kind].ids[item] in own)
        if item in placed:
            assert placed[answer.place - 1] == item
            assert answer.reason.id == roots[shown[user][answer.place - 1][1]]
            assert answer.reason.id in [one.id for one in answer.evidence] or len(answer.evidence) == 5
            assert answer.reason.text in answer.text
        if answer.rank is not None:
            assert answer.proposed_by
            assert 1 <= answer.rank <= answer.candidates
            assert sum(answer.contributions.values()) == pytest.approx(answer.score, abs=1e-5)
            assert set(answer.contributions) == {pages.leading, "closeness", "popularity"}
    for user in shown:
        ranks = sorted(answer.rank for (one, _), answer in answers.items() if one == user and answer.rank)
        assert ranks == list(range(1, len(ranks) + 1))


def test_tight_rules_are_named(surface_inputs):
    answers, _, _ = asked(surface_inputs("artist and track"), TIGHT)
    found = {answer.outcome for answer in answers.values()}
    assert {"shown", "played", "familiar", "not proposed", "not among the popular", "enough of its root"} <= found
    assert {"reason used up", "scored too low"} <= found


def test_a_page_that_is_too_much_alike_says_so(surface_inputs):
    answers, _, _ = asked(surface_inputs("artist"), DiscoverSettings(size=3, diversity=0.9, per_reason=50))
    alike = [answer for answer in answers.values() if answer.outcome == "too alike"]
    assert alike
    assert all(answer.rank <= answer.page for answer in alike)


def test_what_is_close_to_nothing_that_the_user_knows_has_no_reason(surface_inputs):
    inputs = surface_inputs("artist")
    settings = DiscoverSettings(related=1, taste_candidates=40, per_reason=50, size=500)
    answers, _, _ = asked(inputs, settings)
    without = [answer for answer in answers.values() if answer.outcome == "no reason"]
    assert without
    assert all(answer.evidence == () and RELATED not in answer.proposed_by for answer in without)


def test_another_name_of_what_was_played_is_named(surface_inputs):
    inputs = surface_inputs("artist")
    items = inputs.catalogue["artist"]
    names = {0: "The Café", 4: "cafe"}
    named = dataclasses.replace(items, names=[names.get(row, name) for row, name in enumerate(items.names)])
    inputs = dataclasses.replace(inputs, catalogue=type(inputs.catalogue)([named]))
    answers, _, _ = asked(inputs, DiscoverSettings(familiar=1))
    texts = [answer.text for (_, item), answer in answers.items() if item in (0, 4) and answer.outcome == "alias"]
    assert texts
    assert all("counts as another name of" in text for text in texts)


def test_a_scorer_that_explains_nothing_has_no_contributions(surface_inputs):
    class Plain:
        needs = ("popularity",)

        def score(self, candidates):
            return -candidates.columns["popularity"]

    inputs = surface_inputs("artist")
    answers, _, _ = asked(inputs, scorer=Plain())
    known = popularity(inputs.catalogue["artist"].listeners)
    ranked = [(item, answer) for (_, item), answer in answers.items() if answer.rank]
    assert all(answer.contributions == {} for _, answer in ranked)
    assert [answer.score for _, answer in ranked] == pytest.approx([-known[item] for item, _ in ranked], abs=1e-6)
    assert np.isfinite([answer.score for _, answer in ranked]).all()


def test_an_adventurous_page_is_less_known(surface_inputs):
    """One setting; what it sets can still be set by itself."""
    inputs = surface_inputs("artist")
    listeners = inputs.catalogue["artist"].listeners

    def known(**settings):
        shown, _ = shown_by(inputs, DiscoverSettings(size=5, per_reason=50, **settings))
        return np.mean([listeners[item] for page in shown.values() for item, _ in page])

    assert known(adventure=1.0) < known(adventure=0.25) <= known(adventure=0.0)
    assert known(adventure=1.0, popularity_cost=0.0, diversity=0.1) == known(adventure=0.0)


def test_what_each_model_of_a_blend_adds_is_said_and_the_chance_of_a_play(surface_inputs):
    inputs = surface_inputs("artist")
    model = inputs.models["artist"][0]

    class Parted(type(model)):
        def parts(self, profiles, indptr, items, *, threads=None):
            scores = self.scores(profiles, indptr, items, threads=threads)
            return {"one": scores * 0.25, "other": scores * 0.75}

        def chances(self, profiles, indptr, items, *, threads=None):
            return np.float32(0.2) + items * np.float32(0.001)

    parted = Parted(space=model.space, support=model.support)
    inputs = dataclasses.replace(inputs, models={"artist": [parted]})
    answers, _, pages = asked(inputs)
    played, scored = inputs.interactions["artist"], model.profiles(inputs.interactions["artist"])
    for (user, item), answer in answers.items():
        row = played.user_ids.row(user)
        profile = model.trained_profiles(np.array([row])) if model.user_ids is not None else scored[[row]]
        exact = model.scores(profile, np.array([0, 1]), np.array([item], np.int32))[0]
        assert answer.models == pytest.approx({"one": exact * 0.25, "other": exact * 0.75}, abs=1e-5)
        # Chances were learned from candidates, so nothing else has one.
        known = answer.rank is not None
        chance = np.float32(0.2) + pages.learned(item) * np.float32(0.001)
        assert answer.chance == (pytest.approx(chance, abs=1e-6) if known else None)
        assert (f"The chance that you play it is about {chance:.0%}, judging by plays" in answer.text) == known
    assert pages.leading == model.name
