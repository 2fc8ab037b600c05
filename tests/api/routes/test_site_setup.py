"""What setting up a site needs beside the site: what its address leads to, and its webhook."""

from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from tests.api.conftest import Api, Jira

OURS = "https://twinlink.example.org"


async def looked(client: httpx.AsyncClient, address: str) -> httpx.Response:
    return await client.post(f"{V1}/site_addresses", json={"address": address})


async def test_an_address_says_which_jira_it_is(client: httpx.AsyncClient, jira: Jira) -> None:
    for served, kind in ((jira.left, "cloud"), (jira.right, "datacenter")):
        for page in ("", "/", "/browse/A-1", "/secure/Dashboard.jspa"):
            answer = await looked(client, f" {served.base_url}{page} ")
            assert answer.json() == {"base_url": served.base_url, "deployment": kind}


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://left", "is no address"),
        ("http://[", "is no address"),
        ("http://127.0.0.1:9", "does not answer"),
        ("https://jira..example.org", "does not answer"),
        (f"https://{'a' * 64}.example.org", "does not answer"),
        ("http://ann:secret@127.0.0.1:9", "must not contain credentials"),
    ],
)
async def test_what_is_no_jira_is_refused_in_words(
    client: httpx.AsyncClient, address: str, words: str
) -> None:
    answer = await looked(client, address)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["pointer"] == "/address"
    assert words in error["detail"]
    assert "secret" not in answer.text


async def test_no_credentials_leave_for_an_address(client: httpx.AsyncClient, sites: Jira) -> None:
    before = len(sites.left.site.requests.entries)
    await looked(client, sites.left.base_url)
    assert [it.account for it in sites.left.site.requests.entries[before:]] == [None]


async def test_a_webhook_is_registered_once(client: httpx.AsyncClient, sites: Jira) -> None:
    sites.left.site.user("twinlink").admin = True
    at = f"{V1}/sites/left/webhook"
    before = (await client.get(at, params={"url": OURS})).json()
    assert before["registered"] is False
    assert before["unreachable"] is None
    for _ in range(2):
        made = await client.post(at, json={"url": OURS})
        assert made.status_code == 200
    assert made.json()["url"] == f"{OURS}/webhooks/jira/left"
    [hook] = sites.left.site.webhooks.values()
    assert hook.url == made.json()["url"]
    assert (await client.get(at, params={"url": OURS})).json()["registered"] is True


@pytest.mark.parametrize("url", [None, "mailto:us", f"{OURS}/webhooks/jira/right"])
async def test_an_address_that_takes_no_delivery_is_refused(
    client: httpx.AsyncClient, sites: Jira, url: str | None
) -> None:
    answer = await client.post(f"{V1}/sites/left/webhook", json={"url": url})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/url"
    assert not sites.left.site.webhooks


async def test_without_an_address_none_is_named(client: httpx.AsyncClient, sites: Jira) -> None:
    found = (await client.get(f"{V1}/sites/left/webhook")).json()
    assert (found["url"], found["registered"]) == (None, None)
    assert "issuelink_deleted" in found["events"]


async def test_a_jira_that_refuses_is_said(client: httpx.AsyncClient, sites: Jira) -> None:
    """Its account is no administrator there."""
    answer = await client.post(f"{V1}/sites/left/webhook", json={"url": OURS})
    assert answer.status_code == 503
    assert answer.json()["code"] == "site_refuses"
    found: dict[str, Any] = (
        await client.get(f"{V1}/sites/left/webhook", params={"url": OURS})
    ).json()
    assert found["registered"] is None


async def test_a_copy_of_a_database_changes_no_webhook(
    api: Api, client: httpx.AsyncClient, sites: Jira, db: asyncpg.Pool
) -> None:
    sites.left.site.user("twinlink").admin = True
    await db.execute("INSERT INTO installation (id) VALUES ('production') ON CONFLICT (one)"
                     " DO UPDATE SET id = 'production'")  # fmt: skip
    answer = await client.post(f"{V1}/sites/left/webhook", json={"url": OURS})
    assert answer.status_code == 409
    assert answer.json()["code"] == "other_installation"
    assert not sites.left.site.webhooks
