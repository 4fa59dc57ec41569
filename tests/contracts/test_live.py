"""What every store of the live state promises."""

import contextlib
import dataclasses
import gc
import hashlib
import hmac
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crossfade.core.errors import InputError, StorageError, UnknownIdError
from crossfade.core.home import Home
from crossfade.stores import live_rules
from crossfade.stores.live import (
    LONGEST_INFO,
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
from crossfade.stores.registry import LIVE, StoreSettings, open_live

AT = 1_700_000_000_000
MINUTE = 60_000
SONG = Track(title="Roads", artist="Portishead", album="Dummy", item=ItemRef("track", "t1"), duration_ms=5 * MINUTE)
OTHER = Track(title="Teardrop", artist="Massive Attack")


@pytest.fixture(params=LIVE)
def settings(request):
    if request.param != "cassandra":
        return StoreSettings(kind=request.param)
    return request.getfixturevalue("cassandra_live")


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


@pytest.fixture
def live(home, settings):
    state = open_live(home, settings)
    state.add_user("ann")
    state.add_user("bob")
    yield state
    state.close()


def listen(at=AT, track=SONG, user="ann", **more):
    return Listen(user=user, listened_at=at, track=track, **more)


def said(value=1, sort="thumb", track=SONG, user="ann", at=AT):
    return Feedback(user=user, sort=sort, value=value, track=track, given_at=at)


def as_sent(listens):
    return [dataclasses.replace(one, received_at=0) for one in listens]


# Accounts


def test_an_account_is_added_once_and_listed(live):
    first = live.add_user("ann")
    assert first == live.account("ann")
    assert [account.user for account in live.accounts()] == ["ann", "bob"]


@pytest.mark.parametrize("user", ["", " ann", "a\x00b", "a\nb", "x" * 201])
def test_what_cannot_be_an_id_gets_no_account(live, user):
    with pytest.raises(InputError):
        live.add_user(user)


def test_nothing_is_kept_of_a_user_without_an_account(live):
    for act in (
        lambda: live.account("eve"),
        lambda: live.add_token("eve"),
        lambda: live.add_listens([listen(user="eve")]),
        lambda: live.listens("eve", limit=1),
        lambda: live.give([said(user="eve")]),
        lambda: live.remove_user("eve"),
        lambda: live.start_private("eve", AT),
    ):
        with pytest.raises(UnknownIdError, match="eve"):
            act()


def test_a_secret_opens_its_own_account_until_it_is_revoked(live):
    token, secret = live.add_token("ann", label="phone", scopes=frozenset({"read"}))
    found = live.authenticate(secret)
    assert (found.user, found.scopes, found.label, found.password) == ("ann", {"read"}, "phone", False)
    for wrong in (secret[:-1], secret + "0", secret.upper(), "", "\x00", "cf_\udcff_x", token.id, f"cf_{token.id}_"):
        assert live.authenticate(wrong) is None
    live.revoke(token.id)
    assert live.authenticate(secret) is None
    with pytest.raises(UnknownIdError):
        live.revoke(token.id)


def test_an_app_password_answers_a_salted_digest(live):
    _, secret = live.add_token("ann", password=True)
    sent = hashlib.md5(f"{secret}salt".encode()).hexdigest()

    def accepts(password):
        return hmac.compare_digest(sent, hashlib.md5(f"{password}salt".encode()).hexdigest())

    assert live.authenticate_password("ann", accepts).user == "ann"
    assert live.authenticate_password("bob", accepts) is None
    assert live.authenticate_password("nobody", accepts) is None
    assert live.authenticate(secret) is None


@pytest.mark.parametrize("options", [{"scopes": frozenset()}, {"scopes": frozenset({"root"})}, {"label": "a\x00"}])
def test_a_token_that_allows_nothing_known_is_refused(live, options):
    with pytest.raises(InputError):
        live.add_token("ann", **options)


def test_an_app_password_is_no_admin(live):
    with pytest.raises(InputError, match="admin"):
        live.add_token("ann", scopes=frozenset({"admin"}), password=True)


def test_the_day_of_use_is_noted(live):
    token, secret = live.add_token("ann")
    assert live.tokens("ann") == [token]
    live.authenticate(secret)
    live.add_user("ann")  # handed in later, so the day is kept by now
    assert live.tokens()[0].used_at == now() // 86_400_000 * 86_400_000


def test_a_removed_user_leaves_nothing(live):
    live.add_token("ann")
    live.add_listens([listen()])
    live.give([said()])
    before = live.deletions()
    live.remove_user("ann")
    live.add_user("ann")
    assert live.tokens("ann") == live.feedback("ann") == live.listens("ann", limit=9) == []
    assert live.deletions() > before


# Listens


def test_a_listen_counts_once_however_often_it_is_sent(live):
    assert live.add_listens([listen(), listen(at=AT + 999)]) == 1
    assert live.add_listens([listen(), listen(at=AT + 1000)]) == 1
    assert live.add_listens([listen(track=dataclasses.replace(SONG, title="ROADS", artist="portishead "))]) == 0
    assert live.add_listens([listen(user="bob")]) == 1
    assert live.count_listens("ann") == 2


def test_a_listen_comes_back_as_it_was_sent(live):
    sent = listen(ms_played=90_000, skipped=True, source="radio", context="p1", client="cmus", info={"a": [1, None]})
    live.add_listens([sent])
    [kept] = live.listens("ann", limit=5)
    assert dataclasses.replace(kept, received_at=0) == sent
    assert abs(kept.received_at - now()) < MINUTE
    assert kept.id == sent.id


def test_listens_come_newest_first_in_pages(live):
    sent = [listen(at=AT + n * MINUTE) for n in range(5)]
    live.add_listens(sent)
    assert as_sent(live.listens("ann", limit=2, offset=1)) == [sent[3], sent[2]]
    assert as_sent(live.listens("ann", limit=9, oldest_first=True)) == sent


WHICH = {
    "ids": (lambda: Which(ids=[listen().id, "nothing"]), [0]),
    "no ids": (lambda: Which(ids=[]), []),
    "a span": (lambda: Which(since=AT + MINUTE, until=AT + 3 * MINUTE), [1, 2]),
    "an artist": (lambda: Which(artist="MASSIVE  attack"), [1]),
    "a text": (lambda: Which(text="dümm"), [0, 2]),
    "a context": (lambda: Which(context="p1"), [3]),
    "two of them": (lambda: Which(artist="portishead", since=AT + 1), [2]),
    "everything": (Which, [0, 1, 2, 3]),
}


@pytest.mark.parametrize("case", WHICH)
def test_listens_are_found_counted_and_deleted_by_the_same_question(live, case):
    sent = [
        listen(),
        listen(at=AT + MINUTE, track=OTHER),
        listen(at=AT + 2 * MINUTE),
        listen(at=AT + 3 * MINUTE, track=Track(artist="Björk"), context="p1"),
    ]
    live.add_listens([*sent, listen(user="bob")])
    make, places = WHICH[case]
    meant = [sent[place] for place in places]
    assert as_sent(live.listens("ann", make(), limit=9, oldest_first=True)) == meant
    assert live.count_listens("ann", make()) == len(meant)
    assert live.delete_listens("ann", make()) == len(meant)
    left = [one for one in sent if one not in meant]
    assert as_sent(live.listens("ann", limit=9, oldest_first=True)) == left
    assert live.count_listens("bob") == 1


@pytest.mark.parametrize("field", ["artist", "text"])
@pytest.mark.parametrize("name", ["", " ", "\t", "\u0301"])
def test_a_name_that_would_fit_everything_is_refused(field, name):
    with pytest.raises(InputError, match="a letter"):
        Which(**{field: name})


def test_every_listen_is_read_once_while_others_come_and_go(live):
    mine = [listen(at=AT + n * MINUTE) for n in range(4)]
    live.add_listens([*mine, listen(user="bob")])
    before = list(live.every_listen())
    assert sorted(one.id for one in before) == sorted(one.id for one in [*mine, listen(user="bob")])
    assert list(live.every_listen()) == before
    reading = live.every_listen()
    found = [next(reading)]
    live.delete_listens("bob", Which())
    live.add_listens([listen(at=AT - MINUTE), listen(at=AT + 9 * MINUTE)])
    found += reading
    assert [one.id for one in found if one.id in {one.id for one in mine}] == [one.id for one in mine]
    assert sorted(one.id for one in live.every_listen()) == sorted(one.id for one in live.listens("ann", limit=9))


def test_each_change_of_taste_makes_another_revision(live):
    seen = [live.account("ann").revision]

    def changes(act, different=True):
        act()
        revision = live.account("ann").revision
        assert (revision not in seen) == different
        seen.append(revision)

    changes(lambda: live.add_listens([listen()]))
    changes(lambda: live.add_listens([listen()]), different=False)
    changes(lambda: live.add_listens([listen(user="bob")]), different=False)
    changes(lambda: live.give([said()]))
    changes(lambda: live.block(Block(user="ann", item=ItemRef("artist", "a"), name="A", created_at=AT)))
    changes(lambda: live.unblock("ann", ItemRef("artist", "a")))
    changes(lambda: live.unblock("ann", ItemRef("artist", "a")), different=False)
    changes(lambda: live.exclude(Exclusion(user="ann", hours=(22, 6))))
    changes(lambda: live.delete_listens("ann", Which()))


def test_each_change_of_taste_is_a_change_of_the_whole(live):
    seen = live.changes()
    live.add_user("eve")
    assert live.changes() == seen
    for change in (
        lambda: live.add_listens([listen()]),
        lambda: live.give([said()]),
        lambda: live.exclude(Exclusion(user="ann", context="sleep")),
        lambda: live.delete_listens("ann", Which()),
        lambda: live.remove_user("eve"),
    ):
        change()
        assert live.changes() > seen
        seen = live.changes()
    live.add_listens([])
    assert live.changes() == seen


def test_what_a_player_plays_replaces_what_it_played(live):
    def playing(player, track, at=AT, user="ann"):
        return NowPlaying(user=user, track=track, player=player, started_at=at, ends_at=at + MINUTE)

    live.set_now_playing(playing("phone", SONG))
    live.set_now_playing(playing("phone", OTHER, AT + 1))
    live.set_now_playing(playing("desk", SONG, AT + 2))
    live.set_now_playing(playing("desk", SONG, AT + 3, user="bob"))
    assert [(one.player, one.track) for one in live.now_playing("ann", at=AT)] == [("desk", SONG), ("phone", OTHER)]
    assert len(live.now_playing(at=AT)) == 3
    live.stop_playing("ann", "desk")
    assert [one.player for one in live.now_playing("ann", at=AT)] == ["phone"]
    assert live.now_playing(at=AT + 2 * MINUTE) == []


# Private sessions


def test_nothing_of_a_private_session_is_kept(live):
    at = now()
    live.set_now_playing(NowPlaying(user="ann", track=SONG, started_at=at, ends_at=at + MINUTE))
    live.start_private("ann", at + 60 * MINUTE)
    assert live.private_until("ann", at=now()) == at + 60 * MINUTE
    assert live.now_playing(at=at) == []
    assert live.add_listens([listen(at=at + 1000)]) == 0
    live.give([said()])
    live.set_now_playing(NowPlaying(user="ann", track=SONG, started_at=at, ends_at=at + MINUTE))
    assert live.listens("ann", limit=9) == live.feedback("ann") == live.now_playing(at=at) == []
    assert live.add_listens([listen(user="bob", at=at)]) == 1, "the session is of one user"
    live.end_private("ann")
    assert live.private_until("ann", at=now() + 1) is None
    assert live.add_listens([listen(at=at - 1000)]) == 0, "a player sent it later"
    assert live.add_listens([listen(at=at + 10 * MINUTE), listen(at=at - 60 * MINUTE)]) == 2


def test_a_listen_that_reaches_into_a_private_session_is_private(live):
    at = now()
    live.start_private("ann", at + MINUTE)
    assert live.add_listens([listen(at=at - 4 * MINUTE)]) == 0
    assert live.add_listens([listen(at=at - 9 * MINUTE, track=OTHER)]) == 0  # of unknown length
    assert live.add_listens([listen(at=at - 4 * MINUTE, ms_played=MINUTE)]) == 1


def test_a_forgotten_private_session_ends_after_a_day(live):
    live.start_private("ann", now() + 10**12)
    assert live.private_until("ann", at=now() + 25 * 60 * MINUTE) is None


def test_a_session_that_is_begun_again_goes_on(live):
    live.start_private("ann", now() + MINUTE)
    made = live.put_station(station())
    live.start_private("ann", now() + 9 * MINUTE)
    assert live.private_until("ann", at=now()) > now() + 8 * MINUTE
    assert live.station("ann", "s1") == made


def test_stations_and_playlists_of_a_private_session_are_gone_with_it(live, home, settings):
    before = live.put_station(station())
    live.put_playlist(playlist())
    live.start_private("ann", now() + MINUTE)
    changed = live.put_station(dataclasses.replace(before, state={"played": ["private"]}))
    new = live.put_station(station(id="s2"))
    assert live.station("ann", "s1") == changed
    assert live.stations("ann") == [new, changed]
    with pytest.raises(ChangedError):
        live.put_station(before)
    live.put_playlist(playlist(id="p2"))
    live.delete_playlist("ann", "p2")
    live.put_playlist(playlist(id="p3"))
    assert [one.id for one in live.playlists("ann")] == ["p3", "p1"]
    with pytest.raises(UnknownIdError):
        live.station("bob", "s2")
    other = open_live(home, settings)  # as after a restart
    assert other.stations("ann") == [before]
    other.close()
    live.end_private("ann")
    assert live.stations("ann") == [before]
    assert [one.id for one in live.playlists("ann")] == ["p1"]


def test_a_private_session_that_ran_out_leaves_nothing(live):
    live.start_private("ann", now() + 200)
    live.put_station(station())
    time.sleep(0.3)
    assert live.stations("ann") == []
    with pytest.raises(UnknownIdError):
        live.station("ann", station().id)
    live.start_private("ann", now() + MINUTE)
    assert live.stations("ann") == []


@pytest.mark.parametrize("ended", ["here", "elsewhere", "with its user"])
def test_what_is_left_of_a_private_session_leaves_memory(live, home, settings, ended):
    class Mark(dict):
        pass

    live.start_private("ann", now() + MINUTE)
    live.put_station(station(state=Mark()))
    live.sweep()
    assert live.stations("ann") == [station(revision=1, state={})]
    if ended == "elsewhere":
        other = open_live(home, settings)
        other.end_private("ann")
        other.close()
    elif ended == "with its user":
        live.remove_user("ann")
    if ended == "here":
        live.end_private("ann")
    else:
        live.sweep()
    gc.collect()
    assert not [one for one in gc.get_objects() if type(one) is Mark]


# Opinions


def test_the_last_feedback_of_a_sort_counts_and_zero_takes_it_back(live):
    live.give([said(1), said(-1, at=AT + 1), said(1, sort="like"), said(4, sort="rating", track=OTHER, at=AT - 1)])
    assert [(one.sort, one.value) for one in live.feedback("ann")] == [("thumb", -1), ("like", 1), ("rating", 4)]
    live.give([said(0)])
    assert live.feedback("ann", "thumb") == []
    assert live.feedback("bob") == []


@pytest.mark.parametrize(("sort", "value"), [("thumb", 2), ("like", -1), ("rating", 6), ("hug", 1), ("thumb", 0.5)])
def test_feedback_that_means_nothing_is_refused(sort, value):
    with pytest.raises(InputError, match="There is no feedback"):
        said(value, sort)


def test_a_block_stands_until_its_time_or_its_undo(live):
    never = Block(user="ann", item=ItemRef("artist", "a"), name="A", created_at=AT)
    month = Block(user="ann", item=ItemRef("artist", "b"), name="B", created_at=AT + 1, until=AT + MINUTE)
    live.block(never)
    live.block(month)
    assert live.blocks("ann", at=AT) == [month, never]
    assert live.blocks("ann", at=AT + MINUTE) == [never]
    assert live.unblock("ann", never.item)
    assert not live.unblock("bob", month.item)
    assert live.blocks("ann", at=AT) == [month]


def test_only_so_much_is_kept_of_a_user(live, monkeypatch):
    monkeypatch.setattr(live_rules, "MOST_KEPT", 1)
    monkeypatch.setattr(live_rules, "MOST_EXCLUSIONS", 1)
    block = Block(user="ann", item=ItemRef("artist", "a"), name="A", created_at=AT, until=AT + MINUTE)
    other = dataclasses.replace(block, item=ItemRef("artist", "b"))
    for _ in range(2):  # the same once more is no more
        live.block(block)
        live.exclude(Exclusion(user="ann", context="a"))
    with pytest.raises(InputError, match="the most"):
        live.block(other)
    with pytest.raises(InputError, match="the most"):
        live.exclude(Exclusion(user="ann", context="b"))
    assert (live.blocks("ann", at=AT), len(live.exclusions("ann"))) == ([block], 1)
    live.block(dataclasses.replace(other, created_at=AT + MINUTE, until=None))  # the first has ended
    live.exclude(Exclusion(user="bob", context="b"))


@pytest.mark.parametrize("timezone", ["Mars", "../../etc/passwd", "", "Europe/Berlin\x7f", "x" * 900])
def test_an_unknown_time_zone_is_refused(live, timezone):
    with pytest.raises(InputError, match="There is no time zone"):
        live.exclude(Exclusion(user="ann", hours=(22, 6), timezone=timezone))


def test_an_exclusion_stands_until_it_is_undone(live):
    night = Exclusion(user="ann", hours=(22, 6), timezone="Europe/Berlin")
    sleep = Exclusion(user="ann", context="sleep")
    for one in (night, sleep, night):
        live.exclude(one)
    assert sorted(live.exclusions("ann"), key=str) == sorted([night, sleep], key=str)
    assert live.include(night)
    assert not live.include(night)
    assert live.exclusions("ann") == [sleep]


# Stations and playlists


def station(**more):
    made = {"id": "s1", "user": "ann", "name": "Roads", "state": {"played": ["t1"]}, "created_at": AT, "changed_at": AT}
    return Station(**{**made, **more})


def playlist(**more):
    made = {"id": "p1", "user": "ann", "title": "Mine", "tracks": (SONG, OTHER), "created_at": AT, "changed_at": AT}
    return Playlist(**{**made, **more})


def test_of_two_changes_of_one_station_the_second_is_told(live):
    first = live.put_station(station())
    assert first == station(revision=1) == live.station("ann", "s1")
    second = live.put_station(dataclasses.replace(first, state={"played": []}))
    with pytest.raises(ChangedError):
        live.put_station(first)
    with pytest.raises(ChangedError):
        live.put_station(dataclasses.replace(second, user="bob"))
    assert live.stations("ann") == [second]
    assert live.stations("bob") == []


def test_a_station_is_its_users_alone(live):
    live.put_station(station())
    for act in (live.station, live.delete_station):
        with pytest.raises(UnknownIdError):
            act("bob", "s1")
    live.delete_station("ann", "s1")
    with pytest.raises(UnknownIdError):
        live.station("ann", "s1")


def test_playlists_are_kept_in_order_and_listed_by_sort(live):
    mine = live.put_playlist(playlist())
    weekly = live.put_playlist(playlist(id="p2", sort="weekly-jams", changed_at=AT + 1, info={"week": 3}))
    assert live.playlist("p1") == mine
    assert mine.tracks == (SONG, OTHER)
    assert live.playlists("ann") == [weekly, mine]
    assert live.playlists("ann", "weekly-jams") == [weekly]
    with pytest.raises(ChangedError):
        live.put_playlist(playlist(user="bob"))
    with pytest.raises(UnknownIdError):
        live.delete_playlist("bob", "p1")
    live.delete_playlist("ann", "p1")
    with pytest.raises(UnknownIdError):
        live.playlist("p1")


def test_a_playlist_that_is_made_of_listens_goes_with_them(live, home, settings):
    live.add_listens([listen(), listen(user="bob")])
    made = playlist(id="jams", sort="weekly-jams", of_listens=live.deletions())
    kept, mine = live.put_playlist(made), live.put_playlist(playlist())
    theirs = live.put_playlist(dataclasses.replace(made, id="theirs", user="bob"))
    assert live.playlist("jams") == kept
    live.delete_listens("ann", Which(text="nothing"))
    assert live.playlists("ann", "weekly-jams") == [kept]
    live.delete_listens("ann", Which())
    assert live.playlists("ann") == [mine]
    assert live.playlists("bob") == [theirs]
    with pytest.raises(ChangedError, match="deleted"):
        live.put_playlist(made)
    live.add_listens([listen()])
    live.start_private("ann", now() + MINUTE)
    live.put_playlist(dataclasses.replace(made, of_listens=live.deletions()))
    live.delete_listens("ann", Which())
    assert live.playlists("ann") == [mine]
    live.end_private("ann")
    live.add_listens([listen()])
    live.start_private("ann", now() + MINUTE)
    kept = live.put_playlist(dataclasses.replace(made, of_listens=live.deletions()))
    live.sweep()
    assert live.playlists("ann") == [kept, mine]
    other = open_live(home, settings)
    other.delete_listens("ann", Which())
    other.close()
    live.sweep()
    assert live.playlists("ann") == [mine]


# Hostile values


@pytest.mark.parametrize(
    "track",
    [
        {},
        {"title": "no artist"},
        {"artist": "a\x00"},
        {"artist": "\udcff"},
        {"artist": "x" * 1001},
        {"artist": "a", "duration_ms": -1},
        {"artist": "a", "duration_ms": 2**70},
        {"artist": "a", "duration_ms": True},
        {"item": ItemRef("planet", "x")},
        {"item": ItemRef("track", "")},
    ],
)
def test_a_track_that_is_none_is_refused(track):
    with pytest.raises(InputError):
        Track(**track)


@pytest.mark.parametrize(
    "ask",
    [
        lambda live, text: live.account(text),
        lambda live, text: live.revoke(text),
        lambda live, text: live.authenticate_password(text, lambda secret: True),
        lambda live, text: live.playlist(text),
        lambda live, text: live.delete_station("ann", text),
        lambda live, text: live.unblock("ann", ItemRef("artist", text)),
        lambda live, text: live.stop_playing("ann", text),
    ],
)
def test_what_is_not_unicode_is_refused_wherever_it_is_asked_for(live, ask):
    with pytest.raises(InputError, match="not Unicode"):
        ask(live, "\udcff")
    assert live.add_listens([listen()]) == 1


def deep(levels):
    nested = {}
    for _ in range(levels):
        nested = {"a": nested}
    return nested


@pytest.mark.parametrize(
    "more",
    [
        {"at": -1},
        {"at": 2**63},
        {"at": 253_402_300_799_999},
        {"at": float("nan")},
        {"at": True},
        {"ms_played": -5},
        {"info": {"x": "y" * LONGEST_INFO}},
        {"info": {"x": float("nan")}},
        {"info": {"x": "\udcff"}},
        {"info": deep(100_000)},
    ],
)
def test_a_listen_that_cannot_be_kept_is_refused(more):
    with pytest.raises(InputError):
        listen(**more)


# Threads, processes, backups


def test_threads_that_send_the_same_listens_count_each_once(live, home, settings):
    sent = [listen(at=AT + n * 1000) for n in range(40)]
    other = open_live(home, settings)  # as another process has it
    start = threading.Barrier(8)

    def send(state):
        start.wait()
        return sum(state.add_listens([one]) for one in sent)

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(send, [live, other] * 4))
    other.close()
    assert sum(added) == live.count_listens("ann") == 40


