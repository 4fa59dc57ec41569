"""Maps and ways over HTTP."""

import pytest
from tests.serve.test_client import InProcess

from crossfade.client import Client
from crossfade.serve.active import ActiveRelease
from crossfade.serve.app import create_app
from crossfade.serve.settings import ServeSettings
from crossfade.stores.registry import open_releases


@pytest.fixture
def client(small_library, client_of):
    home, _, state = small_library("artist and track")
    active = ActiveRelease(open_releases(home), check_seconds=0)
    yield client_of(create_app(active, ServeSettings(), live=state))
    active.close()


def test_a_map_is_found_by_name_and_kept(client):
    answer = client.get("/v1/artists/Item a05/map?size=8")
    assert answer.status_code == 200, answer.text
    nodes = answer.json()["nodes"]
    assert (len(nodes), nodes[0]["item"]) == (8, {"kind": "artist", "id": "a05", "name": "Item a05"})
    assert {"listeners", "closeness"} <= nodes[0].keys()
    assert answer.json()["links"]
    again = client.get("/v1/artists/Item a05/map?size=8", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_a_way_leads_from_one_to_the_other(client):
    path = client.get("/v1/artists/a00/path/Item a04").json()["path"]
    assert [stop["node"]["item"]["id"] for stop in path][:: len(path) - 1] == ["a00", "a04"]
    assert "closeness" not in path[0]


def test_our_client_walks_it(client):
    with Client("http://127.0.0.1:8000", transport=InProcess(client)) as crossfade:
        near = crossfade.map("Item a05", size=2).nodes[1].item
        assert [stop.node.item.id for stop in crossfade.path("a05", near.name).path] == ["a05", near.id]
        assert [one.name for one in crossfade.models().models] == ["als"]


@pytest.mark.parametrize("path", ["nobody/map", "a00/path/nobody", "nobody/path/a00"])
def test_what_is_not_there_is_a_problem(client, path):
    assert client.get(f"/v1/artists/{path}").status_code == 404
    assert client.get("/v1/artists/a00/map?size=1000").status_code == 422
