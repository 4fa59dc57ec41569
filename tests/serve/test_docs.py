"""A route, a status or a setting that the guide does not show fails here."""

import re
from dataclasses import fields
from pathlib import Path

import jsonschema

from crossfade.core.kinds import KINDS
from crossfade.serve.settings import ServeSettings

GUIDE = (Path(__file__).parents[2] / "docs" / "http.md").read_text()


def test_every_route_is_documented_and_no_other(served):
    plurals = "|".join(kind.plural for kind in KINDS.values())
    routes = {re.sub(f"/({plurals})/", "/{plural}/", path) for path in served.app.openapi()["paths"]}
    assert set(re.findall(r"^\| `(/[^`]*)` \|", GUIDE, re.MULTILINE)) == routes


def test_every_kind_is_documented():
    assert all(f"`{kind.plural}`" in GUIDE for kind in KINDS.values())


def test_every_parameter_is_documented(served):
    for methods in served.app.openapi()["paths"].values():
        for route in methods.values():
            for parameter in route.get("parameters", []):
                assert parameter["in"] == "path" or f"`{parameter['name']}`" in GUIDE, parameter["name"]


def test_every_status_is_documented(served):
    for methods in served.app.openapi()["paths"].values():
        for route in methods.values():
            for status in route["responses"]:
                assert status == "200" or f"| {status} |" in GUIDE


def test_the_settings_that_it_names_exist():
    named = set(re.findall(r"`serve\.(\w+)`", GUIDE))
    assert named
    assert named <= {field.name for field in fields(ServeSettings)}


def test_every_operation_has_examples_that_validate(served):
    description = served.app.openapi()

    def examples_of(part):
        """The examples of a parameter, a body or an answer, which its schema takes."""
        schema = part["schema"]
        named = description
        for name in schema.get("$ref", "").split("/")[1:]:
            named = named[name]
        examples = [part["example"]] if "example" in part else (named if "$ref" in schema else schema)["examples"]
        check = jsonschema.Draft202012Validator({**schema, "components": description["components"]})
        for example in examples:
            check.validate(example)
        return examples

    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            required = [one for one in operation.get("parameters", []) if one["required"]]
            answer = next(one for status, one in operation["responses"].items() if status.startswith("2"))
            bodies = [operation.get("requestBody", {}).get("content", {}), answer.get("content", {})]
            parts = [*required, *(content for body in bodies for content in body.values())]
            assert all(examples_of(part) for part in parts), (method, path)
            assert bodies[1] or method == "delete", (method, path)
