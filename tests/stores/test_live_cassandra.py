"""The live state in a real Cassandra: what its contract does not say."""

import contextlib
import dataclasses
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.servers.cassandra import ring

from crossfade.core.errors import UnavailableError, UnknownIdError
from crossfade.core.home import Home
from crossfade.stores import live_cassandra_database
from crossfade.stores.cassandra_session import CassandraSession, session_of
from crossfade.stores.cassandra_settings import CassandraSettings
from crossfade.stores.live import (
    ENTRANCE,
    Block,
    ChangedError,
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
from crossfade.stores.live_cassandra import CassandraLive
from crossfade.stores.registry import open_live

AT = 1_700_000_000_000
MINUTE = 60_000
CANARY = "Kanarienvogel"


@pytest.fixture
def settings(cassandra_live):
    return cassandra_live


@pytest.fixture
def live(settings):
    with contextlib.closing(CassandraLive(settings)) as state:
        state.add_user("ann")
        state.add_user("bob")
        yield state


@pytest.fixture
def other(settings):
    """The same live state, as another server has it."""
    with contextlib.closing(CassandraLive(settings)) as state:
        yield state


def listen(n=0, title="Roads", user="ann"):
    return Listen(user=user, listened_at=AT + n * 1000, track=Track(title=title, artist="Portishead"))


def playlist(**more):
    made = {"id": "p1", "user": "ann", "title": "Mine", "tracks": (), "created_at": AT, "changed_at": AT}
    return Playlist(**{**made, **more})


def in_the_way(monkeypatch, *acts):
    """Have each of ``acts`` done once, before a transaction that is about to be sent."""
    send, left = CassandraSession.applied_together, list(acts)

    def late(session, statements):
        if left:
            left.pop(0)()
        return send(session, statements)

    monkeypatch.setattr(CassandraSession, "applied_together", late)


# Several servers


def test_a_private_session_that_began_meanwhile_keeps_a_listen_out(live, other, monkeypatch):
    at = now()
    in_the_way(monkeypatch, lambda: other.start_private("ann", at + MINUTE))
    assert live.add_listens([Listen(user="ann", listened_at=at, track=Track(artist="A", title="B"))]) == 0
    assert live.listens("ann", limit=9) == []


def test_a_deletion_that_came_meanwhile_refuses_what_was_made_of_listens(live, other, monkeypatch):
    live.add_listens([listen()])
    made = playlist(of_listens=live.deletions())
    in_the_way(monkeypatch, lambda: other.delete_listens("ann", Which()))
    with pytest.raises(ChangedError, match="deleted"):
        live.put_playlist(made)
    assert other.playlists("ann") == []


def test_a_playlist_that_is_put_while_listens_are_deleted_goes_with_them(live, other, monkeypatch):
    live.add_listens([listen()])
    made = playlist(of_listens=live.deletions())
    deleted = live_cassandra_database.LiveDatabase.deleted

    def late(database):
        monkeypatch.undo()
        with contextlib.suppress(ChangedError):
            other.put_playlist(made)
        deleted(database)

    monkeypatch.setattr(live_cassandra_database.LiveDatabase, "deleted", late)
    assert live.delete_listens("ann", Which()) == 1
    assert other.playlists("ann") == []
    with pytest.raises(UnknownIdError):
        other.playlist("p1")


def test_a_transaction_whose_answer_is_lost_counts_once(live, monkeypatch):
    send, lost = CassandraSession.applied_together, []

    def silent(session, statements):
        send(session, statements)
        lost.append(statements)
        raise UnavailableError("no answer")

    monkeypatch.setattr(CassandraSession, "applied_together", silent)
    assert live.add_listens([listen()]) == 1
    assert len(lost) == 1
    assert live.put_station(
        Station(id="s", user="ann", name="S", state={}, created_at=AT, changed_at=AT)
    ).revision == len(live.stations("ann"))
    live.remove_user("ann")
    assert [account.user for account in live.accounts()] == ["bob"]


def test_a_transaction_that_never_arrived_is_sent_again(live, monkeypatch):
    def lost():
        raise UnavailableError("no answer")

    in_the_way(monkeypatch, lost, lost)
    assert live.add_listens([listen()]) == 1
    assert live.count_listens("ann") == 1


SENDER = """
import json, sys
from crossfade.stores.live import Listen, Track
from crossfade.stores.live_cassandra import CassandraLive
from crossfade.stores.registry import StoreSettings

settings = json.loads(sys.argv[1])
settings["contact_points"] = tuple(settings["contact_points"])
live = CassandraLive(StoreSettings(**settings))
print("ready", flush=True)
sys.stdin.readline()
sent = [Listen(user="ann", listened_at=1000 * n, track=Track(artist="A", title="B")) for n in range(60)]
print(sum(live.add_listens(sent[n : n + 3]) for n in range(0, 60, 2)), flush=True)
"""


def test_two_processes_that_send_the_same_listens_count_each_once(live, settings):
    given = json.dumps(dataclasses.asdict(settings))
    command = [sys.executable, "-c", SENDER, given]
    with contextlib.ExitStack() as started:
        senders = [
            started.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(2)
        ]
        for sender in senders:
            assert sender.stdout.readline() == "ready\n"
        for sender in senders:
            sender.stdin.write("go\n")
            sender.stdin.flush()
        counts = [int(sender.stdout.readline()) for sender in senders]
    assert sum(counts) == live.count_listens("ann") == 60


def test_of_two_users_who_put_the_same_id_one_is_told(live, other):
    start, made = threading.Barrier(2), []

    def put(state, user):
        start.wait()
        with contextlib.suppress(ChangedError):
            made.append(state.put_playlist(playlist(user=user)))

    threads = [threading.Thread(target=put, args=pair) for pair in ((live, "ann"), (other, "bob"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [live.playlist("p1")]
    assert len(live.playlists("ann") + live.playlists("bob")) == 1


def test_a_playlist_that_is_made_anew_while_it_is_deleted_is_found(live, other, monkeypatch):
    live.put_playlist(playlist())
    carry_out = live_cassandra_database.LiveDatabase.carry_out

    def late(database, statements):
        monkeypatch.undo()
        other.put_playlist(playlist(title="New"))
        carry_out(database, statements)

    monkeypatch.setattr(live_cassandra_database.LiveDatabase, "carry_out", late)
    live.delete_playlist("ann", "p1")
    assert live.playlist("p1").title == "New"
    assert list(live.check()) == []


def test_an_account_that_was_half_removed_is_removed_by_the_same_command(live, monkeypatch):
    live.add_listens([listen()])
    live.put_playlist(playlist())
    _, secret = live.add_token("ann")

    def killed():
        raise KeyboardInterrupt

    in_the_way(monkeypatch, killed)
    with pytest.raises(KeyboardInterrupt):
        live.remove_user("ann")
    assert live.account("ann").user == "ann"
    live.remove_user("ann")
    assert live.authenticate(secret) is None
    live.add_user("ann")
    assert live.playlists("ann") == live.tokens("ann") == live.listens("ann", limit=1) == []
    assert live.put_playlist(playlist()).revision == 1
    assert list(live.check()) == []


# What is kept, and for how long


def test_a_playlist_that_is_no_longer_made_of_listens_stays_when_they_go(live):
    live.add_listens([listen()])
    made = live.put_playlist(playlist(of_listens=live.deletions()))
    live.put_playlist(dataclasses.replace(made, of_listens=None))
    live.delete_listens("ann", Which())
    assert [one.id for one in live.playlists("ann")] == ["p1"]


def test_what_ends_by_itself_has_a_time_to_live(live, settings):
    live.set_now_playing(
        NowPlaying(user="ann", track=Track(artist="A"), player="mpd", started_at=AT, ends_at=AT + MINUTE)
    )
    live.add_token("ann", label=ENTRANCE)
    live.add_token("ann", label="phone")
    rows = session_of(settings).rows("SELECT sort, TTL(body) FROM live WHERE user = ?", ("ann",))
    lasts = sorted((sort, 0 if seconds is None else round(seconds / 60)) for sort, seconds in rows if sort)
    assert lasts == [("playing", 2), ("token", 0), ("token", 60)]
    (player,) = session_of(settings).rows("SELECT user FROM live_players")
    assert player == ("ann",)


def test_more_than_one_transaction_holds_is_kept_found_and_deleted(live, monkeypatch):
    monkeypatch.setattr(live_cassandra_database, "MOST_ROWS", 7)
    monkeypatch.setattr("crossfade.stores.live_cassandra_listens.MOST_ROWS", 7)
    assert live.add_listens([listen(n, title=f"Song {n % 2}") for n in range(30)]) == 30
    assert live.delete_listens("ann", Which(text="song 1")) == 15
    assert live.count_listens("ann") == 15
    assert live.delete_listens("ann", Which(since=AT, until=AT + 20_000)) == 10
    assert [one.listened_at for one in live.listens("ann", limit=2)] == [AT + 28_000, AT + 26_000]


def test_what_is_played_in_private_never_reaches_the_disks(live, cassandra_node):
    def on_disk(text):
        return any(
            text.encode() in path.read_bytes()
            for path in Path(cassandra_node.directory).rglob("*")
            if path.is_file() and path.suffix in (".log", ".db")
        )

    live.add_listens([listen(title="Rotkehlchen")])
    assert on_disk("Rotkehlchen"), "the log of commits is elsewhere"
    live.start_private("ann", now() + MINUTE)
    played = Track(title=CANARY, artist="Portishead", item=ItemRef("track", CANARY))
    live.add_listens([Listen(user="ann", listened_at=now(), track=played)])
    live.set_now_playing(NowPlaying(user="ann", track=played, started_at=now(), ends_at=now() + MINUTE))
    live.put_station(Station(id=CANARY, user="ann", name=CANARY, state={}, created_at=AT, changed_at=AT))
    live.put_playlist(playlist(id=CANARY, title=CANARY, tracks=(played,)))
    live.give([Feedback(user="ann", sort="thumb", value=1, track=played, given_at=now())])
    live.end_private("ann")
    live.add_listens([listen(1, title="Zaunkönig")])
    assert on_disk("Zaunkönig")
    assert not on_disk(CANARY)


# Copies and checks


def content(live):
    """All that a backup has of a live state."""
    users = [account.user for account in live.accounts()]
    return {
        user: (
            live.account(user).created_at,
            live.tokens(user),
            live.listens(user, limit=99),
            live.feedback(user),
            live.blocks(user, at=AT),
            live.exclusions(user),
            live.stations(user),
            live.playlists(user),
            live.private_until(user, at=AT),
        )
        for user in users
    }


def fill(live):
    for user in ("ann", "bob"):
        live.add_user(user)
        live.add_listens([listen(n, user=user) for n in range(9)])
        live.start_private(user, now() + MINUTE)
        live.end_private(user)
    live.give([Feedback(user="ann", sort="like", value=1, track=Track(artist="Low"), given_at=AT)])
    live.block(Block(user="bob", item=ItemRef("artist", "a"), name="A", created_at=AT, until=AT + MINUTE))
    live.exclude(Exclusion(user="ann", hours=(22, 6), timezone="Europe/Berlin"))
    live.put_station(Station(id="s1", user="bob", name="S", state={"a": 1}, created_at=AT, changed_at=AT))
    live.put_playlist(playlist(tracks=(Track(artist="Low", title="Words"),)))
    secrets = [live.add_token("ann", label="phone")[1], live.add_token("bob", password=True)[1]]
    live.authenticate(secrets[0])
    live.add_user("bob")  # handed in later, so the day of use is kept by now
    return secrets


def test_a_library_moves_from_sqlite_to_cassandra_and_back(tmp_path, settings):
    with contextlib.closing(open_live(Home(tmp_path / "one"))) as first:
        token, password = fill(first)
        first.backup(tmp_path / "first")
        wanted = content(first)
    with contextlib.closing(CassandraLive(settings)) as live:
        live.add_user("eve")
        live.add_token("eve")
        live.restore(tmp_path / "first")
        assert content(live) == wanted
        live.backup(tmp_path / "second")
        assert live.authenticate(token).user == "ann"
        assert live.authenticate_password("bob", password.__eq__).user == "bob"
        assert list(live.check()) == []
    with contextlib.closing(open_live(Home(tmp_path / "two"))) as last:
        last.restore(tmp_path / "second")
        assert content(last) == wanted
        assert last.authenticate(token).user == "ann"


def test_a_restore_undoes_what_came_since(live, tmp_path):
    fill(live)
    wanted = content(live)
    live.backup(tmp_path / "backup")
    live.put_playlist(dataclasses.replace(live.playlist("p1"), title="Changed", of_listens=live.deletions()))
    live.put_station(Station(id="s2", user="ann", name="S", state={}, created_at=AT, changed_at=AT))
    live.delete_station("bob", "s1")
    live.put_station(Station(id="s1", user="ann", name="S", state={}, created_at=AT, changed_at=AT))
    live.delete_listens("ann", Which(since=AT + 4000))
    live.add_listens([listen(50)])
    live.revoke(live.tokens("ann")[0].id)
    live.restore(tmp_path / "backup")
    assert content(live) == wanted
    assert list(live.check()) == []
    live.delete_listens("ann", Which())
    assert live.playlist("p1").title == "Mine"


def test_damage_is_found(live, settings):
    session = session_of(settings)
    live.add_listens([listen()])
    live.add_token("ann")
    insert = "INSERT INTO live (user, sort, at, key, body) VALUES (?, ?, ?, ?, ?)"
    session.rows(insert, ("ann", "listen", 5, "x", b"{"))
    session.rows(insert, ("nobody", "station", 0, "s", b"{}"))
    session.rows(f"DELETE FROM live_owners WHERE sort = 'token' AND id = '{live.tokens('ann')[0].id}'")
    try:
        assert sorted(live.check()) == [
            "A station belongs to nobody.",
            "A station is not found by its id.",
            "A token is not found by its id.",
            "The live state has a damaged Listen. Restore a backup.",
            "The live state has a damaged Station. Restore a backup.",
        ]
    finally:
        session.rows("DELETE FROM live WHERE user = 'nobody'")


def test_a_backup_into_a_folder_that_is_not_there_is_refused(live, tmp_path):
    with pytest.raises(Exception, match="no folder"):
        live.backup(tmp_path / "nowhere" / "backup")


def test_a_cluster_that_does_not_answer_is_named():
    nobody = CassandraSettings(port=1, connect_seconds=1.0)
    with pytest.raises(UnavailableError, match=r"cannot be reached at 127\.0\.0\.1:1"):
        CassandraLive(nobody)


# Nodes that are killed


@pytest.fixture
def make_ring(cassandra_node, tmp_path):
    """Makes a ring of so many nodes of its own, and the settings of a live state in it."""
    rings = []

    def make(nodes):
        # With commitlog_sync: periodic, a node that is killed has lost what it acknowledged in the last 0.1 seconds.
        one = ring(tmp_path / "ring", nodes=nodes, heap="400M", durable=nodes == 1).start()
        rings.append(one)
        return one, CassandraSettings(
            contact_points=tuple(one.addresses),
            port=one.port,
            keyspace="live",
            replication=nodes,
            consistency="QUORUM",
            request_seconds=20.0,
        )

    yield make
    for one in rings:
        one.wipe()


class Posters:
    """Four threads that post listens of their own users, in pairs, and remember which were acknowledged."""

    def __init__(self, live):
        self.live, self.acknowledged, self.failed, self._stop = live, {}, [], threading.Event()
        for number in range(4):
            live.add_user(f"user{number}")
        self._threads = [threading.Thread(target=self._post, args=(f"user{number}",)) for number in range(4)]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def require_all(self):
        """Every acknowledged listen is there, once."""
        for user, sent in self.acknowledged.items():
            kept = [one.id for one in self.live.listens(user, limit=10**6)]
            assert len(kept) == len(set(kept))
            assert {one.id for one in sent} <= set(kept), "an acknowledged listen was lost"
            assert self.live.add_listens(sent) == 0
            assert len(sent) > 20

    def _post(self, user):
        acknowledged = self.acknowledged.setdefault(user, [])
        for number in range(10**6):
            if self._stop.is_set():
                return
            pair = [listen(2 * number + k, user=user) for k in range(2)]
            try:
                added = self.live.add_listens(pair)
            except UnavailableError as error:
                self.failed.append(error)
                time.sleep(0.2)
            else:
                acknowledged += pair
                if added != 2:
                    self.failed.append(added)


@pytest.mark.slow
def test_an_acknowledged_listen_survives_a_killed_node(make_ring):
    one, settings = make_ring(1)
    with contextlib.closing(CassandraLive(settings)) as live:
        with Posters(live) as posters:
            for _ in range(3):
                time.sleep(4)
                one.kill(1)
                with pytest.raises(UnavailableError):
                    live.account("user0")
                one.restart(1)
            time.sleep(4)
        assert posters.failed
        posters.require_all()
        assert list(live.check()) == []


@pytest.mark.slow
def test_a_ring_answers_all_requests_while_a_node_is_killed(make_ring):
    one, settings = make_ring(3)
    with contextlib.closing(CassandraLive(settings)) as live:
        with Posters(live) as posters:
            time.sleep(6)
            one.kill(2)
            time.sleep(15)
        assert posters.failed == []
        posters.require_all()
        assert list(live.check()) == []
