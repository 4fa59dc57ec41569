"""The server is killed while players post to it, again and again."""

import contextlib
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from subprocess import DEVNULL

import httpx
import pytest
from tests.programs import started

from crossfade.core.home import Home
from crossfade.stores.registry import open_live

pytest.importorskip("fastapi", reason="needs the extra `serve`")

AT = 1_763_640_000_000
POSTERS = 4


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def posting(port, secret, poster, first, acknowledged, posted):
    """Post two listens at a time until nobody answers any more."""
    with httpx.Client(headers={"Authorization": f"Bearer {secret}"}) as client, contextlib.suppress(httpx.HTTPError):
        for number in range(first, first + 10_000):
            times = [AT + ((number * 2 + k) * POSTERS + poster) * 1000 for k in range(2)]
            listens = [{"listened_at": at, "track": {"artist": "Low", "title": "Words"}} for at in times]
            posted.extend(times)
            answer = client.post(f"http://127.0.0.1:{port}/v1/users/ann/listens", json={"listens": listens})
            assert answer.status_code == 200, answer.text
            acknowledged.extend(times)


@pytest.mark.slow
def test_listens_that_a_killed_server_acknowledged_are_there_once(tmp_path):
    home, patience = Home(tmp_path / "home"), random.Random(0)
    live = open_live(home)
    live.add_user("ann")
    _, secret = live.add_token("ann")
    acknowledged, posted = [], []
    for kill in range(5):
        port = free_port()
        command = [sys.executable, "-m", "crossfade", "serve", "--port", port, "--home", home.path]
        with started(*command, stdout=DEVNULL, stderr=DEVNULL) as server:
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    httpx.get(f"http://127.0.0.1:{port}/health")
                    break
                assert time.monotonic() < deadline
                time.sleep(0.1)
            posters = [
                threading.Thread(target=posting, args=(port, secret, poster, kill * 10_000, acknowledged, posted))
                for poster in range(POSTERS)
            ]
            for poster in posters:
                poster.start()
            time.sleep(patience.uniform(0.5, 1.5))
            server.send_signal(signal.SIGKILL)
            for poster in posters:
                poster.join()
    kept = Counter(one.listened_at for one in live.listens("ann", limit=10_000_000))
    live.close()
    assert len(acknowledged) > 100
    assert set(acknowledged) <= set(kept), "an acknowledged listen was lost"
    assert set(kept) <= set(posted)
    assert max(kept.values()) == 1
    # A request is kept as a whole or not at all.
    assert all((at in kept) == (at + POSTERS * 1000 in kept) for at in posted[::2])
