"""The history that imports have of a listener."""

from types import SimpleNamespace

import pytest
from tests.conftest import items_of

from crossfade.core.catalogue import Catalogue
from crossfade.importing.imports import import_paths
from crossfade.importing.library import imports
from crossfade.live.imported_plays import imported_plays

ARTIST, ROADS = "name:portishead", "name:portishead / roads"


@pytest.fixture
def shown(home, tmp_path):
    """Asks for what two files say of ann; the release knows one artist and her one track."""
    artists = items_of("artist", [ARTIST], ["Portishead"], listeners=[1], plays=[1])
    tracks = items_of("track", [ROADS], ["Roads"], parents=[0], listeners=[1], plays=[1])
    opened = SimpleNamespace(catalogue=Catalogue([artists, tracks]))
    for year, rows in {
        2024: ["ann,Portishead,Roads,{}-01-01T10:00:00Z", "bob,Portishead,Roads,{}-01-02T10:00:00Z"],
        2025: ["ann,Nobody Knows,Her Song,{}-01-01T10:00:00Z", "ann,Portishead,Roads,{}-01-03T10:00:00Z"],
    }.items():
        place = tmp_path / f"{year}.csv"
        place.write_text("\n".join(["user,artist,title,listened_at", *rows, ""]).replace("{}", str(year)))
        import_paths(home, [place])

    def ask(user="ann", text=None, limit=10, offset=0):
        return imported_plays(opened, home, user, text=text, limit=limit, offset=offset)

    return ask


def test_all_imports_of_a_listener_are_one_history_the_latest_first(shown):
    total, plays = shown()
    assert total == 3
    assert [(one.item.name, one.parent and one.parent.name) for one in plays] == [
        ("Roads", "Portishead"),
        (plays[1].item.id, None),
        ("Roads", "Portishead"),
    ]
    assert [one.imported for one in plays] == ["2025", "2025", "2024"]
    assert plays[0].listened_at > plays[1].listened_at > plays[2].listened_at
    assert shown("carl") == (0, [])


def test_a_part_of_the_history_is_asked_for(shown):
    total, plays = shown(limit=1, offset=1)
    assert (total, len(plays)) == (3, 1)
    assert plays == shown()[1][1:2]


@pytest.mark.parametrize(("text", "found"), [("ROADS", 2), ("portis", 2), ("her song", 1), ("nothing", 0)])
def test_plays_are_found_by_the_names_of_items_and_parents(shown, text, found):
    total, plays = shown(text=text)
    assert total == len(plays) == found


def test_an_import_that_cannot_be_read_is_left_out(shown, home):
    next(one for one in imports(home) if one.name == "2025").files("listens")[0].write_bytes(b"PAR1")
    assert shown()[0] == 1
