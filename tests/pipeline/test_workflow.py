"""Order, completeness and resumption, on steps small enough to follow by hand."""

import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from crossfade.core.artifacts import Draft
from crossfade.core.errors import InputError
from crossfade.core.home import Home
from crossfade.core.progress import Progress, silent
from crossfade.pipeline.steps import Step, in_order, make_step
from crossfade.pipeline.workflow import StepResult, carry_out


class Kitchen:
    """Steps that write one line from their inputs, and remember that they ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def step(self, name: str, *needs: Step, word: str = "", fails: bool = False) -> Step:
        def work(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
            self.ran.append(name)
            if fails:
                raise InputError("the oven is cold", path="kitchen", line=3)
            read = [(place / "line").read_text() for place in inputs.values()]
            (draft.path / "line").write_text(f"{name}{word}({','.join(read)})")
            draft.rows["lines"] = 1

        return make_step(name, name.title(), work, kind="line", needs=needs, settings={"word": word})


def home_in(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def run(step: Step, home: Home) -> list[StepResult]:
    return carry_out(in_order(step), home, lambda _: silent)


def test_steps_run_after_what_they_need_and_read_it(tmp_path):
    kitchen, home = Kitchen(), home_in(tmp_path)
    flour, water = kitchen.step("flour"), kitchen.step("water")
    bread = kitchen.step("bread", kitchen.step("dough", flour, water), water)
    results = run(bread, home)
    assert [result.name for result in results] == ["flour", "water", "dough", "bread"]
    assert all(result.built and result.rows == {"lines": 1} and result.peak_bytes > 0 for result in results)
    assert (bread.place(home) / "line").read_text() == "bread(dough(flour(),water()),water())"


def test_a_second_run_does_nothing(tmp_path):
    kitchen, home = Kitchen(), home_in(tmp_path)
    dough = kitchen.step("dough", kitchen.step("flour"))
    run(dough, home)
    kitchen.ran.clear()
    assert [result.built for result in run(dough, home)] == [False, False]
    assert kitchen.ran == []


def test_a_changed_setting_rebuilds_only_what_depends_on_it(tmp_path):
    kitchen, home = Kitchen(), home_in(tmp_path)
    flour = kitchen.step("flour")
    run(kitchen.step("bread", kitchen.step("dough", flour), kitchen.step("salt")), home)
    kitchen.ran.clear()
    changed = kitchen.step("bread", kitchen.step("dough", flour, word="!"), kitchen.step("salt"))
    dough = in_order(changed)[1]
    assert dough.why(home) == "word changed from  to !"
    assert changed.why(home) == "dough changed"
    run(changed, home)
    assert kitchen.ran == ["dough", "bread"]


def test_a_damaged_artifact_is_made_again(tmp_path):
    kitchen, home = Kitchen(), home_in(tmp_path)
    flour = kitchen.step("flour")
    dough = kitchen.step("dough", flour)
    run(dough, home)
    (flour.place(home) / "line").write_text("flouR()")
    assert flour.why(home) == "its files are damaged"
    kitchen.ran.clear()
    run(dough, home)
    assert kitchen.ran == ["flour"]
    assert (flour.place(home) / "line").read_text() == "flour()"


def test_a_path_without_a_manifest_counts_for_nothing(tmp_path):
    kitchen, home = Kitchen(), home_in(tmp_path)
    flour = kitchen.step("flour")
    flour.place(home).mkdir(parents=True)
    (flour.place(home) / "line").write_text("half-wri")
    run(flour, home)
    assert (flour.place(home) / "line").read_text() == "flour()"


def test_an_error_comes_out_as_it_was_and_earlier_steps_stay(tmp_path):
    kitchen, home = Kitchen(), home_in(tmp_path)
    flour = kitchen.step("flour")
    with pytest.raises(InputError, match="kitchen, line 3: the oven is cold"):
        run(kitchen.step("bread", flour, fails=True), home)
    kitchen.ran.clear()
    run(kitchen.step("bread", flour), home)
    assert kitchen.ran == ["bread"]


def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    script = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from crossfade.core.home import Home
        from crossfade.core.progress import silent
        from crossfade.pipeline.steps import make_step
        from crossfade.pipeline.workflow import carry_out

        home = Home(Path(sys.argv[1]))
        home.prepare()

        def fill(name, dies):
            def work(draft, inputs, progress):
                (draft.path / "line").write_text(name)
                with (home.path / "ran").open("a") as log:
                    log.write(name + " ")
                if dies:
                    os.kill(os.getpid(), signal.SIGKILL)
            return work

        flour = make_step("flour", "Flour", fill("flour", False), kind="line")
        bread = make_step("bread", "Bread", fill("bread", sys.argv[2] == "die"), kind="line", needs=(flour,))
        carry_out([flour, bread], home, lambda step: silent)
        """
    )
    home = tmp_path / "home"
    killed = subprocess.run([sys.executable, "-c", script, str(home), "die"], check=False)
    assert killed.returncode == -9
    subprocess.run([sys.executable, "-c", script, str(home), "live"], check=True)
    assert (home / "ran").read_text() == "flour bread bread "
