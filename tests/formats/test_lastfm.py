import json

import pytest

ARTIST = "8bfac288-ccc5-448d-9573-c33ea2aa5c30"
TRACK = "62c2e20a-559e-422f-a44c-9afa7882f0c4"
HEADER = "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n"

# 26 March 2006, noon, is day 13,233 since 1970 and twelve hours.
NOON = 13_233 * 86_400 + 12 * 3600


def test_csv_with_a_header(read, examples):
    found = read("lastfm-csv", examples["lastfm-csv"])
    assert found.listened == [
        {
            "line": 2,
            "listened_at": 1_143_374_412.0,
            "parent": "Metallica",
            "name": "Enter Sandman",
            "album": "Metallica",
            "parent_id": ARTIST,
            "item_id": TRACK,
        },
        {
            "line": 3,
            "listened_at": 1_143_374_777.0,
            "parent": "Earth, Wind & Fire",
            "name": 'Say "Yes"',
            "album": "I Am",
            "parent_id": None,
            "item_id": None,
        },
    ]
    assert found.dropped == []


def test_csv_without_a_header_with_and_without_commas_in_times(read):
    content = 'Low,Trust,"Candy Girl","26 Mar 2006, 12:00"\nEarth Wind & Fire,,Fantasy,26 Mar 2006 12:01\n'
    found = read("lastfm-csv", {"someone.csv": content.encode()})
    heard = [(row["listened_at"], row["parent"], row["album"], row["name"]) for row in found.listened]
    assert heard == [(NOON, "Low", "Trust", "Candy Girl"), (NOON + 60, "Earth Wind & Fire", None, "Fantasy")]


def test_both_shapes_of_csv_are_recognised(recognised):
    assert recognised("lastfm-csv", "x", (HEADER + "1,a,b,c,d,e,f,g\n").encode()) == 1
    assert recognised("lastfm-csv", "x", b'"uts","utc_time","artist","track"\n') == 1
    assert recognised("lastfm-csv", "x", b'Low,Trust,"Candy Girl","26 Mar 2006, 12:00"\n') > 0.9
    assert recognised("lastfm-csv", "x", b"artist,track\nLow,Fly\n") == 0


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1143374412,,Low,,Trust,,Fly", "malformed"),  # a column short
        ("1143374412,,Low,,Trust,,Fly,,", "malformed"),
        ("soon,,Low,,,,Fly,", "malformed"),
        (',,"Low",,,,"Fly",', "incomplete"),
        ("1143374412,,,,,,Fly,", "incomplete"),
        ("1143374412,,Low,,,, ,", "incomplete"),
        ('1143374412,,"Low,,,,Fly,', "malformed"),
    ],
)
def test_a_bad_row_of_csv_costs_itself_alone(row, reason, read):
    good = "1143374412,,Low,,,,Fly,\n"
    found = read("lastfm-csv", {"x.csv": f"{HEADER}{good}{row}\n{good}".encode()})
    assert [listen["line"] for listen in found.listened] == [2, 4]
    assert found.reasons == [(3, reason)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Low,Trust,Fly", "malformed"),
        ("Low,Trust,Fly,yesterday", "malformed"),
        ("Low,Trust,Fly,", "incomplete"),
        (",Trust,Fly,26 Mar 2006 12:00", "incomplete"),
        ("Low,Trust,,26 Mar 2006 12:00", "incomplete"),
    ],
)
def test_a_bad_row_without_a_header(row, reason, read):
    found = read("lastfm-csv", {"x.csv": f'{row}\nLow,Trust,Fly,"26 Mar 2006, 12:00"\n'.encode()})
    assert [listen["line"] for listen in found.listened] == [2]
    assert found.reasons == [(1, reason)]


def test_csv_takes_the_written_time_where_seconds_are_missing(read):
    content = f'{HEADER},"26 Mar 2006, 12:00",Low,not-an-mbid,,,Fly,\n'
    (listen,) = read("lastfm-csv", {"x.csv": content.encode()}).listened
    assert listen["listened_at"] == NOON
    assert listen["parent_id"] is None


def track(number, **more):
    return {"artist": {"#text": "Low", "mbid": ""}, "name": f"Song {number}", "date": {"uts": str(number)}, **more}


@pytest.mark.parametrize(
    "pages",
    [
        {"recenttracks": {"@attr": {"page": "1"}, "track": [track(1), track(2), track(3)]}},
        [{"recenttracks": {"track": [track(1), track(2)]}}, {"recenttracks": {"track": track(3)}}],
        [{"track": [track(1), track(2)], "@attr": {}}, {"track": [track(3)]}],
        [[track(1)], [], [track(2), track(3)]],
        [track(1), track(2), track(3)],
    ],
)
def test_json_in_every_shape_that_tools_keep(pages, read, recognised):
    content = json.dumps(pages, indent=1).encode()
    assert recognised("lastfm-json", "x.json", content) > 0.9
    found = read("lastfm-json", {"x.json": content})
    assert [(row["line"], row["listened_at"], row["name"]) for row in found.listened] == [
        (1, 1.0, "Song 1"),
        (2, 2.0, "Song 2"),
        (3, 3.0, "Song 3"),
    ]
    assert found.dropped == []


def test_json_pages_that_follow_each_other(read):
    page = json.dumps({"recenttracks": {"track": [track(1)]}}).encode()
    assert len(read("lastfm-json", {"x.json": page + b"\n" + page}).listened) == 2


def test_json_of_an_example(read, examples):
    found = read("lastfm-json", examples["lastfm-json"])
    assert found.listened == [
        {
            "line": 2,
            "listened_at": 1_143_374_412.0,
            "parent": "Metallica",
            "name": "Enter Sandman",
            "album": None,
            "parent_id": ARTIST,
            "item_id": TRACK,
        }
    ]
    assert found.dropped == [(1, "incomplete", "the time is missing")]


def test_extended_artists_have_a_name(read):
    content = json.dumps([track(5, artist={"name": "Low", "mbid": ARTIST}, loved="1")]).encode()
    (listen,) = read("lastfm-json", {"x.json": content}).listened
    assert (listen["parent"], listen["parent_id"]) == ("Low", ARTIST)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("text", "malformed"),
        (track(1, date={"uts": "soon"}), "malformed"),
        (track(1, artist=None), "incomplete"),
        (track(1, artist={"#text": " "}), "incomplete"),
        (track(1, name=""), "incomplete"),
        (track(1, name=7), "incomplete"),
        ({"error": 6, "message": "User not found"}, "incomplete"),
    ],
)
def test_a_bad_track_costs_itself_alone(bad, reason, read):
    found = read("lastfm-json", {"x.json": json.dumps([track(7), bad, track(8)]).encode()})
    assert [row["name"] for row in found.listened] == ["Song 7", "Song 8"]
    assert found.reasons == [(2, reason)]


def test_a_page_cut_short_keeps_its_beginning(read):
    content = json.dumps({"recenttracks": {"track": [track(1), track(2), track(3)]}}).encode()[:-40]
    found = read("lastfm-json", {"x.json": content})
    assert [row["name"] for row in found.listened] == ["Song 1", "Song 2"]
    assert "x.json" in found.damage
