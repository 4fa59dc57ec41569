"""A large file may take as long as it takes to send, as long as it goes on coming."""

import contextlib
import http.client
import time

import pytest

from crossfade.stores.live import SCOPES


@pytest.fixture
def send(unpublished, serve_on_loopback, monkeypatch):
    """Sends four parts of a file, half a second apart, to a server whose clients have one and a half."""
    monkeypatch.setattr("crossfade.serve.connections.REQUEST_SECONDS", 1.5)
    monkeypatch.setattr("crossfade.live.jobs.Jobs.start", lambda jobs, *arguments, room, **more: kept(room))
    unpublished.live.add_user("ann")
    received = []

    def kept(room):
        received.extend(path.read_bytes() for path in room.iterdir())

    def sent(port, *scopes, pauses=0.5):
        _, secret = unpublished.live.add_token("ann", scopes=frozenset(scopes))
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        client.putrequest("POST", "/v1/imports?name=x.csv")
        client.putheader("Content-Length", "40")
        client.putheader("Authorization", f"Token {secret}")
        client.endheaders()
        with contextlib.closing(client):
            for _ in range(4):
                time.sleep(pauses)
                client.send(b"0123456789")
            return client.getresponse().status

    with serve_on_loopback(unpublished.app) as port:
        yield lambda *scopes, **more: (sent(port, *scopes, **more), received)


def test_a_slow_upload_is_received_whole(send):
    assert send(*SCOPES) == (202, [b"0123456789" * 4])


def test_one_that_stops_is_ended(send):
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        send(*SCOPES, pauses=3.0)


def test_one_without_the_scope_is_answered_unread(send):
    assert send("read", pauses=0.0) == (403, [])
