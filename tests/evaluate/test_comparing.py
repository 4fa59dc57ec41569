"""Comparisons: what is asked for is fitted, on the same users, and comes out as tables, frames, plots and a page."""

import re
import threading
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

import crossfade
from crossfade import EASE, Blend, Cooccurrence, Interactions, Popularity
from crossfade.core.errors import InputError, SettingsError
from crossfade.evaluate import Comparison, Split, compare, evaluate, k_fold, random_holdout, strong_generalisation
from crossfade.evaluate.comparing import default_split, fittable, members_of
from crossfade.evaluate.fitting import Watch, part_of_users
from crossfade.evaluate.plots import PLOTS, ticks
from crossfade.models.registry import model_class


@pytest.fixture(scope="module")
def interactions():
    """60 users of two tastes with 8 of 12 items each; everybody plays a thirteenth."""
    rng = np.random.default_rng(7)
    pairs = [(u, 12 * (u % 2) + int(i)) for u in range(60) for i in rng.choice(12, 8, replace=False)]
    pairs += [(u, 24) for u in range(60)]
    return Interactions.from_counts([f"u{u:02d}" for u, _ in pairs], [f"i{i:02d}" for _, i in pairs])


@pytest.fixture(scope="module")
def split(interactions):
    return random_holdout(interactions, 0.25, np.random.default_rng(1))


@pytest.fixture(scope="module")
def compared(split):
    return crossfade.evaluate(["popularity", "ease"], split, k=5, curves=True)


def test_a_comparison_has_what_each_model_has_by_itself(split, compared):
    assert isinstance(compared, Comparison)
    assert list(compared) == ["popularity", "ease"]
    for name, model in (("popularity", Popularity()), ("ease", EASE())):
        alone = evaluate(model.fit(split.train), split.train, split.test, 5)
        assert compared[name].estimates == alone.estimates
        assert compared[name].totals == alone.totals
    gain = compared.differences()["ease"]["recall@5"]
    assert gain == compared.minus("ease", "popularity")["recall@5"]
    assert gain.value > 0
    assert gain.differs


def test_models_are_names_models_or_fitted_ones(split):
    fitted = Popularity().fit(split.train)
    found = compare([EASE(regularization=5.0), "ease", fitted], split, k=5, settings={"ease": {"regularization": 7.0}})
    assert list(found) == ["ease", "ease 2", "popularity"]
    assert [trial.settings.get("regularization") for trial in found.trials.values()] == [5.0, 7.0, None]
    assert found.trials["popularity"].model is fitted
    assert list(compare({"strong": EASE(regularization=500.0)}, split, k=5)) == ["strong"]
    assert list(compare("popularity", split, k=5)) == ["popularity"]


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_result_does_not_depend_on_what_ran_beside(split, compared, jobs):
    again = compare(["popularity", "ease"], split, k=5, jobs=jobs, memory_bytes=1)
    assert [again[name].estimates for name in again] == [compared[name].estimates for name in compared]
    assert (again.trials["ease"].peak_bytes is None) == (jobs > 1)


def test_fits_take_turns_where_memory_is_short(split):
    """Two fits that each take all of it are never under way together."""
    running, most, lock = [0], [0], threading.Lock()

    def begun(name, title):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        return lambda done, total, unit: None

    class Slow(Popularity):
        def fit(self, *arguments, **options):
            fitted = super().fit(*arguments, **options)
            threading.Event().wait(0.05)
            with lock:
                running[0] -= 1
            return fitted

    compare({"one": Slow(), "two": Slow()}, split, k=5, jobs=2, memory_bytes=1, watch=Watch(begun=begun))
    assert most == [1]
    compare({"one": Slow(), "two": Slow()}, split, k=5, jobs=2, watch=Watch(begun=begun))
    assert most == [2]


def test_an_error_ends_the_other_fits(split):
    class Broken(Popularity):
        def fit(self, *arguments, **options):
            raise InputError("broken")

    with pytest.raises(InputError, match="broken"):
        compare({"one": Broken(), "two": "popularity"}, split, k=5)


