"""The ListenBrainz API: what players send is kept as they sent it, once, and what they cannot send is refused."""

import json
import time
import uuid

import pytest

from crossfade.serve.listenbrainz import rows
from crossfade.serve.listenbrainz.submissions import LONGEST_BODY, LONGEST_LISTEN, submitted
from crossfade.stores.live import Feedback, ItemRef, Listen, Playlist, Track

NOW = 1_750_000_000_000
MBID = "8f3471b5-7e6a-48da-86a9-c1c07a0f47ae"
HUNTER = {"artist_name": "Björk", "track_name": "Hunter", "release_name": "Homogenic"}


def listened(at=1_700_000_000, metadata=HUNTER, **info):
    return {"listened_at": at, "track_metadata": {**metadata, **({"additional_info": info} if info else {})}}


def submission(*listens, kind="import"):
    return json.dumps({"listen_type": kind, "payload": listens}).encode()


class Account:
    """A client with the token of one user."""

    def __init__(self, client, live, user, **token):
        live.add_user(user)
        self.user = user
        self.live = live
        self._client = client
        self._secret = live.add_token(user, **token)[1]

    def call(self, method, path, **options):
        headers = {"Authorization": f"Token {self._secret}", **options.pop("headers", {})}
        return self._client.request(method, f"/1/{path}", headers=headers, **options)

    def get(self, path, **parameters):
        return self.call("GET", path, params=parameters)

    def post(self, path, value):
        # Without a Content-Type, as players send it.
        return self.call("POST", path, content=value if isinstance(value, bytes) else json.dumps(value).encode())


@pytest.fixture
def account(served, client):
    """An account of its own for each test, in a library that they share."""
    return Account(client, served.live, f"user-{uuid.uuid4()}")


def test_listens_are_kept_with_the_item_that_they_are(account):
    body = submission(
        listened(duration_ms="255000", duration_played=250, submission_client="Strawberry", tracknumber="3"),
        listened(at="1700000300", metadata={"artist_name": "Nobody", "track_name": "Nothing", "release_name": None}),
    )
    answer = account.post("submit-listens", body)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    second, first = account.live.listens(account.user, limit=10)
    assert first.track.item == ItemRef("track", "t:hunter")
    assert (first.listened_at, first.ms_played, first.track.duration_ms) == (1_700_000_000_000, 250_000, 255_000)
    assert (first.client, first.skipped, first.info["tracknumber"]) == ("Strawberry", False, "3")
    assert (second.track.item, second.track.artist, second.listened_at) == (None, "Nobody", 1_700_000_300_000)


def test_a_listen_that_is_sent_five_times_counts_once(account):
    for _ in range(5):
        assert account.post("submit-listens", submission(listened(), kind="single")).status_code == 200
    assert account.get(f"user/{account.user}/listen-count").json() == {"payload": {"count": 1}}


def test_a_short_listen_is_a_skip(account):
    account.post("submit-listens", submission(listened(duration=300, duration_played=12)))
    assert account.live.listens(account.user, limit=1)[0].skipped


def test_listens_are_given_back_latest_first_as_they_were_sent(account):
    times = [1_700_000_000 + 60 * place for place in range(5)]
    account.post("submit-listens", submission(*(listened(at, recording_mbid=MBID, tags=["a"]) for at in times)))

    def seen(**parameters):
        payload = account.get(f"user/{account.user}/listens", **parameters).json()["payload"]
        assert payload["count"] == len(payload["listens"])
        assert (payload["oldest_listen_ts"], payload["latest_listen_ts"]) == (times[0], times[-1])
        return [times.index(listen["listened_at"]) for listen in payload["listens"]]

    assert seen() == [4, 3, 2, 1, 0]
    assert seen(count=2) == [4, 3]
    assert seen(max_ts=times[3]) == [2, 1, 0]
    assert seen(min_ts=times[1]) == [4, 3, 2]
    # From a time on, the listens that came first.
    assert seen(min_ts=times[1], count=1) == [2]
    assert seen(min_ts=times[0], max_ts=times[2]) == [1]
    assert seen(count=0) == []
    row = account.get(f"user/{account.user}/listens").json()["payload"]["listens"][0]
    uuid.UUID(row["recording_msid"])
    assert row["user_name"] == account.user
    assert row["track_metadata"]["release_name"] == "Homogenic"
    assert row["track_metadata"]["additional_info"] == {"recording_mbid": MBID, "tags": ["a"]}


