"""Clients that are slow, or many, on a server with 256 file descriptors whose deadlines are a second."""

import contextlib
import http.client
import resource
import socket
import sys
import time
from subprocess import PIPE
from urllib.parse import urlsplit

import pytest
from tests.programs import started

SERVER = """
import resource, socket, sys
from pathlib import Path
from crossfade.core.home import Home
from crossfade.serve import connections
from crossfade.serve.server import serve
from crossfade.serve.settings import ServeSettings
from crossfade.stores.registry import open_releases

def bind(self, place, bound=socket.socket.bind):
    # Connections inherit it: small, so that unread replies soon wait in the server instead of the kernel.
    self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    bound(self, place)

socket.socket.bind = bind
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
connections.REQUEST_SECONDS = connections.REPLY_SECONDS = 1.0
releases = open_releases(Home(Path(sys.argv[1])))
serve(lambda: (releases, None), ServeSettings(port=0), ready=lambda address: print(address, flush=True))
"""


class Server:
    def __init__(self, address, log):
        parts = urlsplit(address)
        self.place = (parts.hostname, parts.port)
        self.log = log

    def connect(self, first=b""):
        opened = socket.create_connection(self.place, timeout=10)
        opened.sendall(first)
        return opened

    def seconds_of_an_answer(self):
        """How long a client waits that behaves."""
        started = time.monotonic()
        client = http.client.HTTPConnection(*self.place, timeout=10)
        client.request("GET", "/health")
        assert client.getresponse().read() == b'{"status":"ok"}'
        client.close()
        return time.monotonic() - started


@pytest.fixture(scope="module")
def server(tmp_path_factory, make_release_parts):
    from crossfade.core.home import Home
    from crossfade.stores.registry import open_releases

    directory = tmp_path_factory.mktemp("connections")
    home = Home(directory / "home")
    home.prepare()
    make_release_parts(directory).publish(open_releases(home))
    log = directory / "log"
    with (
        log.open("wb") as errors,
        started(sys.executable, "-c", SERVER, home.path, stdout=PIPE, stderr=errors) as process,
    ):
        yield Server(process.stdout.readline().strip(), log)


def closed_after(opened):
    """Seconds until the server closes the connection, and what it said before."""
    started, said = time.monotonic(), b""
    with opened, contextlib.suppress(ConnectionResetError):
        while part := opened.recv(65536):
            said += part
    return time.monotonic() - started, said


def sends(opened, part, times, pause):
    """Whether so many parts can be sent before the server closes the connection."""
    with opened, contextlib.suppress(ConnectionResetError, BrokenPipeError):
        for _ in range(times):
            opened.sendall(part)
            time.sleep(pause)
        return True
    return False


REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


def test_there_are_fewer_connections_than_descriptors(monkeypatch):
    from crossfade.serve import connections

    for limit, most in ((256, 92), (1024, 860), (64, 16), (resource.RLIM_INFINITY, 1000), (1 << 20, 1000)):
        monkeypatch.setattr(connections.resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert connections.most_connections() == most


def test_half_open_requests_keep_nobody_out(server):
    opened, slowest = [], 0.0
    for number in range(400):
        opened.append(server.connect(b"GET /health HT"))
        if number % 100 == 50:
            slowest = max(slowest, server.seconds_of_an_answer())
    assert max(slowest, server.seconds_of_an_answer()) < 2
    assert server.log.stat().st_size < 10_000
    assert "Traceback" not in server.log.read_text()
    assert server.log.read_text().count("WARNING There are 92 connections, the limit") == 1
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /health HTTP/1.1\r\nHost: loc",
        b"POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nslow",
    ],
    ids=["nothing", "half a header", "half a body"],
)
def test_a_request_that_does_not_end_is_closed(server, sent):
    took, _ = closed_after(server.connect(sent))
    assert 0.5 < took < 3


def test_bytes_one_by_one_do_not_put_the_end_off(server):
    assert not sends(server.connect(REQUEST), b"X", times=40, pause=0.1)


def test_a_reply_that_nobody_reads_is_given_up(server):
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.connect(server.place)
    opened.settimeout(10)
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert not sends(opened, asked, times=500, pause=0.01)
    assert server.seconds_of_an_answer() < 2


def test_requests_one_after_another_and_at_once_are_answered(server):
    opened = server.connect((REQUEST + b"\r\n") * 3)
    time.sleep(0.3)
    opened.sendall(REQUEST + b"Connection: close\r\n\r\n")
    _, said = closed_after(opened)
    assert said.count(b"200 OK") == 4


def test_a_connection_may_idle_longer_than_a_request_takes(server):
    opened = server.connect(REQUEST + b"\r\n")
    time.sleep(1.5)
    opened.sendall(REQUEST + b"Connection: close\r\n\r\n")
    assert closed_after(opened)[1].count(b"200 OK") == 2


def test_huge_headers_are_refused(server):
    _, said = closed_after(server.connect(REQUEST + b"X: " + b"x" * 70_000))
    assert said == b"" or said.startswith(b"HTTP/1.1 400")
    for _ in range(20):
        closed_after(server.connect(b"nonsense\r\n\r\n"))
    assert server.log.read_text().count("Invalid HTTP request") <= 1


@pytest.mark.parametrize("host", [b"", b"evil.example", b"evil.example:80"])
def test_a_host_that_is_not_this_server_or_none_is_refused(server, host):
    opened = server.connect(b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    assert closed_after(opened)[1].startswith(b"HTTP/1.1 421")
