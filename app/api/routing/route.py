"""What every API route does before and after its own five lines, in this order: body limit,
who calls and whether they may, media types, idempotency, time limit."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from enum import Enum
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from app.api.auth.auth import authenticate, authorize
from app.api.auth.roles import V1, rule_for
from app.api.http import idempotency
from app.api.http.media import accepts, is_json
from app.api.http.problems import Problem, unavailable
from app.wiring import Services

BODY_LIMIT = 1024 * 1024
TIME_LIMIT = 60.0
"""Seconds until an answer begins; pairing 1,000 issues asks both sites ten times each."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def api_router(tag: str) -> APIRouter:
    tags: list[str | Enum] = [tag]
    return APIRouter(prefix=V1, route_class=HouseRoute, tags=tags)


class BoundedRequest(Request):
    """Its body is bounded: a longer one is cut off, with or without a Content-Length."""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        size = 0
        async for chunk in super().stream():
            size += len(chunk)
            if size > BODY_LIMIT:
                raise Problem("body_too_large", f"at most {BODY_LIMIT} bytes")
            yield chunk


class HouseRoute(APIRoute):
    """One method and path of the table in `roles`."""

    def get_route_handler(self) -> Handler:
        call = super().get_route_handler()
        (method,) = self.methods or {"GET"}
        rule = rule_for(method, self.path)
        takes_body = self.body_field is not None
        produces = _produces(self)

        async def handle(incoming: Request) -> Response:
            request = BoundedRequest(incoming.scope, incoming.receive)
            services: Services = request.app.state.services
            caller = await authenticate(request, services)
            authorize(caller, rule)
            request.state.caller = caller
            _check_media(request, produces, takes_body=takes_body)
            try:
                async with asyncio.timeout(TIME_LIMIT):
                    if method == "POST":
                        return await idempotency.once(request, services, caller.id, call)
                    return await call(request)
            except TimeoutError:
                raise unavailable("timeout", None) from None

        return handle


def _produces(route: APIRoute) -> Sequence[str]:
    """What its response class says, then the other types that its 200 is documented with."""
    media_type = getattr(route.response_class, "media_type", None)
    more = route.responses.get(200, {}).get("content", {})
    return (media_type or "application/json", *more)


def _check_media(request: Request, produces: Sequence[str], *, takes_body: bool) -> None:
    if not accepts(request.headers.get("accept"), produces):
        raise Problem("not_acceptable", f"it is {' or '.join(produces)}")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > BODY_LIMIT:
        raise Problem("body_too_large", f"at most {BODY_LIMIT} bytes")
    has_body = announced not in {"", "0"} or "transfer-encoding" in request.headers
    if takes_body and has_body and not is_json(request.headers.get("content-type")):
        raise Problem("unsupported_media_type", "send application/json")