def test_what_is_playing_is_shown_and_is_no_listen(account):
    assert account.get(f"user/{account.user}/playing-now").json()["payload"]["listens"] == []
    account.post("submit-listens", submission({"track_metadata": HUNTER}, kind="playing_now"))
    payload = account.get(f"user/{account.user}/playing-now").json()["payload"]
    assert (payload["count"], payload["listens"][0]["playing_now"]) == (1, True)
    assert payload["listens"][0]["track_metadata"]["track_name"] == "Hunter"
    assert account.get(f"user/{account.user}/listen-count").json()["payload"]["count"] == 0


def test_a_listen_is_deleted_by_its_time_and_msid(account):
    account.post("submit-listens", submission(listened(), listened(metadata={**HUNTER, "track_name": "Jóga"})))
    hunter = rows.msid(Track(title="HUNTER", artist="Bjork"))
    wrong = account.post("delete-listen", {"listened_at": 1_700_000_001, "recording_msid": hunter})
    assert wrong.json() == {"status": "ok"}
    account.post("delete-listen", {"listened_at": 1_700_000_000, "recording_msid": hunter})
    assert [listen.track.title for listen in account.live.listens(account.user, limit=9)] == ["Jóga"]


def test_thumbs_are_given_by_mbid_and_by_msid_and_taken_back(account):
    account.post("submit-listens", submission(listened()))
    msid = account.get(f"user/{account.user}/listens").json()["payload"]["listens"][0]["recording_msid"]
    assert account.post("feedback/recording-feedback", {"recording_msid": msid, "score": 1}).json() == {"status": "ok"}
    assert account.post("feedback/recording-feedback", {"recording_mbid": MBID, "score": -1}).status_code == 200
    said = {(one.track.item.id, one.value) for one in account.live.feedback(account.user, "thumb")}
    assert said == {("t:hunter", 1), (MBID, -1)}
    path = f"feedback/user/{account.user}/get-feedback"
    assert [one["recording_msid"] for one in account.get(path, score=1).json()["feedback"]] == [msid]
    assert account.get(path, count=1).json()["total_count"] == 2
    account.post("feedback/recording-feedback", {"recording_msid": msid, "score": 0})
    assert [one["score"] for one in account.get(path).json()["feedback"]] == [-1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"score": 1},
        {"score": 2, "recording_mbid": MBID},
        {"score": 1, "recording_mbid": "no id"},
        {"score": 1, "recording_msid": str(uuid.uuid4())},
        {"recording_mbid": MBID},
    ],
)
def test_feedback_that_names_nothing_is_refused(account, wrong):
    answer = account.post("feedback/recording-feedback", wrong)
    assert answer.status_code == 400
    assert answer.json()["code"] == 400


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[]", "JSON"),
        (b"\xff", "JSON"),
        (b'{"listen_type": "import", "payload": ' + b"[" * 100_000, "JSON"),
        (submission(listened(), kind="listen"), "listen_type"),
        (submission(), "no listens"),
        (submission(listened(), listened(), kind="single"), "at most 1"),
        (submission(*[listened()] * 1001), "at most 1,000"),
        (submission(listened(), kind="playing_now"), "listened_at"),
        (submission({"track_metadata": HUNTER}), "listened_at"),
        (submission(listened(at="soon")), "listened_at"),
        (submission(listened(at=10**30)), "future"),
        (submission(listened(at=5)), "2002"),
        (submission(listened(at=NOW)), "future"),
        (submission(listened(metadata={"artist_name": " ", "track_name": "x"})), "artist_name"),
        (submission(listened(metadata={"artist_name": "x"})), "track_name"),
        (submission(listened(metadata={**HUNTER, "track_name": "a\x00b"})), "NUL"),
        (submission(listened(comment="a\x00b")), "NUL"),
        (submission(listened(**{"a\x00b": 1})), "NUL"),
        (submission(listened(duration=1, duration_ms=1000)), "not both"),
        (submission(listened(comment="x" * LONGEST_LISTEN)), "bytes"),
        (submission(listened(metadata={**HUNTER, "track_name": "x" * 1001})), "longer"),
        (submission(listened()).replace(b"1700000000", b"NaN"), "JSON"),
        (submission(listened()).replace(b"1700000000", b"1e999"), "JSON"),
        (submission(listened(nested="?")).replace(b'"?"', b"[" * 4000 + b"]" * 4000), "JSON"),
    ],
)
def test_what_cannot_be_kept_is_refused_as_a_whole(account, body, says):
    answer = account.post("submit-listens", body)
    assert answer.status_code == 400
    assert answer.json()["code"] == 400
    assert says in answer.json()["error"]
    assert account.live.count_listens(account.user) == 0


