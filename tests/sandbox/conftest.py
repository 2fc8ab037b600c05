"""Small sites under a manual clock; every Cloud exchange is held against the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from app.sandbox import Flavour, JiraSite, ManualClock, SiteApp, signed_in, token_of
from app.sandbox.people import person_on
from tests.sandbox.contract import Contract

Connect = Callable[..., httpx.AsyncClient]


def small_site(flavour: Flavour = "cloud", clock: ManualClock | None = None) -> JiraSite:
    """Projects A and X, issues A-1 to A-5 and X-1, three types, four people."""
    site = JiraSite("small", flavour, clock=clock or ManualClock())
    site.add_user("root", admin=True)
    for name in ("ann", "bob", "twinlink"):
        site.add_user(name)
    site.add_project("A")
    site.add_project("X")
    site.add_link_type("Blocks", "blocks", "is blocked by")
    site.add_link_type("Relates", "relates to")
    site.add_link_type("Epic-Story Link", "has Epic", "is Epic of", system=True)
    site.add_custom_field("Twin")
    ann = person_on(site, "ann")
    for number in range(5):
        ann.create("A", f"Summary {number}", f"Description {number}")
    ann.create("X", "Elsewhere")
    return site


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def site(clock: ManualClock) -> JiraSite:
    return small_site("cloud", clock)


@pytest.fixture
def dc(clock: ManualClock) -> JiraSite:
    return small_site("datacenter", clock)


@pytest.fixture
async def connect(contract: Contract) -> AsyncIterator[Connect]:
    """`connect(site, "ann")`: a client in process, its exchanges checked."""
    opened: list[httpx.AsyncClient] = []

    def make(
        site: JiraSite, user: str = "twinlink", app: SiteApp | None = None
    ) -> httpx.AsyncClient:
        token_of(site, user)
        client = signed_in(site, user, app=app or SiteApp(site))
        if site.flavour == "cloud":

            async def check(response: httpx.Response) -> None:
                await response.aread()
                if site.faults.plan:
                    return
                contract.check(response.request, response)

            client.event_hooks["response"].append(check)
        opened.append(client)
        return client

    yield make
    for client in opened:
        await client.aclose()


def body_of(source: str, destination: str, type_name: str = "Blocks") -> dict[str, object]:
    """source blocks destination."""
    return {
        "type": {"name": type_name},
        "inwardIssue": {"key": source},
        "outwardIssue": {"key": destination},
    }
