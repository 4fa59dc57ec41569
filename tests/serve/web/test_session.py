"""The session of the web page: a cookie that no script reads, and that no other page can use."""

import pytest

from crossfade.core.home import Home
from crossfade.serve.app import create_app
from crossfade.serve.cookies import mark_of
from crossfade.serve.settings import ServeSettings
from crossfade.stores.live import ENTRANCE, now

PAGE = {"X-Crossfade": "page"}


@pytest.fixture
def client(unpublished, client_of):
    return client_of(unpublished.app)


@pytest.fixture
def secret(live):
    live.add_user("ann")
    return live.add_token("ann", label="mine")[1]


def enter(client, secret, **options):
    return client.request("POST", "/v1/session", json={"token": secret}, headers={**PAGE, **options})


def sent(answer):
    """The header by which a browser sends the cookie of an answer."""
    assert answer.status_code == 200, answer.text
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@pytest.fixture
def cookie(client, secret):
    return sent(enter(client, secret))


def test_a_token_becomes_a_cookie_that_only_this_page_sends(client, secret, live):
    answer = enter(client, secret)
    assert answer.json()["user"] == "ann"
    set_cookie = answer.headers["set-cookie"].lower()
    assert all(part in set_cookie for part in ("httponly", "samesite=strict", "path=/", "max-age="))
    assert "secure" not in set_cookie
    assert secret not in set_cookie
    own = next(one for one in live.tokens("ann") if one.label == "Web page")
    assert own.scopes == live.authenticate(secret).scopes
    assert own.id == answer.json()["token"]


def test_the_login_of_a_proxy_and_the_cookie_go_together(client, secret, cookie):
    asked = client.request("GET", "/v1/session", headers={**cookie, "Authorization": "Basic YW5uOnNlY3JldA=="})
    assert asked.json()["user"] == "ann"
    token = {**cookie, "Authorization": "Token cf_unknown"}
    assert "user" not in client.request("GET", "/v1/session", headers=token).json()


def test_behind_tls_the_cookie_is_for_tls_alone(unpublished, client_of, secret):
    app = unpublished.app

    async def behind_tls(scope, receive, send):
        await app({**scope, "scheme": "https"}, receive, send)

    assert "secure" in enter(client_of(behind_tls), secret).headers["set-cookie"].lower()


def test_who_is_there_is_answered_with_and_without_a_session(client, cookie):
    assert "user" not in client.get("/v1/session").json()
    answer = client.get("/v1/session", headers=cookie)
    assert (answer.json()["user"], answer.json()["scopes"]) == ("ann", ["manage", "read", "submit"])
    assert answer.json()["library"] == {"kinds": [], "lists": {}, "words": [], "invented": False}
    assert answer.headers["cache-control"] == "no-store"


def test_the_library_says_what_it_has(served, client_of):
    library = client_of(served.app).get("/v1/session").json()["library"]
    assert library["kinds"][:2] == ["artist", "track"]
    assert "discover" in library["lists"]
    assert "audio" not in library


def test_the_cookie_reads_what_the_token_may(client, cookie):
    assert client.get("/v1/users/ann/listens", headers=cookie).status_code == 200
    assert client.get("/v1/users/bob/listens", headers=cookie).status_code == 403


def test_a_change_by_cookie_needs_the_header_of_the_page(client, cookie, secret):
    block = {"json": {"item": {"kind": "artist", "id": "x"}}}
    refused = client.request("POST", "/v1/users/ann/blocks", headers=cookie, **block)
    assert (refused.status_code, "X-Crossfade" in refused.json()["detail"]) == (403, True)
    assert client.request("POST", "/v1/users/ann/blocks", headers={**cookie, **PAGE}, **block).status_code == 200
    token = {"Authorization": f"Token {secret}"}
    assert client.request("POST", "/v1/users/ann/blocks", headers=token, **block).status_code == 200
    # A page elsewhere can neither begin a session with a token of its own, nor end this one.
    assert client.request("POST", "/v1/session", json={"token": secret}).status_code == 403
    assert client.request("DELETE", "/v1/session", headers=cookie).status_code == 403


def test_apis_of_players_do_not_know_the_cookie(client, cookie):
    assert not client.get("/1/validate-token", headers=cookie).json().get("valid")
    listen = {"listen_type": "single", "payload": []}
    answer = client.request("POST", "/1/submit-listens", json=listen, headers={**cookie, **PAGE})
    assert answer.status_code == 401


