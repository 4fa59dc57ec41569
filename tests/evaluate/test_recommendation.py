"""Metrics compared with lists worked out by hand, with an oracle and with chance."""

import numpy as np
import pytest

from crossfade.core.errors import InputError
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import VectorSpace
from crossfade.evaluate.recommendation import evaluate
from crossfade.evaluate.splits import random_holdout, strong_generalisation
from crossfade.models.cooccurrence import Cooccurrence
from crossfade.models.factors import FittedItems
from crossfade.models.popularity import Popularity

PERFECT = ("recall", "capped_recall", "precision", "ndcg", "map", "mrr", "hit_rate")


def played(pairs, **counts):
    users, items = zip(*pairs, strict=True)
    return Interactions.from_counts(users, items, [counts.get(user + item, 1) for user, item in pairs])


def fitted_of(space):
    return FittedItems(space=space, support=np.ones(len(space.item_ids), dtype=np.int64))


def model_of(scores, users, items):
    """A model by which user u scores item i with scores[u, i]."""
    return fitted_of(
        VectorSpace(
            model="given",
            kind="artist",
            metric="dot",
            item_ids=Ids.of(items),
            item_vectors=np.ascontiguousarray(np.asarray(scores, dtype=np.float32).T),
            user_ids=Ids.of(users),
            user_vectors=np.eye(len(users), dtype=np.float32),
        )
    )


def test_the_percentile_rank_by_hand():
    train = played([("u", "a"), ("v", "b")])
    test = played([("u", "c"), ("u", "d"), ("v", "e")], uc=3)
    items = "abcde"
    # u's candidates are b to e: c is first, d shares places 2 and 3 with e; v's are a and c to e, all equal.
    model = model_of([[9, 1, 8, 5, 5], [2, 9, 2, 2, 2]], "uv", items)
    report = evaluate(model, train, test, 2)
    assert report.per_user["percentile_rank"] == pytest.approx([(3 * 0 + 1 * 0.5) / 4, 0.5])


def test_a_model_that_knows_the_answer_is_perfect(rng):
    scores = rng.random((20, 30))
    users, items = [f"u{row:02d}" for row in range(20)], [f"i{row:02d}" for row in range(30)]
    best = np.argsort(-scores, axis=1)
    train = played([(users[u], items[i]) for u in range(20) for i in best[u, :3]])
    test = played([(users[u], items[i]) for u in range(20) for i in best[u, 3:8]])
    report = evaluate(model_of(scores, users, items), train, test, 5)
    assert {report.estimates[f"{name}@5"].value for name in PERFECT} == {1.0}
    # Ranks 0 to 4 of 27 candidates.
    assert report.estimates["percentile_rank"].value == pytest.approx(2 / 26)


def test_chance_finds_k_of_all_items(rng):
    users, items = [f"u{row:03d}" for row in range(400)], [f"i{row:03d}" for row in range(200)]
    pairs = [(user, items[item]) for user in users for item in rng.choice(200, 12, replace=False)]
    split = random_holdout(played(pairs), 0.5, rng)
    report = evaluate(model_of(rng.random((400, 200)), users, items), split.train, split.test, 20)
    # 20 of 194 candidates; 2,400 test pairs make a standard error of 0.006. Six test items among 194.
    assert report.estimates["recall@20"].value == pytest.approx(20 / 194, abs=0.02)
    assert report.estimates["precision@20"].value == pytest.approx(6 / 194, abs=0.006)
    missed = np.prod([(174 - place) / (194 - place) for place in range(6)])
    assert report.estimates["hit_rate@20"].value == pytest.approx(1 - missed, abs=0.07)
    for one in report.slices:
        assert one.estimates["recall@20"].value == pytest.approx(20 / 194, abs=0.06)
    assert report.estimates["percentile_rank"].value == pytest.approx(0.5, abs=0.02)


def test_train_items_are_never_candidates():
    train, test = played([("u", "a")]), played([("u", "b")])
    report = evaluate(model_of([[9, 1, 5]], "u", "abc"), train, test, 2)
    assert report.estimates["recall@2"].value == 1
    assert report.totals["coverage@2"] == pytest.approx(2 / 3)


