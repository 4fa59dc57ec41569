"""Audioscrobbler 1.2 and 2.0: players with an app password submit, and whatever else comes in is refused in words."""

import hashlib
import time
import uuid
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from crossfade.core.errors import InputError
from crossfade.serve.app import create_app
from crossfade.serve.audioscrobbler.answers import Node, refusal, reply
from crossfade.serve.audioscrobbler.listens import LONGEST_BODY, form, rows
from crossfade.serve.settings import ServeSettings
from crossfade.stores.live import ItemRef

AT = 1_700_000_000


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


class Player:
    """A player of one user, with an app password."""

    def __init__(self, client, live, **token):
        self.user = f"user {uuid.uuid4()}"
        self.live = live
        self.client = client
        live.add_user(self.user)
        self.token, self.password = live.add_token(self.user, label="mpd", password=True, **token)

    def handshake(self, at="/audioscrobbler/1.2/", **fields):
        now = str(int(time.time()))
        usual = {"hs": "true", "p": "1.2.1", "c": "tst", "v": "1", "u": self.user, "t": now}
        fields = {**usual, "a": md5(md5(self.password) + now), **fields}
        return self.client.get(at, params=fields).text

    def post(self, address, **fields):
        # a[0] and so on cannot be names of Python, so they are written a_0.
        named = {f"{name[0]}[{name[2:]}]" if "_" in name else name: value for name, value in fields.items()}
        return self.client.request("POST", address, data=named).text

    def call(self, method, json=False, **fields):
        asked = {"method": method, "api_key": "k", "api_sig": "s", **({"format": "json"} if json else {}), **fields}
        answer = self.client.request("POST", "/2.0/", data=asked)
        return answer.json() if json else ET.fromstring(answer.text)

    def key(self):
        return self.call("auth.getMobileSession", username=self.user, password=self.password).find("session/key").text

    def listens(self):
        return self.live.listens(self.user, limit=100)


@pytest.fixture
def player(served, client):
    return Player(client, served.live)


def test_a_player_that_asks_too_often_is_told_to_wait(served, client_of):
    app = create_app(served.active, ServeSettings(requests=2), live=served.live)
    player = Player(client_of(app), served.live)
    # A window may end in between.
    codes = [error.get("code") for _ in range(4) if (error := player.call("user.getInfo").find("error")) is not None]
    assert "29" in codes
    assert any(player.handshake().startswith("FAILED Too many requests") for _ in range(4))


# 1.2


@pytest.mark.parametrize("at", ["/", "/audioscrobbler/1.2", "/audioscrobbler/1.2/", "//audioscrobbler//1.2/"])
def test_a_handshake_is_answered_by_a_session_and_two_addresses(player, at):
    ok, session, playing, submissions, rest = player.handshake(f"http://127.0.0.1:8000{at}").split("\n")
    assert (ok, rest) == ("OK", "")
    assert session
    assert playing == "http://127.0.0.1:8000/audioscrobbler/1.2/nowplaying"
    assert submissions == "http://127.0.0.1:8000/audioscrobbler/1.2/submissions"


def test_the_page_for_browsers_is_still_there(client):
    assert "<!doctype html>" in client.get("/").text


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"a": "nonsense"}, "BADAUTH\n"),
        ({"a": "é"}, "BADAUTH\n"),
        ({"u": "nobody"}, "BADAUTH\n"),
        ({"t": "1"}, "BADTIME\n"),
        ({"t": "soon"}, "BADTIME\n"),
        ({"p": "1.1"}, "FAILED Crossfade speaks version 1.2 of this protocol.\n"),
    ],
)
def test_a_handshake_that_proves_nothing_is_refused(player, fields, answer):
    assert player.handshake(**fields) == answer


def test_a_token_is_no_app_password(player):
    secret = player.live.add_token(player.user)[1]
    now = str(int(time.time()))
    assert player.handshake(t=now, a=md5(md5(secret) + now)) == "BADAUTH\n"


