"""What users play again is ranked by weights of its own, in which their own plays count."""

import numpy as np
import pytest

from crossfade import Blend, Cooccurrence, Interactions, Popularity, load_fitted
from crossfade.core.csr import CSR
from crossfade.core.holdout import new_pairs, part_of, seen_pairs
from crossfade.models.blend_again import PLAYS, plays_of


@pytest.fixture(scope="module")
def shown():
    """400 users with 6 of 12 items of their taste each; of which everybody plays one fifty times."""
    rng = np.random.default_rng(3)
    rows = [(u, 12 * (u % 2) + int(i), 1 + 49 * (place == 0)) for u in range(400) for place, i in enumerate(_six(rng))]
    users, items, plays = zip(*rows, strict=True)
    return Interactions.from_counts([f"u{u:03d}" for u in users], [f"i{i:02d}" for i in items], plays)


def _six(rng):
    return rng.choice(12, 6, replace=False)


@pytest.fixture(scope="module")
def blend(shown):
    users = [f"u{u:03d}" for u in range(400) for _ in range(3)]
    rng = np.random.default_rng(4)
    items = [f"i{12 * (u % 2) + int(i):02d}" for u in range(400) for i in rng.choice(12, 3, replace=False)]
    hidden = new_pairs(Interactions.from_counts(users, items), shown)
    again = part_of(shown, shown.plays > 1)
    maker = Blend(models=("cooccurrence", "popularity"))
    cut = {"cooccurrence": Cooccurrence().fit(shown), "popularity": Popularity().fit(shown)}
    weights = maker.weigh(cut, shown, hidden, again)
    return maker.join(cut, weights, shown)


def test_own_plays_are_between_0_and_1_and_missing_for_other_items():
    own = CSR(np.array([0, 2, 2, 3]), np.array([1, 3, 0], dtype=np.int32), np.array([1, 7, 3], dtype=np.float32))
    found = plays_of(own, 4, np.array([0, 2, 3, 5]), np.array([3, 1, 0, 0, 2], dtype=np.int32))
    assert found.tolist() == pytest.approx([1, np.log(2) / np.log(8), np.nan, 1, np.nan], nan_ok=True)


def test_what_is_played_again_is_learned_and_new_items_keep_their_scores(blend, shown):
    assert blend.weights.again is not None
    assert blend.weights.again[-1] > 1
    asked = blend.trained_profiles(np.arange(3, dtype=np.int32))
    everything = np.tile(np.arange(24, dtype=np.int32), 3)
    scores = blend.scores(asked, np.array([0, 24, 48, 72]), everything).reshape(3, 24)
    for user in range(3):
        own = shown.played(user)
        assert (
            shown.indices[shown.of_user(user)][shown.plays[shown.of_user(user)] > 1] == own[scores[user, own].argmax()]
        )
    found = blend.best(asked, 24)
    for user in range(3):
        kept = found.rows[user] >= 0
        assert np.array_equal(found.scores[user][kept], scores[user][found.rows[user][kept]])
    parts = blend.parts(asked, np.array([0, 24, 48, 72]), everything)
    assert sum(parts.values()).reshape(3, 24) == pytest.approx(scores, abs=1e-5)
    assert (parts[PLAYS].reshape(3, 24)[0, shown.played(0)] > 0).all()


def test_the_weights_are_saved(blend, tmp_path):
    blend.save(tmp_path)
    assert load_fitted(tmp_path).weights.again.tolist() == blend.weights.again.tolist()


def test_pairs_that_are_in_both_are_found_by_the_ids_of_the_second():
    one = Interactions.from_counts(["ann", "bob", "zoe"], ["blur", "muse", "muse"], [1, 2, 3])
    other = Interactions.from_counts(["bob", "bob", "ann"], ["abba", "muse", "muse"])
    found = seen_pairs(one, other)
    assert (found.pairs, found.user_ids == other.user_ids, found.plays.tolist()) == (1, True, [2])
