"""What is answered over HTTP."""

import dataclasses
import time

import numpy as np
import pytest

from crossfade import __version__
from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.ids import Ids
from crossfade.core.kinds import KINDS
from crossfade.serve.settings import ServeSettings
from crossfade.stores.contract import Entry, Named, Reason
from crossfade.surfaces import asking
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.registry import SURFACES
from crossfade.surfaces.station import StationSettings
from crossfade.surfaces.why import Evidence, Why

BJORK = {"kind": "artist", "id": "mb:bjork", "name": "Björk"}
QUIZ = {"kind": "show", "id": "s:quiz", "name": "Quiz Night"}


def test_the_server_lives_without_a_release(empty):
    answer = empty.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/ready", "/v1/release", "/v1/popular", "/v1/search?q=x", "/v1/artists/x"])
def test_nothing_is_ready_without_a_release(empty, path):
    answer = empty.get(path)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["title"] == "Service Unavailable"


def test_it_is_ready_once_a_release_is_there(empty, release_parts, releases):
    assert empty.get("/ready").status_code == 503
    version = release_parts.publish(releases).version
    answer = empty.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "release": version})


def test_the_release_describes_itself(client, served):
    answer = client.get("/v1/release").json()
    manifest = served.releases.verify()
    assert answer["release"] == served.releases.active().version
    assert answer["pinned"] is False
    assert 1_700_000_000_000 < answer["published_at"] < 1_000 * time.time() + 1_000
    assert answer["fingerprint"] == manifest.fingerprint
    assert answer["code"] == __version__
    assert answer["rows"] == {
        "artists": 5, "tracks": 4, "shows": 1, "episodes": 2, "users": 3,
        "discover-artist": 4, "popular-track": 2, "radio-episode": 1, "radio-track": 3, "related-artist": 5,
    }  # fmt: skip
    assert answer["parts"] == ["als-artist", "catalogue"]
    assert answer["tables"][0] == {
        "name": "discover-artist",
        "surface": "discover",
        "key": "user",
        "kind": "artist",
        "reason_kind": "artist",
        "columns": ["reason", "reason_plays", "score"],
        "keys": 3,
    }


def test_a_pin_is_shown_and_changes_the_tag(empty, release_parts, releases):
    version = release_parts.publish(releases).version
    before = empty.get("/v1/release")
    releases.activate(version)
    after = empty.get("/v1/release", headers={"If-None-Match": before.headers["etag"]})
    assert (after.status_code, after.json()["pinned"]) == (200, True)
    assert after.headers["etag"] != before.headers["etag"]


def test_a_list(client, served):
    answer = client.get("/v1/artists/mb:radiohead/related")
    assert answer.status_code == 200
    assert answer.json() == {
        "release": served.releases.active().version,
        "surface": "related",
        "key": "mb:radiohead",
        "name": "Radiohead",
        "kind": "artist",
        "total": 3,
        "offset": 0,
        "entries": [
            {"id": "mb:bjork", "name": "Björk", "score": 0.75},
            {"id": "name:sigur rós", "name": "Sigur Rós", "score": 0.5},
            {"id": "mb:motorhead", "name": "Motörhead", "score": 0.25},
        ],
    }


@pytest.mark.parametrize("path", ["/v1/artists/Radiohead/related", "/v1/artists/RADIOHEAD/related"])
def test_names_will_do(client, path):
    assert client.get(path).json()["key"] == "mb:radiohead"


def test_a_page_of_a_list(client):
    answer = client.get("/v1/artists/mb:radiohead/related?limit=1&offset=1").json()
    assert (answer["total"], answer["offset"]) == (3, 1)
    assert [entry["name"] for entry in answer["entries"]] == ["Sigur Rós"]
    assert client.get("/v1/artists/mb:radiohead/related?offset=3").json()["entries"] == []