def test_a_session_ends_here_and_at_the_server(client, cookie, live):
    answer = client.request("DELETE", "/v1/session", headers={**cookie, **PAGE})
    assert answer.status_code == 204
    assert answer.headers["set-cookie"].startswith(f'{cookie["Cookie"].partition("=")[0]}="";')
    assert [one.label for one in live.tokens("ann")] == ["mine"]
    assert client.get("/v1/users/ann/listens", headers=cookie).status_code == 401
    gone = client.get("/v1/session", headers=cookie)
    assert "user" not in gone.json()
    assert '="";' in gone.headers["set-cookie"]  # a browser sends it no more


def test_entering_again_ends_the_session_before(client, secret, cookie, live):
    enter(client, secret, **cookie)
    assert sum(one.label == "Web page" for one in live.tokens("ann")) == 1


def test_sessions_of_one_user_are_bounded(client, secret, live, monkeypatch):
    monkeypatch.setattr("crossfade.serve.web.session.MOST_SESSIONS", 2)
    begun = [enter(client, secret).json()["token"] for _ in range(4)]
    assert [one.id for one in live.tokens("ann") if one.label == "Web page"] == begun[-2:]


def test_the_link_that_opens_the_page_works_once(client, live):
    live.add_user("ann")
    secret = live.add_token("ann", label=ENTRANCE)[1]
    assert enter(client, secret).status_code == 200
    assert enter(client, secret).status_code == 401


def test_the_link_that_opens_the_page_works_for_an_hour(client, live, monkeypatch):
    live.add_user("ann")
    secret = live.add_token("ann", label=ENTRANCE)[1]
    monkeypatch.setattr("crossfade.stores.live_rules.now", lambda: now() + 3_601_000)
    assert enter(client, secret).status_code == 401


def test_a_link_of_somebody_else_does_not_change_who_is_signed_in(client, cookie, live):
    live.add_user("eve")
    link = live.add_token("eve", label=ENTRANCE)[1]
    refused = enter(client, link, **cookie)
    assert (refused.status_code, "signed in as ann" in refused.json()["detail"]) == (409, True)
    assert client.get("/v1/session", headers=cookie).json()["user"] == "ann"
    assert enter(client, link).json()["user"] == "eve"


def test_homes_that_are_served_in_turn_have_cookies_of_their_own(unpublished, client_of, secret, tmp_path):
    """A cookie of one home neither ends nor hides that of the other, at the same address."""
    clients, cookies = [], []
    for name in ("one", "other"):
        made = create_app(unpublished.active, ServeSettings(), live=unpublished.live, home=Home(tmp_path / name))
        clients.append(client_of(made))
        cookies.append(sent(enter(clients[-1], secret))["Cookie"])
    assert len({cookie.partition("=")[0] for cookie in cookies}) == 2
    assert "user" not in clients[1].get("/v1/session", headers={"Cookie": cookies[0]}).json()
    assert "set-cookie" not in clients[1].get("/v1/session", headers={"Cookie": cookies[0]}).headers
    for client in clients:
        assert client.get("/v1/session", headers={"Cookie": "; ".join(cookies)}).json()["user"] == "ann"
    assert mark_of(Home(tmp_path / "one")) == mark_of(Home(tmp_path / "other" / ".." / "one"))


def test_servers_on_one_machine_have_cookies_of_their_own(client, cookie, secret):
    other = {"Host": "127.0.0.1:8001"}
    assert "user" not in client.get("/v1/session", headers={**cookie, **other}).json()
    assert "set-cookie" not in client.get("/v1/session", headers={**cookie, **other}).headers
    assert enter(client, secret, **other).headers["set-cookie"].startswith("crossfade-8001-")
    assert enter(client, secret, Host="localhost").headers["set-cookie"].startswith("crossfade-")


@pytest.mark.parametrize("wrong", ["", "cf_0_0", "x" * 201])
def test_a_wrong_token_begins_nothing(client, wrong):
    answer = enter(client, wrong)
    assert answer.status_code in {401, 422}
    assert "set-cookie" not in answer.headers


def test_a_kept_answer_is_not_that_of_the_user(served, client_of):
    """Without a token a page comes from the release, and is kept; the same address by cookie is the user's own."""
    client = client_of(served.app)
    with served.active.reading() as opened:
        user = opened.release.tables.users(limit=1)[0]
    served.live.add_user(user)
    answer = enter(client, served.live.add_token(user)[1])
    address = f"/v1/users/{user}/discover"
    assert "etag" in client.get(address).headers
    own = client.get(address, headers=sent(answer))
    assert own.headers["cache-control"] == "no-store"
    served.live.remove_user(user)