def test_train_and_test_may_have_ids_of_their_own():
    train = played([("u", "a"), ("x", "z")])
    test = played([("u", "b"), ("u", "unheard"), ("nobody", "b")])
    report = evaluate(model_of([[9, 1, 5], [1, 1, 1]], "uv", "abc"), train, test, 2)
    assert report.users == 1
    assert report.skipped == 1
    assert report.estimates["recall@2"].value == 0.5


def test_a_model_by_cosine_is_ranked_by_cosine():
    train, test = played([("u", "a"), ("v", "a")]), played([("u", "b")])
    vectors = np.array([[1, 0], [1, 0.1], [5, 5]], np.float32)
    space = VectorSpace(
        model="given",
        kind="artist",
        metric="cosine",
        item_ids=Ids.of("abc"),
        item_vectors=vectors,
        user_ids=Ids.of("uv"),
        user_vectors=np.array([[1, 0], [0, 1]], np.float32),
    )
    report = evaluate(fitted_of(space), train, test, 1)
    assert report.estimates["recall@1"].value == 1
    assert report.estimates["percentile_rank"].value == 0


def test_a_model_without_users_is_asked_with_their_histories():
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], np.float32)
    model = fitted_of(
        VectorSpace(model="given", kind="artist", metric="cosine", item_ids=Ids.of("abcd"), item_vectors=vectors)
    )
    train = played([("u", "a"), ("v", "c"), ("w", "c")])
    report = evaluate(model, train, played([("u", "b"), ("v", "d"), ("x", "a")]), 1)
    assert (report.users, report.skipped) == (2, 1)
    assert report.estimates["recall@1"].value == 1
    assert report.estimates["percentile_rank"].value == 0


def test_users_that_a_model_was_not_fitted_on_are_asked_with_what_is_shown(rng):
    # Three tastes of ten items; the users of a strong split get the rest of their own.
    pairs = [(f"u{user:02d}", f"{user % 3}{item}") for user in range(60) for item in rng.choice(10, 8, replace=False)]
    split = strong_generalisation(played(pairs), 12, 0.25, rng)
    model = Cooccurrence(factors=8).fit(split.train)
    report = evaluate(model, split.train, split.test, 4, shown=split.shown)
    assert (report.users, report.skipped) == (12, 0)
    # Of the four items of their taste that are not shown two are hidden, and ranked among 24.
    assert report.estimates["recall@4"].value == 1
    assert report.estimates["percentile_rank"].value < 3 / 23
    # Without them, whom the model was fitted on without a history has nothing that leads anywhere.
    assert evaluate(model, split.train, split.test, 4).estimates["recall@4"].value < 0.5


def test_the_order_of_users_does_not_matter(rng):
    scores = rng.random((10, 15))
    items = [f"i{row:02d}" for row in range(15)]
    pairs = [(u, int(i)) for u in range(10) for i in rng.choice(15, 6, replace=False)]
    values = []
    for names in (list("abcdefghij"), list("jihgfedcba")):
        whole = played([(names[u], items[i]) for u, i in pairs])
        in_order = scores[np.argsort(names)]
        train = played([(names[u], items[i]) for n, (u, i) in enumerate(pairs) if n % 2])
        assert whole.pairs == 60
        test = played([(names[u], items[i]) for n, (u, i) in enumerate(pairs) if not n % 2])
        report = evaluate(model_of(in_order, names, items), train, test, 5)
        values.append({name: estimate.value for name, estimate in report.estimates.items()})
    assert values[0] == pytest.approx(values[1])


def test_what_cannot_be_evaluated_is_refused():
    train, test = played([("u", "a")]), played([("u", "b")])
    model = model_of([[9, 1]], "u", "ab")
    with pytest.raises(InputError, match="place"):
        evaluate(model, train, test, 0)
    with pytest.raises(InputError, match="nobody to recommend to"):
        evaluate(model, train, played([("w", "b")]))
    with pytest.raises(InputError, match="tracks"):
        evaluate(model, train, Interactions.from_counts(["u"], ["b"], [1], kind="track"))


