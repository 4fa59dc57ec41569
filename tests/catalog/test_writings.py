"""What the catalogue knows to be written about artists."""

import pyarrow as pa
import pyarrow.parquet as pq

from crossfade.catalog.writings import build_writings
from crossfade.core.ids import Ids
from crossfade.core.schemas import ARTISTS, PLAYLIST_ITEMS, PLAYLISTS, TAGS, TEXTS
from crossfade.core.writings import SOURCES, Writings


def write(directory, name, schema, *rows):
    columns = {field.name: [row.get(field.name) for row in rows] for field in schema}
    pq.write_table(pa.table(columns, schema=schema), directory / f"{name}.parquet")


def test_tags_titles_and_prose_are_gathered_by_artist(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    write(tmp_path, "artists", ARTISTS, {"artist_id": "a", "name": "Abba"}, {"artist_id": "x", "name": "Not played"})
    write(
        tmp_path,
        "tags",
        TAGS,
        *({"artist_id": a, "tag": t, "count": n} for a, t, n in [("a", "pop", 7), ("x", "no", 1)]),
    )
    write(tmp_path, "texts", TEXTS, {"artist_id": "b", "text": "From Iceland."})
    named = [
        ("p1", "Party ", "ann"),
        ("p2", "Party", "ann"),
        ("p3", "Party", None),
        ("p4", "Party", None),
        ("p5", " ", "bob"),
    ]
    write(tmp_path, "playlists", PLAYLISTS, *({"playlist_id": p, "title": t, "owner": o} for p, t, o in named))
    items = [(p, position, "a") for p, *_ in named for position in (0, 1)] + [("p1", 2, "b"), ("p1", 3, None)]
    columns = ({"playlist_id": p, "position": n, "track_id": f"t{n}", "artist_id": a} for p, n, a in items)
    write(tmp_path, "playlist_items", PLAYLIST_ITEMS, *columns)

    rows = build_writings(tmp_path, Ids.of("abc"), made)

    found = Writings.load(made, kind="artist")
    told = [
        (found.item_ids[int(item)], SOURCES[int(source)], text, int(count))
        for item, source, text, count in zip(found.items, found.sources, found.texts, found.counts, strict=True)
    ]
    # One owner made two playlists of the name, two more have nobody's name on them.
    assert told == [
        ("a", "tag", "pop", 7),
        ("a", "playlist", "Party", 3),
        ("b", "playlist", "Party", 1),
        ("b", "prose", "From Iceland.", 1),
    ]
    assert list(found.names) == ["Abba", "b", "c"]
    assert rows == {"tag texts": 1, "playlist texts": 2, "prose texts": 1}


def test_a_catalogue_without_words_has_none(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    for name, schema in (("artists", ARTISTS), ("tags", TAGS), ("texts", TEXTS), ("playlists", PLAYLISTS)):
        write(tmp_path, name, schema)
    write(tmp_path, "playlist_items", PLAYLIST_ITEMS)
    assert sum(build_writings(tmp_path, Ids.of("ab"), made).values()) == 0
    assert len(Writings.load(made, kind="artist")) == 0
