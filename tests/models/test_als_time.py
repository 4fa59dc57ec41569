"""What listeners are into just now: the blend by its equations, and on histories in which taste moves."""

import dataclasses
import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.aggregation.interactions import InteractionSettings, build_interactions
from crossfade.core.csr import starts_of
from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.core.schemas import LISTENS
from crossfade.evaluate.recommendation import evaluate_space
from crossfade.models.als import ALS

DAY = datetime.timedelta(days=1)
CUT = datetime.datetime(2024, 6, 1, tzinfo=datetime.UTC)
TASTES, ITEMS, LISTENERS = 4, 12, 120
NAMES = [f"{taste}-{item:02d}" for taste in range(TASTES) for item in range(ITEMS)]


def history(rng, *, moves):
    """Listens before CUT, and (user, item) that follow: the items of a listener's taste that they have not played.

    Everyone plays eight items of one taste for five months. If taste ``moves``, every third listener plays five items
    of another in the last week, of which more follow.
    """
    listens, follow = [], []
    for user in range(LISTENERS):
        taste = user % TASTES
        old, new = rng.permutation(ITEMS), rng.permutation(ITEMS)
        played = [(taste, item, CUT - rng.integers(10, 150) * DAY) for item in old[:8] for _ in range(3)]
        if moves and user % 3 == 0:
            taste = (taste + rng.integers(1, TASTES)) % TASTES
            played += [(taste, item, CUT - rng.integers(1, 7) * DAY) for item in new[:5] for _ in range(2)]
            follow += [(user, taste * ITEMS + item) for item in new[5:]]
        elif not moves:
            follow += [(user, taste * ITEMS + item) for item in old[8:]]
        listens += [
            {
                "user_id": f"u{user:03d}",
                "listened_at": at,
                "artist_id": f"{group}-{item:02d}",
                "track_id": None,
                "skipped": False,
            }
            for group, item, at in played
        ]
    return listens, follow


def train_and_test(directory, listens, follow, **settings):
    """Interactions of the listens, and what follows as interactions of the same rows."""
    pq.write_table(pa.Table.from_pylist(listens, LISTENS), directory / "listens.parquet")
    made = directory / "made"
    made.mkdir()
    build_interactions(
        {"listens": [directory / "listens.parquet"]}, None, "artist", made, InteractionSettings(**settings)
    )
    train = Interactions.load(made, kind="artist")
    assert list(train.item_ids) == NAMES
    users, items = np.array(sorted(follow)).T
    ones = np.ones(len(users))
    test = dataclasses.replace(
        train,
        indptr=starts_of(np.bincount(users, minlength=LISTENERS)),
        indices=items.astype(np.int32),
        weights=ones.astype(np.float32),
        plays=ones.astype(np.int32),
        last_played=ones.astype(np.uint32),
        recent=None,
    )
    return train, test


def ndcg(train, test, **fields):
    space = ALS(factors=16, **fields).fit(train)
    return evaluate_space(space, train, test, 4).estimates["ndcg@4"].value


def test_where_taste_moves_als_with_time_foresees_what_plain_als_does_not(rng, tmp_path):
    train, test = train_and_test(tmp_path, *history(rng, moves=True), recent_half_life_days=7, half_life_days=0)
    plain, with_time = ndcg(train, test), ndcg(train, test, recent_share=0.75)
    # Plain ALS gives what is left of five months' taste first.
    assert plain < 0.3
    assert with_time > 0.9


def test_where_taste_stays_als_with_time_does_no_harm(rng, tmp_path):
    train, test = train_and_test(tmp_path, *history(rng, moves=False), recent_half_life_days=30, half_life_days=0)
    assert ndcg(train, test) > 0.95
    assert ndcg(train, test, recent_share=0.5) > 0.95


def test_listens_that_age_foresee_more_where_taste_moves(rng, tmp_path):
    listens, follow = history(rng, moves=True)
    found = []
    for half_life in (0, 7):
        place = tmp_path / str(half_life)
        place.mkdir()
        train, test = train_and_test(place, listens, follow, half_life_days=half_life)
        found.append(ndcg(train, test))
    assert found[1] > found[0] + 0.1


