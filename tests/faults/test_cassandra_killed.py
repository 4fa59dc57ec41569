"""Nodes of Cassandra, and what writes to them, are killed: no half release is ever read, and servers stay up."""

import contextlib
import dataclasses
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.servers.cassandra import ring
from tests.servers.jars import MissingError

from crossfade.core.errors import CrossfadeError, UnavailableError
from crossfade.stores.cassandra_session import close_sessions
from crossfade.stores.registry import StoreSettings, open_releases, open_store

pytestmark = pytest.mark.slow  # nodes start many times

CONFTEST = Path(__file__).parents[1] / "conftest.py"
PATIENCE = 60.0  # seconds for a server to find Cassandra again

LOADING = """
import runpy, sys
from pathlib import Path
from crossfade.core.home import Home
from crossfade.stores import cassandra
from crossfade.stores.registry import StoreSettings, open_releases
parts = runpy.run_path(sys.argv[1])["small_release"](Path(sys.argv[2]))
loaded = cassandra.CassandraTableStore._sums
def loading(self, *arguments):
    print("loaded", flush=True)
    sys.stdin.read()
cassandra.CassandraTableStore._sums = loading
settings = StoreSettings(kind="cassandra", port=int(sys.argv[3]), keyspace=sys.argv[4], connect_seconds=30.0)
parts.publish(open_releases(Home(Path(sys.argv[2]) / "home"), settings), day="killed")
"""


@contextlib.contextmanager
def nodes(directory, **settings):
    try:
        started = ring(directory, **settings).start()
    except MissingError as error:
        pytest.skip(f"Cassandra {error}")
    try:
        yield started
    finally:
        close_sessions()
        started.wipe()


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A node that is killed and started again."""
    with nodes(tmp_path_factory.mktemp("cassandra") / "node", durable=True) as started:
        yield started


@pytest.fixture
def settings(node, request):
    node.restart(1)
    return StoreSettings(
        kind="cassandra",
        port=node.port,
        keyspace=f"k{abs(hash(request.node.name))}",
        replication=1,
        connect_seconds=30.0,
        request_seconds=30.0,
        retries=1,
    )


@pytest.fixture
def releases(home, settings):
    return open_releases(home, settings)


def numbered(release_parts, number):
    """The same release, in which every artist has ``number`` plays: a mixture of two would show."""
    catalogue = release_parts.catalogue
    artists = dataclasses.replace(catalogue["artist"], plays=np.full(5, number))
    others = [catalogue[kind] for kind in catalogue if kind != "artist"]
    return dataclasses.replace(release_parts, catalogue=type(catalogue)([artists, *others]))


def plays_of(release):
    return {release.tables.item("artist", name).plays for name in ("bjork", "radiohead", "acdc")}


def eventually(ask, seconds=PATIENCE):
    """What ``ask`` returns as soon as it raises nothing."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except (CrossfadeError, AssertionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_a_server_outlives_cassandra(home, releases, release_parts, node):
    pytest.importorskip("fastapi", reason="needs the extra `serve`")
    from fastapi.testclient import TestClient

    from crossfade.serve.active import ActiveRelease
    from crossfade.serve.app import create_app
    from crossfade.serve.settings import ServeSettings

    version = release_parts.publish(releases).version
    app = create_app(ActiveRelease(releases, check_seconds=0), ServeSettings())
    related = "/v1/artists/mb:acdc/related"
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        there = client.get(related)
        assert there.status_code == 200
        node.kill(1)
        # What is named already goes on being named; what is not known says why.
        assert client.get("/v1/release").json()["release"] == version
        assert client.get("/health").status_code == client.get("/ready").status_code == 200
        gone = client.get("/v1/artists/mb:radiohead/related")
        assert gone.status_code == 503
        assert "Cassandra cannot be reached" in gone.json()["detail"]
        assert int(gone.headers["Retry-After"]) > 0
        with pytest.raises(UnavailableError):
            release_parts.publish(releases, day="2")
        node.restart(1)

        def again():
            back = client.get("/v1/artists/mb:radiohead/related")
            assert back.status_code == 200, back.text

        eventually(again)
        assert client.get(related).json() == there.json()
    assert releases.versions() == [version]
    second = eventually(lambda: release_parts.publish(releases, day="2")).version
    assert open_store(home, releases_settings(releases))[1].versions() == releases.versions() == [version, second]


