"""The live API: what players send, and what users see and delete of it."""

import json
import time

import pytest

from crossfade.serve.app import create_app
from crossfade.serve.settings import ServeSettings
from crossfade.stores.live import Listen, Track

AT = 1_763_640_000_000
ROADS = {"title": "Roads", "artist": "Portishead"}


class User:
    """Calls the routes of one user with a token."""

    def __init__(self, client, name, secret):
        self._client, self._path = client, f"/v1/users/{name}"
        self.headers = {"Authorization": f"Bearer {secret}"}

    def call(self, method, path, body=None, **options):
        return self._client.request(method, f"{self._path}/{path}", json=body, headers=self.headers, **options)

    def done(self, method, path, body=None, **options):
        answer = self.call(method, path, body, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def user(live, empty):
    """Makes a user with a token."""

    def made(name="ann", *scopes):
        live.add_user(name)
        options = {"scopes": frozenset(scopes)} if scopes else {}
        return User(empty, name, live.add_token(name, **options)[1])

    return made


@pytest.fixture
def ann(user):
    return user()


def plays(*minutes, track=ROADS):
    return {"listens": [{"listened_at": AT + minute * 60_000, "track": track} for minute in minutes]}


def titles(user, **params):
    return [one["track"].get("title") for one in user.done("GET", "listens", params=params)["listens"]]


def test_a_play_is_kept_once_and_comes_back(ann):
    assert ann.done("POST", "listens", plays(0, 1)) == {"received": 2, "added": 2}
    assert ann.done("POST", "listens", plays(1, 2)) == {"received": 2, "added": 1}
    answer = ann.call("GET", "listens", params={"limit": 1})
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["total"] == 3
    [latest] = answer.json()["listens"]
    assert (latest["listened_at"], latest["track"], latest["skipped"]) == (AT + 120_000, ROADS, False)


def test_what_was_hardly_heard_is_a_skip(ann):
    short = {"listened_at": AT, "track": {**ROADS, "duration_ms": 300_000}, "ms_played": 5_000}
    ann.done("POST", "listens", {"listens": [short, {**short, "listened_at": AT + 5000, "skipped": False}]})
    assert [one["skipped"] for one in ann.done("GET", "listens")["listens"]] == [False, True]


def test_names_are_matched_with_the_catalogue(release_parts, releases, ann, active):
    release_parts.publish(releases)
    with active.reading() as opened:
        artist = opened.release.tables.search("a", limit=1, kinds=["artist"]).items["artist"][0]
    ann.done("POST", "listens", plays(0, track={"artist": artist.name.upper()}))
    [kept] = ann.done("GET", "listens")["listens"]
    assert kept["track"]["item"] == {"kind": "artist", "id": artist.id}
    [block] = ann.done("POST", "blocks", {"item": kept["track"]["item"]})["blocks"]
    assert block["name"] == artist.name


def test_listens_are_deleted_by_what_is_said_of_them(ann):
    ann.done("POST", "listens", plays(0, 20, 100, track={"title": "a", "artist": "Low"}))
    ann.done("POST", "listens", plays(300))
    first = ann.done("GET", "listens")["listens"][-1]["id"]
    for unclear in ({}, {"everything": True, "artist": "Low"}):
        assert ann.call("DELETE", "listens", params=unclear).status_code == 422
    assert ann.done("DELETE", "listens", params={"session": first}) == {"deleted": 2}
    assert titles(ann) == ["Roads", "a"]
    assert ann.done("DELETE", "listens", params={"artist": "portishead", "since": AT}) == {"deleted": 1}
    assert ann.done("DELETE", "listens", params={"listen": ["x", "y"]}) == {"deleted": 0}
    assert ann.done("DELETE", "listens", params={"everything": True}) == {"deleted": 1}
    assert ann.call("DELETE", "listens", params={"session": first}).status_code == 404


def test_feedback_stands_until_it_is_taken_back(ann):
    both = [{"sort": "thumb", "value": -1, "track": ROADS}, {"sort": "rating", "value": 4, "track": ROADS}]
    given = ann.done("POST", "feedback", {"feedback": both})["feedback"]
    assert {(one["sort"], one["value"]) for one in given} == {("thumb", -1), ("rating", 4)}
    back = {"feedback": [{"sort": "thumb", "value": 0, "track": ROADS}]}
    assert [one["sort"] for one in ann.done("POST", "feedback", back)["feedback"]] == ["rating"]
    assert ann.call("POST", "feedback", {"feedback": [{**both[0], "value": 5}]}).status_code == 422
    assert len(ann.done("GET", "feedback")["feedback"]) == 1


def test_a_block_and_a_snooze_are_undone(ann):
    artist, track = {"kind": "artist", "id": "a/1"}, {"kind": "track", "id": "t"}
    ann.done("POST", "blocks", {"item": artist})
    month = ann.done("POST", "blocks", {"item": track, "days": 30})["blocks"][0]
    assert abs(month["until"] - time.time() * 1000 - 30 * 86_400_000) < 60_000
    left = ann.done("DELETE", "blocks", params={"kind": "artist", "item": "a/1"})["blocks"]
    assert [one["item"] for one in left] == [track]
    assert len(ann.done("GET", "blocks")["blocks"]) == 1


def test_what_is_playing_is_shown_until_the_player_stops(ann):
    ann.done("PUT", "playing", {"track": ROADS, "player": "desk"})
    [playing] = ann.done("GET", "playing")["playing"]
    assert (playing["player"], playing["track"]) == ("desk", ROADS)
    assert ann.done("DELETE", "playing", params={"player": "desk"}) == {"playing": []}


def test_hours_and_playlists_are_left_out_of_taste_and_counted_again(ann):
    night = {"hours": [22, 6], "timezone": "Europe/Berlin"}
    assert ann.done("POST", "exclusions", night)["exclusions"] == [night]
    ann.done("POST", "exclusions", {"context": "sleep"})
    assert len(ann.done("GET", "exclusions")["exclusions"]) == 2
    left = ann.done("POST", "exclusions/undo", night)["exclusions"]
    assert left == [{"context": "sleep", "timezone": "UTC"}]
    assert ann.call("POST", "exclusions", {}).status_code == 422


def test_nothing_of_a_private_session_is_kept(ann):
    now = round(time.time() * 1000)
    assert ann.done("PUT", "private", {"minutes": 5})["until"] > now
    private = {"listens": [{"listened_at": now, "track": ROADS}]}
    assert ann.done("POST", "listens", private) == {"received": 1, "added": 0}
    ann.done("POST", "feedback", {"feedback": [{"sort": "like", "value": 1, "track": ROADS}]})
    assert ann.done("DELETE", "private") == {}
    assert ann.done("POST", "listens", private)["added"] == 0
    assert ann.done("GET", "listens")["total"] == 0
    assert ann.done("GET", "feedback") == {"feedback": []}


# Who may


def test_without_a_valid_token_nothing_is_answered(ann, empty):
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp5"}, {"Authorization": "Token"}):
        answer = empty.request("GET", "/v1/users/ann/listens", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("type_", [{}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "x"}])
def test_a_body_is_json_whatever_type_it_is_sent_as(ann, empty, type_):
    content = json.dumps(plays(0)).encode()
    answer = empty.request("POST", "/v1/users/ann/listens", content=content, headers={**ann.headers, **type_})
    assert answer.json() == {"received": 1, "added": 1}


def test_whoever_calls_a_method_that_a_path_lacks_is_told_those_that_it_has(ann, empty):
    refused = ann.call("PATCH", "listens")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "DELETE, GET, POST")
    assert empty.request("PUT", "/v1/stations/next").headers["Allow"] == "POST"


