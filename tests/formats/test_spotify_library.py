"""Spotify's library and playlists."""

import json
import zipfile

from crossfade.core.home import Home
from crossfade.importing.imports import import_paths


def test_liked_and_banned_are_thumbs(read):
    library = {
        "tracks": [{"artist": "Low", "album": "C'mon", "track": "Fly", "uri": "spotify:track:1"}, 7, {"track": "x"}],
        "albums": [{"artist": "Low", "album": "C'mon", "uri": "spotify:album:5"}],
        "bannedTracks": [{"artist": "Other", "album": "", "track": "Bad", "uri": "spotify:track:2"}],
        "artists": [{"name": "Low", "uri": "spotify:artist:3"}],
        "bannedArtists": [{"name": "Noise", "uri": "spotify:artist:4"}],
    }
    found = read("spotify-library", {"YourLibrary.json": json.dumps(library).encode()})
    assert [(item, score) for _, item, score, _ in found.thumbs] == [
        ("spotify:track:1", 1),
        ("spotify:track:2", -1),
        ("name:low", 1),
        ("name:noise", -1),
    ]
    assert found.tracks["spotify:track:1"] == {"name": "Fly", "parent_id": "name:low", "album": "C'mon"}
    assert found.dropped == []


def playlists(*lists):
    return {"Playlist1.json": json.dumps({"playlists": lists}).encode()}


def item(track=None, *, local=None, episode=None):
    return {"track": track, "episode": episode, "localTrack": local, "addedDate": "2024-01-01"}


def test_entries_of_playlists(read):
    track = {"trackName": "Fly", "artistName": "Low", "albumName": "C'mon", "trackUri": "spotify:track:1"}
    entries = [
        item(track),
        item(local={"uri": "spotify:local:Oasis:Morning+Glory:Wonder%20wall:258"}),
        item(episode={"episodeName": "One", "showName": "A show", "episodeUri": "spotify:episode:1"}),
        item(local={"uri": "spotify:local"}),
        item(),
        "x",
    ]
    found = read("spotify-library", playlists({"name": "Evening", "numberOfFollowers": 2, "items": entries}))
    assert found.items == [
        ("spotify-library:me/Evening", 0, "spotify:track:1", "name:low"),
        ("spotify-library:me/Evening", 1, "name:oasis / wonder wall", "name:oasis"),
    ]
    assert [reason for _, reason in found.reasons] == ["unsupported", "incomplete", "unsupported", "unsupported"]
    assert found.tracks["name:oasis / wonder wall"]["duration_ms"] == 258_000
    assert found.playlists["spotify-library:me/Evening"] == {"title": "Evening", "followers": 2}


def test_playlists_of_one_name_stay_apart(read):
    found = read("spotify-library", playlists({"name": "A", "items": []}, {"name": "A", "items": []}, {"name": "B"}))
    assert list(found.playlists) == ["spotify-library:me/A", "spotify-library:me/A (2)"]
    assert found.reasons == [(3, "malformed")]


def test_the_zip_as_it_is_downloaded(tmp_path):
    play = {"endTime": "2020-01-02 10:00", "artistName": "Low", "trackName": "Fly", "msPlayed": 60_000}
    track = {"trackName": "Fly", "artistName": "Low", "albumName": "C'mon", "trackUri": "spotify:track:1"}
    parts = {
        "StreamingHistory_music_0.json": [play],
        "YourLibrary.json": {"tracks": [{"artist": "Low", "album": "", "track": "Fly", "uri": "spotify:track:1"}]},
        "Playlist1.json": {"playlists": [{"name": "A", "lastModifiedDate": "2020-01-02", "items": [item(track)]}]},
        "Userdata.json": {"username": "someone", "country": "NO"},
        "SearchQueries.json": [{"platform": "IPHONE", "searchTime": "2020-01-02T10:00:00Z", "searchQuery": "low"}],
    }
    with zipfile.ZipFile(tmp_path / "my_spotify_data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(f"Spotify Account Data/{name}", json.dumps(content))
    (ledger,) = import_paths(Home(tmp_path / "home"), [tmp_path / "my_spotify_data.zip"])
    assert ledger.formats == ["spotify", "spotify-library"]
    assert (ledger.plays, ledger.playlist_items, ledger.tables["feedback"]) == (1, 1, 1)
    assert len(ledger.skipped) == 2
