"""`Idempotency-Key`: a POST that is sent again gets the first answer, and acts once.

Only answers of calls that were carried out are kept. A call that was refused changed nothing,
so its key is free again. An answer with a secret is kept without it: `withhold`.
"""

import hashlib
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response

from app.api.http import problems
from app.api.http.problems import Problem
from app.store.access import idempotency as stored
from app.store.access.idempotency import Stored
from app.wiring import Services

HEADER = "idempotency-key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("content-type", "location", "etag", "retry-after")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def withhold(request: Request, detail: str) -> None:
    """The answer of this call holds a secret: who repeats the call gets 409 and *detail*."""
    request.state.withheld = Problem("secret_not_replayed", detail)


async def once(request: Request, services: Services, caller: str, call: Handler) -> Response:
    key = request.headers.get(HEADER)
    if key is None:
        return await call(request)
    if not _KEY.fullmatch(key):
        raise Problem("idempotency_key", "1 to 255 visible ASCII characters")
    fingerprint = await _fingerprint(request)
    async with services.database.connection() as conn:
        claim = await stored.claim(conn, caller, key, fingerprint, services.clock())
    match claim:
        case Stored():
            return Response(claim.body, claim.status, _replayed(claim.headers))
        case "running":
            raise Problem("idempotency_running", headers={"Retry-After": "1"})
        case "other_request":
            raise Problem("idempotency_mismatch")
        case "ours":
            return await _run(request, services, caller, key, call)


async def _run(
    request: Request, services: Services, caller: str, key: str, call: Handler
) -> Response:
    try:
        response = await call(request)
    except BaseException:
        async with services.database.connection() as conn:
            await stored.release(conn, caller, key)
        raise
    withheld: Problem | None = getattr(request.state, "withheld", None)
    keep = response if withheld is None else problems.response(withheld)
    headers = {name: keep.headers[name] for name in _KEPT_HEADERS if name in keep.headers}
    async with services.database.connection() as conn:
        answer = Stored(keep.status_code, headers, bytes(keep.body))
        await stored.store(conn, caller, key, answer)
    return response


async def _fingerprint(request: Request) -> bytes:
    """What makes two requests the same: method, address with its query, and body."""
    line = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(line + await request.body()).digest()


def _replayed(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Idempotency-Replayed": "true"}
