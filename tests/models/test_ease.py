"""EASE: the closed form against the least-squares problem that it solves."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.errors import InputError, SettingsError
from crossfade.core.interactions import Interactions
from crossfade.kernels.inverse import invert
from crossfade.models.ease import EASE, EASESettings, default_regularization


@pytest.fixture
def interactions(rng):
    """80 users, 40 items, 900 pairs."""
    keys = rng.choice(80 * 40, 900, replace=False)
    return Interactions.from_counts(
        [f"u{key // 40:02d}" for key in keys], [f"i{key % 40:02d}" for key in keys], rng.geometric(0.3, 900)
    )


@pytest.mark.parametrize("damping", ["binary", "log", "none"])
@pytest.mark.parametrize("precision", ["single", "double"])
def test_the_solution_is_the_optimum_with_a_diagonal_of_zeros(interactions, damping, precision):
    space = EASE(regularization=3.0, damping=damping, precision=precision, factors=8).fit(interactions)
    solved = space.similarities.astype(np.float64)
    plays = interactions.matrix().toarray().astype(np.float64)
    known = {"binary": (plays > 0).astype(float), "log": np.log(1 + plays), "none": plays}[damping]
    gradient = known.T @ (known @ solved - known) + 3.0 * solved
    off = ~np.eye(40, dtype=bool)
    assert np.abs(gradient[off]).max() < 1e-5 * np.abs(known.T @ known).max()
    assert np.all(np.diag(solved) == 0)
    # The same by least squares, one item at a time: rows of √λ stand for the penalty.
    for item in (0, 17, 39):
        others = np.delete(np.arange(40), item)
        rows = np.vstack([known[:, others], np.sqrt(3.0) * np.eye(39)])
        wanted = np.concatenate([known[:, item], np.zeros(39)])
        np.testing.assert_allclose(solved[others, item], np.linalg.lstsq(rows, wanted, rcond=None)[0], atol=2e-5)


def test_a_user_s_score_is_their_row_times_the_solution(interactions):
    space = EASE(factors=8).fit(interactions)
    known = (interactions.matrix().toarray() > 0).astype(np.float64)
    np.testing.assert_allclose(space.scores(np.arange(80)), known @ space.similarities.astype(np.float64), atol=1e-5)


def test_lambda_follows_the_noise_of_the_data(interactions):
    # 900 ones on 80 users and 40 items: 0.6 · (√(900 / 80) + √(900 / 40))² = 0.6 · 900 · (80^-½ + 40^-½)².
    expected = 0.6 * (np.sqrt(900 / 80) + np.sqrt(900 / 40)) ** 2
    assert default_regularization(np.ones(900, dtype=np.float32), (80, 40)) == pytest.approx(expected)
    space = EASE(factors=8).fit(interactions)
    assert space.settings["regularization"] == pytest.approx(expected)
    given = EASE(factors=8, regularization=expected).fit(interactions)
    np.testing.assert_allclose(given.similarities, space.similarities, atol=1e-6)


def test_precision_follows_the_condition(interactions, monkeypatch):
    used = []

    def noted(matrix, threads, **how):
        used.append(matrix.dtype)
        return invert(matrix, threads, **how)

    monkeypatch.setattr("crossfade.models.ease.invert", noted)
    EASE(factors=8, regularization=3.0).fit(interactions)
    EASE(factors=8, regularization=1e-3).fit(interactions)
    assert used == [np.float32, np.float64]


def test_what_cannot_be_inverted_is_said(interactions):
    # Two items that the same users have: without any penalty their columns are one and the same.
    users = [f"u{user}" for user in range(40)] * 2
    twins = Interactions.from_counts(users, ["a"] * 40 + ["b"] * 40, np.ones(80))
    with pytest.raises(InputError, match="raise it"):
        EASE(regularization=1e-30, precision="single").fit(twins)


def test_too_large_a_catalogue_is_refused_with_what_it_would_take(interactions):
    with pytest.raises(InputError, match=r"40 items would take 0\.0 to 0\.0 GB.*most_items = 39.*cooccurrence or als"):
        EASE(most_items=39).fit(interactions)
    wide = Interactions.from_counts(["u"] * 30_000, [f"{item:05d}" for item in range(30_000)], np.ones(30_000))
    with pytest.raises(InputError, match=r"3\.6 to 10\.8 GB"):
        EASE().fit(wide)


def test_threads_do_not_change_a_byte(interactions):
    assert (
        EASE(factors=8).fit(interactions, threads=1).space_id == EASE(factors=8).fit(interactions, threads=3).space_id
    )


def test_items_that_nobody_has_are_related_to_none(interactions):
    item_ids = type(interactions.item_ids).of([*interactions.item_ids, "z"])
    space = EASE(factors=8).fit(dataclasses.replace(interactions, item_ids=item_ids))
    assert not space.similarities[40].any()
    assert not space.similarities[:, 40].any()


def test_progress_reaches_its_total(interactions):
    told = []
    EASE(factors=8).fit(interactions, progress=lambda done, total, unit: told.append((done, total, unit)))
    assert told[-1] == (1, 1, "blocks")
    with pytest.raises(InputError, match="no interactions"):
        EASE().fit(Interactions.from_counts([], [], []))


@pytest.mark.parametrize(
    "wrong",
    [
        {"regularization": 0.0},
        {"regularization": float("nan")},
        {"damping": "sqrt"},
        {"most_items": 0},
        {"precision": "half"},
        {"factors": 7},
        {"seed": -1},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(SettingsError, match=name):
        EASESettings(**wrong)


def test_the_model_is_made_from_settings_or_keywords():
    assert EASE(most_items=20).settings == EASE(EASESettings(most_items=20)).settings
    with pytest.raises(SettingsError, match="no such setting"):
        EASE(items=20)
    with pytest.raises(SettingsError, match="not from both"):
        EASE(EASESettings(), most_items=20)
