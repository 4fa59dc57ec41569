"""What every registered model must do. A new model is tested here by its line in the registry alone."""

import dataclasses
import re
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.core.csr import CSR
from crossfade.core.errors import (
    ArtifactError,
    InputError,
    NotReadyError,
    SettingsError,
    SpaceMismatchError,
    UnknownIdError,
)
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.sequences import Sequences
from crossfade.core.settings import documented
from crossfade.core.texts import Texts
from crossfade.core.writings import SOURCES, Writings
from crossfade.models.blend_trees import Examples, Trees, grow, text_of
from crossfade.models.contract import ComparesItems, Fitted, missing_extra
from crossfade.models.registry import MODELS, load_fitted, model_class
from crossfade.nearest.contract import IndexSettings
from crossfade.nearest.exact import ExactIndex

BLOCKS, USERS, ITEMS, PLAYED = 4, 25, 12, 6
EVERYTHING = BLOCKS * ITEMS
SMALL = {"factors": 8, "subsampling": 0.0, "epochs": 20}
"""Settings for a small catalogue, where a model has them."""


def planted():
    """Four blocks of 25 users with 12 items: a user plays six items of the own block, long-tailed."""
    rng = np.random.default_rng(3)
    users, items = [], []
    for user in range(BLOCKS * USERS):
        block = user % BLOCKS
        users += [f"u{user:02d}"] * PLAYED
        items += [f"b{block}-{item:02d}" for item in rng.choice(ITEMS, PLAYED, replace=False)]
    return Interactions.from_counts(users, items, rng.geometric(0.3, len(users)))


PLAYS = planted()


def sequences_of(interactions):
    """Each history ten times over, in changing order."""
    rng = np.random.default_rng(4)
    rows = [rng.permutation(interactions.played(user)) for _ in range(10) for user in range(len(interactions.user_ids))]
    return Sequences(
        kind=interactions.kind,
        item_ids=interactions.item_ids,
        indptr=np.cumsum([0, *map(len, rows)]).astype(np.int64),
        indices=np.concatenate(rows).astype(np.int32),
    )


def writings_of(interactions):
    """Two tags for each item: its block's, which many wrote, and one that some items of other blocks have too."""
    ids = interactions.item_ids
    return Writings(
        kind=interactions.kind,
        item_ids=ids,
        names=Texts.of(["nobody"] * len(ids)),
        sources=np.full(2 * len(ids), SOURCES.index("tag"), dtype=np.uint8),
        items=np.repeat(np.arange(len(ids), dtype=np.int32), 2),
        counts=np.tile(np.array([9, 1], dtype=np.int64), len(ids)),
        texts=Texts.of([text for id_ in ids for text in (f"tag {id_[:2]}", f"tag {id_[-1]}")]),
    )


INPUTS = {"interactions": lambda interactions: interactions, "sequences": sequences_of, "texts": writings_of}


COMPARING = [name for name in sorted(MODELS) if issubclass(model_class(name).fitted_class, ComparesItems)]
WITH_TREES = "blend with trees"
OF_INTERACTIONS = [name for name in sorted(MODELS) if model_class(name).learns_from == "interactions"] + [WITH_TREES]
comparing = pytest.mark.parametrize("model", COMPARING, indirect=True)
of_interactions = pytest.mark.parametrize("model", OF_INTERACTIONS, indirect=True)


@pytest.fixture(params=[*sorted(MODELS), WITH_TREES], scope="module")
def model(request):
    if request.param == WITH_TREES:
        return with_trees()
    chosen = model_class(request.param)
    if extra := missing_extra(chosen):
        pytest.skip(f"needs {chosen.needs[0]}: pip install 'crossfade[{extra}]'")
    return chosen


