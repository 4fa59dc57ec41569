"""A library split into train and test: plays, playlists and texts alike.

    temporal  plays from a moment on are hidden; the pairs among them that are not in train are asked for
    weak      a share of each user's items is hidden, with every play of them
    strong    whole users are hidden; a part of their items is shown to the fitted models
    folds     weak, so that each pair is hidden once

No pair of test is in any input:

- Interactions, sequences and the catalogue's counts are made of the plays that are left, by the code of a run.
- Counts have no times, so a temporal split leaves them out.
- Playlists of listeners of the library are left out: they repeat what their owners play. Other playlists, tags and
  prose stay; they have no dates, so some may be younger than the moment of a temporal split.
- Items are merged under one name by the whole library, before it is split.
"""

import contextlib
import datetime
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from crossfade.aggregation.interactions import InteractionSettings, build_interactions, build_playlist_interactions
from crossfade.aggregation.sequences import SequenceSettings, build_sequences
from crossfade.catalog.names import release_catalogue
from crossfade.catalog.writings import build_writings
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import InputError, NotReadyError
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import KINDS
from crossfade.core.queries import MEMORY_LIMIT, Queries, open_queries, rows_about
from crossfade.core.schemas import ALIASES, COUNTS, LISTENS, PLAYLIST_ITEMS, PLAYLISTS
from crossfade.core.sequences import Sequences
from crossfade.core.writings import Writings
from crossfade.evaluate.splits import Split, k_fold, random_holdout, strong_generalisation, with_repeats
from crossfade.models.contract import InputKind
from crossfade.ranking.neighbourhood import NeighbourSettings
from crossfade.surfaces.discover import DiscoverSettings

Way = Literal["temporal", "weak", "strong", "folds"]

PLAIN = InteractionSettings(half_life_days=0, lean_back_weight=1.0)
"""Every play of the test part counts one."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A library: the Parquet files of its imports by table, the merged catalog, and how inputs are made of them."""

    tables: Mapping[str, Sequence[Path]]
    catalog: Path
    interactions: InteractionSettings
    sequences: SequenceSettings
    discover: DiscoverSettings = field(default_factory=DiscoverSettings)
    neighbours: NeighbourSettings = field(default_factory=NeighbourSettings)
    memory_bytes: int = MEMORY_LIMIT
    threads: int | None = None

    @property
    def limits(self) -> dict[str, Any]:
        """The limits of what aggregates."""
        return {"memory_limit": self.memory_bytes, "threads": self.threads}


@dataclass(frozen=True, kw_only=True)
class How:
    """How a library is split.

    way       None: temporal where there are plays with times, else weak
    fraction  of the plays (temporal), of each user's items (weak, strong), of the users (strong); above 0, below 1
    at, days  moment of a temporal split, and how long test lasts from then; None for all that follows
    cut       share of train that a blend learns its weights from, hidden in the same way; None where none is compared
    """

    way: Way | None = None
    fraction: float = 0.2
    at: datetime.datetime | None = None
    days: float | None = None
    folds: int = 5
    seed: int = 0
    cut: float | None = None

    def __post_init__(self) -> None:
        """Raise InputError for a share that hides nothing or all, and for a moment of a split that has none."""
        # Written positively, so that NaN is refused too.
        if not 0 < self.fraction < 1:
            raise InputError(f"a fraction between 0 and 1 can be hidden, not {self.fraction}")
        if self.days is not None and not self.days > 0:
            raise InputError(f"test lasts for more than 0 days, not {self.days}")
        if self.at is None and self.days is None:
            return
        if self.way not in (None, "temporal"):
            raise InputError(f"A moment and days are for a temporal split, not for a {self.way} one.")
        object.__setattr__(self, "way", "temporal")


@dataclass(frozen=True, eq=False, kw_only=True)
class LibrarySplit(Split):
    """A split with what pages are made from besides.

    catalogue             all items, with train's listeners and plays
    roots                 train of the kind's root; None for a kind that is a root itself
    discover, neighbours  settings of pages and of neighbour tables
    """

    catalogue: Catalogue
    roots: Interactions | None = None
    discover: DiscoverSettings = field(default_factory=DiscoverSettings)
    neighbours: NeighbourSettings = field(default_factory=NeighbourSettings)


