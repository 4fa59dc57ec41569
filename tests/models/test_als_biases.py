"""Biases of ALS: against the dense objective, and what they are good for."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from crossfade.core.errors import ArtifactError, SettingsError
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.demo.settings import SMALL
from crossfade.demo.world import simulate
from crossfade.evaluate.splits import random_holdout
from crossfade.models.als import ALS, FittedALS

OBJECTIVES = [
    {"objective": "hkv", "alpha": 4.0, "regularization": 0.5, "confidence": "linear"},
    {"objective": "ials", "alpha": 1.0, "confidence": "linear", "regularization": 0.5, "unobserved_weight": 0.2},
    {
        "objective": "ials",
        "alpha": 0.5,
        "confidence": "linear",
        "regularization": 0.3,
        "unobserved_weight": 0.1,
        "frequency_exponent": 0.5,
    },
]


@pytest.fixture
def interactions(rng):
    """60 users, 45 items, 700 pairs with long-tailed plays."""
    keys = rng.choice(60 * 45, 700, replace=False)
    return Interactions.from_counts(
        [f"u{key // 45:02d}" for key in keys], [f"i{key % 45:02d}" for key in keys], rng.geometric(0.2, 700)
    )


def parts_of(fitted):
    """(users, user biases, items, item biases) in float64."""
    users, items = fitted.space.user_vectors.astype(np.float64), fitted.space.item_vectors.astype(np.float64)
    return users[:, :-1], fitted.user_biases.astype(np.float64), items[:, :-1], items[:, -1]


def dense(interactions, fields, users, user_biases, items, item_biases):
    """The objective over every pair: the loss, and its gradient by the users' vectors and by their biases."""
    plays = interactions.matrix().toarray().astype(np.float64)
    played, confidence = plays > 0, 1 + fields["alpha"] * plays
    scores = users @ items.T + user_biases[:, None] + item_biases
    lengths = (users**2).sum(axis=1) + user_biases**2, (items**2).sum(axis=1) + item_biases**2
    if fields["objective"] == "hkv":
        weights = np.where(played, confidence, 1.0)
        pulled, slope = (weights * (played - scores) ** 2).sum(), weights * (scores - played)
        held = np.ones(len(users)), np.ones(len(items))
    else:
        weight, exponent = fields["unobserved_weight"], fields.get("frequency_exponent", 1.0)
        pulled = (confidence * (1 - scores) ** 2)[played].sum() + weight * (scores**2).sum()
        slope = np.where(played, confidence * (scores - 1), 0.0) + weight * scores
        held = [
            (played.sum(axis=1 - side) + weight * others) ** exponent
            for side, others in enumerate((len(items), len(users)))
        ]
    strength = fields["regularization"]
    loss = pulled + strength * (held[0] @ lengths[0] + held[1] @ lengths[1])
    by_users = slope @ items + strength * held[0][:, None] * users
    return loss, by_users, slope.sum(axis=1) + strength * held[0] * user_biases


@pytest.mark.parametrize("fields", OBJECTIVES)
@pytest.mark.parametrize(("factors", "solver"), [(12, "auto"), (16, "pcg"), (80, "auto"), (14, "cholesky")])
def test_the_gradient_of_the_dense_objective_is_zero_at_every_user(interactions, fields, factors, solver):
    fitted = ALS(factors=factors, iterations=3, biases=True, solver=solver, **fields).fit(interactions)
    _, by_users, by_biases = dense(interactions, fields, *parts_of(fitted))
    _, at_zero, biases_at_zero = dense(
        interactions, fields, *(0 * part for part in parts_of(fitted)[:2]), *parts_of(fitted)[2:]
    )
    assert np.abs(by_users).max() < 1e-4 * np.abs(at_zero).max()
    assert np.abs(by_biases).max() < 1e-4 * np.abs(biases_at_zero).max()


@pytest.mark.parametrize("fields", OBJECTIVES)
@pytest.mark.parametrize(("factors", "solver"), [(10, "cholesky"), (70, "pcg")])
def test_the_tracked_loss_is_the_dense_objective_and_never_rises(interactions, fields, factors, solver):
    fitted = ALS(factors=factors, iterations=6, biases=True, solver=solver, **fields).fit(interactions, track_loss=True)
    losses = [loss.total for loss in fitted.history]
    assert np.all(np.diff(losses) <= 1e-6 * losses[0])
    # The users are solved once more after the last half-iteration.
    loss, _, _ = dense(interactions, fields, *parts_of(fitted))
    assert loss <= losses[-1] * (1 + 1e-6)
    assert loss == pytest.approx(losses[-1], rel=0.05)


def test_both_solvers_come_to_the_same_biases(interactions):
    fits = [
        ALS(factors=16, iterations=30, cg_steps=20, biases=True, solver=solver, **OBJECTIVES[0]).fit(interactions)
        for solver in ("cholesky", "pcg")
    ]
    scores = [
        users @ items.T + of_users[:, None] + of_items for users, of_users, items, of_items in map(parts_of, fits)
    ]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)


@pytest.mark.parametrize("fields", OBJECTIVES)
@pytest.mark.parametrize("factors", [12, 66])
def test_the_history_of_a_trained_user_gives_the_vector_of_training_to_the_bit(interactions, fields, factors, tmp_path):
    fit = ALS(factors=factors, iterations=2, biases=True, **fields).fit(interactions)
    fit.save(tmp_path)
    for fitted in (fit, FittedALS.load(tmp_path)):
        np.testing.assert_array_equal(fitted.profiles(interactions), fit.space.user_vectors)
        np.testing.assert_array_equal(
            fitted.profiles(interactions.histories(Ids.of(["u31"])))[0], fit.space.user_vectors[31]
        )


