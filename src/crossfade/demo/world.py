"""A whole simulated world: its catalogue, its people, and their listening history.

world = simulate(SMALL)
for chunk in world.history():
    chunk.listens      # a table of play events
world.truth            # the taste behind them, for evaluation only
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from crossfade.core.progress import Progress, silent
from crossfade.demo import catalogue, listeners, playlists, words_about
from crossfade.demo.catalogue import Catalogue
from crossfade.demo.history import Chunk, Historian
from crossfade.demo.listeners import Listeners
from crossfade.demo.playlists import Playlists
from crossfade.demo.settings import DemoSettings
from crossfade.demo.tables import IdColumns, catalogue_tables
from crossfade.demo.truth import Truth


@dataclass(frozen=True, eq=False)
class World:
    """What `simulate` makes. The history is simulated each time it is read, always the same.

    friends  pairs of listener rows, the smaller first
    """

    settings: DemoSettings
    catalogue: Catalogue
    people: Listeners
    playlists: Playlists
    friends: list[tuple[int, int]]

    def history(self, progress: Progress = silent) -> Iterator[Chunk]:
        """What all listeners did, `DemoSettings.chunk` of them at a time; private rows are among it, marked."""
        return Historian(self.settings, self.catalogue, self.people, self.playlists, self.ids).chunks(progress)

    def listens(self) -> Iterator[pa.Table]:
        """The play events by `schemas.LISTENS`, private ones left out, a chunk of listeners at a time."""
        for chunk in self.history():
            yield chunk.listens.filter(pa.array(~chunk.plays.private))

    @cached_property
    def ids(self) -> IdColumns:
        """Row numbers to ids."""
        return IdColumns(self.settings.start_seconds, self.people.ids, self.catalogue, self.playlists)

    def tables(self) -> dict[str, pa.Table]:
        """Artists, tracks, tags, texts, friends, playlists and their items, by their names in `schemas.TABLES`."""
        return catalogue_tables(
            self.ids,
            self.catalogue,
            self.playlists,
            words_about.tags(self.settings, self.catalogue),
            words_about.texts(self.settings, self.catalogue),
            self.friends,
        )

    @property
    def truth(self) -> Truth:
        """The latent taste behind the history. No model may see it."""
        return Truth.of(self.people, self.catalogue)


def simulate(settings: DemoSettings) -> World:
    """The world of ``settings``: everything but the history, which `World.history` simulates as it is read."""
    music = catalogue.build(settings)
    people = listeners.build(settings)
    friends = listeners.friendships(settings, people)
    return World(settings, music, people, playlists.build(settings, music, people, friends), friends)