def test_reasons(client):
    first, second = client.get("/v1/users/hetrec:2/discover").json()["entries"]
    text = "Because you play Radiohead"
    assert first["reason"] == {"kind": "artist", "id": "mb:radiohead", "name": "Radiohead", "plays": 31, "text": text}
    assert "reason" not in second


def test_entries_have_parents_where_they_are_known(client):
    assert client.get("/v1/tracks/t:army/radio").json()["entries"] == [
        {"id": "t:hunter", "name": "Hunter", "parent": BJORK, "score": 1.5}
    ]
    assert client.get("/v1/episodes/quiz one/radio").json()["entries"] == [
        {"id": "e:2", "name": "Quiz Two", "parent": QUIZ, "score": 0.5}
    ]
    assert "parent" not in client.get("/v1/tracks/t:creep").json()["item"]


def test_users_are_found_by_what_follows_the_source(client):
    assert client.get("/v1/users/2/discover").json()["key"] == "hetrec:2"


@pytest.mark.parametrize("user", ["nobody", "7", "*"])
def test_new_users_get_what_is_popular(client, user):
    """User 7 could be either of two, and the answer must not tell which two."""
    answer = client.get(f"/v1/users/{user}/discover")
    assert answer.status_code == 200
    assert answer.json()["surface"] == "popular"
    assert [entry["name"] for entry in answer.json()["entries"]] == ["Hunter", "Creep"]
    assert "hetrec" not in answer.text


def test_a_user_without_a_list_of_a_kind_is_new_to_it(empty, release_parts, releases, monkeypatch):
    monkeypatch.setattr(OpenRelease, "_players", lambda self, kind: {"artist": 2}.get(kind, 0))
    discover = release_parts.tables[3]
    one = dataclasses.replace(
        discover,
        kind="track",
        keys=Ids.of(["hetrec:2"]),
        indptr=np.array([0, 2]),
        items=np.array([1, 2], dtype=np.int32),
        columns={name: column[:2] for name, column in discover.columns.items()},
    )
    dataclasses.replace(release_parts, tables=[*release_parts.tables, one]).publish(releases)
    shown = {
        (user, kind): empty.get(f"/v1/users/{user}/discover{kind}").json()
        for user in ("2", "lastfm:7")
        for kind in ("", "?kind=artist", "?kind=track")
    }
    assert {
        asked: (answer["surface"], answer["kind"], answer["entries"][0]["name"]) for asked, answer in shown.items()
    } == {
        # Nobody plays tracks, so that artists are the default.
        ("2", ""): ("discover", "artist", "Sigur Rós"),
        ("2", "?kind=artist"): ("discover", "artist", "Sigur Rós"),
        ("2", "?kind=track"): ("discover", "track", "Army of Me"),
        ("lastfm:7", ""): ("discover", "artist", "Björk"),
        ("lastfm:7", "?kind=artist"): ("discover", "artist", "Björk"),
        ("lastfm:7", "?kind=track"): ("popular", "track", "Hunter"),
    }


