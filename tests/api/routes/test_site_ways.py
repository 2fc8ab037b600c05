"""How a site lets us in and how it is reached: two tokens, OAuth 2.0, authorities, proxies, and
deliveries that bring the secret in their address."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.core.errors import PermanentError
from app.jira.http.sign_in import Tokens
from app.sandbox import Fault, JiraSite, Served, serve, token_of
from app.sandbox.server import Tls
from app.sync.incidents import watch
from tests.api.conftest import Api, Jira
from tests.jira.http.test_proxy import proxying
from tests.jira.http.test_tls import authority, served
from tests.support.deliveries import link_event, signature

SIDES = ["left", "right"]


def at(jira: Jira, side: str) -> Served:
    found: Served = getattr(jira, side)
    return found


def path(side: str) -> str:
    return f"{V1}/sites/{side}"


async def with_two(client: httpx.AsyncClient, jira: Jira, side: str, second: str) -> Any:
    body = jira.body(at(jira, side))
    body["auth"]["second_token"] = second
    put = await client.put(path(side), json=body)
    assert put.status_code == 200, put.text
    assert second not in put.text
    return put.json()


def expire(site: JiraSite, secret: str) -> None:
    site.credentials[secret].expired = True
    site.credentials[secret].on_failure = "unauthorized"


# -- two tokens


@pytest.mark.parametrize("side", SIDES)
async def test_the_second_token_takes_over_when_the_first_is_refused(
    client: httpx.AsyncClient, api: Api, connected: Jira, side: str
) -> None:
    site = at(connected, side).site
    first, second = token_of(site, "twinlink"), site.add_token("twinlink")
    stored = await with_two(client, connected, side, second)
    assert (stored["second_token"], stored["token_replaced_at"]) == (True, None)
    assert stored["account_id"] is not None
    site_id = await _id(api, side)
    await _forget(api)
    assert await (await api.services.sites.client(site_id)).myself()

    expire(site, first)
    with pytest.raises(PermanentError, match="anonymous"):
        await (await api.services.sites.client(site_id)).myself()
    shown = (await client.get(path(side))).json()
    assert shown["second_token"] is False
    assert shown["token_replaced_at"] is not None
    assert shown["account_id"] == stored["account_id"]
    await _forget(api)
    assert await (await api.services.sites.client(site_id)).myself()

    await watch.run_once(api.services.context)
    [incident] = (await client.get(f"{V1}/incidents")).json()["items"]
    assert (incident["kind"], incident["impact"]) == ("token_replaced", "minor")
    found = (await client.post(f"{path(side)}/check")).json()["findings"]
    assert [it["code"] for it in found] == ["token_replaced"]


async def test_a_first_token_that_is_good_is_kept(
    client: httpx.AsyncClient, api: Api, connected: Jira
) -> None:
    """One answer that seems to refuse it is not enough: both are asked."""
    site = connected.left.site
    await with_two(client, connected, "left", site.add_token("twinlink"))

    site.faults.add(Fault("unauthorized", path="^/issueLinkType$", times=1))
    await _forget(api)
    with pytest.raises(PermanentError):
        await (await api.services.sites.client(await _id(api, "left"))).link_types()
    assert (await client.get(path("left"))).json()["second_token"] is True


async def test_a_second_token_of_another_account_never_takes_over(
    client: httpx.AsyncClient, api: Api, connected: Jira
) -> None:
    site = connected.left.site
    first, other = token_of(site, "twinlink"), site.add_token("ann")
    await with_two(client, connected, "left", other)
    expire(site, first)
    await _forget(api)
    with pytest.raises(PermanentError):
        await (await api.services.sites.client(await _id(api, "left"))).myself()
    shown = (await client.get(path("left"))).json()
    assert (shown["second_token"], shown["token_replaced_at"]) == (True, None)


async def test_storing_a_second_token_forgets_no_account_while_the_site_is_away(
    client: httpx.AsyncClient, connected: Jira
) -> None:

    before = (await client.get(path("left"))).json()["account_id"]
    connected.left.site.faults.add(Fault("error_before", status=503))
    stored = await with_two(client, connected, "left", "a second one")
    assert stored["account_id"] == before


async def test_another_first_token_ends_the_exchange(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    site = connected.left.site
    second = site.add_token("twinlink")
    await with_two(client, connected, "left", second)
    body = connected.body(connected.left)
    body["auth"]["token"] = second
    assert (await client.put(path("left"), json=body)).json()["second_token"] is False


# -- OAuth 2.0


@pytest.mark.parametrize("side", SIDES)
async def test_a_service_account_gets_its_tokens_and_renews_them(
    client: httpx.AsyncClient, api: Api, connected: Jira, side: str
) -> None:
    there = at(connected, side)
    site = there.site
    site.quirks.token_seconds = 30.0
    name, secret = site.add_client("twinlink")
    cloud = site.flavour == "cloud"
    token_path = "/oauth/token" if cloud else "/rest/oauth2/latest/token"
    auth = {
        "kind": "oauth",
        "client_id": name,
        "client_secret": secret,
        "token_url": f"{there.base_url}{token_path}",
    } | ({} if cloud else {"scope": "WRITE"})
    base = f"{there.base_url}/ex/jira/{site.cloud_id}" if cloud else there.base_url
    put = await client.put(path(side), json=connected.body(there, auth=auth, base_url=base))
    assert put.status_code == 200, put.text
    assert secret not in put.text
    assert put.json()["auth"] == {"kind": "oauth"}
    assert [it["code"] for it in put.json()["findings"]] == []
    assert (await client.post(f"{path(side)}/check")).json()["ok"] is True

    await _forget(api)
    jira = await api.services.sites.client(await _id(api, side))
    made = len(site.credentials)
    await asyncio.gather(*(jira.myself() for _ in range(5)))
    assert len(site.credentials) == made + 1, "one token for all calls"
    given = list(site.credentials.values())[-1]
    tokens = jira._transport._sign_in
    assert isinstance(tokens, Tokens)
    tokens._until = 0.0  # half of its life is over
    await jira.myself()
    assert len(site.credentials) == made + 2
    assert not given.expired, "renewed before it ended"

    list(site.credentials.values())[-1].expired = True
    with pytest.raises(PermanentError, match="anonymous"):
        await jira.myself()
    assert await jira.myself(), "a revoked token is fetched again"


async def test_wrong_client_credentials_are_refused_credentials(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    there = connected.left
    auth = {
        "kind": "oauth",
        "client_id": "nobody",
        "client_secret": "of nothing",
        "token_url": f"{there.base_url}/oauth/token",
    }
    put = await client.put(path("left"), json=connected.body(there, auth=auth))
    assert [it["code"] for it in put.json()["findings"]] == ["unauthorized"]
    auth["token_url"] = f"{there.base_url}/nothing"
    put = await client.put(path("left"), json=connected.body(there, auth=auth))
    assert [it["code"] for it in put.json()["findings"]] == ["token_unavailable"]


async def test_a_client_secret_is_not_sent_to_another_host(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    there = connected.left
    auth = {"kind": "oauth", "client_id": "a", "client_secret": "b"}
    body = connected.body(there, auth=auth | {"token_url": f"{there.base_url}/oauth/token"})
    assert (await client.put(path("left"), json=body)).status_code == 200
    body["auth"] = {"kind": "oauth", "token_url": "https://other.example/oauth/token"}
    put = await client.put(path("left"), json=body)
    assert [it["pointer"] for it in put.json()["errors"]] == ["/auth/client_secret"]


async def test_a_data_center_has_its_own_token_server(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    """Left out, its client's secret would go to Atlassian."""
    there = connected.right
    name, secret = there.site.add_client("twinlink")
    auth = {"kind": "oauth", "client_id": name, "client_secret": secret, "scope": "WRITE"}
    body = connected.body(there, auth=auth)
    put = await client.put(path("right"), json=body)
    assert put.status_code == 422
    assert [it["pointer"] for it in put.json()["errors"]] == ["/auth/token_url"]
    auth["token_url"] = f"{there.base_url}/rest/oauth2/latest/token"
    put = await client.put(path("right"), json=body)
    assert (put.status_code, put.json()["findings"]) == (200, [])
    body["auth"] = {"kind": "oauth", "client_secret": secret}
    again = await client.put(path("right"), json=body)
    assert again.headers["ETag"] == put.headers["ETag"], "its address and scope are kept"


