"""A user's own page over HTTP: as it is now, with the user's token."""

import asyncio

import pytest

from crossfade.live.taste import tastes_of
from crossfade.serve import app
from crossfade.serve.active import ActiveRelease
from crossfade.serve.app import create_app
from crossfade.serve.settings import ServeSettings
from crossfade.stores.live import ALL, Listen, Track
from crossfade.stores.registry import open_releases

AT = 1_700_000_000_000


@pytest.fixture
def library(small_library, client_of):
    home, _, state = small_library("artist and track")
    active = ActiveRelease(open_releases(home), check_seconds=0)
    yield client_of(create_app(active, ServeSettings(), live=state)), state
    active.close()


def header(state, user, **more):
    state.add_user(user)
    return {"Authorization": f"Token {state.add_token(user, **more)[1]}"}


def test_listens_count_in_the_next_answer(library):
    client, state = library
    ann = header(state, "ann")
    before = client.get("/v1/users/ann/discover?kind=track", headers=ann).json()
    assert (before["surface"], before["key"]) == ("popular", "*")
    state.add_listens(
        [
            Listen(user="ann", listened_at=AT + 1000 * number, track=Track(title="x", artist=f"Item a{row:02d}"))
            for number, row in enumerate([2, 6, 10, 14, 18])
        ]
    )
    reply = client.get("/v1/users/ann/discover?kind=artist&limit=3&offset=1", headers=ann)
    assert reply.headers["cache-control"] == "no-store"
    after = reply.json()
    assert (after["surface"], after["key"], after["offset"], len(after["entries"])) == ("discover", "ann", 1, 3)
    assert all(entry["reason"]["text"].startswith("Because you play Item a") for entry in after["entries"])
    first = after["entries"][0]
    url = f"/v1/users/ann/why?kind=artist&item={first['id']}"
    why = client.get(url, headers=ann)
    assert why.headers["cache-control"] == "no-store"
    assert (why.json()["why"]["place"], why.json()["why"]["reason"]) == (2, first["reason"])
    assert client.get(url, headers=header(state, "bob")).status_code == 403
    # Whoever has no token gets what the release has, which is nothing of her.
    assert client.get("/v1/users/ann/discover?kind=track").json()["surface"] == "popular"
    assert client.get(url).status_code == 404
    measured = client.get("/metrics").text
    assert "crossfade_page_seconds_count 2.0" in measured


def test_a_page_is_read_with_the_users_own_token(library):
    client, state = library
    ann, bob = header(state, "ann"), header(state, "bob")
    submitting = header(state, "ann", scopes=frozenset({"submit"}))
    admin = header(state, "root", scopes=frozenset({"admin"}))
    url = "/v1/users/ann/discover?kind=track"
    replies = [client.get(url, headers=one).status_code for one in (ann, admin, bob, submitting)]
    assert replies == [200, 200, 403, 403]
    wrong = client.get(url, headers={"Authorization": "Token nonsense"})
    assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, "Bearer")
    assert wrong.headers["content-type"] == "application/problem+json"
    assert client.get("/v1/users/nobody/discover", headers=admin).status_code == 404


def test_a_release_is_prepared_before_requests_get_it(small_library, release_parts):
    home, release, _ = small_library("artist")
    releases, prepared = open_releases(home), []
    active = ActiveRelease(releases, check_seconds=0)
    with active.reading() as opened:
        assert opened.version == release.version
    active.prepare = lambda opened: prepared.append(opened.version)
    active.turn()
    active.turn()
    assert prepared == [release.version]
    new = release_parts.publish(releases).version
    with active.reading() as opened:
        assert opened.version == release.version
    active.turn()
    assert prepared == [release.version, new]
    with active.reading() as opened:
        assert opened.version == new
    active.close()


def test_what_was_deleted_leaves_the_memory_of_a_server_that_nobody_asks(small_library, monkeypatch):
    home, _, state = small_library("artist and track")
    state.add_user("ann")
    state.add_listens([Listen(user="ann", listened_at=AT, track=Track(title="x", artist="Item a02"))])
    active = ActiveRelease(open_releases(home))
    served = create_app(active, ServeSettings(), live=state)
    monkeypatch.setattr(app, "CHECK_SECONDS", 0.01)
    swept = []
    monkeypatch.setattr(type(state), "sweep", lambda self: swept.append(self))

    async def serve():
        async with served.router.lifespan_context(served):
            with active.reading() as opened:
                tastes = tastes_of(opened, state)
                assert "a02" in tastes.history("ann")["artist"]
            before = tastes._remembered
            assert before.items
            state.delete_listens("ann", ALL)
            async with asyncio.timeout(60):
                while tastes._remembered is before or not swept:
                    await asyncio.sleep(0.01)

    asyncio.run(serve())