def test_a_token_is_for_its_own_user(ann, user):
    bob, admin = user("bob"), user("root", "admin")
    stranger = User(bob._client, "ann", "")
    stranger.headers = bob.headers
    assert stranger.call("GET", "listens").status_code == 403
    assert stranger.call("POST", "listens", plays(0)).status_code == 403
    stranger.headers = admin.headers
    assert stranger.done("POST", "listens", plays(0))["added"] == 1
    nobody = User(bob._client, "nobody", "")
    nobody.headers = admin.headers
    assert nobody.call("GET", "listens").status_code == 404


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [("read", {"GET listens"}), ("submit", {"POST listens"}), ("manage", {"DELETE listens", "POST blocks"})],
)
def test_a_token_allows_what_its_scope_says(user, scope, allowed):
    ann = user("ann", scope)
    calls = {
        "GET listens": lambda: ann.call("GET", "listens"),
        "POST listens": lambda: ann.call("POST", "listens", plays(0)),
        "DELETE listens": lambda: ann.call("DELETE", "listens", params={"everything": True}),
        "POST blocks": lambda: ann.call("POST", "blocks", {"item": {"kind": "artist", "id": "a"}}),
    }
    answers = {name: call().status_code for name, call in calls.items()}
    assert answers == {name: 200 if name in allowed else 403 for name in calls}


