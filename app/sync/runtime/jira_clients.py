"""Jira clients by site, each rebuilt when its site's row has changed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from app.jira.client import JiraClient, SiteAccess

Load = Callable[[int], Awaitable[SiteAccess]]
"""Reads a site with its credentials; raises `PermanentError("site_unknown")`."""
Build = Callable[[SiteAccess], JiraClient]


# One look asks for a client several times; credentials and pins seldom change.
FRESH_SECONDS = 1.0


class Sites:
    """One client per site and process. A client in use outlives its replacement: it is closed
    when the registry is, since a request of another task may still be on its way."""

    def __init__(self, load: Load, build: Build) -> None:
        self._load = load
        self._build = build
        self._clients: dict[int, JiraClient] = {}
        self._fresh_until: dict[int, float] = {}
        self._retired: list[JiraClient] = []
        self._lock = asyncio.Lock()

    async def client(self, site_id: int) -> JiraClient:
        """The client for the site as it was stored at most a second ago."""
        now = asyncio.get_running_loop().time()
        if now < self._fresh_until.get(site_id, 0.0):
            return self._clients[site_id]
        access = await self._load(site_id)
        async with self._lock:
            self._fresh_until[site_id] = now + FRESH_SECONDS
            client = self._clients.get(site_id)
            if client is None or client.site.version != access.version:
                if client is not None:
                    self._retired.append(client)
                client = self._clients[site_id] = self._build(access)
            return client

    async def aclose(self) -> None:
        for client in [*self._clients.values(), *self._retired]:
            with suppress(Exception):
                await client.aclose()
