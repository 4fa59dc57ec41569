"""What every runner does: order, completeness, errors, progress; on steps small enough to follow by hand."""

import pytest

from crossfade.core.errors import InputError
from crossfade.pipeline import journal
from crossfade.pipeline.runner import RUNNERS, UNWATCHED, Watch, open_runner


# Acts of a test are functions of its process; tests/cluster runs steps on executors, and in jobs of Hadoop.
@pytest.fixture(params=[name for name in RUNNERS if name not in ("spark", "hadoop")])
def run(request, home):
    """Runs steps by each registered runner."""

    def complete(*steps, threads=2, watch=UNWATCHED):
        return open_runner(request.param, threads=threads, memory_bytes=10**9).run(steps, home, watch)

    return complete


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_steps_run_after_what_they_need_and_read_it(kitchen, home, run, threads):
    flour, water, salt = kitchen.step("flour"), kitchen.step("water"), kitchen.step("salt")
    dough = kitchen.step("dough", flour, water)
    bread = kitchen.step("bread", dough, salt, water)
    results = run(flour, water, salt, dough, bread, threads=threads)
    assert [result.name for result in results] == ["flour", "water", "salt", "dough", "bread"]
    assert all(result.built and result.rows == {"lines": 1} and result.peak_bytes > 0 for result in results)
    assert (bread.place(home) / "line").read_text() == "bread(dough(flour(),water()),salt(),water())"
    assert {name for name, _ in journal.latest(home)} == {"flour", "water", "salt", "dough", "bread"}


def test_a_second_run_does_nothing(kitchen, home, run):
    flour = kitchen.step("flour")
    dough = kitchen.step("dough", flour)
    run(flour, dough)
    kitchen.ran.clear()
    results = run(flour, dough)
    assert [(result.built, result.seconds, result.peak_bytes) for result in results] == [(False, 0.0, 0)] * 2
    assert kitchen.ran == []


def test_only_what_depends_on_a_change_is_built_again(kitchen, home, run):
    flour, salt = kitchen.step("flour"), kitchen.step("salt")
    dough = kitchen.step("dough", flour)
    run(flour, salt, dough, kitchen.step("bread", dough, salt))
    kitchen.ran.clear()
    changed = kitchen.step("dough", flour, word="!")
    run(flour, salt, changed, kitchen.step("bread", changed, salt))
    assert kitchen.ran == ["dough", "bread"]


def test_a_damaged_artifact_is_built_again(kitchen, home, run):
    flour = kitchen.step("flour")
    dough = kitchen.step("dough", flour)
    run(flour, dough)
    (flour.place(home) / "line").write_text("flouR()")
    kitchen.ran.clear()
    run(flour, dough)
    assert kitchen.ran == ["flour"]
    assert (flour.place(home) / "line").read_text() == "flour()"


def test_a_path_without_a_manifest_counts_for_nothing(kitchen, home, run):
    flour = kitchen.step("flour")
    flour.place(home).mkdir(parents=True)
    (flour.place(home) / "line").write_text("half-wri")
    run(flour)
    assert (flour.place(home) / "line").read_text() == "flour()"


def cold(context):
    raise InputError("the oven is cold", path="kitchen", line=3)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_comes_out_as_it_was_and_earlier_steps_stay(kitchen, home, run, threads):
    flour = kitchen.step("flour")
    bread = kitchen.step("bread", flour, act=cold)
    with pytest.raises(InputError, match="kitchen, line 3: the oven is cold"):
        run(flour, bread, kitchen.step("toast", bread), threads=threads)
    assert kitchen.ran == ["flour", "bread"]
    kitchen.ran.clear()
    run(flour, kitchen.step("bread", flour), threads=threads)
    assert kitchen.ran == ["bread"]


def test_progress_is_reported_by_step_and_only_of_what_is_built(kitchen, home, run):
    told = []

    def report(step):
        return lambda *progress: told.append((step.name, *progress))

    flour = kitchen.step("flour", act=lambda context: context.progress(1, 2, "cups"))
    run(flour, watch=Watch(begun=report))
    run(flour, watch=Watch(begun=report))
    assert told == [("flour", 1, 2, "cups")]
