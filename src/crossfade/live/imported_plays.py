"""What imports have of a listener, play by play, as a history shows it."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from crossfade.core.buckets import bucket_of
from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.core.ids import MISSING
from crossfade.core.kinds import KINDS
from crossfade.core.names import folded
from crossfade.importing.library import imports, listens_of_buckets
from crossfade.live.learning import LIVE
from crossfade.stores.contract import Named
from crossfade.stores.live import LATEST_TIME
from crossfade.surfaces.asking import OpenRelease

_COLUMNS = pa.schema(
    [
        ("listened_at", pa.int64()),
        ("kind", pa.string()),
        ("item_id", pa.string()),
        ("skipped", pa.bool_()),
        ("imported", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class ImportedPlay:
    """A play of an import.

    listened_at  when it began, in milliseconds since 1970
    item         what was played; its name is its id where the release does not know it
    parent       what the item belongs to; None for a root, and where it is unknown
    imported     the import that has it
    """

    listened_at: int
    item: Named
    parent: Named | None = None
    skipped: bool
    imported: str


def imported_plays(
    opened: OpenRelease, home: Home, user: str, *, text: str | None, limit: int, offset: int
) -> tuple[int, list[ImportedPlay]]:
    """Return how many plays the imports of ``home`` have of ``user``, and those from ``offset`` on, the latest first.

    With ``text`` only those of items whose name, or whose parent's, has it, whatever its case. What arrived over HTTP
    is in the live state, and left out here. An import that cannot be read is left out; `crossfade verify` names it.
    """
    plays = pa.concat_tables([_COLUMNS.empty_table(), *_plays(home, user)])
    if text is not None:
        plays = plays.filter(_about(opened, plays, folded(text)))
    plays = plays.sort_by([("listened_at", "descending"), ("item_id", "ascending")])
    page = plays.slice(offset, limit)
    items = _items(opened, page)
    shown = []
    for play in page.to_pylist():
        item, parent = items[play.pop("kind"), play.pop("item_id")]
        shown.append(ImportedPlay(item=item, parent=parent, **play))
    return len(plays), shown


def _plays(home: Home, user: str) -> Iterator[pa.Table]:
    """The plays that each part of each import has of ``user``."""
    bucket = bucket_of(user)
    for one in imports(home):
        try:
            if LIVE in one.ledger.formats or not one.readable:
                continue
            found = listens_of_buckets(one.path, bucket, bucket, pa.array([user]), (0, LATEST_TIME), more=("skipped",))
            for rows in found:
                names = pa.array([one.name] * len(rows))
                yield rows.append_column("imported", names).select(_COLUMNS.names).cast(_COLUMNS)
        except (ArtifactError, OSError, pa.ArrowException):
            continue


def _about(opened: OpenRelease, plays: pa.Table, text: str) -> pa.ChunkedArray:
    """Whether each of ``plays`` (n,) is of an item that ``text`` is in the name of, or in its parent's."""
    fitting: dict[str, list[str]] = {}
    for (kind, item), names in _items(opened, plays).items():
        if any(text in folded(one.name) for one in names if one is not None):
            fitting.setdefault(kind, []).append(item)
    masks = [
        pc.and_(pc.equal(plays["kind"], kind), pc.is_in(plays["item_id"], value_set=pa.array(items)))
        for kind, items in fitting.items()
    ]
    return functools.reduce(pc.or_, masks, pc.is_null(plays["kind"]))


def _items(opened: OpenRelease, plays: pa.Table) -> dict[tuple[str, str], tuple[Named, Named | None]]:
    """The items of ``plays`` with their parents, by kind and id."""
    found: dict[tuple[str, str], tuple[Named, Named | None]] = {}
    for kind in pc.unique(plays["kind"]).to_pylist():
        ids = pc.unique(plays["item_id"].filter(pc.equal(plays["kind"], kind)))
        items, above = opened.catalogue.get(kind), KINDS[kind].parent
        rows = [MISSING] * len(ids) if items is None else items.ids.rows_of_arrow(ids).tolist()
        for text, row in zip(ids.to_pylist(), rows, strict=True):
            name, parent = text, None
            if items is not None and row != MISSING:
                name = items.names[row]
                if items.parents is not None and above is not None and items.parents[row] != MISSING:
                    place, parents = int(items.parents[row]), opened.catalogue[above]
                    parent = Named(kind=above, id=parents.ids[place], name=parents.names[place])
            found[kind, text] = Named(kind=kind, id=text, name=name), parent
    return found
