"""Sites: registered also while they are down, pinned to the Jira that answered first."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.sandbox import Fault, JiraSite, serve
from app.settings import Settings
from app.store.secret_homes import PREVIOUS, WEBHOOK, Home
from app.sync.incidents import watch
from tests.api.conftest import Api, Jira, connection_body, running
from tests.jira.http.test_tls import authority

SITE = f"{V1}/sites/left"
NOWHERE = "http://127.0.0.1:9"


def codes(answer: httpx.Response) -> set[str]:
    return {finding["code"] for finding in answer.json()["findings"]}


async def test_a_new_site_is_pinned_at_once(client: httpx.AsyncClient, jira: Jira) -> None:
    put = await client.put(SITE, json=jira.body(jira.left))
    assert put.status_code == 201
    assert put.headers["Location"] == SITE
    assert put.headers["ETag"] == '"1"'
    stored = put.json()
    site = jira.left.site
    assert stored["identity"] == f"cloud:{site.cloud_id}"
    assert stored["account_id"] == site.user("twinlink").account_id
    assert stored["checked_at"] is not None
    assert codes(put) == set()
    get = await client.get(SITE)
    assert get.headers["ETag"] == '"1"'
    assert get.json() == {name: stored[name] for name in get.json()}


async def test_secrets_never_come_back_and_rest_sealed(
    client: httpx.AsyncClient, jira: Jira, db: asyncpg.Pool
) -> None:
    body = jira.body(jira.left)
    put = await client.put(SITE, json=body)
    for answer in (put, await client.get(SITE), await client.get(f"{V1}/sites")):
        for secret in (body["auth"]["token"], body["auth"]["email"], body["webhook_secret"]):
            assert secret not in answer.text
    everything = await db.fetchval("SELECT s::text FROM sites s")
    assert body["webhook_secret"].encode().hex() not in everything
    assert body["auth"]["token"].encode().hex() not in everything
    assert body["auth"]["email"] not in everything


async def test_an_identical_body_changes_nothing(client: httpx.AsyncClient, jira: Jira) -> None:
    body = jira.body(jira.left)
    first = await client.put(SITE, json=body)
    again = await client.put(SITE, json=body)
    assert again.status_code == 200
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.json()["updated_at"] == first.json()["updated_at"]


async def test_omitted_secrets_are_kept(client: httpx.AsyncClient, jira: Jira) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    body = {**jira.body(jira.left), "web_url": "https://jira.example.org"}
    del body["webhook_secret"], body["auth"]
    put = await client.put(SITE, json=body)
    assert put.status_code == 200
    assert put.headers["ETag"] == '"2"'
    assert put.json()["web_url"] == "https://jira.example.org"
    assert (await client.post(f"{SITE}/check")).json()["ok"] is True
    body["auth"] = {"kind": "basic"}
    assert (await client.put(SITE, json=body)).headers["ETag"] == '"2"'


async def test_creation_needs_its_secrets(client: httpx.AsyncClient, jira: Jira) -> None:
    body = jira.body(jira.left)
    for remove, pointers in (
        (["auth"], {"/auth"}),
        (["webhook_secret"], {"/webhook_secret"}),
        (["auth", "webhook_secret"], {"/auth", "/webhook_secret"}),
    ):
        less = {name: value for name, value in body.items() if name not in remove}
        answer = await client.put(SITE, json=less)
        assert answer.status_code == 422
        assert {e["pointer"] for e in answer.json()["errors"]} == pointers
    half = {**body, "auth": {"kind": "basic", "token": "t"}}
    assert (await client.put(SITE, json=half)).status_code == 422
    assert (await client.get(SITE)).status_code == 404


async def test_stored_credentials_are_not_sent_elsewhere(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    body = jira.body(jira.left, base_url=NOWHERE)
    del body["auth"]["token"]
    answer = await client.put(SITE, json=body)
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/auth/token"]


async def test_another_address_needs_every_secret_again(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    """Also on the same host, where something else may answer below another path."""
    await client.put(SITE, json=jira.body(jira.left))
    for url in (NOWHERE, f"{jira.left.base_url}/other"):
        body = jira.body(jira.left, base_url=url)
        del body["auth"]["token"], body["webhook_secret"]
        answer = await client.put(SITE, json=body)
        assert answer.status_code == 422, url
        found = {e["pointer"] for e in answer.json()["errors"]}
        assert found == {"/auth/token", "/webhook_secret"}, url
    assert (await client.get(SITE)).json()["base_url"] == jira.left.base_url


async def test_another_authority_needs_the_credentials_again(
    client: httpx.AsyncClient, jira: Jira, tmp_path: Path
) -> None:
    """Whoever has them believed, and a proxy, would read the token."""
    certificate, _ = authority(tmp_path, "localhost")
    put = await client.put(SITE, json=jira.body(jira.left))
    body = jira.body(jira.left, ca_certificates=certificate.read_text())
    token = body["auth"].pop("token")
    before = len(jira.left.site.requests)
    answer = await client.put(SITE, json=body)
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/auth/token"]
    assert len(jira.left.site.requests) == before
    body["auth"]["token"] = token
    hook = body.pop("webhook_secret")
    answer = await client.put(SITE, json=body)
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/webhook_secret"]
    assert len(jira.left.site.requests) == before
    body["webhook_secret"] = hook
    assert (await client.put(SITE, json=body)).status_code == 200
    del body["auth"], body["ca_certificates"], body["webhook_secret"]
    fewer = await client.put(SITE, json=body)
    assert fewer.status_code == 200, "none needs nothing"
    assert fewer.headers["ETag"] != put.headers["ETag"]


async def test_another_proxy_that_would_read_along_needs_the_credentials_again(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    assert jira.left.base_url.startswith("http:")
    body = jira.body(jira.left, proxy={"kind": "own", "url": "http://127.0.0.1:9"})
    token = body["auth"].pop("token")
    answer = await client.put(SITE, json=body)
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/auth/token"]
    body["auth"]["token"] = token
    hook = body.pop("webhook_secret")
    answer = await client.put(SITE, json=body)
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/webhook_secret"]
    body["webhook_secret"] = hook
    assert (await client.put(SITE, json=body)).status_code == 200
    del body["auth"]["token"], body["proxy"]["url"], body["webhook_secret"]
    assert (await client.put(SITE, json=body)).status_code == 200, "the same one needs nothing"


WRONG: list[dict[str, Any]] = [
    {"base_url": "ftp://jira.example"},
    {"base_url": "jira.example"},
    {"base_url": ""},
    {"base_url": "https://jira.example?x=1"},
    {"base_url": "https://user:pass@jira.example"},
    {"base_url": "https://jira.example\x00"},
    {"web_url": "javascript:alert(1)"},
    {"web_url": "https://user@jira.example"},
    {"deployment": "server"},
    {"auth": {"kind": "oauth"}},
    {"auth": {"kind": "bearer", "token": ""}},
    {"webhook_secret": ""},
    {"webhook_secret": "\ud800"},
    {"account_dedicated": "yes"},
]


async def test_fields_that_cannot_be_used(client: httpx.AsyncClient, jira: Jira) -> None:
    headers = {"Content-Type": "application/json"}
    for changes in WRONG:
        content = json.dumps(jira.body(jira.left, **changes))  # escapes half a surrogate pair
        answer = await client.put(SITE, content=content, headers=headers)
        assert answer.status_code == 422, changes
        [name] = changes
        assert all(e["pointer"].startswith(f"/{name}") for e in answer.json()["errors"])


async def test_a_short_webhook_secret_is_refused_with_what_would_do(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    put = await client.put(SITE, json=jira.body(jira.left, webhook_secret="fifteen letters"))
    assert put.status_code == 422
    [error] = put.json()["errors"]
    assert error["pointer"] == "/webhook_secret"
    assert "at least 16 characters" in error["detail"]
    assert "openssl rand -hex 32" in error["detail"]
    put = await client.put(SITE, json=jira.body(jira.left, webhook_secret="sixteen letters!"))
    assert put.status_code == 201


async def test_private_addresses_need_the_setting(settings: Settings, jira: Jira) -> None:
    changed = settings.model_copy(update={"allow_private_sites": False})
    async with running(changed) as api:
        answer = await api.client().put(SITE, json=jira.body(jira.left))
    assert answer.status_code == 422
    assert {e["pointer"] for e in answer.json()["errors"]} == {"/base_url"}


async def test_a_site_that_is_down_is_stored_and_pinned_by_its_check(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    fault = jira.left.site.faults.add(Fault("error_before", status=503))
    put = await client.put(SITE, json=jira.body(jira.left))
    assert put.status_code == 201
    assert put.json()["identity"] is None
    assert "server_error" in codes(put)
    down = await client.post(f"{SITE}/check")
    assert down.status_code == 200
    assert down.json()["ok"] is False
    assert fault.hits > 0
    jira.left.site.faults.clear()
    check = await client.post(f"{SITE}/check")
    assert check.json()["ok"] is True
    assert check.json()["identity"] == f"cloud:{jira.left.site.cloud_id}"
    assert (await client.get(SITE)).json()["identity"] == check.json()["identity"]


async def test_nothing_at_the_address(client: httpx.AsyncClient, jira: Jira) -> None:
    put = await client.put(SITE, json=jira.body(jira.left, base_url=NOWHERE))
    assert put.status_code == 201
    assert "unreachable" in codes(put)


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (Fault("unauthorized"), {"unauthorized", "anonymous"}),
        (Fault("anonymous"), {"anonymous"}),
        (Fault("html"), {"bad_answer"}),
        (Fault("truncated"), {"bad_answer"}),
        (Fault("drop_before"), {"dropped"}),
        (Fault("rate_limited"), {"rate_limited"}),
        (Fault("error_before", status=403), {"forbidden"}),
    ],
)
async def test_check_says_what_is_wrong(
    client: httpx.AsyncClient, jira: Jira, fault: Fault, found: set[str]
) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    jira.left.site.faults.add(fault)
    check = await client.post(f"{SITE}/check")
    assert check.json()["ok"] is False
    assert codes(check) & found, codes(check)
    kept = (await client.get(SITE)).json()
    assert kept["identity"] == f"cloud:{jira.left.site.cloud_id}"


async def test_a_site_has_a_rate_of_its_own(client: httpx.AsyncClient, jira: Jira) -> None:
    plain = (await client.put(SITE, json=jira.body(jira.left))).json()
    assert plain["requests_per_second"] is None
    body = jira.body(jira.left, requests_per_second=25)
    changed = (await client.put(SITE, json=body)).json()
    assert (changed["requests_per_second"], changed["version"]) == (25, plain["version"] + 1)
    assert (await client.put(SITE, json=body)).json()["version"] == changed["version"]
    for odd in (0, -1, 1001, "many"):
        answer = await client.put(SITE, json=jira.body(jira.left, requests_per_second=odd))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/requests_per_second"
    back = (await client.put(SITE, json=jira.body(jira.left))).json()
    assert back["requests_per_second"] is None


async def test_check_says_that_calls_are_stopped(
    client: httpx.AsyncClient, jira: Jira, db: asyncpg.Connection
) -> None:
    stored = (await client.put(SITE, json=jira.body(jira.left))).json()
    assert stored["circuit_open_since"] is None
    await db.execute("UPDATE sites SET circuit_open_since = '2030-01-01T00:00:00Z'")
    assert (await client.get(SITE)).json()["circuit_open_since"] == "2030-01-01T00:00:00Z"
    checked = (await client.post(f"{SITE}/check")).json()
    assert checked["ok"], "it answers a person who asks, whatever the circuit says"
    assert "circuit_open" in [finding["code"] for finding in checked["findings"]]


async def test_a_captcha_stops_the_calls_until_somebody_unlocks(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    fault = jira.left.site.faults.add(Fault("captcha"))
    for _ in range(3):
        check = await client.post(f"{SITE}/check")
        assert "captcha_required" in codes(check)
        assert check.json()["ok"] is False
    assert fault.hits == 1, "each further try renews the lock"
    assert (await client.get(SITE)).json()["locked_since"] is not None
    same = await client.put(SITE, json=jira.body(jira.left, account_dedicated=False))
    assert (same.status_code, fault.hits) == (200, 1)
    jira.left.site.faults.clear()
    assert (await client.post(f"{SITE}/unlock")).json()["locked_since"] is None
    assert (await client.post(f"{SITE}/check")).json()["ok"] is True


async def test_other_credentials_unlock(client: httpx.AsyncClient, jira: Jira) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    jira.left.site.faults.add(Fault("captcha", times=1))
    await client.post(f"{SITE}/check")
    body = jira.body(jira.left)
    body["auth"]["token"] = jira.left.site.add_token("twinlink")
    stored = await client.put(SITE, json=body)
    assert stored.json()["locked_since"] is None
    assert "captcha_required" not in codes(stored)


async def test_check_finds_no_link_types(client: httpx.AsyncClient, jira: Jira) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    jira.left.site.types.clear()
    check = await client.post(f"{SITE}/check")
    assert "no_link_types" in codes(check)
    assert check.json()["ok"] is False


async def test_check_refreshes_the_link_types(
    client: httpx.AsyncClient, jira: Jira, db: asyncpg.Pool
) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    jira.left.site.add_link_type("Causes", "causes", "is caused by")
    await client.post(f"{SITE}/check")
    names = {row["name"] for row in await db.fetch("SELECT name FROM link_types")}
    assert names == {"Blocks", "Relates", "Causes"}


async def test_an_account_that_is_not_dedicated_is_pointed_out(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    put = await client.put(SITE, json=jira.body(jira.left, account_dedicated=False))
    assert "account_not_dedicated" in codes(put)
    check = await client.post(f"{SITE}/check")
    assert check.json()["ok"] is True


async def test_another_jira_behind_the_address_is_refused(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    impostor = JiraSite("impostor", "cloud", seed=7)
    impostor.add_user("twinlink")
    impostor.add_link_type("Blocks", "blocks", "is blocked by")
    async with serve(impostor) as [served]:
        put = await client.put(SITE, json=jira.body(served))
    assert put.status_code == 409
    assert put.json()["code"] == "site_identity"
    assert (await client.get(SITE)).json()["base_url"] == jira.left.base_url


async def test_a_jira_that_was_exchanged_is_found_by_the_check(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    pinned = (await client.get(SITE)).json()["identity"]
    jira.left.site.cloud_id = "another-cloud-id"
    check = await client.post(f"{SITE}/check")
    assert check.json()["ok"] is False
    assert "identity_changed" in codes(check)
    assert (await client.get(SITE)).json()["identity"] == pinned


async def test_one_jira_has_one_name(client: httpx.AsyncClient, jira: Jira) -> None:
    """The ledger tells physical links apart by site: two names would be two owners."""
    await client.put(f"{V1}/sites/right", json=jira.body(jira.right))
    again = f"{V1}/sites/again"
    twice = await client.put(again, json=jira.body(jira.right))
    assert twice.status_code == 409
    assert twice.json()["code"] == "site_identity"
    jira.right.site.faults.add(Fault("error_before", status=503))
    assert (await client.put(again, json=jira.body(jira.right))).status_code == 201
    jira.right.site.faults.clear()
    check = await client.post(f"{again}/check")
    assert "identity_taken" in codes(check)
    assert (await client.get(again)).json()["identity"] is None


async def test_a_new_account_is_pinned_with_its_credentials(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    site = jira.left.site
    site.add_user("successor")
    auth = {"kind": "basic", "email": site.user("successor").email}
    auth["token"] = site.add_token("successor")
    put = await client.put(SITE, json=jira.body(jira.left, auth=auth))
    assert put.status_code == 200
    assert put.json()["account_id"] == site.user("successor").account_id


async def test_new_credentials_of_a_site_that_is_down_are_pinned_later(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    """Until then the account is unknown, so nothing is assured and nothing written."""
    await client.put(SITE, json=jira.body(jira.left))
    site = jira.left.site
    site.add_user("successor")
    auth = {"kind": "basic", "email": site.user("successor").email}
    auth["token"] = site.add_token("successor")
    site.faults.add(Fault("error_before", status=503))
    put = await client.put(SITE, json=jira.body(jira.left, auth=auth))
    assert put.json()["account_id"] is None
    assert put.json()["identity"] is not None
    site.faults.clear()
    assert (await client.post(f"{SITE}/check")).json()["ok"] is True
    pinned = (await client.get(SITE)).json()["account_id"]
    assert pinned == site.user("successor").account_id


async def test_a_replaced_webhook_secret_stays_valid_for_a_day(
    api: Api, client: httpx.AsyncClient, jira: Jira, db: asyncpg.Pool
) -> None:
    await client.put(SITE, json=jira.body(jira.left))
    put = await client.put(SITE, json=jira.body(jira.left, webhook_secret="the new webhook secret"))
    assert put.status_code == 200
    assert put.json()["previous_secret_until"] is not None
    row = await db.fetchrow(
        "SELECT *, previous_secret_until - updated_at AS rest FROM sites WHERE name = 'left'"
    )
    assert row is not None
    vault = api.services.vault
    home = Home("left", row["base_url"], row["identity"], None)
    assert vault.open(row[WEBHOOK], home, WEBHOOK) == "the new webhook secret"
    assert vault.open(row[PREVIOUS], home, PREVIOUS) == "webhook secret of left"
    assert row["rest"].total_seconds() == 24 * 3600


async def test_if_match_protects_against_lost_updates(
    client: httpx.AsyncClient, jira: Jira
) -> None:
    body = jira.body(jira.left)
    missing = await client.put(SITE, json=body, headers={"If-Match": "*"})
    assert missing.status_code == 412
    await client.put(SITE, json=body)
    changed = {**body, "web_url": "https://a.example"}
    ok = await client.put(SITE, json=changed, headers={"If-Match": '"1"'})
    assert ok.status_code == 200
    stale = await client.put(SITE, json=body, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert stale.json()["code"] == "stale"
    assert (await client.put(SITE, json=body, headers={"If-Match": '"1", "2"'})).status_code == 200


async def test_a_site_in_use_stays(client: httpx.AsyncClient, connected: Jira) -> None:
    answer = await client.delete(SITE)
    assert answer.status_code == 409
    assert answer.json()["code"] == "site_in_use"
    assert "ab" in answer.json()["detail"]


async def test_a_site_that_nobody_joined_can_go(client: httpx.AsyncClient, sites: Jira) -> None:
    assert (await client.delete(SITE)).status_code == 204
    assert (await client.get(SITE)).status_code == 404
    assert (await client.delete(SITE)).status_code == 404
    assert (await client.put(SITE, json=sites.body(sites.left))).status_code == 201


async def test_dedication_cannot_be_withdrawn_under_a_writing_connection(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    assert (await client.put(f"{V1}/connections/ab/mode", json={"mode": "live"})).status_code == 200
    body = connected.body(connected.left, account_dedicated=False)
    refused = await client.put(SITE, json=body)
    assert refused.status_code == 409
    assert refused.json()["code"] == "account_not_dedicated"
    await client.put(f"{V1}/connections/ab/mode", json={"mode": "shadow"})
    assert (await client.put(SITE, json=body)).status_code == 200


async def test_a_base_url_may_carry_a_path(client: httpx.AsyncClient, jira: Jira) -> None:
    site = JiraSite("pathed", "datacenter", context="/jira", seed=3)
    site.add_user("twinlink")
    site.add_link_type("Blocks", "blocks", "is blocked by")
    async with serve(site) as [served]:
        assert served.base_url.endswith("/jira")
        put = await client.put(
            f"{V1}/sites/pathed", json=jira.body(served, base_url=served.base_url + "/")
        )
        assert put.status_code == 201
        assert put.json()["base_url"] == served.base_url
        assert put.json()["identity"] is not None


async def test_the_connection_body_is_no_site(client: httpx.AsyncClient) -> None:
    answer = await client.put(SITE, json=connection_body())
    assert answer.status_code == 422
    pointers = {e["pointer"] for e in answer.json()["errors"]}
    assert {"/base_url", "/deployment", "/left", "/direction"} <= pointers


async def test_a_token_that_ends_is_said_ahead(
    client: httpx.AsyncClient, api: Api, connected: Jira
) -> None:
    now = api.services.clock()
    for days, finding, incident in ((31, False, False), (29, True, False), (6, True, True)):
        ends = now + timedelta(days=days)
        body = connected.body(connected.left, token_expires_at=ends.isoformat())
        put = await client.put(SITE, json=body)
        assert put.status_code == 200, put.text
        assert ("token_expires" in codes(put)) is finding, days
        assert datetime.fromisoformat(put.json()["token_expires_at"]) == ends
        await watch.run_once(api.services.context)
        listed = (await client.get(f"{V1}/incidents")).json()["items"]
        assert ([it["kind"] for it in listed] == ["token_expires"]) is incident, days
    assert listed[0]["impact"] == "minor"
    renewed = connected.body(connected.left)
    assert (await client.put(SITE, json=renewed)).json()["token_expires_at"] is None
    assert (await client.post(f"{SITE}/check")).json()["findings"] == []
    odd = await client.put(SITE, json={**renewed, "token_expires_at": "tomorrow"})
    assert odd.json()["errors"][0]["pointer"] == "/token_expires_at"