def with_trees():
    """A blend of two models whose trees were grown from chance, since the little that is played here grows none."""
    pytest.importorskip("lightgbm", reason="pip install 'crossfade[trees]'")
    blend = model_class("blend")
    rng = np.random.default_rng(0)
    models, others = ("als", "popularity"), ("agreement", "listeners", "recency", "history")
    table = rng.random((1000, 8)).astype(np.float32)
    examples = Examples(table, rng.random(1000) < table[:, 0] / 2, np.full(50, 20), np.zeros(1000))
    booster, _ = grow(examples, None, [f"f{place}" for place in range(8)], [0] * 8, 5, 1)
    trees = Trees(text=text_of(booster, 5), models=models, others=others, adds=0.0, error=0.0)

    class Blend(blend):
        small: ClassVar = {"ranker": "trees", "models": models}

        def weigh(self, *evidence, threads=None):
            weights = super().weigh(*evidence, threads=threads)
            return dataclasses.replace(weights, trees=trees if self.settings.models == models else None)

    return Blend


def made(model):
    fields = {field.name for field in dataclasses.fields(model.settings_class)}
    small = SMALL | getattr(model, "small", {})
    return model(**{name: value for name, value in small.items() if name in fields})


def fit(model, interactions=PLAYS, **how):
    return made(model).fit(INPUTS[model.learns_from](interactions), **how)


@pytest.fixture(scope="module")
def fitted(model):
    return fit(model)


def files(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def saved(fitted, directory):
    directory.mkdir()
    fitted.save(directory)
    return files(directory)


def same(one, other):
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.scores, other.scores)


def all_scores(fitted, profiles, count):
    """(count, items) the scores of every pair."""
    items = len(fitted.item_ids)
    indptr = np.arange(count + 1, dtype=np.int64) * items
    return fitted.scores(profiles, indptr, np.tile(np.arange(items, dtype=np.int32), count)).reshape(count, items)


def test_it_is_registered_under_its_name_and_says_what_it_is(model, fitted):
    assert MODELS[model.name].split(":")[1] == model.__name__
    assert isinstance(fitted, ComparesItems) == (model.name in COMPARING)
    assert (fitted.name, fitted.kind, fitted.item_ids) == (model.name, "artist", PLAYS.item_ids)
    assert type(fitted) is model.fitted_class
    assert isinstance(fitted, Fitted)
    assert repr(fitted).startswith(f"{type(fitted).__name__}({model.name}: ")
    assert f"{EVERYTHING} artists, {fitted.space.points.shape[1]} factors)" in repr(fitted)
    assert fitted.user_ids is None or "100 users × " in repr(fitted)
    # Nothing that it was fitted with is left open.
    assert model(**fitted.settings).settings == model.settings_class(**fitted.settings)
    assert fitted.support.shape == (EVERYTHING,)
    assert fitted.support.dtype == np.int64
    if model.learns_from == "interactions":
        np.testing.assert_array_equal(fitted.support, PLAYS.listeners())


def test_it_is_made_from_settings_or_from_keywords(model):
    assert repr(model(model.settings_class())) == repr(model()) == f"{model.__name__}()"
    assert repr(made(model)).startswith(f"{model.__name__}(")
    changed = {field.name for field in dataclasses.fields(model.settings_class)} & {"seed", "half_life_days"}
    for name in changed:
        assert repr(model(**{name: 7})) in (f"{model.__name__}({name}=7)", f"{model.__name__}({name}=7.0)")
    with pytest.raises(SettingsError, match="not both"):
        model(model.settings_class(), nothing=1)
    with pytest.raises(SettingsError, match=f"{model.__name__}: there is no setting 'nothing'"):
        model(nothing=1)
    with pytest.raises(SettingsError, match=f"takes {model.settings_class.__name__}, not 'fast'"):
        model("fast")


def test_it_estimates_the_memory_of_a_fit(model):
    assert 0 <= made(model).memory_bytes(0) <= made(model).memory_bytes(1000) <= made(model).memory_bytes(10**6)


def test_every_number_that_can_be_set_has_a_range(model):
    for field in documented(model.settings_class):
        assert field.meaning
        if field.type.split(" ")[0] in ("int", "float"):
            assert field.accepts, f"{field.name} accepts any number"
            with pytest.raises(SettingsError, match=field.name):
                model(**{field.name: float("nan")})