@pytest.fixture
def interactions(rng):
    """40 users, 30 items; every other user has played something of late."""
    keys = np.sort(rng.choice(40 * 30, 500, replace=False))
    made = Interactions.from_counts(
        [f"u{key // 30:02d}" for key in keys], [f"i{key % 30:02d}" for key in keys], rng.geometric(0.2, 500)
    )
    users = np.repeat(np.arange(40), np.diff(made.indptr))
    recent = np.where((users % 2 == 0) & (rng.random(500) < 0.4), rng.random(500) + 0.1, 0)
    return dataclasses.replace(made, recent=recent.astype(np.float32))


@pytest.mark.parametrize("objective", ["hkv", "ials"])
def test_the_blend_is_of_two_solutions_against_the_same_items(interactions, objective):
    fields = {"factors": 12, "iterations": 3, "objective": objective}
    plain = ALS(**fields).fit(interactions)
    blend = ALS(**fields, recent_share=0.25).fit(interactions)
    np.testing.assert_array_equal(blend.item_vectors, plain.item_vectors)
    said = plain.settings
    items = plain.item_vectors.astype(np.float64)
    hkv = objective == "hkv"
    shared = 1.0 if hkv else said["unobserved_weight"]
    for user in range(40):
        span = interactions.of_user(user)
        recent = interactions.recent[span]
        rows = interactions.indices[span][recent > 0]
        expected = plain.user_vectors[user]
        if len(rows):
            confidence = 1 + said["alpha"] * np.log1p(recent[recent > 0].astype(np.float64))
            surplus = confidence - 1 if hkv else confidence
            penalty = said["regularization"] * (1.0 if hkv else len(rows) + shared * 30)
            matrix = shared * items.T @ items + (items[rows].T * surplus) @ items[rows] + penalty * np.eye(12)
            expected = 0.75 * expected + 0.25 * np.linalg.solve(matrix, items[rows].T @ confidence)
        np.testing.assert_allclose(blend.user_vectors[user], expected, atol=2e-5)


@pytest.mark.parametrize("biases", [False, True])
def test_a_folded_in_user_is_blended_as_in_training(interactions, biases):
    space = ALS(factors=12, iterations=3, recent_share=0.4, biases=biases).fit(interactions)
    for user in (0, 1, 22):
        span = interactions.of_user(user)
        names = space.item_ids.select(interactions.indices[span])
        folded = space.fold_in_user(names, interactions.weights[span], interactions.recent[span])
        np.testing.assert_allclose(folded, space.user_vectors[user], atol=1e-6)
    span = interactions.of_user(0)
    names = space.item_ids.select(interactions.indices[span])
    whole = space.fold_in_user(names, interactions.weights[span])
    assert np.abs(whole - space.user_vectors[0]).max() > 1e-3
    with pytest.raises(InputError, match="do not fit"):
        space.fold_in_user(names, interactions.weights[span], [1.0])


def test_blocks_and_threads_do_not_change_the_blend(interactions, monkeypatch):
    from crossfade.models import als_recent

    fields = {"factors": 12, "iterations": 2, "recent_share": 0.4}
    whole = ALS(**fields).fit(interactions, threads=1)
    monkeypatch.setattr(als_recent, "USERS", 7)
    assert ALS(**fields).fit(interactions, threads=2).space_id == whole.space_id


def test_a_share_of_what_was_not_counted_is_refused(interactions):
    with pytest.raises(InputError, match="recent_half_life_days"):
        ALS(factors=8, recent_share=0.1).fit(dataclasses.replace(interactions, recent=None))


def test_what_is_recent_is_saved_and_held_out_with_its_pairs(interactions, tmp_path):
    from crossfade.evaluate.splits import random_holdout

    interactions.save(tmp_path)
    loaded = Interactions.load(tmp_path, kind="artist")
    np.testing.assert_array_equal(loaded.recent, interactions.recent)
    split = random_holdout(interactions, 0.3, np.random.default_rng(0))
    together = np.sort(np.concatenate([split.train.recent, split.test.recent]))
    np.testing.assert_array_equal(together, np.sort(interactions.recent))