def test_repeats_are_measured_among_the_own_history_alone():
    train = played([("u", "a"), ("u", "b"), ("u", "c"), ("v", "a")])
    test, repeats = played([("u", "d"), ("v", "b")]), played([("u", "c")])
    # d is u's best of all, c the second best of what u had played.
    model = model_of([[1, 9, 5, 20], [1, 2, 3, 4]], "uv", "abcd")
    report = evaluate(model, train, test, 2, repeats=repeats)
    assert (report.users, report.repeats.users) == (2, 1)
    assert report.per_user["recall@2"].tolist() == [1, 0]
    assert report.repeats.estimates["recall@2"].value == 1
    assert report.repeats.estimates["mrr@2"].value == 1 / 2
    assert evaluate(model, train, test, 2).repeats is None


def test_slices_divide_test_items_and_users(rng):
    """Of users with 2, 4, 6 and 8 items those with more than 5 are right; all test items are of the rarest group."""
    users = [f"u{row}" for row in range(8)]
    items = [f"i{row:02d}" for row in range(20)]
    train = played([(user, items[item]) for row, user in enumerate(users) for item in range(2 * (row // 2 + 1))])
    test = played([(user, "i19") for user in users])
    scores = np.zeros((8, 20))
    scores[4:, 19] = 1
    slices = evaluate(model_of(scores, users, items), train, test, 1).slices
    lengths = [(one.name, one.users, one.estimates["recall@1"].value) for one in slices if one.by == "history"]
    assert lengths == [("2 items", 2, 0), ("4 items", 2, 0), ("6 items", 2, 1), ("8 items", 2, 1)]
    rarest, *others = [one for one in slices if one.by == "decile"]
    assert (rarest.name, rarest.users, rarest.estimates["recall@1"].value) == ("1", 8, 0.5)
    assert not any(one.users or one.estimates for one in others)
    assert sum(one.exposure for one in slices if one.by == "decile") == pytest.approx(1)


def test_a_report_is_read_at_a_glance_and_compared_user_by_user():
    plays = played([("ann", "x"), ("ann", "y"), ("bob", "x"), ("bob", "z")])
    test = played([("ann", "z"), ("bob", "y")])
    right = evaluate(model_of([[0, 0, 1], [0, 1, 0]], ["ann", "bob"], "xyz"), plays, test, k=1)
    wrong = evaluate(model_of([[0, 0, -1], [0, -1, 1]], ["ann", "bob"], "xyz"), plays, test, k=1)
    heading, first, *rest = repr(right).splitlines()
    assert heading == "Report(given: 2 users, lists of 1)"
    assert first == "  recall@1          1.0000 [1.0000, 1.0000]"
    assert rest[-1].startswith("  gini@1")
    assert list(right.asked) == ["ann", "bob"]
    assert right.minus(wrong)["recall@1"].value == right.per_user["recall@1"].mean() - wrong.per_user["recall@1"].mean()
    without = evaluate(fitted_of(model_of([[0, 0, 1]] * 2, ["ann", "bob"], "xyz").space), plays, test, 1, shown=plays)
    assert without.minus(right).keys() == right.estimates.keys() == right.per_user.keys() - {"diversity@1"}
    fewer = evaluate(model_of([[0, 0, 1]], ["ann"], "xyz"), plays, test, k=1)
    for other in (fewer, evaluate(model_of([[0, 0, 1], [0, 1, 0]], ["ann", "bob"], "xyz"), plays, test, k=2)):
        with pytest.raises(InputError, match="cannot be compared"):
            right.minus(other)


@pytest.mark.parametrize("wrong", [None, np.ones((2, 2)), "test"])
def test_only_interactions_are_evaluated_on(wrong):
    plays = played([("ann", "x")])
    model = model_of([[1.0]], ["ann"], "x")
    for train, test in ((wrong, plays), (plays, wrong)):
        with pytest.raises(InputError, match="train, shown and test are Interactions"):
            evaluate(model, train, test)


def test_popularity_meets_its_published_values(shared_data):
    """Recall@20 .1161 and NDCG@20 .1176 are published for this split of MovieLens-1M."""

    def read(name):
        lines = (line.split() for line in (shared_data / "movielens1m-m1" / name).read_text().splitlines())
        return played([(user, item) for user, *items in lines for item in items])

    train, test = read("train.txt"), read("test.txt")
    report = evaluate(Popularity().fit(train), train, test, 20)
    assert round(report.estimates["recall@20"].value, 4) == 0.1161
    assert round(report.estimates["ndcg@20"].value, 4) == 0.1176
    assert report.users == 6022