def test_saved_and_loaded_it_answers_the_same(fitted, tmp_path):
    place = tmp_path / "made" / "with it"
    fitted.save(str(place))
    loaded = load_fitted(str(place))
    assert type(loaded) is type(fitted)
    assert loaded.space.space_id == fitted.space.space_id
    np.testing.assert_array_equal(loaded.support, fitted.support)
    same(loaded.recommend(PLAYS, 9, exclude=PLAYS), fitted.recommend(PLAYS, 9, exclude=PLAYS))
    if fitted.user_ids is not None:
        same(loaded.recommend(["u07", "u50"], 9), fitted.recommend(["u07", "u50"], 9))
    if isinstance(fitted, ComparesItems):
        same(loaded.similar(["b1-03"], 9), fitted.similar(["b1-03"], 9))


def test_what_is_missing_or_cut_short_on_disk_is_noticed(fitted, tmp_path):
    written = saved(fitted, tmp_path / "saved")
    for name, content in written.items():
        path = tmp_path / "saved" / name
        path.unlink()
        with pytest.raises(ArtifactError):
            load_fitted(tmp_path / "saved")
        path.write_bytes(content)
    np.save(tmp_path / "saved" / "support.npy", np.zeros(3, dtype=np.int64))
    with pytest.raises(ArtifactError, match="support"):
        load_fitted(tmp_path / "saved")


def test_equal_bytes_for_any_number_of_threads(model, fitted, tmp_path):
    expected = saved(fitted, tmp_path / "default")
    for threads in (1, 3):
        assert saved(fit(model, threads=threads), tmp_path / str(threads)) == expected


def test_answers_do_not_depend_on_threads_or_on_who_asks_beside(fitted):
    together = fitted.recommend(PLAYS, 9, threads=1)
    same(fitted.recommend(PLAYS, 9, threads=3), together)
    alone = fitted.recommend(PLAYS.histories(Ids.of(["u33"])), 9)
    np.testing.assert_array_equal(alone.rows[0], together.rows[33])
    np.testing.assert_array_equal(alone.scores[0], together.scores[33])


class Killed(BaseException):
    """What stops a fit."""


def killed_at(call):
    calls = []

    def progress(done, total, unit):
        calls.append(done)
        if len(calls) == call:
            raise Killed

    return progress


def test_a_fit_that_was_killed_gives_the_same_bytes_from_its_workspace(model, fitted, tmp_path, monkeypatch):
    monkeypatch.setattr("crossfade.core.checkpoints.EVERY_SECONDS", 0.0)
    monkeypatch.setattr("crossfade.core.checkpoints.TIMES_ITS_COST", 0.0)
    expected = saved(fitted, tmp_path / "whole")
    told = []
    fit(model, progress=lambda done, total, unit: told.append(done))
    for call in {2, len(told)} & set(range(2, len(told) + 1)):
        workspace, again = tmp_path / f"workspace-{call}", []
        with pytest.raises(Killed):
            fit(model, workspace=workspace, progress=killed_at(call))
        kept = workspace.is_dir() and any(workspace.iterdir())
        resumed = fit(model, workspace=workspace, progress=lambda done, total, unit, again=again: again.append(done))
        assert saved(resumed, tmp_path / f"resumed-{call}") == expected
        # A model that keeps states goes on from the last one, and one that keeps none leaves nothing behind.
        assert (again[0] > 0) if kept else not workspace.exists()


def test_progress_rises_to_its_total(model):
    told = []
    fit(model, progress=lambda done, total, unit: told.append((done, total, unit)))
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][0] == told[-1][1] > 0
    assert len({(total, unit) for _, total, unit in told}) == 1


@of_interactions
def test_the_profile_of_a_trained_user_s_history_is_close_to_the_trained_profile(fitted):
    users = np.arange(BLOCKS * USERS, dtype=np.int32)
    trained = all_scores(fitted, fitted.trained_profiles(users), len(users)).astype(np.float64)
    folded = all_scores(fitted, fitted.profiles(PLAYS), len(users)).astype(np.float64)
    # The cosine of what the two score all items: at least .999 for every user.
    lengths = np.linalg.norm(trained, axis=1) * np.linalg.norm(folded, axis=1)
    assert (np.einsum("ui,ui->u", trained, folded) / lengths).min() > 0.999
    # And so they get the same from either, but for an item here and there.
    one, other = fitted.recommend(list(PLAYS.user_ids), 5, exclude=PLAYS), fitted.recommend(PLAYS, 5, exclude=PLAYS)
    assert (
        np.mean([len(set(a) & set(b)) / 5 for a, b in zip(one.rows.tolist(), other.rows.tolist(), strict=True)]) > 0.97
    )