def test_listens_of_1_2_are_kept_once_with_their_opinions(player):
    _, session, playing, submissions, _ = player.handshake().split("\n")
    assert player.post(playing, s=session, a="Björk", t="Hunter", b="", l="255", n="", m="") == "OK\n"
    assert player.live.now_playing(player.user, at=int(time.time() * 1000))[0].track.item == ItemRef(
        "track", "t:hunter"
    )
    sent = {
        "s": session,
        "a_0": "Björk", "t_0": "Hunter", "i_0": str(AT), "o_0": "P", "r_0": "L", "l_0": "255", "b_0": "Homogenic",
        "a_1": "Radiohead", "t_1": "Creep", "i_1": str(AT + 300), "o_1": "P", "r_1": "S", "l_1": "238",
        # What can never be kept would be sent again for ever.
        "a_2": "", "t_2": "x", "i_2": str(AT),
        "a_3": "x", "t_3": "y", "i_3": "5",
    }  # fmt: skip
    for _ in range(2):
        assert player.post(submissions, **sent) == "OK\n"
    second, first = player.listens()
    assert (first.track.title, first.track.album, first.listened_at) == ("Hunter", "Homogenic", AT * 1000)
    assert (first.skipped, first.client) == (False, "mpd")
    assert (second.track.item, second.skipped) == (ItemRef("track", "t/1 creep"), True)
    assert [(one.track.title, one.value) for one in player.live.feedback(player.user)] == [("Hunter", 1)]


def test_mpdscribbles_time_is_the_end_of_the_track(player):
    _, session, _, submissions, _ = player.handshake(c="mdc").split("\n")
    player.post(submissions, s=session, a_0="x", t_0="y", i_0=str(AT), l_0="200")
    player.post(submissions, s=session, a_0="x", t_0="z", i_0=str(AT))
    assert {listen.listened_at for listen in player.listens()} == {(AT - 200) * 1000, AT * 1000}


def test_a_session_ends_with_its_password(player):
    _, session, playing, submissions, _ = player.handshake().split("\n")
    player.live.revoke(player.token.id)
    assert player.post(playing, s=session, a="x", t="y") == "BADSESSION\n"
    assert player.post(submissions, s=session, a_0="x", t_0="y", i_0=str(AT)) == "BADSESSION\n"
    for wrong in ("", "x", "é", session[:-1] + "!", "." + session, session.replace(".", "")):
        assert player.post(submissions, s=wrong, a_0="x", t_0="y", i_0=str(AT)) == "BADSESSION\n"
    assert player.listens() == []


def test_a_session_is_of_one_user(player, served, client):
    other = Player(client, served.live)
    theirs, mine = (one.handshake().split("\n")[1] for one in (other, player))
    mixed = f"{theirs.partition('.')[0]}.{mine.partition('.')[2]}"
    assert player.post("/audioscrobbler/1.2/submissions", s=mixed, a_0="x", t_0="y", i_0=str(AT)) == "BADSESSION\n"


# 2.0


def test_a_player_logs_in_with_its_app_password(player):
    key = player.key()
    proof = md5(player.user + md5(player.password))
    assert player.call("auth.getMobileSession", username=player.user, authToken=proof).find("session/key").text == key
    info = player.call("user.getInfo", sk=key)
    assert (info.get("status"), info.find("user/name").text) == ("ok", player.user)
    for wrong in ({"password": "x"}, {"authToken": "x"}, {}, {"password": "é"}):
        refused = player.call("auth.getMobileSession", username=player.user, **wrong)
        assert (refused.get("status"), refused.find("error").get("code")) == ("failed", "4")


def test_listens_of_2_0_are_kept_once_and_the_others_say_why(player):
    key = player.key()
    fields = {
        "artist[0]": "Björk", "track[0]": "Hunter", "timestamp[0]": AT, "duration[0]": 255, "album[0]": "Homogenic",
        "artist[1]": "x", "track[1]": "y", "timestamp[1]": 5,
        "artist[2]": "x", "track[2]": "y", "timestamp[2]": 9_000_000_000,
        "artist[3]": "", "track[3]": "y", "timestamp[3]": AT,
        "artist[10]": "x", "track[10]": " ", "timestamp[10]": AT,
    }  # fmt: skip
    for _ in range(2):
        answer = player.call("track.scrobble", sk=key, **fields)
    scrobbles = answer.find("scrobbles")
    assert (scrobbles.get("accepted"), scrobbles.get("ignored")) == ("1", "4")
    assert [one.find("ignoredMessage").get("code") for one in scrobbles] == ["0", "3", "4", "1", "2"]
    assert scrobbles[0].find("track").text == "Hunter"
    (listen,) = player.listens()
    assert (listen.track.item, listen.track.album) == (ItemRef("track", "t:hunter"), "Homogenic")


