"""What is noted of the steps that ran."""

import pytest

from crossfade.pipeline import journal


@pytest.fixture
def step(kitchen):
    return lambda name, word="": kitchen.step(name, word=word)


def key(of):
    return of.name, of.fingerprint


def test_the_latest_run_of_each_artifact_is_told(home, step):
    first, other = step("space"), step("table")
    journal.note(home, first, 1.5, 100)
    journal.note(home, other, 2.0, 200)
    journal.note(home, first, 3.25, 300)
    told = journal.latest(home)
    assert set(told) == {key(first), key(other)}
    assert (told[key(first)].seconds, told[key(first)].peak_bytes) == (3.25, 300)


def test_a_torn_line_costs_itself_alone(home, step):
    journal.note(home, step("space"), 1.0, 1)
    path = home.runs / journal.JOURNAL
    path.write_bytes(path.read_bytes() + b'\n{"step": "tab\xff')
    journal.note(home, step("table"), 2.0, 1)
    assert {name for name, _ in journal.latest(home)} == {"space", "table"}


def test_nothing_is_told_where_nothing_ran(home):
    assert journal.latest(home) == {}
    journal.prune(home)


def test_what_is_gone_is_no_longer_noted(home, step):
    kept, gone = step("space"), step("space", word="!")
    for one in (kept, gone):
        journal.note(home, one, 1.0, 1)
    kept.place(home).mkdir(parents=True)
    journal.prune(home)
    assert set(journal.latest(home)) == {key(kept)}
    journal.note(home, gone, 1.0, 1)
    assert set(journal.latest(home)) == {key(kept), key(gone)}
