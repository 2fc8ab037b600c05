"""Who is signed in: a cookie of 256 random bits, and a row that knows its hash."""

import hashlib
import hmac
import secrets
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from app.process.event_streams import Reader
from app.process.loopback import is_loopback
from app.store.access import sessions, tokens
from app.store.access.sessions import SignedIn
from app.store.pool import Database
from app.wiring import Services

COOKIE = "twinlink_session"
SECURE_COOKIE = "__Host-twinlink_session"


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def new_text() -> str:
    return secrets.token_urlsafe(32)


def cookie_of(request: Request) -> str | None:
    return request.cookies.get(_name(request))


def csrf_of(cookie: str) -> str:
    """What each form of this session carries. It follows from the cookie, which no other origin
    can read, and does not lead back to it."""
    return hashlib.sha256(f"csrf:{cookie}".encode()).hexdigest()


def csrf_holds(request: Request, cookie: str, sent: str) -> bool:
    """Whether a form of ours sent this. A browser that says where a request comes from must say
    *here*."""
    origin = request.headers.get("sec-fetch-site", "same-origin")
    here = origin in {"same-origin", "none"}
    return here and hmac.compare_digest(csrf_of(cookie).encode(), sent.encode())


async def current(request: Request, services: Services) -> SignedIn | None:
    cookie = cookie_of(request)
    if cookie is None or len(cookie) > 100:
        return None
    async with services.database.connection() as conn:
        return await sessions.find(conn, digest(cookie), services.clock())


def reader(request: Request, who: SignedIn) -> Reader:
    """By which its open streams are counted: this session's, and all of its token's."""
    token = tokens.BOOTSTRAP if who.token_id is None else str(who.token_id)
    return Reader(token, digest(cookie_of(request) or "").hex())


async def begin(request: Request, response: Response, services: Services, who: SignedIn) -> None:
    """A new cookie for *who*; sessions that are over are purged on the way."""
    cookie, now = new_text(), services.clock()
    async with services.database.transaction() as conn:
        await sessions.purge(conn, now)
        await sessions.start(conn, digest(cookie), who, now)
    response.set_cookie(
        _name(request),
        cookie,
        httponly=True,
        secure=_secure(request),
        samesite="lax",
        path="/",
    )


async def end(
    request: Request, response: Response, services: Services, *, who: SignedIn | None = None
) -> None:
    """This session; with *who*, every session of the same token."""
    cookie = cookie_of(request)
    async with services.database.transaction() as conn:
        if cookie is not None:
            await sessions.end(conn, digest(cookie))
        if who is not None:
            await sessions.end_all(conn, who)
    response.delete_cookie(_name(request), path="/", secure=_secure(request), httponly=True)


async def new_link(database: Database, address: str, admin_token: str, now: datetime) -> str:
    """A link that signs in once, within ten minutes, with the rights of *admin_token*."""
    code = secrets.token_urlsafe(24)
    async with database.transaction() as conn:
        await sessions.put_link(conn, digest(code), digest(admin_token), now)
    return f"{address}/sign-in/{code}"


def _name(request: Request) -> str:
    return SECURE_COOKIE if _secure(request) else COOKIE


def _secure(request: Request) -> bool:
    """Always, except by plain HTTP on this very machine, where a browser may drop the cookie."""
    host = request.url.hostname or ""
    return not (request.url.scheme == "http" and is_loopback(host))
