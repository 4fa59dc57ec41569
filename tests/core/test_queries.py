import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.core import queries as module
from crossfade.core.errors import ArtifactError, SettingsError
from crossfade.core.names import normalised
from crossfade.core.queries import SMALLEST_MEMORY, open_queries, rows_about
from crossfade.core.schemas import ITEMS

ARTISTS = ITEMS["artists"]
NUMBERS = pa.schema([pa.field("number", pa.int64(), nullable=False)])


@pytest.fixture
def queries(tmp_path):
    with open_queries(tmp_path / "spill") as opened:
        yield opened


def test_a_view_reads_every_file_and_says_which(queries, tmp_path):
    # A directory like a partition's must not overrule the column, nor a pattern take in the file beside it.
    (tmp_path / "name=overruled").mkdir()
    paths = [tmp_path / "name=overruled" / "a [x]*'.parquet", tmp_path / "b*.parquet"]
    for path in [*paths, tmp_path / "beside.parquet"]:
        pq.write_table(pa.table([["id"], [path.name]], schema=ARTISTS), path)
    queries.view("artists", paths, ARTISTS)
    found = queries.rows("SELECT name, filename FROM artists ORDER BY name")
    assert found == [(path.name, str(path)) for path in paths]


def test_a_view_of_no_files_has_the_columns_and_no_rows(queries):
    queries.view("artists", [], ARTISTS)
    assert queries.rows("SELECT item_id, name, filename FROM artists") == []


def test_a_file_that_is_not_there_is_an_artifact_error(queries, tmp_path):
    with pytest.raises(ArtifactError, match=r"gone\.parquet"):
        queries.view("artists", [tmp_path / "gone.parquet"], ARTISTS)


def test_a_file_without_our_columns_is_an_artifact_error(queries, tmp_path):
    pq.write_table(pa.table({"other": ["x"]}), tmp_path / "other.parquet")
    with pytest.raises(ArtifactError, match="item_id"):
        queries.view("artists", [tmp_path / "other.parquet"], ARTISTS)


def test_a_function_is_called_for_every_text_and_not_for_null(queries):
    queries.function("normalised", normalised)
    assert queries.rows("SELECT normalised(t) FROM (VALUES (' Ｂjörk '), (NULL)) AS v(t)") == [("björk",), (None,)]


def test_values_are_bound_and_not_pasted(queries):
    assert queries.rows("SELECT $text", text="'; DROP TABLE x; --") == [("'; DROP TABLE x; --",)]


@pytest.mark.parametrize("rows", [0, 1, 6, 7])
def test_what_is_written_has_the_same_bytes_whatever_the_batches(queries, tmp_path, monkeypatch, rows):
    monkeypatch.setattr(module, "GROUP", 3)
    sql = f"SELECT number FROM range({rows}) AS r(number) ORDER BY number"
    assert queries.write(sql, NUMBERS, tmp_path / "whole.parquet") == rows
    monkeypatch.setattr(module, "BATCH", 2)
    queries.write(sql, NUMBERS, tmp_path / "pieces.parquet")
    assert (tmp_path / "pieces.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert pq.read_table(tmp_path / "whole.parquet").column("number").to_pylist() == list(range(rows))
    assert pq.read_metadata(tmp_path / "whole.parquet").num_row_groups == -(-rows // 3)


def test_what_exceeds_the_memory_goes_to_disk(tmp_path):
    spill = tmp_path / "spill"
    sql = "CREATE TEMP TABLE texts AS SELECT repeat(md5(CAST(n AS VARCHAR)), 4) AS text FROM range(900000) AS r(n)"
    with open_queries(spill, memory_limit=SMALLEST_MEMORY, threads=1) as queries:
        queries.run(sql)
        assert any(spill.iterdir())
        assert queries.rows("SELECT sum(length(text)) FROM texts") == [(900_000 * 128,)]


def test_what_does_not_fit_into_memory_at_all_names_the_setting(tmp_path):
    with (
        open_queries(tmp_path / "spill", memory_limit=SMALLEST_MEMORY, threads=1) as queries,
        pytest.raises(SettingsError, match="memory_limit is too low") as raised,
    ):
        queries.rows("SELECT list(md5(CAST(n AS VARCHAR))) FROM range(1000000) AS r(n)")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("limits", [{"memory_limit": SMALLEST_MEMORY - 1}, {"threads": 0}])
def test_limits_that_cannot_work_are_refused(tmp_path, limits):
    with pytest.raises(SettingsError, match=next(iter(limits))), open_queries(tmp_path, **limits):
        raise AssertionError("opened")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("artist", ["a:1", "a:2"]), ("track", ["t:1", "t:2"]), ("show", ["s:1"]), ("episode", ["t:1"])],
)
def test_a_row_is_about_its_item_and_about_the_parent(queries, kind, expected):
    rows = "('track', 't:1', 'a:1'), ('track', 't:2', NULL), ('artist', 'a:2', NULL), ('episode', 't:1', 's:1')"
    queries.run(f"CREATE TEMP VIEW named AS SELECT * FROM (VALUES {rows}) AS rows (kind, item_id, parent_id)")
    found = queries.rows(f"SELECT item FROM ({rows_about(kind, 'named')}) ORDER BY item")
    assert found == [(item,) for item in expected]
