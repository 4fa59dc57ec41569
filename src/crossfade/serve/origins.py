"""Web pages of other origins may call the API if the settings name them; APIs of players have rules of their own."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

REMEMBERED_SECONDS = 86_400
"""How long a browser need not ask again whether it may."""

_HEADERS = ("Authorization", "Content-Type", "If-None-Match")
_SHOWN = ("ETag", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset-In")


class OtherOrigins:
    """Lets pages of ``origins`` call what is below ``/v1``."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._shared = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=_HEADERS,
            expose_headers=_SHOWN,
            max_age=REMEMBERED_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and scope["path"].startswith("/v1/")
        await (self._shared if is_ours else self._app)(scope, receive, send)
