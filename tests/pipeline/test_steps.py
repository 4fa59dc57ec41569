"""What a step is made from, and how its completeness is told."""

import dataclasses
from typing import get_type_hints

import pytest

from crossfade.pipeline.local import LocalRunner
from crossfade.pipeline.runner import Watch
from crossfade.pipeline.steps import STEPS, from_json, step_class


def run(home, *steps):
    return LocalRunner(threads=1, memory_bytes=1).run(steps, home, Watch())


def test_a_fingerprint_follows_the_settings_and_what_is_needed(kitchen):
    flour = kitchen.step("flour")
    dough = kitchen.step("dough", flour)
    assert dough.fingerprint == kitchen.step("dough", kitchen.step("flour")).fingerprint
    others = [
        kitchen.step("dough", flour, word="!"),
        kitchen.step("dough", kitchen.step("flour", word="!")),
        kitchen.step("paste", flour),
        dataclasses.replace(dough, imports={"endsong": "5f" * 32}),
    ]
    assert len({step.fingerprint for step in (dough, *others)}) == 5


def test_a_changed_setting_tells_why(kitchen, home):
    flour = kitchen.step("flour")
    run(home, flour, kitchen.step("dough", flour))
    changed = kitchen.step("dough", flour, word="!")
    assert changed.why(home) == "word changed from  to !"
    assert kitchen.step("dough", kitchen.step("flour", word="!")).why(home) == "flour changed"
    assert kitchen.step("dough").why(home) == "flour is gone"
    assert kitchen.step("dough", flour, kitchen.step("salt")).why(home) == "salt is new"
    assert kitchen.step("bread").why(home) == "it has not run yet"


def test_a_damaged_artifact_is_not_done(kitchen, home):
    flour = kitchen.step("flour")
    run(home, flour)
    assert flour.is_done(home)
    (flour.place(home) / "line").write_text("flouR()")
    assert not flour.is_done(home)
    assert flour.why(home) == "its files are damaged"


@pytest.mark.parametrize("action", STEPS)
def test_every_kind_of_step_comes_back_from_json(action):
    cls = step_class(action)
    assert cls.action == action
    hints = get_type_hints(cls)
    plain = {str: "some text", int: 3}
    fields = {
        item.name: plain.get(hints[item.name], {"some": "5f" * 32})
        for item in dataclasses.fields(cls)
        if item.name != "settings"
    }
    fields |= {"model": "als"} if "model" in fields else {}  # its version is a part of what a fit is made from
    step = cls(**fields, settings={"share": 0.5, "names": ["a", "b"], "seed": 7})
    again = from_json(step.to_json())
    assert again == step
    assert (again.name, again.fingerprint) == (step.name, step.fingerprint)