def test_one_bad_change_does_not_undo_the_others(live):
    with ThreadPoolExecutor(8) as pool:
        good = [pool.submit(live.add_listens, [listen(at=AT + n * 1000)]) for n in range(50)]
        bad = [pool.submit(live.add_listens, [listen(user="eve", at=AT + n * 1000)]) for n in range(50)]
    assert [one.result() for one in good] == [1] * 50
    assert all(isinstance(one.exception(), UnknownIdError) for one in bad)


def test_what_was_kept_is_there_after_a_restart(live, home, settings):
    live.add_listens([listen()])
    _, secret = live.add_token("ann")
    live.close()
    live.close()
    with pytest.raises(StorageError):
        live.accounts()
    again = open_live(home, settings)
    assert again.count_listens("ann") == 1
    assert again.authenticate(secret).user == "ann"
    assert list(again.check()) == []
    again.close()


def test_a_backup_while_in_use_restores_what_was_there(live, tmp_path):
    live.add_listens([listen()])
    live.put_playlist(playlist())
    _, secret = live.add_token("ann")
    backup = tmp_path / "live.backup"
    live.backup(backup)
    assert backup.stat().st_mode & 0o077 == 0
    with pytest.raises(StorageError, match="already"):
        live.backup(backup)
    live.add_user("eve")
    live.delete_listens("ann", Which())
    live.delete_playlist("ann", "p1")
    before = live.account("ann").revision, live.deletions()
    live.restore(backup)
    assert live.count_listens("ann") == 1
    assert live.playlist("p1").tracks == (SONG, OTHER)
    assert live.authenticate(secret).user == "ann"
    assert [account.user for account in live.accounts()] == ["ann", "bob"]
    assert live.account("ann").revision > before[0]
    assert live.deletions() > before[1]


