"""The catalogue behind a release: what the items of the interactions are called, by their rows."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crossfade.core.catalogue import Artists, Catalogue, Tracks
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.texts import Texts

if TYPE_CHECKING:
    import pyarrow as pa


def release_catalogue(
    artist_interactions: Interactions | None, track_interactions: Interactions | None, catalog: Path
) -> Catalogue:
    """Names, listeners and plays of the items of the interactions.

    ``catalog`` is the directory that `crossfade.catalog.build.build_catalog` filled. An item without a name there
    is called by its id. No artist interactions, or ones without items, give a catalogue without artists; no
    track interactions, or ones without items, give one whose tracks are None. A track whose artist is not
    among the artists of the interactions has the artist row MISSING.
    """
    artists = _artists(artist_interactions, catalog)
    if track_interactions is None or not len(track_interactions.item_ids):
        return Catalogue(artists=artists, tracks=None)
    return Catalogue(artists=artists, tracks=_tracks(track_interactions, artists.ids, catalog))


def _artists(interactions: Interactions | None, catalog: Path) -> Artists:
    if interactions is None:
        nothing = np.zeros(0, dtype=np.int64)
        return Artists(ids=Ids.of(()), names=Texts.of(()), listeners=nothing, plays=nothing)
    ids = interactions.item_ids.to_arrow()
    known = _rows_of(catalog / "artists.parquet", "artist_id", ids, ["name"])
    return Artists(
        ids=interactions.item_ids,
        names=_texts(known, "name", ids),
        listeners=interactions.listeners(),
        plays=interactions.item_plays(),
    )


def _tracks(interactions: Interactions, artist_ids: Ids, catalog: Path) -> Tracks:
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = interactions.item_ids.to_arrow()
    columns = ["title", "artist_id", "album", "track_ms"]
    known = _rows_of(catalog / "tracks.parquet", "track_id", ids, columns)
    artists = known.column("artist_id").combine_chunks().cast(pa.large_string())
    artist_rows = pc.fill_null(pc.index_in(artists, value_set=artist_ids.to_arrow(), skip_nulls=True), MISSING)
    lengths = pc.fill_null(known.column("track_ms").combine_chunks(), 0)
    return Tracks(
        ids=interactions.item_ids,
        titles=_texts(known, "title", ids),
        artist_rows=artist_rows.to_numpy(zero_copy_only=False).astype(np.int32),
        albums=_texts(known, "album", ""),
        track_ms=lengths.to_numpy(zero_copy_only=False).astype(np.int32),
        listeners=interactions.listeners(),
        plays=interactions.item_plays(),
    )


def _rows_of(path: Path, key: str, ids: "pa.Array", columns: list[str]) -> "pa.Table":
    """The ``columns`` of the rows at ``path`` whose ``key`` is each of ``ids``; nulls where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from crossfade.core.artifacts import translated_storage_errors
    from crossfade.core.errors import ArtifactError

    try:
        with translated_storage_errors(path):
            table = pq.read_table(path, columns=[key, *columns])
    except (pa.ArrowInvalid, FileNotFoundError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}. Run `crossfade verify`.") from error
    known = table.column(key).combine_chunks().cast(pa.large_string())
    return table.select(columns).take(pc.index_in(ids, value_set=known))


def _texts(table: "pa.Table", column: str, otherwise: "pa.Array | str") -> Texts:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = table.column(column).combine_chunks().cast(pa.large_string())
    return Texts.from_arrow(pc.coalesce(found, otherwise))
