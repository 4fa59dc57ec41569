"""Alternating least squares: the model against its definition."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, InputError, SettingsError, UnknownIdError
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.models.als import ALS, ALSSettings, FittedALS

OBJECTIVES = [
    {"objective": "hkv", "alpha": 4.0, "regularization": 0.5, "confidence": "linear"},
    {"objective": "hkv", "alpha": 4.0, "regularization": 0.5, "confidence": "log", "epsilon": 0.5},
    {"objective": "ials", "alpha": 0.0, "regularization": 0.05, "unobserved_weight": 0.3},
    {
        "objective": "ials",
        "alpha": 1.0,
        "confidence": "linear",
        "regularization": 0.5,
        "unobserved_weight": 0.2,
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


def dense_loss(interactions, fields, users, items):
    """The objective as it is written, over every pair."""
    users, items = users.astype(np.float64), items.astype(np.float64)
    scores = users @ items.T
    plays = interactions.matrix().toarray().astype(np.float64)
    played = plays > 0
    shaped = np.log(1 + plays / fields["epsilon"]) if fields.get("confidence") == "log" else plays
    confidence = 1 + fields["alpha"] * shaped
    if fields["objective"] == "hkv":
        pulled = (np.where(played, confidence, 1.0) * (played - scores) ** 2).sum()
        return pulled + fields["regularization"] * ((users**2).sum() + (items**2).sum())
    weight, exponent = fields["unobserved_weight"], fields.get("frequency_exponent", 1.0)
    pulled = (confidence * (1 - scores) ** 2)[played].sum() + weight * (scores**2).sum()
    of_users = (played.sum(axis=1) + weight * len(items)) ** exponent
    of_items = (played.sum(axis=0) + weight * len(users)) ** exponent
    held = (of_users * (users**2).sum(axis=1)).sum() + (of_items * (items**2).sum(axis=1)).sum()
    return pulled + fields["regularization"] * held


@pytest.mark.parametrize("fields", OBJECTIVES)
@pytest.mark.parametrize("factors", [12, 48])
def test_the_gradient_of_the_dense_objective_is_zero_at_every_user(interactions, fields, factors):
    space = ALS(factors=factors, iterations=3, **fields).fit(interactions).space
    users, items = space.user_vectors.astype(np.float64), space.item_vectors
    at_best = dense_loss(interactions, fields, users, items)
    step = 1e-3
    for user in (0, 17, 59):
        for factor in (0, 5, 11):
            moved = []
            for sign in (1, -1):
                users[user, factor] += sign * step
                moved.append(dense_loss(interactions, fields, users, items))
                users[user, factor] -= sign * step
            gradient = (moved[0] - moved[1]) / (2 * step)
            curvature = (moved[0] - 2 * at_best + moved[1]) / step**2
            assert abs(gradient) < 1e-4 * curvature


@pytest.mark.parametrize("fields", OBJECTIVES)
def test_the_tracked_loss_is_the_dense_objective(interactions, fields):
    # A fit ends with the users solved against the last items: what a longer fit does next.
    shorter, longer = (
        ALS(factors=10, iterations=iterations, solver="cholesky", **fields).fit(interactions, track_loss=True)
        for iterations in (2, 3)
    )
    expected = dense_loss(interactions, fields, shorter.space.user_vectors, shorter.space.item_vectors)
    assert longer.history[4].total == pytest.approx(expected, rel=1e-5)
    assert shorter.loss(interactions).total == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("fields", OBJECTIVES)
@pytest.mark.parametrize("solver", ["cholesky", "cg", "pcg"])
def test_no_half_iteration_raises_the_loss(interactions, fields, solver):
    fit = ALS(factors=16, iterations=8, solver=solver, **fields).fit(interactions, track_loss=True)
    totals = np.array([loss.total for loss in fit.history])
    assert len(totals) == 16
    assert np.all(np.diff(totals) <= 1e-6 * totals[0])
    assert totals[-1] < 0.9 * totals[0]


def test_the_loss_has_three_parts(interactions):
    fit = ALS(factors=16, iterations=2).fit(interactions, track_loss=True)
    last = fit.history[-1]
    assert last.total == last.pairs + last.entries + last.regularization
    assert last.pairs > 0
    assert last.regularization > 0
    assert ALS(factors=16, iterations=2).fit(interactions).history == ()


def test_a_loss_is_of_the_users_and_items_of_the_model(interactions):
    fitted = ALS(factors=8, iterations=1).fit(interactions)
    others = dataclasses.replace(interactions, user_ids=Ids.of(f"x{number:02d}" for number in range(60)))
    with pytest.raises(InputError, match="other users or items"):
        fitted.loss(others)


def test_the_two_objectives_differ(interactions):
    # With these settings g, λᵤ and c agree; only the surplus tells them apart.
    fields = {"factors": 16, "iterations": 5, "alpha": 3.0, "regularization": 0.4, "solver": "cholesky"}
    hkv = ALS(objective="hkv", **fields).fit(interactions)
    ials = ALS(objective="ials", unobserved_weight=1.0, frequency_exponent=0.0, **fields).fit(interactions)
    played = interactions.matrix().toarray() > 0
    scores = [(fit.space.user_vectors @ fit.space.item_vectors.T)[played].mean() for fit in (hkv, ials)]
    assert scores[0] > scores[1] + 0.005


def test_one_play_too_few_for_alpha_is_still_solvable(interactions):
    # α r as the whole confidence would fall below 1 here and make the surplus negative.
    small = dataclasses.replace(interactions, weights=interactions.weights * np.float32(1e-3))
    fit = ALS(factors=16, iterations=8, alpha=0.1, solver="cholesky").fit(small, track_loss=True)
    totals = [loss.total for loss in fit.history]
    assert totals == sorted(totals, reverse=True)
    assert np.isfinite(fit.space.user_vectors).all()


def test_a_planted_structure_is_found_again(rng):
    # Three tastes with ten items each; a user plays six of the ten.
    pairs = [
        (f"u{taste}{user:02d}", f"i{taste}{item}")
        for taste in range(3)
        for user in range(30)
        for item in rng.choice(10, 6, replace=False)
    ]
    fit = ALS(factors=8, objective="hkv", alpha=2.0, regularization=5.0).fit(
        Interactions.from_counts([user for user, _ in pairs], [item for _, item in pairs], np.ones(len(pairs)))
    )
    scores = fit.space.user_vectors @ fit.space.item_vectors.T
    tastes_of_users = np.array([int(name[1]) for name in fit.user_ids])
    tastes_of_items = np.array([int(name[1]) for name in fit.item_ids])
    same = tastes_of_users[:, None] == tastes_of_items
    # Also the four items of their taste that a user did not play outrank every stranger.
    assert np.all(np.where(same, scores, np.inf).min(axis=1) > np.where(same, -np.inf, scores).max(axis=1))


@pytest.mark.parametrize("fields", [{"factors": 40}, {"factors": 16}, {"factors": 64, "objective": "ials"}])
def test_threads_do_not_change_a_byte(interactions, fields):
    spaces = [ALS(iterations=3, **fields).fit(interactions, threads=threads).space for threads in (1, 2)]
    assert spaces[0].space_id == spaces[1].space_id
    assert spaces[0].user_vectors.tobytes() == spaces[1].user_vectors.tobytes()


def test_the_seed_decides_the_space(interactions):
    ids = {ALS(factors=8, iterations=1, seed=seed).fit(interactions).space.space_id for seed in (0, 0, 1)}
    assert len(ids) == 2


def test_the_order_of_users_does_not_matter(rng, interactions):
    order = rng.permutation(60)
    matrix = interactions.matrix()[order]
    matrix.sort_indices()
    shuffled = dataclasses.replace(
        interactions, indptr=matrix.indptr.astype(np.int64), indices=matrix.indices, weights=matrix.data
    )
    fits = [ALS(factors=16, iterations=4, solver="cholesky").fit(given).space for given in (interactions, shuffled)]
    scale = np.abs(fits[0].item_vectors).max()
    np.testing.assert_allclose(fits[0].item_vectors, fits[1].item_vectors, atol=1e-3 * scale)
    np.testing.assert_allclose(fits[0].user_vectors[order], fits[1].user_vectors, atol=1e-3 * scale)


@pytest.mark.parametrize("fields", OBJECTIVES)
@pytest.mark.parametrize("factors", [16, 40, 64, 140])
def test_the_history_of_a_trained_user_gives_the_vector_of_training_to_the_bit(interactions, fields, factors, tmp_path):
    fit = ALS(factors=factors, iterations=2, **fields).fit(interactions)
    fit.save(tmp_path)
    for fitted in (fit, FittedALS.load(tmp_path)):
        np.testing.assert_array_equal(fitted.profiles(interactions, threads=2), fit.space.user_vectors)
        for user in ("u00", "u31"):
            row = fit.user_ids.row(user)
            np.testing.assert_array_equal(
                fitted.profiles(interactions.histories(Ids.of([user])))[0], fit.space.user_vectors[row]
            )
            np.testing.assert_array_equal(fitted.trained_profiles(np.array([row]))[0], fit.space.user_vectors[row])


@pytest.mark.parametrize("factors", [16, 80])
def test_a_profile_is_of_the_items_that_the_model_knows_in_any_numbering(interactions, factors):
    fitted = ALS(factors=factors, iterations=2).fit(interactions)
    played = {"i07": 3.0, "i01": 5.0, "i40": 1.0}
    own = Interactions.from_counts(["me"] * 3, list(played), list(played.values()))
    more = Interactions.from_counts(["me"] * 5, ["a new one", *played, "z"], [4.0, *played.values(), 9.0])
    np.testing.assert_array_equal(fitted.profiles(own), fitted.profiles(more))
    # By the definition, against the items of the space.
    said = fitted.settings
    items = fitted.space.item_vectors.astype(np.float64)
    rows = [fitted.item_ids.row(name) for name in played]
    confidence = 1 + said["alpha"] * np.log1p(np.array(list(played.values())))
    penalty = said["regularization"] * (3 + said["unobserved_weight"] * 45)
    matrix = said["unobserved_weight"] * items.T @ items + (items[rows].T * confidence) @ items[rows]
    expected = np.linalg.solve(matrix + penalty * np.eye(factors), items[rows].T @ confidence)
    np.testing.assert_allclose(fitted.profiles(own)[0], expected, atol=5e-6 * np.abs(expected).max())


@pytest.mark.parametrize("fields", OBJECTIVES)
@pytest.mark.parametrize("factors", [9, 50, 600])
def test_a_folded_in_item_solves_its_normal_equations(interactions, fields, factors):
    fitted = ALS(factors=factors, iterations=2, **fields).fit(interactions)
    plays, rows = np.array([3.0, 1.0, 8.0]), np.array([4, 50, 9])
    names = [fitted.user_ids[row] for row in rows]
    folded = fitted.fold_in_item(names, plays)
    users = fitted.space.user_vectors.astype(np.float64)
    shaped = np.log(1 + plays / fields["epsilon"]) if fields.get("confidence") == "log" else np.log1p(plays)
    shaped = plays if fields.get("confidence") == "linear" else shaped
    confidence = 1 + fields["alpha"] * shaped
    if fields["objective"] == "hkv":
        shared, surplus, penalty = 1.0, confidence - 1, fields["regularization"]
    else:
        shared, surplus = fields["unobserved_weight"], confidence
        penalty = fields["regularization"] * (3 + shared * 60) ** fields.get("frequency_exponent", 1.0)
    matrix = shared * users.T @ users + (users[rows].T * surplus) @ users[rows] + penalty * np.eye(factors)
    np.testing.assert_allclose(folded, np.linalg.solve(matrix, users[rows].T @ confidence), atol=1e-5)
    # The order of the plays does not matter, and those of an id that is listed twice add up.
    twice = fitted.fold_in_item([*names[::-1], *names], [*(plays[::-1] / 2), *(plays / 2)])
    np.testing.assert_array_equal(twice, folded)


def test_no_plays_give_the_zero_vector(interactions):
    fitted = ALS(factors=8, iterations=1).fit(interactions)
    nothing = np.zeros(8, dtype=np.float32)
    np.testing.assert_array_equal(fitted.fold_in_item([], []), nothing)
    np.testing.assert_array_equal(fitted.fold_in_item(["u00"], [0.0]), nothing)
    np.testing.assert_array_equal(fitted.profiles(interactions.histories(Ids.of(["nobody"]))), [nothing])


def test_plays_that_cannot_be_folded_in_are_refused(interactions):
    fitted = ALS(factors=8, iterations=1).fit(interactions)
    with pytest.raises(UnknownIdError, match="nobody"):
        fitted.fold_in_item(["nobody"], [1.0])
    with pytest.raises(InputError, match="do not fit"):
        fitted.fold_in_item(["u00", "u01"], [1.0])
    for wrong in (-1.0, float("nan"), float("inf"), 1e20):
        with pytest.raises(InputError, match="from 0 to"):
            fitted.fold_in_item(["u00"], [wrong])


def test_rows_without_interactions_are_zero(interactions):
    lonely = Ids.of([*interactions.user_ids, "u99"])
    wider = dataclasses.replace(interactions, user_ids=lonely, indptr=np.append(interactions.indptr, 700))
    vectors = ALS(factors=8, iterations=2).fit(wider).space.user_vectors
    assert not vectors[60].any()
    assert vectors[:60].any(axis=1).all()


def test_progress_reaches_its_total_and_never_falls(interactions):
    told = []
    ALS(factors=8, iterations=3).fit(interactions, progress=lambda done, total, unit: told.append((done, total, unit)))
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1] == (7, 7, "half-iterations")
    assert len(told) == 8


@pytest.mark.parametrize(
    "wrong",
    [
        {"factors": 7},
        {"factors": 2049},
        {"objective": "bpr"},
        {"regularization": 0.0},
        {"regularization": float("nan")},
        {"alpha": -1.0},
        {"alpha": float("inf")},
        {"confidence": "square"},
        {"epsilon": 0.0},
        {"unobserved_weight": 0.0},
        {"frequency_exponent": -0.5},
        {"iterations": 0},
        {"solver": "lu"},
        {"cg_steps": 0},
        {"seed": -1},
    ],
)
def test_settings_that_cannot_be_solved_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(SettingsError, match=name):
        ALSSettings(**wrong)


def test_a_model_has_every_setting_that_profiles_need(interactions, tmp_path):
    fitted = ALS(factors=8, iterations=1, objective="ials").fit(interactions)
    settings = fitted.settings
    assert settings["alpha"] == 1.0
    assert settings["regularization"] > 0
    assert settings["unobserved_weight"] > 0
    assert set(settings) == {field.name for field in dataclasses.fields(ALSSettings)}
    unset = {name: value for name, value in settings.items() if name != "alpha"}
    with pytest.raises(ArtifactError, match="Fit it again"):
        dataclasses.replace(fitted, space=dataclasses.replace(fitted.space, settings=unset)).profiles(interactions)


def test_the_model_is_made_from_settings_or_keywords():
    assert ALS(factors=20).settings == ALS(ALSSettings(factors=20)).settings


def test_support_is_the_listeners_of_an_item(interactions):
    np.testing.assert_array_equal(ALS(factors=8, iterations=1).fit(interactions).support, interactions.listeners())


def day_after(interactions, more=1):
    """The interactions of the next day: each of the first users has played one item more, and there is a new user."""
    user = np.repeat(np.arange(len(interactions.user_ids)), np.diff(interactions.indptr))
    users = [*interactions.user_ids.select(user), *(interactions.user_ids[row] for row in range(more)), "new"]
    items = [*interactions.item_ids.select(interactions.indices), *(interactions.item_ids[0] for _ in range(more + 1))]
    return Interactions.from_counts(users, items, [*interactions.weights, *np.ones(more + 1)])


@pytest.mark.parametrize("fields", [{}, {"biases": True, "solver": "cholesky"}, {"factors": 40}])
def test_a_fit_that_starts_from_the_day_before_ends_where_one_from_nothing_does(fields):
    rng = np.random.default_rng(0)
    taste = rng.integers(0, 4, 300)
    users, items = np.repeat(np.arange(300), 12), []
    for group in taste:
        items += [*(100 + group * 30 + rng.choice(30, 10, replace=False)), *rng.integers(100, 220, 2)]
    yesterday = Interactions.from_counts(users, items)
    today = day_after(yesterday)
    fields = {"factors": 8, "iterations": 40, **fields}
    start = ALS(**fields).fit(yesterday)
    warm = ALS(**fields, warm_iterations=3).fit(today, start=start, track_loss=True)
    cold = ALS(**fields, warm_iterations=3).fit(today, track_loss=True)
    assert len(warm.history) == 6
    assert warm.history[-1].total == pytest.approx(cold.history[-1].total, rel=2e-3)
    assert warm.history[0].total < cold.history[6].total, "it starts from what was learned"
    again = ALS(**fields, warm_iterations=3).fit(today, start=start)
    assert again.space.space_id == warm.space.space_id


def test_a_fit_starts_from_nothing_where_much_has_changed_or_no_warm_iterations_are_wanted():
    yesterday = Interactions.from_counts(np.repeat(np.arange(20), 4), (np.arange(80) * 7) % 23)
    start = ALS(factors=8).fit(yesterday)
    for today, fields in ((day_after(yesterday, more=12), {}), (day_after(yesterday), {"warm_iterations": 0})):
        model = ALS(factors=8, **fields)
        assert model.fit(today, start=start).space.space_id == model.fit(today).space.space_id
    assert ALS(factors=8).fit(day_after(yesterday), start=start).space.space_id != start.space.space_id
    with pytest.raises(InputError, match="same kind of item, factors"):
        ALS(factors=9).fit(day_after(yesterday), start=start)
