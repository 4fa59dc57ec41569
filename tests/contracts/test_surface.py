"""The contract of a surface; every registered surface keeps it, in every library that can have it."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, SettingsError, UnknownIdError
from crossfade.core.ids import MISSING
from crossfade.core.settings import documented
from crossfade.core.tables import EVERYONE, SurfaceTable
from crossfade.nearest.contract import IndexSettings
from crossfade.surfaces.contract import Library, SurfaceInputs
from crossfade.surfaces.registry import SURFACES, available, registered

LIBRARIES = ("artists", "tracks", "artists and tracks", "artists and tracks, by graph")


@pytest.fixture(params=LIBRARIES)
def inputs(request, surface_inputs):
    made = surface_inputs(request.param)
    if "graph" in request.param:
        pytest.importorskip("usearch", reason="needs usearch: pip install 'crossfade[index]'")
        return dataclasses.replace(made, index=IndexSettings(backend="graph", search_breadth=16))
    return made


@pytest.fixture(params=sorted(SURFACES))
def line(request):
    return SURFACES[request.param]


@pytest.fixture
def surface(line, inputs):
    loaded = line.load()
    if not loaded.available(inputs.library):
        pytest.skip(f"{line.title} needs more than this library knows")
    return loaded


@pytest.fixture
def with_needs(surface, inputs):
    built = {}
    for name in surface.needs(inputs.library):
        needed = registered(name).load()
        built[name] = needed.build(inputs, needed.settings_class())
    return dataclasses.replace(inputs, built=built)


@pytest.fixture
def table(surface, with_needs):
    return surface.build(with_needs, surface.settings_class())


def test_it_is_named_as_registered(line):
    assert line.load().name == line.name


def test_its_needs_are_registered_before_it(line):
    order = list(SURFACES)
    for knows in (
        Library(artists=True, tracks=True),
        Library(artists=True, tracks=False),
        Library(artists=False, tracks=True),
    ):
        surface = line.load()
        if surface.available(knows):
            for name in surface.needs(knows):
                assert order.index(name) < order.index(line.name)
                assert registered(name).load().available(knows)


def test_the_table_is_what_it_said(surface, table, inputs):
    assert table.name == surface.name
    assert table.key == surface.key(inputs.library)
    ids = {
        "artist": inputs.catalogue.artists.ids,
        "track": inputs.catalogue.tracks.ids if inputs.catalogue.tracks else (),
        "user": (inputs.artist_interactions or inputs.track_interactions).user_ids,
    }
    assert len(table.keys)
    assert all(key in ids[table.key] or key == EVERYONE for key in table.keys)
    assert list(table.keys) == sorted(table.keys)
    assert table.items.min() >= 0
    assert table.items.max() < len(ids[table.kind])


def test_lists_are_never_empty_repeat_nothing_and_fall_in_score(table):
    for key in range(len(table.keys)):
        span = table.of_key(key)
        items, scores = table.items[span], table.columns["score"][span]
        assert len(items)
        assert len(set(items.tolist())) == len(items)
        assert np.all(np.diff(scores) <= 0)
        assert np.all(np.isfinite(scores))


def test_nothing_is_listed_for_itself(table, inputs):
    if table.key != table.kind:
        pytest.skip("its keys are no items")
    ids = inputs.catalogue.artists.ids if table.kind == "artist" else inputs.catalogue.tracks.ids
    for key, name in enumerate(table.keys):
        assert ids.find(name) not in table.items[table.of_key(key)]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_inputs_give_the_same_bytes_on_any_number_of_threads(surface, with_needs, table, threads):
    again = surface.build(dataclasses.replace(with_needs, threads=threads), surface.settings_class())
    assert again.keys == table.keys
    assert again.indptr.tobytes() == table.indptr.tobytes()
    assert again.items.tobytes() == table.items.tobytes()
    for name, column in table.columns.items():
        assert again.columns[name].tobytes() == column.tobytes()


def test_memory_mapped_inputs_give_the_same_bytes(surface, with_needs, table, tmp_path):
    loaded = {}
    for kind in ("artist", "track"):
        interactions = getattr(with_needs, f"{kind}_interactions")
        if interactions is not None:
            for name, part in (("interactions", interactions), ("space", getattr(with_needs, f"{kind}_space"))):
                place = tmp_path / f"{kind}-{name}"
                place.mkdir()
                part.save(place)
                again = type(part).load(place, kind=kind) if name == "interactions" else type(part).load(place)
                loaded[f"{kind}_{name}"] = again
    again = surface.build(dataclasses.replace(with_needs, **loaded), surface.settings_class())
    assert again.items.tobytes() == table.items.tobytes()
    assert again.columns["score"].tobytes() == table.columns["score"].tobytes()


def test_it_tells_how_far_it_is(surface, with_needs):
    told = []
    surface.build(with_needs, surface.settings_class(), lambda done, total, unit: told.append((done, total)))
    assert told
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


def test_a_smaller_size_gives_shorter_lists(surface, with_needs):
    table = surface.build(with_needs, surface.settings_class(size=2))
    assert np.diff(table.indptr).max() == 2


def test_its_settings_are_documented_and_refuse_nonsense(line):
    settings = line.load().settings_class
    for name, _, default, doc in documented(settings):
        assert doc, f"{line.name}.{name} is not documented"
        for wrong in (-1, 10**9, float("nan")):
            with pytest.raises(SettingsError, match=name):
                settings(**{name: type(default)(wrong) if wrong == wrong else wrong})


def all_tables(inputs):
    tables = {}
    for line in available(inputs.library):
        surface = line.load()
        tables[line.name] = surface.build(dataclasses.replace(inputs, built=tables), surface.settings_class())
    return tables


def test_every_available_surface_can_be_built_from_those_before_it(inputs):
    tables = all_tables(inputs)
    assert list(tables) == [line.name for line in SURFACES.values() if line.load().available(inputs.library)]
    assert all(isinstance(table, SurfaceTable) for table in tables.values())


def test_an_unknown_surface_is_refused_by_name():
    with pytest.raises(UnknownIdError, match=r"'relatd'.*related"):
        registered("relatd")


def test_a_table_that_is_needed_but_missing_is_named(surface, inputs):
    if not surface.needs(inputs.library):
        pytest.skip("it needs nothing")
    with pytest.raises(ArtifactError, match=surface.needs(inputs.library)[0]):
        surface.build(inputs, surface.settings_class())


def test_inputs_whose_rows_do_not_fit_are_refused(surface_inputs):
    inputs = surface_inputs("artists and tracks")
    for wrong in (
        {"artist_space": inputs.track_space},
        {"artist_space": None},
        {"catalogue": dataclasses.replace(inputs.catalogue, tracks=None)},
    ):
        with pytest.raises(ArtifactError):
            dataclasses.replace(inputs, **wrong)
    with pytest.raises(ArtifactError, match="nothing"):
        SurfaceInputs(catalogue=inputs.catalogue)


def test_reasons_are_rows_of_what_the_catalogue_says(inputs):
    tables = all_tables(inputs)
    makers = inputs.catalogue.artists if inputs.catalogue.reason_kind == "artist" else inputs.catalogue.tracks
    reasons = tables["discover"].columns["reason"]
    assert MISSING not in reasons
    assert reasons.max() < len(makers.ids)


def test_the_registry_imports_nothing_heavy():
    heavy = "numba", "scipy", "pyarrow", "duckdb"
    code = (
        "import sys; from crossfade.surfaces.registry import SURFACES; [line.load() for line in SURFACES.values()];"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
