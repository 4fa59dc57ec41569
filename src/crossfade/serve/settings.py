"""How a library is served over HTTP."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated

from crossfade.core.errors import SettingsError
from crossfade.core.settings import Checked, Range

_ORIGIN = re.compile(r"https?://[^/\s*]+")


@dataclass(frozen=True, kw_only=True)
class ServeSettings(Checked):
    """Where to listen, whom to answer, and how long answers may be kept."""

    host: str = "127.0.0.1"  # address to listen at; there is no login, so whoever reaches it can read everything
    port: Annotated[int, Range(0, 65535)] = 8000  # 0 picks a free one
    # names by which requests may call the server, besides localhost; none means any name, unless host is of this
    # machine alone: then a web page elsewhere cannot read the library by giving this machine a name of its own
    hosts: tuple[str, ...] = ()
    # origins, such as "https://music.example", whose web pages may call what is below /v1 from a browser
    origins: tuple[str, ...] = ()
    workers: Annotated[int, Range(1, 256)] = 1  # processes that answer; one for each processor is the most of use
    music: str = ""  # a folder of music files to play to players by Subsonic's API; none if empty
    max_age: Annotated[int, Range(0, 86400, unit="seconds")] = 60  # clients may keep an answer this long without asking
    # requests that a token, and an address, may make in 10 seconds; each of several processes allows its share
    requests: Annotated[int, Range(1, 1_000_000)] = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.host or any(letter.isspace() for letter in self.host):
            raise SettingsError(f"host must be an address such as 127.0.0.1, not {self.host!r}")

        if wrong := [origin for origin in self.origins if not _ORIGIN.fullmatch(origin)]:
            raise SettingsError(f"origins must be like https://music.example, without a path, not {wrong[0]!r}")

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def answers_to(self, name: str) -> bool:
        """Whether a request may call the server by ``name`` (without the port); no name is none of them."""
        if not name:
            return False
        if name.lower() in {"localhost", "127.0.0.1", "[::1]", self.host.lower(), f"[{self.host.lower()}]"}:
            return True
        return name.lower() in {host.lower() for host in self.hosts} if self.hosts else not self.is_local
