"""How a call says who calls: a token that is stored, or one that an OAuth 2.0 server gives out.

A service account's access token lives an hour (docs/jira.md). It is fetched with the first call,
shared by all calls of a client, and fetched again well before it ends. A refused one is dropped, so
that the next call brings a new one: tokens are revoked when their credentials are.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

import httpx

from app.core.errors import NotSent, PermanentError, TwinlinkError
from app.jira.http.access import Auth, ClientCredentials

MARGIN_SECONDS = 300.0
"""A token is fetched again this long before it ends, or after half its life where that is short."""
SHORTEST_SECONDS = 10.0
REFUSED = frozenset({"unauthorized", "anonymous"})
"""Codes of answers to a token that is not, or not any more, good."""


class SignIn(Protocol):
    """`header` raises what a call raises that is not sent."""

    async def header(self) -> str: ...

    def heed(self, error: TwinlinkError) -> None: ...

    async def aclose(self) -> None: ...


def sign_in(
    auth: Auth, way: Callable[[], httpx.AsyncBaseTransport], timeout_seconds: float
) -> SignIn:
    """*way* leads to the OAuth 2.0 server, for what needs one."""
    if isinstance(auth, ClientCredentials):
        return Tokens(auth, way(), timeout_seconds)
    return Stored(auth.header)


@dataclass(frozen=True, slots=True)
class Stored:
    """The same with every call."""

    text: str = field(repr=False)

    async def header(self) -> str:
        return self.text

    def heed(self, error: TwinlinkError) -> None:
        """A stored token is replaced by a person, or by the second one (`second_token`)."""

    async def aclose(self) -> None:
        return None


class Tokens:
    """Access tokens of one service account, one flight at a time."""

    def __init__(
        self, auth: ClientCredentials, http: httpx.AsyncBaseTransport, timeout_seconds: float
    ) -> None:
        self._auth = auth
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._until = 0.0
        self._client = httpx.AsyncClient(
            transport=http,
            headers={"Accept": "application/json", "User-Agent": "twinlink"},
            timeout=timeout_seconds,
            follow_redirects=False,
            trust_env=False,
        )

    async def header(self) -> str:
        async with self._lock:
            if self._token is None or monotonic() >= self._until:
                self._token, self._until = await self._fetched()
            return f"Bearer {self._token}"

    def heed(self, error: TwinlinkError) -> None:
        if error.code in REFUSED:
            self._token = None

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _fetched(self) -> tuple[str, float]:
        began = monotonic()
        form = {
            "grant_type": "client_credentials",
            "client_id": self._auth.client_id,
            "client_secret": self._auth.client_secret,
        }
        if self._auth.scope:
            form["scope"] = self._auth.scope
        try:
            answer = await self._client.post(self._auth.token_url, data=form)
        except httpx.TransportError as error:
            raise NotSent("token_unavailable", type(error).__name__) from None
        if answer.status_code in {400, 401, 403}:
            # What is wrong is said in words that may quote the client: only its kind is kept.
            raise PermanentError("unauthorized", "the OAuth 2.0 server refuses the credentials")
        if answer.status_code != 200:
            raise NotSent("token_unavailable", facts={"status": answer.status_code})
        token, seconds = _parsed(answer)
        margin = min(MARGIN_SECONDS, seconds / 2)
        return token, began + max(seconds - margin, SHORTEST_SECONDS)


def _parsed(answer: httpx.Response) -> tuple[str, float]:
    """The token and how many seconds it lives; an hour where the server does not say."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    token = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise NotSent("token_unavailable", "not an access token")
    seconds = body.get("expires_in", 3600)
    sound = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    return token, float(seconds) if sound else 3600.0
