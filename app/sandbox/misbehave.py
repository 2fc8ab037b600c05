"""Apply a fault to an answer."""

from __future__ import annotations

from datetime import UTC, datetime

from app.sandbox.faults import Fault
from app.sandbox.limits import Limited
from app.sandbox.site import JiraSite
from app.sandbox.wire import JSON, Reply, ok

PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head><body>Please log in.</body></html>"
SERAPH_DENIED = (b"x-seraph-loginreason", b"AUTHENTICATION_DENIED")
HTML = (b"content-type", b"text/html;charset=UTF-8")


def dressed(site: JiraSite, fault: Fault, reply: Reply) -> Reply:
    """The answer that leaves instead of `reply`, which may already have had its effect."""
    if fault.kind == "rate_limited":
        return _too_many(site, fault)
    if fault.kind in ("captcha", "denied", "html"):
        return _not_let_in(site, fault, reply)
    if fault.kind in ("error_before", "error_after"):
        broken = Reply(fault.status, fault.words.encode(), [(b"content-type", b"text/plain")])
        if fault.headers == "retry_after" or (fault.status == 503 and fault.headers != "none"):
            broken.headers.append((b"retry-after", str(fault.retry_after).encode()))
        return broken
    if fault.kind == "altered" and fault.change is not None:
        return Reply(reply.status, fault.change(reply.body), reply.headers)
    if fault.kind == "empty_changelog":
        return ok({"startAt": 0, "maxResults": 100, "total": 0, "isLast": True, "values": []})
    if fault.kind == "truncated":
        return Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers)
    if fault.kind == "huge":
        return Reply(reply.status, b" " * fault.size + reply.body, reply.headers)
    return reply


def _not_let_in(site: JiraSite, fault: Fault, reply: Reply) -> Reply:
    """A page that asks a person to log in; some sites give an anonymous answer instead."""
    if fault.kind == "html":
        return Reply(200, PAGE, [HTML])
    if fault.kind == "denied":
        reply.headers.append(SERAPH_DENIED)
        return reply
    where = f"CAPTCHA_CHALLENGE; login-url={site.base_url}/login.jsp"
    denied = (b"x-authentication-denied-reason", where.encode())
    return Reply(403, PAGE, [HTML, SERAPH_DENIED, denied])


def limited_reply(site: JiraSite, limited: Limited) -> Reply:
    """429 of the site's own limits."""
    fault = Fault("rate_limited", retry_after=limited.wait, reason=limited.reason)
    return _too_many(site, fault, limited.limit)


def _too_many(site: JiraSite, fault: Fault, limit: int = 100) -> Reply:
    """429 with the headers that the fault asks for. A gateway's 429 has none, and no JSON."""
    if fault.headers == "none":
        return Reply(429, b"Too Many Requests", [(b"content-type", b"text/plain")])
    reply = ok({"errorMessages": ["Rate limit exceeded."], "errors": {}}, 429)
    reset = datetime.fromtimestamp(site.clock.now() + fault.retry_after, UTC)
    resets = (b"x-ratelimit-reset", f"{reset:%Y-%m-%dT%H:%MZ}".encode())
    if fault.headers == "reset":
        reply.headers = [JSON, resets]
        return reply
    reply.headers = [JSON, (b"retry-after", str(fault.retry_after).encode())]
    if fault.headers == "retry_after":
        return reply
    reply.headers += [
        (b"x-ratelimit-limit", str(limit).encode()),
        (b"x-ratelimit-remaining", b"0"),
    ]
    if site.flavour == "datacenter":
        reply.headers += [
            (b"x-ratelimit-interval-seconds", b"1"),
            (b"x-ratelimit-fillrate", str(limit).encode()),
        ]
        return reply
    reply.headers.append(resets)
    if fault.reason is not None:
        reply.headers.append((b"ratelimit-reason", fault.reason.encode()))
    if fault.headers == "beta":
        reply.headers = [(_on_trial(name), value) for name, value in reply.headers]
    return reply


def _on_trial(name: bytes) -> bytes:
    if name.startswith(b"x-"):
        return b"x-beta-" + name.removeprefix(b"x-")
    return b"beta-" + name if name.startswith(b"ratelimit") else name
