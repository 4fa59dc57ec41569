"""What clients may keep, and for how long."""

import asyncio
import gc
import weakref

import pytest
from starlette.requests import Request

from crossfade import __version__
from crossfade.serve import replies
from crossfade.serve.answers import Health
from crossfade.serve.kept import ENTRY_BYTES, Kept, KeptReplies
from crossfade.serve.replies import kept_reply
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


def test_an_answer_is_made_once_for_a_release(empty, release_parts, releases, monkeypatch):
    release_parts.publish(releases)
    first = empty.get("/v1/artists/mb:bjork?x=1")
    monkeypatch.setattr(replies, "tagged", None)  # what is kept already is not made again
    second = empty.get("/v1/artists/mb:bjork?x=1")
    assert (second.content, second.headers) == (first.content, first.headers)
    assert empty.request("HEAD", "/v1/artists/mb:bjork?x=1").headers == first.headers
    assert 'route="/v1/artists/{id}",status="200"} 2.0' in empty.get("/metrics").text
    monkeypatch.undo()
    release_parts.publish(releases, day="2")
    assert empty.get("/v1/artists/mb:bjork?x=1").json()["release"] == releases.active().version


def made(active, version, paths, headers=()):
    """Return the paths that are not answered from memory, which has room for two answers of the active release."""
    found = []

    async def application(scope, receive, send):
        found.append(scope["path"])
        scope["route"] = None
        answer = Health(status="x" * 1000)
        reply = kept_reply(Request(scope), answer, version, personal=False, max_age=1)
        await reply(scope, receive, send)

    async def ask():
        for path in paths:
            scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "state": {}}
            await kept({**scope, "headers": [*headers]}, None, ignored)

    async def ignored(message):
        pass

    kept = KeptReplies(application, active, most_bytes=2 * (ENTRY_BYTES + 1100))
    asyncio.run(ask())
    return "".join(found)


def test_what_is_kept_has_a_limit_of_bytes(active, release_parts, releases):
    version = release_parts.publish(releases).version
    assert made(active, version, "abacab") == "abcb"


def test_nothing_is_kept_of_another_release_or_for_a_token(active, release_parts, releases):
    version = release_parts.publish(releases).version
    assert made(active, "another", "aa") == "aa"
    assert made(active, version, "aa", [(b"authorization", b"Token x")]) == "aa"


def test_what_is_kept_goes_with_its_release(empty, active, release_parts, releases):
    release_parts.publish(releases)
    empty.get("/v1/popular")
    with active.reading() as opened:
        kept = weakref.ref(opened.once(Kept, None))
    release_parts.publish(releases, day="2")
    active.turn()
    del opened
    gc.collect()
    assert kept() is None
