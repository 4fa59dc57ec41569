"""A connection to Cassandra: prepared statements to the nodes that have the key, with time limits and retries.

A session connects when it is first used, and again if that failed. The driver reconnects by itself to nodes that were
down. Every error is one of Crossfade's: UnavailableError for what may go by, SettingsError for what has to be changed.
"""

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from crossfade.core.errors import ArtifactError, MissingExtraError, SettingsError, UnavailableError
from crossfade.stores.cassandra_settings import CassandraSettings

try:
    from cassandra import (
        AlreadyExists,
        AuthenticationFailed,
        ConsistencyLevel,
        DriverException,
        InvalidRequest,
        OperationTimedOut,
        ProtocolVersion,
        RequestExecutionException,
        Unauthorized,
        Unavailable,
        UnresolvableContactPoints,
    )
    from cassandra.auth import PlainTextAuthProvider
    from cassandra.cluster import (
        EXEC_PROFILE_DEFAULT,
        Cluster,
        ExecutionProfile,
        NoHostAvailable,
        ResponseFuture,
        Session,
    )
    from cassandra.concurrent import execute_concurrent
    from cassandra.connection import ConnectionException
    from cassandra.policies import (
        ConstantReconnectionPolicy,
        ConstantSpeculativeExecutionPolicy,
        DCAwareRoundRobinPolicy,
        FallthroughRetryPolicy,
        RetryPolicy,
        TokenAwarePolicy,
    )
    from cassandra.query import BatchStatement, BatchType, PreparedStatement, SimpleStatement
except ModuleNotFoundError as error:
    raise MissingExtraError('The store of kind "cassandra"', extra="cassandra") from error

_NO_TABLE = re.compile(r"unconfigured table|table \S+ does not exist", re.IGNORECASE)
_TLS = re.compile(r"\[SSL[^]]*\] (.+?)(?: \(_ssl\S*\))?$")  # the driver wraps what Python's module said

RECONNECT_SECONDS = 1.0
"""Between attempts to reach a node that is down; and what a failed connection is not tried again for."""

AGREEMENT_SECONDS = 60.0
"""For all nodes to know a table that was made or dropped."""

PAUSE_SECONDS = 0.5
"""Before what failed of many writes or reads is sent again; twice as long each time."""

_AT_ONCE = 2048  # requests whose results are waited for together; enough that the pause between two is nothing
_ONCE = "once"  # the profile of what must not be sent twice

# What the driver logs is raised or recovers by itself.
logging.getLogger("cassandra").setLevel(logging.CRITICAL)


class NoTableError(ArtifactError):
    """A table does not exist, or no longer."""


class _OtherNodes(RetryPolicy):  # type: ignore[misc]
    """Sends to another node what one failed to do; only for statements that may be carried out twice."""

    def __init__(self, retries: int) -> None:
        self._retries = retries

    def on_read_timeout(self, query: Any, consistency: Any, *about: Any, retry_num: int, **more: Any) -> Any:
        return self._again(retry_num, consistency)

    def on_write_timeout(self, query: Any, consistency: Any, *about: Any, retry_num: int, **more: Any) -> Any:
        return self._again(retry_num, consistency)

    def on_unavailable(self, query: Any, consistency: Any, *about: Any, retry_num: int, **more: Any) -> Any:
        return self._again(retry_num, consistency)

    def on_request_error(self, query: Any, consistency: Any, error: Any, retry_num: int) -> Any:
        return self._again(retry_num, consistency)

    def _again(self, retry_num: int, consistency: Any) -> Any:
        return (self.RETRY_NEXT_HOST, consistency) if retry_num < self._retries else (self.RETHROW, None)