def test_scores_of_pairs_are_those_of_the_lists_to_the_bit(fitted):
    profiles = fitted.profiles(PLAYS)
    found = fitted.best(profiles, EVERYTHING)
    assert (found.rows != MISSING).all()
    assert (np.diff(found.scores, axis=1) <= 0).all()
    ties = np.diff(found.scores, axis=1) == 0
    assert (np.diff(found.rows, axis=1)[ties] > 0).all()
    # As many items for each user as the user's number, in the order of the list, for some of them twice.
    counts = np.arange(len(found)) % 20
    chosen = np.arange(EVERYTHING) < counts[:, None]
    indptr = np.cumsum([0, *counts]).astype(np.int64)
    for threads in (1, 3):
        scores = fitted.scores(profiles, indptr, found.rows[chosen], threads=threads)
        assert scores.dtype == np.float32
        np.testing.assert_array_equal(scores, found.scores[chosen])


def test_pairs_that_cannot_be_are_refused(fitted):
    profiles = fitted.profiles(PLAYS.histories(Ids.of(["u00"])))
    for indptr, items in (([0, 2], [1]), ([0], []), ([0, 1, 1], [1]), ([1, 1], [1]), ([0, 1], [-1]), ([0, 1], [48])):
        with pytest.raises(InputError):
            fitted.scores(profiles, np.array(indptr, dtype=np.int64), np.array(items, dtype=np.int32))


def test_a_new_user_is_a_history(fitted):
    # Rows of their own, and an item that the model has never heard of.
    new = Interactions.from_counts(
        ["new"] * 4 + ["other"], ["aha", "b2-00", "b2-03", "b2-05", "b3-01"], [9, 1, 2, 1, 3]
    )
    found = fitted.recommend(new, 8, exclude=new)
    assert found.rows.shape == (2, 8)
    names = [[name for name, _ in found.listed(query, fitted.item_ids)] for query in (0, 1)]
    assert not {"b2-00", "b2-03", "b2-05"} & set(names[0])
    assert "b3-01" not in names[1]
    known = fitted.recommend(new, 8, exclude_items=["b2-00", "b2-03", "b2-05"])
    np.testing.assert_array_equal(known.rows[0], found.rows[0])
    if isinstance(fitted, ComparesItems):
        assert [name[:2] for name in names[0]].count("b2") >= 7
        assert [name[:2] for name in names[1]].count("b3") >= 7


def test_what_is_excluded_is_not_given_and_k_are_wherever_k_remain(fitted):
    found = fitted.recommend(PLAYS, EVERYTHING, exclude=PLAYS, exclude_items=["b0-00", "nothing"])
    barred = fitted.item_ids.row("b0-00")
    for user, rows in enumerate(found.rows):
        remaining = set(range(EVERYTHING)) - set(PLAYS.played(user).tolist()) - {barred}
        assert set(rows[: len(remaining)].tolist()) == remaining
        assert (rows[len(remaining) :] == MISSING).all()
        assert np.isneginf(found.scores[user, len(remaining) :]).all()
        assert np.isfinite(found.scores[user, : len(remaining)]).all()
    allowed = ["b1-01", "b0-00", "nothing", "b3-07", "b1-01"]
    among = fitted.recommend(PLAYS, 3, exclude_items=["b0-00"], allowed_items=allowed)
    assert all(sorted(rows) == sorted([-1, *fitted.item_ids.rows(["b1-01", "b3-07"])]) for rows in among.rows.tolist())
    assert (fitted.recommend(PLAYS, 3, allowed_items=[]).rows == MISSING).all()
    # What another user played is excluded for nobody else.
    other = PLAYS.histories(Ids.of(["u01"]))
    same(
        fitted.recommend(PLAYS.histories(Ids.of(["u00"])), 9, exclude=other),
        fitted.recommend(PLAYS.histories(Ids.of(["u00"])), 9),
    )


