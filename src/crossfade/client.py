"""A client of a Crossfade server in Python: typed answers, one method a question.

    from crossfade.client import Client

    with Client("http://127.0.0.1:8000", token="…") as crossfade:
        for entry in crossfade.discover("ann", limit=10).entries:
            print(entry.name, entry.reason)

The answers are the types that the server answers with. It needs the extra `client`.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from crossfade.core.errors import CrossfadeError
from crossfade.core.kinds import FIRST_KIND, kind_named
from crossfade.serve.answers import ActiveReleaseAnswer, Found, ItemAnswer, Listing, Station, Terms, WhyAnswer
from crossfade.serve.live_bodies import (
    FeedbackBody,
    Feedbacks,
    FeedbacksBody,
    Kept,
    ListenBody,
    Listens,
    ListensBody,
)
from crossfade.serve.station_bodies import (
    ContinuePlaylist,
    ForgottenAnswer,
    MadeAnswer,
    MakePlaylist,
    NowPlayingAnswer,
    PlaylistAnswer,
    PlaylistsAnswer,
    Queue,
    StartStation,
    StationAnswer,
    StationsAnswer,
    StationSignal,
    WhyTrackAnswer,
)
from crossfade.serve.web.bodies import (
    AlbumAnswer,
    AlbumsAnswer,
    ChildrenAnswer,
    EvaluationAnswer,
    ImportedPlaysAnswer,
    ImportsAnswer,
    JobAnswer,
    MapAnswer,
    ModelsAnswer,
    NewTokenAnswer,
    NewTokenBody,
    PathAnswer,
    RunBody,
    TagAnswer,
    TagsAnswer,
    TasteAnswer,
    TokensAnswer,
)
from crossfade.surfaces.children import child_kind

TIMEOUT_SECONDS = 30.0

Answered = TypeVar("Answered", bound=BaseModel)


class ServerError(CrossfadeError):
    """A request that the server refused; ``status`` is that of HTTP, None if the server could not be reached."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Asks the server at ``address``; every method raises ServerError if it does not answer.

    token      of an account, for what only its user may read or send
    transport  how requests are sent, for tests
    """

    def __init__(self, address: str, *, token: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        headers = {} if token is None else {"Authorization": f"Token {token}"}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=TIMEOUT_SECONDS, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def release(self) -> ActiveReleaseAnswer:
        """Return the release that is served."""
        return self._asked(ActiveReleaseAnswer, "GET", "/v1/release")

    def search(self, text: str, *, kind: str | None = None, limit: int = 10) -> Found:
        """Return items whose names match ``text``, by kind."""
        return self._asked(Found, "GET", "/v1/search", q=text, kind=kind, limit=limit)

    def item(self, text: str, kind: str = FIRST_KIND) -> ItemAnswer:
        """Return the item of ``kind`` with an id or a name."""
        return self._asked(ItemAnswer, "GET", _path(kind, text))

    def terms(self, text: str, kind: str = FIRST_KIND, *, limit: int = 20) -> Terms:
        """Return the words that say most about an item."""
        return self._asked(Terms, "GET", f"{_path(kind, text)}/terms", limit=limit)

    def related(
        self, text: str, kind: str = FIRST_KIND, *, model: str | None = None, limit: int = 20, offset: int = 0
    ) -> Listing:
        """Return items like one."""
        return self._asked(Listing, "GET", f"{_path(kind, text)}/related", model=model, limit=limit, offset=offset)

    def map(self, text: str, kind: str = FIRST_KIND, *, size: int = 60) -> MapAnswer:
        """Return a map of ``size`` items around one, with the links between them."""
        return self._asked(MapAnswer, "GET", f"{_path(kind, text)}/map", size=size)

    def path(self, text: str, other: str, kind: str = FIRST_KIND) -> PathAnswer:
        """Return the chain of related items from one to another."""
        return self._asked(PathAnswer, "GET", f"{_path(kind, text)}/path/{_part(other)}")

    def children(self, text: str, kind: str = FIRST_KIND, *, limit: int = 20, offset: int = 0) -> ChildrenAnswer:
        """Return the tracks of an artist or the episodes of a show, most listeners first."""
        child = child_kind(kind)
        path = f"{_path(kind, text)}/{kind_named(child or kind).plural}"
        return self._asked(ChildrenAnswer, "GET", path, limit=limit, offset=offset)

    def albums(self, text: str, kind: str = FIRST_KIND) -> AlbumsAnswer:
        """Return the albums of an artist."""
        return self._asked(AlbumsAnswer, "GET", f"{_path(kind, text)}/albums")

    def album(self, artist: str, name: str) -> AlbumAnswer:
        """Return an album of an artist with its tracks."""
        return self._asked(AlbumAnswer, "GET", "/v1/albums", artist=artist, name=name)

    def tags(self, *, limit: int = 300) -> TagsAnswer:
        """Return the tags that say most, with their places on a map."""
        return self._asked(TagsAnswer, "GET", "/v1/tags", limit=limit)

    def tag(self, name: str, *, limit: int = 30) -> TagAnswer:
        """Return the items that a tag says most about, and similar tags."""
        return self._asked(TagAnswer, "GET", f"/v1/tags/{_part(name)}", limit=limit)

    def station(
        self, text: str, kind: str = FIRST_KIND, *, model: str | None = None, length: int = 25, seed: int | None = None
    ) -> Station:
        """Return a station to play."""
        path = f"{_path(kind, text)}/radio/station"
        return self._asked(Station, "GET", path, model=model, length=length, seed=seed)

    def popular(self, kind: str | None = None, *, limit: int = 20, offset: int = 0) -> Listing:
        """Return what most listeners play."""
        return self._asked(Listing, "GET", "/v1/popular", kind=kind, limit=limit, offset=offset)

    def discover(
        self, user: str, kind: str | None = None, *, model: str | None = None, limit: int = 20, offset: int = 0
    ) -> Listing:
        """Return the Discover page of ``user``; with the user's token, as it is now."""
        path = f"/v1/users/{_part(user)}/discover"
        return self._asked(Listing, "GET", path, kind=kind, model=model, limit=limit, offset=offset)

    def taste(self, user: str) -> TasteAnswer:
        """Return the tags and the most played artists or shows of ``user``, with their places on the map of tags."""
        return self._asked(TasteAnswer, "GET", f"/v1/users/{_part(user)}/taste")

    def why(self, user: str, item: str, *, kind: str | None = None, model: str | None = None) -> WhyAnswer:
        """Return why an item is on the page of ``user``, or why it isn't."""
        return self._asked(WhyAnswer, "GET", f"/v1/users/{_part(user)}/why", item=item, kind=kind, model=model)

    def listens(self, user: str, *, limit: int = 25, offset: int = 0) -> Listens:
        """Return the latest plays of ``user``."""
        return self._asked(Listens, "GET", f"/v1/users/{_part(user)}/listens", limit=limit, offset=offset)

    def send_listens(self, user: str, listens: Sequence[ListenBody]) -> Kept:
        """Send plays, and return how many were new; they are on the disk then. Sent again, they add nothing."""
        return self._asked(Kept, "POST", f"/v1/users/{_part(user)}/listens", body=ListensBody(listens=list(listens)))

    def send_feedback(self, user: str, feedback: Sequence[FeedbackBody]) -> Feedbacks:
        """Send thumbs, likes and ratings, and return all that stands."""
        return self._asked(
            Feedbacks, "POST", f"/v1/users/{_part(user)}/feedback", body=FeedbacksBody(feedback=list(feedback))
        )

    def stations(self) -> StationsAnswer:
        """Return the stations of the token's user."""
        return self._asked(StationsAnswer, "GET", "/v1/stations")

    def start_station(self, asked: StartStation) -> StationAnswer:
        """Start a station that can be steered, and return what it plays first."""
        return self._asked(StationAnswer, "POST", "/v1/stations", body=asked)

    def play_on(self, station: str, signal: StationSignal) -> StationAnswer:
        """Tell a station what happened, and return what it plays next."""
        return self._asked(StationAnswer, "POST", f"/v1/stations/{_part(station)}/next", body=signal)

    def why_played(self, station: str, item: str) -> WhyTrackAnswer:
        """Return why a station plays a track, or why not."""
        return self._asked(WhyTrackAnswer, "GET", f"/v1/stations/{_part(station)}/why", item=item)

    def next_up(self, queue: Queue) -> NowPlayingAnswer:
        """Return what to play after a queue."""
        return self._asked(NowPlayingAnswer, "POST", "/v1/now-playing", body=queue)

    def playlists(self, sort: str | None = None) -> PlaylistsAnswer:
        """Return the playlists of the token's user; with ``sort`` those that this generated."""
        return self._asked(PlaylistsAnswer, "GET", "/v1/playlists", sort=sort)

    def playlist(self, playlist: str) -> PlaylistAnswer:
        """Return a playlist with its tracks."""
        return self._asked(PlaylistAnswer, "GET", f"/v1/playlists/{_part(playlist)}")

    def make_playlist(self, asked: MakePlaylist) -> MadeAnswer:
        """Make a playlist from seeds or a title."""
        return self._asked(MadeAnswer, "POST", "/v1/playlists/generate", body=asked)

    def continue_playlist(self, playlist: str, asked: ContinuePlaylist) -> MadeAnswer:
        """Return tracks to go on with after a playlist."""
        return self._asked(MadeAnswer, "POST", f"/v1/playlists/{_part(playlist)}/continue", body=asked)

    def forgotten(self, *, limit: int = 25) -> ForgottenAnswer:
        """Return what the token's user played often, and not for two months."""
        return self._asked(ForgottenAnswer, "GET", "/v1/playlists/forgotten", limit=limit)

    def tokens(self, user: str) -> TokensAnswer:
        """Return the tokens and app passwords of ``user``, without their secrets."""
        return self._asked(TokensAnswer, "GET", f"/v1/users/{_part(user)}/tokens")

    def make_token(self, user: str, asked: NewTokenBody) -> NewTokenAnswer:
        """Make a token or an app password of ``user``, and return it with its secret."""
        return self._asked(NewTokenAnswer, "POST", f"/v1/users/{_part(user)}/tokens", body=asked)

    def revoke_token(self, user: str, token: str) -> TokensAnswer:
        """End the token with the id ``token``, and return those that are left."""
        return self._asked(TokensAnswer, "DELETE", f"/v1/users/{_part(user)}/tokens", token=token)

    def models(self) -> ModelsAnswer:
        """Return the models of the release, and what each adds."""
        return self._asked(ModelsAnswer, "GET", "/v1/models")

    def evaluation(self) -> EvaluationAnswer:
        """Return the figures of the last evaluation of the library."""
        return self._asked(EvaluationAnswer, "GET", "/v1/evaluation")

    def imports(self) -> ImportsAnswer:
        """Return what was imported, and what was dropped and why: of the token's user, with the scope admin all."""
        return self._asked(ImportsAnswer, "GET", "/v1/imports")

    def imported_plays(
        self, user: str, *, text: str | None = None, limit: int = 25, offset: int = 0
    ) -> ImportedPlaysAnswer:
        """Return what imports have of ``user``, the latest first: with ``text`` only what has it in a name."""
        path = f"/v1/users/{_part(user)}/imported"
        return self._asked(ImportedPlaysAnswer, "GET", path, text=text, limit=limit, offset=offset)

    def import_file(self, place: Path, *, user: str | None = None) -> JobAnswer:
        """Send a file to be imported, the history of ``user`` if it does not say; `job` tells how far that is."""
        with place.open("rb") as file:
            return self._asked(JobAnswer, "POST", "/v1/imports", body=file, name=place.name, user=user)

    def run(self, *, full: bool = False) -> JobAnswer:
        """Start a run of the pipeline, which fits all models anew if ``full``; `job` tells how far it is."""
        return self._asked(JobAnswer, "POST", "/v1/runs", body=RunBody(full=full))

    def job(self) -> JobAnswer:
        """Return the import or run that was started last, and how far it is."""
        return self._asked(JobAnswer, "GET", "/v1/runs")

    def stop_job(self) -> JobAnswer:
        """Stop the import or run that is going on, if one is: what was complete is kept. `job` tells when it ended."""
        return self._asked(JobAnswer, "DELETE", "/v1/runs")

    def _asked(
        self,
        wanted: type[Answered],
        method: str,
        path: str,
        *,
        body: BaseModel | BinaryIO | None = None,
        **query: Any,
    ) -> Answered:
        asked = {name: value for name, value in query.items() if value is not None}
        sent: dict[str, Any] = {"content": body}
        if isinstance(body, BaseModel):
            sent = {"json": body.model_dump(mode="json", exclude_none=True)}
        try:
            answer = self._http.request(method, path, params=asked, **sent)
        except httpx.HTTPError as error:
            raise ServerError(f"{self._http.base_url} does not answer: {error}.") from error
        if answer.is_error:
            raise ServerError(_detail(answer), answer.status_code)
        try:
            return wanted.model_validate_json(answer.content)
        except ValidationError as error:
            raise ServerError("The server is of another version than this client.", answer.status_code) from error


def _part(text: str) -> str:
    """Return ``text`` as a part of a path."""
    return quote(text, safe="")


def _path(kind: str, text: str) -> str:
    return f"/v1/{kind_named(kind).plural}/{_part(text)}"


def _detail(answer: httpx.Response) -> str:
    """Return what a problem says; its status where it is none."""
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    return str(detail or f"The server refused with status {answer.status_code}.")
