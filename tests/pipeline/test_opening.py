"""A release opened from Python."""

from dataclasses import replace

import pyarrow as pa
import pytest

from crossfade import OpenedRelease, open_release
from crossfade.core.errors import ArtifactError, NotReadyError, UnknownIdError
from crossfade.core.home import Home
from crossfade.stores.registry import open_releases
from crossfade.surfaces.registry import SURFACES


@pytest.fixture(scope="module")
def place(tmp_path_factory, make_release_parts):
    directory = tmp_path_factory.mktemp("opened")
    home = Home(directory / "home")
    home.prepare()
    make_release_parts(directory).publish(open_releases(home))
    return home.path


@pytest.fixture
def release(place):
    with open_release(place) as opened:
        yield opened


def test_the_home_is_the_one_that_commands_use(place, monkeypatch, tmp_path):
    monkeypatch.setenv("CROSSFADE_HOME", str(place))
    with open_release() as opened, open_release(place, opened.version) as same:
        assert isinstance(opened, OpenedRelease)
        assert same.version == opened.version
    monkeypatch.delenv("CROSSFADE_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(NotReadyError):
        open_release()
    with pytest.raises(ArtifactError, match="There is no release 000009"):
        open_release(place, "000009-000000000000")


def test_every_surface_is_a_method(release):
    assert set(SURFACES) <= set(dir(release))
    with pytest.raises(AttributeError, match="its surfaces are related"):
        release.nonsense  # noqa: B018


def test_a_page_has_what_the_table_has(release):
    table = release._release.tables.tables["discover-artist"]
    page = release.discover("hetrec:2", kind=table.kind)
    assert list(page) == release._release.tables.entries(table.name, "hetrec:2")
    assert page[0] == page.entries[0]
    assert list(page[:1]) == list(release.discover(2, kind=table.kind, limit=1))
    first = page.to_arrow().to_pylist()[0]
    assert (first["rank"], first["id"], first["reason"]) == (1, page[0].id, page[0].reason.name)
    assert repr(page).startswith(
        f"Discover: hetrec:2 ({len(page)} items, release {release.version})\n   1 {page[0].name}"
    )
    assert f"Because you play {page[0].reason.name}" in repr(page).splitlines()[1]


def test_a_user_without_a_list_of_the_main_kind_has_that_of_another(release, monkeypatch):
    table, tables = release._release.tables.tables["discover-artist"], release._release.tables
    main = replace(table, name="discover-track", kind="track")
    monkeypatch.setattr(release._opened, "tables", lambda _, kind=None: [table] if kind == "artist" else [main, table])
    monkeypatch.setattr(tables, "count", lambda name, key: int(name == table.name))
    assert list(release.discover("hetrec:2")) == tables.entries(table.name, "hetrec:2")


def test_items_are_asked_for_by_name(release):
    by_name, by_id = release.related("radiohead"), release.related("mb:radiohead")
    assert by_name == by_id
    assert by_name.name == "Radiohead"
    assert release.popular().name is None
    drawn = [release.station("Creep", seed) for seed in (1, 1)]
    assert drawn[0] == drawn[1]
    assert set(drawn[0].entries) <= set(release.radio("Creep", limit=None).entries)


def test_a_search_is_a_page(release):
    found = release.search("creep")
    assert {item.name for item in found} == {"Creep"}
    table = found.to_arrow()
    assert table.column_names == ["rank", "kind", "id", "name", "parent", "parent_id", "listeners", "plays"]
    assert table["parent"].to_pylist()[0] == "Radiohead"
    nothing = release.search("radiohaed", kind="artist")
    assert (len(nothing), nothing.suggestions) == (0, ("Radiohead",))
    assert nothing.to_arrow().schema == table.schema
    with pytest.raises(UnknownIdError):
        release.search("creep", kind="mood")


def test_what_is_not_there_is_named(release):
    with pytest.raises(UnknownIdError, match="nobody"):
        release.discover("nobody")
    with pytest.raises(UnknownIdError, match="tarot"):
        release.model("tarot")


def test_it_tells_what_it_has(release):
    assert repr(release).startswith(f"OpenedRelease({release.version}; lists: ")
    assert "discover-artist (" in repr(release)
    assert "hetrec:2" in release.users()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_pages_are_data_frames(release, library):
    pytest.importorskip(library)
    page = release.discover("hetrec:2")
    frame = getattr(page, f"to_{library}")()
    assert frame["name"].to_list() == [entry.name for entry in page]
    assert isinstance(page.to_arrow(), pa.Table)
