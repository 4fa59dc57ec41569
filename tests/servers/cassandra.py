"""Starts a real Cassandra on this machine: one node, or a ring of up to three on 127.0.0.1, 127.0.0.2, 127.0.0.3.

    python -m tests.servers.cassandra start            one node; prints where it answers
    python -m tests.servers.cassandra start --nodes 3  a ring
    python -m tests.servers.cassandra kill 2           kill -9
    python -m tests.servers.cassandra restart 2
    python -m tests.servers.cassandra status | stop | wipe

A directory holds everything of a ring: its ports, data, logs and process ids, so that any process can kill and restart
nodes. The jars are those that ``tests.servers.jars`` brought.
"""

import argparse
import contextlib
import dataclasses
import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.jars import CASSANDRA, MissingError, found, java
from tests.servers.processes import recorded

DIRECTORY = Path("/tmp/crossfade-cassandra")
PATIENCE = 180.0  # seconds for a node to answer
GRACE = 20.0  # seconds for a node to stop by itself

TOKENS = (-9223372036854775808, -3074457345618258603, 3074457345618258602)
"""The first third of the ring begins here, and so on: nodes with fixed tokens start at the same time."""

USER = PASSWORD = "cassandra"
"""The first superuser of every Cassandra that asks for passwords."""

EXPORTS = """java.base/java.lang.ref java.base/jdk.internal.misc java.management.rmi/com.sun.jmx.remote.internal.rmi
java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.sql/java.sql jdk.attach/sun.tools.attach
jdk.compiler/com.sun.tools.javac.file jdk.unsupported/sun.misc"""
OPENS = """java.base/java.io java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect
java.base/java.net java.base/java.nio java.base/java.util java.base/jdk.internal.loader java.base/jdk.internal.math
java.base/jdk.internal.module java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.util.jar
java.base/sun.nio.ch java.rmi/sun.rmi.transport.tcp jdk.compiler/com.sun.tools.javac
jdk.management/com.sun.management.internal"""
"""What of Java's own modules Cassandra reaches into; without them it ends without a useful word."""

LOGGING = """<configuration scan="false">
  <appender name="FILE" class="ch.qos.logback.core.FileAppender">
    <file>{directory}/system.log</file>
    <encoder><pattern>%-5level [%thread] %date{{ISO8601}} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="FILE"/></root>
</configuration>
"""