def test_a_kind_that_a_surface_does_not_list_is_named(client):
    for path in ("/v1/popular?kind=episode", "/v1/users/2/discover?kind=episode", "/v1/tracks/creep/related"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert any(kind in answer.json()["detail"] for kind in ("'episode'", "'track'"))


def test_what_is_popular(client):
    answer = client.get("/v1/popular").json()
    assert answer["key"] == "*"
    assert answer["kind"] == "track"
    assert "name" not in answer
    assert [entry["id"] for entry in answer["entries"]] == ["t:hunter", "t/1 creep"]
    assert client.get("/v1/popular?kind=track").json() == answer


def test_an_item_without_a_list_has_an_empty_one(client):
    answer = client.get("/v1/artists/mb:bjork/related").json()
    assert (answer["name"], answer["total"], answer["entries"]) == ("Björk", 0, [])
    assert client.get("/v1/tracks/t:hunter/radio/station").json()["entries"] == []


class Computed:
    """Stands in for what a release computes: lists by the model "als"."""

    def entries(self, surface, key, *, kind=None, model=None):
        if model != "als":
            raise UnknownIdError(f"{model!r} isn't in this release. It has: als.")
        if key == "t:hunter":
            raise UnknownIdError("No list for t:hunter.")
        return [Entry(id=f"{number}", name=f"{surface} of {kind} for {key}", score=1.0) for number in range(5)]


@pytest.fixture
def computed(monkeypatch):
    monkeypatch.setattr(asking.OpenRelease, "entries", Computed.entries)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/artists/Radiohead/related", "related of artist for mb:radiohead"),
        ("/v1/tracks/creep/radio", "radio of track for t/1 creep"),
        ("/v1/episodes/e:2/radio", "radio of episode for e:2"),
        ("/v1/users/2/discover", "discover of artist for hetrec:2"),
    ],
)
def test_any_model_of_the_release_can_be_asked(client, computed, path, name):
    answer = client.get(path, params={"model": "als", "limit": 2, "offset": 3}).json()
    assert (answer["model"], answer["total"], answer["offset"]) == ("als", 5, 3)
    assert [(entry["id"], entry["name"]) for entry in answer["entries"]] == [("3", name), ("4", name)]
    assert "model" not in client.get(path).json()
    unknown = client.get(path, params={"model": "ease"})
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "'ease' isn't in this release. It has: als.")


def test_a_station_by_any_model(client, computed):
    answer = client.get("/v1/tracks/creep/radio/station?model=als").json()
    assert answer["model"] == "als"
    assert sorted(entry["id"] for entry in answer["entries"]) == ["0", "1", "2", "3", "4"]


def test_a_new_user_gets_what_is_popular_from_any_model(client, computed):
    answer = client.get("/v1/users/nobody/discover?model=als").json()
    assert (answer["surface"], answer["key"]) == ("popular", "*")
    assert "model" not in answer


def test_a_key_that_a_model_has_no_list_for_is_not_found(client, computed):
    answer = client.get("/v1/tracks/hunter/radio?model=als")
    assert (answer.status_code, answer.json()["detail"]) == (404, "No list for t:hunter.")


def test_the_words_of_an_item(client, served, monkeypatch):
    def top_terms(opened, kind, item_id, n):
        return [(f"{kind} {item_id}", 0.5), ("trip hop", 0.25)][:n]

    monkeypatch.setattr(asking.OpenRelease, "top_terms", top_terms)
    assert client.get("/v1/artists/bjork/terms").json() == {
        "release": served.releases.active().version,
        "item": BJORK,
        "terms": [["artist mb:bjork", 0.5], ["trip hop", 0.25]],
    }
    assert len(client.get("/v1/shows/s:quiz/terms?limit=1").json()["terms"]) == 1
    assert client.get("/v1/artists/nobody/terms").status_code == 404


def test_words_that_a_release_lacks_are_not_found(client, monkeypatch):
    """Not 503, which would have clients ask again."""

    def top_terms(*_):
        raise NotReadyError("No model of words in this release.")

    monkeypatch.setattr(asking.OpenRelease, "top_terms", top_terms)
    answer = client.get("/v1/artists/bjork/terms?limit=19")
    assert (answer.status_code, answer.json()["detail"]) == (404, "No model of words in this release.")
    assert "retry-after" not in answer.headers


