"""The form of Subsonic's answers: one document, as XML by default and as JSON on request; errors are answers too."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from fastapi import Response

from crossfade.core.version import __version__

PROTOCOL = "1.16.1"
"""The version of Subsonic's protocol that OpenSubsonic extends."""

Content = Mapping[str, Any]
"""An element: numbers, truth values and texts are attributes, mappings and lists children, ``value`` is its text."""

GENERIC, MISSING, REFUSED, FORBIDDEN, UNKNOWN = 0, 10, 40, 50, 70
UNSUPPORTED, CONFLICTING, BAD_KEY = 42, 43, 44
"""The codes of errors: those of accounts are OpenSubsonic's."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Failure(Exception):  # noqa: N818 (an answer to the client, not an error of this program)
    """A call cannot be answered.

    status  of HTTP: 200 but for calls that don't exist, since clients read the document only then
    """

    def __init__(self, code: int, message: str, *, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def answer(content: Content, *, as_json: bool) -> Response:
    """Return ``content`` as a successful answer."""
    return _document({"status": "ok", **_standing(), **content}, as_json=as_json)


def failed(failure: Failure, *, as_json: bool) -> Response:
    """Return ``failure`` as an answer."""
    error = {"code": failure.code, "message": str(failure)}
    return _document({"status": "failed", **_standing(), "error": error}, as_json=as_json, status=failure.status)


def when(milliseconds: int) -> str:
    """Return a time in milliseconds since 1970 as ISO 8601."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def known(**fields: Any) -> dict[str, Any]:
    """Return the ``fields`` that are neither None nor empty texts."""
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def _standing() -> Content:
    return {"version": PROTOCOL, "type": "crossfade", "serverVersion": __version__, "openSubsonic": True}


def _document(content: Content, *, as_json: bool, status: int = 200) -> Response:
    if as_json:
        body = json.dumps({"subsonic-response": content}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        kind = "application/json"
    else:
        named = {"xmlns": "http://subsonic.org/restapi", **content}
        body = '<?xml version="1.0" encoding="UTF-8"?>\n' + _element("subsonic-response", named)
        kind = "text/xml"  # by which clients tell an error from sound and pictures
    headers = {"Cache-Control": "no-store"}
    return Response(body.encode(errors="replace"), status_code=status, media_type=kind, headers=headers)


def _element(name: str, content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"<{name}>{escape(_text(content))}</{name}>"
    attributes, children = [], []
    for key, value in content.items():
        if isinstance(value, Mapping):
            children.append(_element(key, value))
        elif isinstance(value, Sequence) and not isinstance(value, str):
            children.extend(_element(key, one) for one in value)
        elif key == "value":
            children.append(escape(_text(value)))
        else:
            attributes.append(f" {key}={quoteattr(_text(value))}")
    return f"<{name}{''.join(attributes)}>{''.join(children)}</{name}>"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _NOT_XML.sub("\ufffd", str(value))
