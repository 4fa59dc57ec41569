"""Requests drawn from the OpenAPI descriptions, ours and OpenSubsonic's, and sent to a running server."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.music_files import write_song

from crossfade.serve.active import ActiveRelease
from crossfade.serve.app import create_app
from crossfade.serve.settings import ServeSettings
from crossfade.serve.subsonic.routes import CALLS
from crossfade.stores.live import SCOPES, Playlist
from crossfade.stores.registry import open_releases

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not SCHEMATHESIS.exists(), reason="needs schemathesis")]

OUR_SETTINGS = """
headers = { Authorization = "Bearer TOKEN" }
[[operations]]
include-path-regex = "^/v1/users/"
parameters = { "path.id" = "ann" }
[[operations]]
include-path-regex = "^/v1/tracks/"
parameters = { "path.id" = "Item a02" }
[[operations]]
include-path-regex = "^/v1/playlists/."
parameters = { "path.id" = "mix" }
# What a schema does not say, such as that a track has an artist or an item, is refused.
[[operations]]
include-path-regex = "^/v1/(users/.*(listens|feedback|playing|exclusions)|playlists|stations)"
checks.positive_data_acceptance.enabled = false
# It cannot write M3U.
[[operations]]
include-name = "POST /v1/playlists"
enabled = false
# The code is that of artists and tracks.
[[operations]]
include-path-regex = "^/v1/(shows|episodes)"
enabled = false
"""

THEIR_SETTINGS = """
[generation]
with-security-parameters = false
# Errors of this API have the status 200.
[checks]
ignored_auth.enabled = false
negative_data_rejection.enabled = false
[phases.coverage]
enabled = false
[auth.openapi]
apiKeyAuth = { api_key = "TOKEN" }
format = { api_key = "json" }
protocolVersion = { api_key = "1.16.1" }
clientName = { api_key = "test" }
# Sound and pictures have their own types, and errors instead of them the one that the client asks for.
[[operations]]
include-path-regex = "(stream|download|getCoverArt)$"
checks.content_type_conformance.enabled = false
"""


def run(directory, settings, *options):
    """Run schemathesis; what it prints is the message of a failure."""
    (directory / "schemathesis.toml").write_text(settings)
    done = subprocess.run(
        [SCHEMATHESIS, "run", "--max-examples=20", "--continue-on-failure", "--generation-deterministic", *options],
        cwd=directory,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_our_answers_are_as_our_description_says(small_library, serve_on_loopback, tmp_path, monkeypatch):
    # Imports and runs are of one's own programs; here they end at once.
    monkeypatch.setattr("crossfade.live.jobs.Jobs._run", lambda jobs, *command: (0, b"{}", b""))
    home, _, live = small_library("artist and track")
    live.add_user("ann")
    _, token = live.add_token("ann", scopes=frozenset(SCOPES))
    live.put_playlist(Playlist(id="mix", user="ann", title="Mix", tracks=(), created_at=0, changed_at=0))
    app = create_app(ActiveRelease(open_releases(home)), ServeSettings(requests=1_000_000), live=live, home=home)
    app.openapi()  # takes seconds on a busy machine, and schemathesis waits for ten
    with serve_on_loopback(app) as port:
        run(tmp_path, OUR_SETTINGS.replace("TOKEN", token), f"http://127.0.0.1:{port}/openapi.json")


def test_answers_to_players_are_as_opensubsonic_says(
    opensubsonic, serve_library, serve_on_loopback, make_release_parts, tmp_path
):
    for number, title in enumerate(("Army of Me", "Hunter"), start=1):
        write_song(tmp_path / "music" / f"{number}.mp3", title=title, artist="Björk", album="Post", genre="Pop")
    with serve_library(tmp_path, tmp_path / "music") as library:
        make_release_parts(tmp_path).publish(library.releases)
        library.live.add_user("ann")
        _, token = library.live.add_token("ann")
        with serve_on_loopback(library.app) as port:
            run(
                tmp_path,
                THEIR_SETTINGS.replace("TOKEN", token),
                opensubsonic,
                f"--url=http://127.0.0.1:{port}",
                # Other calls are not found.
                f"--include-path-regex=^/rest/({'|'.join(CALLS)})$",
            )
