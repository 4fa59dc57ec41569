"""Cases that compare a blend with its models: what is asked for is in nothing that is learned from."""

import numpy as np
import pytest

from benchmarks import eight_one_one, sparse
from benchmarks.case import run_case
from benchmarks.record import Record
from crossfade.core.interactions import Interactions

MODELS = ("cooccurrence", "popularity")


def small(case, tmp_path, *words):
    words = [*words, "--models", *MODELS, "--threads", "1", "--no-limits", "--output", str(tmp_path / "record.json")]
    run_case(case.__doc__, case.options, case.measure, arguments=words)
    return Record.read(tmp_path / "record.json").comparisons[0]


def pairs(interactions):
    users = np.repeat(np.arange(len(interactions.user_ids)), np.diff(interactions.indptr))
    return set(zip(users.tolist(), interactions.indices.tolist(), strict=True))


def test_eight_of_ten_artists_are_learned_from_and_one_is_asked_for(planted, tmp_path, monkeypatch):
    seen = []
    without = eight_one_one.without
    monkeypatch.setattr(
        eight_one_one,
        "without",
        lambda model, split, other, k: seen.append((split, other)) or without(model, split, other, k),
    )
    found = small(eight_one_one, tmp_path, "--data", str(planted), "-k", "5")
    assert [side.name for side in found.sides] == ["blend", *MODELS]
    split, other = seen[0]
    train, asked, validation = (pairs(one) for one in (split.train, split.test, other))
    assert len(train) + len(asked) + len(validation) == len(train | asked | validation) == 1200
    assert len(train) / 1200 == pytest.approx(0.8, abs=0.05)
    assert len(asked) / len(validation) == pytest.approx(1, abs=0.3)
    for side in found.sides:
        # What is left out of the masked lists can only miss.
        assert side.figures["masked ndcg@5"][0] >= side.figures["ndcg@5"][0]
        assert ("blend minus it, masked ndcg@5" in side.figures) == (side.name != "blend")
    assert found.side("blend").figures["masked ndcg@5"][0] > found.side("blend").figures["ndcg@5"][0]
    small(eight_one_one, tmp_path, "--data", str(planted), "-k", "5", "--validate")
    assert pairs(seen[-1][0].test) == validation
    assert pairs(seen[-1][1]) == asked


def test_sets_are_thinned_by_users_and_by_items():
    names = [(f"u{user}", f"i{item}") for user in range(4) for item in range(user, user + 7)] + [
        ("few", "i3"),
        ("u0", "once"),
    ]
    whole = Interactions.from_counts(*zip(*names, strict=True))
    found = sparse.thinned(whole, None, 0)
    # i0 and i9, the ends, have one user; whoever has fewer than five items is not there.
    assert [*found.user_ids] == ["u0", "u1", "u2", "u3"]
    assert [*found.item_ids] == [f"i{item}" for item in range(1, 9)]
    assert np.diff(sparse.thinned(whole, 6, 0).indptr).max() <= 6
    assert np.all(found.weights == 1)


def test_a_line_of_column_names_is_no_pair(planted):
    assert sparse.pairs_of(planted / "user_artists.dat").pairs == 1200


@pytest.mark.slow
def test_sparse_sets_show_defaults_searched_and_tuned_settings(planted, tmp_path, monkeypatch):
    pytest.importorskip("optuna", reason="crossfade tune needs Optuna")
    monkeypatch.setattr(sparse, "SETS", {"planted": ("user_artists.dat", 10)})
    found = small(sparse, tmp_path, "--data", str(planted), "--sets", "planted", "--trials", "3")
    assert found.what["users"] == 100
    assert found.what["pairs to learn from"] <= 800
    figures = {side.name: {*side.figures} for side in found.sides}
    assert {"default recall@20", "searched recall@20", "tuned ndcg@20"} <= figures["cooccurrence"]
    assert "tuned ndcg@20" not in figures["popularity"]
    assert figures["blend"] == {"searched recall@20", "searched ndcg@20"}
