"""Serving sites on loopback inside the caller's event loop, webhooks included."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import httpx
import uvicorn

from app.sandbox.app import SiteApp
from app.sandbox.courier import Courier, in_the_clear
from app.sandbox.outbox import Webhook
from app.sandbox.site import JiraSite


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM, of a private authority say, and the name that they are for."""

    certificate: str
    key: str
    host: str = "localhost"


@dataclass(slots=True)
class Served:
    """One site that is served."""

    site: JiraSite
    app: SiteApp
    courier: Courier
    base_url: str

    def client(self, user: str) -> httpx.AsyncClient:
        """A plain HTTP client signed in as that user, over the socket."""
        return signed_in(self.site, user, base_url=self.base_url)


def listen(
    site: JiraSite,
    url: str,
    secret: str,
    *,
    events: Sequence[str] = (
        "issuelink_created",
        "issuelink_deleted",
        "jira:issue_updated",
        "jira:issue_deleted",
    ),
    jql: str | None = None,
) -> Webhook:
    """Register a webhook as an administrator would by hand."""
    hook = Webhook(site.next_id("webhook"), "Twinlink", url, tuple(events), secret, jql)
    hook.updated = site.now()
    site.webhooks[hook.id] = hook
    return hook


def token_of(site: JiraSite, user: str) -> str:
    """That user's first token that is not scoped; made when there is none."""
    for credential in site.credentials.values():
        if (
            credential.user == user
            and credential.kind in ("api_token", "pat")
            and not credential.expired
        ):
            return credential.secret
    return site.add_token(user)


def signed_in(
    site: JiraSite, user: str, *, base_url: str = "", app: SiteApp | None = None
) -> httpx.AsyncClient:
    """An HTTP client as that user: over the socket, or in process when `app` is given."""
    token = token_of(site, user)
    transport = None if app is None else httpx.ASGITransport(app=app)
    headers, auth = {}, None
    if site.flavour == "cloud":
        auth = httpx.BasicAuth(site.user(user).email, token)
    else:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.AsyncClient(
        base_url=base_url or site.base_url,
        auth=auth,
        headers=headers,
        transport=transport,
        trust_env=False,
        verify=in_the_clear(),
    )


class _Server(uvicorn.Server):
    """Leaves signals to the owner of the loop; `up` is set once it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self._told = asyncio.Event()

    def leave(self) -> None:
        self.should_exit = True
        self._told.set()

    async def main_loop(self) -> None:
        """Nothing to do ten times a second: there is no date header to keep."""
        await self._told.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def drop(self, client: tuple[str, int]) -> None:
        """Close that client's connection without another byte."""
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == tuple(client):
                connection.transport.abort()


@contextlib.asynccontextmanager
async def serve(
    *sites: JiraSite,
    host: str = "127.0.0.1",
    ports: Sequence[int] = (),
    tls: Tls | None = None,
) -> AsyncIterator[list[Served]]:
    """Serve sites, each on a port of its own (free ones unless `ports` says which); with `tls`, by
    https."""
    async with contextlib.AsyncExitStack() as stack:
        served, servers = [], []
        for number, site in enumerate(sites):
            port = ports[number] if number < len(ports) else 0
            one, server = await stack.enter_async_context(_serve_one(site, host, port, tls))
            served.append(one)
            servers.append(server)
        try:
            yield served
        finally:
            for server in servers:  # together: each takes a tenth of a second
                server.leave()


@contextlib.asynccontextmanager
async def _serve_one(
    site: JiraSite, host: str, port: int, tls: Tls | None
) -> AsyncIterator[tuple[Served, _Server]]:
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it, 40 ms a call.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    where = f"http://{host}" if tls is None else f"https://{tls.host}"
    address = f"{where}:{listener.getsockname()[1]}{site.context}"
    if site.public_url is None:
        site.base_url = address
    app = SiteApp(site)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
            ssl_certfile=None if tls is None else tls.certificate,
            ssl_keyfile=None if tls is None else tls.key,
        )
    )
    app.dropper = server.drop
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        up = asyncio.create_task(server.up.wait())
        await asyncio.wait({up, running}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if running.done():
            running.result()
        async with Courier(site) as courier:
            yield Served(site, app, courier, address), server
    finally:
        for task in app.late:
            task.cancel()
        server.leave()
        await asyncio.gather(running, return_exceptions=True)
        listener.close()
