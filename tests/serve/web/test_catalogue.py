"""Tracks, albums and tags over HTTP."""

from crossfade.serve.active import ActiveRelease
from crossfade.serve.app import create_app
from crossfade.serve.limits import RateLimits
from crossfade.serve.settings import ServeSettings
from crossfade.serve.web.site import Site
from crossfade.stores.registry import open_releases
from crossfade.surfaces.tags import tag_map


def test_tracks_and_albums_of_an_artist(served, client_of):
    client = client_of(served.app)
    tracks = client.get("/v1/artists/Björk/tracks?limit=1").json()
    assert (tracks["total"], [item["id"] for item in tracks["items"]]) == (2, ["t:hunter"])
    assert client.get("/v1/shows/Quiz Night/episodes").json()["total"] == 2
    assert client.get("/v1/artists/Björk/albums").json()["albums"] == [
        {"name": "Post", "tracks": 1, "listeners": 6, "plays": 60}
    ]
    album = client.get("/v1/albums?artist=bjork&name=POST").json()
    assert [item["name"] for item in album["tracks"]] == ["Army of Me"]
    assert client.get("/v1/albums?artist=bjork&name=Homogenic").status_code == 404
    assert client.get("/v1/artists/nobody/tracks").status_code == 404


def test_a_library_without_tags_says_so(served, client_of):
    assert client_of(served.app).get("/v1/tags").status_code == 404


def test_tags_and_taste(make_genre_release, tmp_path, live, home, client_of):
    releases = open_releases(home)
    make_genre_release(tmp_path).publish(releases)
    active = ActiveRelease(releases)
    client = client_of(create_app(active, ServeSettings(), live=live))
    live.add_user("ann")
    tags = client.get("/v1/tags?limit=3").json()
    assert (tags["kind"], tags["total"], len(tags["tags"])) == ("artist", 6, 3)
    one = client.get("/v1/tags/jazz?limit=2").json()
    assert len(one["items"]["artist"]) == 2
    assert {"name", "x", "y"} <= one["similar"][0].keys()
    missing = client.get("/v1/tags/zz")
    assert (missing.status_code, missing.json()["suggestions"]) == (404, ["jazz"])
    assert client.get("/v1/users/ann/taste").status_code == 401
    header = {"Authorization": f"Bearer {live.add_token('ann')[1]}"}
    taste = client.get("/v1/users/ann/taste", headers=header)
    assert taste.headers["cache-control"] == "no-store"
    assert taste.json()["tags"][0]["tag"]["name"] in {"doom", "metal"}
    active.close()


def test_maps_are_ready_before_they_are_asked_for(make_genre_release, tmp_path, live, home, monkeypatch):
    releases = open_releases(home)
    make_genre_release(tmp_path).publish(releases)
    active = ActiveRelease(releases)
    with active.reading() as opened:
        Site.of(active, live, RateLimits(10), ServeSettings(), None, home).prepare(opened)
        monkeypatch.setattr("crossfade.surfaces.tags._made", None)
        assert len(tag_map(opened).tags) == 6
    active.close()