class CassandraSession:
    """Asks the cluster of ``settings``; safe to use from any number of threads.

    The statements of `rows`, `one` and `all` may be carried out more than once, as an INSERT of the same values can be;
    those of `applied`, which have a condition, are sent once.
    """

    def __init__(self, settings: CassandraSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._opened: tuple[Cluster, Session] | None = None
        self._prepared: dict[str, PreparedStatement] = {}
        self._failed: tuple[float, Exception] | None = None

    def rows(self, cql: str, values: Sequence[object] = (), *, serial: bool = False) -> list[Any]:
        """Return the rows that a statement gives, as tuples.

        A ``serial`` read is the last word on what lightweight transactions did: none of those before is still open
        after it.
        """
        session, prepared = self._ready(cql)
        with self._translated():
            bound = prepared.bind(values)
            if serial:
                bound.consistency_level = getattr(ConsistencyLevel, self.settings.serial_consistency)
            return list(session.execute(bound))

    def applied(self, cql: str, values: Sequence[object] = ()) -> bool:
        """Carry out a statement with a condition and return whether the condition was met.

        After an UnavailableError only a ``serial`` read tells whether it was carried out.
        """
        session, prepared = self._ready(cql)
        with self._translated():
            # The first column says it; the others are there if it was not met.
            return bool(session.execute(prepared.bind(values), execution_profile=_ONCE).one()[0])

    def applied_together(self, statements: Sequence[tuple[str, Sequence[object]]]) -> bool:
        """Carry out statements on one partition, all or none of them, as `applied` does; return whether it did.

        The first of ``statements``, each with its values, has a condition.
        """
        bound = []
        for cql, values in statements:
            session, prepared = self._ready(cql)
            bound.append((prepared, values))
        batch = BatchStatement(BatchType.LOGGED)
        with self._translated():
            for prepared, values in bound:
                batch.add(prepared, values)
            return bool(session.execute(batch, execution_profile=_ONCE).one()[0])

    def stream(self, cql: str, values: Sequence[object] = (), *, page: int) -> Iterator[Any]:
        """Yield the rows that a statement gives, which are read ``page`` at a time."""
        session, prepared = self._ready(cql)
        with self._translated():
            bound = prepared.bind(values)
            bound.fetch_size = page
            yield from session.execute(bound)

    def every(
        self, requests: Iterable[tuple[str, Sequence[object]]], *, at_once: int = _AT_ONCE, patient: bool = False
    ) -> Iterator[list[Any]]:
        """Yield the rows of each of many requests (statement, values), in order, with many of them at a time.

        at_once  the requests whose results are held in memory together
        patient  whether what fails is sent again after a pause, up to ``retries`` times
        """
        waiting = iter(requests)
        while chunk := list(islice(waiting, at_once)):
            for found in self._together(chunk, self.settings.retries if patient else 0):
                yield list(found)

    def define(self, cql: str) -> None:
        """Carry out a CREATE, ALTER or DROP and return once all nodes know of it."""
        session = self._connected()
        with self._translated():
            future: ResponseFuture = session.execute_async(
                SimpleStatement(cql, keyspace=self.settings.keyspace),
                timeout=AGREEMENT_SECONDS + self.settings.request_seconds,
            )
            # Another process may have made the same; what it has not is seen by who asks for it.
            with contextlib.suppress(AlreadyExists):
                future.result()
            if not future.is_schema_agreed:
                raise UnavailableError(
                    f"The nodes of Cassandra did not agree on their tables within {AGREEMENT_SECONDS:.0f} seconds. "
                    "See whether all of them are up, and run the same command again."
                )

    def tables(self) -> set[str]:
        """Return the names of all tables in the keyspace."""
        asked = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?"
        return {name for (name,) in self.rows(asked, (self.settings.keyspace,))}

    def forget(self, table: str) -> None:
        """Let go of what was prepared for ``table``, which is dropped."""
        with self._lock:
            for cql in [cql for cql in self._prepared if table in cql]:
                del self._prepared[cql]

    def connect(self) -> None:
        """Connect, unless that was done; errors say what is wrong with the settings or the cluster."""
        self._connected()

    def close(self) -> None:
        """Let go of all connections; whoever asks after that connects again."""
        with self._lock:
            opened, self._opened = self._opened, None
            self._prepared.clear()
        if opened is not None:
            opened[0].shutdown()

    def _together(self, requests: Sequence[tuple[str, Sequence[object]]], retries: int) -> list[Any]:
        left = dict(enumerate(requests))
        results: dict[int, Any] = {}
        for attempt in range(retries + 1):
            session = self._connected()
            bound = [(self._ready(cql)[1].bind(values), ()) for cql, values in left.values()]
            found = execute_concurrent(session, bound, concurrency=self.settings.in_flight, raise_on_first_error=False)
            failures: dict[int, Any] = {}
            for place, (success, result) in zip(left, found, strict=True):
                (results if success else failures)[place] = result
            if not failures:
                break
            cause = next(iter(failures.values()))
            error = self._translation(cause)
            # What cannot be done however often it is tried, is raised at once.
            if attempt == retries or not isinstance(error, UnavailableError):
                raise error from cause
            left = {place: left[place] for place in failures}
            time.sleep(PAUSE_SECONDS * 2**attempt)
        return [results[place] for place in range(len(requests))]

    def _ready(self, cql: str) -> tuple[Session, PreparedStatement]:
        """Return the session and a prepared statement of its keyspace."""
        session = self._connected()
        prepared = self._prepared.get(cql)
        if prepared is None:
            with self._translated():
                prepared = session.prepare(cql, keyspace=self.settings.keyspace)
            prepared.is_idempotent = " IF " not in cql
            with self._lock:
                self._prepared[cql] = prepared
        return session, prepared

    def _connected(self) -> Session:
        if (opened := self._opened) is not None:
            return opened[1]
        with self._lock:
            if self._opened is None:
                if self._failed is not None and time.monotonic() < self._failed[0] + RECONNECT_SECONDS:
                    raise self._failed[1]
                try:
                    self._opened = self._connect()
                    self._failed = None
                except (SettingsError, UnavailableError) as error:
                    self._failed = time.monotonic(), error
                    raise
            return self._opened[1]

    def _connect(self) -> tuple[Cluster, Session]:
        settings = self.settings
        near = TokenAwarePolicy(DCAwareRoundRobinPolicy(settings.local_datacenter))
        same: dict[str, Any] = {
            "load_balancing_policy": near,
            "consistency_level": getattr(ConsistencyLevel, settings.consistency),
            "serial_consistency_level": getattr(ConsistencyLevel, settings.serial_consistency),
            "request_timeout": settings.request_seconds,
            "row_factory": lambda names, rows: rows,
        }
        late = settings.request_seconds / (settings.retries + 1)
        again = ConstantSpeculativeExecutionPolicy(late, settings.retries) if settings.retries else None
        usual = ExecutionProfile(**same, retry_policy=_OtherNodes(settings.retries), speculative_execution_policy=again)
        once = ExecutionProfile(**same, retry_policy=FallthroughRetryPolicy())
        login = PlainTextAuthProvider(settings.username, settings.password()) if settings.username else None
        try:
            cluster = Cluster(
                settings.contact_points,
                port=settings.port,
                protocol_version=ProtocolVersion.V5,  # the first one in which a statement names its keyspace
                auth_provider=login,
                ssl_context=settings.encryption(),
                execution_profiles={EXEC_PROFILE_DEFAULT: usual, _ONCE: once},
                connect_timeout=settings.connect_seconds,
                control_connection_timeout=settings.connect_seconds,
                max_schema_agreement_wait=AGREEMENT_SECONDS,
                reconnection_policy=ConstantReconnectionPolicy(RECONNECT_SECONDS, max_attempts=None),
                monitor_reporting_enabled=False,
            )
        except UnresolvableContactPoints as error:
            raise self._unreachable("their names are not known") from error
        try:
            return cluster, self._session(cluster)
        except BaseException:
            cluster.shutdown()
            raise

    def _session(self, cluster: Cluster) -> Session:
        """Return a session in the keyspace, which is made if the settings say so."""
        settings = self.settings
        try:
            session = cluster.connect()
        except NoHostAvailable as error:
            causes = list(error.errors.values()) if isinstance(error.errors, Mapping) else []
            if refused := next((cause for cause in causes if isinstance(cause, AuthenticationFailed)), None):
                raise self._refused() from refused
            if (centres := _data_centres(cluster)) and settings.local_datacenter not in centres:
                raise SettingsError(
                    f"Cassandra has no data centre {settings.local_datacenter!r}; it has {', '.join(sorted(centres))}. "
                    "Set [store] local_datacenter."
                ) from error
            if why := next(filter(None, map(_TLS.search, map(str, causes))), None):
                raise SettingsError(
                    f"No encrypted connection to Cassandra came about: {why[1]}. Check [store] ca_file, "
                    "certificate_file, check_names, and whether the nodes have client_encryption_options."
                ) from error
            raise self._unreachable(str(causes[0]) if causes else str(error)) from error
        except AuthenticationFailed as error:
            raise self._refused() from error
        except (OSError, ConnectionException, OperationTimedOut) as error:
            raise self._unreachable(str(error)) from error
        with self._translated():
            nodes = sum(host.datacenter == settings.local_datacenter for host in cluster.metadata.all_hosts())
            found = self._replication(session)
            if found is None:
                if not settings.replication:
                    raise SettingsError(
                        f"Cassandra has no keyspace {settings.keyspace!r}. Set [store] keyspace to one that exists, "
                        "or [store] replication to have it made."
                    )
                self._require_nodes(settings.replication, nodes)
                session.execute(
                    f"CREATE KEYSPACE IF NOT EXISTS {settings.keyspace} WITH replication = {{'class': "
                    f"'NetworkTopologyStrategy', '{settings.local_datacenter}': {settings.replication}}}"
                )
                found = self._replication(session)
            copies = (found or {}).get(settings.local_datacenter) or (found or {}).get("replication_factor")
            if copies is None:
                raise SettingsError(
                    f"The keyspace {settings.keyspace!r} has no copies in the data centre "
                    f"{settings.local_datacenter!r}. Alter its replication, or set [store] local_datacenter."
                )
            self._require_nodes(int(copies.partition("/")[0]), nodes)
        return session

    def _replication(self, session: Session) -> Mapping[str, str] | None:
        asked = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s"
        return next((found for (found,) in session.execute(asked, (self.settings.keyspace,))), None)

    def _require_nodes(self, copies: int, nodes: int) -> None:
        if copies > nodes:
            raise SettingsError(
                f"The keyspace {self.settings.keyspace!r} wants {copies} copies of each row, and the data centre "
                f"{self.settings.local_datacenter!r} has {nodes} nodes. Add nodes, or lower the replication."
            )

    def _refused(self) -> SettingsError:
        who = f"the user {self.settings.username!r}" if self.settings.username else "anybody without a login"
        return SettingsError(
            f"Cassandra refuses {who}. Check [store] username and the password (CROSSFADE_CASSANDRA_PASSWORD, or "
            "[store] password_file)."
        )

    def _unreachable(self, why: str) -> UnavailableError:
        places = ", ".join(f"{point}:{self.settings.port}" for point in self.settings.contact_points)
        return UnavailableError(
            f"Cassandra cannot be reached at {places}: {why}. Start it, or set [store] contact_points and port."
        )

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DriverException, NoHostAvailable, ConnectionException) as error:
            raise self._translation(error) from error

    def _translation(self, error: Any) -> Exception:
        settings = self.settings
        if isinstance(error, Unauthorized):
            return SettingsError(
                f"The user {settings.username!r} of Cassandra lacks a right: {getattr(error, 'message', error)}. "
                f"GRANT ALL ON KEYSPACE {settings.keyspace} TO {settings.username};"
            )
        if isinstance(error, Unavailable):
            return UnavailableError(
                f"{settings.consistency} needs {error.required_replicas} copies of a row, and {error.alive_replicas} "
                "are on nodes that are up. Start the nodes of Cassandra that are down."
            )
        if isinstance(error, NoHostAvailable):
            causes = list(error.errors.values()) if isinstance(error.errors, Mapping) else []
            return self._unreachable(str(causes[0]) if causes else "no node is up")
        if isinstance(error, OperationTimedOut | ConnectionException):
            return self._unreachable(f"no answer within {settings.request_seconds:g} seconds")
        if isinstance(error, InvalidRequest) and _NO_TABLE.search(str(error)):
            return NoTableError(f"Cassandra has not the table that was asked: {error}.")
        if isinstance(error, RequestExecutionException):
            return UnavailableError(
                f"Cassandra could not carry out a request: {error}. Look at its log, and try again."
            )
        return error if isinstance(error, Exception) else RuntimeError(str(error))


def _data_centres(cluster: Cluster) -> set[str]:
    return {host.datacenter for host in cluster.metadata.all_hosts() if host.datacenter}


_sessions: dict[tuple[int, CassandraSettings], CassandraSession] = {}
_sessions_lock = threading.Lock()


def session_of(settings: CassandraSettings) -> CassandraSession:
    """Return the session of ``settings`` in this process, which all that use it share."""
    plain = CassandraSettings(**{name: getattr(settings, name) for name in CassandraSettings.__dataclass_fields__})
    with _sessions_lock:
        return _sessions.setdefault((os.getpid(), plain), CassandraSession(plain))


def close_sessions() -> None:
    """Let go of all connections of this process."""
    with _sessions_lock:
        ended = list(_sessions.values())
        _sessions.clear()
    for session in ended:
        session.close()
