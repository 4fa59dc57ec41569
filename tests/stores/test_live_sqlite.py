"""The SQLite of the live state: what reaches the disk, and what leaves it."""

import contextlib
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from dataclasses import replace
from subprocess import PIPE

import pytest
from tests.programs import started

from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.stores import live_database
from crossfade.stores.live import (
    Block,
    Exclusion,
    Feedback,
    ItemRef,
    Listen,
    NowPlaying,
    Playlist,
    Station,
    Track,
    Which,
    now,
)
from crossfade.stores.live_database import Database
from crossfade.stores.registry import open_live

AT = 1_700_000_000_000
CANARY = "Kanarienvogel"

POSTER = """
import sys, threading
from pathlib import Path
from crossfade.core.home import Home
from crossfade.stores.live import Listen, Track
from crossfade.stores.registry import open_live

live = open_live(Home(Path(sys.argv[1])))
live.add_user("ann")
lock = threading.Lock()

def post(thread):
    for n in range(int(sys.argv[2]), 1_000_000):
        at = (n * 4 + thread) * 1000
        live.add_listens([Listen(user="ann", listened_at=at, track=Track(artist="A", title="B"))])
        with lock:
            print(at, flush=True)

for thread in range(4):
    threading.Thread(target=post, args=(thread,)).start()
"""
"""Posts listens in four threads, and prints each once it is acknowledged."""


BIRD = Track(title=CANARY, artist="Portishead")
LIKE = Feedback(user="ann", sort="like", value=1, track=BIRD, given_at=AT)
BLOCK = Block(user="ann", item=ItemRef("track", "x"), name=CANARY, created_at=AT)
LEFT_OUT = Exclusion(user="ann", context=CANARY)
PLAYING = NowPlaying(user="ann", track=BIRD, player="mpd", started_at=AT, ends_at=AT + 1)


def bytes_of(home):
    return b"".join(path.read_bytes() for path in home.path.glob("state.sqlite*"))


def listen(n=0, title="Roads"):
    return Listen(user="ann", listened_at=AT + n * 1000, track=Track(title=title, artist="Portishead"))