def test_a_user_whose_id_has_a_slash_has_routes_of_their_own(user):
    slashed = user("a/b")
    slashed._path = "/v1/users/a%2Fb"
    assert slashed.done("POST", "listens", plays(0))["added"] == 1


def test_a_client_that_asks_too_often_has_to_wait(active, live, client_of):
    live.add_user("ann")
    _, secret = live.add_token("ann")
    app = create_app(active, ServeSettings(requests=6, workers=2), live=live)  # one of two processes
    ann = User(client_of(app), "ann", secret)
    answers = [ann.call("GET", "playing") for _ in range(9)]
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(429) >= 3  # nine requests touch two windows at most
    refused = answers[statuses.index(429)]
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert int(refused.headers["Retry-After"]) >= 1
    assert answers[0].headers["X-RateLimit-Limit"] == "3"


# Hostile input


NO_LISTENS = [
    b"",
    b"{",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"listens": [{"listened_at": NaN, "track": {"artist": "a"}}]}',
    b'{"listens": [{"listened_at": 1e400, "track": {"artist": "a"}}]}',
    b'{"listens": [{"listened_at": ' + b"9" * 5000 + b', "track": {"artist": "a"}}]}',
    b'{"listens": [{"listened_at": true, "track": {"artist": "a"}}]}',
    b'{"listens": [{"listened_at": 1763640000000, "track": {"artist": "\xff"}}]}',
    b'{"listens": [{"listened_at": 1763640000000, "track": {"artist": "\\ud800"}}]}',
    b'{"listens": [{"listened_at": 1763640000000, "track": {"artist": "a\\u0000"}}]}',
    b'{"listens": [{"listened_at": 1763640000000, "track": {"artist": 5}}]}',
    b'{"listens": [{"listened_at": 1763640000000, "track": {"title": "no artist"}}]}',
    b'{"listens": [{"listened_at": 1763640000000, "track": {"artist": "a"}, "x": 1}]}',
    b'{"listens": [{"listened_at": 99999999999999, "track": {"artist": "a"}}]}',
    b'{"listens": []}',
    b'{"listens": {}}',
    b'{"listens": null}',
    b"null",
]


def test_what_is_no_listen_is_refused_with_a_reason(ann, empty):
    headers = {**ann.headers, "Content-Type": "application/json"}
    for content in NO_LISTENS:
        answer = empty.request("POST", "/v1/users/ann/listens", content=content, headers=headers)
        assert answer.status_code == 422, content[:80]
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert ann.done("GET", "listens")["total"] == 0


def test_more_than_a_thousand_listens_are_refused_as_a_whole(ann):
    assert ann.call("POST", "listens", plays(*range(1001))).status_code == 422
    assert ann.done("GET", "listens")["total"] == 0
    assert ann.done("POST", "listens", plays(*range(1000)))["added"] == 1000


def test_a_body_that_is_too_large_is_refused_before_it_is_read(ann, empty):
    large = json.dumps({"feedback": [], "x": "y" * 70_000}).encode()
    answer = empty.request("POST", "/v1/users/ann/feedback", content=large, headers=ann.headers)
    assert answer.status_code == 413
    answer = empty.request("POST", "/v1/users/ann/listens", content=b"", headers={"Content-Length": str(10**12)})
    assert answer.status_code == 401


def test_a_question_that_makes_no_sense_is_refused(ann):
    for params in ({"since": -1}, {"since": "9" * 400}, {"limit": 0}, {"offset": 2**70}, {"text": "x" * 2000}):
        assert ann.call("GET", "listens", params=params).status_code == 422, params


def test_what_a_user_plays_is_not_in_the_log(ann, caplog):
    with caplog.at_level("DEBUG"):
        ann.done("POST", "listens", plays(0, track={"title": "Kanarienvogel", "artist": "x"}))
        ann.done("GET", "listens", params={"text": "Kanarienvogel"})
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    assert any("POST /v1/users/{id}/listens 200" in line for line in logged)
    assert not any("Kanarienvogel" in line for line in logged)


def test_a_user_is_shown_what_another_api_sent(ann, live):
    live.add_listens([Listen(user="ann", listened_at=AT, track=Track(artist="Low"), client="mpd", info={"a": 1})])
    [kept] = ann.done("GET", "listens")["listens"]
    assert (kept["client"], kept["track"]) == ("mpd", {"artist": "Low"})