def busiest_kind(source: Source) -> str:
    """Return the kind that most users play, the first of equals; NotReadyError for a library without plays."""
    with tempfile.TemporaryDirectory() as scratch, _opened(source, Path(scratch)) as queries:
        users = {
            kind: queries.rows(
                f"SELECT count(DISTINCT user_id) FROM (SELECT user_id FROM ({rows_about(kind, 'listens')}) UNION ALL "  # noqa: S608
                f"SELECT user_id FROM ({rows_about(kind, 'counts')}))"
            )[0][0]
            or queries.rows(f"SELECT count(DISTINCT playlist_id) FROM ({rows_about(kind, 'playlist_items')})")[0][0]  # noqa: S608
            for kind in KINDS
        }
    best = max(users, key=lambda kind: users[kind])
    if not users[best]:
        raise NotReadyError("This library has no plays and no playlists to split.")
    return best


def split_library(source: Source, kind: str, how: How, wanted: Collection[InputKind]) -> list[LibrarySplit]:
    """Return the library's splits by items of ``kind``: one, or one a fold.

    ``wanted`` are the inputs that models need. Raises InputError for a moment or a fraction that leaves nothing on one
    side, NotReadyError if nobody played such items.
    """
    # The arrays are mapped into memory, so the files may go when they are complete.
    with tempfile.TemporaryDirectory(prefix="crossfade-") as scratch:
        return _Splitting(source, kind, how, {*wanted}, Path(scratch)).splits()


