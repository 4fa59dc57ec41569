import datetime
import errno
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.core.errors import InputError, SettingsError
from crossfade.core.home import Home
from crossfade.formats.columns import NAMES, Columns
from crossfade.importing.imports import import_paths

MBID = "8bfac288-ccc5-448d-9573-c33ea2aa5c30"


def parquet(**columns):
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    return content.getvalue()


def test_counts_of_named_artists(read):
    found = read("columns", {"x.csv": b"Username,Artist Name,Play Count\nanna,Low,3\nben,Low,1.0\n"})
    assert found.counted == [
        {"line": 2, "user_id": "anna", "plays": 3.0, "kind": "artist", "item_id": "name:low", "parent_id": None},
        {"line": 3, "user_id": "ben", "plays": 1.0, "kind": "artist", "item_id": "name:low", "parent_id": None},
    ]
    assert found.artists == {"name:low": "Low"}


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_listens_under_every_delimiter(delimiter, read, recognised):
    rows = [
        ["artist", "track", "album", "listened_at", "skipped", "duration_ms", "platform"],
        ["Low", '"Fly, again;|\t"', "Trust", "2006-03-26T12:00:12Z", "false", "331000", "phone"],
    ]
    content = "\n".join(delimiter.join(row) for row in rows).encode()
    assert recognised("columns", "x", content) >= 0.5
    found = read("columns", {"x": content})
    assert [(row.get("user_id"), row["listened_at"], row["name"], row["duration_ms"]) for row in found.listened] == [
        (None, 1_143_374_412, "Fly, again;|", 331_000)
    ]
    assert (found.listened[0]["skipped"], found.listened[0]["platform"]) == (False, "phone")


def test_names_are_tried_in_their_order_and_each_column_is_used_once():
    found = Columns().recognised(["Track", "song", "artist", "user_name", "ts", "date"])
    assert found == {"title": "Track", "artist": "artist", "user": "user_name", "listened_at": "ts"}
    # A column that the user has mapped is not recognised as another one.
    assert Columns({"title": "artist"}).recognised(["artist", "band"]) == {"title": "artist", "artist": "band"}


def test_mapped_columns_take_precedence(read):
    content = b"who,what,artist,n\nanna,Low,ignored,3\n"
    kind = Columns({"user": "who", "artist": "what", "plays": "n"})
    (count,) = read(kind, {"x.csv": content}).counted
    assert (count["user_id"], count["item_id"], count["plays"]) == ("anna", "name:low", 3)


def test_a_mapping_to_nothing_is_refused(read):
    with pytest.raises(SettingsError, match="'listener'"):
        Columns({"listener": "who"})
    found = read(Columns({"artist": "band"}), {"x.csv": b"user,group\na,b\n"})
    assert found.damage == "x.csv, line 1: there is no column 'band'. There are: user, group."


def test_a_table_that_names_no_item_is_refused(read):
    found = read("columns", {"x.csv": b"user,plays\na,1\n"})
    assert "no column names the artist or the track. There are: user, plays. Map one" in found.damage


def test_ids_stay_behind_the_name_of_their_source(read):
    content = f"user,artist_id,track_id\na,{MBID.upper()},spotify:track:1\na,51,\n".encode()
    counted = read("columns", {"x.csv": content}).counted
    assert [(count["kind"], count["item_id"], count["parent_id"], count["plays"]) for count in counted] == [
        ("track", "spotify:track:1", MBID, 1),
        ("artist", "columns:51", None, 1),
    ]


def test_a_track_that_is_known_by_its_id_alone_is_a_listen(read):
    found = read("columns", {"x.csv": b"user,song_id,timestamp\na,7,1143374412\n"})
    assert found.counted == []
    assert [(row["item_id"], row["name"], row["parent"], row["listened_at"]) for row in found.listened] == [
        ("columns:7", None, None, 1_143_374_412)
    ]


def test_a_track_that_is_named_under_an_artists_id_is_counted(read):
    (count,) = read("columns", {"x.csv": f"user,artist_id,track\na,{MBID},Fly\n".encode()}).counted
    assert (count["kind"], count["item_id"], count["parent_id"]) == ("track", f"name:{MBID} / fly", MBID)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("anna,Low,Fly", "malformed"),
        ('anna,"Low,Fly,1', "malformed"),
        ("anna,Low,Fly,soon", "malformed"),
        ("anna,Low,Fly,", "incomplete"),
        (",Low,Fly,1", "incomplete"),
        ("anna,,Fly,1", "incomplete"),
    ],
)
def test_a_bad_row_costs_itself_alone(row, reason, read):
    found = read("columns", {"x.csv": f"user,artist,title,time\n{row}\nanna,Low,Fly,5\n".encode()})
    assert [listen["line"] for listen in found.listened] == [3]
    assert found.reasons == [(2, reason)]


def test_a_count_that_is_no_number_and_private_counts_are_dropped(read):
    found = read("columns", {"x.csv": b"artist,plays,private\nLow,many,0\nLow,3,1\nLow,3,no\n"})
    assert found.reasons == [(2, "malformed"), (3, "private")]
    assert [count["user_id"] for count in found.counted] == ["me"]


