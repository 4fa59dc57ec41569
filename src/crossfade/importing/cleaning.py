"""The cleaning rules: what is a play, what is a skip, and what is not kept at all.

Rules that need one row only are applied to whole batches as they are read (`Judge`). Rules that need a user's
other rows, duplicates and loops, are applied when a user's rows are together (`crossfade.importing.publishing`).
"""

import datetime
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crossfade.core.errors import SettingsError
from crossfade.core.schemas import NAMED, named_artist, named_track, normalised

MAX_TEXT = 4096  # characters of an id, a name or a title; the longest real titles have some 1,000
DAY_MS = 86_400_000  # nothing is heard longer; a length beyond it is taken as not known

BATCH = pa.schema(
    [
        pa.field("file", pa.int32()),  # the file's number in the ledger
        pa.field("line", pa.int64()),
        pa.field("user_id", pa.string()),
        pa.field("listened_at", pa.int64()),  # milliseconds since 1970; null where it is not a time
        pa.field("artist_id", pa.string()),
        pa.field("artist_name", pa.string()),
        pa.field("track_id", pa.string()),
        pa.field("title", pa.string()),
        pa.field("album", pa.string()),
        pa.field("ms_played", pa.int64()),
        pa.field("track_ms", pa.int64()),
        pa.field("isrc", pa.string()),
        pa.field("skipped", pa.bool_()),
        pa.field("source", pa.string()),
        pa.field("context", pa.string()),
        pa.field("platform", pa.string()),
    ]
)
"""Listens as formats give them, before any rule."""

_TEXTS = [field.name for field in BATCH if field.type == pa.string()]


@dataclass(frozen=True, kw_only=True)
class CleaningSettings:
    """What counts as a play, and what is left out of an import."""

    play_seconds: float = 30.0  # a listen this long is a play, a shorter one a skip; seconds, 0 to 3600
    play_share: float = 0.5  # of a track too short for that, hearing this share is a play; 0 to 1
    loop_hours: float = 2.0  # of one track played without a break this long is kept, the rest dropped; 0 for no limit
    loop_pause_minutes: float = 30.0  # a pause between two plays that ends such a loop; minutes, > 0
    earliest_year: int = 2000  # listens before it are clocks that were not set; 1970 to 2100
    future_hours: float = 24.0  # how far ahead of now a listen may lie, for clocks and time zones; 0 to 8760
    largest_count: int = 10_000_000  # a number of plays above it cannot be true; >= 1
    ignored_artists: tuple[str, ...] = ()  # names or ids of artists to leave out
    ignored_tracks: tuple[str, ...] = ()  # ids of tracks to leave out, or "artist / title"
    samples: int = 5  # dropped rows that the ledger points at, for each reason; 0 to 1000

    def __post_init__(self) -> None:
        if not (
            0 <= self.play_seconds <= 3600
            and 0 <= self.play_share <= 1
            and self.loop_hours >= 0
            and self.loop_pause_minutes > 0
            and 1970 <= self.earliest_year <= 2100
            and 0 <= self.future_hours <= 8760
            and self.largest_count >= 1
            and 0 <= self.samples <= 1000
        ):
            raise SettingsError(f"an import cannot be cleaned with {self}")

    def is_play(self, ms_played: int | None, track_ms: int | None) -> bool:
        """Whether a listen is a play; one of unknown length is. The rule, for one row."""
        if ms_played is None:
            return True
        enough = self.play_seconds * 1000
        if track_ms:
            enough = min(enough, self.play_share * track_ms)
        return ms_played >= enough


class Drops:
    """Why each of the rows (n,) of a batch is dropped: the first reason given to a row stays."""

    def __init__(self, rows: int) -> None:
        self.given: list[tuple[str, str]] = []
        self.codes: npt.NDArray[np.int16] = np.zeros(rows, dtype=np.int16)  # 0 kept, else 1 + place in `given`

    def add(self, mask: npt.NDArray[np.bool_], reason: str, why: str) -> None:
        """Drop the rows of ``mask`` (n,) that are not dropped yet."""
        if mask.any():
            self.given.append((reason, why))
            self.codes[mask & (self.codes == 0)] = len(self.given)


