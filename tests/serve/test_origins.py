"""Web pages of other origins."""

import pytest

from crossfade.core.errors import SettingsError
from crossfade.serve.app import create_app
from crossfade.serve.settings import ServeSettings

PAGE, STRANGER = "https://music.example", "https://evil.example"


def asks(client, origin, path="/v1/popular"):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "Authorization",
    }
    return client.request("OPTIONS", path, headers=headers)


def test_a_page_that_is_named_may_call_and_no_other(active, client_of):
    client = client_of(create_app(active, ServeSettings(origins=(PAGE,))))
    allowed = asks(client, PAGE)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "Authorization" in allowed.headers["access-control-allow-headers"]
    assert client.get("/v1/popular", headers={"Origin": PAGE}).headers["access-control-allow-origin"] == PAGE
    assert asks(client, STRANGER).status_code == 400
    for path in ("/v1/popular", "/metrics"):
        answer = client.get(path, headers={"Origin": STRANGER})
        assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in client.get("/metrics", headers={"Origin": PAGE}).headers


def test_without_names_nobody_elsewhere_may(client):
    assert "access-control-allow-origin" not in asks(client, PAGE).headers


@pytest.mark.parametrize("origin", ["*", "music.example", "https://music.example/", "https://*.example"])
def test_an_origin_that_is_none_is_refused(origin):
    with pytest.raises(SettingsError, match="origins must be like"):
        ServeSettings(origins=(origin,))