def test_an_empty_history_gets_a_list_all_the_same(fitted):
    nothing = dataclasses.replace(PLAYS.histories(Ids.of(["nobody"])))
    unknown = Interactions.from_counts(["nobody"], ["never heard of"], [3])
    found = fitted.recommend(nothing, 7)
    assert (found.rows[0] != MISSING).all()
    assert np.isfinite(found.scores).all()
    same(fitted.recommend(unknown, 7, exclude=unknown), found)
    none = Interactions.from_counts([], [], [])
    assert fitted.recommend(none, 7).rows.shape == (0, 7)


def test_one_item_is_enough(model, tmp_path):
    one = fit(model, Interactions.from_counts(["ann", "bob"], ["x", "x"], [1, 2]))
    one.save(tmp_path)
    histories = Interactions.from_counts(["ann", "eve"], ["x", "y"], [1, 1])
    for fitted in (one, load_fitted(tmp_path)):
        found = fitted.recommend(histories, 2)
        assert found.rows.tolist() == [[0, MISSING], [0, MISSING]]
        assert fitted.recommend(histories, 2, exclude=histories).rows.tolist() == [[MISSING] * 2, [0, MISSING]]
        if isinstance(fitted, ComparesItems):
            assert fitted.similar(["x"], 2).rows.tolist() == [[MISSING, MISSING]]
            index = fitted.item_index(np.ones(1, dtype=np.float32), IndexSettings())
            assert index.nearest(np.zeros(1, dtype=np.int32), 2).rows.tolist() == [[MISSING, MISSING]]


@of_interactions
def test_what_nobody_can_learn_from_is_refused(model):
    with pytest.raises(InputError, match="no interactions"):
        fit(model, Interactions.from_counts([], [], []))


def test_what_cannot_be_asked_is_refused(fitted):
    tracks = Interactions.from_counts(["u00"], ["b0-00"], [1], kind="track")
    for ask in (
        lambda: fitted.recommend(PLAYS, 0),
        lambda: fitted.recommend(tracks, 3),
        lambda: fitted.recommend(PLAYS, 3, exclude=tracks),
    ):
        with pytest.raises(InputError):
            ask()
    if fitted.user_ids is None:
        with pytest.raises(NotReadyError, match="learns nothing of users"):
            fitted.recommend(["u00"], 3)
        with pytest.raises(NotReadyError, match="learns nothing of users"):
            fitted.trained_profiles(np.zeros(1, dtype=np.int32))
    else:
        with pytest.raises(UnknownIdError, match="'zoe'"):
            fitted.recommend(["u00", "zoe"], 3)


def test_an_index_of_its_space_is_searched_and_another_is_refused(fitted, rng):
    metric = fitted.space.metric
    found = fitted.recommend(PLAYS, 5, index=ExactIndex.build(fitted.space, metric), exclude=PLAYS)
    assert (found.rows != MISSING).all()
    other = dataclasses.replace(fitted.space, item_vectors=fitted.space.item_vectors[::-1], space_id="")
    with pytest.raises(SpaceMismatchError):
        fitted.recommend(PLAYS, 5, index=ExactIndex.build(other, metric))
    wrong = ExactIndex.build(fitted.space, "dot" if metric == "cosine" else "cosine")
    with pytest.raises(InputError, match=f"by {metric}, the index by"):
        fitted.recommend(PLAYS, 5, index=wrong)


NUMBERED = Interactions.from_counts(
    [int(PLAYS.user_ids[user][1:]) for user in range(BLOCKS * USERS) for _ in range(PLAYED)],
    [int(PLAYS.item_ids[row][1] + PLAYS.item_ids[row][3:]) for row in PLAYS.indices],
    PLAYS.weights,
)
"""The same plays by people and of items that are numbers: u07 is 7, b2-05 is 205."""


