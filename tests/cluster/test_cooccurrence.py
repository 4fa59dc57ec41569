"""Co-occurrence in parts: the lists of one machine to the bit, however it is divided, killed and repeated."""

import dataclasses

import numpy as np
import pytest

from crossfade.cluster import cooccurrence
from crossfade.cluster.cooccurrence import fit_on, similar_on
from crossfade.cluster.engine import LocalEngine
from crossfade.core.artifacts import Identity, writing
from crossfade.core.interactions import Interactions
from crossfade.models.cooccurrence import Cooccurrence, nearest_items
from crossfade.models.cooccurrence_columns import CooccurrenceSettings

DRAWN = {"sampling": "dimsum", "threshold": 0.9, "relative_error": 0.6}


@pytest.fixture(scope="module")
def played():
    """200 users and 90 items of falling popularity, one user with all of them; plays over six orders of magnitude."""
    rng = np.random.default_rng(5)
    chances = np.repeat(1 / np.arange(3, 93), 200)
    keys = rng.choice(200 * 90, 4000, replace=False, p=chances / chances.sum())
    keys = np.union1d(keys, np.arange(90) * 200)
    return Interactions.from_counts(keys % 200, keys // 200, 10 ** rng.uniform(-1, 5, len(keys)))


@pytest.fixture(scope="module")
def place(played, tmp_path_factory):
    """The interactions as an artifact on the shared folder."""
    place = tmp_path_factory.mktemp("shared") / "interactions"
    with writing(place, Identity(kind="interactions", version=1, inputs={}, settings={})) as draft:
        played.save(draft.path)
    return place


def same(one, other):
    assert (one.emitted, one.pairs) == (other.emitted, other.pairs)
    for ours, theirs in zip(one.lists, other.lists, strict=True):
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(
    "fields",
    [
        {"measure": "jaccard", "shrinkage": 0.0},
        {"measure": "cosine", "damping": "binary", "least_listeners": 20},
        {"measure": "cosine", "damping": "none", "longest_history": 10},
        {"measure": "cosine", "longest_history": 30, **DRAWN},
        {"measure": "bm25", "neighbours": 7, **DRAWN},
    ],
)
def test_parts_give_the_lists_of_one_machine_to_the_bit(played, place, tmp_path, monkeypatch, fields):
    # Pieces of so few sums that each task reads and writes several.
    monkeypatch.setattr(cooccurrence, "SUMS", 300)
    settings = CooccurrenceSettings(seed=3, **fields)
    expected = nearest_items(played, settings, threads=1)
    for slots, parts in ((2, 0), (3, 7)):
        found = similar_on(LocalEngine(slots), place, settings, kind="artist", workspace=tmp_path, parts=parts)
        same(found, expected)
    assert not list(tmp_path.iterdir())
    if fields.get("sampling"):
        assert expected.emitted < 0.8 * expected.pairs


class Failing(LocalEngine):
    """Carries out some tasks twice, the second time beside the first one's files, and dies after a number of tasks."""

    def each(self, work, tasks, *, cached=""):
        left = self.__dict__.setdefault("left", iter(range(1 << 30 if self.slots > 1 else 5)))
        done = []
        for number in range(tasks):
            if next(left, None) is None:
                raise RuntimeError("the driver is lost")
            work(number)
            done.append(work(number))
        return done


def test_lost_and_repeated_tasks_change_nothing(played, place, tmp_path, monkeypatch):
    settings = CooccurrenceSettings(measure="cosine", **DRAWN)
    expected = nearest_items(played, settings, threads=1)
    with pytest.raises(RuntimeError):
        similar_on(Failing(1), place, settings, kind="artist", workspace=tmp_path, parts=6)
    left = sorted(path.name for path in next(tmp_path.iterdir()).glob("part-*"))
    assert len(left) == 5
    # What is complete is used again: those parts are not prepared anew.
    prepared, matrix_of = [], cooccurrence.matrix_of
    monkeypatch.setattr(cooccurrence, "matrix_of", lambda *given: prepared.append(given[1]) or matrix_of(*given))
    same(similar_on(Failing(2), place, settings, kind="artist", workspace=tmp_path, parts=6), expected)
    assert len(prepared) == 1
    # A run with other settings does not.
    with pytest.raises(RuntimeError):
        similar_on(Failing(1), place, settings, kind="artist", workspace=tmp_path, parts=6)
    other = dataclasses.replace(settings, seed=1)
    expected = nearest_items(played, other, threads=1)
    same(similar_on(Failing(2), place, other, kind="artist", workspace=tmp_path, parts=6), expected)


def test_the_fitted_model_has_the_bytes_of_one_machine(played, place, tmp_path):
    settings = CooccurrenceSettings(measure="cosine", factors=8, **DRAWN)
    fit_on(LocalEngine(2), place, settings, kind="artist", workspace=tmp_path / "work").save(tmp_path / "parts")
    Cooccurrence(settings).fit(played).save(tmp_path / "whole")
    files = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file())
    assert files
    for name in files:
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_what_travels_is_a_sum_a_pair_however_many_users_share_it(tmp_path):
    # 400 users have the same ten items: one part writes 90 sums, in place of 18,000 pairs seen from both ends.
    users, items = np.divmod(np.arange(4000), 10)
    played = Interactions.from_counts(users, items, np.ones(4000))
    place = tmp_path / "interactions"
    with writing(place, Identity(kind="interactions", version=1, inputs={}, settings={})) as draft:
        played.save(draft.path)
    sizes = []

    class Watching(LocalEngine):
        def each(self, work, tasks, *, cached=""):
            done = super().each(work, tasks)
            sizes.append([len(np.load(path)) for path in sorted((tmp_path / "work").rglob("part-*/sums.npy"))])
            return done

    settings = CooccurrenceSettings(measure="cosine")
    similar_on(Watching(1), place, settings, kind="artist", workspace=tmp_path / "work", parts=4)
    assert sizes[0] == [90] * 4
