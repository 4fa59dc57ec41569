"""What factor models by maximum likelihood share."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.models import likelihood
from crossfade.models.logistic import Logistic
from crossfade.models.vector_exp import VectorExp

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
    fitted = model(factors=16).fit(interactions)
    found = fitted.recommend(list(fitted.user_ids), 4, exclude=interactions)
    right = 0
    for row, user in enumerate(fitted.user_ids):
        taste = user.split("-")[0][1:]
        right += sum(item.split("-")[0] == f"i{taste}" for item, _ in found.listed(row, fitted.item_ids))
    # The four items of their taste that they have not played come before everything else.
    assert right >= 0.99 * 4 * len(fitted.user_ids)


@pytest.mark.parametrize("model", MODELS)
def test_threads_do_not_change_a_byte(rng, model):
    # More users and items than a sample, so that samples are drawn.
    keys = rng.choice(300 * 200, 5000, replace=False)
    interactions = Interactions.from_counts(
        [f"u{key // 200}" for key in keys], [f"i{key % 200}" for key in keys], rng.geometric(0.2, 5000)
    )
    spaces = [model(factors=24, passes=3, samples=64).fit(interactions, threads=threads).space for threads in (1, 2)]
    assert spaces[0].space_id == spaces[1].space_id
    assert spaces[0].user_vectors.tobytes() == spaces[1].user_vectors.tobytes()
    assert model(factors=24, passes=3, samples=64, seed=1).fit(interactions).space.space_id != spaces[0].space_id


@pytest.mark.parametrize("model", [*MODELS, lambda **fields: VectorExp(item_biases=False, counts="linear", **fields)])
def test_the_profile_of_a_history_is_the_vector_of_training(interactions, model):
    fitted = model(factors=12).fit(interactions)
    trained = fitted.space.user_vectors
    np.testing.assert_allclose(fitted.profiles(interactions), trained, atol=2e-3 * np.abs(trained).max())


@pytest.mark.parametrize("model", MODELS)
def test_an_empty_history_gets_what_is_popular(interactions, model):
    fitted = model(factors=8, passes=2).fit(interactions)
    nobody = interactions.histories(Ids.of(["nobody"]))
    assert fitted.profiles(nobody).tolist() == [[0.0] * 8 + [1.0]]
    found = fitted.recommend(nobody, 45)
    assert found.rows[0].tolist() == np.lexsort((np.arange(45), -fitted.space.item_vectors[:, -1])).tolist()


@pytest.mark.parametrize("model", MODELS)
def test_settings_that_a_fit_resolves_must_be_there(interactions, model):
    fitted = model(factors=8, passes=1).fit(interactions)
    open_settings = {**fitted.settings, "regularization": None}
    unresolved = dataclasses.replace(fitted, space=dataclasses.replace(fitted.space, settings=open_settings))
    with pytest.raises(ArtifactError, match="without the settings"):
        unresolved.profiles(interactions)


@pytest.mark.parametrize("model", MODELS)
def test_an_item_that_nobody_played_is_no_likelier_than_any_other(rng, interactions, model):
    # With tastes this clear the biases of all items end below where they began.
    for plays in (interactions, planted(rng, 8, 0)):
        space = model(factors=8).fit(without_plays_of(plays, 7)).space
        assert not space.points[7].any()
        assert space.item_vectors[7, -1] == space.item_vectors[:, -1].min()
    assert not model(factors=8).fit(without_plays_of(interactions, 7)).similar(["i03"], 5).rows[0].tolist().count(7)


@pytest.mark.parametrize("model", MODELS)
def test_progress_rises_to_the_end(interactions, model):
    told = []
    model(factors=8, passes=3).fit(interactions, progress=lambda done, total, unit: told.append((done, total, unit)))
    assert told == [(done, 7, "half-passes") for done in range(8)]


def test_the_regularization_is_a_share_of_the_edge_of_noise():
    # Counts with squares of 64 together, on 4 users and 16 items: the edge is sqrt(16) + sqrt(4) = 6. Totals of 4 and
    # 1 to the power .5 pull by 2 and 1, of geometric mean sqrt(2). A user without counts does not matter.
    found = likelihood.noise_edge(np.full(16, 2.0, np.float32), np.array([4.0] * 4 + [0]), np.ones(16), 0.5)
    assert found == pytest.approx(6 / np.sqrt(2))


def test_noise_alone_teaches_nothing(rng):
    # Twice the share at which the strongest direction of mere noise would begin to be learned.
    keys = rng.choice(400 * 400, 8000, replace=False)
    interactions = Interactions.from_counts(
        [f"u{key // 400}" for key in keys], [f"i{key % 400}" for key in keys], np.ones(8000)
    )
    taken = VectorExp(factors=8).fit(interactions).settings["regularization"]
    lengths = [
        np.linalg.norm(VectorExp(factors=8, passes=20, regularization=times * taken).fit(interactions).space.points)
        for times in (1, 1.3 / VectorExp().settings.noise)
    ]
    assert lengths[1] < 0.02 * lengths[0]
