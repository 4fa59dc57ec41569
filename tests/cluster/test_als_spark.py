"""Alternating least squares on a real Spark cluster, by files and through the shuffle."""

from typing import Any

import numpy as np
import pytest

from crossfade.cluster.als import fit_on
from crossfade.cluster.als_work import Cut
from crossfade.cluster.costs import SCHEMES, Degrees, Grid
from crossfade.core.csr import starts_of
from crossfade.core.interactions import Interactions
from crossfade.models.als import ALS


@pytest.fixture(scope="module")
def interactions():
    """Few heavy rows, so that what moves is what the blocks need."""
    rng = np.random.default_rng(1)
    numbers = np.unique(rng.integers(2000 * 900, size=40_000))
    return Interactions.from_counts(numbers // 900, numbers % 900, rng.integers(1, 9, len(numbers)))


@pytest.fixture(scope="module")
def source(interactions, tmp_path_factory):
    place = tmp_path_factory.mktemp("interactions")
    interactions.save(place)
    return place


def assert_same(one, other, within=1e-4):
    for name in ("user_vectors", "item_vectors"):
        mine, theirs = (np.asarray(getattr(model.space, name)) for model in (one, other))
        assert np.abs(mine - theirs).max() <= within * np.abs(theirs).max()


def stages(engine: Any) -> dict[int, int]:
    """The bytes that each stage has written for others, as Spark counts them."""
    java = engine.context._jvm
    none = engine.context._gateway.new_array(java.double, 0)
    listed = engine.context._jsc.sc().statusStore().stageList(None, False, False, none, None)
    return {listed.apply(n).stageId(): listed.apply(n).shuffleWriteBytes() for n in range(listed.size())}


def test_files_on_the_cluster(interactions, source, engine, tmp_path):
    model = ALS(factors=40, iterations=2)
    cuts = Cut("half", 3), Cut("streamed", 5)
    one = fit_on(engine, source, model.settings, kind="artist", workspace=tmp_path / "workspace", cuts=cuts)
    assert_same(one, model.fit(interactions))


@pytest.mark.parametrize("scheme", ["half", "streamed", "full"])
def test_through_the_shuffle_as_many_bytes_move_as_the_costs_say(
    interactions, source, engine, tmp_path, monkeypatch, scheme
):
    """And no rating after the first pass: each stage that writes more than messages and sums would show."""
    monkeypatch.setattr(type(engine), "exchange", "shuffle")
    model, cuts = ALS(factors=40, iterations=2), (Cut(scheme, 3), Cut(scheme, 5))
    before, written = stages(engine), []

    def note(done, total, unit):
        written.append(sum(bytes_ for stage, bytes_ in stages(engine).items() if stage not in before))

    one = fit_on(
        engine,
        source,
        model.settings,
        kind="artist",
        workspace=tmp_path / "workspace",
        cuts=cuts,
        progress=note,
    )
    assert_same(one, model.fit(interactions))
    users, items = Degrees.of(interactions.indptr), Degrees.of(starts_of(interactions.listeners()))
    grids = [
        Grid(rows=rows, fixed=fixed, blocks=blocks, fixed_blocks=others, factors=40, machines=2)
        for rows, fixed, blocks, others in ((users, items, 3, 5), (items, users, 5, 3))
    ]
    expected = [SCHEMES[scheme](grid).moved - grid.grams_moved for grid in grids]
    # Between one report and the next is a half-step; the first vectors of all travel in the first two besides.
    steps = np.diff(written)
    np.testing.assert_allclose(steps[2:4], expected, rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("exchange", ["files", "shuffle"])
def test_an_executor_that_is_killed_in_mid_iteration_changes_no_byte(
    source, engine, cluster, tmp_path, monkeypatch, exchange
):
    monkeypatch.setattr(type(engine), "exchange", exchange)
    model, killed = ALS(factors=40, iterations=3), []

    def kill(done, total, unit):
        if done == 3:
            killed.append(cluster.kill_executor())

    settings = {"kind": "artist", "cuts": (Cut("half", 3), Cut("full", 5))}
    undisturbed = fit_on(engine, source, model.settings, workspace=tmp_path / "one", **settings)
    one = fit_on(engine, source, model.settings, workspace=tmp_path / "two", progress=kill, **settings)
    assert killed
    assert_same(one, undisturbed, within=0.0)
