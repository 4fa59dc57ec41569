"""The page on libraries that are no demo world: artists with nothing to play, and a folder of music files."""

import json
import re

import pytest
from click.testing import CliRunner
from tests.music_files import write_song
from tests.web.conftest import USER, served
from tests.web.test_ways import heard_beyond

from crossfade.cli import crossfade

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright: the group `test` has it").expect

HOSTILE = "<script>document.title='owned'</script>"


def made(home, *sources):
    """The home, with a release of what is imported."""
    for command in (
        *(["import", str(source), "--user", USER] for source in sources),
        ["run", "--model", "als", "--model", "cultural"],
    ):
        done = CliRunner().invoke(crossfade, [*command, "--home", str(home)])
        assert done.exit_code == 0, done.output
    return home


@pytest.fixture
def counts(tmp_path):
    """Play counts of artists."""
    rows = [f"u{user},Band {artist},{1 + user % 7}" for user in range(30) for artist in range(20) if user * artist % 3]
    plays = tmp_path / "plays.csv"
    plays.write_text("\n".join(["user,artist,plays", *rows]))
    return plays


@pytest.fixture
def artists(tmp_path, counts):
    """A library of artists, served."""
    with served(made(tmp_path / "home", counts)) as there:
        yield there


@pytest.fixture
def beside(tmp_path, counts):
    """A library of artists, and beside it the tracks of one user, whom nobody else hears; served."""
    rows = [
        {
            "ts": f"2024-03-{1 + play % 28:02}T{play % 24:02}:00:00Z",
            "ms_played": 200_000,
            "master_metadata_track_name": f"Song {play % 10}",
            "master_metadata_album_artist_name": f"Band {1 + play % 5}",
            "master_metadata_album_album_name": "First",
            "spotify_track_uri": f"spotify:track:{play % 10:022}",
        }
        for play in range(60)
    ]
    own = tmp_path / "Streaming_History_Audio_2024_0.json"
    own.write_text(json.dumps(rows))
    with served(made(tmp_path / "home", counts, own)) as there:
        yield there


@pytest.fixture
def folder(tmp_path):
    """A folder of music files, imported by itself and served."""
    pytest.importorskip("mutagen", reason="needs the extra `serve`")
    music = tmp_path / "music"
    for place, title in enumerate(("Last", "Second", HOSTILE)):  # file names against the order of the album
        tags = {"artist": "Glass Band", "album": "Nights", "tracknumber": str(3 - place), "genre": "Folk"}
        write_song(music / f"{place}.wav", title=title, seconds=8, **tags)
    write_song(music / "other.wav", title="Other", artist="Stone Band", genre="Techno")
    home = tmp_path / "home"
    home.mkdir()
    (home / "crossfade.toml").write_text(f'[serve]\nmusic = "{music}"\n')
    with served(made(home, music)) as there:
        yield there


def refused(page):
    """The requests of the page that are refused from now on."""
    found = []
    page.on("response", lambda answer: found.append(f"{answer.url} {answer.text()}") if answer.status >= 400 else None)
    return found


def test_a_library_of_artists_offers_nothing_to_play(open_page, artists):
    page = open_page(at=artists)
    failed = refused(page)
    expect(page.get_by_text("This library has nothing to play.")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Band ")).first.click()
    expect(page.get_by_text("This library knows artists only")).to_be_visible()
    page.get_by_role("button", name="Start radio", exact=True).click()
    expect(page.get_by_text("This library has no audio")).to_be_visible()
    page.get_by_role("link", name="Playlists").click()
    expect(page.get_by_text("This library knows no tracks")).to_be_visible()
    page.get_by_role("combobox").first.fill("Band 4")
    page.get_by_role("option").first.click()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text(re.compile(r"^\d+ artists$"))).to_be_visible()
    expect(page.locator("a[download]")).to_have_count(0)
    expect(page.locator("[data-play]")).to_have_count(0)
    assert not failed


def test_a_user_whose_tracks_nobody_else_hears_is_shown_artists(open_page, beside):
    page = open_page(at=beside)
    failed = refused(page)
    expect(page.get_by_text("Artists you like, for the week")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("^Because you play Band [1-5]$")).first).to_be_visible()
    expect(page.get_by_role("heading", name="No history yet")).to_have_count(0)
    page.get_by_role("button", name=re.compile("^Why ")).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.goto(f"{beside.address}/#/playlists")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Weekly Jams").click()
    expect(page.get_by_text(re.compile(r"^\d+ artists$"))).to_be_visible()
    expect(page.locator("a[download]")).to_have_count(0)
    page.goto(f"{beside.address}/#/track/spotify:track:{3:022}")
    expect(page.get_by_role("heading", name="More like this")).to_be_visible()
    page.goto(f"{beside.address}/#/you/history")
    expect(page.get_by_text("60 plays from files. They cannot be deleted here")).to_be_visible()
    assert not failed


def test_a_folder_of_music_plays_in_the_order_of_its_albums(open_page, folder):
    page = open_page(at=folder)
    failed = refused(page)
    expect(page.get_by_role("heading", name="No history yet")).to_be_visible()
    page.goto(f"{folder.address}/#/artist/name%3Aglass%20band")
    page.get_by_role("link", name="Nights").click()
    rows = page.get_by_role("main").locator("[data-open]")
    expect(rows).to_have_text([HOSTILE, "Second", "Last"])
    page.get_by_role("button", name="Play", exact=True).click()
    heard_beyond(page, 0.3)
    position = page.get_by_role("slider", name="Position in the track")
    position.fill("6")
    heard_beyond(page, 6.2)
    assert "owned" not in page.title().split(" ")
    assert not failed
