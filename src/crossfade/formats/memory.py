"""Files in memory, read as files that lie somewhere are."""

import io
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import IO

from crossfade.formats import streams
from crossfade.formats.contract import HEAD_BYTES, Member


class MemoryFiles:
    """``files`` by name, as a `crossfade.formats.contract.Source`."""

    name = "memory"

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.members = [Member(name, PurePosixPath(name), files[name][:HEAD_BYTES]) for name in sorted(files)]
        self._files = files

    def open(self, member: Member) -> IO[bytes]:
        return io.BufferedReader(io.BytesIO(self._files[member.name]))

    def lines(self, member: Member) -> Iterator[tuple[int, bytes]]:
        return streams.lines(self.open(member))

    def blocks(self, member: Member) -> Iterator[tuple[int, bytes]]:
        return streams.blocks(self.open(member))

    def text_lines(self, member: Member) -> Iterator[tuple[int, str]]:
        return streams.text_lines(self.open(member))
