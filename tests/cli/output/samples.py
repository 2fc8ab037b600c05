"""Answers of the API for any route, made from the OpenAPI document: long names, many digits."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx

DIGEST = "3f" * 32
LONG_NAME = "payments-platform-to-customer-support"
TIME = "2026-11-28T06:38:37.859102Z"
PROSE = (
    "The guard tripped: the limit of an hour is used up. 10 removals went through, 50 are held"
    " until a person decides."
)
_BY_NAME: Mapping[str, Any] = {
    "digest": DIGEST,
    "name": LONG_NAME,
    "connection": LONG_NAME,
    "site": "customer-support-cloud",
    "key": "PAYMENTS-104729",
    "left": "PAYMENTS-104729",
    "right": "SUPPORT-1299709",
    "base_url": "https://customer-support.example.atlassian.net",
    "account_id": "5b10ac8d82e05b22cc7d4ef5",
    "identity": "9f1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
    "type": "Blocks",
    "detail": PROSE,
    "text": PROSE,
    "reason": "row_7",
    "purpose": "plan to put back what was removed",
    "command": f"twinlink restore --connection {LONG_NAME} --since {TIME}",
    "owner": "ann@example.org",
    "next": None,
    "status": None,
}


@cache
def _document() -> dict[str, Any]:
    path = Path(__file__).parents[3] / "openapi" / "openapi.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@cache
def _routes() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    return [
        (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), item)
        for path, item in sorted(_document()["paths"].items(), key=lambda it: "{" in it[0])
    ]


def answer(request: httpx.Request) -> httpx.Response:
    """What the route's first success says it answers."""
    path = request.url.path
    for pattern, item in _routes():
        operation = item.get(request.method.lower())
        if operation is None or not pattern.fullmatch(path):
            continue
        for status in ("200", "201", "202", "204"):
            said = operation["responses"].get(status)
            if said is None:
                continue
            content = said.get("content", {})
            if path.endswith("/events"):
                break
            if "application/json" in content:
                body = _made(content["application/json"].get("schema", {}), "", 0)
                return httpx.Response(int(status), json=_settled(path, body))
            return httpx.Response(int(status), text="" if status == "204" else "text\n")
    raise AssertionError(f"no such route: {request.method} {path}")


def _settled(path: str, body: Any) -> Any:
    """Of what a command waits for: it is over."""
    if isinstance(body, dict) and re.search(r"/(resyncs|restores|rescues)/\w+$", path):
        body["status"] = "succeeded"
    if isinstance(body, dict) and re.search(r"/plans/\w+$", path):
        body |= {"status": "held", "next": None}
    if isinstance(body, dict) and re.search(r"/(adoptions|verifications)/\w+$", path):
        body["status"] = "applied" if "adoptions" in path else "accepted"
    return body


def _made(schema: Mapping[str, Any], name: str, depth: int) -> Any:
    if name == "next":
        return None  # the last page
    if "$ref" in schema:
        return _made(_resolved(schema["$ref"]), name, depth)
    options = [
        it
        for many in ("anyOf", "oneOf", "allOf")
        for it in schema.get(many, ())
        if it.get("type") != "null"
    ]
    if options:
        return _made(options[0], name, depth)
    fixed = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    return max(fixed, key=lambda it: len(str(it))) if fixed else _plain(schema, name, depth)


def _plain(schema: Mapping[str, Any], name: str, depth: int) -> Any:
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {field: _made(it, field, depth + 1) for field, it in fields.items()}
        case "array":
            return [_made(schema.get("items", {}), name, depth + 1) for _ in range(2)]
        case "string":
            return _text(schema, name)
        case "integer" | "number":
            return 0 if name in {"unknown", "dismissed", "delayed", "failed"} else 3
        case "boolean":
            return False
        case _:
            return None


def _text(schema: Mapping[str, Any], name: str) -> str:
    if schema.get("format") == "date-time" or name.endswith("_at"):
        return TIME
    if name in _BY_NAME and _BY_NAME[name] is not None:
        return str(_BY_NAME[name])
    return "1048577" if name.endswith("id") else "value"


def _resolved(ref: str) -> dict[str, Any]:
    found: dict[str, Any] = _document()["components"]["schemas"][ref.rpartition("/")[2]]
    return found
