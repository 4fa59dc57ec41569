"""Which rows of an import are a user's, and which items nobody else in it refers to."""

from collections import Counter
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from crossfade.core.kinds import KINDS
from crossfade.core.schemas import ITEMS, TABLES
from crossfade.importing.library import PEOPLE, Import, row_groups

_PLAYED = ("listens", "counts", "feedback", "playlist_items")
"""The tables whose rows refer to items because somebody played or listed them."""

JUDGED = {
    **{table: list(columns) for table, columns in PEOPLE.items()},
    "listens": ["user_id", "context"],
    "playlist_items": ["playlist_id"],
    **{table: ["item_id"] for table in ITEMS},
    "tags": ["kind", "item_id"],
    "texts": ["kind", "item_id"],
}
"""The columns of each table that tell whether a row stays."""

_CHILDREN = [(kind.plural, kind.name, kind.parent) for kind in KINDS.values() if kind.parent is not None]
"""The tables of items that have parents, their kinds, and the kinds of the parents."""

Items = dict[str, set[str]]
"""Ids of items by kind."""


class Theirs:
    """What one user brought to an import."""

    def __init__(self, one: Import, user: str) -> None:
        self._one = one
        self._user = user
        self.playlists: set[str] = set()
        for rows in self._rows("playlists", ["playlist_id", "owner"]):
            self.playlists.update(rows.filter(pc.equal(rows["owner"], user))["playlist_id"].to_pylist())

    def rows(self) -> Counter[str]:
        """Return how many rows of each table go with the user; none of tables that stay as they are."""
        stays = self.stays()
        groups = ((table, rows) for table in TABLES for rows in self._rows(table, JUDGED[table]))
        counted: Counter[str] = Counter()
        for table, rows in groups:
            counted[table] += len(rows) - len(stays(table, rows))
        return +counted

    def stays(self) -> Callable[[str, pa.Table], pa.Table]:
        """Return a function that gives the rows of a table, with its judged columns at least, that stay."""
        alone = {kind: pa.array(sorted(ids), pa.string()) for kind, ids in self._alone().items() if ids}
        playlists = pa.array(sorted(self.playlists), pa.string())

        def kept(table: str, rows: pa.Table) -> pa.Table:
            gone = self._mask(table, rows)
            for kind, ids in alone.items():
                if table == KINDS[kind].plural:
                    gone = pc.or_(gone, pc.is_in(rows["item_id"], value_set=ids))
                elif table in ("tags", "texts"):
                    gone = pc.or_(gone, pc.and_(pc.equal(rows["kind"], kind), pc.is_in(rows["item_id"], value_set=ids)))
            rows = rows.filter(pc.invert(gone))
            if table == "listens" and len(playlists):
                # Others may have listened to these playlists; an id can have its owner's name in it.
                place = rows.schema.get_field_index("context")
                context = pc.if_else(pc.is_in(rows["context"], value_set=playlists), None, rows["context"])
                rows = rows.set_column(place, rows.schema.field(place), context)
            return rows

        return kept

    def _mask(self, table: str, rows: pa.Table) -> pa.ChunkedArray:
        """Return (n,) the rows of ``table`` that are the user's own."""
        if table == "playlist_items":
            return pc.is_in(rows["playlist_id"], value_set=pa.array(sorted(self.playlists), pa.string()))
        masks = [pc.fill_null(pc.equal(rows[column], self._user), False) for column in PEOPLE.get(table, ())]
        if not masks:
            return pa.chunked_array([pa.repeat(pa.scalar(False), len(rows))])
        return masks[0] if len(masks) == 1 else pc.or_(*masks)

    def _alone(self) -> Items:
        """Return the items that the user's rows refer to, and no others of this import."""
        alone: Items = {kind: set() for kind in KINDS}
        for mine, rows in self._played():
            for kind, ids in _items_of(rows.filter(mine)):
                alone[kind].update(ids.to_pylist())
        for table, child, parent in _CHILDREN:
            for rows in self._rows(table, ["item_id", "parent_id"]):
                parents = rows.filter(_among(rows["item_id"], alone[child]))["parent_id"]
                alone[parent].update(pc.unique(parents.drop_null()).to_pylist())
        for mine, rows in self._played():
            for kind, ids in _items_of(rows.filter(pc.invert(mine))):
                alone[kind].difference_update(ids.filter(_among(ids, alone[kind])).to_pylist())
        for table, child, parent in _CHILDREN:
            for rows in self._rows(table, ["item_id", "parent_id"]):
                parents = rows.filter(pc.invert(_among(rows["item_id"], alone[child])))["parent_id"]
                alone[parent].difference_update(pc.unique(parents.drop_null()).to_pylist())
        return alone

    def _played(self) -> Iterator[tuple[pa.ChunkedArray, pa.Table]]:
        """Yield rows that refer to items, and which of them are the user's own."""
        for table in _PLAYED:
            own = JUDGED[table][0]
            items = [name for name in ("kind", "item_id", "parent_id") if name in TABLES[table].names]
            for rows in self._rows(table, [own, *items]):
                yield self._mask(table, rows), rows

    def _rows(self, table: str, columns: list[str]) -> Iterator[pa.Table]:
        for path in self._one.files(table):
            yield from row_groups(path, columns)


def _items_of(rows: pa.Table) -> Iterator[tuple[str, pa.Array]]:
    """Yield the distinct ids of the items that ``rows`` refer to, by kind."""
    for name in pc.unique(rows["kind"]).to_pylist():
        own = rows.filter(pc.equal(rows["kind"], name))
        yield name, pc.unique(own["item_id"])
        parent = KINDS[name].parent
        if parent is not None and "parent_id" in own.schema.names:
            yield parent, pc.unique(own["parent_id"]).drop_null()


def _among(ids: pa.ChunkedArray | pa.Array, items: set[str]) -> pa.ChunkedArray | pa.Array:
    return pc.is_in(ids, value_set=pa.array(sorted(items), pa.string()))