@dataclass(frozen=True, kw_only=True)
class Ring:
    """The nodes of one directory.

    nodes           1 to 3
    port            of CQL, on the address of every node
    storage         the port by which nodes talk to each other
    heap            of each node, as Java takes it
    authentication  whether users have passwords and rights
    durable         acknowledge a write after it is on the disk; otherwise kill -9 loses what came in the last 100 ms,
                    since the log is read again up to its last mark
    quick           compile Java's code less, which makes starting faster and long work slower
    restarts        whether tables outlive a kill; without that they are made in a tenth of the time
    tls             whether clients may encrypt; `authority` has signed the nodes' certificate
    """

    directory: Path
    nodes: int = 1
    port: int
    storage: int
    heap: str = "512M"
    authentication: bool = False
    durable: bool = False
    quick: bool = True
    restarts: bool = True
    tls: bool = False

    @property
    def authority(self) -> Path:
        """The certificate of the nodes, which has signed itself."""
        return self.directory / "certificate.pem"

    @property
    def addresses(self) -> list[str]:
        """The address of each node."""
        return [_address(node) for node in range(1, self.nodes + 1)]

    def start(self) -> "Ring":
        """Start the nodes that are not running, and return once each of them answers and sees all others."""
        self._remember()
        for node in range(1, self.nodes + 1):
            self._launch(node)
        for node in range(1, self.nodes + 1):
            self._await(node, self.nodes)
        return self

    def restart(self, node: int) -> None:
        """Start one node, if it is not running, and return once it answers."""
        self._launch(node)
        self._await(node, 1)

    def kill(self, node: int) -> None:
        """Kill -9 one node."""
        self._end(node, signal.SIGKILL)

    def pause(self, node: int, *, resume: bool = False) -> None:
        """Stop the process of a node where it is, as a machine that hangs; ``resume`` lets it go on."""
        if pid := self.pid(node):
            os.kill(pid, signal.SIGCONT if resume else signal.SIGSTOP)

    def stop(self) -> None:
        """Stop all nodes; what they keep stays."""
        for node in range(1, self.nodes + 1):
            if pid := self.pid(node):
                os.kill(pid, signal.SIGTERM)
        for node in range(1, self.nodes + 1):
            if not self._gone(node, GRACE):
                self.kill(node)

    def wipe(self) -> None:
        """Kill all nodes and remove what they keep."""
        for node in range(1, self.nodes + 1):
            self.kill(node)
        shutil.rmtree(self.directory, ignore_errors=True)

    def pid(self, node: int) -> int | None:
        """Return the process of a node; None if it is not running."""
        return recorded(self._place(node) / "pid", str(self._place(node)))

    def _place(self, node: int) -> Path:
        return self.directory / f"node{node}"

    def _remember(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        described = dataclasses.asdict(self) | {"directory": str(self.directory)}
        (self.directory / "ring.json").write_text(json.dumps(described))
        if self.tls and not self.authority.exists():
            self._make_certificate()

    def _make_certificate(self) -> None:
        keytool = [
            str(java().resolve().with_name("keytool")),
            "-keystore",
            f"{self.directory}/keys",
            "-storepass",
            PASSWORD,
        ]
        names = ",".join(f"ip:{address}" for address in self.addresses)
        made = ["-genkeypair", "-keyalg", "EC", "-dname", "CN=crossfade-tests", "-ext", f"san={names}"]
        for words in (made, ["-exportcert", "-rfc", "-file", str(self.authority)]):
            subprocess.run([*keytool, *words], check=True, capture_output=True)

    def _launch(self, node: int) -> None:
        if self.pid(node):
            return
        place, jars, program = self._place(node), found(CASSANDRA), java()
        place.mkdir(parents=True, exist_ok=True)
        (place / "system.log").unlink(missing_ok=True)
        (place / "cassandra.yaml").write_text(self._configuration(node))
        (place / "logback.xml").write_text(LOGGING.format(directory=place))
        modules = [f"--add-exports={one}=ALL-UNNAMED" for one in EXPORTS.split()]
        modules += [f"--add-opens={one}=ALL-UNNAMED" for one in OPENS.split()]
        command = [*_without_locked_memory(), str(program), *modules, *self._options(place, jars)]
        command += ["-cp", f"{jars}/*", "org.apache.cassandra.service.CassandraDaemon"]
        with (place / "out").open("wb") as out:
            process = subprocess.Popen(
                command, cwd=place, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        (place / "pid").write_text(str(process.pid))
        process.returncode = 0  # it goes on after this process

    def _options(self, place: Path, jars: Path) -> list[str]:
        (agent,) = jars.glob("jamm-*.jar")
        return [
            f"-Xms{self.heap}",
            f"-Xmx{self.heap}",
            "-Xss512k",
            "-XX:+UseSerialGC",
            "-XX:MaxDirectMemorySize=256M",
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
            *(["-XX:TieredStopAtLevel=1"] if self.quick else []),
            f"-javaagent:{agent}",
            "-Djdk.attach.allowAttachSelf=true",
            "-Dio.netty.tryReflectionSetAccessible=true",
            "-Djava.net.preferIPv4Stack=true",
            f"-Djava.io.tmpdir={place}",
            f"-Dlogback.configurationFile=file://{place}/logback.xml",
            f"-Dcassandra.config=file://{place}/cassandra.yaml",
            f"-Dcassandra.storagedir={place}",
            f"-Dcassandra.logdir={place}",
            "-Dcassandra-foreground=yes",
            "-Dcassandra.superuser_setup_delay_ms=0",
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            f"-Dcassandra.ring_delay_ms={0 if self.nodes == 1 else 5000}",
            "-Dcassandra.consistent.rangemovement=false",
            f"-Dcassandra.test.flush_local_schema_changes={str(self.restarts).lower()}",
        ]

    def _configuration(self, node: int) -> str:
        place, address = self._place(node), _address(node)
        rights = "PasswordAuthenticator", "CassandraAuthorizer", "CassandraRoleManager"
        if not self.authentication:
            rights = "AllowAllAuthenticator", "AllowAllAuthorizer", "CassandraRoleManager"
        # A superuser's passwords and rights are read once a minute: bcrypt takes a tenth of a second.
        settings = {
            "cluster_name": "crossfade-tests",
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "endpoint_snitch": "SimpleSnitch",
            "authenticator": rights[0],
            "authorizer": rights[1],
            "role_manager": rights[2],
            "credentials_validity": "60s",
            "num_tokens": 1,
            "initial_token": str(TOKENS[node - 1]),
            "auto_bootstrap": False,
            "seed_provider": [
                {
                    "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                    "parameters": [{"seeds": ",".join(self.addresses)}],
                }
            ],
            "listen_address": address,
            "rpc_address": address,
            "storage_port": self.storage,
            "ssl_storage_port": self.storage + 1,
            "native_transport_port": self.port,
            "start_native_transport": True,
            "data_file_directories": [f"{place}/data"],
            **{name: f"{place}/{name}" for name in ("saved_caches_directory", "hints_directory", "cdc_raw_directory")},
            "commitlog_directory": f"{place}/commitlog",
            "commitlog_sync": "batch" if self.durable else "periodic",
            **({} if self.durable else {"commitlog_sync_period": "10s"}),
            "commitlog_segment_size": "8MiB",
            "commitlog_total_space": "256MiB",
            "commitlog_disk_access_mode": "legacy",
            "memtable_allocation_type": "unslabbed_heap_buffers",  # tests make many small tables
            "memtable_heap_space": "96MiB",
            "disk_access_mode": "standard",
            "file_cache_size": "32MiB",
            "networking_cache_size": "16MiB",
            "key_cache_size": "8MiB",
            "counter_cache_size": "0MiB",
            "row_cache_size": "0MiB",
            "concurrent_reads": 8,
            "concurrent_writes": 16,
            "native_transport_max_threads": 16,
            "concurrent_compactors": 1,
            "auto_snapshot": False,
            **({} if not self.tls else {"client_encryption_options": self._encryption()}),
            # A machine that is busy with other tests is no reason to fail.
            "read_request_timeout": "20s",
            "range_request_timeout": "30s",
            "write_request_timeout": "20s",
            "cas_contention_timeout": "10s",
            "request_timeout": "30s",
        }
        return json.dumps(settings)  # which is YAML too

    def _encryption(self) -> dict[str, object]:
        return {
            "enabled": True,
            "optional": True,
            "keystore": f"{self.directory}/keys",
            "keystore_password": PASSWORD,
            "store_type": "PKCS12",
        }

    def _await(self, node: int, nodes: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._answers(node, nodes):
            log = self._place(node) / "system.log"
            if self.pid(node) is None:
                said = [*_last_lines(self._place(node) / "out"), *_last_lines(log)]
                raise RuntimeError(f"Node {node} ended; see {log}:\n" + "\n".join(said))
            if time.monotonic() > deadline:
                raise RuntimeError(f"Node {node} did not answer within {PATIENCE:.0f} seconds; see {log}.")
            time.sleep(0.2)

    def _answers(self, node: int, nodes: int) -> bool:
        """Return whether a node answers a query, with so many nodes up in its eyes; its port opens before that."""
        said = self._place(node) / "system.log"
        if not said.exists() or "Starting listening for CQL clients" not in said.read_text(errors="replace"):
            return False
        from cassandra import cluster, policies

        given = {"auth_provider": _password()} if self.authentication else {}
        one = cluster.ExecutionProfile(policies.WhiteListRoundRobinPolicy([_address(node)]), request_timeout=10)
        log, level = logging.getLogger("cassandra"), logging.getLogger("cassandra").level
        log.setLevel(logging.CRITICAL)
        client = cluster.Cluster(
            [_address(node)], port=self.port, execution_profiles={cluster.EXEC_PROFILE_DEFAULT: one}, **given
        )
        try:
            session = client.connect()
            return 1 + len(list(session.execute("SELECT peer FROM system.peers_v2"))) >= nodes
        except (cluster.NoHostAvailable, OSError):
            return False
        finally:
            client.shutdown()
            log.setLevel(level)

    def _end(self, node: int, number: int) -> None:
        if pid := self.pid(node):
            os.kill(pid, number)
        self._gone(node, GRACE)

    def _gone(self, node: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pid(node) and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.pid(node) is None


def ring(directory: Path, **settings: object) -> Ring:
    """Return the ring of ``directory``; a new one, on free ports, gets ``settings``."""
    remembered = directory / "ring.json"
    if remembered.exists():
        return Ring(**json.loads(remembered.read_text()) | {"directory": directory})
    nodes = settings.get("nodes", 1)
    port, storage = free_ports(list(map(_address, range(1, int(str(nodes)) + 1))))
    return Ring(**{"directory": directory, "port": port, "storage": storage, **settings})  # type: ignore[arg-type]


@contextlib.contextmanager
def shared(directory: Path, **settings: object) -> Iterator[Ring]:
    """Lend the ring of ``directory`` to any number of processes: the first one starts it, the last one wipes it."""
    directory.mkdir(parents=True, exist_ok=True)
    users = directory.with_name(f"{directory.name}-users")
    users.mkdir(exist_ok=True)
    mine = users / str(os.getpid())
    with (users / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        one = ring(directory, **settings).start()
        mine.touch()
    try:
        yield one
    finally:
        with (users / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            mine.unlink()
            if not any(Path(f"/proc/{user.name}").exists() for user in users.iterdir() if user.name.isdecimal()):
                one.wipe()


def free_ports(addresses: Sequence[str]) -> tuple[int, int]:
    """Return two ports that are free at all ``addresses``, the second one with the next one too."""
    while True:
        with contextlib.ExitStack() as bound, contextlib.suppress(OSError):
            first = _bound(bound, addresses[0], 0)
            second = _bound(bound, addresses[0], 0)
            _bound(bound, addresses[0], second + 1)
            for address in addresses[1:]:
                for port in (first, second, second + 1):
                    _bound(bound, address, port)
            return first, second


def _bound(stack: contextlib.ExitStack, address: str, port: int) -> int:
    opened = stack.enter_context(socket.socket())
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((address, port))
    return int(opened.getsockname()[1])


def _address(node: int) -> str:
    return f"127.0.0.{node}"


def _password() -> object:
    from cassandra.auth import PlainTextAuthProvider

    return PlainTextAuthProvider(USER, PASSWORD)


def _without_locked_memory() -> list[str]:
    """Return what root starts Cassandra by: otherwise it would lock all its memory, used or not."""
    without = ["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]
    if os.geteuid() or shutil.which(without[0]) is None:
        return []
    return without if subprocess.run([*without, "true"], capture_output=True).returncode == 0 else []


def _last_lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines()[-10:] if path.exists() else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="A real Cassandra on this machine.")
    parser.add_argument("command", choices=["start", "restart", "kill", "status", "stop", "wipe"])
    parser.add_argument("node", type=int, nargs="?", default=1)
    parser.add_argument("--nodes", type=int, default=1, choices=range(1, len(TOKENS) + 1))
    parser.add_argument("--directory", type=Path, default=DIRECTORY)
    parser.add_argument("--heap", default="512M")
    parser.add_argument("--authentication", action="store_true")
    parser.add_argument("--port", type=int)
    given = parser.parse_args(arguments)
    settings = {"nodes": given.nodes, "heap": given.heap, "authentication": given.authentication, "quick": False}
    one = ring(given.directory, **settings, **({"port": given.port} if given.port else {}))
    try:
        if given.command in ("restart", "kill"):
            getattr(one, given.command)(given.node)
        elif given.command != "status":
            getattr(one, given.command)()
    except MissingError as error:
        print(f"Cassandra {error}")
        return 1
    for node in range(1, one.nodes + 1):
        pid = one.pid(node)
        print(f"node {node}: {_address(node)}:{one.port} {f'process {pid}' if pid else 'stopped'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
