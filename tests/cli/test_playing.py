"""`crossfade playlists` and `crossfade stations`."""

import contextlib
import json
import shutil

import pytest

from crossfade.cli.registry import load_command
from crossfade.core.home import Home
from crossfade.stores.registry import open_live


@pytest.fixture(scope="module")
def home(demo_home, tmp_path_factory):
    """A home with an account, to which tests add playlists and stations of their own."""
    home = shutil.copytree(demo_home, tmp_path_factory.mktemp("playing") / "home", symlinks=True)
    with contextlib.closing(open_live(Home(home))) as live:
        live.add_user("ann")
    return home


@pytest.fixture
def artist(asked):
    """The name of an artist."""
    return asked("popular", "--kind", "artist")["entries"][0]["name"]


def test_a_playlist_is_made_kept_continued_exported_and_imported(home, artist, call, asked, tmp_path):
    made = asked("playlists", "generate", "ann", artist, "--length", "3", "--draws", "7", "--keep", home=home)
    assert len(made["tracks"]) == 3
    assert all(track["text"] == f"Because you started from {artist}" for track in made["tracks"])
    again = asked("playlists", "generate", "ann", f"artist:{artist}", "--length", "3", "--draws", "7", home=home)
    assert again["tracks"] == made["tracks"]
    assert "id" not in again
    longer = asked("playlists", "continue", "ann", made["id"], "--length", "2", "--keep", home=home)
    tracks = [track["id"] for track in (*made["tracks"], *longer["tracks"])]
    assert len(set(tracks)) == 5
    exported = call("playlists", "export", "ann", made["id"], "--format", "jspf", home=home).stdout
    assert len(json.loads(exported)["playlist"]["track"]) == 5
    (tmp_path / "mix.jspf").write_text(exported)
    imported = call("playlists", "import", "ann", str(tmp_path / "mix.jspf"), home=home).stdout.strip()
    listed = {one["id"]: one["tracks"] for one in asked("playlists", "list", "ann", home=home)["playlists"]}
    assert (listed[made["id"]], listed[imported]) == (5, 5)
    assert call("playlists", "delete", "ann", imported, home=home).exit_code == 0
    assert imported not in call("playlists", "list", "ann", home=home).stdout
    assert "#EXTM3U" in call("playlists", "export", "ann", made["id"], home=home).stdout


def test_what_was_loved_and_forgotten_is_shown(home, call, asked):
    user = asked("users", "--all")["users"][0]["user"]
    call("users", "add", user, home=home)
    told = asked("playlists", "forgotten", user, "-n", "2", home=home)["tracks"]
    assert len(told) <= 2
    shown = call("playlists", "forgotten", user, "-n", "2", home=home).stdout
    assert all(track["name"] in shown for track in told)


def test_a_station_is_started_steered_and_explained(home, artist, call, asked):
    started = asked("stations", "start", "ann", artist, "--draws", "7", "-n", "2", home=home)
    first, second = started["tracks"]
    listed = {one["id"]: one["title"] for one in asked("stations", "list", "ann", home=home)["stations"]}
    assert listed[started["id"]] == artist
    after = asked("stations", "next", "ann", started["id"], "--up", first["id"], "-n", "1", home=home)
    assert after["marks"] == {first["id"]: "up"}
    assert after["tracks"][0]["id"] not in (first["id"], second["id"])
    told = call("stations", "why", "ann", started["id"], first["id"], home=home).stdout
    assert told.strip() == asked("stations", "why", "ann", started["id"], first["id"], home=home)["text"]
    twice = call("stations", "next", "ann", started["id"], "--up", "x", "--down", "x", home=home)
    assert (twice.exit_code, "one thing at a time" in twice.stderr) == (2, True)
    assert call("stations", "delete", "ann", started["id"], home=home).exit_code == 0
    assert started["id"] not in str(asked("stations", "list", "ann", home=home))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("playlists", "list", "bob"), "bob"),
        (("playlists", "generate", "ann"), "seeds or a title"),
        (("playlists", "generate", "ann", "no such artist"), "There is no"),
        (("playlists", "export", "ann", "none"), "There is no playlist"),
        (("playlists", "delete", "ann", "none"), "none"),
        (("stations", "start", "bob", "tag:rock"), "bob"),
        (("stations", "next", "ann", "none"), "none"),
    ],
)
def test_what_is_wrong_is_told(home, call, words, message):
    told = call(*words, home=home)
    assert told.exit_code in (2, 4, 5, 6)
    assert message in told.stderr


def test_users_playlists_and_stations_are_completed(home, artist, asked):
    kept = asked("playlists", "generate", "ann", artist, "--length", "1", "--keep", home=home)["id"]
    station = asked("stations", "start", "ann", artist, "-n", "0", home=home)["id"]

    def offered(group, command, place, **before):
        called = load_command(group).commands[command]
        context = called.make_context(command, ["--home", str(home)], resilient_parsing=True)
        context.params.update(before)
        (parameter,) = (one for one in called.params if one.name == place)
        return [item.value for item in parameter.shell_complete(context, "")]

    assert "ann" in offered("playlists", "list", "user")
    assert kept in offered("playlists", "export", "playlist", user="ann")
    assert station in offered("stations", "next", "station", user="ann")