def releases_settings(releases):
    return StoreSettings(kind="cassandra", **dataclasses.asdict(releases._registry._session.settings))


def test_a_server_starts_without_cassandra_and_finds_it_later(releases, release_parts, node):
    pytest.importorskip("fastapi", reason="needs the extra `serve`")
    from fastapi.testclient import TestClient

    from crossfade.serve.active import ActiveRelease
    from crossfade.serve.app import create_app
    from crossfade.serve.settings import ServeSettings

    release_parts.publish(releases)
    node.kill(1)
    close_sessions()
    app = create_app(ActiveRelease(releases, check_seconds=0), ServeSettings())
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 503
        node.restart(1)

        def ready():
            assert client.get("/ready").status_code == 200, client.get("/ready").text

        eventually(ready)


def test_a_node_is_killed_while_releases_are_published_and_read(home, settings, releases, release_parts, node):
    stop, wrong, read = threading.Event(), [], []
    numbered(release_parts, 0).publish(releases, day="0")

    def reading():
        while not stop.is_set():
            try:
                with releases.open() as release:
                    day = int(release.manifest.identity.inputs["day"])
                    (wrong if plays_of(release) != {day} else read).append(day)
            except CrossfadeError:
                time.sleep(0.05)

    def publishing():
        day = 0
        while not stop.is_set():
            day += 1
            with contextlib.suppress(CrossfadeError):
                numbered(release_parts, day).publish(releases, day=str(day))
                releases.prune(2)

    threads = [threading.Thread(target=one) for one in (reading, publishing)]
    for thread in threads:
        thread.start()
    time.sleep(4)
    node.kill(1)
    before = len(read)
    node.restart(1)

    def read_again():
        assert len(read) > before

    eventually(read_again)
    time.sleep(4)
    stop.set()
    for thread in threads:
        thread.join()
    assert read
    assert not wrong
    # And what is registered is whole, whatever was killed.
    assert eventually(lambda: [releases.verify(version) for version in releases.versions()])
    with releases.open() as release:
        assert plays_of(release) == {int(release.manifest.identity.inputs["day"])}


def test_of_a_loader_that_is_killed_nothing_is_left_after_the_next(
    home, settings, releases, release_parts, tmp_path, node
):
    first = release_parts.publish(releases).version
    arguments = [str(CONFTEST), str(tmp_path / "killed"), str(node.port), settings.keyspace]
    loader = subprocess.Popen(
        [sys.executable, "-c", LOADING, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with loader:
        assert loader.stdout.readline() == "loaded\n"
        loader.send_signal(signal.SIGKILL)
    tables = open_store(home, settings)[1]
    (half,) = [version for version in tables.versions() if version != first]
    with pytest.raises(CrossfadeError, match="not written to its end"):
        tables.open(half)
    assert releases.versions() == [first]
    assert releases.active().version == first
    second = release_parts.publish(releases, day="2").version
    assert tables.versions() == [first, second]


def test_no_request_fails_while_a_node_of_three_is_killed(tmp_path, home, release_parts):
    """At QUORUM: neither a read, nor a release that is published meanwhile."""
    with nodes(tmp_path / "ring", nodes=3, heap="384M") as three:
        settings = StoreSettings(
            kind="cassandra",
            contact_points=tuple(three.addresses),
            port=three.port,
            keyspace="ring",
            replication=3,
            consistency="QUORUM",
            connect_seconds=60.0,
            request_seconds=60.0,
        )
        releases = open_releases(home, settings)
        first = release_parts.publish(releases, day="1").version
        stop, failed, counts = threading.Event(), [], [0, 0]

        def reading():
            with releases.open() as release:
                while not stop.is_set():
                    try:
                        assert len(release.tables.entries("related-artist", "mb:radiohead")) == 3
                        assert releases.active().version
                        counts[killed.is_set()] += 1
                    except Exception as error:  # noqa: BLE001  # all count
                        failed.append(error)

        killed = threading.Event()
        threads = [threading.Thread(target=reading) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(3)
        three.kill(2)
        killed.set()
        second = release_parts.publish(releases, day="2").version
        time.sleep(3)
        stop.set()
        for thread in threads:
            thread.join()
        assert not failed
        assert min(counts) > 0
        assert releases.versions() == [first, second]
        releases.verify(second)