class _Splitting:
    def __init__(self, source: Source, kind: str, how: How, wanted: Collection[InputKind], scratch: Path) -> None:
        self._source, self._kind, self._how, self._wanted, self._scratch = source, kind, how, wanted, scratch
        self._places = 0
        root = KINDS[kind].root
        self._root = root if root != kind else None

    def splits(self) -> list[LibrarySplit]:
        with _opened(self._source, self._place()) as queries:
            ((timed,),) = queries.rows(f"SELECT count(*) FROM ({rows_about(self._kind, 'listens')}) WHERE NOT skipped")  # noqa: S608
            ((counted,),) = queries.rows(f"SELECT count(*) FROM ({rows_about(self._kind, 'counts')})")  # noqa: S608
            way = self._how.way or ("temporal" if timed else "weak")
            if way != "temporal":
                return self._by_pairs(queries, way, played=bool(timed or counted))
            if not timed:
                plural = KINDS[self._kind].plural
                raise InputError(f"No plays of {plural} in this library have a time. Try --split weak.")
            return [self._by_time(queries)]

    def _by_time(self, queries: Queries) -> LibrarySplit:
        how = self._how
        if how.at is None:
            about = rows_about(self._kind, "listens")
            sql = f"SELECT quantile_disc(epoch_ms(listened_at), $share) FROM ({about}) WHERE NOT skipped"  # noqa: S608
            ((milliseconds,),) = queries.rows(sql, share=1 - how.fraction)
            moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).replace(microsecond=0)
        else:
            moment = how.at if how.at.tzinfo else how.at.replace(tzinfo=datetime.UTC)
        until = None
        with contextlib.suppress(OverflowError):  # later than any date: all that follows
            until = moment + datetime.timedelta(days=how.days) if how.days else None
        begin, end = (None if one is None else int(one.timestamp() * 1000) for one in (moment, until))
        before, after = self._place() / "before.parquet", self._place() / "after.parquet"
        time = "epoch_ms(listened_at)"
        earlier, later = f"{time} < {begin}", f"{time} >= {begin}" + ("" if end is None else f" AND {time} < {end}")
        ((kept, hidden),) = queries.rows(
            f"SELECT count(*) FILTER ({earlier}), count(*) FILTER ({later}) "  # noqa: S608
            f"FROM ({rows_about(self._kind, 'listens')}) WHERE NOT skipped"
        )
        plural, at = KINDS[self._kind].plural, f"{moment:%Y-%m-%d %H:%M} UTC"
        if not kept:
            raise InputError(f"There are no plays of {plural} before {at}, so there is nothing to fit models on.")
        if not hidden:
            raise InputError(f"There are no plays of {plural} from {at} on, so there is nothing to be asked for.")
        queries.write(f"{_LISTENS} WHERE {earlier}", LISTENS, before)
        queries.write(f"{_LISTENS} WHERE {later}", LISTENS, after)
        told = f"plays from {at}" + (f" to {until:%Y-%m-%d %H:%M}" if until else "")
        tables = {"listens": [before]}
        train = self._interactions(tables, self._kind, self._source.interactions)
        played = self._interactions({"listens": [after]}, self._kind, PLAIN)
        split = with_repeats(train, played, how=f"{told} hidden")
        return self._complete(queries, split, tables, self._catalog(queries))

    def _by_pairs(self, queries: Queries, way: Way, *, played: bool) -> list[LibrarySplit]:
        how, rng = self._how, np.random.default_rng(self._how.seed)
        if played:
            tables = {name: self._source.tables[name] for name in ("listens", "counts")}
            whole = self._interactions(tables, self._kind, self._source.interactions)
        else:
            place = self._place()
            settings = self._source.interactions
            build_playlist_interactions(self._source.catalog, self._kind, place, settings, **self._source.limits)
            whole = Interactions.load(place, kind=self._kind)
        if not whole.pairs:
            raise NotReadyError(f"This library has no plays and no playlists of {KINDS[self._kind].plural} to split.")
        if way == "folds":
            splits = k_fold(whole, how.folds, rng)
        elif way == "weak":
            splits = [random_holdout(whole, how.fraction, rng)]
        else:
            users = max(1, round(how.fraction * len(whole.user_ids)))
            splits = [strong_generalisation(whole, users, how.fraction, rng)]
        return [self._cut(queries, split, number, played=played) for number, split in enumerate(splits)]

    def _cut(self, queries: Queries, split: Split, number: int, *, played: bool) -> LibrarySplit:
        """The split with tables that lack what it hides."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        kept, place = split.train, self._place()
        users = np.repeat(np.arange(len(kept.user_ids)), np.diff(kept.indptr))
        ids = {"kept_user": (kept.user_ids, users), "kept_item": (kept.item_ids, kept.indices)}
        columns = {name: some.to_arrow().take(pa.array(rows)) for name, (some, rows) in ids.items()}
        pq.write_table(pa.table(columns), place / "kept.parquet")
        view = f"kept_{number}"
        queries.view(view, [place / "kept.parquet"], pa.schema([(name, pa.string()) for name in columns]))
        child = ", ".join(f"'{one.name}'" for one in KINDS.values() if one.parent == self._kind) or "''"
        item = f"CASE WHEN rows.kind = '{self._kind}' THEN item_id WHEN rows.kind IN ({child}) THEN parent_id END"

        def cut(table: str, user: str) -> str:
            """The rows of a table that are about pairs of train."""
            return (
                f"SELECT rows.* EXCLUDE (filename) FROM {table} AS rows "  # noqa: S608
                f"LEFT JOIN aliases ON aliases.kind = '{self._kind}' AND from_id = {item} "
                f"SEMI JOIN {view} ON kept_user = {user} AND kept_item = coalesce(to_id, {item})"
            )

        tables: dict[str, list[Path]] = {"listens": [], "counts": []}
        if played:
            for name, schema in (("listens", LISTENS), ("counts", COUNTS)):
                tables[name] = [place / f"{name}.parquet"]
                queries.write(cut(name, "user_id"), schema, tables[name][0])
        catalog = self._catalog(queries, "" if played else cut("playlist_items", "playlist_id"))
        return self._complete(queries, split, tables, catalog)

    def _catalog(self, queries: Queries, cut_items: str = "") -> Path:
        """The directory of the catalog without the playlists of listeners; of the others ``cut_items``, or all."""
        place = self._place()
        for path in self._source.catalog.glob("*.parquet"):
            if path.stem not in ("playlists", "playlist_items"):
                (place / path.name).symlink_to(path.resolve())
        listener = "owner IN (SELECT user_id FROM listens UNION SELECT user_id FROM counts)"
        others = f"FROM playlists WHERE NOT coalesce({listener}, false)"
        playlists = f"SELECT * EXCLUDE (filename) {others} ORDER BY playlist_id"
        queries.write(playlists, PLAYLISTS, place / "playlists.parquet")
        items = cut_items or "SELECT * EXCLUDE (filename) FROM playlist_items"
        queries.write(
            f"SELECT * FROM ({items}) WHERE playlist_id IN (SELECT playlist_id {others}) "  # noqa: S608
            "ORDER BY playlist_id, position",
            PLAYLIST_ITEMS,
            place / "playlist_items.parquet",
        )
        return place

    def _complete(
        self, queries: Queries, split: Split, tables: Mapping[str, Sequence[Path]], catalog: Path
    ) -> LibrarySplit:
        """The split with its sequences, texts, catalogue and roots."""
        train, inputs = split.train, dict[InputKind, Any]()
        roots = None
        if self._root is not None and any(tables.values()):
            roots = self._interactions(tables, self._root, self._source.interactions)
            roots = roots if roots.pairs else None
        played = {self._kind: train, **({self._root: roots} if self._root and roots else {})}
        catalogue = release_catalogue(played, self._source.catalog)
        if "sequences" in self._wanted:
            place, settings = self._place(), self._source.sequences
            listens = [*tables.get("listens", ())]
            build_sequences(listens, catalog, self._kind, train.item_ids, place, settings, **self._source.limits)
            sequences = Sequences.load(place, kind=self._kind)
            inputs |= {"sequences": sequences} if len(sequences) else {}
        if "texts" in self._wanted:
            place = self._place()
            build_writings(catalog, self._kind, catalogue[self._kind].ids, place, **self._source.limits)
            writings = Writings.load(place, kind=self._kind)
            inputs |= {"texts": writings} if len(writings) else {}
        of_split = {one.name: getattr(split, one.name) for one in fields(Split)}
        of_split |= {"inputs": inputs, "cut": self._again(tables, catalog)}
        chosen: dict[str, Any] = {"discover": self._source.discover, "neighbours": self._source.neighbours}
        return LibrarySplit(**of_split, catalogue=catalogue, roots=roots, **chosen)

    def _again(self, tables: Mapping[str, Sequence[Path]], catalog: Path) -> LibrarySplit | None:
        """What is left, split once more for a blend: by time as this split is, else or with too little at random."""
        from crossfade.models.blend_weights import LEAST_HITS

        share = self._how.cut
        if share is None:
            return None
        source = replace(self._source, tables={"listens": (), "counts": (), **tables}, catalog=catalog)
        temporal: list[Way] = ["temporal"] if tables.get("listens") and not tables.get("counts") else []
        for way in [*temporal, "weak"]:
            how = How(way=way, fraction=share, seed=self._how.seed)
            with contextlib.suppress(InputError):
                again = _Splitting(source, self._kind, how, self._wanted, self._place()).splits()[0]
                if way == "weak" or again.test.pairs >= LEAST_HITS:
                    return again
        return None

    def _interactions(
        self, tables: Mapping[str, Sequence[Path]], kind: str, settings: InteractionSettings
    ) -> Interactions:
        place = self._place()
        build_interactions(tables, self._source.catalog, kind, place, settings, **self._source.limits)
        return Interactions.load(place, kind=kind)

    def _place(self) -> Path:
        """A new directory."""
        self._places += 1
        place = self._scratch / str(self._places)
        place.mkdir()
        return place


_LISTENS = "SELECT * EXCLUDE (filename) FROM listens"


@contextlib.contextmanager
def _opened(source: Source, spill: Path) -> Iterator[Queries]:
    """Queries with the tables of a library as views."""
    with open_queries(spill, memory_limit=source.memory_bytes, threads=source.threads) as queries:
        queries.view("listens", source.tables.get("listens", ()), LISTENS)
        queries.view("counts", source.tables.get("counts", ()), COUNTS)
        for name, schema in (("aliases", ALIASES), ("playlists", PLAYLISTS), ("playlist_items", PLAYLIST_ITEMS)):
            queries.view(name, [source.catalog / f"{name}.parquet"], schema)
        yield queries
