"""The music in YouTube's watch history."""

import json
import zipfile

import pytest

from crossfade.core.home import Home
from crossfade.formats.local_dates import local_time
from crossfade.importing.imports import import_paths

TEN = 1_577_959_200.0  # 2020-01-02 10:00 UTC


def record(title="Watched Fly", channel="Low - Topic", **columns):
    return {
        "header": "YouTube Music",
        "title": title,
        "titleUrl": "https://music.youtube.com/watch?v=abcdefghij1",
        "subtitles": [{"name": channel, "url": "https://www.youtube.com/channel/UC1"}],
        "time": "2020-01-02T10:00:00.000Z",
        "products": ["YouTube"],
        **columns,
    }


def history(*records):
    return {"watch-history.json": json.dumps(records).replace("v=", "v\\u003d").encode()}


def test_a_song_is_a_listen(read, recognised):
    files = history(record())
    assert recognised("youtube-music", "x.json", files["watch-history.json"]) == 1
    assert read("youtube-music", files).listened == [
        {"line": 1, "listened_at": TEN, "name": "Fly", "parent": "Low", "item_id": "youtube:abcdefghij1"}
    ]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"header": "YouTube", "channel": "A channel"}, "unsupported"),
        ({"titleUrl": None}, "not-a-play"),
        ({"title": "Searched for low", "titleUrl": "https://www.youtube.com/results?search_query=low"}, "not-a-play"),
        ({"details": [{"name": "From Google Ads"}]}, "not-a-play"),
        ({"title": "Watched https://music.youtube.com/watch?v=abcdefghij1"}, "incomplete"),
        ({"subtitles": []}, "incomplete"),
        ({"subtitles": 7}, "incomplete"),
        ({"channel": "Release - Topic"}, "incomplete"),
        ({"time": None}, "incomplete"),
        ({"time": "yesterday"}, "malformed"),
    ],
)
def test_records_that_are_no_listens(read, columns, reason):
    found = read("youtube-music", history(record(), record(**columns), 7))
    assert found.reasons == [(3, "malformed"), (2, reason)]
    assert len(found.listened) == 1


@pytest.mark.parametrize("columns", [{"channel": "Low - Topic"}, {"details": [{"name": "From YouTube Music"}]}])
def test_music_may_be_played_outside_of_youtube_music(read, columns):
    found = read("youtube-music", history(record(header="YouTube", **{"channel": "Low", **columns})))
    assert [listen["parent"] for listen in found.listened] == ["Low"]


@pytest.mark.parametrize(
    ("channel", "title", "credited"),
    [
        ("TaylorSwiftVEVO", "Taylor Swift - Blank Space", ("Taylor Swift", "Blank Space")),
        ("Low", "Low - Fly", ("Low", "Fly")),
        ("Sub Pop", "Low - Fly", ("Sub Pop", "Low - Fly")),
        ("Low", "Fly - Live", ("Low", "Fly - Live")),
        ("Low - Topic", "Low - Live", ("Low", "Low - Live")),
    ],
)
def test_the_artist_of_a_music_video(read, channel, title, credited):
    (listen,) = read("youtube-music", history(record(f"Watched {title}", channel))).listened
    assert (listen["parent"], listen["name"]) == credited


SONGS = ["Fly", "Monkey", "Just Make It Stop", "Clarence White", "Plastic Cup", "Holy Ghost", "Amethyst", "Mother",
         "So Blue", "On My Own", "To Our Knees"]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        "Watched {}",
        "{} angesehen",
        "Vous avez regardé {}",
        "„{}“ angesehen",
        "{} を視聴しました",
        "Obejrzano: {}",
        "{}",
    ],
)
def test_the_words_around_titles_are_learned_from_the_file(read, words):
    songs = [record(words.format(song)) for song in SONGS] + [record("Visited a page", titleUrl="")]
    assert [listen["name"] for listen in read("youtube-music", history(*songs)).listened] == SONGS


def test_a_cut_file_keeps_its_records(read):
    content = history(record(), record("Watched Monkey"))["watch-history.json"]
    found = read("youtube-music", {"x.json": content[:-40]})
    assert [listen["name"] for listen in found.listened] == ["Fly"]
    assert "cut short" in found.damage


def cell(body, header="YouTube Music", caption="<b>Products:</b><br>&emsp;YouTube<br>"):
    return (
        '<div class="outer-cell mdl-cell mdl-cell--12-col mdl-shadow--2dp"><div class="mdl-grid">'
        f'<div class="header-cell mdl-cell mdl-cell--12-col"><p class="mdl-typography--title">{header}<br></p></div>'
        f'<div class="content-cell mdl-cell mdl-cell--6-col mdl-typography--body-1">{body}</div>'
        '<div class="content-cell mdl-cell mdl-cell--6-col mdl-typography--body-1 mdl-typography--text-right"></div>'
        f'<div class="content-cell mdl-cell mdl-cell--12-col mdl-typography--caption">{caption}</div></div></div>'
    )


def song(title="Fly", channel="Low - Topic", time="Jan 2, 2020, 10:00:00\u202fAM UTC"):
    return (
        f'Watched\u00a0<a href="https://music.youtube.com/watch?v=abcdefghij1">{title}</a><br>'
        f'<a href="https://www.youtube.com/channel/UC1">{channel}</a><br>{time}<br>'
    )


