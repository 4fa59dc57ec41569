"""What is answered over HTTP."""

import pytest

from crossfade import __version__
from crossfade.serve.settings import ServeSettings
from crossfade.surfaces.registry import SURFACES
from crossfade.surfaces.station import StationSettings

RELEASE = "000001-"


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


def test_it_is_ready_once_a_release_is_there(empty, release_parts, store):
    assert empty.get("/ready").status_code == 503
    version = release_parts.publish(store)
    answer = empty.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "release": version})


def test_the_release_describes_itself(client, served):
    said = client.get("/v1/release").json()
    manifest = served.store.verify()
    assert said["release"] == served.store.current()
    assert said["fingerprint"] == manifest.fingerprint
    assert said["code"] == __version__
    assert said["rows"] == {
        "artists": 5, "tracks": 4, "users": 3, "discover": 4, "popular": 2, "radio": 3, "related": 5,
    }  # fmt: skip
    assert said["spaces"] == ["als-artist"]
    assert {
        "name": "related",
        "title": "Related Artists",
        "key": "artist",
        "kind": "artist",
        "columns": ["score"],
        "keys": 2,
    } in said["surfaces"]


def test_a_list(client, served):
    answer = client.get("/v1/artists/mb:radiohead/related")
    assert answer.status_code == 200
    assert answer.json() == {
        "release": served.store.current(),
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
    said = client.get("/v1/artists/mb:radiohead/related?limit=1&offset=1").json()
    assert (said["total"], said["offset"]) == (3, 1)
    assert [entry["name"] for entry in said["entries"]] == ["Sigur Rós"]
    assert client.get("/v1/artists/mb:radiohead/related?offset=3").json()["entries"] == []


def test_reasons(client):
    first, second = client.get("/v1/users/hetrec:2/discover").json()["entries"]
    assert first["reason"] == {"kind": "artist", "id": "mb:radiohead", "name": "Radiohead", "plays": 31}
    assert "reason" not in second


def test_tracks_have_artists_where_they_are_known(client):
    said = client.get("/v1/tracks/t:army/radio").json()
    assert said["entries"] == [
        {"id": "t:hunter", "name": "Hunter", "artist": {"id": "mb:bjork", "name": "Björk"}, "score": 1.5}
    ]


def test_users_are_found_by_what_stands_behind_the_source(client):
    assert client.get("/v1/users/2/discover").json()["key"] == "hetrec:2"


@pytest.mark.parametrize("user", ["nobody", "7", "*"])
def test_new_users_get_what_is_popular(client, user):
    """User 7 could be either of two: which two is not said."""
    answer = client.get(f"/v1/users/{user}/discover")
    assert answer.status_code == 200
    assert answer.json()["surface"] == "popular"
    assert [entry["name"] for entry in answer.json()["entries"]] == ["Hunter", "Creep"]
    assert "hetrec" not in answer.text


def test_what_is_popular(client):
    said = client.get("/v1/popular").json()
    assert said["key"] == "*"
    assert "name" not in said
    assert [entry["id"] for entry in said["entries"]] == ["t:hunter", "t/1 creep"]


def test_an_item_of_which_the_surface_knows_nothing_has_an_empty_list(client):
    said = client.get("/v1/artists/mb:bjork/related").json()
    assert (said["name"], said["total"], said["entries"]) == ("Björk", 0, [])
    assert client.get("/v1/tracks/t:hunter/radio/station").json()["entries"] == []


def test_an_artist_and_a_track(client, served):
    release = served.store.current()
    assert client.get("/v1/artists/mb:bjork").json() == {
        "release": release,
        "id": "mb:bjork",
        "name": "Björk",
        "listeners": 9,
        "plays": 90,
    }
    assert client.get("/v1/tracks/creep").json() == {
        "release": release,
        "id": "t/1 creep",
        "title": "Creep",
        "artist": {"id": "mb:radiohead", "name": "Radiohead"},
        "album": "Pablo Honey",
        "track_ms": 238_000,
        "listeners": 7,
        "plays": 70,
    }
    assert client.get("/v1/tracks/t:creep").json() == {
        "release": release,
        "id": "t:creep",
        "title": "Creep",
        "listeners": 1,
        "plays": 2,
    }


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
    assert client.get(path).json()["name"] == name


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
    assert client.get("/v1/search", params={"q": "HEAD"}).json() == {
        "release": served.store.current(),
        "artists": [
            {"id": "mb:radiohead", "name": "Radiohead", "listeners": 8},
            {"id": "mb:motorhead", "name": "Motörhead", "listeners": 5},
        ],
        "tracks": [
            {
                "id": "t/1 creep",
                "title": "Creep",
                "artist": {"id": "mb:radiohead", "name": "Radiohead"},
                "listeners": 7,
            }
        ],
        "suggestions": [],
    }
    assert len(client.get("/v1/search?q=head&limit=1").json()["artists"]) == 1
    assert client.get("/v1/search?q=raadiohaed").json()["suggestions"][0] == "Radiohead"


def test_the_same_seed_plays_the_same_station(client):
    one, same = (client.get("/v1/tracks/t%2F1%20creep/radio/station?seed=5").json() for _ in range(2))
    assert one == same
    assert one["seed"] == 5
    # Both items of the pool are by one artist, and a station keeps those apart.
    assert {entry["id"] for entry in one["entries"]} < {"t:army", "t:hunter"}
    assert len(one["entries"]) == 1


def test_stations_are_drawn_as_the_settings_say(served, client_of):
    from crossfade.serve.app import create_app

    app = create_app(served.home, ServeSettings(), station=StationSettings(apart=1), active=served.active)
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


def test_a_surface_that_is_asked_for_by_something_else_says_so(client):
    answer = client.get("/v1/artists/mb:bjork/radio")
    assert answer.status_code == 404
    assert "asked for by track, not by artist" in answer.json()["detail"]


def test_a_surface_that_the_release_lacks(empty, release_parts, store):
    import dataclasses

    tables = [table for table in release_parts.tables if table.name == "related"]
    dataclasses.replace(release_parts, tables=tables).publish(store)
    for path in ("/v1/users/2/discover", "/v1/tracks/creep/radio", "/v1/popular"):
        assert empty.get(path).status_code == 404
    assert empty.get("/v1/artists/mb:acdc/related").status_code == 200


def test_every_registered_surface_has_a_route(served):
    paths = served.app.openapi()["paths"]
    for name in SURFACES:
        assert any(path.endswith(f"/{name}") for path in paths), name


def test_a_new_surface_needs_no_change_here(home, active, monkeypatch, release_parts, store, client_of):
    import dataclasses

    from crossfade.serve import app as app_module
    from crossfade.surfaces import registry

    line = registry.Registered("mood", "artist", "Mood", "Artists of a mood.", "nowhere:Mood")
    monkeypatch.setitem(registry.SURFACES, "mood", line)
    moods = dataclasses.replace(release_parts.tables[0], name="mood")
    dataclasses.replace(release_parts, tables=[moods]).publish(store)
    client = client_of(app_module.create_app(home, ServeSettings(), active=active))
    assert client.get("/v1/artists/mb:acdc/mood").json()["total"] == 2


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/v1/search", "query q"),
        ("/v1/search?q=", "query q"),
        (f"/v1/search?q={'x' * 201}", "query q"),
        ("/v1/search?q=x&limit=0", "query limit"),
        ("/v1/search?q=x&limit=101", "query limit"),
        ("/v1/popular?limit=1001", "query limit"),
        ("/v1/popular?limit=many", "query limit"),
        ("/v1/popular?limit=1e99", "query limit"),
        ("/v1/popular?offset=-1", "query offset"),
        ("/v1/popular?offset=99999999999999999999", "query offset"),
        ("/v1/tracks/creep/radio/station?seed=-1", "query seed"),
        ("/v1/tracks/creep/radio/station?seed=9007199254740992", "query seed"),
        ("/v1/tracks/creep/radio/station?length=0", "query length"),
        (f"/v1/artists/{'x' * 201}", "path artist_id"),
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


@pytest.mark.parametrize(
    "path", ["/v1", "/v2/popular", "/v1/popular/", "//v1/popular", "/docs", "/redoc", "/v1/users/2"]
)
def test_other_paths_are_problems(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_head_is_get_without_the_body(client):
    got, head = client.get("/v1/popular"), client.request("HEAD", "/v1/popular")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers == got.headers


def test_the_first_page_leads_to_the_description(client):
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'href="/openapi.json"' in answer.text
    assert "/v1/artists/{artist_id}/related" in answer.text
    # Nothing is loaded from anywhere.
    assert "src=" not in answer.text
    assert "http" not in answer.text.replace("over HTTP", "")


def test_the_description_shows_every_answer(client):
    described = client.get("/openapi.json").json()
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
        assert operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        for status, response in operation["responses"].items():
            assert status == "200" or list(response["content"]) == ["application/problem+json"]
        assert all(parameter["description"] for parameter in operation.get("parameters", []))
