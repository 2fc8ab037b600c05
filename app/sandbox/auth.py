"""The caller: Basic on Cloud, bearer tokens on Data Center and at the gateway, or anonymous."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import parse_qs

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
    if credential.expired or (credential.ends is not None and site.clock.now() >= credential.ends):
        if credential.on_failure == "anonymous":
            return Identity(None, failed=True)
        return Identity(None, failed=True, refusal=unauthorized())
    user = site.users.get(credential.user)
    if user is None or not user.active:
        return Identity(None, failed=True, refusal=unauthorized())
    return Identity(user, credential=credential)


TOKEN_PATHS = ("/oauth/token", "/rest/oauth2/latest/token")
"""Atlassian's own, and a Data Center's."""


def grant_token(site: JiraSite, body: bytes) -> Reply:
    """OAuth 2.0 client credentials of a service account: a token of an hour, as RFC 6749 has it."""
    form = {name: values[-1] for name, values in parse_qs(body.decode("latin-1")).items()}
    known = site.credentials.get(form.get("client_secret", ""))
    if form.get("grant_type") != "client_credentials":
        return ok({"error": "unsupported_grant_type"}, 400)
    if known is None or known.client is None or known.client != form.get("client_id"):
        return ok({"error": "invalid_client", "error_description": "Unauthorized"}, 401)
    if site.flavour == "datacenter" and not form.get("scope"):
        return ok({"error": "invalid_scope"}, 400)
    secret = site.add_token(known.user, scoped=site.flavour == "cloud")
    site.credentials[secret].ends = site.clock.now() + site.quirks.token_seconds
    site.credentials[secret].on_failure = "unauthorized"
    return ok(
        {
            "access_token": secret,
            "expires_in": int(site.quirks.token_seconds),
            "token_type": "Bearer",
            "scope": form.get("scope", "read:jira-work write:jira-work read:jira-user"),
        }
    )


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
    if credential is None or credential.client is not None:
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
