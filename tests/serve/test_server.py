"""Listening at a real socket."""

import asyncio
import builtins
import contextlib
import gc
import os
import re
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE

import httpx
import pytest
from tests.programs import started

import crossfade
from crossfade.core.errors import BusyError, MissingExtraError, SettingsError
from crossfade.serve.server import free_port, listening, serve
from crossfade.serve.settings import ServeSettings
from crossfade.serve.workers import SharedAddress

SERVER = """
import sys
from pathlib import Path
from crossfade.core.home import Home
from crossfade.serve.server import serve
from crossfade.serve.settings import ServeSettings
from crossfade.stores.registry import open_releases
releases = open_releases(Home(Path(sys.argv[1])))
serve(lambda: (releases, None), ServeSettings(port=0), ready=lambda address: print(address, flush=True))
"""


@pytest.fixture
def server(home):
    """A server of its own process: its address, and the process."""
    with started(sys.executable, "-W", "error", "-c", SERVER, home.path, stdout=PIPE, stderr=PIPE) as process:
        yield process.stdout.readline().strip(), process


def until(seconds, condition):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def test_a_server_serves_new_releases_without_a_restart(server, release_parts, releases):
    address, process = server
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    with httpx.Client(base_url=address) as client:
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/ready").status_code == 503
        first = release_parts.publish(releases, day="1").version
        until(10, lambda: client.get("/ready").status_code == 200)
        answer = client.get("/v1/users/hetrec:2/discover")
        assert answer.json()["release"] == first
        assert "server" not in answer.headers
        head = client.head("/v1/users/hetrec:2/discover")
        assert head.headers["content-length"] == str(len(answer.content))
        assert client.get("/v1/artists/AC%2FDC").json()["item"]["name"] == "AC/DC"
        second = release_parts.publish(releases, day="2").version
        until(10, lambda: client.get("/v1/release").json()["release"] == second)
        releases.roll_back()
        until(10, lambda: client.get("/v1/release").json()["release"] == first)
    process.send_signal(signal.SIGINT)
    log = process.communicate()[1]
    assert process.returncode == 0
    assert f"Listening at {address}" in log
    assert "WARNING There is no release to serve yet." in log
    assert f"Serving release {first}." in log
    assert "GET /v1/users/{id}/discover 200" in log
    assert "hetrec:2" not in log
    assert "Traceback" not in log


def test_garbage_is_not_looked_for_in_what_was_there_at_the_start(unpublished):
    async def started():
        async with unpublished.app.router.lifespan_context(unpublished.app):
            while not gc.get_freeze_count():
                await asyncio.sleep(0.01)

    try:
        asyncio.run(asyncio.wait_for(started(), 10))
    finally:
        gc.unfreeze()


SLOWLY = """
import time
import crossfade.serve.routes as routes
answer = routes.json_reply
def slowly(*arguments, **options):
    print("asked", flush=True)
    time.sleep(0.5)
    return answer(*arguments, **options)
routes.json_reply = slowly
"""


def test_a_server_that_is_ended_finishes_the_answer_under_way(home):
    with (
        started(sys.executable, "-W", "error", "-c", SLOWLY + SERVER, home.path, stdout=PIPE, stderr=PIPE) as process,
        ThreadPoolExecutor(1) as client,
    ):
        address = process.stdout.readline().strip()
        answer = client.submit(httpx.get, f"{address}health")
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        assert answer.result().json() == {"status": "ok"}
        process.communicate()
        assert process.returncode == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}health")


def test_a_taken_port_is_named(releases):
    with listening(ServeSettings(port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BusyError, match=f"Port {port} is used"):
            serve(lambda: (releases, None), ServeSettings(port=port))


def test_a_demo_takes_another_port_where_its_own_is_taken():
    with listening(ServeSettings(port=0)) as taken:
        settings = ServeSettings(port=taken.getsockname()[1])
        assert free_port(settings).port == 0
    assert free_port(settings) == settings


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "x" * 300])
def test_an_address_that_is_not_ours_is_named(host):
    # 192.0.2.0/24 is kept for documentation (RFC 5737); no machine has it.
    with pytest.raises(SettingsError, match="Cannot listen at"):
        listening(ServeSettings(host=host, port=0))


def test_six_is_spoken_too(home):
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        with listening(ServeSettings(host="::1", port=0)) as listener:
            assert listener.family == socket.AF_INET6
        return
    pytest.skip("needs IPv6 on this machine")


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_without_the_extra_it_says_what_to_install(releases, monkeypatch, missing):
    for name in [name for name in sys.modules if name.startswith(("crossfade.serve", missing))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(crossfade, "serve", crossfade.serve)  # which the next import replaces
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'crossfade\[serve\]'"):
        serve(lambda: (releases, None), ServeSettings(port=0))


WORKERS = """
import sys
from functools import partial
from pathlib import Path
from crossfade.cli.options import served_of
from crossfade.core.home import Home
from crossfade.serve.server import serve
from crossfade.serve.settings import ServeSettings

if __name__ == "__main__":
    settings = ServeSettings(port=0, workers=2)
    serve(partial(served_of, Home(Path(sys.argv[1]))), settings, ready=lambda address: print(address, flush=True))
"""


@pytest.mark.slow
def test_several_processes_answer_at_one_address_and_one_that_ends_is_replaced(tmp_path, home, release_parts, releases):
    first = release_parts.publish(releases, day="1").version
    script = tmp_path / "workers.py"
    script.write_text(WORKERS)
    with started(sys.executable, script, home.path, stdout=PIPE, stderr=PIPE) as process:
        address = process.stdout.readline().strip()

        def get(path):
            with httpx.Client(base_url=address) as client:  # a connection of its own, to any of the processes
                return client.get(path)

        def children():
            listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            # Beside the workers there is a process that tracks what multiprocessing shares.
            return [int(pid) for pid in listed if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]

        assert {get("/v1/release").json()["release"] for _ in range(20)} == {first}
        before = children()
        assert len(before) == 2
        counted = re.search(r'_count\{.*route="/v1/release".*\} (\d+)', get("/metrics").text)
        assert float(counted[1]) == 20, "each process answers for both"
        second = release_parts.publish(releases, day="2").version
        until(10, lambda: {get("/v1/release").json()["release"] for _ in range(10)} == {second})
        os.kill(before[0], signal.SIGKILL)
        until(20, lambda: len(children()) == 2 and before[0] not in children())
        until(20, lambda: get("/ready").status_code == 200)
        process.send_signal(signal.SIGTERM)
        log = process.communicate()[1]
    assert process.returncode == 0
    assert "Stopped." in log
    assert "Traceback" not in log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_an_error(server, number):
    address, process = server
    with httpx.Client(base_url=address) as client:
        client.get("/health")
        process.send_signal(number)
        log = process.communicate()[1]
    assert process.returncode == 0
    assert log.endswith("INFO Stopped.\n")
    assert "Traceback" not in log


@pytest.mark.parametrize("bound", [None, SharedAddress.bound])
def test_what_is_accepted_is_known_as_tcp(bound):
    """Else asyncio leaves Nagle's algorithm on, and every answer of two parts takes 40 ms."""
    with listening(ServeSettings(port=0), bound) as listener:
        listener.listen()
        assert listener.proto == socket.IPPROTO_TCP
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.proto == socket.IPPROTO_TCP
