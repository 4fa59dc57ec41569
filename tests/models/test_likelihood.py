"""What factor models by maximum likelihood promise alike."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, InputError, SettingsError, UnknownIdError
from crossfade.core.interactions import Interactions
from crossfade.models import likelihood
from crossfade.models.logistic import Logistic, LogisticSettings
from crossfade.models.registry import load_space
from crossfade.models.vector_exp import VectorExp, VectorExpSettings

MODELS = [VectorExp, Logistic]


@pytest.fixture
def interactions(rng):
    """60 users, 45 items, 700 pairs with long-tailed plays."""
    keys = rng.choice(60 * 45, 700, replace=False)
    return Interactions.from_counts(
        [f"u{key // 45:02d}" for key in keys], [f"i{key % 45:02d}" for key in keys], rng.geometric(0.2, 700)
    )


def planted(rng, tastes, strangers):
    """Thirty users a taste with ten items each, and items that one user each has played once."""
    users, items = [], []
    for taste in range(tastes):
        for user in range(30):
            chosen = rng.choice(10, 6, replace=False)
            users += [f"u{taste}-{user:02d}"] * 6
            items += [f"i{taste}-{item}" for item in chosen]
    for stranger in range(strangers):
        users.append(f"u{stranger % tastes}-{stranger % 30:02d}")
        items.append(f"x{stranger}")
    return Interactions.from_counts(users, items, np.ones(len(users)))


def without_plays_of(interactions, item):
    """The same without the plays of an item, whose id stays."""
    kept = interactions.indices != item
    starts = np.concatenate(([0], np.cumsum(kept)))
    columns = {name: getattr(interactions, name)[kept] for name in ("indices", "weights", "plays", "last_played")}
    return dataclasses.replace(interactions, indptr=starts[interactions.indptr].astype(np.int64), **columns)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("strangers", [0, 3000])
def test_the_defaults_learn_the_tastes_however_large_the_catalogue(rng, model, strangers):
    interactions = planted(rng, 8, strangers)
    space = model(factors=16).fit(interactions)
    found = space.recommend(list(space.user_ids), 4, exclude=interactions)
    right = 0
    for row, user in enumerate(space.user_ids):
        taste = user.split("-")[0][1:]
        right += sum(item.split("-")[0] == f"i{taste}" for item, _ in found.listed(row, space.item_ids))
    # The four items of their taste that they have not played come before everything else.
    assert right >= 0.99 * 4 * len(space.user_ids)


@pytest.mark.parametrize("model", MODELS)
def test_threads_do_not_change_a_byte(rng, model):
    # More users and items than a sample, so that samples are drawn.
    keys = rng.choice(300 * 200, 5000, replace=False)
    interactions = Interactions.from_counts(
        [f"u{key // 200}" for key in keys], [f"i{key % 200}" for key in keys], rng.geometric(0.2, 5000)
    )
    spaces = [model(factors=24, passes=3, samples=64).fit(interactions, threads=threads) for threads in (1, 2)]
    assert spaces[0].space_id == spaces[1].space_id
    assert spaces[0].user_vectors.tobytes() == spaces[1].user_vectors.tobytes()
    assert model(factors=24, passes=3, samples=64, seed=1).fit(interactions).space_id != spaces[0].space_id


@pytest.mark.parametrize("model", [*MODELS, lambda **fields: VectorExp(item_biases=False, counts="linear", **fields)])
def test_folding_in_gives_the_vector_of_training(interactions, model, tmp_path):
    fit = model(factors=12).fit(interactions)
    fit.save(tmp_path)
    for space in (fit, load_space(tmp_path)):
        assert type(space) is type(fit)
        for user in (0, 31):
            span = interactions.of_user(user)
            names = [interactions.item_ids[int(row)] for row in interactions.indices[span]]
            plays = interactions.weights[span]
            scale = np.abs(fit.user_vectors).max()
            np.testing.assert_allclose(space.fold_in_user(names, plays), fit.user_vectors[user], atol=2e-3 * scale)
            # The order of the plays does not matter, and what stands twice is summed.
            twice = space.fold_in_user([*names[::-1], *names], [*(plays[::-1] / 2), *(plays / 2)])
            np.testing.assert_allclose(twice, space.fold_in_user(names, plays), atol=1e-4 * scale)


@pytest.mark.parametrize("model", MODELS)
def test_a_newcomer_without_plays_gets_what_is_popular(interactions, model):
    space = model(factors=8, passes=2).fit(interactions)
    vector = space.fold_in_user([], [])
    assert vector.tolist() == [0.0] * 8 + [1.0]
    found = space.recommend_vectors(vector[None, :], 45)
    assert found.rows[0].tolist() == np.lexsort((np.arange(45), -space.item_vectors[:, -1])).tolist()


@pytest.mark.parametrize("model", MODELS)
def test_newcomers_that_cannot_be(interactions, model):
    space = model(factors=8, passes=1).fit(interactions)
    with pytest.raises(UnknownIdError, match="'nobody'"):
        space.fold_in_user(["nobody"], [1])
    with pytest.raises(InputError, match="1 ids do not fit plays of shape"):
        space.fold_in_user(["i00"], [1, 2])
    with pytest.raises(InputError, match="at least 0"):
        space.fold_in_user(["i00"], [-1])
    unresolved = dataclasses.replace(space, settings={**space.settings, "regularization": None})
    with pytest.raises(ArtifactError, match="does not say what it was fitted with"):
        unresolved.fold_in_user(["i00"], [1])


@pytest.mark.parametrize("model", MODELS)
def test_an_item_that_nobody_played_is_no_likelier_than_any_other(rng, interactions, model):
    # With tastes this clear the biases of all items end below where they began.
    for plays in (interactions, planted(rng, 8, 0)):
        space = model(factors=8).fit(without_plays_of(plays, 7))
        assert not space.points[7].any()
        assert space.item_vectors[7, -1] == space.item_vectors[:, -1].min()
    assert not model(factors=8).fit(without_plays_of(interactions, 7)).similar(["i03"], 5).rows[0].tolist().count(7)


@pytest.mark.parametrize("model", MODELS)
def test_biases_are_left_out_of_what_is_similar(interactions, model):
    space = model(factors=8).fit(interactions)
    assert space.biased
    assert space.factors == 9
    assert np.all(space.user_vectors[:, -1] == 1)
    np.testing.assert_array_equal(space.points, space.item_vectors[:, :-1])


@pytest.mark.parametrize("model", MODELS)
def test_what_cannot_be_learned_from_is_refused(interactions, model):
    with pytest.raises(InputError, match="cannot learn from no interactions"):
        model().fit(Interactions.from_counts([], [], []))
    for wrong in (-1.0, np.nan, np.inf):
        weights = interactions.weights.copy()
        weights[3] = wrong
        with pytest.raises(InputError, match="at position 3"):
            model().fit(dataclasses.replace(interactions, weights=weights))
    with pytest.raises(InputError, match="all zero"):
        model().fit(dataclasses.replace(interactions, weights=np.zeros_like(interactions.weights)))
    with pytest.raises(InputError, match="beyond their own item ids"):
        model().fit(dataclasses.replace(interactions, indices=interactions.indices + np.int32(1)))


@pytest.mark.parametrize("settings", [VectorExpSettings, LogisticSettings])
@pytest.mark.parametrize(
    "wrong",
    [
        {"factors": 7},
        {"regularization": 0.0},
        {"regularization": float("nan")},
        {"frequency_exponent": 2.1},
        {"counts": "root"},
        {"epsilon": 0.0},
        {"samples": 63},
        {"passes": 0},
        {"cg_steps": 101},
        {"seed": -1},
    ],
)
def test_settings_that_cannot_be_fitted_are_refused(settings, wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        settings(**wrong)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_made_from_settings_or_from_keywords(model):
    with pytest.raises(SettingsError, match="not from both"):
        model(model.settings_class(), factors=8)
    with pytest.raises(SettingsError, match="no such setting"):
        model(factor=8)


@pytest.mark.parametrize("model", MODELS)
def test_progress_rises_to_the_end(interactions, model):
    told = []
    model(factors=8, passes=3).fit(interactions, progress=lambda done, total, unit: told.append((done, total, unit)))
    assert told == [(done, 7, "half-passes") for done in range(8)]


def test_the_regularization_is_a_share_of_the_edge_of_noise():
    # Counts with squares of 64 together, on 4 users and 16 items: the edge is sqrt(16) + sqrt(4) = 6. Totals of 4 and
    # 1 to the power .5 pull by 2 and 1, of geometric mean sqrt(2). A user without counts does not matter.
    found = likelihood.regularization(np.full(16, 2.0, np.float32), np.array([4.0] * 4 + [0]), np.ones(16), 0.5)
    assert found == pytest.approx(likelihood.NOISE * 6 / np.sqrt(2))


def test_noise_alone_teaches_nothing(rng):
    # Twice the share at which the strongest direction of mere noise would begin to be learned.
    keys = rng.choice(400 * 400, 8000, replace=False)
    interactions = Interactions.from_counts(
        [f"u{key // 400}" for key in keys], [f"i{key % 400}" for key in keys], np.ones(8000)
    )
    taken = VectorExp(factors=8).fit(interactions).settings["regularization"]
    lengths = [
        np.linalg.norm(VectorExp(factors=8, passes=20, regularization=times * taken).fit(interactions).points)
        for times in (1, 1.3 / likelihood.NOISE)
    ]
    assert lengths[1] < 0.02 * lengths[0]
