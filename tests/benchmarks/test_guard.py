"""The guard fails for what fell against peers, and for nothing else."""

import pytest

from benchmarks import guard
from benchmarks.record import Comparison, Machine, Record, Side

MACHINE = Machine(processor="A processor", processors=2, memory_gib=24, system="Linux x86_64", python="3.11.7")


def written(directory, ours, peer, *, recall=1.0, kind="peer", what=None, name="one", peers=("implicit",), **settings):
    """A record of one comparison in ``directory``."""
    sides = [Side(name="crossfade", turns=ours, figures={"recall": recall})]
    sides += [Side(name=each, kind=kind, turns=peer) for each in peers]
    Record(
        case="als",
        command="python -m benchmarks.als",
        threads=[2],
        settings=settings,
        machine=MACHINE,
        versions={},
        comparisons=[Comparison(name=name, unit="an iteration", what=what or {"factors": 64}, sides=sides)],
    ).write(directory / "als.json")


@pytest.fixture
def folders(tmp_path):
    committed, fresh = tmp_path / "committed", tmp_path / "fresh"
    written(committed, [1.0, 1.0, 1.0], [4.0, 4.1, 3.9])
    return committed, fresh


def guarded(folders):
    """The exit code."""
    committed, fresh = folders
    try:
        guard.main([str(fresh), "--committed", str(committed)])
    except SystemExit as ended:
        return ended.code
    return 0


def test_a_slower_machine_is_no_regression(folders, capsys):
    written(folders[1], [3.0, 3.0, 3.0], [12.0, 12.0, 11.9])
    assert guarded(folders) == 0
    assert "FELL" not in capsys.readouterr().out


def test_a_ratio_that_fell_fails_and_stands_first(folders, capsys):
    written(folders[1], [1.0, 1.0, 1.0], [3.0, 3.1, 2.9])
    assert guarded(folders) == 1
    first = capsys.readouterr().out.splitlines()[1]
    assert first.split() == ["als", "one", "crossfade", "speed", "4", "3", "-25.0%", "FELL"]


def test_a_ratio_may_fall_within_the_tolerance(folders):
    written(folders[1], [1.0, 1.0, 1.0], [3.5, 3.5, 3.5])
    assert guarded(folders) == 0


def test_a_ratio_may_fall_within_its_spread(folders):
    # The median fell by a quarter, but the middle halves of the turns meet.
    written(folders[0], [1.0, 1.0, 1.0, 1.0, 1.0], [2.0, 2.9, 4.0, 4.1, 4.2])
    written(folders[1], [1.0, 1.0, 1.0, 1.0, 1.0], [2.0, 2.9, 3.0, 4.1, 4.2])
    assert guarded(folders) == 0


def test_recall_may_not_fall(folders, capsys):
    written(folders[1], [0.5, 0.5, 0.5], [4.0, 4.0, 4.0], recall=0.99)
    assert guarded(folders) == 1
    assert "recall" in capsys.readouterr().out.splitlines()[1]


def test_memory_may_not_rise():
    assert guard.HELD["peak_gib"].worse == 1
    before, now = (
        Comparison(name="one", unit="a", sides=[Side(name="crossfade", figures={"peak_gib": peak})])
        for peak in (1.0, 1.2)
    )
    found = list(guard._of_side("als", before, now, before.sides[0], now.sides[0], 0.15))
    assert [(one.what, one.fell) for one in found] == [("peak_gib", True)]


def test_a_limit_stands_in_for_a_peer(folders):
    written(folders[0], [2.0, 2.0], [1.0, 1.0], kind="limit")
    written(folders[1], [4.0, 4.0], [1.0, 1.0], kind="limit")
    assert guarded(folders) == 1


def test_only_peers_of_both_runs_count(folders):
    written(folders[0], [1.0, 1.0], [4.0, 4.0], peers=("implicit", "buffalo"))
    written(folders[1], [1.0, 1.0], [4.0, 4.0], peers=("implicit",))
    assert guarded(folders) == 0


def test_other_sizes_are_not_compared(folders, capsys):
    written(folders[1], [9.0, 9.0, 9.0], [4.0, 4.0, 4.0], what={"factors": 40})
    assert guarded(folders) == 2
    assert "one was not measured again in the same way" in capsys.readouterr().out


def test_a_case_without_a_committed_record_is_named(folders, capsys):
    written(folders[1], [1.0, 1.0, 1.0], [4.0, 4.0, 4.0])
    (folders[1] / "als.json").rename(folders[1] / "new.json")
    assert guarded(folders) == 2
    assert "new: there is no committed record" in capsys.readouterr().out


def test_other_settings_are_not_compared_but_other_turns_are(folders, capsys):
    written(folders[0], [1.0], [4.0], users=100, turns=7, factors=[40, 64])
    written(folders[1], [1.0], [4.0], users=100, turns=3, factors=[64])
    assert guarded(folders) == 0
    written(folders[1], [9.0], [4.0], users=200, turns=7, factors=[40, 64])
    assert guarded(folders) == 2
    assert "als: measured with other users than the committed record" in capsys.readouterr().out
