"""The steps that make what models learn from, out of a home's imports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from crossfade.aggregation.interactions import build_interactions
from crossfade.aggregation.sequences import build_sequences
from crossfade.catalog.build import build_catalog
from crossfade.catalog.names import release_catalogue
from crossfade.catalog.writings import build_writings
from crossfade.core.artifacts import MANIFEST, Draft, file_digest
from crossfade.core.errors import NotReadyError
from crossfade.core.home import Home
from crossfade.core.ids import Ids, ItemKind
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress
from crossfade.core.sequences import Sequences
from crossfade.core.settings import as_table
from crossfade.core.writings import Writings
from crossfade.importing.library import imports_of, tables_of
from crossfade.models.contract import InputKind
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import Step, Work, make_step
from crossfade.surfaces.contract import Library

CATALOG, NAMES = "catalog", "names"

Given = Callable[[Mapping[str, Path], Path], tuple[Any, ...]]
"""What a builder is called with, from the artifacts of the steps before and the directory to fill."""


@dataclass(frozen=True, kw_only=True)
class Learnable:
    """What a library has to learn from.

    names    the step that names what was played
    learned  the steps that make it, by what it is and by the kind of its items; absent where the library has none
    """

    library: Library
    names: Step
    learned: Mapping[InputKind, Mapping[ItemKind, Step]]

    @property
    def interactions(self) -> Mapping[ItemKind, Step]:
        """Who played what, by the kind of items: every kind that the library knows."""
        return self.learned["interactions"]


def learnable(home: Home, settings: Settings) -> Learnable:
    """The steps for what ``home`` holds today; NotReadyError if nothing has been imported."""
    tables = tables_of(home)
    library = _knows(tables)
    if not (library.artists or library.tracks):
        raise NotReadyError(
            f"There is no listening history in {home.path}. Bring some with `crossfade import PATH`, or try "
            "`crossfade demo`."
        )
    # What an import holds depends on what was there before it, so its content names it, not its origin.
    imported = {place.name: file_digest(place / MANIFEST) for place in imports_of(home)}
    catalog = _catalog_step(settings, tables, imported)
    known: dict[ItemKind, bool] = {"artist": library.artists, "track": library.tracks}
    interactions = {
        kind: _interactions_step(settings, kind, tables, imported, catalog) for kind in known if known[kind]
    }
    learned: dict[InputKind, Mapping[ItemKind, Step]] = {"interactions": interactions}
    if tables.get("playlist_items") or tables.get("listens"):
        listens = tables.get("listens", ())
        learned["sequences"] = {
            kind: _sequences_step(settings, kind, listens, imported, catalog, step)
            for kind, step in interactions.items()
        }
    if "artist" in interactions and any(tables.get(name) for name in ("tags", "texts", "playlists")):
        learned["texts"] = {"artist": _writings_step(settings, catalog, interactions["artist"])}
    names = make_step(
        NAMES,
        "Name what was played",
        _name_items,
        kind="catalogue",
        needs=(catalog, *interactions.values()),
    )
    return Learnable(library=library, names=names, learned=learned)


def load_learned(source: InputKind, place: Path, kind: ItemKind) -> Any:
    """What a model learns from, out of the artifact of the step that made it."""
    return _LOADERS[source](place, kind)


def _knows(tables: Mapping[str, Sequence[Path]]) -> Library:
    """Which kinds of items the listening history names, from the statistics of its files alone."""

    def named(column: str) -> bool:
        for path in [*tables.get("listens", ()), *tables.get("counts", ())]:
            metadata = pq.read_metadata(path)
            position = metadata.schema.names.index(column)
            for group in range(metadata.num_row_groups):
                statistics = metadata.row_group(group).column(position).statistics
                if statistics is None or statistics.null_count < metadata.row_group(group).num_rows:
                    return True
        return False

    return Library(artists=named("artist_id"), tracks=named("track_id"))


def _catalog_step(settings: Settings, tables: Mapping[str, Sequence[Path]], imported: Mapping[str, str]) -> Step:
    chosen = settings.section("catalog")
    return make_step(
        CATALOG,
        "Merge names, tags and playlists of all imports",
        _work(settings, build_catalog, lambda inputs, place: (tables, place, chosen)),
        kind="catalog",
        inputs=imported,
        settings=as_table(chosen),
    )


def _interactions_step(
    settings: Settings,
    kind: ItemKind,
    tables: Mapping[str, Sequence[Path]],
    imported: Mapping[str, str],
    catalog: Step,
) -> Step:
    chosen = settings.section("interactions")
    return make_step(
        f"interactions-{kind}",
        f"Count who played which {kind}",
        _work(settings, build_interactions, lambda inputs, place: (tables, inputs[CATALOG], kind, place, chosen)),
        kind="interactions",
        needs=(catalog,),
        inputs=imported,
        settings=as_table(chosen),
    )


def _name_items(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
    catalogue = release_catalogue(
        artist_interactions=_load_interactions(inputs, "artist"),
        track_interactions=_load_interactions(inputs, "track"),
        catalog=inputs[CATALOG],
    )
    catalogue.save(draft.path)
    draft.rows["artists"] = len(catalogue.artists.ids)
    draft.rows["tracks"] = len(catalogue.tracks.ids) if catalogue.tracks is not None else 0


def _sequences_step(
    settings: Settings,
    kind: ItemKind,
    listens: Sequence[Path],
    imported: Mapping[str, str],
    catalog: Step,
    interactions: Step,
) -> Step:
    chosen = settings.section("sequences")
    return make_step(
        f"sequences-{kind}",
        f"Follow which {kind} comes after which",
        _work(
            settings,
            build_sequences,
            lambda inputs, place: (listens, inputs[CATALOG], kind, _item_ids(inputs, interactions), place, chosen),
        ),
        kind="sequences",
        needs=(catalog, interactions),
        inputs=imported,
        settings=as_table(chosen),
    )


def _writings_step(settings: Settings, catalog: Step, interactions: Step) -> Step:
    return make_step(
        "writings-artist",
        "Gather what is written about artists",
        _work(
            settings, build_writings, lambda inputs, place: (inputs[CATALOG], _item_ids(inputs, interactions), place)
        ),
        kind="writings",
        needs=(catalog, interactions),
    )


def _work(
    settings: Settings,
    build: Callable[..., dict[str, int]],
    given: Callable[[Mapping[str, Path], Path], tuple[Any, ...]],
) -> Work:
    """Fills a draft with what ``build`` makes of what it is ``given``, in the memory and on the threads of a run."""
    run = settings.run

    def work(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
        limits = {"memory_limit": run.memory_bytes, "threads": run.processors}
        draft.rows.update(build(*given(inputs, draft.path), progress=progress, **limits))

    return work


def _item_ids(inputs: Mapping[str, Path], interactions: Step) -> Ids:
    return Ids.load(inputs[interactions.name] / "item_ids")


def _load_interactions(inputs: Mapping[str, Path], kind: ItemKind) -> Interactions | None:
    place = inputs.get(f"interactions-{kind}")
    return Interactions.load(place, kind=kind) if place is not None else None


_LOADERS: dict[InputKind, Callable[[Path, ItemKind], Any]] = {
    "interactions": lambda place, kind: Interactions.load(place, kind=kind),
    "sequences": lambda place, kind: Sequences.load(place, kind=kind),
    "texts": lambda place, kind: Writings.load(place, kind=kind),
}
