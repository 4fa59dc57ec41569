"""Listens that a live state keeps: in SQLite, and in one node of Cassandra that this starts and removes again.

    python -m benchmarks.live_listens --listens 2000 --senders 16

Each sender is a thread with a user of its own, as a player that posts; a listen counts once it is acknowledged. One
listen a request is what players send while they play, a hundred what they send after they were offline. Cassandra's
node waits for the disk before it acknowledges (commitlog_sync: batch), as SQLite does. The processor's time of
Cassandra is that of this process and the node's together.
"""

import argparse
import contextlib
import importlib.util
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.servers import cassandra
from tests.servers.jars import CASSANDRA, MissingError

from benchmarks.case import Findings, run_case
from benchmarks.record import Comparison
from benchmarks.turns import Elsewhere, take_turns
from crossfade.core.home import Home
from crossfade.stores.live import Listen, Track
from crossfade.stores.live_contract import LiveState
from crossfade.stores.registry import open_live

AT_ONCE = (1, 100)
"""Listens of a request."""

BULK = 20
"""How many times as many listens are sent a hundred at a time, so that a turn lasts as long."""


def options(parser: argparse.ArgumentParser) -> None:
    """The sizes."""
    parser.add_argument("--listens", type=int, default=2_000, help="of one turn, one a request")
    parser.add_argument("--senders", type=int, nargs="+", default=[1, 16], help="threads that send at a time")


def measure(chosen: argparse.Namespace) -> Findings:
    """Post to both, in turns."""
    comparisons: list[Comparison] = []
    skipped: dict[str, str] = {}
    versions: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as opened:
        sides: dict[str, tuple[LiveState, Callable[[], float]]] = {
            "sqlite": (_closing(opened, open_live(Home(Path(scratch) / "home"))), _own)
        }
        try:
            sides["cassandra"] = opened.enter_context(_node(Path(scratch)))
            versions["cassandra"] = CASSANDRA.version
        except MissingError as error:
            skipped["cassandra"] = str(error)
        seconds = itertools.count(1)  # each listen is another one
        for at_once, senders in itertools.product(AT_ONCE, chosen.senders):
            listens = chosen.listens * (1 if at_once == 1 else BULK)
            works = {
                name: partial(_posted, state, listens // senders, at_once, senders, seconds, used)
                for name, (state, used) in sides.items()
            }
            taken = take_turns(works, chosen.turns)
            comparisons.append(
                Comparison(
                    name=f"{at_once} a request, {senders} senders",
                    unit=f"{listens:,} listens",
                    what={"at once": at_once, "senders": senders},
                    sides=[
                        one.side(name, figures={"a second": listens / sorted(one.seconds)[len(one.seconds) // 2]})
                        for name, one in taken.items()
                    ],
                )
            )
    return Findings(comparisons=comparisons, versions=versions, skipped=skipped)


def _posted(
    state: LiveState,
    listens: int,
    at_once: int,
    senders: int,
    seconds: Iterator[int],
    used: Callable[[], float],
) -> Elsewhere:
    """Send ``listens`` of each sender, and give back what processor time that took."""
    before = used()

    def send(number: int) -> None:
        user = f"user{number}"
        state.add_user(user)
        for _ in range(0, listens, at_once):
            made = [
                Listen(user=user, listened_at=1000 * next(seconds), track=Track(title="Roads", artist="Portishead"))
                for _ in range(at_once)
            ]
            if state.add_listens(made) != at_once:
                raise RuntimeError("a listen was not new")

    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(send, range(senders)))
    return Elsewhere(used() - before)


@contextlib.contextmanager
def _node(scratch: Path) -> Iterator[tuple[LiveState, Callable[[], float]]]:
    """A live state in a node that is gone afterwards, and what asks for the processor time spent on it."""
    if importlib.util.find_spec("cassandra") is None:
        raise MissingError("needs pip install 'crossfade[cassandra]'")
    from crossfade.stores.cassandra_settings import CassandraSettings
    from crossfade.stores.live_cassandra import CassandraLive

    node = cassandra.ring(scratch / "cassandra", durable=True, quick=False)
    try:
        node.start()
        settings = CassandraSettings(port=node.port, keyspace="listens", replication=1, request_seconds=60.0)
        with contextlib.closing(CassandraLive(settings)) as state:
            yield state, lambda: _own() + _of(node.pid(1))
    finally:
        node.wipe()


def _own() -> float:
    times = os.times()
    return times.user + times.system


def _of(pid: int | None) -> float:
    """Processor seconds of another process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _closing(stack: contextlib.ExitStack, state: LiveState) -> LiveState:
    stack.callback(state.close)
    return state


if __name__ == "__main__":
    run_case(__doc__, options, measure, turns=3)
