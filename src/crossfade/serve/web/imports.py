"""What was imported, and importing a file that is dropped on the page."""

import shutil
from pathlib import Path
from typing import IO, Annotated

from fastapi import APIRouter, Query, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from crossfade.core.errors import BusyError
from crossfade.live.imported import imported
from crossfade.live.imported_plays import imported_plays
from crossfade.live.jobs import Jobs
from crossfade.serve.access import RefusedError, count_request, required_token
from crossfade.serve.answers import LONGEST_TEXT
from crossfade.serve.connections import UPLOADING
from crossfade.serve.guard import BEARER, Caller, User, guarded_routes
from crossfade.serve.live_routes import FURTHEST, MOST_LISTED
from crossfade.serve.replies import json_reply
from crossfade.serve.routes import NEVER_KEPT, problems
from crossfade.serve.web.bodies import ImportedPlaysAnswer, ImportsAnswer, JobAnswer
from crossfade.serve.web.runs import job_answer
from crossfade.serve.web.site import Site
from crossfade.stores.live import require_user

LARGEST_IMPORT = 4 * 1024**3
"""Bytes of a file that is dropped on the page; larger ones are imported at a terminal."""

LEFT_FREE = 1024**3
"""Bytes that an upload leaves on the disk."""

_INVENTED = (
    "This library is a demo world, whose invented listeners would mix with yours. Import the file into a library of "
    "its own: crossfade import FILE --home DIRECTORY"
)
_PART = 1024 * 1024  # bytes that are written at a time
_LONGEST = 200  # bytes of a file's name: systems take 255


def import_routes(site: Site) -> list[APIRouter]:
    """Return the routes; without a home there is none."""
    if site.jobs is None:
        return []
    reading = guarded_routes(site.live, site.limits, "read", tag="imports")
    return [_reading(site, reading), _sending(site, site.jobs)]


def _reading(site: Site, routes: APIRouter) -> APIRouter:
    @routes.get("/v1/imports", summary="What was imported", response_model=ImportsAnswer)
    def listed(caller: Caller) -> Response:
        """With what was dropped and why: of the user, or with the scope admin all."""
        listener = None if "admin" in caller.scopes else caller.user
        return json_reply(ImportsAnswer(imports=[] if site.home is None else imported(site.home, listener)))

    @routes.get("/v1/users/{id:path}/imported", summary="The user's imported plays", response_model=ImportedPlaysAnswer)
    def plays(
        user: User,
        text: Annotated[
            str | None,
            Query(
                description="Only those with this in a name.", min_length=1, max_length=LONGEST_TEXT, examples=["roads"]
            ),
        ] = None,
        limit: Annotated[int, Query(description="How many at most.", ge=1, le=MOST_LISTED)] = 25,
        offset: Annotated[int, Query(description="How many to leave out.", ge=0, le=FURTHEST)] = 0,
    ) -> Response:
        """Newest first, with the skipped ones. They are deleted with their import: `crossfade forget`."""
        if site.home is None:
            return json_reply(ImportedPlaysAnswer(total=0, plays=[]))
        with site.active.reading() as opened:
            total, found = imported_plays(opened, site.home, user, text=text, limit=limit, offset=offset)
        return json_reply(ImportedPlaysAnswer(total=total, plays=found))

    return routes


def _sending(site: Site, jobs: Jobs) -> APIRouter:
    routes = APIRouter(
        tags=["imports"],
        dependencies=[Security(BEARER)],
        responses=problems(401, 403, 409, 413, 422, 429, 503),
    )

    @routes.post(
        "/v1/imports",
        summary="Import a file",
        status_code=202,
        response_model=JobAnswer,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/octet-stream": {
                        "schema": {"type": "string", "format": "binary"},
                        "example": "ann\t1763640000\tPortishead\tRoads\n",
                    }
                },
            }
        },
    )
    async def send(
        request: Request,
        name: Annotated[
            str, Query(description="The name of the file.", min_length=1, max_length=LONGEST_TEXT, examples=["ann.zip"])
        ],
        user: Annotated[
            str | None,
            Query(
                description="Whose history it is, if it does not say; by default that of the token's user.",
                min_length=1,
                max_length=LONGEST_TEXT,
            ),
        ] = None,
    ) -> Response:
        """The body is the file as it was downloaded. It is read by a job, whose state is at /v1/runs."""
        count_request(request, site.limits)
        token = required_token(site.live, request, "admin")
        listener = require_user(user or token.user)
        if site.audio.invented:
            raise RefusedError(409, _INVENTED)
        try:
            await run_in_threadpool(jobs.require_free)
            room = await run_in_threadpool(jobs.room)
            try:
                place = room / _safe(name)
                await _received(request, place)
                arguments = ["--user", listener, str(place)]
                await run_in_threadpool(jobs.start, "import", arguments, what=name, room=room)
            except BaseException:
                shutil.rmtree(room, ignore_errors=True)
                raise
        except BusyError as error:
            raise RefusedError(409, str(error)) from error
        except ClientDisconnect as error:
            raise RefusedError(400, "The file was not sent to its end.") from error
        return json_reply(job_answer(jobs, token), status=202, headers=NEVER_KEPT)

    return routes


async def _received(request: Request, place: Path) -> None:
    """Write the body into a new file; RefusedError 413 if it is too large, 422 if it is empty."""
    free = shutil.disk_usage(place.parent).free - LEFT_FREE
    most = min(LARGEST_IMPORT, free)
    length = request.headers.get("Content-Length", "")
    _require_room(int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 0, most)
    request.scope["state"][UPLOADING] = True
    written, part = 0, bytearray()
    file: IO[bytes]
    with place.open("xb") as file:
        async for piece in request.stream():
            part += piece
            written += len(piece)
            _require_room(written, most)
            if len(part) >= _PART:
                await run_in_threadpool(file.write, bytes(part))
                part.clear()
        await run_in_threadpool(file.write, bytes(part))
    request.scope["state"][UPLOADING] = False
    if not written:
        raise RefusedError(422, "The body is empty. Send the file as the body of the request.")


def _require_room(size: int, most: int) -> None:
    if size > most:
        limit = "than may be sent" if most == LARGEST_IMPORT else "than there is room for"
        raise RefusedError(413, f"The file has more bytes {limit}. Try: crossfade import PATH")


def _safe(name: str) -> str:
    """Return a name for the file: what follows the last slash, without what is no text; formats look at its end."""
    plain = "".join(letter for letter in name.replace("\\", "/").rpartition("/")[2] if letter.isprintable())
    return plain.encode()[-_LONGEST:].decode(errors="ignore").lstrip(".") or "file"