def test_items(client, served):
    release = served.releases.active().version
    assert client.get("/v1/artists/mb:bjork").json() == {
        "release": release,
        "item": {**BJORK, "fields": {}, "listeners": 9, "plays": 90},
    }
    assert client.get("/v1/tracks/creep").json()["item"] == {
        "kind": "track",
        "id": "t/1 creep",
        "name": "Creep",
        "parent": {"kind": "artist", "id": "mb:radiohead", "name": "Radiohead"},
        "fields": {"album": "Pablo Honey", "duration_ms": 238_000},
        "listeners": 7,
        "plays": 70,
    }
    assert client.get("/v1/episodes/Quiz Night Quiz One").json()["item"] == {
        "kind": "episode",
        "id": "e:1",
        "name": "Quiz One",
        "parent": QUIZ,
        "fields": {"duration_ms": 1_800_000},
        "listeners": 3,
        "plays": 3,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_routes(client, served, kind):
    paths = served.app.openapi()["paths"]
    for suffix in ("", "/terms", "/related", "/radio", "/radio/station"):
        assert f"/v1/{KINDS[kind].plural}/{{id}}{suffix}" in paths
    unknown = client.get(f"/v1/{KINDS[kind].plural}/nobody")
    assert unknown.json()["detail"] == f"There is no {kind} 'nobody'."


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/artists/name:sigur%20r%C3%B3s", "Sigur Rós"),
        ("/v1/artists/name:sigur r\u00f3s", "Sigur Rós"),
        ("/v1/artists/AC%2FDC", "AC/DC"),
        ("/v1/artists/AC%2fDC", "AC/DC"),
        ("/v1/artists/AC/DC", "AC/DC"),
    ],
)
def test_ids_and_names_may_have_any_letters(client, path, name):
    assert client.get(path).json()["item"]["name"] == name


@pytest.mark.parametrize("path", ["/v1/tracks/t%2F1%20creep/radio", "/v1/tracks/t/1%20creep/radio"])
def test_ids_with_slashes_have_lists(client, path):
    assert client.get(path).json()["key"] == "t/1 creep"


def test_a_slash_that_was_encoded_belongs_to_the_id(client):
    """Not to the path: else no artist could be called "x/related"."""
    for slash in ("%2F", "%2f"):
        detail = client.get(f"/v1/artists/x{slash}related").json()["detail"]
        assert detail.startswith("There is no artist 'x/related'")
    assert client.get("/v1/artists/x/related").json()["detail"].startswith("There is no artist 'x'")


def test_search(client, served):
    answer = client.get("/v1/search", params={"q": "HEAD"}).json()
    assert answer["release"] == served.releases.active().version
    assert answer["suggestions"] == []
    assert {kind: [item["name"] for item in items] for kind, items in answer["items"].items()} == {
        "artist": ["Radiohead", "Motörhead"], "track": ["Creep"], "show": [], "episode": [],
    }  # fmt: skip
    assert answer["items"]["track"] == [client.get("/v1/tracks/creep").json()["item"]]
    assert len(client.get("/v1/search?q=head&limit=1").json()["items"]["artist"]) == 1
    assert client.get("/v1/search?q=raadiohaed").json()["suggestions"][0] == "Radiohead"


def test_search_for_one_kind(client):
    answer = client.get("/v1/search?q=quiz&kind=episode").json()
    assert {kind: [item["name"] for item in items] for kind, items in answer["items"].items()} == {
        "episode": ["Quiz One", "Quiz Two"]
    }


def test_the_same_seed_plays_the_same_station(client):
    one, same = (client.get("/v1/tracks/t%2F1%20creep/radio/station?seed=5").json() for _ in range(2))
    assert one == same
    assert one["seed"] == 5
    # Both items of the pool are by one artist, and a station keeps those apart.
    assert {entry["id"] for entry in one["entries"]} < {"t:army", "t:hunter"}
    assert len(one["entries"]) == 1


def test_stations_are_drawn_as_the_settings_say(served, client_of):
    from crossfade.serve.app import create_app

    app = create_app(served.active, ServeSettings(), station=StationSettings(apart=1))
    answer = client_of(app).get("/v1/tracks/t%2F1%20creep/radio/station?seed=5").json()
    assert {entry["id"] for entry in answer["entries"]} == {"t:army", "t:hunter"}


