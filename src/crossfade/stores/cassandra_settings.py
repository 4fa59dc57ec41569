"""Where Cassandra is, and how it is asked."""

import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from crossfade.core.errors import SettingsError
from crossfade.core.settings import Checked, Range

PASSWORD = "CROSSFADE_CASSANDRA_PASSWORD"  # noqa: S105  # the name of a variable
"""The environment variable with the password, where no file has it."""

_KEYSPACE = re.compile(r"[a-z][a-z0-9_]{0,47}")


@dataclass(frozen=True, kw_only=True)
class CassandraSettings(Checked):
    """Where Cassandra is, and how it is asked."""

    # Cassandra: addresses of some nodes of the cluster; the others are found through them
    contact_points: tuple[str, ...] = ("127.0.0.1",)
    port: Annotated[int, Range(1, 65535)] = 9042  # Cassandra: the port of CQL on every node
    keyspace: str = "crossfade"  # Cassandra: the keyspace; it has one library and nothing else
    # Cassandra: copies of each row in a keyspace that Crossfade makes where there is none; 0: make none
    replication: Annotated[int, Range(1, 20, also=(0,))] = 0
    local_datacenter: str = "datacenter1"  # Cassandra: the data centre whose nodes are asked
    # Cassandra: the user's name, "" for a cluster without logins. The password is the content of `password_file`,
    # else of the environment variable CROSSFADE_CASSANDRA_PASSWORD
    username: str = ""
    password_file: str = ""  # Cassandra: a file with the password, readable for its owner alone
    tls: bool = False  # Cassandra: encrypt connections, and check who the nodes are
    # Cassandra: with tls, the certificates of those who sign the nodes', as PEM; "": those that the system knows
    ca_file: str = ""
    certificate_file: str = ""  # Cassandra: with tls, our own certificate as PEM, for nodes that ask who we are
    key_file: str = ""  # Cassandra: its key as PEM, unless it is in the same file
    check_names: bool = True  # Cassandra: with tls, whether a certificate must name the address of its node
    # Cassandra: how many copies must acknowledge a write or answer a read
    consistency: Literal["ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_ONE", "LOCAL_QUORUM", "EACH_QUORUM"] = (
        "LOCAL_QUORUM"
    )
    # Cassandra: among which copies lightweight transactions agree: those of all data centres or of the local one
    serial_consistency: Literal["SERIAL", "LOCAL_SERIAL"] = "SERIAL"
    connect_seconds: Annotated[float, Range(above=0, high=600)] = 10.0  # Cassandra: patience for a connection
    request_seconds: Annotated[float, Range(above=0, high=600)] = 10.0  # Cassandra: patience for an answer
    # Cassandra: how often a request that failed, or that is late, is sent to another node
    retries: Annotated[int, Range(0, 20)] = 3
    in_flight: Annotated[int, Range(1, 2000)] = 256  # Cassandra: requests at a time while a release is loaded

    def __post_init__(self) -> None:
        """Refuse a name that cannot be a keyspace's, and no contact points."""
        super().__post_init__()
        if not _KEYSPACE.fullmatch(self.keyspace):
            raise SettingsError(
                f"keyspace must be up to 48 small letters, digits and _, a letter first, not {self.keyspace!r}"
            )
        if not self.contact_points or not all(self.contact_points):
            raise SettingsError("contact_points must name at least one node of Cassandra")

    def encryption(self) -> ssl.SSLContext | None:
        """Return how connections are encrypted; None if they are not. SettingsError for files that cannot be read."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self._path("ca_file"))
            context.check_hostname = self.check_names
            if self.certificate_file:
                context.load_cert_chain(self._path("certificate_file") or "", self._path("key_file"))
        except OSError as error:  # SSLError is one
            files = ", ".join(filter(None, (self.ca_file, self.certificate_file, self.key_file)))
            raise SettingsError(
                f"{files} of [store] cannot be read as certificates in PEM: {error.strerror or error}."
            ) from error
        return context

    def _path(self, name: str) -> Path | None:
        return Path(file).expanduser() if (file := getattr(self, name)) else None

    def password(self) -> str:
        """Return the password; SettingsError if there is none."""
        if not self.password_file:
            if (password := os.environ.get(PASSWORD)) is None:
                raise SettingsError(
                    f"There is no password for the user {self.username!r} of Cassandra. "
                    f"Set {PASSWORD}, or [store] password_file."
                )
            return password
        try:
            return Path(self.password_file).expanduser().read_text("utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"The password_file {self.password_file} cannot be read: {error}") from error