class Judge:
    """Applies the rules for single rows; ``now`` is in seconds since 1970."""

    def __init__(self, settings: CleaningSettings, now: float) -> None:
        self._settings = settings
        self._latest = int((now + settings.future_hours * 3600) * 1000)
        start = datetime.datetime(settings.earliest_year, 1, 1, tzinfo=datetime.UTC)
        self._earliest = int(start.timestamp()) * 1000
        self._artist_ids = {*settings.ignored_artists, *map(named_artist, settings.ignored_artists)}
        self._artist_names = {normalised(name) for name in settings.ignored_artists}
        self._track_ids = {*settings.ignored_tracks, *(NAMED + normalised(name) for name in settings.ignored_tracks)}

    def listens(self, batch: pa.Table) -> tuple[pa.Table, Drops]:
        """The rows of a `BATCH` that stay, ids and ``skipped`` filled in; and why the others do not."""
        drops = Drops(len(batch))
        columns = {name: batch[name].combine_chunks() for name in batch.schema.names}
        for name in _TEXTS:
            columns[name] = _trimmed(columns[name])
        _refuse_odd_texts(columns, drops)
        drops.add(_missing(columns["user_id"]), "incomplete", "there is no user")
        drops.add(_missing(columns["artist_id"]) & _missing(columns["artist_name"]), "incomplete", "there is no artist")
        self._refuse_odd_times(columns["listened_at"], drops)
        for name in ("ms_played", "track_ms"):
            columns[name] = _plausible_length(columns[name])
        _fill_ids(columns)
        self._refuse_ignored(columns, drops)
        columns["skipped"] = self._skipped(columns)
        kept = pa.table(columns)
        return (kept.filter(pa.array(drops.codes == 0)) if drops.given else kept), drops

    def counts(self, batch: pa.Table) -> tuple[pa.Table, Drops]:
        """As `listens`, for numbers of plays: file, line, user_id, artist_id, track_id, plays (float64)."""
        drops = Drops(len(batch))
        columns = {name: batch[name].combine_chunks() for name in batch.schema.names}
        for name in ("user_id", "artist_id", "track_id"):
            columns[name] = _trimmed(columns[name])
        _refuse_odd_texts(columns, drops)
        drops.add(_missing(columns["user_id"]), "incomplete", "there is no user")
        drops.add(_missing(columns["artist_id"]) & _missing(columns["track_id"]), "incomplete", "there is no item")
        plays = columns["plays"].to_numpy(zero_copy_only=False)
        # Written positively, so that NaN is refused too.
        drops.add(~(np.isfinite(plays) & (plays >= 0.5)), "bad-count", "a number of plays has to be above zero")
        drops.add(plays > self._settings.largest_count, "bad-count", "so many plays cannot be true")
        self._refuse_ignored(columns, drops)
        kept = pa.table(columns).filter(pa.array(drops.codes == 0))
        whole = pa.array(np.rint(kept["plays"].to_numpy()).astype(np.int64))
        return kept.set_column(kept.schema.get_field_index("plays"), "plays", whole), drops

    def _refuse_odd_times(self, listened_at: pa.Array, drops: Drops) -> None:
        drops.add(_missing(listened_at), "incomplete", "there is no time")
        times = listened_at.fill_null(self._earliest).to_numpy()
        drops.add(times > self._latest, "future", "the time lies ahead of now")
        drops.add(times < self._earliest, "too-early", f"the time lies before {self._settings.earliest_year}")

    def _refuse_ignored(self, columns: dict[str, pa.Array], drops: Drops) -> None:
        if self._artist_ids:
            mask = _among(columns["artist_id"], self._artist_ids)
            if "artist_name" in columns:
                names = columns["artist_name"].dictionary_encode()
                hits = [name for name in names.dictionary.to_pylist() if normalised(name) in self._artist_names]
                mask |= _among(columns["artist_name"], set(hits))
            drops.add(mask, "ignored", "the settings leave this artist out")
        if self._track_ids:
            mask = _among(columns["track_id"], self._track_ids)
            if "title" in columns:
                mask |= _among(_named_tracks(columns), self._track_ids)
            drops.add(mask, "ignored", "the settings leave this track out")

    def _skipped(self, columns: dict[str, pa.Array]) -> pa.Array:
        """`CleaningSettings.is_play` for whole columns, where the source did not say."""
        enough = np.full(len(columns["ms_played"]), self._settings.play_seconds * 1000)
        track_ms = columns["track_ms"].fill_null(0).to_numpy()
        known = track_ms > 0
        enough[known] = np.minimum(enough[known], self._settings.play_share * track_ms[known])
        played = columns["ms_played"].fill_null(DAY_MS).to_numpy()
        return pc.coalesce(columns["skipped"], pa.array(played < enough))


