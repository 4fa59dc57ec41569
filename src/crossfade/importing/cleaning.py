"""The cleaning rules: which rows are plays, which are skips, and which are dropped.

The rules for single rows apply to whole batches as they are read (`Judge`). The rules that compare a user's rows,
duplicates and loops, apply when these are together (`crossfade.importing.publishing`).
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crossfade.core.kinds import DURATION, Kind, item_fields, kind_named
from crossfade.core.name_columns import named_ids
from crossfade.core.names import NAMED, normalised
from crossfade.core.settings import Checked, Range

MAX_TEXT = 4096  # characters of an id or a name; the longest real titles have some 1,000
DAY_MS = 86_400_000  # no item is longer; a length beyond it counts as unknown

PLACE = (pa.field("file", pa.int32()), pa.field("line", pa.int64()))
"""Where a row stands: the number of its file in the ledger, and its line."""

BATCH = pa.schema(
    [
        *PLACE,
        pa.field("user_id", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("listened_at", pa.int64()),  # milliseconds since 1970; null where it is not a time
        pa.field("item_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("parent_id", pa.string()),
        pa.field("parent_name", pa.string()),
        pa.field("ms_played", pa.int64()),
        pa.field("skipped", pa.bool_()),
        pa.field("source", pa.string()),
        pa.field("context", pa.string()),
        pa.field("platform", pa.string()),
        *(
            pa.field(field.name, pa.string() if field.type == "text" else pa.int64())
            for field in dict.fromkeys((DURATION, *item_fields()))
        ),
    ]
)
"""Listens as formats describe them, before any rule."""

Mask = npt.NDArray[np.bool_]
Columns = dict[str, pa.Array]


@dataclass(frozen=True, kw_only=True)
class CleaningSettings(Checked):
    """What counts as a play, and what an import leaves out."""

    play_seconds: Annotated[float, Range(0, 3600, unit="seconds")] = 30.0  # a listen this long is a play, else a skip
    play_share: Annotated[float, Range(0, 1)] = 0.5  # of an item too short for that, hearing this share is a play
    # of one item repeated without a break, plays within this time are kept and the rest dropped; 0 for no limit
    loop_hours: Annotated[float, Range(0, unit="hours")] = 2.0
    loop_pause_minutes: Annotated[float, Range(above=0, unit="minutes")] = 30.0  # a pause that ends such a loop
    earliest_year: Annotated[int, Range(1970, 2100)] = 2000  # earlier listens come from clocks that were not set
    # how far in the future a listen may be dated, for wrong clocks and time zones
    future_hours: Annotated[float, Range(0, 8760, unit="hours")] = 24.0
    largest_count: Annotated[int, Range(1, 10**9)] = 10_000_000  # a larger number of plays is implausible
    ignored: tuple[str, ...] = ()  # items to leave out with their children: by name, id, or "artist / title"
    samples: Annotated[int, Range(0, 1000)] = 5  # dropped rows that the ledger lists for each reason

    def is_play(self, ms_played: int | None, duration_ms: int | None) -> bool:
        """Tell whether a listen is a play: the rule for one row. A listen of unknown length is a play."""
        return ms_played is None or ms_played >= self.least_ms(duration_ms)

    def least_ms(self, duration_ms: int | None) -> float:
        """Return how many milliseconds of an item of that length make a play; None or 0 for an unknown length."""
        enough = self.play_seconds * 1000
        return min(enough, self.play_share * duration_ms) if duration_ms else enough


class Drops:
    """The reason to drop each of the rows (n,) of a batch; the first reason of a row counts."""

    def __init__(self, rows: int) -> None:
        self.reasons: list[tuple[str, str]] = []
        self.codes: npt.NDArray[np.int16] = np.zeros(rows, dtype=np.int16)  # 0 kept, else 1 + place in `reasons`

    def add(self, mask: Mask, reason: str, why: str) -> None:
        """Drop the rows of ``mask`` (n,) that are not dropped yet."""
        if mask.any():
            self.reasons.append((reason, why))
            self.codes[mask & (self.codes == 0)] = len(self.reasons)

    def kept(self, columns: Columns) -> pa.Table:
        """Return the rows that are not dropped."""
        rows = pa.table(columns)
        return rows.filter(pa.array(self.codes == 0)) if self.reasons else rows


class Judge:
    """Applies the rules for single rows; ``now`` is in seconds since 1970."""

    def __init__(self, settings: CleaningSettings, now: float) -> None:
        self._settings = settings
        self._latest = int((now + settings.future_hours * 3600) * 1000)
        start = datetime.datetime(settings.earliest_year, 1, 1, tzinfo=datetime.UTC)
        self._earliest = int(start.timestamp()) * 1000
        self._ignored_ids = {*settings.ignored, *(NAMED + normalised(name) for name in settings.ignored)}
        self._ignored_names = {normalised(name) for name in settings.ignored}

    def listens(self, batch: pa.Table) -> tuple[pa.Table, Drops]:
        """Return the rows of a `BATCH` to keep, with ids and ``skipped`` filled in, and the drops of the others."""
        columns, drops = _checked_texts(batch, "user_id")
        _credit_parents(columns)
        _refuse_unnamed(columns, drops)
        self._refuse_odd_times(columns["listened_at"], drops)
        for name in ("ms_played", DURATION.name):
            columns[name] = _plausible_length(columns[name])
        parents = pc.coalesce(columns["parent_name"], columns["parent_id"])
        columns["item_id"] = _with_named_ids(columns["item_id"], columns["name"], parents)
        nothing = pa.nulls(len(batch), pa.string())
        columns["parent_id"] = _with_named_ids(columns["parent_id"], columns["parent_name"], nothing)
        if self._ignored_ids:
            named = _with_named_ids(nothing, columns["name"], parents)
            ignored = self._ignored(columns) | _among(named, self._ignored_ids)
            drops.add(ignored, "ignored", "the settings leave this item out")
        columns["skipped"] = self._skipped(columns)
        return drops.kept(columns), drops

    def counts(self, batch: pa.Table) -> tuple[pa.Table, Drops]:
        """As `listens`, for a batch of the table "counts", ``plays`` being float64."""
        columns, drops = _checked_texts(batch, "user_id", "item_id")
        plays = columns["plays"].to_numpy(zero_copy_only=False)
        # Written positively, so that NaN is refused too.
        positive = np.isfinite(plays) & (plays >= 0.5)
        drops.add(~positive, "bad-count", "a number of plays has to be above zero")
        drops.add(plays > self._settings.largest_count, "bad-count", "the number of plays is implausibly large")
        columns["plays"] = pa.array(np.rint(np.where(drops.codes == 0, plays, 0)).astype(np.int64))
        drops.add(self._ignored(columns), "ignored", "the settings leave this item out")
        return drops.kept(columns), drops

    def playlist_items(self, batch: pa.Table) -> tuple[pa.Table, Drops]:
        """As `listens`, for a batch of the table "playlist_items"."""
        columns, drops = _checked_texts(batch, "playlist_id", "position", "item_id")
        drops.add(self._ignored(columns), "ignored", "the settings leave this item out")
        return drops.kept(columns), drops

    def others(self, batch: pa.Table) -> pa.Table:
        """Return the rows to keep of a batch of another table; the ledger does not count the rest."""
        columns, drops = _checked_texts(batch, *(field.name for field in batch.schema if not field.nullable))
        ignored = self._ignored(columns)
        drops.add(ignored, "ignored", "the settings leave this item out")
        if "name" in columns:
            # Counts, tags and playlists name items by id alone.
            self._ignored_ids.update(columns["item_id"].filter(pa.array(ignored)).to_pylist())
        return drops.kept(columns)

    def _refuse_odd_times(self, listened_at: pa.Array, drops: Drops) -> None:
        drops.add(_missing(listened_at), "incomplete", "there is no time")
        times = listened_at.fill_null(self._earliest).to_numpy()
        drops.add(times > self._latest, "future", "the time is in the future")
        drops.add(times < self._earliest, "too-early", f"the time is before {self._settings.earliest_year}")

    def _ignored(self, columns: Columns) -> Mask:
        """Return (n,) the rows whose item, or its parent, the settings leave out."""
        mask = np.zeros(len(next(iter(columns.values()))), dtype=bool)
        if self._ignored_ids:
            for name in ("item_id", "parent_id"):
                if name in columns:
                    mask |= _among(columns[name], self._ignored_ids)
            for name in ("name", "parent_name"):
                if name in columns:
                    distinct = columns[name].dictionary_encode().dictionary.to_pylist()
                    ignored = {text for text in distinct if normalised(text) in self._ignored_names}
                    mask |= _among(columns[name], ignored)
        return mask

    def _skipped(self, columns: Columns) -> pa.Array:
        """`CleaningSettings.is_play` for whole columns, where the source does not tell."""
        enough = np.full(len(columns["ms_played"]), self._settings.play_seconds * 1000)
        durations = columns[DURATION.name].fill_null(0).to_numpy()
        timed = durations > 0
        enough[timed] = np.minimum(enough[timed], self._settings.play_share * durations[timed])
        played = columns["ms_played"].fill_null(DAY_MS).to_numpy()
        return pc.coalesce(columns["skipped"], pa.array(played < enough))


def by_kind(kinds: pa.Array) -> list[tuple[Kind, Mask]]:
    """Return each kind in the column, and (n,) its rows; UnknownIdError for a name that is no kind."""
    encoded = kinds.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return [(kind_named(name), codes == code) for code, name in enumerate(encoded.dictionary.to_pylist())]


def _checked_texts(batch: pa.Table, *required: str) -> tuple[Columns, Drops]:
    """Return the trimmed columns of ``batch``, and the drops for odd texts and for null in ``required``."""
    drops = Drops(len(batch))
    columns = {name: batch[name].combine_chunks() for name in batch.schema.names}
    for name, column in columns.items():
        # A free text may be long, and a title may be empty.
        if column.type == pa.string() and name not in ("text", "kind"):
            columns[name] = column = column if name == "title" else _trimmed(column)
            if column.null_count < len(column):
                _refuse_odd_texts(name, column, drops)
    if "kind" in columns:
        by_kind(columns["kind"])  # refuses a kind that does not exist
    for name in required:
        drops.add(_missing(columns[name]), "incomplete", f"there is no {name.removesuffix('_id')}")
    return columns, drops


def _refuse_odd_texts(name: str, column: pa.Array, drops: Drops) -> None:
    # Nearly always there is no NUL, which one pass over all bytes shows.
    content = column.buffers()[2]
    if content is not None and (np.frombuffer(content, np.uint8) == 0).any():
        nul = pc.match_substring(column, "\0").fill_null(False)
        drops.add(nul.to_numpy(zero_copy_only=False), "malformed", f"a NUL character in {name}")
    # A text has at least as many bytes as characters, and bytes are counted without decoding.
    if (pc.max(pc.binary_length(column)).as_py() or 0) > MAX_TEXT:
        long = pc.greater(pc.utf8_length(column), MAX_TEXT).fill_null(False)
        drops.add(long.to_numpy(zero_copy_only=False), "malformed", f"{name} is over {MAX_TEXT} characters")


def _credit_parents(columns: Columns) -> None:
    """Make every row that names no item, but the parent of one, a listen of the parent."""
    unnamed = _missing(columns["item_id"]) & _missing(columns["name"])
    for kind, rows in by_kind(columns["kind"]) if unnamed.any() else ():
        if kind.parent is not None and (unnamed & rows).any():
            credited = {"kind": kind.parent, "item_id": columns["parent_id"], "name": columns["parent_name"]}
            for name, value in {**credited, "parent_id": None, "parent_name": None}.items():
                columns[name] = pc.if_else(pa.array(unnamed & rows), value, columns[name])


def _refuse_unnamed(columns: Columns, drops: Drops) -> None:
    """Drop rows without an item's id that lack the names to make one: its own, and its parent's if it has one."""
    unnamed = _missing(columns["item_id"]) & _missing(columns["name"])
    orphaned = _missing(columns["item_id"]) & _missing(columns["parent_id"]) & _missing(columns["parent_name"])
    for kind, rows in by_kind(columns["kind"]) if orphaned.any() else ():
        lacking = unnamed if kind.parent is None else orphaned
        drops.add(rows & lacking, "incomplete", f"there is no {kind.parent or kind.name}")


def _with_named_ids(ids: pa.Array, names: pa.Array, parents: pa.Array) -> pa.Array:
    """Return ``ids`` (n,) with ids made from names and parents where they are null; null where the name is too."""
    lacking = ids.is_null()
    if not ids.null_count:
        return ids
    names, parents = names.filter(lacking), parents.filter(lacking)
    made = named_ids(names) if parents.null_count == len(parents) else named_ids(names, parents)
    if 0 < parents.null_count < len(parents):
        made = pc.coalesce(made, named_ids(names))
    return pc.replace_with_mask(ids, lacking, made)


def _trimmed(texts: pa.Array) -> pa.Array:
    """Return the texts without blanks around them; null for an empty one."""
    texts = pc.ascii_trim_whitespace(texts)
    empty = pc.equal(texts, "")
    return pc.if_else(empty, None, texts) if pc.any(empty).as_py() else texts


def _plausible_length(lengths: pa.Array) -> pa.Array:
    """Return milliseconds from 0 to a day, null for others."""
    inside = pc.and_(pc.greater_equal(lengths, 0), pc.less_equal(lengths, DAY_MS))
    return pc.if_else(inside, lengths, None)


def _missing(column: pa.Array) -> Mask:
    mask: Mask = pc.is_null(column).to_numpy(zero_copy_only=False)
    return mask


def _among(column: pa.Array, values: Iterable[str]) -> Mask:
    mask: Mask = pc.is_in(column, value_set=pa.array(sorted(values), pa.string())).to_numpy(zero_copy_only=False)
    return mask
