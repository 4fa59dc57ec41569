"""What clients may keep, and for how long."""

import pytest

from crossfade import __version__
from crossfade.serve.settings import ServeSettings


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1/popular", "public, max-age=60"),
        ("/v1/release", "public, max-age=60"),
        ("/v1/search?q=x", "public, max-age=60"),
        ("/v1/artists/mb:bjork", "public, max-age=60"),
        ("/v1/users/2/discover", "private, max-age=60"),
        ("/v1/users/nobody/discover", "private, max-age=60"),
        ("/ready", "no-store"),
        ("/v1/artists/nobody", "no-store"),
    ],
)
def test_how_long_an_answer_may_be_kept(client, path, wanted):
    assert client.get(path).headers["cache-control"] == wanted


def test_the_settings_say_how_long(home, active, release_parts, releases, client_of):
    from crossfade.serve.app import create_app

    release_parts.publish(releases)
    client = client_of(create_app(active, ServeSettings(max_age=0)))
    assert client.get("/v1/popular").headers["cache-control"] == "public, max-age=0"


def test_what_a_client_has_is_not_sent_again(client, served):
    first = client.get("/v1/popular")
    tag = first.headers["etag"]
    assert tag == f'"{served.releases.active().version}-{__version__}"'
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get("/v1/popular", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == first.headers["cache-control"]


@pytest.mark.parametrize("known", ['"other"', "", tag := "000001", ","])
def test_anything_else_is_sent(client, known):
    assert client.get("/v1/popular", headers={"If-None-Match": known}).status_code == 200


def test_what_does_not_exist_is_never_unchanged(client):
    assert client.get("/v1/artists/nobody", headers={"If-None-Match": "*"}).status_code == 404


def test_a_new_release_has_another_tag(empty, release_parts, releases):
    release_parts.publish(releases)
    tag = empty.get("/v1/popular").headers["etag"]
    release_parts.publish(releases, day="2")
    answer = empty.get("/v1/popular", headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.headers["etag"] != tag
    releases.roll_back()
    assert empty.get("/v1/popular", headers={"If-None-Match": tag}).status_code == 304