def test_a_folded_in_item_is_where_the_dense_objective_is_least(interactions, tmp_path):
    fields = OBJECTIVES[0]
    ALS(factors=9, iterations=2, biases=True, **fields).fit(interactions).save(tmp_path)
    fitted = FittedALS.load(tmp_path)
    users, user_biases, _, _ = parts_of(fitted)
    plays, rows = np.array([3.0, 1.0, 8.0]), np.array([4, 50, 9])
    folded = fitted.fold_in_item([fitted.user_ids[row] for row in rows], plays).astype(np.float64)
    # s = x·y + b of the user + b of the item, so a 1 beside each x, and what is left to explain without b of the user.
    known, weights, wanted = np.hstack((users, np.ones((60, 1)))), np.ones(60), np.zeros(60)
    weights[rows], wanted[rows] = 1 + fields["alpha"] * plays, 1.0
    matrix = (known.T * weights) @ known + fields["regularization"] * np.eye(10)
    expected = np.linalg.solve(matrix, known.T @ (weights * (wanted - user_biases)))
    np.testing.assert_allclose(folded, expected, atol=1e-5)


def test_threads_do_not_change_a_byte(interactions):
    fits = [ALS(factors=70, iterations=3, biases=True).fit(interactions, threads=threads) for threads in (1, 3)]
    assert fits[0].space.space_id == fits[1].space.space_id
    assert fits[0].user_biases.tobytes() == fits[1].user_biases.tobytes()


def test_a_biased_space_scores_with_the_bias_of_items_and_compares_without(interactions):
    fitted = ALS(factors=8, iterations=4, biases=True, **OBJECTIVES[1]).fit(interactions)
    users, _, items, biases = parts_of(fitted)
    assert fitted.space.biased
    np.testing.assert_array_equal(fitted.space.user_vectors[:, -1], 1.0)
    best, score = fitted.recommend([fitted.user_ids[3]], 1).listed(0, fitted.item_ids)[0]
    scores = items @ users[3] + biases
    assert best == fitted.item_ids[int(scores.argmax())]
    assert score == pytest.approx(scores.max(), abs=1e-5)
    np.testing.assert_array_equal(fitted.space.points, fitted.space.item_vectors[:, :-1])


@pytest.mark.parametrize("factors", [9, 70])
def test_who_has_nothing_has_what_the_objective_gives_them(interactions, factors):
    owners = np.repeat(np.arange(60), np.diff(interactions.indptr))
    kept = (owners != 5) & (interactions.indices != 7)
    thinned = replace(
        interactions,
        indptr=np.concatenate(([0], np.cumsum(np.bincount(owners[kept], minlength=60)))),
        **{name: getattr(interactions, name)[kept] for name in ("indices", "weights", "plays", "last_played")},
    )
    fields = OBJECTIVES[1]
    fitted = ALS(factors=factors, iterations=3, biases=True, **fields).fit(thinned)
    _, by_users, by_biases = dense(thinned, fields, *parts_of(fitted))
    assert np.abs(by_users).max() < 1e-4
    assert np.abs(by_biases).max() < 1e-4
    # What nobody played must not come before what somebody did.
    assert parts_of(fitted)[3].argmin() == 7
    np.testing.assert_array_equal(
        fitted.profiles(thinned.histories(Ids.of(["nobody"])))[0], fitted.space.user_vectors[5]
    )


def test_a_space_without_its_biases_is_refused(interactions, tmp_path):
    ALS(factors=8, iterations=1, biases=True).fit(interactions).save(tmp_path)
    np.save(tmp_path / "user_biases.npy", np.zeros(3, dtype=np.float32))
    with pytest.raises(ArtifactError, match="60 users do not fit 3 biases"):
        FittedALS.load(tmp_path)


def test_plain_conjugate_gradients_have_no_biases():
    with pytest.raises(SettingsError, match="has no biases"):
        ALS(biases=True, solver="cg")


def test_biases_tell_how_much_more_of_the_world_a_listener_will_play():
    """What they are for: a listener's summed scores follow the artists held out. They are not for ranking."""
    world = simulate(replace(SMALL, days=60))
    plays = Counter[tuple[str, str]]()
    for table in world.listens():
        plays.update(zip(table["user_id"].to_pylist(), table["parent_id"].to_pylist(), strict=True))
    users, artists = zip(*plays, strict=True)
    known = Interactions.from_counts(users, artists, list(plays.values()))
    split = random_holdout(known, 0.3, np.random.default_rng(0))
    unknown = split.train.matrix().toarray() == 0
    hidden = (split.test.matrix().toarray() > 0).sum(axis=1)
    followed = {}
    for biases in (False, True):
        fitted = ALS(factors=16, biases=biases).fit(split.train)
        scores = fitted.space.user_vectors @ fitted.space.item_vectors.T
        if biases:
            scores += fitted.user_biases[:, None]
        followed[biases] = spearmanr((scores * unknown).sum(axis=1), hidden).statistic
    assert followed[True] > followed[False] + 0.02
    assert followed[True] > 0.96