def test_a_station_says_its_seed_so_that_it_can_be_played_again(client):
    answers = [client.get("/v1/tracks/t:army/radio/station") for _ in range(3)]
    seeds = [answer.json()["seed"] for answer in answers]
    assert len(set(seeds)) == 3
    assert all(answer.headers["cache-control"] == "no-store" for answer in answers)
    again = client.get(f"/v1/tracks/t:army/radio/station?seed={seeds[0]}").json()
    assert again == answers[0].json()


def test_what_does_not_exist_is_a_problem_with_suggestions(client):
    answer = client.get("/v1/artists/radiohed/related")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no artist 'radiohed'. Did you mean Radiohead?",
        "suggestions": ["Radiohead"],
    }


def test_a_surface_that_the_release_lacks(empty, release_parts, releases):
    tables = [table for table in release_parts.tables if table.name == "related-artist"]
    dataclasses.replace(release_parts, tables=tables).publish(releases)
    for path in ("/v1/users/2/discover", "/v1/tracks/creep/radio", "/v1/popular"):
        answer = empty.get(path)
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("This release has no ")
    assert empty.get("/v1/artists/mb:acdc/related").status_code == 200


def test_every_registered_surface_has_a_route(served):
    paths = served.app.openapi()["paths"]
    for name in SURFACES:
        assert any(path.endswith(f"/{name}") for path in paths), name


def test_a_new_surface_needs_no_change_here(home, active, monkeypatch, release_parts, releases, client_of):
    from crossfade.serve import app as app_module
    from crossfade.surfaces import registry

    line = registry.Registered("mood", "item", "Mood", "Items of a mood.", "nowhere:Mood")
    monkeypatch.setitem(registry.SURFACES, "mood", line)
    moods = dataclasses.replace(release_parts.tables[0], surface="mood")
    dataclasses.replace(release_parts, tables=[moods]).publish(releases)
    client = client_of(app_module.create_app(active, ServeSettings()))
    assert client.get("/v1/artists/mb:acdc/mood").json()["total"] == 2


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/v1/search", "query q"),
        ("/v1/search?q=", "query q"),
        (f"/v1/search?q={'x' * 201}", "query q"),
        ("/v1/search?q=x&limit=0", "query limit"),
        ("/v1/search?q=x&limit=101", "query limit"),
        ("/v1/search?q=x&kind=video", "query kind"),
        ("/v1/popular?limit=1001", "query limit"),
        ("/v1/popular?limit=many", "query limit"),
        ("/v1/popular?limit=1e99", "query limit"),
        ("/v1/popular?offset=-1", "query offset"),
        ("/v1/popular?offset=99999999999999999999", "query offset"),
        ("/v1/popular?kind=video", "query kind"),
        ("/v1/users/2/discover?kind=tracks", "query kind"),
        (f"/v1/users/2/discover?model={'x' * 65}", "query model"),
        ("/v1/tracks/creep/radio/station?seed=-1", "query seed"),
        ("/v1/tracks/creep/radio/station?seed=9007199254740992", "query seed"),
        ("/v1/tracks/creep/radio/station?length=0", "query length"),
        ("/v1/artists/bjork/terms?limit=101", "query limit"),
        (f"/v1/artists/{'x' * 201}", "path id"),
        (f"/v1/artists/{'x' * 201}/related", "path id"),
    ],
)
def test_parameters_have_bounds(client, path, where):
    answer = client.get(path)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["where"] for error in answer.json()["errors"]] == [where]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_reads(client, method):
    answer = client.request(method, "/v1/popular")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.json() == {"type": "about:blank", "title": "Method Not Allowed", "status": 405}


