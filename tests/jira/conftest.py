"""Clients of sandbox sites in both flavours, in process and over a socket."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from app.jira.client import BasicAuth, BearerAuth, JiraClient, SiteAccess
from app.jira.http.options import Options
from app.sandbox import Flavour, JiraSite, ManualClock, SiteApp, serve, token_of
from app.sandbox.people import person_on
from tests.support.assured import assured

Connect = Callable[..., JiraClient]


def small_site(flavour: Flavour) -> JiraSite:
    """Issues A-1 to A-5 and X-1, two types, a twin field. `twinlink` is the account."""
    site = JiraSite("small", flavour, clock=ManualClock())
    site.add_user("root", admin=True)
    site.add_user("ann")
    site.add_user("twinlink")
    site.add_project("A")
    site.add_project("X")
    site.add_link_type("Blocks", "blocks", "is blocked by")
    site.add_link_type("Relates", "relates to")
    site.add_custom_field("Twin")
    ann = person_on(site, "ann")
    for number in range(5):
        ann.create("A", f"Summary {number}")
    ann.create("X", "Elsewhere")
    return site


@pytest.fixture(params=["cloud", "datacenter"])
def site(request: pytest.FixtureRequest) -> JiraSite:
    return small_site(request.param)


@pytest.fixture
def cloud() -> JiraSite:
    return small_site("cloud")


@pytest.fixture
def datacenter() -> JiraSite:
    return small_site("datacenter")


def access(site: JiraSite, user: str = "twinlink", **changes: Any) -> SiteAccess:
    """Pinned as a successful check would have pinned it."""
    token, person = token_of(site, user), site.user(user)
    cloud = site.flavour == "cloud"
    identity = f"cloud:{site.cloud_id}" if cloud else f"datacenter:{site.base_url}"
    values: dict[str, Any] = {
        "id": 1,
        "name": site.name,
        "base_url": site.base_url,
        "deployment": site.flavour,
        "auth": BasicAuth(person.email, token) if cloud else BearerAuth(token),
        "identity": identity,
        "account_id": person.account_id if cloud else person.key,
    }
    return SiteAccess(**values | changes)


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """`connect(site)`: a client in process; `user` and fields of `SiteAccess` may be given,
    other arguments go to the client."""
    opened: list[JiraClient] = []

    def make(
        site: JiraSite, user: str = "twinlink", pins: dict[str, Any] | None = None, **options: Any
    ) -> JiraClient:
        http = options.pop("http", httpx.ASGITransport(app=SiteApp(site)))
        client = JiraClient(access(site, user, **(pins or {})), Options(**options), http=http)
        opened.append(client)
        return client

    yield make
    for client in opened:
        await client.aclose()


@pytest.fixture
async def on_the_air(site: JiraSite) -> AsyncIterator[JiraClient]:
    """A client over a real socket."""
    async with serve(site) as (served,):
        client = assured(
            JiraClient(
                access(site, base_url=served.base_url),
                Options(allow_private=True, timeout_seconds=2),
            )
        )
        yield client
        await client.aclose()
