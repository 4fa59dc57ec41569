"""What one server answers under load, on this machine's own network interface (Linux only).

    python -m benchmarks.load HOME [--seconds 10] [--connections 16] [--swaps 20] [--workers 1]

HOME is the home of `crossfade demo`, or of any library with two releases or more. wrk (github.com/wg/wrk) makes the
load: as many requests as the server answers, over so many connections. Measured are, each with its limit:

    reads      Discover and Related of 200 users and items, while releases are swapped
    listens    posts of one listen each, each on the disk before it is answered, and counted afterwards
    discover   a post of a listen by a user of the release, then the user's page with it, one after the other
    playing    Now Playing after a queue of three tracks, one after the other

CPU is the server's, for each request: on a machine with other work it says more than the times.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import numpy as np

from crossfade.core.home import Home
from crossfade.core.tables import EVERYONE
from crossfade.stores.registry import open_live, open_releases

TICK = os.sysconf("SC_CLK_TCK")
SWAP_SECONDS = 3.0  # for which the load lasts for each swap: the server prepares a release before it turns to it
WARM_SECONDS = 20.0  # until pages of users can be made: the server prepares that after it starts

_READ = """
local paths, i = {%s}, 0
request = function() i = i + 1; return wrk.format("GET", paths[i %% #paths + 1]) end
"""
_POST = """
local i = %d
local headers = {["Authorization"] = "Token %s", ["Content-Type"] = "application/json"}
request = function()
  i = i + 1
  return wrk.format("POST", "/1/submit-listens", headers, '{"listen_type":"single","payload":[{"listened_at":' .. i ..
    ',"track_metadata":{"artist_name":"%s","track_name":"%s"}}]}')
end
"""
_DONE = """
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %f %f %f %d\\n", summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class Measured(NamedTuple):
    """Requests, how many of them a second, times in milliseconds, processor milliseconds a request, failures."""

    requests: int
    rate: float
    median: float
    p99: float
    processor: float
    failed: int

    def __str__(self) -> str:
        return (
            f"{self.requests:,} requests, {self.rate:,.0f}/s, p50 {self.median:.1f} ms, p99 {self.p99:.1f} ms, "
            f"CPU {self.processor:.2f} ms a request, {self.failed} failed"
        )


class Server:
    """A running server: its address, and what its processes have used of the processor."""

    def __init__(self, process: int, address: str) -> None:
        self._process = process
        self.address = address

    def busy(self) -> float:
        """Return the seconds of processor time of all its processes."""
        children = Path(f"/proc/{self._process}/task/{self._process}/children").read_text().split()
        stats = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in (self._process, *children)]
        return sum(int(fields[11]) + int(fields[12]) for fields in stats) / TICK

    def loaded(self, script: str, seconds: int, connections: int) -> Measured:
        """Return what wrk measures with a ``script``."""
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write(script + _DONE)
            file.flush()
            before = self.busy()
            command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", file.name, self.address]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            used = self.busy() - before
        requests, took, median, p99, failed = map(float, re.findall(r"RESULT (.*)", told)[0].split())
        return Measured(int(requests), requests / took, median, p99, 1000 * used / requests, int(failed))

    def timed(self, asked: Callable[[HTTPConnection, int], bool], times: int) -> Measured:
        """Return what it takes to do something ``times`` times, one after the other; it returns whether it worked."""
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=60)
        taken, failed, before, began = [], 0, self.busy(), time.perf_counter()
        for number in range(times):
            started = time.perf_counter()
            failed += not asked(connection, number)
            taken.append(1000 * (time.perf_counter() - started))
        rate, processor = times / (time.perf_counter() - began), 1000 * (self.busy() - before) / times
        median, p99 = np.percentile(taken, [50, 99])
        return Measured(times, rate, float(median), float(p99), processor, failed)


