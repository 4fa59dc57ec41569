"""The page on libraries that are no demo world: artists with nothing to play, and a folder of music files."""

import re

import pytest
from click.testing import CliRunner
from tests.music_files import write_song
from tests.web.conftest import served
from tests.web.test_ways import heard_beyond

from crossfade.cli import crossfade

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright: the group `test` has it").expect

HOSTILE = "<script>document.title='owned'</script>"


def made(home, source):
    """The home, with a release of what is imported."""
    for command in (["import", str(source)], ["run", "--model", "als", "--model", "cultural"]):
        done = CliRunner().invoke(crossfade, [*command, "--home", str(home)])
        assert done.exit_code == 0, done.output
    return home


@pytest.fixture
def artists(tmp_path):
    """A library of artists, served."""
    rows = [f"u{user},Band {artist},{1 + user % 7}" for user in range(30) for artist in range(20) if user * artist % 3]
    plays = tmp_path / "plays.csv"
    plays.write_text("\n".join(["user,artist,plays", *rows]))
    with served(made(tmp_path / "home", plays)) as there:
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