# -- deliveries


async def test_a_delivery_may_bring_the_secret_in_its_address_where_that_is_allowed(
    client: httpx.AsyncClient, api: Api, connected: Jira, db: asyncpg.Pool
) -> None:
    stranger = api.client(None)
    raw = link_event()
    assert (await _deliver(stranger, raw, "right", "a-secret-of-tests")).status_code == 401, (
        "off at first"
    )
    body = connected.body(connected.right, webhook_secret="a-secret-of-tests", webhook_basic=True)
    put = await client.put(path("right"), json=body)
    assert (put.status_code, put.json()["webhook_basic"]) == (200, True)
    assert (await _deliver(stranger, raw, "right", "a-secret-of-tests")).status_code == 202
    for given in ("a-secret-of-test", "a-secret-of-tests-", ""):
        assert (await _deliver(stranger, raw, "right", given)).status_code == 401, given
    assert (
        await _deliver(stranger, raw, "right", "a-secret-of-tests", name="admin")
    ).status_code == 401
    assert (await _deliver(stranger, raw, "right", None)).status_code == 401
    signed = {"X-Hub-Signature": signature(raw, "wrong")}
    answer = await _deliver(stranger, raw, "right", "a-secret-of-tests", **signed)
    assert answer.status_code == 401, "a signature decides where there is one"
    body["webhook_secret"] = "another-secret-of-tests"
    await client.put(path("right"), json=body)
    assert (
        await _deliver(stranger, link_event(9), "right", "another-secret-of-tests")
    ).status_code == 202
    assert (await _deliver(stranger, raw, "right", "a-secret-of-tests")).status_code == 202, (
        "for a day"
    )


