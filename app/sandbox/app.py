"""The ASGI application of one site: prefixes, authentication, faults, limits, headers, log.

Kept free of frameworks: a call costs a dictionary look-up, one handler and one serialisation.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx

from app.sandbox.auth import (
    SERAPH_FAILED,
    TOKEN_PATHS,
    Identity,
    grant_token,
    identify,
    scope_refusal,
    unauthorized,
)
from app.sandbox.faults import Fault
from app.sandbox.limits import Limited
from app.sandbox.logbook import RequestRecord
from app.sandbox.misbehave import dressed, limited_reply
from app.sandbox.model import Refusal
from app.sandbox.routes.routing import Route, Router
from app.sandbox.site import JiraSite
from app.sandbox.times import http_date
from app.sandbox.wire import Call, Reply, ok, refused

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Dropper = Callable[[tuple[str, int]], None]
BEFORE_KINDS = frozenset({"rate_limited", "error_before", "html", "captcha"})


@dataclass(slots=True)
class _Asked:
    """One call as it came in. `found` is its route and wildcards."""

    method: str
    api: str
    gateway: bool
    who: Identity
    found: tuple[Route, tuple[str, ...]] | None
    query: str
    headers: dict[bytes, str]
    body: bytes
    request: str


class SiteApp:
    """ASGI app over one site. `dropper` closes a client's connection when served by uvicorn.

    Without it (in process) a drop raises httpx.RemoteProtocolError, a late commit
    httpx.ReadTimeout, as the client would see over a socket.
    """

    def __init__(self, site: JiraSite, dropper: Dropper | None = None) -> None:
        self.site = site
        self.dropper = dropper
        self.late: set[asyncio.Task[None]] = set()
        self._router = Router(site.flavour)
        self._serial = 0

    async def settled(self) -> None:
        """Until every late commit has happened."""
        while self.late:
            await asyncio.gather(*self.late)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        reply = await self.answer(scope["method"], scope["path"], query, headers, body)
        if isinstance(reply, Reply):
            await _send(send, reply, scope["method"])
            return
        if self.dropper is None:
            raise reply
        self.dropper(scope["client"])
        while (await receive())["type"] != "http.disconnect":
            pass

    async def answer(
        self, method: str, path: str, query: str, headers: dict[bytes, str], body: bytes
    ) -> Reply | httpx.TransportError:
        """The reply to one call, or the error that a dropped connection is to its client."""
        site = self.site
        self._serial += 1
        request = f"{self._serial:x}x{site.seed:x}"
        if site.latency:
            await site.clock.sleep(site.latency)
        if method == "POST" and path.removeprefix(site.context) in TOKEN_PATHS:
            return self._finish(grant_token(site, body), request, Identity(None))
        place = self._place(path)
        if isinstance(place, Reply):
            return self._finish(place, request, Identity(None))
        api, rest, gateway = place
        who = identify(site, headers.get(b"authorization", ""), gateway=gateway)
        found = self._router.find(rest)
        asked = _Asked(method, api, gateway, who, found, query, headers, body, request)
        account = who.user.name if who.user else None
        fault = site.faults.pick(method, rest, account) if site.faults.plan else None
        status = 0
        try:
            reply = self._handle(asked) if fault is None else await self._faulty(fault, asked)
            if isinstance(reply, Reply):
                status = reply.status
                reply = self._finish(reply, request, who)
            return reply
        finally:
            template = found[0].template if found else rest
            kind = fault.kind if fault else None
            site.requests.add(
                RequestRecord(request, site.now(), method, rest, template, status, account, kind)
            )

    async def _faulty(self, fault: Fault, asked: _Asked) -> Reply | httpx.TransportError:
        """Handle the call with its fault."""
        early = await self._before(fault, asked)
        if early is not None:
            return early
        reply = self._handle(asked, fault)
        if fault.kind == "after":
            await _run(fault)
        if fault.kind == "drop_after":
            return httpx.RemoteProtocolError("Server disconnected without a response.")
        return dressed(self.site, fault, reply)

    async def _before(self, fault: Fault, asked: _Asked) -> Reply | httpx.TransportError | None:
        """Act before the call is handled. Returns an answer if the call is never handled, or is
        handled too late for its caller; else None."""
        who = asked.who
        if fault.kind == "anonymous":
            who.user, who.credential, who.failed, who.refusal = None, None, True, None
        elif fault.kind == "denied":
            who.user, who.credential, who.refusal = None, None, None
        elif fault.kind == "unauthorized":
            who.failed = True
            return unauthorized()
        elif fault.kind == "before":
            await _run(fault)
        elif fault.kind == "slow":
            await self.site.clock.sleep(fault.seconds)
        elif fault.kind == "drop_before":
            return httpx.RemoteProtocolError("Server disconnected without a response.")
        elif fault.kind in BEFORE_KINDS:
            return dressed(self.site, fault, Reply(200))
        elif fault.kind == "late_commit":
            return await self._late(fault, lambda: self._handle(asked))
        return None

    def _handle(self, asked: _Asked, fault: Fault | None = None) -> Reply:
        """Everything that a well-behaved Jira does; synchronous, hence atomic."""
        site, who = self.site, asked.who
        if who.refusal is not None:
            return who.refusal
        if asked.found is None:
            return refused(Refusal(404, "null for uri: this resource does not exist."))
        route, args = asked.found
        handler = route.handlers.get(asked.method)
        if handler is None:
            return refused(Refusal(405, f"Method {asked.method} is not allowed."))
        if asked.body and "json" not in asked.headers.get(b"content-type", ""):
            return refused(Refusal(415, "The content type must be application/json."))
        scope = scope_refusal(who.credential, asked.method, route.template)
        if scope is not None:
            return scope
        call = Call(
            site,
            who.user,
            asked.api,
            tuple(unquote(arg) for arg in args),
            parse_qs(asked.query, keep_blank_values=True) if asked.query else {},
            asked.body,
            asked.request,
            f"{site.base_url}/ex/jira/{site.cloud_id}" if asked.gateway else site.base_url,
        )
        if fault is not None and fault.kind == "issue_error":
            call.fail_issues, call.issue_errors = True, fault.issues
        try:
            near = site.limits.call(asked.method, route.template)
            reply = handler(call)
        except Refusal as refusal:
            return refused(refusal)
        except Limited as limited:
            return limited_reply(site, limited)
        if near:
            reply.headers.append((b"x-ratelimit-nearlimit", b"true"))
        return reply

    async def _late(self, fault: Fault, commit: Callable[[], Reply]) -> httpx.TransportError:
        async def happen() -> None:
            await self.site.clock.sleep(fault.seconds)
            commit()

        task = asyncio.create_task(happen())
        self.late.add(task)
        task.add_done_callback(self.late.discard)
        if self.dropper is not None:
            await task
        return httpx.ReadTimeout("The sandbox does not answer.")

    def _place(self, path: str) -> tuple[str, str, bool] | Reply:
        """(API version, path below it, through the gateway?), or an answer from outside REST."""
        site = self.site
        gateway = path.startswith("/ex/jira/")
        if gateway:
            cloud_id, _, path = path[len("/ex/jira/") :].partition("/")
            path = f"/{path}"
            if site.flavour != "cloud" or cloud_id != site.cloud_id:
                return ok({"code": 404, "message": "No site was found for this cloud id."}, 404)
        elif site.context:
            if not path.startswith(f"{site.context}/"):
                return Reply(404, b"<html>Not found</html>", [(b"content-type", b"text/html")])
            path = path[len(site.context) :]
        if path == "/_edge/tenant_info" and site.flavour == "cloud":
            return ok({"cloudId": site.cloud_id})
        if path.startswith("/rest/api/"):
            version, _, rest = path[len("/rest/api/") :].partition("/")
            known = ("2", "3", "latest") if site.flavour == "cloud" else ("2", "latest")
            if version in known:
                latest = "3" if site.flavour == "cloud" else "2"
                return latest if version == "latest" else version, f"/{rest.rstrip('/')}", gateway
        if path.startswith("/rest/webhooks/1.0/webhook"):
            rest = path[len("/rest/webhooks/1.0/webhook") :]
            return "2", f"/webhooks{rest.rstrip('/')}", gateway
        return Reply(404, b"<html>Not found</html>", [(b"content-type", b"text/html")])

    def _finish(self, reply: Reply, request: str, who: Identity) -> Reply:
        """The headers of every answer."""
        date = http_date(int(self.site.clock.now()))
        reply.headers += [(b"date", date.encode()), (b"x-arequestid", request.encode())]
        if who.failed:
            reply.headers.append(SERAPH_FAILED)
        elif who.user is not None:
            if self.site.flavour == "cloud":
                reply.headers.append((b"x-aaccountid", who.user.account_id.encode()))
            else:
                reply.headers.append((b"x-ausername", who.user.name.encode()))
                reply.headers.append((b"x-seraph-loginreason", b"OK"))
        return reply


async def _run(fault: Fault) -> None:
    if fault.action is not None:
        outcome = fault.action()
        if inspect.isawaitable(outcome):
            await outcome


async def _send(send: Send, reply: Reply, method: str) -> None:
    headers = list(reply.headers)
    if reply.status != 204:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else reply.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
