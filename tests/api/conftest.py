"""The service in process, two sandbox sites behind it, and a client that checks every answer
against the OpenAPI document: an undocumented status or a body of another shape fails the test."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import asyncpg
import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest
from fastapi import FastAPI

from app.api.auth.auth_throttle import Attempts
from app.api.http.bodies import Intake
from app.main import create_app
from app.sandbox import JiraSite, Served, serve, token_of
from app.sandbox.people import person_on
from app.settings import Settings
from app.wiring import Services
from tests.api.flow import PAIRS, Flow

ADMIN = "test-admin-token-0123456789"
V1 = "/api/v1"


class Contract:
    """The OpenAPI document, asked about answers. Building it is slow, so it is built once."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = built_app().openapi()
        self._paths = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), item)
            for path, item in self.document["paths"].items()
        ]
        self._validators: dict[int, jsonschema.Draft202012Validator] = {}

    async def check(self, response: httpx.Response) -> None:
        request = response.request
        item = next(
            (item for pattern, item in self._paths if pattern.fullmatch(request.url.path)), None
        )
        operation = (item or {}).get(request.method.lower())
        if operation is None:
            return
        where = f"{request.method} {request.url.path}: {response.status_code}"
        documented = operation["responses"].get(str(response.status_code))
        assert documented is not None, f"{where} is not documented"
        if response.status_code == 204:
            assert await response.aread() == b""
            return
        kind = response.headers.get("content-type", "").partition(";")[0]
        if not kind or kind == "text/event-stream":
            return
        await response.aread()
        assert kind in documented["content"], f"{where} answers {kind}"
        schema = documented["content"][kind].get("schema")
        if schema and kind.endswith("json") and kind != "application/x-ndjson":
            self._validator(schema).validate(response.json())
        if kind == "application/problem+json":
            code = response.json()["code"]
            assert f"`{code}`" in documented["description"], f"{where} has undocumented {code}"

    def _validator(self, schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
        if id(schema) not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[id(schema)] = jsonschema.Draft202012Validator(whole)
        return self._validators[id(schema)]


@cache
def contract() -> Contract:
    return Contract()


@dataclass
class Api:
    """A running service. `client()` speaks as the administrator of the environment."""

    app: FastAPI
    contract: Contract
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services

    def client(self, token: str | None = ADMIN, *, address: str = "127.0.0.1") -> httpx.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        made = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=(address, 123)),
            base_url="http://twinlink",
            headers=headers,
            event_hooks={"response": [self.contract.check]},
        )
        self.clients.append(made)
        return made

    async def token(self, role: str, **more: Any) -> httpx.AsyncClient:
        body = {"role": role, "owner": f"{role} of the tests", **more}
        made = await self.client().post(f"{V1}/tokens", json=body)
        assert made.status_code == 201, made.text
        return self.client(made.json()["token"])

    async def stranger(self, role: str) -> httpx.AsyncClient:
        """Confined to `other`, which joins other projects of the same two sites as `ab`."""
        await self.other()
        return await self.token(role, connections=["other"])

    async def other(self) -> None:
        body = connection_body()
        for side in ("left", "right"):
            body[side]["projects"] = [f"{body[side]['projects'][0]}X"]
        put = await self.client().put(f"{V1}/connections/other", json=body)
        assert put.status_code in {200, 201}, put.text


@cache
def built_app() -> FastAPI:
    """Its routes are the same whatever the settings, and building them takes longer than most
    tests; what a run needs is made in the lifespan."""
    return create_app(Settings())


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Api]:
    app = built_app()
    if hasattr(app.state, "services"):
        app = create_app(settings)  # one runs already
    app.state.settings = settings
    app.state.intake = Intake()
    app.state.attempts = Attempts()
    api = Api(app, contract())
    async with app.router.lifespan_context(app):
        try:
            yield api
        finally:
            for client in api.clients:
                await client.aclose()
            del app.state.services


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with running(settings) as api:
        yield api


@pytest.fixture
def client(api: Api) -> httpx.AsyncClient:
    return api.client()


@dataclass(frozen=True)
class Jira:
    """Two sites on the air: A (cloud) with issues A-1… and B (data center) with B-1…"""

    left: Served
    right: Served

    def body(self, served: Served, **changes: Any) -> dict[str, Any]:
        """What registers a site, with its `twinlink` account."""
        site = served.site
        token = token_of(site, "twinlink")
        auth: dict[str, Any] = {"kind": "bearer", "token": token}
        if site.flavour == "cloud":
            auth = {"kind": "basic", "email": site.user("twinlink").email, "token": token}
        return {
            "base_url": served.base_url,
            "deployment": site.flavour,
            "auth": auth,
            "webhook_secret": f"webhook secret of {site.name}",
            "account_dedicated": True,
            **changes,
        }


@pytest.fixture
async def jira() -> AsyncIterator[Jira]:
    left, right = made_site("left", "cloud", "A"), made_site("right", "datacenter", "B")
    async with serve(left, right) as (one, other):
        yield Jira(one, other)


def made_site(name: str, flavour: Any, project: str) -> JiraSite:
    site = JiraSite(name, flavour)
    site.add_user("ann")
    site.add_user("twinlink")
    site.add_project(project)
    site.add_project(f"{project}X")
    site.add_link_type("Blocks", "blocks", "is blocked by")
    site.add_link_type("Relates", "relates to")
    ann = person_on(site, "ann")
    for number in range(5):
        ann.create(project, f"Summary {number}")
    ann.create(f"{project}X", "Elsewhere")
    return site


def connection_body(**changes: Any) -> dict[str, Any]:
    return {
        "left": {"site": "left", "projects": ["A"]},
        "right": {"site": "right", "projects": ["B"]},
        "direction": "both",
        "link_types": [{"left": "Blocks", "right": "Blocks"}],
        **changes,
    }


@pytest.fixture
async def sites(client: httpx.AsyncClient, jira: Jira) -> Jira:
    """Both sites registered."""
    for served in (jira.left, jira.right):
        put = await client.put(f"{V1}/sites/{served.site.name}", json=jira.body(served))
        assert put.status_code == 201, put.text
    return jira


@pytest.fixture
async def connected(client: httpx.AsyncClient, sites: Jira) -> Jira:
    """Both sites registered and joined by the connection `ab`."""
    put = await client.put(f"{V1}/connections/ab", json=connection_body())
    assert put.status_code == 201, put.text
    return sites


@pytest.fixture
async def flow(api: Api, client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool) -> Flow:
    """`ab` with five twins, in shadow, and a worker of the test's own."""
    paired = await client.post(f"{V1}/connections/ab/twins", json=PAIRS)
    assert {it["status"] for it in paired.json()["items"]} == {"paired"}
    flow = Flow(api, client, connected, db)
    await flow.run()
    return flow
