"""The job of the 2014 talk, small: an attempt that is stopped is gone on with, and the record tells of both."""

import argparse

import pytest

from benchmarks import job_2014
from crossfade.core import checkpoints


class StoppedError(Exception):
    pass


def test_what_an_attempt_had_done_is_in_the_record_of_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "TIMES_ITS_COST", 0.0)
    chosen = argparse.Namespace(
        directory=tmp_path, users=300, items=100, pairs=4000, factors=8, iterations=3, threads=[1]
    )
    listen = job_2014.Watch.__call__

    def stopping(self, done, total, unit):
        listen(self, done, total, unit)
        if done == 4:
            raise StoppedError

    with monkeypatch.context() as stopped:
        stopped.setattr(job_2014.Watch, "__call__", stopping)
        with pytest.raises(StoppedError):
            job_2014.measure(chosen)
    (side,) = job_2014.measure(chosen).comparisons[0].sides
    assert side.figures["attempts"] == 2
    assert len(side.turns) == 3
    assert side.figures["loss"] > 0
    (directory,) = tmp_path.glob("*-8-3")
    assert sorted(path.name for path in directory.iterdir()) == ["log.jsonl", "space"]
    # Once it is finished, the same command only tells of it again.
    (again,) = job_2014.measure(chosen).comparisons[0].sides
    assert again.figures == side.figures
    assert list(again.turns) == list(side.turns)
