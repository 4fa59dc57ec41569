"""Imports, runs, models and figures over HTTP."""

import json
import time

import pytest

from crossfade.core.artifacts import writing
from crossfade.core.locking import locked
from crossfade.demo.settings import SMALL, truth_place
from crossfade.demo.truth import truth_identity
from crossfade.importing.imports import import_paths
from crossfade.stores.live import SCOPES


@pytest.fixture
def client(unpublished, client_of):
    return client_of(unpublished.app)


@pytest.fixture
def ann(live):
    live.add_user("ann")
    return {"Authorization": f"Bearer {live.add_token('ann')[1]}"}


@pytest.fixture
def admin(live):
    live.add_user("root")
    return {"Authorization": f"Bearer {live.add_token('root', scopes=frozenset(SCOPES))[1]}"}


@pytest.fixture
def log(tmp_path):
    place = tmp_path / "history.csv"
    place.write_text(
        "user,artist,title,listened_at\nann,Portishead,Roads,2024-01-01T10:00:00Z\nann,Portishead,Roads,never\n"
    )
    return place


def waited(client, headers):
    until = time.monotonic() + 100
    while (job := client.get("/v1/runs", headers=headers).json()["job"])["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.1)
    return job


def test_a_demo_world_takes_no_file(client, admin, home, log, live):
    """It says so before it reads the body, and what to do."""
    with writing(truth_place(home), truth_identity(SMALL)):
        pass
    answer = client.request("POST", "/v1/imports", params={"name": "a.csv"}, content=log.read_bytes(), headers=admin)
    assert answer.status_code == 409
    assert "crossfade import FILE --home DIRECTORY" in answer.json()["detail"]
    assert client.get("/v1/runs", headers=admin).json() == {}
    assert not home.jobs.exists()


def test_a_ledger_says_what_was_dropped_and_why(client, ann, admin, home, log, live):
    assert client.get("/v1/imports", headers=ann).json() == {"imports": []}
    import_paths(home, [log])
    [one] = client.get("/v1/imports", headers=ann).json()["imports"]
    assert (one["read"], one["plays"], one["listener"]) == (2, 1, "ann")
    [dropped] = one["dropped"]
    assert dropped["rows"] == 1
    assert dropped["meaning"]
    assert dropped["samples"][0]["line"]
    live.add_user("bob")
    bob = {"Authorization": f"Bearer {live.add_token('bob')[1]}"}
    assert client.get("/v1/imports", headers=bob).json() == {"imports": []}
    assert len(client.get("/v1/imports", headers=admin).json()["imports"]) == 1


def test_imported_plays_are_listed_and_found(client, ann, home, log, releases, release_parts):
    assert client.get("/v1/users/ann/imported", headers=ann).status_code == 503  # names come from a release
    release_parts.publish(releases)
    assert client.get("/v1/users/ann/imported", headers=ann).json() == {"total": 0, "plays": []}
    import_paths(home, [log])
    answer = client.get("/v1/users/ann/imported", params={"text": "ROADS"}, headers=ann).json()
    assert answer["total"] == 1
    assert answer["plays"][0]["imported"] == "history"
    assert client.get("/v1/users/ann/imported", params={"text": "nothing"}, headers=ann).json()["total"] == 0


def test_a_file_that_is_sent_is_imported(client, admin, home, log):
    sent = client.request(
        "POST", "/v1/imports", params={"name": "../my history.csv"}, content=log.read_bytes(), headers=admin
    )
    assert sent.status_code == 202, sent.text
    assert sent.json()["job"]["sort"] == "import"
    job = waited(client, admin)
    assert (job["state"], job["what"]) == ("done", "../my history.csv"), job
    [one] = client.get("/v1/imports", headers=admin).json()["imports"]
    assert [one["name"]] == job["made"]
    assert one["plays"] == 1
    assert {path.name for path in home.jobs.iterdir()} <= {"job.json", "progress.json", ".lock"}


@pytest.mark.parametrize("name", ["ä" * 190 + ".csv", "..", "a/../..\x00.csv"])
def test_whatever_a_file_is_called_it_is_received(client, admin, home, log, name):
    sent = client.request("POST", "/v1/imports", params={"name": name}, content=log.read_bytes(), headers=admin)
    assert sent.status_code == 202, sent.text
    assert waited(client, admin)["state"] == "done"


def test_a_listener_that_cannot_be_one_is_refused(client, admin, home):
    sent = client.request("POST", "/v1/imports", params={"name": "x", "user": "a\x00"}, content=b"x", headers=admin)
    assert sent.status_code == 422
    assert client.get("/v1/runs", headers=admin).json() == {}


def test_a_file_of_no_format_fails_in_words(client, admin, ann):
    client.request("POST", "/v1/imports", params={"name": "x.bin"}, content=b"\x00\x01\x02", headers=admin)
    job = waited(client, admin)
    assert job["state"] == "failed"
    assert "x.bin" in job["message"]
    other = client.get("/v1/runs", headers=ann).json()["job"]
    assert ("message" in other, other["what"]) == (False, "")


def test_only_administrators_import_and_run(client, ann):
    assert client.request("POST", "/v1/imports?name=x", content=b"x", headers=ann).status_code == 403
    assert client.request("POST", "/v1/runs", json={}, headers=ann).status_code == 403
    assert client.request("POST", "/v1/imports?name=x", content=b"x").status_code == 401
    assert client.request("DELETE", "/v1/runs", headers=ann).status_code == 403
    assert client.get("/v1/runs", headers=ann).json() == {}


def test_an_import_that_is_stopped_says_so(client, admin, home):
    rows = (f"ann,Portishead,Roads {n},2024-01-01T10:00:00Z\n" for n in range(1_000_000))
    content = "".join(["user,artist,title,listened_at\n", *rows]).encode()
    sent = client.request("POST", "/v1/imports", params={"name": "a.csv"}, content=content, headers=admin)
    assert sent.status_code == 202, sent.text
    until = time.monotonic() + 60
    while (job := client.request("DELETE", "/v1/runs", headers=admin).json()["job"])["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.1)
    assert (job["state"], "was stopped" in job["message"]) == ("interrupted", True)
    assert client.get("/v1/imports", headers=admin).json() == {"imports": []}
    assert not [path for path in home.jobs.iterdir() if path.is_dir()]


def test_too_much_is_refused_unread(client, admin, home, monkeypatch):
    monkeypatch.setattr("crossfade.serve.web.imports.LARGEST_IMPORT", 10)
    sent = client.request("POST", "/v1/imports?name=x", content=b"x" * 11, headers=admin)
    assert (sent.status_code, "crossfade import" in sent.json()["detail"]) == (413, True)
    assert client.request("POST", "/v1/imports?name=x", content=b"", headers=admin).status_code == 422
    assert not [path for path in home.jobs.iterdir() if path.is_dir()]


def test_nothing_is_started_while_the_home_is_written(client, admin, home):
    with locked(home.path, "`crossfade run`"):
        assert client.request("POST", "/v1/runs", json={}, headers=admin).status_code == 409
        assert client.request("POST", "/v1/imports?name=x", content=b"x", headers=admin).status_code == 409


def test_a_run_of_an_empty_library_says_so(client, admin):
    assert client.request("POST", "/v1/runs", json={}, headers=admin).status_code == 202
    job = waited(client, admin)
    assert (job["state"], "import" in job["message"]) == ("failed", True)


def test_the_last_evaluation_is_kept(client, ann, home):
    assert client.get("/v1/evaluation", headers=ann).json() == {}
    from crossfade.cli.measuring import keep

    keep(home, {"k": 20, "models": [{"model": "als"}]})
    told = client.get("/v1/evaluation", headers=ann).json()
    assert told["figures"] == {"k": 20, "models": [{"model": "als"}]}
    assert told["finished"] > 1_700_000_000_000
    home.evaluation.write_text(json.dumps([1]))
    assert client.get("/v1/evaluation", headers=ann).json() == {}


def test_models_are_listed_with_what_they_are_fitted_on(small_library, client_of):
    from crossfade.serve.active import ActiveRelease
    from crossfade.serve.app import create_app
    from crossfade.serve.settings import ServeSettings
    from crossfade.stores.registry import open_releases

    home, _, state = small_library("artist and track")
    active = ActiveRelease(open_releases(home))
    client = client_of(create_app(active, ServeSettings(), live=state))
    assert client.get("/v1/models").json()["models"] == [
        {"name": "als", "kinds": ["artist", "track"], "blends": False, "shares": []}
    ]
    active.close()
