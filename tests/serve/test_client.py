"""The client, against the application of the server."""

import httpx
import pytest

from crossfade.client import Client, ServerError
from crossfade.serve.live_bodies import FeedbackBody, ListenBody, TrackBody


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
