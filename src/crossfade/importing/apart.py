"""The files of one import, read side by side by several machines: each reads some files into stages of its own.

The stages are then taken in the order of the files, as if one had read them all, and published by `publishing`. So the
tables are the same, and so are the numbers of the ledger; only which dropped rows it shows as samples may differ.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from crossfade.core.errors import InputError
from crossfade.core.replacing import draft_beside, remove
from crossfade.formats.contract import Format
from crossfade.formats.registry import APART
from crossfade.importing.cleaning import CleaningSettings
from crossfade.importing.feeding import feed
from crossfade.importing.ledger import LEDGER, Ledger
from crossfade.importing.opening import add_file
from crossfade.importing.recognition import Recognised
from crossfade.importing.sink import ImportSink
from crossfade.importing.sources import Input

Each = Callable[[Callable[[int], Any], int], Sequence[Any]]
"""Carries out a number of tasks on machines that see the home and the files; as `each` of an engine of a cluster."""

PART_BYTES = 64 << 20
"""Bytes of files that a task reads at least: some seconds."""


@dataclass(frozen=True)
class Part:
    """Some files below a folder, which ``format`` reads; their paths are relative to the folder."""

    format: Format
    files: tuple[str, ...]


def parts_of(path: Path, readings: Sequence[Recognised], settings: CleaningSettings) -> list[Part]:
    """Return the files of the folder at ``path`` in parts to be read apart; none if they have to be read together.

    Archives, formats whose files belong together, and items that the settings leave out by name are read together.
    """
    if settings.ignored or not path.is_dir() or any(reading.format.name not in APART for reading in readings):
        return []
    parts: list[Part] = []
    for reading in readings:
        files: list[str] = []
        size = 0
        for member in reading.members:
            file = path / member.name
            if not file.is_file():  # it is in an archive
                return []
            files.append(member.name)
            size += file.stat().st_size
            if size >= PART_BYTES:
                parts.append(Part(reading.format, tuple(files)))
                files, size = [], 0
        if files:
            parts.append(Part(reading.format, tuple(files)))
    return parts


@dataclass(frozen=True, kw_only=True)
class ReadPart:
    """The task of a part: reads its files into stages below ``directory``; the others are as for `ImportSink`."""

    folder: Path
    parts: Sequence[Part]
    directory: Path
    settings: CleaningSettings
    user: str
    now: float

    def place(self, number: int) -> Path:
        """Return where the stages and the ledger of a part are."""
        return self.directory / f"part-{number}"

    def __call__(self, number: int) -> None:
        part, place = self.parts[number], self.place(number)
        source = Input(self.folder.name)
        for name in part.files:
            if not (self.folder / name).is_file():
                raise InputError("is not there on every machine: put it on the folder that all share", path=name)
            add_file(source, self.folder / name, name, PurePosixPath(name))
        if source.skipped:
            raise InputError(f"cannot be read any more: {source.skipped[0][1]}", path=source.skipped[0][0])
        draft = draft_beside(place)
        draft.mkdir()
        try:
            ledger = Ledger(name="", source=source.name)
            sink = ImportSink(draft, ledger, self.settings, user=self.user, now=self.now)
            with contextlib.closing(sink):
                feed(Recognised(part.format, source.members), source, sink)
                sink.finish()
                sink.save()
            (draft / LEDGER).write_bytes(ledger.to_json())
            with contextlib.suppress(OSError):  # the task was carried out twice
                draft.rename(place)
        finally:
            remove(draft)
