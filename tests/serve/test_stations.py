"""Stations, Now Playing and playlists over HTTP."""

import dataclasses
import itertools
import json
import time

import pytest

from crossfade.stores.live import ItemRef, Listen, Track

USERS = itertools.count()


class Account:
    """A user of the served library, with a token."""

    def __init__(self, served, client, user, scopes):
        self.user, self.served, self._client = user, served, client
        served.live.add_user(user)
        token, secret = served.live.add_token(user, scopes=frozenset(scopes))
        self.token, self._headers = token, {"Authorization": f"Token {secret}", "Content-Type": "application/json"}

    def call(self, method, path, body=None, status=200, **options):
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        answer = self._client.request(method, path, content=content, headers=self._headers, **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else answer

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, body, **options)


@pytest.fixture(scope="session")
def library(tmp_path_factory, make_genre_release, serve_library):
    directory = tmp_path_factory.mktemp("genres")
    with serve_library(directory) as served:
        make_genre_release(directory).publish(served.releases)
        yield served


@pytest.fixture
def account(library, client_of):
    """Makes accounts; a new user each time."""

    def make(user=None, scopes=("read", "submit", "manage")):
        return Account(library, client_of(library.app), user or f"user {next(USERS)}", scopes)

    return make


@pytest.fixture
def ann(account):
    return account()


def start(account, **options):
    seeds = options.pop("seeds", [{"kind": "track", "id": "Song a00-1"}])
    return account.post("/v1/stations", {"seeds": seeds, "seed": 5, **options}, status=201)


def ids(answer):
    return [track["id"] for track in answer["tracks"]]


def genre(item_id):
    return int(item_id[1:3]) % 3


def test_a_station_starts_plays_on_and_is_listed(ann):
    started = start(ann)
    assert started["title"] == "Song a00-1"
    assert len(ids(started)) == 10
    assert started["tracks"][0]["text"] == "Because you started from Song a00-1"
    assert "state" not in started
    path = f"/v1/stations/{started['id']}"
    more = ann.post(f"{path}/next", {"count": 5})
    assert len(set(ids(started) + ids(more))) == 15
    assert ann.get(path)["marks"] == {}
    assert [one["id"] for one in ann.get("/v1/stations")["stations"]] == [started["id"]]
    ann.call("DELETE", path, status=204)
    ann.get(path, status=404)


def test_thumbs_turn_a_station_and_count_for_taste(ann, library):
    started = start(ann, count=0)
    path = f"/v1/stations/{started['id']}"
    for item in ("a01-1", "a04-1", "a07-1"):
        answer = ann.post(f"{path}/next", {"action": "up", "item": item, "count": 0})
    assert answer["marks"] == {"a01-1": "up", "a04-1": "up", "a07-1": "up"}
    played = ids(ann.post(f"{path}/next", {"count": 20}))
    assert sum(genre(one) == 1 for one in played) >= 6
    thumbs = library.live.feedback(ann.user, "thumb")
    assert {(one.track.item.id, one.value) for one in thumbs} == {("a01-1", 1), ("a04-1", 1), ("a07-1", 1)}
    ann.post(f"{path}/next", {"action": "undo", "item": "a01-1", "count": 0})
    assert "a01-1" not in {one.track.item.id for one in library.live.feedback(ann.user, "thumb") if one.value}
    ann.post(f"{path}/next", {"action": "down", "item": "a02-1", "count": 0})
    assert ann.get(f"{path}/why?item=a02-1")["text"] == "You gave it a thumb down."
    why = ann.get(f"{path}/why?item=a04-2")
    assert {one["origin"] for one in why["because"]} == {"seed", "up"}
    assert why["nudges"]


def test_a_station_of_words_artists_and_a_playlist(ann):
    made = ann.post(
        "/v1/playlists/generate",
        {"seeds": [{"kind": "tag", "id": "acid jazz"}], "keep": True, "adventure": 0, "length": 8},
    )
    station = start(ann, seeds=[{"kind": "playlist", "id": made["id"]}, {"kind": "artist", "id": "Band 04"},
                                {"kind": "text", "id": "jazz"}], adventure=0)  # fmt: skip
    assert [one["kind"] for one in station["seeds"]] == ["playlist", "artist", "text"]
    assert sum(genre(one) == 1 for one in ids(station)) >= 8


