"""Namesakes are told apart by what else their listeners play."""

import pyarrow.parquet as pq
import pytest

from crossfade.catalog.build import DEFAULTS, build_catalog
from crossfade.catalog.identity import CatalogSettings

STYLES = {"rock": [f"Rock {n}" for n in range(12)], "pop": [f"Pop {n}" for n in range(12)]}


def source(id_of, tastes):
    """An import of 20 listeners of each style; each of ``tastes`` is played by those of its style besides."""
    names = [name for styles in STYLES.values() for name in styles] + list(tastes)
    counts = []
    for style, artists in STYLES.items():
        more = [name for name, of in tastes.items() if of == style]
        for listener in range(20):
            # Each listener plays three of four artists of the style, and one of the other one.
            other = next(artists for name, artists in STYLES.items() if name != style)
            played = [name for n, name in enumerate(artists) if (n + listener) % 4] + [other[listener % 12], *more]
            counts += [(f"{id_of('')}{style}{listener}", "artist", id_of(name), None, 1) for name in played]
    return {"artists": [(id_of(name), name) for name in names], "counts": counts}


def own(name):
    return f"name:{name.lower()}"


def theirs(name):
    return f"set:{name}"


@pytest.fixture
def built(imported, tmp_path):
    def build(*sources, settings=DEFAULTS):
        place = tmp_path / "catalog"
        place.mkdir(exist_ok=True)
        build_catalog(imported(*sources), place, settings)
        tables = (pq.read_table(place / f"{name}.parquet").to_pylist() for name in ("aliases", "namesakes"))
        aliases, namesakes = tables
        return {row["from_id"] for row in aliases}, {row["from_id"]: row for row in namesakes}

    return build


MINE = {"Beenie": "rock", "Sting": "pop"}
SET = {"Beenie": "pop", "Sting": "pop"}  # another Beenie, the same Sting


def test_a_namesake_that_other_people_listen_to_stays_apart(built):
    joined, apart = built(source(own, MINE), source(theirs, SET))
    assert set(apart) == {"name:beenie"}
    assert apart["name:beenie"]["observed"] < apart["name:beenie"]["expected"] / 2
    assert {"name:sting", "name:rock 0", "name:pop 11"} <= joined
    assert "name:beenie" not in joined


def test_one_listener_is_enough_where_the_set_has_many(built):
    mine = source(own, MINE)
    mine["counts"] = [row for row in mine["counts"] if row[0] == "name:rock1"]
    joined, apart = built(mine, source(theirs, SET))
    assert (set(apart), "name:rock 0" in joined) == ({"name:beenie"}, True)


@pytest.mark.parametrize("settings", [{"compare_taste": False}, {"same": (" BEENIE",)}])
def test_settings_join_them_by_name_alone(built, settings):
    joined, apart = built(source(own, MINE), source(theirs, SET), settings=CatalogSettings(**settings))
    assert (apart, "name:beenie" in joined) == ({}, True)


def test_without_enough_listeners_the_name_decides(built):
    other, few = source(theirs, SET), source(own, MINE)
    other["counts"] = [row for row in other["counts"] if row[2] != "set:Beenie" or row[0] in ("set:pop1", "set:pop2")]
    few["counts"] = [row for row in few["counts"] if row[2] != "name:beenie" or row[0] in ("name:rock1", "name:rock2")]
    joined, apart = built(few, other)
    assert (apart, "name:beenie" in joined) == ({}, True)