def page(*cells, style=200_000):
    head = "<html><head><title>History</title><style>.mdl-grid{}" + "x" * style + "</style></head><body><div>"
    return (head + "".join(cells) + "</div></body></html>").encode()


def test_the_page_has_the_same(read, recognised):
    cells = [
        cell(song("R&amp;B", "Bj\u00f6rk - Topic")),
        cell(song(), header="YouTube"),
        cell(song(channel="A channel"), header="YouTube"),
        cell("Watched a video that has been removed<br>Jan 2, 2020, 10:00:00 AM UTC<br>"),
        cell(song(), caption="<b>Details:</b><br>&emsp;From Google Ads<br>"),
        cell(song(time="02-01-2020")),
        cell(song(time="2 janv. 2020, 11:00:00 CET")),
    ]
    content = page(*cells)
    for name in ("watch-history.html", "Takeout/YouTube y YouTube Music/historial/historial.html"):
        assert recognised("youtube-music", name, content) == 0.7
    assert recognised("youtube-music", "x.html", page(*cells, style=9)) == 1
    found = read("youtube-music", {"watch-history.html": content})
    assert [(row["line"], row["parent"], row["name"], row["listened_at"]) for row in found.listened] == [
        (1, "Björk", "R&B", TEN),
        (2, "Low", "Fly", TEN),
        (7, "Low", "Fly", TEN),
    ]
    assert found.reasons == [(3, "unsupported"), (4, "not-a-play"), (5, "not-a-play"), (6, "malformed")]


def test_a_page_of_any_cells_is_read_in_bounded_memory(read):
    content = page(cell(song()), '<div class="outer-cell">' + "y" * (5 << 20), cell(song("Monkey")))
    found = read("youtube-music", {"watch-history.html": content})
    assert [listen["name"] for listen in found.listened] == ["Fly", "Monkey"]
    assert found.reasons == [(2, "not-a-play")]


@pytest.mark.parametrize(
    "text",
    [
        "Jan 2, 2020, 10:00:00 AM",
        "Jan 2, 2020, 2:00:00 AM PST",
        "2 Jan 2020, 10:00:00 GMT",
        "02.01.2020, 11:00:00 MEZ",
        "2 janv. 2020, 11:00:00 CET",
        "2 ene 2020, 11:00:00 CET",
        "2 ene. 2020, 7:00:00 a.m. GMT-03:00",
        "2 gen 2020, 11:00:00 CET",
        "2 de jan. de 2020 07:00:00 BRT",
        "02/01/2020, 10:00:00 WET",
        "2 jan 2020, 11:00:00 CET",
        "2 sty 2020, 11:00:00 CET",
        "2. jan. 2020 11.00.00 CET",
        "2 янв. 2020\u202fг., 13:00:00 MSK",
        "2020/01/02 19:00:00 JST",
        "2020年1月2日 18:00:00 GMT+8",
        "2020. 1. 2. 오후 7:00:00 KST",
        "2 Jan 2020, 15:30:00 IST",
        "2 Jan 2020, 10:00:00 NOWHERE",
    ],
)
def test_dates_of_many_languages(text):
    assert local_time(text) == TEN


@pytest.mark.parametrize(
    ("text", "hour"), [("12:00:00 AM", 0), ("12:00:00 PM", 12), ("1:00:00 PM", 13), ("11:00:00 p.m.", 23)]
)
def test_noon_and_midnight(text, hour):
    assert local_time(f"Jan 2, 2020, {text}") == TEN + (hour - 10) * 3600


@pytest.mark.parametrize(
    "text", ["", "yesterday", "Jan 2, 2020", "10:00:00", "2 Foo 2020, 10:00:00", "32 Jan 2020, 10:00:00",
             "1/2/3, 10:00:00", "2 Jan 2020, 25:00:00", "2 Jan 99999, 10:00:00", "1" * 100 + " 10:00:00",
             "1 Jan 0001, 00:00:00 GMT+14"]
)  # fmt: skip
def test_what_is_no_date(text):
    assert local_time(text) is None


def test_the_zip_as_it_is_downloaded(tmp_path):
    folder = "Takeout/YouTube and YouTube Music"
    parts = {
        "Takeout/archive_browser.html": b"<html><body>What is in here</body></html>",
        f"{folder}/history/watch-history.html": page(
            cell(song()), cell(song("Monkey", time="2 Jan 2020, 10:05:00 UTC"))
        ),
        f"{folder}/history/search-history.html": page(cell("Searched for low<br>Jan 2, 2020, 10:00:00 AM UTC<br>")),
        f"{folder}/subscriptions/subscriptions.csv": b"Channel Id,Channel Url,Channel Title\nUC1,http://x,Low\n",
        f"{folder}/music (library and uploads)/music library songs.csv": (
            b"Video ID,Song Title,Album Title,Artist Name 1\nabcdefghij1,Fly,C'mon,Low\n"
        ),
    }
    with zipfile.ZipFile(tmp_path / "takeout.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    (ledger,) = import_paths(Home(tmp_path / "home"), [tmp_path / "takeout.zip"])
    assert (ledger.formats, ledger.plays, ledger.dropped) == (["youtube-music"], 2, {"not-a-play": 1})