@pytest.mark.parametrize("path", ["/v1", "/v2/popular", "/v1/popular/", "//v1/popular", "/redoc", "/v1/people/2"])
def test_other_paths_are_problems(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_head_is_get_without_the_body(client):
    got, head = client.get("/v1/popular"), client.request("HEAD", "/v1/popular")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers == got.headers


@pytest.mark.parametrize("path", ["/docs"])
def test_the_first_page_leads_to_the_description(client, path):
    answer = client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'href="/openapi.json"' in answer.text
    assert "/v1/artists/{id}/related" in answer.text
    assert "<code>limit</code>: How many entries at most." in answer.text
    # Nothing is loaded from anywhere.
    assert "src=" not in answer.text
    assert "http" not in answer.text.replace("over HTTP", "")


def test_the_description_shows_every_answer(client):
    described = client.get("/openapi.json").json()
    ours = {
        path: methods for path, methods in described["paths"].items() if path.startswith(("/v1/", "/health", "/ready"))
    }
    operations = [(path, operation) for path, methods in ours.items() for operation in methods.values()]
    assert len({operation["operationId"] for _, operation in operations}) == len(operations)
    for path, operation in operations:
        assert operation["summary"]
        assert operation["description"]
        for status, response in operation["responses"].items():
            answered = "audio/*" if path.endswith("/audio") else "application/json"
            wanted = {"204": [], "304": []}.get(status, [answered if status < "300" else "application/problem+json"])
            # A playlist is answered as a file, too.
            assert list(response.get("content", []))[:1] == wanted, operation["operationId"]
        assert all(parameter["description"] for parameter in operation.get("parameters", []))
    schemas = described["components"]["schemas"].items()
    assert [name for name, schema in schemas if schema["type"] == "object" and not schema.get("description")] == []


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1/popular", {"kind", "limit", "offset"}),
        ("/v1/users/{id}/discover", {"id", "kind", "limit", "model", "offset"}),
        ("/v1/artists/{id}/related", {"id", "limit", "model", "offset"}),
        ("/v1/episodes/{id}/radio/station", {"id", "length", "model", "seed"}),
        ("/v1/shows/{id}/terms", {"id", "limit"}),
        ("/v1/search", {"kind", "limit", "q"}),
    ],
)
def test_a_route_has_the_parameters_that_it_uses_and_no_others(served, path, wanted):
    parameters = served.app.openapi()["paths"][path]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters} == wanted


def test_why_is_answered_for_a_user_and_an_item(client, monkeypatch):
    asked = []

    def why(opened, user, item, *, kind, model):
        asked.append((user, item, kind, model))
        reason = Reason(kind="artist", id="mb:bjork", name="Björk", plays=3, text="Because you play Björk")
        return Why(
            user=user,
            item=Named(kind="artist", id="mb:acdc", name="AC/DC"),
            model="als",
            outcome="shown",
            text="No. 1 of 2 on the page. Because you play Björk.",
            place=1,
            page=2,
            rank=1,
            candidates=9,
            score=0.5,
            contributions={"als": 0.6, "popularity": -0.1},
            chance=0.125,
            proposed_by=("als",),
            reason=reason,
            evidence=(Evidence(kind="artist", id="mb:bjork", name="Björk", plays=3, closeness=0.25),),
        )

    monkeypatch.setattr(asking.OpenRelease, "why", why)
    answer = client.get("/v1/users/2/why?item=AC%2FDC&kind=artist&model=als")
    assert answer.status_code == 200
    assert "private" in answer.headers["cache-control"]
    assert asked == [("hetrec:2", "AC/DC", "artist", "als")]
    said = answer.json()["why"]
    assert said["reason"]["text"] == "Because you play Björk"
    assert said["contributions"] == {"als": 0.6, "popularity": -0.1}
    assert said["evidence"][0]["closeness"] == 0.25
    assert said["chance"] == 0.125
    assert "parent" not in said


def test_why_of_what_is_unknown_is_not_found(client):
    assert client.get("/v1/users/nobody/why?item=Radiohead").status_code == 404
    assert client.get("/v1/users/2/why?item=nothing%20like%20it").status_code == 404
    assert client.get("/v1/users/2/why").status_code == 422
