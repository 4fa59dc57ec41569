"""What the catalogue knows to be written about items of any kind."""

import pytest

from crossfade.catalog.build import build_catalog
from crossfade.catalog.writings import build_writings
from crossfade.core.ids import Ids
from crossfade.core.writings import SOURCES, Writings


@pytest.fixture
def built(imported, tmp_path):
    """The texts about some items as (id, source, text, count), their names, and the rows of the step."""

    def build(kind, ids, **tables):
        catalog, made = tmp_path / "catalog", tmp_path / "made"
        catalog.mkdir(exist_ok=True)
        made.mkdir(exist_ok=True)
        build_catalog(imported(tables), catalog)
        rows = build_writings(catalog, kind, Ids.of(ids), made)
        read = Writings.load(made, kind=kind)
        assert {path.suffix for path in made.iterdir()} == {".npy"}
        texts = [
            (read.item_ids[int(item)], SOURCES[int(source)], text, int(count))
            for item, source, text, count in zip(read.items, read.sources, read.texts, read.counts, strict=True)
        ]
        return texts, list(read.names), rows

    return build


NAMED = [("p1", "Party ", "ann"), ("p2", "Party", "ann"), ("p3", "Party"), ("p4", "Party"), ("p5", " ", "bob")]


def test_tags_titles_and_prose_are_gathered_by_item(built):
    listed = [(p, position, "track", f"t{position}", "a") for p, *_ in NAMED for position in (0, 1)]
    listed += [
        ("p1", 2, "track", "t2", "b"),
        ("p1", 3, "track", "t3"),
        ("p1", 4, "artist", "c"),
        ("p1", 5, "show", "a"),
    ]
    texts, names, rows = built(
        "artist",
        "abcd",
        artists=[("a", "Abba"), ("x", "Not asked for")],
        tags=[("artist", "a", "pop", 7), ("artist", "x", "no", 1), ("show", "a", "no", 1)],
        texts=[("artist", "b", "From Iceland."), ("track", "a", "no")],
        playlists=NAMED,
        playlist_items=listed,
    )
    # One owner made two playlists of the name, two more have nobody's name on them.
    assert texts == [
        ("a", "tag", "pop", 7),
        ("a", "playlist", "Party", 3),
        ("b", "playlist", "Party", 1),
        ("c", "playlist", "Party", 1),
        ("b", "prose", "From Iceland.", 1),
    ]
    assert names == ["Abba", "b", "c", "d"]
    assert rows == {"tag texts": 1, "playlist texts": 3, "prose texts": 1}


def test_texts_about_a_child_are_its_own(built):
    texts, names, _ = built(
        "episode",
        ["e", "f"],
        episodes=[("f", "Second", "s")],
        tags=[("show", "s", "talk", 5), ("episode", "f", "long", 1)],
        playlists=[("p", "Walks")],
        playlist_items=[("p", 0, "episode", "e", "s"), ("p", 1, "show", "f")],
    )
    assert texts == [("f", "tag", "long", 1), ("e", "playlist", "Walks", 1)]
    assert names == ["e", "Second"]


def test_a_catalogue_without_words_has_none(built):
    texts, names, rows = built("track", "ab")
    assert (texts, names) == ([], ["a", "b"])
    assert sum(rows.values()) == 0