def asked(
    connection: HTTPConnection, method: str, path: str, token: str | None = None, body: object = None
) -> tuple[int, bytes, str]:
    """Return the status, the body and the ETag of an answer."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})
    connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
    with connection.getresponse() as answer:
        return answer.status, answer.read(), answer.getheader("ETag", "")


@contextlib.contextmanager
def served(home: Path, workers: int) -> Iterator[Server]:
    """Serve a library."""
    command = [sys.executable, *f"-m crossfade serve --port 0 --workers {workers} --home".split(), str(home)]
    with tempfile.TemporaryFile("w+") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            found = None
            while found is None:
                time.sleep(0.1)
                log.seek(0)
                found = re.search(r"Listening at (http://\S+)/,", log.read())
                if process.poll() is not None:
                    raise SystemExit("The server ended. Try: crossfade serve")
            time.sleep(WARM_SECONDS)
            yield Server(process.pid, found[1])
        finally:
            process.terminate()


@contextlib.contextmanager
def swapping(home: Path, address: str, every: float) -> Iterator[list[str]]:
    """Swap the two newest releases ``every`` so many seconds, once the server serves the last; gives each served.

    An answer that fails, or whose ETag is that of another release than its content, is among them with its status.
    """
    releases, served, ended = open_releases(Home(home)), list[str](), threading.Event()
    newest = releases.versions()[-2:]

    def swap() -> None:
        connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
        turned, due = False, time.monotonic()
        while not ended.wait(0.02):
            status, content, tag = asked(connection, "GET", "/v1/popular")
            release = str(json.loads(content).get("release"))
            if status != 200 or not tag.startswith(f'"{release}-'):
                served.append(f"status {status}, {tag}")
            elif served[-1:] != [release]:
                served.append(release)
                turned = True
            if turned and time.monotonic() >= due:
                releases.activate(next((one for one in newest if one != release), newest[0]))
                turned, due = False, due + every

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield served
    finally:
        ended.set()
        thread.join()
        releases.activate(newest[-1])
        releases.unpin()


def measured(
    home: Path, server: Server, seconds: int, connections: int, swaps: int, pages: int
) -> Iterator[tuple[str, Measured, str]]:
    """Yield each measure: its name, what was measured, and its limit."""
    live, name = open_live(Home(home)), f"load-{time.time_ns()}"
    with open_releases(Home(home)).open() as release:
        tables, kind = release.tables, "artist"
        users = tables.users(limit=200)
        popular = [entry.id for entry in tables.entries(f"popular-{kind}", EVERYONE, limit=200)]
        track_kind = "track" if "popular-track" in tables.tables else kind
        tracks = tables.entries(f"popular-{track_kind}", EVERYONE, limit=200)

    def token_of(user: str) -> str:
        live.add_user(user)
        return live.add_token(user)[1]

    addresses = [
        *(f"/v1/users/{quote(user, safe='')}/discover" for user in users),
        *(f"/v1/artists/{quote(one, safe='')}/related" for one in popular),
    ]
    reading = _READ % ",".join(f'"{one}"' for one in addresses)
    server.loaded(reading, 2, connections)
    lasting = max(seconds, round(SWAP_SECONDS * swaps))
    with swapping(home, server.address, lasting / max(swaps, 1)) as releases:
        reads = server.loaded(reading, lasting, connections)
    wrong = sum(one.startswith("status") for one in releases)
    found = reads._replace(failed=reads.failed + wrong)
    yield f"reads, {len(releases) - 1 - wrong} swaps", found, "1,500/s, p99 20 ms, 0 failed"

    submitter, first = token_of(name), int(time.time()) - 300_000_000
    posts = server.loaded(_POST % (first, submitter, "Nobody", name), seconds, 32)
    lost = max(0, posts.requests - live.count_listens(name))
    yield "listens, one a post", posts._replace(failed=posts.failed + lost), "500/s, none lost"

    tokens = {user: token_of(user) for user in users[:20]}

    def discover(connection: HTTPConnection, number: int) -> bool:
        user, track = users[number % 20], tracks[number * 7 % len(tracks)]
        listen = {
            "listened_at": 1000 * (int(time.time()) - number),
            "track": {"item": {"kind": track_kind, "id": track.id}},
        }
        path = f"/v1/users/{quote(user, safe='')}"
        sent = asked(connection, "POST", f"{path}/listens", tokens[user], {"listens": [listen]})
        status, content, _ = asked(connection, "GET", f"{path}/discover?kind={track_kind}", tokens[user])
        return sent[0] == status == 200 and all(entry.get("reason") for entry in json.loads(content)["entries"])

    def playing(connection: HTTPConnection, number: int) -> bool:
        queue = [tracks[(number + step) % len(tracks)].id for step in range(3)]
        body = {"queue": queue, "kind": track_kind, "count": 5}
        return asked(connection, "POST", "/v1/now-playing", tokens[users[number % 20]], body)[0] == 200

    server.timed(discover, 40)
    yield "listen and fresh Discover", server.timed(discover, pages), "p99 50 ms"
    server.timed(playing, 40)
    yield "Now Playing", server.timed(playing, pages), "none"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--seconds", type=int, default=10, help="of each load")
    parser.add_argument("--connections", type=int, default=16, help="that read")
    parser.add_argument("--swaps", type=int, default=20, help="of releases, about, while it is read")
    parser.add_argument("--pages", type=int, default=300, help="that are made one after the other")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    chosen = parser.parse_args(arguments)
    with served(chosen.home, chosen.workers) as server:
        for name, found, limit in measured(
            chosen.home, server, chosen.seconds, chosen.connections, chosen.swaps, chosen.pages
        ):
            print(f"{name}: {found}  (limit: {limit})", flush=True)


if __name__ == "__main__":
    main()
