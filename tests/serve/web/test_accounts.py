"""Tokens of a user, and the end of an account."""

import pytest

from crossfade.core.errors import UnknownIdError
from crossfade.stores.live import SCOPES


@pytest.fixture
def client(unpublished, client_of):
    return client_of(unpublished.app)


@pytest.fixture
def call(client, live):
    live.add_user("ann")
    secret = live.add_token("ann", label="mine")[1]

    def made(method, path, *, token=secret, **options):
        return client.request(method, f"/v1/users/ann{path}", headers={"Authorization": f"Token {token}"}, **options)

    return made


def test_tokens_are_listed_without_their_secrets(call):
    [own] = call("GET", "/tokens").json()["tokens"]
    assert (own["label"], own["sort"], own["current"]) == ("mine", "token", True)
    assert "secret" not in own


def test_a_new_token_works_until_it_is_revoked(call, live):
    made = call("POST", "/tokens", json={"label": "phone", "scopes": ["read"]})
    assert made.status_code == 201
    secret, token = made.json()["secret"], made.json()["token"]
    assert live.authenticate(secret).scopes == {"read"}
    assert [one["label"] for one in call("GET", "/tokens").json()["tokens"]] == ["mine", "phone"]
    left = call("DELETE", "/tokens", params={"token": token["id"]})
    assert [one["label"] for one in left.json()["tokens"]] == ["mine"]
    assert live.authenticate(secret) is None


def test_an_app_password_is_made_for_players(call, live):
    made = call("POST", "/tokens", json={"password": True}).json()
    assert made["token"]["sort"] == "password"
    assert live.authenticate_password("ann", lambda kept: kept == made["secret"]) is not None


def test_no_token_makes_one_that_may_more(call, live):
    assert call("POST", "/tokens", json={"scopes": ["admin"]}).status_code == 403
    narrow = live.add_token("ann", scopes=frozenset({"manage"}))[1]
    assert call("POST", "/tokens", token=narrow, json={"scopes": ["read", "manage"]}).status_code == 403
    assert call("POST", "/tokens", token=narrow, json={}).json()["token"]["scopes"] == ["manage"]
    reading = live.add_token("ann", scopes=frozenset({"read"}))[1]
    assert call("GET", "/tokens", token=reading).status_code == 403


def test_the_token_of_another_user_is_not_revoked(call, live):
    live.add_user("bob")
    other, secret = live.add_token("bob")
    assert call("DELETE", "/tokens", params={"token": other.id}).status_code == 404
    assert live.authenticate(secret) is not None


def test_an_account_is_deleted_with_all_that_is_in_it(call, live):
    assert call("DELETE", "").status_code == 204
    with pytest.raises(UnknownIdError):
        live.account("ann")
    assert call("GET", "/tokens").status_code == 401


def test_nobody_deletes_another_account(client, live, call):
    live.add_user("bob")
    bob = live.add_token("bob")[1]
    assert call("DELETE", "", token=bob).status_code == 403
    assert call("DELETE", "/feedback").status_code == 405  # no user is called ann/feedback
    admin = live.add_token("bob", scopes=frozenset(SCOPES))[1]
    assert call("DELETE", "", token=admin).status_code == 204


def test_no_route_of_a_user_answers_another_one(client, live):
    """Whatever is added: what everybody may read of a release is not that of somebody who says who they are."""
    live.add_user("ann")
    live.add_user("bob")
    bob = {"Authorization": f"Token {live.add_token('bob')[1]}"}
    paths = client.get("/openapi.json").json()["paths"]
    asked = [(method, path) for path, methods in paths.items() for method in methods if "/users/{id}" in path]
    assert len(asked) > 20
    for method, path in asked:
        own = path.replace("{id}", "ann")
        answer = client.request(method.upper(), own, params={"item": "x"}, json={}, headers=bob)
        assert answer.status_code == 403, (method, path)
