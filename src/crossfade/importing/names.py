"""What the artists and tracks of listens are called, gathered as listens pass by.

A million listens name the same few thousand artists and tracks again and again. Only what is new goes on to the
stages: pairs of artist and name with the number of rows that use them, and tracks of which a row knows more than
the rows before it did. Memory is bounded: what is remembered is forgotten when it gets too much, which costs
repetition, never a name.
"""

import numpy as np
import pyarrow as pa

from crossfade.core import schemas
from crossfade.importing.staging import Stage

REMEMBERED = 300_000  # artists' names, and tracks, that are known at once: some 50 MiB each

CALLED = schemas.ARTISTS.append(pa.field("rows", pa.int64()))
"""How many rows call an artist so."""


class Names:
    """Takes batches of listens with ``artist_name`` and ``title`` beside `schemas.TRACKS`'s other columns."""

    def __init__(self, artists: Stage, tracks: Stage) -> None:
        self._artists = artists
        self._tracks = tracks
        self._called: dict[tuple[str, str], int] = {}
        self._known: dict[str, int] = {}  # how many columns of the track have been told

    def take(self, listens: pa.Table) -> None:
        """Remember what ``listens`` call their artists and tracks."""
        self._take_artists(listens)
        self._take_tracks(listens)

    def flush(self) -> None:
        """Hand on what waits."""
        if self._called:
            artists, names = zip(*self._called, strict=True)
            self._artists.append(pa.table([artists, names, list(self._called.values())], schema=CALLED))
            self._called = {}

    def _take_artists(self, listens: pa.Table) -> None:
        artists, names = (listens[name].combine_chunks().dictionary_encode() for name in ("artist_id", "artist_name"))
        said = np.flatnonzero(names.is_valid().to_numpy(zero_copy_only=False))
        if not len(said):
            return
        artist, name = (column.indices.fill_null(0).to_numpy()[said].astype(np.int64) for column in (artists, names))
        pairs, rows = np.unique(artist * len(names.dictionary) + name, return_counts=True)
        ids, texts = artists.dictionary.to_pylist(), names.dictionary.to_pylist()
        for pair, number in zip(pairs.tolist(), rows.tolist(), strict=True):
            called = ids[pair // len(texts)], texts[pair % len(texts)]
            self._called[called] = self._called.get(called, 0) + number
        if len(self._called) > REMEMBERED:
            self.flush()

    def _take_tracks(self, listens: pa.Table) -> None:
        encoded = listens["track_id"].combine_chunks().dictionary_encode()
        titled = listens["title"].is_valid().to_numpy()
        codes = np.where(titled, encoded.indices.fill_null(-1).to_numpy(), -1)
        told = np.sum([listens[name].is_valid().to_numpy() for name in ("album", "track_ms", "isrc")], axis=0)
        # For each track the row that tells most of it, the first of equals.
        order = np.lexsort((-told, codes))
        begins = np.flatnonzero(np.diff(codes[order], prepend=-1))
        ids = encoded.dictionary.to_pylist()
        chosen = []
        for row in order[begins].tolist():
            track, columns = ids[codes[row]], int(told[row])
            if self._known.get(track, -1) < columns:
                self._known[track] = columns
                chosen.append(row)
        if len(self._known) > REMEMBERED:
            self._known = {}
        if chosen:
            rows = listens.take(np.sort(chosen))
            columns_of = {field.name: rows[field.name].cast(field.type) for field in schemas.TRACKS}
            self._tracks.append(pa.table(columns_of, schema=schemas.TRACKS))
