"""What routes say of themselves in the OpenAPI document."""

from typing import Any

from app.api.http.problems import KINDS, MEDIA_TYPE
from app.api.schemas.base import ProblemDetails

Responses = dict[int | str, dict[str, Any]]


def problems(*codes: str) -> Responses:
    """`responses` of a route for the problems that are its own; those that every route can
    answer are added by `openapi`."""
    found: Responses = {}
    for code in codes:
        kind = KINDS[code]
        entry = found.setdefault(kind.status, {"model": ProblemDetails, "description": ""})
        line = f"`{code}`: {kind.title}."
        entry["description"] = f"{entry['description']} {line}".strip()
        entry["content"] = {MEDIA_TYPE: {}}
    return found


def etag(description: str) -> dict[str, Any]:
    return {"ETag": {"description": description, "schema": {"type": "string"}}}
