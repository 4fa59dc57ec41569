"""Surfaces by any model that a release holds, made when they are asked for.

A release has the tables of its first model. Its other models can be asked too: the same rules, run on their spaces and
neighbours for the one key that is asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from crossfade.core.artifacts import MANIFEST
from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.home import Home
from crossfade.core.ids import MISSING, ItemKind
from crossfade.core.tables import SurfaceTable
from crossfade.models.cultural import CulturalSpace
from crossfade.models.registry import load_space
from crossfade.pipeline.plan import leading_space, neighbours_name, space_name, surface_inputs
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import place_of
from crossfade.stores.contract import Entry, RankedRows, ReleaseReader
from crossfade.surfaces.contract import SurfaceInputs
from crossfade.surfaces.registry import Registered, registered


def entries_by(home: Home, reader: ReleaseReader, surface: str, key: str, model: str) -> list[Entry]:
    """The list of ``key`` (a full id) on ``surface``, made by ``model`` from what the release was made from.

    Where the model has no space of a kind that the surface needs besides its own, such as that of tracks for a model of
    artists, the release's first model stands in. Raises UnknownIdError for a model that the release does not hold or a
    key without a list, NotReadyError if the model knows nothing of what the surface lists, or its artifacts are no
    longer kept.
    """
    settings = Settings.of(home)
    spaces = _spaces_of(reader, model, settings)
    places = _places(home, reader, [*spaces.values(), *(neighbours_name(name) for name in spaces.values())])
    inputs = surface_inputs(places, spaces, settings)
    line = registered(surface)
    listed: ItemKind = reader.surfaces[surface].kind
    if line.asked_by == "user":
        inputs = inputs.only(key)
    elif spaces[listed] != space_name(model, listed):
        raise NotReadyError(f"The model {model} knows no {listed}s, and {line.title} lists them.")
    table = _built(line, inputs, settings, {})
    row = table.keys.find(key)
    if row == MISSING:
        raise UnknownIdError(f"{model} finds nothing for {key!r} on {line.title}.")
    span = table.of_key(row)
    ranked = RankedRows(table.items[span], {name: values[span] for name, values in table.columns.items()})
    return reader.named(table.kind, ranked)


def top_terms(home: Home, reader: ReleaseReader, artist_id: str, n: int) -> list[tuple[str, float]]:
    """The ``n`` words that say most of an artist, with their weights.

    Raises NotReadyError if the release has no space of the model "cultural", or it is no longer kept.
    """
    name = space_name("cultural", "artist")
    if name not in reader.spaces:
        raise NotReadyError(
            f"Release {reader.version} knows no words: nothing written about artists was imported, or cultural is not "
            "among the models in [run] models."
        )
    space = load_space(_places(home, reader, [name])[name])
    if not isinstance(space, CulturalSpace):
        raise NotReadyError(f"{name} of release {reader.version} holds no words. Run `crossfade run`.")
    return space.top_terms(artist_id, n)


def models_of(reader: ReleaseReader) -> list[str]:
    """The models that a release holds spaces of, by name."""
    return sorted({name.rpartition("-")[0] for name in reader.spaces})


def _places(home: Home, reader: ReleaseReader, needed: Iterable[str]) -> dict[str, Path]:
    """Where the artifacts lie that the release was made from, by the names of their steps."""
    places = {name: place_of(home, name, made) for name, made in reader.manifest.identity.inputs.items()}
    if gone := sorted(name for name in needed if not (places.get(name, Path()) / MANIFEST).is_file()):
        raise NotReadyError(f"{', '.join(gone)} of release {reader.version} are no longer kept. Run `crossfade run`.")
    return places


def _spaces_of(reader: ReleaseReader, model: str, settings: Settings) -> dict[ItemKind, str]:
    made_from = reader.manifest.identity.inputs
    compared = [name for name in reader.spaces if neighbours_name(name) in made_from]
    if model in models_of(reader) and not any(name.rpartition("-")[0] == model for name in compared):
        raise NotReadyError(f"The model {model} does not say what is like what, so no such list can be made of it.")
    kinds: list[ItemKind] = ["artist", "track"]
    spaces = {
        kind: leading_space(kind, [model, *settings.run.models], compared)
        for kind in kinds
        if f"interactions-{kind}" in made_from
    }
    if not any(spaces[kind] == space_name(model, kind) for kind in spaces):
        raise UnknownIdError(
            f"Release {reader.version} has nothing by a model {model!r}. It has: {', '.join(models_of(reader))}."
        )
    return spaces


def _built(
    line: Registered, inputs: SurfaceInputs, settings: Settings, built: Mapping[str, SurfaceTable]
) -> SurfaceTable:
    surface = line.load()
    for name in surface.needs(inputs.library):
        built = {**built, name: _built(registered(name), inputs, settings, built)}
    return surface.build(replace(inputs, built=built), settings.section(f"surfaces.{line.name}"))
