"""Imports a demo world like any other source, and publishes its truth beside it.

Private rows are dropped there, rows that were sent twice are found, and names, tags and playlists are merged, as
with anything else that is imported.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from crossfade.core.artifacts import is_whole
from crossfade.core.home import Home
from crossfade.core.progress import Progress, silent
from crossfade.core.replacing import remove
from crossfade.demo.settings import DemoSettings, audio_place, truth_place
from crossfade.demo.truth import truth_identity
from crossfade.demo.world import World, simulate
from crossfade.formats.contract import Member, Sink, Source
from crossfade.importing.imports import import_rows
from crossfade.importing.ledger import Ledger

NAME = "demo"
"""Of the import in the home."""


def import_demo(home: Home, settings: DemoSettings | None = None, progress: Progress = silent) -> Ledger:
    """Simulate the world of ``settings`` and import it into ``home``; an earlier demo there is replaced.

    Returns the ledger of the import. The truth is published at `truth_place`. Raises what `import_rows` raises.
    """
    settings = settings or DemoSettings()
    identity = truth_identity(settings)
    progress(0, settings.listeners, "listeners")  # the catalogue takes a while as well
    world = simulate(settings)
    form = _DemoFormat(world, progress)
    ledger = import_rows(home, NAME, form, inputs={NAME: identity.fingerprint}, now=float(settings.end_seconds))
    if not is_whole(truth_place(home), identity.fingerprint):
        remove(audio_place(home))
        if not form.outcomes:  # the very same world was imported before, so that nothing was simulated now
            form.outcomes = [(chunk.left_at, chunk.satisfaction) for chunk in world.history()]
        left_at, satisfaction = (np.concatenate(column) for column in zip(*form.outcomes, strict=True))
        world.truth.with_outcomes(world.people, left_at, satisfaction).save(truth_place(home), settings)
    return ledger


class _DemoFormat:
    """A format that reads a simulated world instead of a file."""

    name = "demo"
    title = "Simulated world"

    def __init__(self, world: World, progress: Progress) -> None:
        self._world, self._progress = world, progress
        self.outcomes: list[tuple[np.ndarray, np.ndarray]] = []

    def recognise(self, member: Member) -> float:
        """Never: no file is a demo world."""
        return 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """The catalogue first, then the listening history, a chunk of listeners at a time."""
        (member,) = source.members
        first = 1 + self._catalogue(member, sink)
        for chunk in self._world.history(self._progress):
            sink.listens(member, first, chunk.listens, pa.array(chunk.plays.private))
            first += chunk.listens.num_rows
            for row in chunk.feedback.to_pylist():
                sink.feedback(**{**row, "given_at": row["given_at"].timestamp()})
            self.outcomes.append((chunk.left_at, chunk.satisfaction))

    def _catalogue(self, member: Member, sink: Sink) -> int:
        """Send everything but the history; returns how many records of the member that takes."""
        tables = self._world.tables()
        for kind, plural in (("artist", "artists"), ("track", "tracks")):
            for row in tables[plural].to_pylist():
                sink.item(kind, **row)
        puts: dict[str, Callable[..., None]] = {
            "tags": sink.tag,
            "texts": sink.text,
            "friends": sink.friend,
            "playlists": sink.playlist,
        }
        for name, put in puts.items():
            for row in tables[name].to_pylist():
                put(**row)
        entries = tables["playlist_items"].to_pylist()
        for number, row in enumerate(entries, start=1):
            sink.playlist_item((member, number), **row)
        return len(entries)
