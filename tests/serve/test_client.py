"""The client, against the application of the server."""

import subprocess
import sys
import time

import httpx
import pytest

from crossfade.client import Client, ServerError
from crossfade.serve.live_bodies import FeedbackBody, ListenBody, TrackBody
from crossfade.serve.station_bodies import ContinuePlaylist, MakePlaylist, Queue, Seed, StartStation, StationSignal
from crossfade.serve.web.bodies import NewTokenBody


class InProcess(httpx.BaseTransport):
    """Sends requests to an application in this process."""

    def __init__(self, client):
        self._client = client

    def handle_request(self, request):
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        found = self._client.request(
            request.method, request.url.raw_path.decode(), headers=headers, content=request.read()
        )
        return httpx.Response(found.status_code, headers={"content-type": "x"}, content=found.content)


def client_for(client, token=None):
    return Client("http://127.0.0.1:8000", token=token, transport=InProcess(client))


def test_it_reads_what_a_release_has(client):
    with client_for(client) as crossfade:
        release = crossfade.release().release
        assert crossfade.item("AC/DC").item.name == "AC/DC"
        assert crossfade.search("bjork").items["artist"][0].id == "mb:bjork"
        page = crossfade.discover("hetrec:2", limit=1)
        assert (page.release, page.surface, len(page.entries)) == (release, "discover", 1)
        assert crossfade.popular().surface == "popular"


def test_it_walks_the_catalogue(client):
    with client_for(client) as crossfade:
        assert [one.id for one in crossfade.children("Björk", limit=1).items] == ["t:hunter"]
        assert crossfade.children("Quiz Night", "show").total == 2
        (album,) = crossfade.albums("Björk").albums
        assert [one.name for one in crossfade.album("Björk", album.name).tracks] == ["Army of Me"]


def test_it_knows_tags_and_taste(tmp_path, make_genre_release, serve_library, client_of):
    with serve_library(tmp_path) as library:
        make_genre_release(tmp_path).publish(library.releases)
        library.live.add_user("ann")
        with client_for(client_of(library.app), library.live.add_token("ann")[1]) as crossfade:
            assert len(crossfade.tags(limit=2).tags) == 2
            assert len(crossfade.tag("jazz", limit=1).items["artist"]) == 1
            assert {one.tag.name for one in crossfade.taste("ann").tags} == {"doom", "metal"}


def test_it_imports_a_file_and_makes_tokens(empty, unpublished, tmp_path):
    unpublished.live.add_user("ann")
    _, secret = unpublished.live.add_token("ann", scopes=frozenset({"admin", "manage"}))
    (tmp_path / "ann.tsv").write_text("artist\ttrack\tlistened_at\nCan\tVitamin C\t1763640000\n")
    with client_for(empty, secret) as crossfade:
        made = crossfade.make_token("ann", NewTokenBody(label="phone"))
        assert {one.label for one in crossfade.tokens("ann").tokens} == {"", "phone"}
        assert [one.label for one in crossfade.revoke_token("ann", made.token.id).tokens] == [""]
        job = crossfade.import_file(tmp_path / "ann.tsv").job
        while job.state == "running":
            time.sleep(0.05)
            job = crossfade.job().job
        assert (job.sort, job.what, job.state, job.message) == ("import", "ann.tsv", "done", None)
        (found,) = crossfade.imports().imports
        assert (found.listener, found.plays) == ("ann", 1)
        assert crossfade.evaluation().finished is None


def test_it_says_why_the_server_refused(client):
    with client_for(client) as crossfade:
        with pytest.raises(ServerError, match="There is no artist 'radiohed'") as refused:
            crossfade.related("radiohed")
        assert refused.value.status == 404
        with pytest.raises(ServerError) as refused:
            crossfade.listens("ann")
        assert refused.value.status == 401


def test_a_server_that_is_not_there_is_named():
    def fail(request):
        raise httpx.ConnectError("refused")

    with Client("http://127.0.0.1:9", transport=httpx.MockTransport(fail)) as crossfade:
        with pytest.raises(ServerError, match=r"http://127\.0\.0\.1:9 does not answer") as refused:
            crossfade.release()
        assert refused.value.status is None


def test_an_answer_of_another_version_is_an_error():
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"release": 7}))
    with Client("http://127.0.0.1:9", transport=transport) as crossfade, pytest.raises(ServerError, match="version"):
        crossfade.release()


def test_it_sends_what_a_user_played_and_thinks(empty, unpublished):
    unpublished.live.add_user("ann")
    _, token = unpublished.live.add_token("ann")
    track = TrackBody(title="Roads", artist="Portishead")
    with client_for(empty, token) as crossfade:
        listen = ListenBody(listened_at=1_763_640_000_000, track=track)
        assert crossfade.send_listens("ann", [listen]).added == 1
        assert crossfade.send_listens("ann", [listen]).added == 0
        assert [one.track.title for one in crossfade.listens("ann").listens] == ["Roads"]
        (thumb,) = crossfade.send_feedback("ann", [FeedbackBody(sort="thumb", value=1, track=track)]).feedback
        assert (thumb.sort, thumb.value) == ("thumb", 1)


def test_it_steers_stations_and_makes_playlists(tmp_path, make_genre_release, serve_library, client_of):
    with serve_library(tmp_path) as library:
        make_genre_release(tmp_path).publish(library.releases)
        library.live.add_user("ann")
        _, token = library.live.add_token("ann")
        with client_for(client_of(library.app), token) as crossfade:
            seed = Seed(kind="track", id=crossfade.popular("track").entries[0].id)
            station = crossfade.start_station(StartStation(seeds=[seed], count=2))
            assert station.id is not None
            first = station.tracks[0].id
            after = crossfade.play_on(station.id, StationSignal(action="up", item=first, count=1))
            assert (after.marks, len(after.tracks)) == ({first: "up"}, 1)
            assert crossfade.why_played(station.id, first).text
            assert [one.id for one in crossfade.stations().stations] == [station.id]
            assert len(crossfade.next_up(Queue(queue=[first], count=2)).tracks) == 2
            made = crossfade.make_playlist(MakePlaylist(seeds=[seed], length=3, keep=True))
            assert made.id is not None
            assert len(crossfade.playlist(made.id).tracks) == 3
            more = crossfade.continue_playlist(made.id, ContinuePlaylist(length=2)).tracks
            assert not {one.id for one in more} & {one.id for one in made.tracks}
            assert made.id in [one.id for one in crossfade.playlists("").playlists]
            assert len(crossfade.forgotten(limit=1).tracks) <= 1


def test_it_needs_nothing_of_the_server():
    blocked = "import sys; sys.modules.update(fastapi=None, starlette=None, uvicorn=None); import crossfade.client"
    subprocess.run([sys.executable, "-c", blocked], check=True)