def _fill_ids(columns: dict[str, pa.Array]) -> None:
    """Make the ids that are missing from the names: those of tracks first, which need the artist's name."""
    for name, made_of in (("track_id", _named_tracks), ("artist_id", _named_artists)):
        lacking = columns[name].is_null()
        if columns[name].null_count:
            made = made_of({part: columns[part].filter(lacking) for part in ("artist_id", "artist_name", "title")})
            columns[name] = pc.replace_with_mask(columns[name], lacking, made)


def _named_artists(columns: dict[str, pa.Array]) -> pa.Array:
    """(n,) the ids made from the artists' names."""
    names = columns["artist_name"].dictionary_encode()
    made = pa.array([named_artist(name) for name in names.dictionary.to_pylist()], pa.string())
    return made.take(names.indices)


def _named_tracks(columns: dict[str, pa.Array]) -> pa.Array:
    """(n,) the ids made from artist and title; null where there is no title."""
    artist = pc.coalesce(columns["artist_name"], columns["artist_id"])
    # NUL is in no text that was kept, so it can stand between the two.
    pairs = pc.binary_join_element_wise(artist, columns["title"], "\0").dictionary_encode()
    split = (pair.split("\0", 1) for pair in pairs.dictionary.to_pylist())
    made = pa.array([named_track(*pair) if len(pair) == 2 else None for pair in split], pa.string())
    return made.take(pairs.indices)


def _trimmed(texts: pa.Array) -> pa.Array:
    """Without blanks around; what is empty then is null."""
    texts = pc.ascii_trim_whitespace(texts)
    empty = pc.equal(texts, "")
    return pc.if_else(empty, None, texts) if pc.any(empty).as_py() else texts


def _refuse_odd_texts(columns: dict[str, pa.Array], drops: Drops) -> None:
    for name, column in columns.items():
        if column.type == pa.string() and column.null_count < len(column):
            # Nearly always there is none, which a look at all bytes at once shows.
            content = column.buffers()[2]
            if content is not None and (np.frombuffer(content, np.uint8) == 0).any():
                nul = pc.match_substring(column, "\0").fill_null(False)
                drops.add(nul.to_numpy(zero_copy_only=False), "malformed", f"a NUL character in {name}")
            # Bytes are never fewer than characters, and need no decoding to be counted.
            if (pc.max(pc.binary_length(column)).as_py() or 0) > MAX_TEXT:
                long = pc.greater(pc.utf8_length(column), MAX_TEXT).fill_null(False)
                drops.add(long.to_numpy(zero_copy_only=False), "malformed", f"{name} is over {MAX_TEXT} characters")


def _plausible_length(lengths: pa.Array) -> pa.Array:
    """Milliseconds from 0 to a day, null for others."""
    inside = pc.and_(pc.greater_equal(lengths, 0), pc.less_equal(lengths, DAY_MS))
    return pc.if_else(inside, lengths, None)


def _missing(column: pa.Array) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = pc.is_null(column).to_numpy(zero_copy_only=False)
    return mask


def _among(column: pa.Array, values: set[str]) -> npt.NDArray[np.bool_]:
    found = pc.is_in(column, value_set=pa.array(sorted(values), pa.string()))
    mask: npt.NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
    return mask.copy()
