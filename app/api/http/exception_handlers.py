"""From exceptions to problem details."""

import re
from math import ceil
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.api.http import problems
from app.api.http.problems import KINDS, Problem
from app.core.config import Problem as FieldProblem
from app.core.errors import PermanentError, TransientError
from app.process.event_streams import TooManyStreams
from app.sync.runtime.refusals import Refused

_LOG = structlog.get_logger(__name__)
_STREAMS_RETRY_AFTER = 15
"""Seconds. A stream lasts as long as its page is open: when one ends is not known."""

_OF_A_SITE = {
    "site_unavailable": "gave no usable answer",
    "site_refuses": "refuses what was asked",
}
"""Of two sites, a person must know which."""


def install(app: FastAPI) -> None:
    """What reaches none of these is caught by `middleware` and answered with 500."""
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(TooManyStreams, _on_too_many_streams)
    app.add_exception_handler(TransientError, _on_transient)
    app.add_exception_handler(PermanentError, _on_permanent)


def _on_http(request: Request, error: Exception) -> Response:
    if isinstance(error, Problem):
        return problems.response(error)
    if not isinstance(error, HTTPException):
        return problems.response(Problem("internal"))
    if error.status_code == 405:
        allow = ", ".join(_methods(request.app, request.url.path))
        return problems.response(Problem("method_not_allowed", headers={"Allow": allow}))
    return problems.response(problems.from_status(error))


def _methods(app: FastAPI, path: str) -> list[str]:
    """Every method of an address. The framework names those of one route, and here each
    method has a route of its own."""
    return sorted(
        method.upper()
        for template, item in app.openapi()["paths"].items()
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path)
        for method in item
    )


def _on_invalid(_request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    sent = error.body if isinstance(error, RequestValidationError) else None
    if any(item["type"] == "json_invalid" for item in found):
        return problems.response(Problem("malformed_json"))
    fields = [FieldProblem(pointer(item["loc"], sent), _words(item)) for item in found]
    return problems.response(Problem("validation", errors=fields))


def _on_too_many_streams(_request: Request, error: Exception) -> Response:
    limit = error.limit if isinstance(error, TooManyStreams) else ""
    again = {"Retry-After": str(_STREAMS_RETRY_AFTER)}
    return problems.response(Problem("too_many_streams", limit, headers=again))


def _on_transient(_request: Request, error: Exception) -> Response:
    """Postgres away, a Jira away: the same call may succeed later."""
    if not isinstance(error, TransientError):
        return problems.response(Problem("internal"))
    known = error.code in KINDS and KINDS[error.code].status == 503
    _LOG.warning("unavailable", code=error.code, **error.facts)
    code = error.code if known else "unavailable"
    says = _OF_A_SITE.get(code)
    site = error.facts.get("site")
    detail = f"{site} {says}" if says and site else ""
    return problems.response(problems.unavailable(code, error.retry_after, detail))


def _on_permanent(_request: Request, error: Exception) -> Response:
    """Refusals of use cases. A code that means something else at the edge (a Jira's
    `forbidden`) is none of the caller's doing, and was not expected here."""
    code = error.code if isinstance(error, PermanentError) else "internal"
    status = KINDS[code].status if code in KINDS else 500
    if isinstance(error, Refused) and status < 500:
        wait = {} if error.retry_after is None else {"Retry-After": str(ceil(error.retry_after))}
        refused = Problem(code, error.detail, errors=error.problems, headers=wait)
        return problems.response(refused)
    if status in {404, 409, 410}:
        return problems.response(Problem(code))
    _LOG.error("unexpected_error", code=code)
    return problems.response(Problem("internal"))


def pointer(loc: tuple[int | str, ...], sent: Any) -> str:
    """A JSON pointer into the body; `/query/limit`, `/path/name` or `/header/…` elsewhere.

    For a union pydantic puts the name of the alternative into the place; no field of that name
    was sent there, so it is left out.
    """
    if not loc or loc[0] != "body":
        return "".join(f"/{_escaped(part)}" for part in loc)
    steps, here = [], sent
    for at, part in enumerate(loc[1:], start=2):
        last = at == len(loc)
        inside = _inside(here, part)
        if isinstance(here, dict) and not last and not isinstance(inside, dict | list):
            continue
        steps.append(f"/{_escaped(part)}")
        here = inside
    return "".join(steps)


def _inside(here: Any, part: int | str) -> Any:
    if isinstance(here, dict):
        return here.get(part)
    if isinstance(here, list) and isinstance(part, int) and part < len(here):
        return here[part]
    return None


def _escaped(part: int | str) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _words(item: dict[str, Any]) -> str:
    """Pydantic's own message quotes what was sent in a few cases; those get ours."""
    match item["type"]:
        case "extra_forbidden":
            return "there is no such field"
        case "missing":
            return "is required"
        case "union_tag_invalid" | "union_tag_not_found":
            return f"must have one of: {item['ctx'].get('expected_tags', 'a known kind')}"
        case "model_attributes_type" | "dict_type":
            return "must be an object"
        case "value_error":
            return str(item["msg"]).removeprefix("Value error, ")
        case "literal_error" | "enum":
            # A member of an enumeration is named as Python shows it.
            return re.sub(r"<[\w.]+: ('[^']*')>", r"\1", str(item["msg"]))
        case _:
            return str(item["msg"])
