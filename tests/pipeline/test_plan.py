"""Which steps a library gets, from the kinds of the rows of its imports."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.core.artifacts import Identity, writing
from crossfade.core.errors import NotReadyError
from crossfade.core.home import Home
from crossfade.core.schemas import TABLES
from crossfade.pipeline import plan as module
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.run import parts_of
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.sources import kinds_in


def written(path, name, rows, **options):
    """Rows as a table of that name; columns that are left out get a value that is allowed."""
    schema = TABLES[name]
    filled = [{field.name: row.get(field.name, None if field.nullable else 1) for field in schema} for row in rows]
    columns = {
        field.name: pa.array([row[field.name] for row in filled]).cast(field.type)
        if not pa.types.is_string(field.type)
        else pa.array([None if row[field.name] is None else str(row[field.name]) for row in filled], pa.string())
        for field in schema
    }
    pq.write_table(pa.table(columns, schema=schema), path, **options)
    return path


def counts(*rows):
    return [{"kind": kind, "item_id": "i", "parent_id": parent} for kind, parent in rows]


@pytest.mark.parametrize(
    ("rows", "kinds"),
    [
        ([], []),
        ([("artist", None)], ["artist"]),
        ([("track", None)], ["track"]),
        ([("track", "a")], ["artist", "track"]),
        ([("track", None), ("track", "a")], ["artist", "track"]),
        # Between the least and the greatest kind of a row group others may lie, or none.
        ([("track", None), ("artist", None)], ["artist", "track"]),
        ([("track", None), ("episode", None), ("artist", None)], ["artist", "track", "episode"]),
        ([("track", None), ("episode", "s")], ["track", "show", "episode"]),
        ([("track", "a"), ("episode", None)], ["artist", "track", "episode"]),
    ],
)
@pytest.mark.parametrize("options", [{}, {"row_group_size": 1}, {"write_statistics": False}])
def test_the_kinds_of_rows_and_of_the_parents_that_they_name(tmp_path, rows, kinds, options):
    path = written(tmp_path / "counts.parquet", "counts", counts(*rows), **options)
    assert kinds_in([path]) == kinds


def test_the_kinds_of_rows_that_have_no_parents(tmp_path):
    rows = [{"kind": "track", "item_id": "i", "tag": "t", "count": 1}]
    assert kinds_in([written(tmp_path / "tags.parquet", "tags", rows)]) == ["track"]


def test_the_rows_of_a_group_of_one_kind_are_not_read(tmp_path, monkeypatch):
    path = written(tmp_path / "counts.parquet", "counts", counts(("track", "a"), ("track", None)))
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", None)
    assert kinds_in([path]) == ["artist", "track"]


@pytest.fixture
def planned(tmp_path):
    """The plan of a home with one import of these tables."""

    def made(tables, **run):
        home = Home(tmp_path / "home")
        with writing(home.listens / "import", Identity(kind="import", version=2)) as draft:
            for name, rows in tables.items():
                written(draft.path / f"{name}.parquet", name, rows)
        return make_plan(home, Settings({"run": {"models": ["als"], **run}}))

    return made


def test_a_library_without_history_says_what_to_do(planned):
    with pytest.raises(NotReadyError, match="crossfade import"):
        planned({})


def test_tags_alone_are_learned_from(planned):
    plan = planned({"tags": [{"kind": "track", "item_id": "i", "tag": "t", "count": 1}]}, models=["als", "cultural"])
    assert plan.skipped == {"als-track": "no interactions of tracks in this library"}
    assert [step.name for step in plan.of("surface")] == ["surface-radio-track", "surface-popular-track"]


def test_every_kind_that_was_played_gets_its_steps(planned):
    plan = planned({"counts": counts(("track", "a"), ("episode", "s"))})
    assert list(plan.steps) == [
        "catalog",
        *(f"interactions-{kind}" for kind in ("artist", "track", "show", "episode")),
        "catalogue",
        *(f"{name}als-{kind}" for name in ("", "neighbours-") for kind in ("artist", "track", "show", "episode")),
        *(f"surface-related-{kind}" for kind in ("artist", "show")),
        *(
            f"surface-{name}-{kind}"
            for name in ("radio", "popular", "discover")
            for kind in ("artist", "track", "show", "episode")
        ),
    ]
    assert plan.skipped == {}
    positions = {name: position for position, name in enumerate(plan.steps)}
    for name, step in plan.steps.items():
        assert all(positions[need] < positions[name] for need in step.needs), name


def test_a_table_is_made_from_the_kinds_that_it_lists_and_gives_as_reasons(planned):
    plan = planned({"counts": counts(("track", "a"), ("episode", "s"))})

    def needed(name):
        return plan.steps[f"surface-{name}"].needs.keys() - {"catalogue"}

    learned = ("interactions", "als", "neighbours-als")
    assert needed("radio-episode") == {f"{name}-episode" for name in learned}
    assert needed("discover-episode") == {f"{name}-{kind}" for name in learned for kind in ("show", "episode")}
    assert needed("popular-track") == {"interactions-track"}


def test_a_release_includes_models_and_what_they_are_asked_with(planned):
    plan = planned({"counts": counts(("artist", None))}, models=["popularity", "als"])
    fitted = {"popularity-artist", "als-artist", "neighbours-als-artist"}
    assert {step.name for step in parts_of(plan)} == {"catalogue", "interactions-artist", *fitted}
    # The first model that compares items leads.
    assert plan.steps["surface-radio-artist"].models == {"artist": "als-artist"}


def test_the_steps_of_the_pages_come_first_and_only_the_leading_model_gets_neighbours(planned):
    plan = planned({"counts": counts(("artist", None))}, models=["popularity", "cooccurrence", "als"])
    pages = plan.pages()
    assert list(pages.steps) == list(plan.steps)[: len(pages.steps)]
    assert list(plan.steps)[len(pages.steps) :] == ["popularity-artist", "als-artist"]
    assert [step.name for step in plan.of("neighbours")] == ["neighbours-cooccurrence-artist"]
    assert {step.name for step in pages.of("surface", "fit")} >= {"cooccurrence-artist", "surface-radio-artist"}


def test_what_pages_wait_for_longest_is_begun_first(planned):
    plan = planned({"counts": counts(("artist", None))}, models=["blend", "als", "cooccurrence"])
    order = [step.name for step in plan.by_urgency()]
    assert sorted(order) == sorted(plan.steps)
    assert order.index("cut-als-artist") < order.index("weights-artist") < order.index("als-artist")
    assert order.index("surface-discover-artist") < order.index("surface-related-artist")
    plan = planned({"counts": counts(("track", "a"))}, models=["cooccurrence", "als", "popularity"])
    order = [step.name for step in plan.by_urgency()]
    assert {*order[: len(plan.pages().steps)]} == plan.pages().steps.keys()
    for place, name in enumerate(order):
        assert plan.steps[name].needs.keys() <= {*order[:place]}, name


def test_a_release_has_no_neighbour_tables_of_children(planned):
    plan = planned({"counts": counts(("track", "a"))})
    assert {step.name for step in plan.of("neighbours")} == {"neighbours-als-artist", "neighbours-als-track"}
    assert "neighbours-als-artist" in {step.name for step in parts_of(plan)}
    assert "neighbours-als-track" not in {step.name for step in parts_of(plan)}


def test_playlists_stand_in_where_a_kind_has_no_listens(planned):
    listed = [{"kind": "track", "item_id": "i", "parent_id": None}]
    plan = planned({"playlist_items": listed, "playlists": [{}]})
    assert "playlists-track" in plan.steps
    assert "interactions-track" not in plan.steps
    assert plan.steps["als-track"].source == "playlists-track"
    assert [step.name for step in plan.of("surface")] == ["surface-radio-track", "surface-popular-track"]
    both = planned({"playlist_items": listed, "playlists": [{}], "counts": counts(("track", None))})
    assert both.steps["als-track"].source == "interactions-track"
    assert "playlists-track" not in both.steps


def test_a_model_without_its_input_is_skipped_with_the_reason(planned, monkeypatch):
    plan = planned({"counts": counts(("artist", None))}, models=["als", "cultural"])
    assert plan.skipped == {"cultural-artist": "no texts of artists in this library"}
    monkeypatch.setattr(module, "missing_extra", lambda model: "word2vec" if model.name == "word2vec" else None)
    plan = planned({"counts": counts(("artist", None))}, models=["als", "word2vec"])
    assert plan.skipped == {"word2vec-artist": "pip install 'crossfade[word2vec]'"}


def test_sequences_and_texts_are_made_only_for_models_that_learn_from_them(planned):
    tables = {
        "counts": counts(("artist", None)),
        "tags": [{"kind": "artist", "item_id": "i", "tag": "t", "count": 1}],
        "playlists": [{}],
        "playlist_items": [{"kind": "artist", "item_id": "i"}],
    }
    assert not {"texts-artist", "sequences-artist"} & planned(tables).steps.keys()
    plan = planned(tables, models=["als", "cultural", "word2vec"])
    assert plan.steps["cultural-artist"].needs.keys() == {"texts-artist"}
    assert plan.steps["word2vec-artist"].needs.keys() == {"sequences-artist"}
