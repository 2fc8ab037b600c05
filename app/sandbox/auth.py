"""The caller: Basic on Cloud, bearer tokens on Data Center and at the gateway, or anonymous."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from app.sandbox.model import Credential, User
from app.sandbox.site import JiraSite
from app.sandbox.wire import Reply, ok

SERAPH_FAILED = (b"x-seraph-loginreason", b"AUTHENTICATED_FAILED")
READING_POSTS = frozenset(
    {"/issue/bulkfetch", "/changelog/bulkfetch", "/search", "/search/jql",
     "/search/approximate-count"}
)  # fmt: skip


@dataclass(slots=True)
class Identity:
    """Who calls. `failed`: answers carry the Seraph header. `refusal`, where there is one, is the
    answer to every call."""

    user: User | None
    failed: bool = False
    credential: Credential | None = None
    refusal: Reply | None = None


def unauthorized(message: str = "Client must be authenticated to access this resource.") -> Reply:
    reply = ok({"message": message, "status-code": 401}, 401)
    reply.headers.append((b"www-authenticate", b'OAuth realm="sandbox"'))
    return reply


def identify(site: JiraSite, authorization: str, *, gateway: bool) -> Identity:
    """Without a header: anonymous. With a bad one: 401, or anonymous with the Seraph header."""
    if not authorization:
        return Identity(None)
    credential = _credential(site, authorization, gateway=gateway)
    if credential is None:
        return Identity(None, failed=True, refusal=unauthorized())
    if credential.expired:
        if credential.on_failure == "anonymous":
            return Identity(None, failed=True)
        return Identity(None, failed=True, refusal=unauthorized())
    user = site.users.get(credential.user)
    if user is None or not user.active:
        return Identity(None, failed=True, refusal=unauthorized())
    return Identity(user, credential=credential)


def scope_refusal(credential: Credential | None, method: str, endpoint: str) -> Reply | None:
    """The answer to a scoped token that lacks the scope of this operation. Reads may be POSTs."""
    if credential is None or credential.kind != "scoped":
        return None
    reading = method == "GET" or endpoint in READING_POSTS
    needed = "read:jira-work" if reading else "write:jira-work"
    if endpoint == "/myself":
        needed = "read:jira-user"
    if needed in credential.scopes and not endpoint.startswith("/webhooks"):
        return None
    return ok({"code": 401, "message": "Unauthorized; scope does not match"}, 401)


def _credential(site: JiraSite, authorization: str, *, gateway: bool) -> Credential | None:
    scheme, _, rest = authorization.partition(" ")
    name, secret = "", rest.strip()
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(secret, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        name, _, secret = text.partition(":")
    elif scheme.lower() != "bearer":
        return None
    credential = site.credentials.get(secret)
    if credential is None:
        return None
    if credential.kind == "scoped" and not gateway:
        return None  # the plain host knows nothing of scoped tokens
    if name:
        user = site.users.get(credential.user)
        known = () if user is None else (user.email.casefold(), user.name.casefold())
        return credential if name.casefold() in known else None
    if scheme.lower() == "bearer" and credential.kind == "api_token":
        return None  # API tokens are passwords, not bearer tokens
    return credential