def test_of_private_listens_not_even_the_faults_are_told(read):
    content = b"user,artist,ts,incognito_mode\na,Low,5,True\n,,soon,1\na,Low,soon,yes\na,Low,5,no\n"
    found = read("columns", {"x.csv": content})
    assert found.reasons == [(2, "private"), (3, "private"), (4, "private")]
    assert [listen["line"] for listen in found.listened] == [5]


def test_parquet_of_every_kind_of_value(read, recognised):
    noon = datetime.datetime(2006, 3, 26, 12, 0, 12)
    content = parquet(
        user_id=pa.array([1, 2, None]),
        artist=pa.array(["Low", "Björk", "Low"]).dictionary_encode(),
        track=pa.array(["Fly", None, "x"], pa.large_string()),
        time=pa.array([noon, noon, noon], pa.timestamp("ns")),
        ms_played=pa.array([1000, None, 5], pa.int64()),
        skipped=pa.array([True, None, False]),
        blob=pa.array([b"\x00", b"", None]),
    )
    assert recognised("columns", "x.parquet", content) >= 0.5
    assert recognised("columns", "x.parquet", parquet(user=["a"], colour=["red"])) == 0
    found = read("columns", {"x.parquet": content})
    heard = [
        (row["line"], row["user_id"], row["parent"], row["name"], row["ms_played"], row["skipped"])
        for row in found.listened
    ]
    assert heard == [(1, "1", "Low", "Fly", 1000, True), (2, "2", "Björk", None, None, None)]
    assert {row["listened_at"] for row in found.listened} == {1_143_374_412}
    assert found.reasons == [(3, "incomplete")]


def test_parquet_with_two_columns_of_one_name_is_refused(read):
    content = io.BytesIO()
    pq.write_table(pa.table([["a"], ["b"], ["Low"]], names=["user", "user", "artist"]), content)
    assert "several columns 'user'" in read("columns", {"x.parquet": content.getvalue()}).damage


def test_what_the_sink_cannot_do_is_no_damage_of_the_file(read, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr("crossfade.formats.columns._put", full)
    with pytest.raises(OSError, match="disk full"):
        read("columns", {"x.parquet": parquet(user=["a"], artist=["Low"])})


def test_parquet_from_an_archive_is_read_up_to_a_limit(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("x.parquet", parquet(user=["a"], artist=["Low"]))
    (ledger,) = import_paths(Home(tmp_path / "home"), [tmp_path / "x.zip"])
    assert (ledger.counts, ledger.damaged) == (1, [])
    monkeypatch.setattr("crossfade.formats.parquet_files.MAX_ARCHIVED_BYTES", 100)
    with pytest.raises(InputError, match="inside an archive; unpack it first"):
        import_paths(Home(tmp_path / "other"), [tmp_path / "x.zip"])


def test_parquet_of_one_row_without_end_is_refused(read, monkeypatch):
    monkeypatch.setattr("crossfade.formats.streams.FREE_BYTES", 1 << 20)
    many = 200_000
    columns = {"artist": pa.array(["a band of a long name"] * many), "plays": pa.array([1] * many)}
    found = read("columns", {"x.parquet": parquet(**columns)})
    assert "expands to more than 1000 times its size" in found.damage
    assert len(found.counted) < many / 2


@pytest.mark.parametrize(
    "times",
    [
        pa.array([1_143_374_412], pa.int32()),
        pa.array([1_143_374_412_000], pa.int64()),
        pa.array([datetime.datetime(2006, 3, 26, 14, 0, 12)], pa.timestamp("ms")).cast(pa.timestamp("ms")),
        pa.array([1_143_374_412_000], pa.timestamp("ms", tz="Europe/Berlin")),
        pa.array(["2006-03-26 12:00:12"]),
    ],
)
def test_times_in_parquet(times, read):
    (listen,) = read("columns", {"x.parquet": parquet(artist=["Low"], time=times)}).listened
    # A time without a zone is UTC.
    expected = 1_143_374_412 + (7200 if times.type == pa.timestamp("ms") else 0)
    assert listen["listened_at"] == expected


def test_bytes_that_are_no_text_are_no_name(read):
    names = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff\xfe", b"Low"]).buffers())
    found = read("columns", {"x.parquet": parquet(artist=names, plays=[1, 2])})
    assert [(count["line"], count["item_id"]) for count in found.counted] == [(2, "name:low")]
    assert found.reasons == [(1, "incomplete")]


def test_damaged_parquet_is_damage(read):
    whole = parquet(artist=["Low"] * 1000, plays=[1] * 1000)
    assert "x.parquet" in read("columns", {"x.parquet": whole[:-20]}).damage
    assert "x.parquet" in read("columns", {"x.parquet": b"PAR1" + b"\0" * 100}).damage


def test_every_name_leads_to_one_column_only():
    names = [name for known in NAMES.values() for name in known]
    assert len(names) == len(set(names))
    assert all(name == "".join(filter(str.isalnum, name.casefold())) for name in names)