async def test_what_it_needs_is_said(client: httpx.AsyncClient, connected: Jira) -> None:
    cloud = connected.body(connected.left, webhook_basic=True, webhook_secret="plain-letters-only")
    put = await client.put(path("left"), json=cloud)
    assert [it["pointer"] for it in put.json()["errors"]] == ["/webhook_basic"]
    odd = connected.body(
        connected.right, webhook_basic=True, webhook_secret="a secret with a / in it"
    )
    put = await client.put(path("right"), json=odd)
    assert [it["pointer"] for it in put.json()["errors"]] == ["/webhook_secret"]


async def _deliver(
    client: httpx.AsyncClient,
    raw: bytes,
    side: str,
    secret: str | None,
    *,
    name: str = "twinlink",
    **headers: str,
) -> httpx.Response:
    if secret is not None:
        pair = base64.b64encode(f"{name}:{secret}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    return await client.post(f"/webhooks/jira/{side}", content=raw, headers=headers)


# -- the way there


async def test_a_site_believes_an_authority_of_its_own(
    client: httpx.AsyncClient, jira: Jira, tmp_path: Path
) -> None:
    certificate, key = authority(tmp_path, "localhost")
    site = JiraSite("private", "datacenter", seed=7, context="/jira")
    site.add_user("twinlink")
    site.add_link_type("Blocks", "blocks", "is blocked by")
    async with serve(site, tls=Tls(str(certificate), str(key))) as [there]:
        body = jira.body(there)
        assert body["base_url"].startswith("https://localhost:")
        put = await client.put(path("right"), json=body)
        assert [it["code"] for it in put.json()["findings"]] == ["unreachable"]
        body["ca_certificates"] = certificate.read_text()
        put = await client.put(path("right"), json=body)
        assert put.json()["findings"] == [], "the same site, by its own authority"
        assert put.json()["ca_certificates"] == certificate.read_text()
        body["ca_certificates"] = "no certificate"
        put = await client.put(path("right"), json=body)
        assert [it["pointer"] for it in put.json()["errors"]] == ["/ca_certificates"]


async def test_a_site_has_a_proxy_of_its_own(
    client: httpx.AsyncClient, jira: Jira, db: asyncpg.Pool, tmp_path: Path
) -> None:

    async with (
        served(tmp_path, "jira.example.org") as (port, certificate),
        proxying(port) as (url, proxy),
    ):
        body = jira.body(
            jira.right,
            base_url="https://jira.example.org",
            ca_certificates=certificate.read_text(),
            proxy={"kind": "own", "url": url},
        )
        put = await client.put(path("right"), json=body)
        assert put.status_code == 201, put.text
        assert "hunter2" not in put.text
        assert put.json()["proxy"] == {"kind": "own"}
        assert proxy.asked
    assert url.encode().hex() not in await db.fetchval("SELECT s::text FROM sites s")
    body["proxy"] = {"kind": "own"}
    del body["auth"], body["webhook_secret"]
    kept = await client.put(path("right"), json=body)
    assert kept.headers["ETag"] == put.headers["ETag"], "the URL is kept"


async def _id(api: Api, side: str) -> int:
    async with api.services.database.connection() as conn:
        found: int = await conn.fetchval("SELECT id FROM sites WHERE name = $1", side)
    return found


async def _forget(api: Api) -> None:
    """A second later the site is read again."""
    api.services.sites._fresh_until.clear()


# -- another Jira in its place


async def test_a_site_is_rehomed_by_a_plan_of_each_connection(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    site = JiraSite("cloud", "cloud", seed=5, first_id=70_000)
    site.add_user("twinlink")
    site.add_project("B")
    site.add_link_type("Blocks", "blocks", "is blocked by")
    async with serve(site) as [there]:
        wanted = {"to": "cloud"}
        none = await client.post(f"{path('right')}/rehomings", json=wanted)
        assert [it["pointer"] for it in none.json()["errors"]] == ["/to"]
        put = await client.put(f"{V1}/sites/cloud", json=connected.body(there))
        assert put.status_code == 201, put.text
        made = await client.post(f"{path('right')}/rehomings", json=wanted)
        assert made.status_code == 202, made.text
        [it] = made.json()["items"]
        assert (it["former"], it["connection"]) == ("ab", "ab-cloud")
        successor = (await client.get(f"{V1}/connections/ab-cloud")).json()
        assert successor["paused"] is True
        assert successor["right"]["site"] == "cloud"
        plan = (await client.get(f"{V1}/plans/{it['plan_id']}")).json()
        assert (plan["kind"], plan["status"]) == ("rehoming", "gathering")
        [shown] = (await client.get(f"{path('right')}/rehomings")).json()["items"]
        assert (shown["status"], shown["rows"]) == ("gathering", 0)
        again = await client.post(f"{path('right')}/rehomings", json=wanted)
        assert (again.status_code, again.json()["code"]) == (409, "concurrent_change")