def test_whole_numbers_are_ids(model, tmp_path):
    fit(model, NUMBERED).save(tmp_path)
    fitted = load_fitted(tmp_path)
    found = fitted.recommend(NUMBERED.histories([7, 50]), 3, exclude=NUMBERED, exclude_items=[205, np.int8(1)])
    table = found.to_arrow().to_pydict()
    assert table["query"] == [7] * 3 + [50] * 3 or list(map(str, table["query"])) == ["50"] * 3 + ["7"] * 3
    assert all(isinstance(item, int) and item not in (205, 1) for item in table["item"])
    assert [item for item, _ in found.listed(0)] == table["item"][:3]
    if fitted.user_ids is not None:
        asked = fitted.recommend([7, np.int64(50)], 3)
        same(asked, fitted.recommend(["7", "50"], 3))
        assert asked.to_arrow()["query"].to_pylist() == [7] * 3 + [50] * 3
    if isinstance(fitted, ComparesItems):
        similar = fitted.similar(np.array([205]), 4)
        assert similar.to_arrow()["query"].to_pylist() == [205] * similar.to_arrow().num_rows
        assert repr(similar).splitlines()[1].startswith("  205: ")


def test_what_is_no_id_or_no_number_is_refused(fitted):
    asks = {
        "given in a list": lambda: fitted.recommend("u00", 3),
        "exclude takes the Interactions": lambda: fitted.recommend(PLAYS, 3, exclude=["b0-00"]),
        "k must be a whole number": lambda: fitted.recommend(PLAYS, 2.5),
        "threads must be at least 1": lambda: fitted.recommend(PLAYS, 3, threads=-1),
        "text or a whole number, not b'b0-00'": lambda: fitted.recommend(PLAYS, 3, exclude_items=[b"b0-00"]),
        "text or a whole number, not None": lambda: fitted.recommend(PLAYS, 3, allowed_items=[None]),
    }
    for says, ask in asks.items():
        with pytest.raises(InputError, match=re.escape(says)):
            ask()
    with pytest.raises(InputError, match="items must be a 1-d array of whole numbers"):
        fitted.scores(fitted.profiles(PLAYS.histories(["u00"])), [0, 1], [0.5])
    if fitted.user_ids is not None:
        for row in (-1, BLOCKS * USERS):
            with pytest.raises(InputError, match="indices of 100 users"):
                fitted.trained_profiles(np.array([row]))


@pytest.mark.parametrize("wrong", [[], None, "interactions", np.ones((2, 2))])
def test_what_it_does_not_learn_from_is_refused(model, wrong):
    with pytest.raises(InputError, match=r"is fitted on (Interactions|Sequences|Writings).*make them with"):
        made(model).fit(wrong)


@pytest.mark.parametrize("wrong", [None, "vectors", [[1.0], [1.0, 2.0]], CSR(*map(np.array, ([0, 9], [99], [1.0])))])
def test_profiles_of_something_else_are_refused(fitted, wrong):
    with pytest.raises(InputError):
        fitted.best(wrong, 3)
    with pytest.raises(InputError):
        fitted.scores(wrong, np.arange(2), np.zeros(1, np.int32))
    with pytest.raises(InputError, match="histories are Interactions"):
        fitted.profiles(wrong)


@of_interactions
@given(
    pairs=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5), st.floats(-18, 12)), min_size=1, max_size=20),
    linear=st.booleans(),
)
@settings(max_examples=6, deadline=None)
def test_finite_weights_give_finite_answers(model, pairs, linear):
    users, items, exponents = zip(*pairs, strict=True)
    weights = np.minimum(10.0 ** np.array(exponents), 1e12 / len(pairs))
    interactions = Interactions.from_counts(users, items, weights.clip(1e-17))
    fields = {field.name for field in dataclasses.fields(model.settings_class)}
    chosen = {"factors": 8, **({"confidence": "linear", "counts": "linear", "damping": "none"} if linear else {})}
    fitted = model(**{name: value for name, value in chosen.items() if name in fields}).fit(interactions)
    found = [fitted.recommend(interactions, 6), fitted.recommend(interactions.user_ids, 6)]
    if isinstance(fitted, ComparesItems):
        found.append(fitted.similar(interactions.item_ids, 6))
    for neighbours in found:
        assert np.isfinite(neighbours.scores[neighbours.rows != MISSING]).all()