def test_interactions_are_split_by_time_where_they_have_times(interactions, rng):
    assert "hidden" in default_split(interactions).how
    np.testing.assert_array_equal(
        default_split(interactions, 3).test.indices, default_split(interactions, 3).test.indices
    )
    times = (1 + rng.permutation(interactions.pairs)).astype(np.uint32)
    timed = default_split(replace(interactions, last_played=times))
    assert timed.train.last_played.max() < timed.test.last_played.min()
    assert timed.test.pairs == pytest.approx(interactions.pairs / 5, abs=2)
    found = crossfade.evaluate("popularity", interactions, k=5)
    assert found.test_pairs == default_split(interactions).test.pairs


def test_something_is_left_to_fit_on_where_most_times_are_equal(interactions):
    times = np.where(np.arange(interactions.pairs) % 20, 7, 8).astype(np.uint32)
    split = default_split(replace(interactions, last_played=times))
    assert (split.train.last_played.max(), split.test.last_played.min()) == (7, 8)


def test_each_fold_is_fitted_with_settings_of_its_own(interactions, rng):
    folds = k_fold(interactions, 2, rng)
    settings = [{"ease": {"regularization": one}} for one in (3.0, 300.0)]
    found = compare("ease", folds, k=5, settings=settings)["ease"].per_user["recall@5"]
    alone = [compare("ease", fold, k=5, settings=one)["ease"] for fold, one in zip(folds, settings, strict=True)]
    np.testing.assert_allclose(found, np.mean([one.per_user["recall@5"] for one in alone], axis=0))
    with pytest.raises(InputError, match="1 splits do not fit 2"):
        compare("ease", folds, settings=settings[:1])


def test_folds_are_one_report_of_all_users(interactions, rng):
    folds = k_fold(interactions, 3, rng)
    found = compare(["popularity", "ease"], folds, k=5)
    assert (found.split, found.test_pairs) == ("3 folds", interactions.pairs)
    each = [compare("ease", fold, k=5)["ease"] for fold in folds]
    assert found["ease"].users == 60
    assert found["ease"].estimates["recall@5"].value == pytest.approx(
        np.mean([one.per_user["recall@5"] for one in each])
    )
    assert found.differences()["ease"]["recall@5"].value > 0


def test_new_users_are_asked_with_what_is_shown_of_them(interactions, rng):
    strong = strong_generalisation(interactions, 20, 0.25, rng)
    found = compare(["ease"], strong, k=5, curves=True)
    assert found["ease"].users == 20
    assert found.curves["ease"][-1].estimates["recall@5"] == found["ease"].estimates["recall@5"]


def test_fits_that_are_only_asked_for_scores_make_no_points(split, monkeypatch):
    fitted, fit = [], EASE.fit
    monkeypatch.setattr(
        EASE, "fit", lambda self, *of, **how: fitted.append(self.settings.factors) or fit(self, *of, **how)
    )
    compare([EASE(factors=16), Blend(models=("ease", "popularity"))], split, k=5, curves=True)
    # The parts of the curve and the cut of the blend, and the model that people get.
    assert sorted(fitted) == [0, 0, 0, 0, 16]


def test_curves_are_of_parts_that_contain_each_other(split, compared):
    parts = [part_of_users(split, share, 0) for share in (0.25, 0.5)]
    fewer, more = ({*np.flatnonzero(np.diff(part.train.indptr))} for part in parts)
    assert (len(fewer), len(more)) == (15, 30)
    assert fewer < more
    assert parts[0].shown is split.train
    shares = [(point.share, point.users) for point in compared.curves["ease"]]
    assert shares == [(0.25, 15), (0.5, 30), (0.75, 45), (1.0, 60)]
    assert compared.curves["ease"][-1].estimates["recall@5"].value > 0.5


def test_sequences_and_texts_are_those_of_the_split(split):
    with pytest.raises(InputError, match="texts"):
        compare("cultural", split)
    assert "cultural" not in compare(None, Split(train=split.train, test=split.test), k=5)


def test_numbers_become_frames(compared):
    frame = compared.to_pandas()
    assert frame.columns.tolist() == ["model", "part", "metric", "value", "low", "high", "users"]
    row = frame.query("model == 'ease' and part == '' and metric == 'recall@5'").iloc[0]
    assert (row["value"], row["low"]) == (compared["ease"].estimates["recall@5"].value, row["low"])
    assert set(frame["part"]) >= {"", "decile 10", "fitted on 25% of the users"}
    assert compared.to_polars().shape == frame.shape


