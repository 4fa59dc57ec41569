"""What the catalogue knows to be written about artists: tags, titles of the playlists that have them, and prose.

A title counts once for each owner, however many playlists of that name they made. Names of imports are merged already
(`crossfade.catalog.build`), so what is written about one spelling of an artist is written about all.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.queries import MEMORY_LIMIT, open_queries
from crossfade.core.texts import Texts
from crossfade.core.writings import SOURCES, Writings

if TYPE_CHECKING:
    import pyarrow as pa


def build_writings(
    catalog: Path,
    artist_ids: Ids,
    directory: Path,
    *,
    progress: Progress = silent,
    memory_limit: int = MEMORY_LIMIT,
    threads: int | None = None,
) -> dict[str, int]:
    """Write the `Writings` of ``catalog`` about the artists ``artist_ids`` into ``directory``.

    Gives back how many texts of each source there are. Raises StorageError if the disk is full.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from crossfade.core.schemas import ARTISTS, PLAYLIST_ITEMS, PLAYLISTS, TAGS, TEXTS

    known = artist_ids.to_arrow()
    spill = directory / "spill"
    sources, items, counts, texts = [], [], [], []
    with translated_storage_errors(directory):
        try:
            with open_queries(spill, memory_limit=memory_limit, threads=threads) as queries:
                for name, schema in (
                    ("artists", ARTISTS),
                    ("tags", TAGS),
                    ("texts", TEXTS),
                    ("playlists", PLAYLISTS),
                    ("playlist_items", PLAYLIST_ITEMS),
                ):
                    queries.view(name, [catalog / f"{name}.parquet"], schema)
                named = {
                    row: name
                    for batch in queries.batches("SELECT artist_id, name FROM artists")
                    for row, name in zip(_rows(batch.column(0), known), batch.column(1).to_pylist(), strict=True)
                }
                for source, sql in enumerate((_TAGS, _TITLES, _PROSE)):
                    for batch in queries.batches(sql):
                        rows = _rows(batch.column("artist_id"), known)
                        kept = rows != MISSING
                        sources.append(np.full(int(kept.sum()), source, dtype=np.uint8))
                        items.append(rows[kept])
                        counts.append(batch.column("count").to_numpy(zero_copy_only=False)[kept].astype(np.int64))
                        texts.append(pc.cast(batch.column("text").filter(pa.array(kept)), pa.large_string()))
                    progress(source + 1, len(SOURCES), "sources")
        finally:
            shutil.rmtree(spill, ignore_errors=True)
        joined = np.concatenate([np.zeros(0, dtype=np.uint8), *sources])
        Writings(
            kind="artist",
            item_ids=artist_ids,
            names=Texts.of([named.get(row, id_) for row, id_ in enumerate(artist_ids)]),
            sources=joined,
            items=np.concatenate([np.zeros(0, dtype=np.int32), *items]),
            counts=np.concatenate([np.zeros(0, dtype=np.int64), *counts]),
            texts=Texts.from_arrow(pa.chunked_array(texts, pa.large_string()).combine_chunks()),
        ).save(directory)
    return {f"{name} texts": int(np.count_nonzero(joined == place)) for place, name in enumerate(SOURCES)}


def _rows(ids: "pa.Array", known: "pa.Array") -> Rows:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.index_in(pc.cast(ids, pa.large_string()), value_set=known).fill_null(MISSING)
    rows: Rows = found.to_numpy(zero_copy_only=False).astype(np.int32)
    return rows


_TAGS = "SELECT artist_id, tag AS text, count FROM tags ORDER BY artist_id, tag"

_TITLES = """
    SELECT artist_id, text, count(DISTINCT owner) AS count
    FROM (
        SELECT DISTINCT playlist_id, artist_id FROM playlist_items WHERE artist_id IS NOT NULL
    )
    JOIN (
        SELECT playlist_id, trim(title) AS text, coalesce(owner, 'playlist ' || playlist_id) AS owner FROM playlists
    ) USING (playlist_id)
    WHERE text <> ''
    GROUP BY artist_id, text ORDER BY artist_id, text
"""

_PROSE = "SELECT artist_id, text, 1 AS count FROM texts ORDER BY artist_id, text"
