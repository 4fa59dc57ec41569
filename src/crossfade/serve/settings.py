"""How a library is served over HTTP."""

import ipaddress
from dataclasses import dataclass

from crossfade.core.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Where to listen, whom to answer, and how long answers may be kept."""

    host: str = "127.0.0.1"  # address to listen at; there is no login, so whoever reaches it can read everything
    port: int = 8000  # 0 to 65535; 0 picks a free one
    # names by which requests may call the server, besides localhost; none means any name, unless host is of this
    # machine alone: then a web page elsewhere cannot read the library by giving this machine a name of its own
    hosts: tuple[str, ...] = ()
    max_age: int = 60  # seconds for which clients may keep an answer without asking again, 0 to 86400

    def __post_init__(self) -> None:
        """Refuse what cannot be listened at."""
        if not self.host or any(letter.isspace() for letter in self.host):
            raise SettingsError(f"host must be an address such as 127.0.0.1, not {self.host!r}")
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port must be 0 to 65535, not {self.port}")
        if not 0 <= self.max_age <= 86400:
            raise SettingsError(f"max_age must be 0 to 86400 seconds, not {self.max_age}")

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def answers_to(self, name: str) -> bool:
        """Whether a request may call the server by ``name`` (without the port)."""
        if name.lower() in {"localhost", "127.0.0.1", "[::1]", self.host.lower(), f"[{self.host.lower()}]"}:
            return True
        return name.lower() in {host.lower() for host in self.hosts} if self.hosts else not self.is_local
