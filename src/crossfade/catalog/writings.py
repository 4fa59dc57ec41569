"""What the catalogue knows to be written about items: tags, titles of the playlists that contain them, and prose.

The title of a playlist is about its items and about their parents. It counts once for each owner, however many
playlists of that name they made. Ids are merged already (`crossfade.catalog.build`), so what is written about one
spelling of an item is written about all.
"""

import shutil
from pathlib import Path

import numpy as np

from crossfade.catalog.names import read_items, texts
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.ids import MISSING, Ids
from crossfade.core.kinds import kind_named
from crossfade.core.progress import Progress, silent
from crossfade.core.queries import MEMORY_LIMIT, open_queries, rows_about
from crossfade.core.texts import Texts
from crossfade.core.writings import SOURCES, Writings


def build_writings(
    catalog: Path,
    kind: str,
    item_ids: Ids,
    directory: Path,
    *,
    progress: Progress = silent,
    memory_limit: int = MEMORY_LIMIT,
    threads: int | None = None,
) -> dict[str, int]:
    """Write the `Writings` of ``catalog`` about the items ``item_ids`` of ``kind`` into ``directory``.

    Returns how many texts of each source there are. Raises StorageError if the disk is full.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from crossfade.core.schemas import TABLES

    spill = directory / "spill"
    sources, rows, counts, written = [], [], [], []
    with translated_storage_errors(directory):
        try:
            with open_queries(spill, memory_limit=memory_limit, threads=threads) as queries:
                for name in ("tags", "texts", "playlists", "playlist_items"):
                    queries.view(name, [catalog / f"{name}.parquet"], TABLES[name])
                for batch in queries.batches(_WRITINGS.format(kind=kind, listed=rows_about(kind, "playlist_items"))):
                    found = item_ids.rows_of_arrow(batch.column("item"))
                    kept = found != MISSING
                    sources.append(batch.column("source").to_numpy()[kept].astype(np.uint8))
                    rows.append(found[kept])
                    counts.append(batch.column("count").to_numpy()[kept])
                    written.append(batch.column("text").cast(pa.large_string()).filter(pa.array(kept)))
                    progress(sum(map(len, rows)), None, "texts")
        finally:
            shutil.rmtree(spill, ignore_errors=True)
        ids, known = item_ids.to_arrow(), read_items(catalog, kind_named(kind))
        writings = Writings(
            kind=kind,
            item_ids=item_ids,
            names=texts(known.take(pc.index_in(ids, value_set=known.column("item_id"))), "name", ids),
            sources=np.concatenate([np.zeros(0, dtype=np.uint8), *sources]),
            items=np.concatenate([np.zeros(0, dtype=np.int32), *rows]),
            counts=np.concatenate([np.zeros(0, dtype=np.int64), *counts]),
            texts=Texts.from_arrow(pa.chunked_array(written, pa.large_string()).combine_chunks()),
        )
        writings.save(directory)
    numbers = np.bincount(writings.sources, minlength=len(SOURCES))
    return {f"{name} texts": int(number) for name, number in zip(SOURCES, numbers, strict=True)}


# source: a place in `SOURCES`
_WRITINGS = """
    SELECT 0 AS source, item_id AS item, tag AS text, count FROM tags WHERE kind = '{kind}'
    UNION ALL
    SELECT 1 AS source, item, text, count(DISTINCT owner) AS count
    FROM (SELECT DISTINCT playlist_id, item FROM ({listed}))
    JOIN (
        SELECT playlist_id, trim(title) AS text, coalesce(owner, 'playlist ' || playlist_id) AS owner FROM playlists
    ) USING (playlist_id)
    WHERE text <> ''
    GROUP BY item, text
    UNION ALL
    SELECT 2 AS source, item_id AS item, text, 1 AS count FROM texts WHERE kind = '{kind}'
    ORDER BY source, item, text
"""
