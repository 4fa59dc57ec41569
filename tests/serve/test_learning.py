"""A server that learns: a command is run when something has come in, and ended with the server."""

import sys
import time

from crossfade.serve.learning import Learning, _log, learning
from crossfade.stores.live import ALL, Feedback, Listen, Track
from crossfade.stores.registry import open_live

AT = 1_700_000_000_000


def play(live, title):
    live.add_user("ann")
    live.add_listens([Listen(user="ann", listened_at=AT, track=Track(title=title, artist="x"))])


def writing(path, status=0):
    """A command that leaves a line in a file."""
    return [sys.executable, "-c", f"open({str(path)!r}, 'a').write('x'); raise SystemExit({status})"]


def test_what_came_in_is_learned_once(live, tmp_path):
    learner = Learning(live, writing(tmp_path / "ran"), 60)
    assert not learner.catch_up()
    live.add_user("ann")
    assert not learner.catch_up()
    play(live, "one")
    assert learner.catch_up()
    assert not learner.catch_up()
    live.give([Feedback(user="ann", sort="thumb", value=1, track=Track(artist="x"), given_at=AT)])
    assert learner.catch_up()
    play(live, "two")
    assert learner.catch_up()
    live.delete_listens("ann", ALL)
    assert learner.catch_up()
    live.remove_user("ann")
    assert learner.catch_up()
    assert (tmp_path / "ran").read_text() == "xxxxx"


def test_what_failed_is_tried_again(live, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(_log, "warning", lambda text, *values: told.append(text % values))
    play(live, "one")
    learner = Learning(live, writing(tmp_path / "ran", status=5), 60)
    assert not learner.catch_up()
    assert "failed with status 5" in told[0]
    assert not learner.catch_up()
    assert (tmp_path / "ran").read_text() == "xx"


def test_a_run_ends_with_the_server(home, live, tmp_path):
    play(live, "one")
    started = tmp_path / "started"
    command = [sys.executable, "-c", f"open({str(started)!r}, 'w'); import time; time.sleep(600)"]
    with learning(lambda: open_live(home), command, 60):
        while not started.exists():
            time.sleep(0.01)
        before = time.monotonic()
    assert time.monotonic() - before < 30