def test_what_was_played_in_private_since_a_backup_stays_private(live, tmp_path):
    live.backup(tmp_path / "backup")
    live.start_private("ann", now() + MINUTE)
    played = listen(at=now() - MINUTE)
    live.end_private("ann")
    live.add_user("eve")
    live.start_private("eve", now() + MINUTE)
    live.restore(tmp_path / "backup")
    assert live.add_listens([played]) == 0
    assert [account.user for account in live.accounts()] == ["ann", "bob"]


def test_others_see_a_restore_made_while_everybody_writes(live, home, settings, tmp_path):
    live.add_listens([listen()])
    other, stop = open_live(home, settings), threading.Event()

    def write(state, start):
        for number in range(start, start + 500):
            if stop.is_set():
                return
            state.add_listens([listen(at=AT + number * 1000, user="bob")])

    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, state, 1000 * k) for k, state in enumerate([live, other, live])]
        live.backup(tmp_path / "backup")
        live.delete_listens("ann", Which())
        other.restore(tmp_path / "backup")
        assert live.count_listens("ann") == other.count_listens("ann") == 1
        stop.set()
        for one in writing:
            one.result()
    assert list(other.check()) == []
    other.close()


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", b"x" * 5000, None, "other", "cut", "orphans"])
def test_what_is_no_backup_changes_nothing(live, tmp_path, content):
    live.add_listens([listen()])
    place = tmp_path / "backup"
    if content == "cut":
        live.backup(place)
        place.write_bytes(place.read_bytes()[:-4096])
    elif content == "other":
        with contextlib.closing(sqlite3.connect(place)) as other:
            other.execute("CREATE TABLE users (a)")
    elif content == "orphans":
        live.backup(place)
        with contextlib.closing(sqlite3.connect(place)) as other:
            other.execute("DELETE FROM users")
            other.commit()
    elif content is not None:
        place.write_bytes(content)
    with pytest.raises(InputError):
        live.restore(place)
    assert live.count_listens("ann") == 1
