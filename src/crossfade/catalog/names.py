"""The catalogue behind a release: every item that the library knows, with its names and numbers, by row."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crossfade.catalog.identity import parents_first
from crossfade.core.catalogue import Catalogue, Items
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import Kind
from crossfade.core.texts import Texts

if TYPE_CHECKING:
    import pyarrow as pa


def release_catalogue(interactions: Mapping[str, Interactions], catalog: Path) -> Catalogue:
    """Return all items of the merged tables and of the ``interactions`` by kind, with their listeners and plays.

    ``catalog`` is the directory that `crossfade.catalog.build.build_catalog` filled. Ids stand in the order of `Ids`.
    An item that was played but has no name is called by its id; one that was not played has no listeners. The parent
    of an item is MISSING where it is not in the catalogue itself. Raises ArtifactError if a table cannot be read.
    """
    items: dict[str, Items] = {}
    for kind in parents_first():
        parents = items[kind.parent].ids if kind.parent else None
        items[kind.name] = _items(kind, interactions.get(kind.name), parents, catalog)
    return Catalogue(list(items.values()))


def _items(kind: Kind, interactions: Interactions | None, parents: Ids | None, catalog: Path) -> Items:
    import pyarrow as pa
    import pyarrow.compute as pc

    known = read_items(catalog, kind)
    named = known.column("item_id")
    played = Ids.of(()).to_arrow() if interactions is None else interactions.item_ids.to_arrow()
    ids = pa.concat_arrays([named, played.filter(pc.invert(pc.is_in(played, value_set=named)))])
    item_ids = Ids.from_arrow(ids.take(pc.sort_indices(ids)))
    listeners, plays = np.zeros((2, len(item_ids)), dtype=np.int64)
    if interactions is not None:
        places = item_ids.rows_of_arrow(played)
        listeners[places], plays[places] = interactions.listeners(), interactions.item_plays()
    rows = known.take(pc.index_in(item_ids.to_arrow(), value_set=named))
    return Items(
        kind=kind.name,
        ids=item_ids,
        names=texts(rows, "name", item_ids.to_arrow()),
        listeners=listeners,
        plays=plays,
        parents=None if parents is None else parents.rows_of_arrow(rows.column("parent_id")),
        fields={
            field.name: texts(rows, field.name, "")
            if field.type == "text"
            else pc.fill_null(rows.column(field.name), 0).to_numpy()
            for field in kind.fields
        },
    )


def read_items(catalog: Path, kind: Kind) -> "pa.RecordBatch":
    """Return the merged items of ``kind`` with texts as large strings; ArtifactError if they cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from crossfade.core.artifacts import translated_storage_errors
    from crossfade.core.errors import ArtifactError
    from crossfade.core.schemas import items_schema

    path = catalog / f"{kind.plural}.parquet"
    wide = [field.with_type(pa.large_string()) if field.type == pa.string() else field for field in items_schema(kind)]
    try:
        with translated_storage_errors(path):
            read = pq.read_table(path).cast(pa.schema(wide))
    except (pa.ArrowInvalid, FileNotFoundError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}. Run `crossfade verify`.") from error
    return pa.RecordBatch.from_arrays([column.combine_chunks() for column in read.columns], schema=read.schema)


def texts(rows: "pa.RecordBatch", column: str, missing: "pa.Array | str") -> Texts:
    """Return the texts of a ``column``; ``missing`` in place of nulls."""
    import pyarrow.compute as pc

    return Texts.from_arrow(pc.coalesce(rows.column(column), missing))
