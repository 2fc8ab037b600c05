"""A look at an address before there is a site: no credentials leave, and little is read, in bytes
as they come and in time."""

import asyncio
import json
from urllib.parse import urlsplit

import httpx

from app.core.errors import PermanentError, TransientError
from app.jira.http.access import Deployment
from app.jira.http.network import Route, guarded_transport

_LARGEST = 64 * 1024
"""Bytes of an answer; `serverInfo` has a few hundred."""
_STATED: dict[str, Deployment] = {"cloud": "cloud", "server": "datacenter"}


async def stated_deployment(route: Route, seconds: float, base_url: str) -> Deployment | None:
    """Which Jira answers there, as it says itself to a stranger; None where it does not say so.

    Raises `TransientError` where nothing answers within *seconds* in all, `PermanentError`
    `not_jira` where something else does."""
    async with httpx.AsyncClient(
        transport=guarded_transport(route),
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "twinlink",
        },
        timeout=seconds,
        follow_redirects=False,
        trust_env=False,
    ) as client:
        try:
            async with asyncio.timeout(seconds):  # the client's own limit begins again at each byte
                said = await _said(client, f"{base_url}/rest/api/2/serverInfo")
        except (TimeoutError, httpx.TimeoutException):
            raise TransientError("timeout") from None
        except httpx.HTTPError as error:
            raise TransientError("unreachable", type(error).__name__) from None
    kind = said.get("deploymentType")
    if kind is None and (urlsplit(base_url).hostname or "").endswith(".atlassian.net"):
        return "cloud"
    return _STATED.get(str(kind).lower())


async def _said(client: httpx.AsyncClient, url: str) -> dict[str, object]:
    """Empty where it refuses a stranger."""
    body = bytearray()
    async with client.stream("GET", url) as answer:
        if answer.is_redirect:
            raise PermanentError("redirected")
        if not answer.is_success:
            return {}
        async for chunk in answer.aiter_raw():  # counted before anything unpacks it
            body += chunk
            if len(body) > _LARGEST:
                raise PermanentError("not_jira")
    try:
        found = json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise PermanentError("not_jira") from None
    if not isinstance(found, dict):
        raise PermanentError("not_jira")
    return found