@comparing
def test_similar_items_are_of_the_block_and_never_the_item_itself(fitted):
    names = list(fitted.item_ids)
    found = fitted.similar(names, ITEMS - 1)
    block = np.array([int(name[1]) for name in names])
    listed = found.rows != MISSING
    assert np.mean((block[found.rows] == block[:, None])[listed]) > 0.9
    assert not (found.rows == np.arange(EVERYTHING)[:, None]).any()
    assert (found.scores[:, :-1] >= found.scores[:, 1:]).all()
    everything = fitted.similar(names, EVERYTHING)
    assert not (everything.rows == np.arange(EVERYTHING)[:, None]).any()
    best = names[found.rows[5, 0]]
    assert names[fitted.similar(names[5:6], 3, exclude_items=[best, "nothing"]).rows[0, 0]] == names[found.rows[5, 1]]
    alone = fitted.similar(names[5:6], 3, allowed_items=[best, names[5], "nothing"])
    assert alone.rows[0].tolist() == [fitted.item_ids.row(best), MISSING, MISSING]


@comparing
def test_items_that_cannot_be_compared_are_refused(fitted):
    with pytest.raises(UnknownIdError, match="'nobody'"):
        fitted.similar(["nobody"], 1)
    with pytest.raises(InputError):
        fitted.similar(["b0-00"], 0)
    with pytest.raises(InputError, match="by cosine, the index by dot"):
        fitted.similar(["b0-00"], 1, index=ExactIndex.build(fitted.space, "dot"))
    found = fitted.similar(["b0-00"], 3, index=ExactIndex.build(fitted.space, "cosine"))
    assert fitted.item_ids.row("b0-00") not in found.rows


@comparing
@pytest.mark.parametrize("backend", ["exact", "clusters"])
def test_an_item_index_scales_what_is_similar(fitted, backend, tmp_path):
    settings = IndexSettings(backend=backend)
    keys = np.arange(EVERYTHING, dtype=np.int32)
    names = list(fitted.item_ids)
    plain = fitted.similar(names, EVERYTHING)
    scales = np.linspace(0.2, 1, EVERYTHING).astype(np.float32)
    index = fitted.item_index(scales, settings)
    found = index.nearest(keys, EVERYTHING - 1)
    assert index.recall == 1.0
    assert not (found.rows == keys[:, None]).any()
    for key in keys:
        listed = found.rows[key] != MISSING
        assert (found.scores[key, listed] > 0).all()
        assert (np.diff(found.scores[key, listed]) <= 0).all()
        # The same others as without scales, as long as they score at all.
        expected = dict(zip(plain.rows[key].tolist(), plain.scores[key].tolist(), strict=True))
        scaled = {row: score * scales[row] * scales[key] for row, score in expected.items() if score > 1e-6}
        listed_scores = dict(zip(found.rows[key, listed].tolist(), found.scores[key, listed].tolist(), strict=True))
        assert scaled.keys() <= listed_scores.keys()
        np.testing.assert_allclose([listed_scores[row] for row in scaled], list(scaled.values()), atol=1e-6)
    index.save(tmp_path)
    loaded = fitted.load_item_index(tmp_path, scales)
    assert loaded.recall == index.recall
    same(loaded.nearest(keys[::5], 6, threads=2), index.nearest(keys[::5], 6, threads=1))
    with pytest.raises(SpaceMismatchError):
        fitted.load_item_index(tmp_path, scales * np.float32(0.5))
    with pytest.raises(ArtifactError):
        fitted.load_item_index(tmp_path / "nothing", scales)


def test_the_registry_refuses_what_it_does_not_know(tmp_path):
    with pytest.raises(SettingsError, match=f"there are: {', '.join(sorted(MODELS))}"):
        model_class("tarot")
    for content, says in (('{"model": "tarot"}', "'tarot'"), ("[]", "no readable"), ("", "no readable")):
        (tmp_path / "space.json").write_text(content)
        with pytest.raises(ArtifactError, match=says):
            load_fitted(tmp_path)


def test_ids_beyond_ascii_and_of_other_rows_are_matched_by_id(model):
    named = Interactions.from_counts(["é", "z"] * 3, ["ß", "ß", "é", "é", "z", "z"], [1] * 6)
    fitted = fit(model, named)
    assert list(fitted.item_ids) == list(Ids.of(["ß", "é", "z"]))
    assert fitted.recommend(Interactions.from_counts(["n"], ["é"], [1]), 3, exclude_items=["ß"]).rows[0, 2] == MISSING