def test_parameters_of_the_query_and_the_form_are_one_call(player):
    key = player.key()
    path = f"/2.0/?method=track.scrobble&sk={quote(key)}&artist=Bj%C3%B6rk"
    answer = player.client.request("POST", path, data={"track": "Hunter", "timestamp": str(AT), "format": "json"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["scrobbles"]["@attr"] == {"accepted": "1", "ignored": "0"}
    assert answer.json()["scrobbles"]["scrobble"]["track"] == {"#text": "Hunter", "corrected": "0"}
    assert len(player.listens()) == 1


def test_what_was_played_and_loved_is_listed(player):
    key = player.key()
    player.call("track.scrobble", sk=key, artist="Björk", track="Hunter <&>", timestamp=AT)
    player.call("track.updateNowPlaying", sk=key, artist="Radiohead", track="Creep", duration="238")
    assert player.call("track.love", sk=key, artist="Björk", track="Army of Me").get("status") == "ok"
    recent = player.call("user.getRecentTracks", sk=key).find("recenttracks")
    assert [track.find("name").text for track in recent] == ["Creep", "Hunter <&>"]
    assert (recent[0].get("nowplaying"), recent[1].find("date").get("uts")) == ("true", str(AT))
    assert (recent.get("total"), recent.get("totalPages")) == ("1", "1")
    assert len(player.call("user.getRecentTracks", sk=key, page="2", limit="1").find("recenttracks")) == 0
    (loved,) = player.call("user.getLovedTracks", json=True, sk=key)["lovedtracks"]["track"]
    assert (loved["name"], loved["artist"]["name"]) == ("Army of Me", "Björk")
    player.call("track.unlove", sk=key, artist="björk", track="army of me")
    assert player.call("user.getLovedTracks", json=True, sk=key)["lovedtracks"]["track"] == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 3),
        ({"method": "library.addTrack"}, 3),
        ({"method": "track.scrobble"}, 9),
        ({"method": "track.scrobble", "sk": "nonsense"}, 9),
        ({"method": "user.getRecentTracks", "sk": "KEY", "limit": "0"}, 6),
        ({"method": "user.getRecentTracks", "sk": "KEY", "page": "9" * 5000}, 6),
        ({"method": "user.getRecentTracks", "sk": "KEY", "page": "²"}, 6),
        ({"method": "track.love", "sk": "KEY", "artist": "x"}, 6),
        ({"method": "track.love", "sk": "KEY", "artist": "x", "track": "a\x00b"}, 6),
        ({"method": "track.love", "sk": "KEY", "artist": "x" * 2000, "track": "y"}, 6),
        ({"method": "track.scrobble", "sk": "KEY", **{f"artist[{n}]": "x" for n in range(51)}}, 6),
        ({"method": "track.scrobble", "sk": "KEY", **{f"x{n}": "x" for n in range(1001)}}, 6),
    ],
)
def test_calls_that_cannot_be_answered_are_refused_by_their_code(player, fields, code):
    fields = {name: player.key() if value == "KEY" else value for name, value in fields.items()}
    answer = player.client.request("POST", "/2.0/", data=fields)
    error = ET.fromstring(answer.text).find("error")
    assert (error.get("code"), bool(error.text)) == (str(code), True)
    assert answer.status_code in (400, 403)
    asked = player.client.request("POST", "/2.0/?format=json", data=fields).json()
    assert asked["error"] == code


def test_a_password_allows_no_more_than_its_scopes(served, client):
    player = Player(client, served.live, scopes=frozenset({"read"}))
    assert (
        player.call("auth.getMobileSession", username=player.user, password=player.password).get("status") == "failed"
    )


@pytest.mark.parametrize("body", [b"\xff", b"a=%ff", b"&" * 2000, b"=" * 3, b"a=%00"])
def test_no_form_makes_the_server_fail(client, body):
    for path in ("/2.0/", "/audioscrobbler/1.2/submissions", "/audioscrobbler/1.2/nowplaying"):
        assert client.request("POST", path, content=body).status_code < 500


def test_a_form_that_is_too_large_is_not_read(client):
    assert client.request("POST", "/2.0/", content=b"a" * (LONGEST_BODY + 1)).status_code == 413
    answer = client.request("POST", "/audioscrobbler/1.2/submissions", content=b"a" * (LONGEST_BODY + 1))
    assert answer.text.startswith("FAILED ")


def test_forms_are_utf_8_without_nul():
    assert form(b"a=1&b=x", b"a=2&c=%C3%B6") == {"a": "2", "b": "x", "c": "ö"}
    for wrong in (b"a=%FF", b"a=\xff", b"a%00=x"):
        with pytest.raises(InputError):
            form(wrong)
    assert rows({"a[1]": "y", "a[0]": "x", "s": "k"}) == [{"a": "x"}, {"a": "y"}]


def test_what_xml_cannot_write_is_replaced():
    answer = ET.fromstring(reply(Node("track", "a\x1b\ud800\uffffb <&>"), json=False).body)
    assert (
        answer.find("track").text == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b <&>"
    )
    assert ET.fromstring(refusal(6, "no & no", json=False, status=400).body).find("error").text == "no & no"