def test_it_prints_as_a_table_and_shows_in_a_notebook(compared):
    heading, columns, *rows = repr(compared).splitlines()
    assert heading.startswith("60 users asked, 420 pairs of 60 users and 25 artists")
    assert columns.split() == ["model", "recall@5", "ndcg@5", "mrr@5", "coverage@5", "novelty@5", "diversity@5"]
    assert [row.split()[0] for row in rows] == ["popularity", "ease"]
    assert rows[1].split()[1] == f"{compared['ease'].estimates['recall@5'].value:.4f}"
    ElementTree.fromstring(f"<div>{compared._repr_html_().replace('class=block', '')}</div>")


def test_plots_are_drawings_with_a_mark_for_each_number(compared, tmp_path):
    for name in PLOTS:
        svg = compared.plot(name)._repr_svg_()
        ElementTree.fromstring(svg)
        assert "nan" not in svg
    marks = {name: compared.plot(name).svg.count("<circle") for name in PLOTS}
    with_items = {len([s for s in compared[name].slices if s.by == "decile" and s.estimates]) for name in compared}
    assert marks == {"strata": 2 * with_items.pop(), "curves": 8, "tradeoff": 2, "differences": 1}
    many = replace(compared, trials={f"model {n}": one for n, one in enumerate([*compared.trials.values()] * 5)})
    legend = [mark for mark in ElementTree.fromstring(many.plot("strata").svg) if mark.tag.endswith("rect")]
    assert len({(mark.get("fill"), mark.get("stroke")) for mark in legend}) == len(legend) == 10
    compared.plot("curves").save(tmp_path / "curves.svg")
    assert (tmp_path / "curves.svg").read_text() == compared.plot("curves").svg
    with pytest.raises(InputError, match="strata"):
        compared.plot("pie")


def test_the_page_loads_nothing_from_elsewhere(compared, tmp_path):
    compared.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    addresses = set(re.findall(r"https?://[^\"' ]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name of a vocabulary, which no browser loads
    assert "<script" not in page
    assert page.count("<svg") == 4
    for text in ("recall@5", "ease", "novelty@5", "by length of history", str(compared["ease"].estimates["ndcg@5"])):
        assert text in page


@pytest.mark.parametrize(
    ("least", "most", "expected"), [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (13, 98, [20, 40, 60, 80]), (-0.01, 0.02, None)]
)
def test_marks_of_axes_are_round(least, most, expected):
    found = ticks(least, most)
    assert all(least <= value <= most for value in found)
    assert 3 <= len(found) <= 7
    assert expected is None or found == expected


@pytest.mark.parametrize(
    ("models", "wrong", "error"),
    [
        (["alz"], None, SettingsError),
        ([], None, InputError),
        ([3], None, InputError),
        (["popularity"], [], InputError),
        (["popularity"], "split", InputError),
    ],
)
def test_what_cannot_be_compared_is_refused(split, models, wrong, error):
    with pytest.raises(error):
        compare(models, split if wrong is None else wrong)
    with pytest.raises(InputError, match="no 'als'"):
        compare([Cooccurrence()], split, k=5)["als"]


def test_a_blend_is_made_of_the_models_beside_it_and_each_is_fitted_once_on_train(split, monkeypatch):
    fitted = []
    plain = EASE.fit

    def counted(self, learned, **options):
        fitted.append((self.settings.regularization, learned.pairs))
        return plain(self, learned, **options)

    monkeypatch.setattr(EASE, "fit", counted)
    blend = Blend(models=("ease", "popularity"))
    compared = compare(["popularity", "ease", blend], split, k=5, settings={"ease": {"regularization": 7.0}})
    made = compared.trials["blend"].model
    assert made.members["ease"] is compared.trials["ease"].model
    assert [one for one, pairs in fitted if pairs == split.train.pairs] == [7.0]
    # Once more on what the weights are learned from, with the same settings.
    assert [one for one, pairs in fitted if pairs < split.train.pairs] == [7.0]
    alone = compare([blend], split, k=5, settings={"ease": {"regularization": 7.0}})
    assert alone["blend"].estimates == compared["blend"].estimates
    assert members_of(Blend(), split) == [
        name for name in fittable(split) if model_class(name).learns_from == "interactions" and name != "blend"
    ]
