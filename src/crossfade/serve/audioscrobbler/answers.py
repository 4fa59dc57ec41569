"""The answers of Audioscrobbler 2.0: one tree, written as XML or as JSON."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
from starlette.responses import Response

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Node:
    """An element: its name, attributes, and children or text; ``lists`` names children that JSON has in a list."""

    name: str
    content: "Sequence[Node] | str" = ""
    attributes: dict[str, str] = field(default_factory=dict)
    lists: str | None = None


def reply(node: Node | None, *, json: bool) -> Response:
    """Return ``node`` below ``lfm``; None is an answer that says no more than that all went well."""
    if json:
        return _json({} if node is None else {node.name: _as_json(node)}, 200)
    return _xml([] if node is None else [node], "ok", 200)


def refusal(code: int, message: str, *, json: bool, status: int) -> Response:
    """Return an error by its code in the protocol."""
    if json:
        return _json({"error": code, "message": message}, status)
    return _xml([Node("error", message, {"code": str(code)})], "failed", status)


def _xml(nodes: Sequence[Node], status: str, http_status: int) -> Response:
    root = ET.Element("lfm", {"status": status})
    for node in nodes:
        _append(root, node)
    content = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(content, status_code=http_status, media_type="text/xml; charset=utf-8")


def _json(value: Any, status: int) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


def _append(parent: ET.Element, node: Node) -> None:
    element = ET.SubElement(parent, node.name, {name: _printable(value) for name, value in node.attributes.items()})
    if isinstance(node.content, str):
        element.text = _printable(node.content)
    else:
        for child in node.content:
            _append(element, child)


def _printable(text: str) -> str:
    """Replace what XML 1.0 has no way to write."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _as_json(node: Node) -> Any:
    if isinstance(node.content, str):
        return {"#text": node.content, **node.attributes} if node.attributes else node.content
    value: dict[str, Any] = {"@attr": node.attributes} if node.attributes else {}
    if node.lists is not None:
        value[node.lists] = []
    for child in node.content:
        made = _as_json(child)
        if child.name == node.lists:
            value[child.name].append(made)
        elif child.name in value:
            before = value[child.name]
            value[child.name] = [*before, made] if isinstance(before, list) else [before, made]
        else:
            value[child.name] = made
    return value