def test_in_a_private_session_the_server_keeps_nothing(ann, library):
    library.live.start_private(ann.user, until=time.time_ns() // 1_000_000 + 60_000)
    started = start(ann)
    assert "id" not in started
    liked = ids(started)[0]
    signal = {"state": started["state"], "action": "up", "item": liked, "count": 5}
    after = ann.post("/v1/stations/next", signal)
    assert after["marks"] == {liked: "up"}
    assert not set(ids(after)) & set(ids(started))
    library.live.end_private(ann.user)
    assert ann.get("/v1/stations") == {"stations": []}
    assert library.live.feedback(ann.user) == []


def test_a_private_station_is_in_no_byte_of_the_home(ann, library, caplog):
    library.live.start_private(ann.user, until=time.time_ns() // 1_000_000 + 60_000)
    canary = "kanarienvogel 7f3a"
    started = start(ann, title=canary, seeds=[{"kind": "track", "id": "a00-1"}])
    ann.post("/v1/stations/next", {"state": started["state"], "action": "down", "item": ids(started)[0]})
    ann.post("/v1/stations", {"seeds": [{"kind": "text", "id": canary}]}, status=404)
    files = [path for path in library.home.path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if canary.encode() in path.read_bytes()]
    assert canary not in caplog.text


def test_every_reference_of_the_description_leads_somewhere(library):
    described = library.app.openapi()

    def references(part):
        if isinstance(part, dict):
            yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else ())
            for inner in part.values():
                yield from references(inner)
        elif isinstance(part, list):
            for inner in part:
                yield from references(inner)

    for one in references({path: one for path, one in described["paths"].items() if "station" in path}):
        place = described
        for name in one.removeprefix("#/").split("/"):
            place = place[name]


def test_a_kept_station_does_not_change_in_a_private_session(ann, library):
    started = start(ann)
    path = f"/v1/stations/{started['id']}"
    before = library.live.station(ann.user, started["id"])
    library.live.start_private(ann.user, until=time.time_ns() // 1_000_000 + 60_000)
    answer = ann.post(f"{path}/next", {"action": "up", "item": "a01-1", "count": 3})
    assert "id" not in answer
    assert answer["state"]["marks"] == {"a01-1": "up"}
    library.live.end_private(ann.user)
    assert library.live.station(ann.user, started["id"]) == before


def test_what_is_blocked_is_not_played(ann, library):
    from crossfade.stores.live import Block

    library.live.block(Block(user=ann.user, item=ItemRef("artist", "a03"), name="Band 03", created_at=1))
    assert not [one for one in ids(start(ann, count=60)) if one.startswith("a03")]


def test_now_playing(ann):
    answer = ann.post("/v1/now-playing", {"queue": ["a00-1", "a03-1"], "count": 4})
    assert len(ids(answer)) == 4
    assert answer["kind"] == "track"
    assert answer["tracks"][0]["because"][0]["origin"] == "played"


FILES = {
    "jspf": b'{"playlist": {"title": "Mine", "track": [{"title": "song a00-1", "creator": "BAND 00"},'
    b'{"title": "Elsewhere", "creator": "Nobody"}, {"title": "nameless"}]}}',
    "xspf": b'<playlist version="1" xmlns="http://xspf.org/ns/0/"><title>Mine</title><trackList>'
    b"<track><title>song a00-1</title><creator>BAND 00</creator></track>"
    b"<track><title>Elsewhere</title><creator>Nobody</creator></track>"
    b"<track><title>nameless</title></track></trackList></playlist>",
    "m3u": b"#EXTM3U\n#PLAYLIST:Mine\n#EXTINF:1,BAND 00 - song a00-1\nx.mp3\n"
    b"#EXTINF:1,Nobody - Elsewhere\ny.mp3\nz.mp3\n",
}


@pytest.mark.parametrize("form", FILES)
def test_a_file_comes_in_and_goes_out(ann, form):
    kept = ann.post("/v1/playlists", FILES[form], status=201)
    assert (kept["title"], kept["dropped"]) == ("Mine", 1)
    assert kept["tracks"][0]["item"] == ["track", "a00-1"]
    assert "item" not in kept["tracks"][1]
    answer = ann.get(f"/v1/playlists/{kept['id']}?format={form}")
    content = json.dumps(answer).encode() if isinstance(answer, dict) else answer.content
    again = ann.post("/v1/playlists", content, status=201)
    assert [one["title"] for one in again["tracks"]] == ["song a00-1", "Elsewhere"]
    assert len(ann.get("/v1/playlists?sort=")["playlists"]) == 2
    ann.call("DELETE", f"/v1/playlists/{kept['id']}", status=204)
    ann.get(f"/v1/playlists/{kept['id']}", status=404)


def test_a_playlist_is_continued(ann):
    kept = ann.post("/v1/playlists", FILES["jspf"], status=201)
    body = {
        "exclude": [{"kind": "tag", "id": "dub techno"}],
        "include": [{"kind": "track", "id": "a04-4"}],
        "length": 9,
    }
    found = ann.post(f"/v1/playlists/{kept['id']}/continue", {**body, "keep": True})
    assert len(ids(found)) == 9
    assert "a04-4" in ids(found)
    assert not [one for one in ids(found) if genre(one) == 2]
    longer = ann.get(f"/v1/playlists/{kept['id']}")
    assert [one["item"][1] for one in longer["tracks"][2:]] == ids(found)


def test_a_playlist_is_edited(ann):
    kept = ann.post("/v1/playlists", FILES["jspf"], status=201)
    path = f"/v1/playlists/{kept['id']}"
    tracks = [{"title": "Elsewhere", "artist": "Nobody"}, {"title": "song a04-4", "artist": "a04"}]
    ann.call("PUT", path, {"title": "Mondays", "tracks": tracks})
    edited = ann.get(path)
    assert edited["title"] == "Mondays"
    assert [one["title"] for one in edited["tracks"]] == ["Elsewhere", "song a04-4"]
    assert "item" not in edited["tracks"][0]
    ann.call("PUT", path, {"title": "Tuesdays"})
    assert ann.get(path) == {**edited, "title": "Tuesdays"}


def test_the_playlist_of_another_is_not_edited(ann, account):
    kept = ann.post("/v1/playlists", FILES["jspf"], status=201)
    account().call("PUT", f"/v1/playlists/{kept['id']}", {"title": "Mine"}, status=404)


def test_a_playlist_is_made_from_its_title(ann):
    made = ann.post("/v1/playlists/generate", {"title": "Doom for breakfast", "length": 7, "seed": 1})
    assert (made["title"], len(ids(made))) == ("Doom for breakfast", 7)
    assert "id" not in made
    assert made == ann.post("/v1/playlists/generate", {"title": "Doom for breakfast", "length": 7, "seed": 1})
    ann.post("/v1/playlists/generate", {}, status=422)


def test_what_is_made_in_a_private_session_is_not_kept(ann, library):
    kept = ann.post("/v1/playlists", FILES["jspf"], status=201)
    library.live.start_private(ann.user, until=time.time_ns() // 1_000_000 + 60_000)
    made = ann.post("/v1/playlists/generate", {"title": "doom", "length": 3, "keep": True})
    assert "id" not in made
    ann.post(f"/v1/playlists/{kept['id']}/continue", {"length": 3, "keep": True})
    library.live.end_private(ann.user)
    assert [one["tracks"] for one in ann.get("/v1/playlists?sort=")["playlists"]] == [2]


def test_the_lists_of_the_week_and_what_was_forgotten(ann, library):
    assert ann.get("/v1/playlists") == {"playlists": []}
    old = time.time_ns() // 1_000_000 - 90 * 86_400_000
    for play in range(6):
        track = Track(item=ItemRef("track", "a05-1"))
        library.live.add_listens([Listen(user=ann.user, listened_at=old + play * 1000, track=track)])
    lists = ann.get("/v1/playlists")["playlists"]
    assert {one["sort"] for one in lists} == {"daily-jams", "weekly-jams", "weekly-exploration"}
    assert ann.get("/v1/playlists?sort=weekly-jams")["playlists"][0] in lists
    forgotten = ann.get("/v1/playlists/forgotten")["tracks"]
    assert [(one["id"], one["plays"]) for one in forgotten] == [("a05-1", 6)]
    exploration = next(one["id"] for one in lists if one["sort"] == "weekly-exploration")
    assert ann.get(f"/v1/playlists/{exploration}")["reasons"]


def test_nobody_reaches_what_is_of_another(ann, account):
    bob = account()
    station = f"/v1/stations/{start(ann)['id']}"
    playlist = f"/v1/playlists/{ann.post('/v1/playlists', FILES['m3u'], status=201)['id']}"
    for method, path in (
        ("GET", station),
        ("POST", f"{station}/next"),
        ("GET", f"{station}/why?item=a"),
        ("DELETE", station),
        ("GET", playlist),
        ("POST", f"{playlist}/continue"),
        ("DELETE", playlist),
    ):
        bob.call(method, path, {} if method == "POST" else None, status=404)
    seed = {"kind": "playlist", "id": playlist.rpartition("/")[2]}
    bob.post("/v1/stations", {"seeds": [seed]}, status=404)


def test_tokens_and_scopes(library, client_of, account):
    client = client_of(library.app)
    assert client.get("/v1/stations").status_code == 401
    assert client.get("/v1/stations", headers={"Authorization": "Token nonsense"}).status_code == 401
    reader = account(scopes=("read",))
    reader.get("/v1/stations")
    seeds = [{"kind": "track", "id": "a00-1"}]
    reader.post("/v1/stations", {"seeds": seeds}, status=403)
    reader.post("/v1/playlists/generate", {"seeds": seeds})
    reader.post("/v1/playlists/generate", {"seeds": seeds, "keep": True}, status=403)
    answer = client.get("/v1/stations", headers=reader._headers)
    assert int(answer.headers["x-ratelimit-remaining"]) > 0


BAD = [
    b"",
    b"[",
    b"null",
    b"[" * 50_000,
    b'{"seeds": []}',
    b'{"seeds": [{"kind": "user", "id": "ann"}]}',
    b'{"seeds": [{"kind": "track", "id": "a00-1"}], "adventure": NaN}',
    b'{"seeds": [{"kind": "track", "id": "a00-1"}], "adventure": 1e999}',
    b'{"seeds": [{"kind": "track", "id": "a00-1"}], "count": 99999999999999999999999}',
    b'{"seeds": [{"kind": "track", "id": "a00-1"}], "surprise": 1}',
    b'{"seeds": [{"kind": "track", "id": "\xff"}]}',
    b'{"seeds": [' + b",".join([b'{"kind": "track", "id": "a00-1"}'] * 21) + b"]}",
]


@pytest.mark.parametrize("body", BAD)
def test_bad_bodies_are_refused(ann, body):
    problem = ann.post("/v1/stations", body, status=422)
    assert problem["errors"]
    ann.post("/v1/stations", {"seeds": [{"kind": "track", "id": "no\x00where"}]}, status=404)


def test_long_bodies_are_refused(ann):
    ann.post("/v1/now-playing", b" " * 70_000, status=413)
    ann.post("/v1/playlists", b" " * 5_000_001, status=413)


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"[" * 100_000, b'{"playlist": {"track": [' + b"[" * 9_999, b"<!DOCTYPE a>"]
)
def test_what_is_no_playlist_is_refused(ann, content):
    ann.post("/v1/playlists", content, status=422)


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": []},
        {"kind": 7},
        {"draws": -1},
        {"adventure": 3},
        {"seeds": [{"id": "a00-1", "because": {"kind": "track", "id": "a", "name": "a"}}] * 101},
        {"marks": {"a": "sideways"}},
    ],
)
def test_a_state_that_was_made_up_is_refused(ann, change):
    state = start(ann, keep=False)["state"]
    ann.post("/v1/stations/next", {"state": {**state, **change}}, status=422)


def test_a_change_in_between_is_repeated(ann, library, monkeypatch):
    """Another signal comes before this one is kept: both thumbs are there in the end."""
    started = start(ann, count=0)
    path, put, calls = f"/v1/stations/{started['id']}/next", library.live.put_station, []

    def slow(station):
        calls.append(station)
        if len(calls) == 1:
            kept = library.live.station(ann.user, station.id)
            put(dataclasses.replace(kept, state={**kept.state, "marks": {"a01-1": "up"}}))
        return put(station)

    monkeypatch.setattr(type(library.live), "put_station", lambda self, station: slow(station))
    ann.post(path, {"action": "up", "item": "a04-1", "count": 0})
    monkeypatch.undo()
    assert set(ann.get(path.removesuffix("/next"))["marks"]) == {"a01-1", "a04-1"}
