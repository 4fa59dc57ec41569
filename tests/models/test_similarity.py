"""Spaces of similarities: their answers against dense arithmetic, and all that a space must do."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.csr import CSR
from crossfade.core.errors import ArtifactError, InputError, NotReadyError, UnknownIdError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.evaluate.recommendation import evaluate_space
from crossfade.models.cooccurrence import Cooccurrence
from crossfade.models.ease import EASE
from crossfade.models.registry import load_space
from crossfade.models.similarity import SimilaritySpace
from crossfade.nearest.exact import ExactIndex


@pytest.fixture
def interactions(rng):
    """50 users of three tastes, 5,000 items so that scores fall into more than one stretch; most are never played."""
    rows = [(user, item) for user in range(50) for item in (user % 3) * 20 + rng.choice(20, 8, replace=False)]
    played = Interactions.from_counts(
        [f"u{user:02d}" for user, _ in rows], [f"i{item:04d}" for _, item in rows], rng.geometric(0.3, len(rows))
    )
    item_ids = Ids.of([*played.item_ids, *(f"j{number:04d}" for number in range(4940))])
    return dataclasses.replace(played, item_ids=item_ids)


@pytest.fixture(params=["sparse", "dense"])
def space(request, rng, interactions):
    """A space with lists of ten items, or with a number for all pairs."""
    sparse = Cooccurrence(neighbours=10, factors=8).fit(interactions)
    if request.param == "sparse":
        return sparse
    dense = (rng.standard_normal((5000, 5000)) * (rng.random((5000, 5000)) < 0.3)).astype(np.float32)
    np.fill_diagonal(dense, 0)
    return dataclasses.replace(sparse, similarities=dense, space_id="")


def similarities(space):
    found = space.similarities
    if not isinstance(found, CSR):
        return np.asarray(found, dtype=np.float64)
    dense = np.zeros((len(space.item_ids),) * 2)
    dense[np.repeat(np.arange(len(dense)), np.diff(found.indptr)), found.indices] = found.values
    return dense


def expected_scores(space, interactions):
    return np.log1p(interactions.matrix().toarray().astype(np.float64)) @ similarities(space)


def expected_lists(scores, k):
    order = np.lexsort((np.broadcast_to(np.arange(scores.shape[1]), scores.shape), -scores))[:, :k]
    return order, np.take_along_axis(scores, order, axis=1)


def test_scores_are_sums_over_the_history(space, interactions):
    users = np.array([7, 0, 49, 7], dtype=np.int32)
    found = space.scores(users)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected_scores(space, interactions)[users], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("threads", [1, 3])
def test_recommendations_are_the_best_scores_and_ties_by_row(space, interactions, threads):
    names = ["u03", "u40", "u03"]
    rows = interactions.user_ids.rows(names)
    scores = space.scores(rows)
    found = space.recommend(names, 30, threads=threads)
    order, best = expected_lists(scores, 30)
    # Where few items score at all, the rest of the list is made of those that score nothing, by row.
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_array_equal(found.scores, best)


def test_nothing_is_given_that_may_not_be(space, interactions):
    scores = space.scores(np.arange(50, dtype=np.int32))
    scores[interactions.matrix().toarray() > 0] = -np.inf
    users = list(space.user_ids)
    found = space.recommend(users, 25, exclude=interactions)
    order, best = expected_lists(scores, 25)
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_array_equal(found.scores, best)
    barred = [space.item_ids[int(row)] for row in order[0][:3]]
    without = space.recommend(users[:1], 22, exclude=interactions, exclude_items=[*barred, "nothing"])
    np.testing.assert_array_equal(without.rows[0], order[0][3:])
    among = space.recommend(users[:1], 5, exclude=interactions, allowed_items=[*barred[::-1], "nothing"])
    assert among.rows[0].tolist() == [*order[0][:3], MISSING, MISSING]
    assert among.scores[0, 3] == -np.inf


def test_newcomers_get_what_a_user_with_their_history_gets(space, interactions):
    known = space.recommend(list(space.user_ids), 12, exclude=interactions)
    new = space.recommend_newcomers(interactions, 12, exclude=interactions)
    np.testing.assert_array_equal(known.rows, new.rows)
    np.testing.assert_array_equal(known.scores, new.scores)
    span = interactions.of_user(4)
    items = interactions.item_ids.select(interactions.indices[span])
    one = space.recommend_items(items[::-1], interactions.weights[span][::-1], 12, exclude_items=items)
    np.testing.assert_array_equal(one.rows[0], known.rows[4])
    # Rows of their own, and an item that the space has never heard of.
    other = Interactions.from_counts(["new"] * (len(items) + 1), [*items, "aha"], [*interactions.weights[span], 7])
    np.testing.assert_array_equal(space.recommend_newcomers(other, 12, exclude=other).rows[0], known.rows[4])


def test_newcomers_that_mean_nothing_are_refused(space):
    with pytest.raises(UnknownIdError, match="'aha'"):
        space.recommend_items(["aha"], [1.0], 3)
    with pytest.raises(InputError, match="above zero"):
        space.recommend_items(["i0000"], [0.0], 3)
    with pytest.raises(InputError, match="played nothing"):
        space.recommend_items([], [], 3)
    with pytest.raises(InputError, match="tracks"):
        space.recommend_newcomers(Interactions.from_counts(["a"], ["b"], [1], kind="track"), 3)
    for ask in (lambda: space.recommend(["u00"], 0), lambda: space.similar(["i0000"], 0)):
        with pytest.raises(InputError, match="at least 1"):
            ask()


def test_similar_items_are_the_largest_similarities(space):
    dense = similarities(space)
    names = ["i0030", "i0005", "i0030"]
    rows = space.item_ids.rows(names)
    scores = np.where(np.arange(5000) == rows[:, None], -np.inf, dense[rows])
    order, best = expected_lists(scores, 6)
    found = space.similar(names, 6)
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_array_equal(found.scores, best.astype(np.float32))
    barred = [space.item_ids[int(row)] for row in order[1][:2]]
    some = space.similar(names[1:2], 4, exclude_items=barred)
    np.testing.assert_array_equal(some.rows[0], order[1][2:])
    among = space.similar(names[1:2], 3, allowed_items=[*barred, "i0005"])
    assert among.rows[0].tolist() == [*order[1][:2], MISSING]


def test_lists_that_end_early_are_padded(interactions):
    space = Cooccurrence(neighbours=3, factors=8).fit(interactions)
    found = space.similar(["i0001", "j0001"], 5)
    assert found.rows[0, 3:].tolist() == [MISSING, MISSING]
    assert found.rows[1].tolist() == [MISSING] * 5
    assert np.all(found.scores[1] == -np.inf)


def test_an_index_searches_the_vectors(space):
    index = ExactIndex.build(space, "dot")
    found = space.recommend(["u03"], 5, index=index)
    products = space.user_vectors[3] @ space.item_vectors.T
    np.testing.assert_allclose(found.scores[0], np.sort(products)[::-1][:5], rtol=1e-5)
    assert space.similar(["i0003"], 2, index=ExactIndex.build(space, "cosine")).rows.shape == (1, 2)


def test_a_saved_space_answers_the_same(space, interactions, tmp_path):
    space.save(tmp_path)
    loaded = load_space(tmp_path)
    assert type(loaded) is SimilaritySpace
    assert loaded.space_id == space.space_id
    for ask in (
        lambda one: one.recommend(["u00", "u21"], 9, exclude=interactions),
        lambda one: one.similar(["i0011"], 9),
    ):
        np.testing.assert_array_equal(ask(loaded).rows, ask(space).rows)
        np.testing.assert_array_equal(ask(loaded).scores, ask(space).scores)
    np.testing.assert_array_equal(loaded.scores(np.array([2])), space.scores(np.array([2])))


def test_every_part_is_in_the_id_of_the_space(space):
    part = space.similarities.values if isinstance(space.similarities, CSR) else space.similarities
    changed = part.copy()
    changed.reshape(-1)[5] += 1
    similar = space.similarities._replace(weights=changed) if isinstance(space.similarities, CSR) else changed
    weights = space.histories.values.copy()
    weights[5] += 1
    ids = {
        space.space_id,
        dataclasses.replace(space, space_id="").space_id,
        dataclasses.replace(space, similarities=similar, space_id="").space_id,
        dataclasses.replace(space, histories=space.histories._replace(weights=weights), space_id="").space_id,
    }
    assert len(ids) == 3


def test_what_is_damaged_on_disk_is_refused(space, tmp_path):
    space.save(tmp_path)
    np.save(tmp_path / "histories_indices.npy", np.zeros(3, dtype=np.int32))
    with pytest.raises(ArtifactError, match="histories"):
        load_space(tmp_path)
    with pytest.raises(ArtifactError, match="do not fit"):
        dataclasses.replace(space, similarities=np.zeros((3, 3), dtype=np.float32))


def test_a_space_without_users_knows_none(space):
    nobody = CSR(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))
    alone = dataclasses.replace(space, user_ids=None, user_vectors=None, histories=nobody, space_id="")
    with pytest.raises(NotReadyError):
        alone.recommend(["u00"], 1)
    with pytest.raises(NotReadyError):
        alone.scores(np.array([0]))
    assert alone.recommend_items(["i0003"], [1.0], 3).rows.shape == (1, 3)


def test_a_space_of_one_user_gives_them_the_same(space, interactions):
    alone = space.only("u17")
    assert list(alone.user_ids) == ["u17"]
    found = alone.recommend(["u17"], 9, exclude=interactions)
    np.testing.assert_array_equal(found.rows, space.recommend(["u17"], 9, exclude=interactions).rows)
    np.testing.assert_array_equal(alone.user_vectors[0], space.user_vectors[17])
    stranger = space.only("zoe")
    assert not stranger.user_vectors.any()
    assert not stranger.scores(np.array([0])).any()


def test_spaces_are_measured_by_what_they_say(rng, interactions):
    held = rng.random(interactions.pairs) < 0.2
    names = np.array(list(interactions.user_ids))[np.repeat(np.arange(50), np.diff(interactions.indptr))]
    items = np.array(interactions.item_ids.select(interactions.indices))
    train, test = (
        Interactions.from_counts(names[part].tolist(), items[part].tolist(), interactions.weights[part])
        for part in (~held, held)
    )
    for space in (Cooccurrence(factors=8).fit(train), EASE(factors=8).fit(train)):
        report = evaluate_space(space, train, test, 12)
        # Users have a taste of 20 items, of which the 12 or so that they do not have are the best.
        assert report.estimates["recall@12"].value > 0.8
        assert report.estimates["percentile_rank"].value < 0.25
