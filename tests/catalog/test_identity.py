import pyarrow.parquet as pq
import pytest

from crossfade.catalog.build import DEFAULTS, build_catalog
from crossfade.catalog.identity import CatalogSettings
from crossfade.core.errors import SettingsError

RADIOHEAD = "a74b1b7f-71a5-4011-9441-d0b5e4122711"
OTHER = "11111111-71a5-4011-9441-d0b5e4122711"
CREEP = "c0000000-71a5-4011-9441-d0b5e4122711"
CREEP_LIVE = "c1111111-71a5-4011-9441-d0b5e4122711"


@pytest.fixture
def aliases(imported, tmp_path):
    def find(*, settings=DEFAULTS, kind="artist", **tables):
        place = tmp_path / "catalog"
        place.mkdir()
        build_catalog(imported(tables), place, settings)
        rows = pq.read_table(place / "aliases.parquet").to_pylist()
        return {row["from_id"]: row["to_id"] for row in rows if row["kind"] == kind}

    return find


def test_a_name_joins_the_only_artist_of_that_name(aliases):
    found = aliases(artists=[("name:radiohead", "Radiohead"), ("hetrec:5", " RADIOHEAD"), ("hetrec:6", "Muse")])
    assert found == {"name:radiohead": "hetrec:5"}


def test_a_name_and_a_source_join_the_musicbrainz_identifier(aliases):
    found = aliases(artists=[("name:radiohead", "radiohead"), ("hetrec:5", "Radiohead"), (RADIOHEAD, "Radiohead")])
    assert found == {"name:radiohead": RADIOHEAD, "hetrec:5": RADIOHEAD}


def test_several_sources_join_one_musicbrainz_identifier_each(aliases):
    found = aliases(artists=[("spotify:9", "Radiohead"), ("hetrec:5", "Radiohead"), (RADIOHEAD, "Radiohead")])
    assert found == {"spotify:9": RADIOHEAD, "hetrec:5": RADIOHEAD}


def test_a_name_of_two_artists_of_different_sources_joins_neither(aliases):
    assert aliases(artists=[("name:x", "X"), ("hetrec:5", "X"), ("spotify:9", "X")]) == {}


def test_ids_of_one_source_with_one_name_stay_apart_and_the_name_prefers_musicbrainz(aliases):
    found = aliases(artists=[("name:x", "X"), ("hetrec:5", "X"), ("hetrec:6", "X"), (RADIOHEAD, "X")])
    assert found == {"name:x": RADIOHEAD}


def test_two_musicbrainz_artists_of_one_name_stay_apart(aliases):
    assert aliases(artists=[("name:x", "X"), ("hetrec:5", "X"), (OTHER, "X"), (RADIOHEAD, "X")]) == {}


def test_two_ids_of_one_source_never_meet_in_one_identifier(aliases):
    # The identifier has both names; were both joined, hetrec:5 and hetrec:6 would become one artist.
    artists = [("hetrec:5", "Prince"), ("hetrec:6", "The Artist"), (RADIOHEAD, "Prince"), (RADIOHEAD, "The Artist")]
    assert aliases(artists=artists) == {}


def test_an_id_whose_names_point_to_two_identifiers_joins_neither(aliases):
    artists = [("hetrec:5", "Prince"), ("hetrec:5", "The Artist"), (RADIOHEAD, "Prince"), (OTHER, "The Artist")]
    assert aliases(artists=artists) == {}


def test_a_name_that_stands_for_two_artists_joins_neither(aliases):
    assert aliases(artists=[("name:x", "X"), ("name:x", "Y"), (RADIOHEAD, "X"), (OTHER, "Y")]) == {}


def test_a_name_follows_a_source_to_its_identifier(aliases):
    artists = [("name:ye", "Ye"), ("hetrec:5", "Ye"), ("hetrec:5", "Kanye West"), (OTHER, "Kanye West")]
    assert aliases(artists=artists) == {"name:ye": OTHER, "hetrec:5": OTHER}


def test_an_empty_name_joins_nothing(aliases):
    assert aliases(artists=[("hetrec:5", " "), (RADIOHEAD, "  ")]) == {}


def test_names_are_compared_with_compatibility_and_case_folded(aliases):
    found = aliases(artists=[("name:strasse", "strasse"), (OTHER, "ＳＴＲＡẞＥ")])
    assert found == {"name:strasse": OTHER}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (CatalogSettings(join_sources=False), {"name:muse": "hetrec:6"}),
        (CatalogSettings(join_names=False), {"hetrec:5": RADIOHEAD}),
    ],
)
def test_either_rule_can_be_switched_off(aliases, settings, expected):
    artists = [("hetrec:5", "Radiohead"), (RADIOHEAD, "Radiohead"), ("name:muse", "Muse"), ("hetrec:6", "Muse")]
    assert aliases(settings=settings, artists=artists) == expected


ARTISTS = [("name:radiohead", "Radiohead"), (RADIOHEAD, "Radiohead"), (OTHER, "TLC")]


def test_a_track_joins_by_its_settled_artist_and_its_title(aliases):
    tracks = [
        ("name:radiohead / creep", "Creep", "name:radiohead"),
        ("spotify:1", "CREEP", "name:radiohead"),
        (CREEP, "Creep", RADIOHEAD),
        (CREEP_LIVE, "Creep", OTHER),
    ]
    assert aliases(kind="track", artists=ARTISTS, tracks=tracks) == {
        "name:radiohead / creep": CREEP,
        "spotify:1": CREEP,
    }


def test_a_title_that_an_artist_has_twice_joins_nothing(aliases):
    tracks = [
        ("name:radiohead / creep", "Creep", "name:radiohead"),
        (CREEP, "Creep", RADIOHEAD),
        (CREEP_LIVE, "Creep", RADIOHEAD),
    ]
    assert aliases(kind="track", artists=ARTISTS, tracks=tracks) == {}


def test_tracks_without_artist_or_title_join_nothing(aliases):
    tracks = [("spotify:1", "Creep", None), (CREEP, "Creep", None), ("spotify:2", " ", OTHER), (CREEP_LIVE, "", OTHER)]
    assert aliases(kind="track", artists=ARTISTS, tracks=tracks) == {}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("show", {"name:talk": "s:1"}),
        ("episode", {"name:talk / one": "e:1"}),
        ("artist", {"s:1": RADIOHEAD}),
        ("track", {}),  # the artist of the name "Talk" is not the show s:1
    ],
)
def test_every_kind_follows_the_rules_and_meets_no_other_kind(aliases, kind, expected):
    tables = {
        "shows": [("name:talk", "Talk"), ("s:1", "Talk")],
        "episodes": [("name:talk / one", "One", "name:talk"), ("e:1", "One", "s:1"), ("e:2", "One", "s:2")],
        "artists": [("s:9", "Talk"), ("t:9", "Talk"), ("s:1", "Radiohead"), (RADIOHEAD, "Radiohead")],
        "tracks": [("name:talk / one", "One", "name:talk"), ("t:1", "One", "s:1")],
    }
    assert aliases(kind=kind, **tables) == expected


def test_settings_that_are_no_switch_are_refused():
    with pytest.raises(SettingsError, match="join_names"):
        CatalogSettings(join_names="no")