def test_an_acknowledged_listen_survives_a_kill_and_is_not_doubled(tmp_path):
    home = Home(tmp_path / "home")
    acknowledged, patience = [], random.Random(0)
    for begin in range(0, 3_000_000, 1_000_000):
        with started(sys.executable, "-c", POSTER, home.path, begin // 4000, stdout=PIPE) as poster:
            first = poster.stdout.readline()  # it has begun
            time.sleep(patience.uniform(0.05, 0.2))
            os.kill(poster.pid, signal.SIGKILL)
            lines = [first, *poster.communicate()[0].splitlines(keepends=True)]
        acknowledged += [int(line) for line in lines if line.endswith("\n")]
    live = open_live(home)
    assert len(acknowledged) > 30
    again = [Listen(user="ann", listened_at=at, track=Track(artist="a", title="b")) for at in acknowledged]
    assert live.add_listens(again) == 0, "an acknowledged listen was lost"
    times = [one.listened_at for one in live.listens("ann", limit=1_000_000)]
    assert len(times) == len(set(times))
    assert list(live.check()) == []
    live.close()


def test_each_commit_waits_for_the_disk(live):
    with live._database.reading() as connection:
        found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")}
    assert found == {"synchronous": 2, "journal_mode": "wal"}


def test_what_waits_together_is_committed_together(home):
    commits, entered, may_go = [], threading.Event(), threading.Event()

    class Watched(Database):
        def _commit(self, connection, batch):
            commits.append(len(batch))
            entered.set()
            may_go.wait()
            super()._commit(connection, batch)

    database = Watched(home.live)
    done = [database.hand_in(lambda connection: None)]
    entered.wait()
    done += [database.hand_in(lambda connection: None) for _ in range(50)]
    may_go.set()
    for one in done:
        one.result()
    database.close()
    assert commits == [1, 50]


def test_deleted_content_is_not_in_the_file_nor_in_a_backup(live, home, tmp_path):
    live.add_listens([listen(n) for n in range(50)])
    live.add_listens([listen(99, title=CANARY)])
    assert CANARY.encode() in bytes_of(home)
    live.delete_listens("ann", Which(text=CANARY))
    assert CANARY.encode() not in bytes_of(home)
    live.backup(tmp_path / "backup")
    assert CANARY.encode() not in (tmp_path / "backup").read_bytes()
    assert live.count_listens("ann") == 50


def test_what_a_reader_kept_in_the_log_is_swept(home, monkeypatch):
    monkeypatch.setattr(live_database, "BUSY_SECONDS", 0.05)
    with contextlib.closing(open_live(home)) as live:
        live.add_user("ann")
        live.give([LIKE])
        live.sweep()
        with live._database.reading() as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT * FROM feedback").fetchall()
            live.give([replace(LIKE, value=0)])
            live.sweep()
            assert CANARY.encode() in bytes_of(home)
        live.sweep()
        assert CANARY.encode() not in bytes_of(home)


def test_what_a_killed_process_left_in_the_log_is_swept(home):
    killed = open_live(home)
    killed.add_user("ann")
    killed.add_listens([listen(title=CANARY)])
    with contextlib.closing(sqlite3.connect(home.live, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM listens").fetchall()
        killed.delete_listens("ann", Which())
    # It is not called any more.
    assert CANARY.encode() in bytes_of(home)
    with contextlib.closing(open_live(home)) as live:
        live.sweep()
        assert CANARY.encode() not in bytes_of(home)
    killed.close()


def test_what_another_process_deleted_is_swept(live, home):
    live.add_listens([listen(title=CANARY)])
    live.sweep()
    with contextlib.closing(sqlite3.connect(home.live, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM listens").fetchall()
        with contextlib.closing(open_live(home)) as other:
            other.delete_listens("ann", Which())
    assert CANARY.encode() in bytes_of(home)
    live.sweep()
    assert CANARY.encode() not in bytes_of(home)


def test_a_reader_does_not_keep_others_from_writing_after_a_deletion(live, home):
    live.add_listens([listen()])
    with contextlib.closing(sqlite3.connect(home.live, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM listens").fetchall()
        before = time.monotonic()
        live.delete_listens("ann", Which())
        live.add_listens([listen(1)])
        assert time.monotonic() - before < live_database.BUSY_SECONDS / 2


@pytest.mark.parametrize(
    ("keep", "undo"),
    [
        (lambda live: live.give([LIKE]), lambda live: live.give([replace(LIKE, value=0)])),
        (lambda live: live.block(BLOCK), lambda live: live.unblock("ann", BLOCK.item)),
        (lambda live: live.exclude(LEFT_OUT), lambda live: live.include(LEFT_OUT)),
        (lambda live: live.set_now_playing(PLAYING), lambda live: live.start_private("ann", now() + 60_000)),
        (lambda live: live.set_now_playing(PLAYING), lambda live: live.delete_listens("ann", Which())),
        (lambda live: live.add_token("ann", label=CANARY), lambda live: live.revoke(live.tokens("ann")[0].id)),
    ],
)
def test_what_is_taken_back_is_not_in_the_file(live, home, keep, undo):
    live.add_listens([listen()])
    keep(live)
    assert CANARY.encode() in bytes_of(home)
    undo(live)
    assert CANARY.encode() not in bytes_of(home)


def test_what_has_been_played_by_now_goes_with_the_next_that_is_playing(live, home):
    live.set_now_playing(PLAYING)
    live.set_now_playing(replace(PLAYING, track=Track(artist="A"), player="phone", started_at=AT + 1, ends_at=AT + 2))
    with live._database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM playing").fetchone() == (1,)


def test_the_name_of_a_removed_user_is_not_in_the_file(live, home):
    live.add_user(CANARY)
    live.add_listens([Listen(user=CANARY, listened_at=AT, track=Track(artist="A"))])
    live.remove_user(CANARY)
    assert CANARY.encode() not in bytes_of(home)


def test_what_is_played_in_private_never_reaches_the_file(live, home, tmp_path):
    live.start_private("ann", now() + 60_000)
    played = Track(title=CANARY, artist="Portishead", item=ItemRef("track", CANARY))
    live.add_listens([Listen(user="ann", listened_at=now(), track=played)])
    live.set_now_playing(NowPlaying(user="ann", track=played, started_at=now(), ends_at=now() + 60_000))
    live.put_station(Station(id="s", user="ann", name=CANARY, state={"p": [CANARY]}, created_at=AT, changed_at=AT))
    live.put_playlist(Playlist(id="p", user="ann", title=CANARY, tracks=(played,), created_at=AT, changed_at=AT))
    live.give([Feedback(user="ann", sort="thumb", value=1, track=played, given_at=now())])
    live.backup(tmp_path / "backup")
    assert CANARY.encode() not in bytes_of(home)
    assert CANARY.encode() not in (tmp_path / "backup").read_bytes()


def test_the_file_is_its_owners_alone(live, home):
    live.add_listens([listen()])
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.path.glob("state.sqlite*")}
    assert modes == {"state.sqlite": 0o600, "state.sqlite-wal": 0o600, "state.sqlite-shm": 0o600}


def test_a_file_of_something_else_is_left_alone(home):
    home.live.write_bytes(b"not ours" * 1000)
    with pytest.raises(ArtifactError):
        open_live(home)
    assert home.live.read_bytes() == b"not ours" * 1000
