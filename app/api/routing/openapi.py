"""The OpenAPI document: what FastAPI derives, and the answers that all routes share.

`openapi/openapi.json` is this document, written by `twinlink openapi`; a test fails on drift.
"""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.auth.roles import RULES, V1
from app.api.http.problems import KINDS, MEDIA_TYPE

_METHODS = ("get", "put", "post", "delete")
_REF = {"$ref": "#/components/schemas/ProblemDetails"}
_DESCRIPTION = """\
Keeps issue links in step between Jira sites, and only ever removes links that it provably made.

Every refusal is `application/problem+json`; `code` is stable, `errors` name the fields. Lists are
`{items, next}`: pass `next` as `cursor` with the same filters. A POST with an `Idempotency-Key`
acts once within 24 hours. `ETag` is the revision; a stale `If-Match` gives 412.
"""


def install(app: FastAPI) -> None:
    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def build(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    found["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "See POST /api/v1/tokens"}
    }
    for path, item in found["paths"].items():
        for method in _METHODS:
            if method not in item:
                continue
            if path.startswith(V1):
                _complete(item[method], method, path)
            else:
                item[method]["responses"].pop("422", None)  # FastAPI's own, never answered here
    return found


def text(app: FastAPI) -> str:
    """The document as it is committed: one form for one content."""
    return json.dumps(build(app), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _complete(operation: dict[str, Any], method: str, path: str) -> None:
    """Role, security, and the problems that the frame around every route can answer."""
    rule = RULES[method.upper(), path.removeprefix(V1)]
    role = f"Role: **{rule.role.value}**"
    role += ", with a token that is not restricted to connections." if rule.everywhere else "."
    operation["description"] = f"{operation.get('description', '')}\n\n{role}".strip()
    operation["security"] = [{"token": []}]
    operation["x-role"] = rule.role.value
    if method == "post":
        operation.setdefault("parameters", []).append(_IDEMPOTENCY)
    for code in _common(operation, method):
        _add(operation["responses"], code)
    operation["responses"] = dict(sorted(operation["responses"].items()))
    for entry in operation["responses"].values():
        if MEDIA_TYPE in entry.get("content", {}):
            entry["content"] = {MEDIA_TYPE: {"schema": _REF}}


_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


def _common(operation: dict[str, Any], method: str) -> list[str]:
    codes = [
        "unauthenticated",
        "too_many_attempts",
        "forbidden",
        "not_acceptable",
        "body_too_large",
        "headers_too_large",
        "request_too_slow",
    ]
    if operation["responses"].pop("422", None) is not None:
        codes.append("validation")
    if "requestBody" in operation:
        codes += ["malformed_json", "bad_request", "unsupported_media_type"]
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    if "cursor" in names:
        codes.append("cursor_mismatch")
    if method == "post":
        codes += [
            "idempotency_key",
            "idempotency_mismatch",
            "idempotency_running",
        ]
    return [*codes, "internal", "database_unavailable", "timeout", "unavailable"]


def _add(responses: dict[str, Any], code: str) -> None:
    kind = KINDS[code]
    entry = responses.setdefault(str(kind.status), {"description": ""})
    line = f"`{code}`: {kind.title}."
    if f"`{code}`" not in entry["description"]:
        entry["description"] = f"{entry['description']} {line}".strip()
    entry["content"] = {MEDIA_TYPE: {"schema": _REF}}