def test_a_body_that_is_too_large_is_not_read(account):
    assert account.post("submit-listens", b" " * (LONGEST_BODY + 1)).status_code == 413


def test_odd_fields_of_players_are_kept_but_not_believed():
    odd = listened(duration_ms="long", duration_played=-3, artist_mbids=["x", MBID.upper()], recording_mbid=7, n=[1])
    (listen,) = submitted(submission(odd), "ann", NOW)
    assert (listen.track.duration_ms, listen.ms_played, listen.track.mbid) == (None, None, None)
    assert listen.track.artist_mbids == (MBID,)
    assert listen.info["n"] == [1]
    # A backslash before it makes it six letters instead of a NUL.
    (listen,) = submitted(submission(listened(comment="\\u0000")), "ann", NOW)
    assert listen.info["comment"] == "\\u0000"


def test_tokens_are_validated(account, client):
    assert account.get("validate-token").json() == {
        "code": 200, "message": "Token valid.", "valid": True, "user_name": account.user
    }  # fmt: skip
    bad = client.get("/1/validate-token", headers={"Authorization": "Token nonsense"})
    assert (bad.status_code, bad.json()["valid"]) == (200, False)
    none = client.get("/1/validate-token")
    assert (none.status_code, none.json()["code"]) == (400, 400)


def test_one_user_cannot_reach_another(account, client, served):
    other = Account(client, served.live, f"user-{uuid.uuid4()}")
    paths = ["listens", "listen-count", "playing-now", "playlists"]
    for path in [*(f"user/{account.user}/{path}" for path in paths), f"feedback/user/{account.user}/get-feedback"]:
        assert account.get(path).status_code == 200
        assert other.get(path).status_code == 403
        assert client.get(f"/1/{path}").status_code == 401
        assert client.get(f"/1/{path}", headers={"Authorization": "Token x"}).status_code == 401
    reading = Account(client, served.live, f"user-{uuid.uuid4()}", scopes=frozenset({"read"}))
    assert reading.post("submit-listens", submission(listened())).status_code == 403
    assert client.request("POST", "/1/submit-listens", content=submission(listened())).status_code == 401


def test_recommendations_need_tracks_with_an_mbid(account, client):
    # The release of the tests has pages of artists alone; a real page is read by test_scrobbling_clients.py.
    assert client.get("/1/cf/recommendation/user/hetrec:2/recording").status_code == 204
    assert client.get("/1/cf/recommendation/user/nobody/recording").status_code == 204
    assert account.get("cf/recommendation/user/hetrec:2/recording").status_code == 403


def test_playlists_made_for_a_user_are_found_by_the_names_people_know(account, client, served):
    tracks = (Track(title="Hunter", artist="Björk", mbid=MBID, duration_ms=255_000), Track(title="x", artist="y"))
    for sort in ("weekly-exploration", "", "daily-jams"):
        served.live.put_playlist(
            Playlist(
                id=f"{account.user}-{sort}",
                user=account.user,
                title=sort or "mine",
                sort=sort,
                tracks=tracks,
                created_at=NOW,
                changed_at=NOW,
            )
        )
    # The tools that fetch these send no token.
    answer = client.get(f"/1/user/{account.user}/playlists/createdfor").json()
    assert {one["playlist"]["title"] for one in answer["playlists"]} == {"weekly-exploration", "daily-jams"}
    assert (answer["playlist_count"], answer["playlists"][0]["playlist"]["track"]) == (2, [])
    assert {one["playlist"]["creator"] for one in answer["playlists"]} == {"listenbrainz"}
    address = f"http://127.0.0.1:8000/playlist/{account.user}-weekly-exploration"
    assert address in {one["playlist"]["identifier"] for one in answer["playlists"]}
    playlist = client.get(f"/1/playlist/{account.user}-weekly-exploration").json()["playlist"]
    assert playlist["date"].endswith("+00:00")
    first, second = playlist["track"]
    assert first["identifier"] == [f"https://musicbrainz.org/recording/{MBID}"]
    assert (first["title"], first["creator"], first["duration"]) == ("Hunter", "Björk", 255_000)
    assert second["identifier"] == []
    assert all("https://musicbrainz.org/doc/jspf#track" in track["extension"] for track in (first, second))
    # A user's own playlist is for them alone.
    assert client.get(f"/1/playlist/{account.user}-").status_code == 401
    assert account.get(f"playlist/{account.user}-").json()["playlist"]["title"] == "mine"
    assert client.get("/1/user/nobody at all/playlists/createdfor").status_code == 404


