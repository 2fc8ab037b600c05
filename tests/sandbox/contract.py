"""Holds every exchange under /rest/api/3 against the facts of Atlassian's OpenAPI document.

`contract_facts` writes them down and explains their notation. Two known gaps between that document
and real sites are tolerated by name: nulls in changelog items (exports of real sites have them),
and a remote-link list where the document says one object.
"""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]

from tests.sandbox.contract_facts import FACTS, PREFIX, Schema, Shape

BODIES = FACTS.parent / "bodies"
UNDOCUMENTED = frozenset({401, 403, 405, 410, 415, 429, 500, 502, 503})


class Contract:
    """`exchanges` counts what was checked, per operation."""

    def __init__(self, facts: Path = FACTS) -> None:
        known = json.loads(facts.read_text())
        self.operations: dict[str, Schema] = known["operations"]
        self.exchanges: dict[str, int] = {}
        self._shapes = {name: schema_of(shape) for name, shape in known["shapes"].items()}
        self._templates = [
            (name, re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", name) + "$"))
            for name in sorted(self.operations, key=lambda name: name.count("{"))
        ]

    def operation(self, method: str, path: str) -> Schema:
        for name, pattern in self._templates:
            if pattern.match(f"{method} {path}"):
                self.exchanges[name] = self.exchanges.get(name, 0) + 1
                return self.operations[name]
        raise AssertionError(f"{method} {path} is not in the document")

    def check(self, request: httpx.Request, response: httpx.Response) -> None:
        """AssertionError unless request (when it was taken) and answer are as documented."""
        path = request.url.path
        if not path.startswith(f"{PREFIX}/"):
            return
        operation = self.operation(request.method, path)
        if response.status_code < 300:
            unknown = set(request.url.params) - set(operation["query"])
            assert not unknown, (path, unknown)
        if response.status_code < 300 and "body" in operation:
            self._valid(operation["body"], json.loads(request.content), "request")
        status = str(response.status_code)
        if status not in operation["answers"]:
            assert response.status_code in UNDOCUMENTED, (path, response.status_code)
            return
        shape = operation["answers"][status]
        if response.status_code == 204 or not response.content:
            assert shape in (None, "any"), path
        elif shape is not None:
            self._valid(shape, _tolerated(path, response.json()), path)

    def _valid(self, shape: Shape, instance: Any, where: str) -> None:
        whole = schema_of(shape) | {"$defs": self._shapes}
        errors = [
            f"{error.json_path}: {error.message}"
            for error in jsonschema.Draft202012Validator(whole).iter_errors(instance)
        ]
        assert not errors, (where, errors)


def schema_of(shape: Shape) -> Schema:
    """The JSON Schema of a shape; shapes by name are looked up in `$defs`."""
    if isinstance(shape, dict):
        return _object(shape)
    if isinstance(shape, list):
        return {"type": "array", "items": schema_of(shape[0])} | _array_bounds(*shape[1:])
    if shape == "any":
        return {}
    if shape.startswith("="):
        return {"enum": shape[1:].split("|")}
    if shape[0].isupper():
        return {"$ref": f"#/$defs/{shape}"}
    words, _, null = shape.partition(" or ")
    kind, _, bounds = words.partition(" ")
    made: Schema = {"type": [kind, "null"] if null else kind}
    least, _, most = bounds.partition("..")
    if least:
        made["minimum"] = int(least)
    if most:
        made["maxLength" if kind == "string" else "maximum"] = int(most)
    return made


def _object(shape: dict[str, Shape]) -> Schema:
    made: Schema = {
        "type": "object",
        "properties": {
            name.rstrip("!"): schema_of(part) for name, part in shape.items() if name != "*"
        },
        "required": [name[:-1] for name in shape if name.endswith("!")],
    }
    others = shape.get("*", "any")
    made["additionalProperties"] = False if others == "nothing" else schema_of(others)
    return made


def _array_bounds(text: str = "") -> Schema:
    bounds, _, unique = text.partition(" ")
    made: Schema = {"uniqueItems": True} if "unique" in (bounds, unique) else {}
    if ".." in bounds:
        least, _, most = bounds.partition("..")
        made |= {"minItems": int(least)} if least else {}
        made |= {"maxItems": int(most)} if most else {}
    return made


def body_like(name: str) -> bytes:
    """A body as Jira sends it, with made-up content: `tests/data/bodies/NAME.json`."""
    return (BODIES / f"{name}.json").read_bytes()


def _tolerated(path: str, made: Any) -> Any:
    if path.endswith("/remotelink") and isinstance(made, list):
        return made[0] if made else {}
    return _without_nulls(made)


def _without_nulls(made: Any) -> Any:
    if isinstance(made, list):
        return [_without_nulls(one) for one in made]
    if isinstance(made, dict):
        item = "fieldtype" in made
        return {
            key: _without_nulls(value)
            for key, value in made.items()
            if not (item and value is None)
        }
    return made