def test_a_name_without_an_mbid_is_looked_up_to_nothing(account):
    assert account.get("metadata/lookup", artist_name="bjork", recording_name="hunter").json() == {}
    assert account.get("metadata/lookup/", artist_name="x", recording_name="y").json() == {}
    missing = account.get("metadata/lookup", artist_name="x")
    assert (missing.status_code, missing.json()["code"]) == (400, 400)


@pytest.mark.parametrize("path", ["//1/validate-token", "/1//validate-token", "//1///validate-token"])
def test_slashes_too_many_do_no_harm(account, client, path):
    url = f"http://127.0.0.1:8000{path}"
    assert client.get(url, headers={"Authorization": "Token x"}).json()["valid"] is False


def test_pages_of_any_origin_may_call_it(client):
    asked = client.request("OPTIONS", "/1/submit-listens", headers={"Origin": "https://player.example"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "*"
    assert "authorization" in asked.headers["access-control-allow-headers"].lower()
    assert "x-ratelimit-remaining" not in asked.headers, "a browser asks before each request, which counts itself"
    assert client.get("/1/validate-token").headers["access-control-allow-origin"] == "*"
    # The rest of the server gives no other origin a permission.
    assert "access-control-allow-origin" not in client.get("/v1/release").headers


def test_every_answer_says_what_is_left(client):
    for path in ("validate-token", "user/x/listens", "nowhere"):
        headers = client.get(f"/1/{path}").headers
        assert all(headers[f"x-ratelimit-{name}"].isdigit() for name in ("limit", "remaining", "reset-in"))


def test_too_many_requests_are_told_to_wait(served, client_of):
    from crossfade.serve.app import create_app
    from crossfade.serve.settings import ServeSettings

    client = client_of(create_app(served.active, ServeSettings(requests=2), live=served.live))
    answers = [client.get("/1/validate-token?token=x") for _ in range(4)]
    # A window may end in between.
    assert 429 in [answer.status_code for answer in answers]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == 429
    assert int(refused.headers["retry-after"]) >= 1


def test_what_is_not_there_is_an_error_of_the_api(client):
    answer = client.get("/1/stats/nonsense")
    assert (answer.status_code, answer.json()["code"]) == (404, 404)
    assert client.get("/1/stats/user/x/artists").status_code == 204


def test_listens_are_kept_before_there_is_a_release(unpublished, empty):
    early = Account(empty, unpublished.live, "ann")
    assert early.post("submit-listens", submission(listened())).status_code == 200
    assert early.live.count_listens("ann") == 1


def test_listens_of_a_private_session_are_acknowledged_and_not_kept(account):
    account.live.start_private(account.user, int(time.time() * 1000) + 3_600_000)
    assert account.post("submit-listens", submission(listened(at=int(time.time())))).json() == {"status": "ok"}
    account.post("submit-listens", submission({"track_metadata": HUNTER}, kind="playing_now"))
    account.post("feedback/recording-feedback", {"recording_mbid": MBID, "score": 1})
    account.live.end_private(account.user)
    assert account.live.count_listens(account.user) == 0
    assert account.get(f"user/{account.user}/playing-now").json()["payload"]["count"] == 0
    assert account.live.feedback(account.user) == []


def test_rows_of_other_apis_have_what_clients_read():
    track = Track(item=ItemRef("track", MBID), title="Hunter", artist="Björk", duration_ms=1000)
    row = rows.listen_row(Listen(user="ann", listened_at=NOW, track=track, client="mpd", received_at=NOW))
    assert row["track_metadata"]["additional_info"] == {
        "recording_mbid": MBID, "duration_ms": 1000, "media_player": "mpd"
    }  # fmt: skip
    thumb = rows.feedback_row(
        Feedback(user="ann", sort="thumb", value=1, track=Track(item=ItemRef("track", MBID)), given_at=NOW)
    )
    assert (thumb["recording_mbid"], thumb["track_metadata"]) == (MBID, None)
