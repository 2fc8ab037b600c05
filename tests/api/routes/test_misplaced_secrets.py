"""A ciphertext that somebody with the database moved elsewhere opens nowhere, and no call leaves
with what it holds."""

from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.core.errors import PermanentError
from app.sandbox import Fault, JiraSite, serve
from app.sync.incidents import watch
from app.sync.reconcile.loop import run_once
from app.sync.resync import poll
from app.sync.upkeep import secrets_watch
from tests.api.conftest import Api, Jira
from tests.api.flow import Flow
from tests.support.deliveries import link_event, signature

MOVES: dict[str, str] = {
    "to another site": """UPDATE sites r SET auth_sealed = l.auth_sealed, auth_kind = l.auth_kind,
        version = r.version + 1 FROM sites l WHERE l.name = 'left' AND r.name = 'right'""",
    "under another address": """UPDATE sites l SET base_url = r.base_url, version = l.version + 1
        FROM sites r WHERE l.name = 'left' AND r.name = 'right'""",
    "under another identity": "UPDATE sites SET identity = 'datacenter:other' WHERE name = 'left'",
    "unpinned": "UPDATE sites SET identity = NULL WHERE name = 'left'",
    "believing another authority": """UPDATE sites SET ca_certificates = 'planted'
        WHERE name = 'left'""",
    "as a proxy": """UPDATE sites SET proxy_kind = 'own', proxy_sealed = webhook_secret_sealed
        WHERE name = 'left'""",
    "under another name": "UPDATE sites SET name = 'other' WHERE name = 'left'",
}
ON = dict.fromkeys(MOVES, "left") | {"to another site": "right", "under another name": "other"}


def asked(jira: Jira) -> int:
    return len(jira.left.site.requests) + len(jira.right.site.requests)


@pytest.mark.parametrize("move", MOVES)
async def test_what_was_moved_is_refused_and_sends_nothing(
    api: Api, client: httpx.AsyncClient, sites: Jira, db: asyncpg.Pool, move: str
) -> None:
    await db.execute(MOVES[move])
    before, name = asked(sites), ON[move]
    check = await client.post(f"{V1}/sites/{name}/check")
    assert (check.status_code, check.json()["code"]) == (409, "secret_misplaced"), check.text
    assert name in check.json()["detail"]
    assert "site put" in check.json()["detail"]
    assert (await client.get(f"{V1}/sites/{name}/projects")).status_code == 503
    site_id = await db.fetchval("SELECT id FROM sites WHERE name = $1", name)
    with pytest.raises(PermanentError, match="secret_misplaced"):
        await api.services.sites.client(site_id)
    assert asked(sites) == before


async def test_what_was_moved_is_kept_by_no_put(
    client: httpx.AsyncClient, sites: Jira, db: asyncpg.Pool
) -> None:
    """Else it would be sealed for where it was moved to."""
    await db.execute(MOVES["under another address"])
    before = asked(sites)
    body = sites.body(sites.right)
    del body["auth"], body["webhook_secret"]
    kept = await client.put(f"{V1}/sites/left", json=body | {"deployment": "cloud"})
    assert (kept.status_code, kept.json()["code"]) == (409, "secret_misplaced")
    assert asked(sites) == before
    put = await client.put(f"{V1}/sites/left", json=sites.body(sites.left))
    assert put.status_code == 200, "who stores its secrets again has it back"
    assert (await client.post(f"{V1}/sites/left/check")).json()["ok"]


@pytest.mark.parametrize(
    "move",
    [
        """UPDATE sites r SET webhook_secret_sealed = l.webhook_secret_sealed FROM sites l
           WHERE l.name = 'left' AND r.name = 'right'""",
        """UPDATE sites r SET previous_secret_sealed = l.webhook_secret_sealed,
               previous_secret_until = now() + interval '1 day' FROM sites l
           WHERE l.name = 'left' AND r.name = 'right'""",
    ],
)
async def test_a_secret_of_another_site_proves_no_delivery(
    api: Api, sites: Jira, db: asyncpg.Pool, move: str
) -> None:
    raw = link_event()
    headers = {"X-Hub-Signature": signature(raw, "webhook secret of left")}
    stranger = api.client(None)
    assert (
        await stranger.post("/webhooks/jira/left", content=raw, headers=headers)
    ).status_code == 202, "it is known, and opened already"
    await db.execute(move)
    answer = await stranger.post("/webhooks/jira/right", content=raw, headers=headers)
    assert answer.status_code in {401, 503}


async def test_a_secret_moves_with_its_pin_and_its_replacement(
    api: Api, client: httpx.AsyncClient, jira: Jira, db: asyncpg.Pool
) -> None:
    """By the ways that are meant: a first check, a replaced secret."""
    body: Any = jira.body(jira.left, base_url="http://127.0.0.1:1")
    assert (await client.put(f"{V1}/sites/left", json=body)).status_code == 201
    body = jira.body(jira.left, webhook_secret="another webhook secret")
    jira.left.site.faults.add(Fault("error_before", status=503))
    assert (await client.put(f"{V1}/sites/left", json=body)).status_code == 200
    jira.left.site.faults.clear()
    assert await db.fetchval("SELECT identity FROM sites") is None
    for _ in range(2):
        check = await client.post(f"{V1}/sites/left/check")
        assert check.json()["ok"], check.text
    assert await db.fetchval("SELECT identity FROM sites") is not None
    sender = await api.app.state.inbox.sender("left")
    assert sender.secrets(api.services.clock()) == (
        b"another webhook secret",
        b"webhook secret of left",
    )
    web = body | {"web_url": "https://jira.example.org"}
    del web["auth"], web["webhook_secret"]
    assert (await client.put(f"{V1}/sites/left", json=web)).status_code == 200
    assert (await client.post(f"{V1}/sites/left/check")).json()["ok"]
    await api.app.state.inbox._senders.refresh()
    sender = await api.app.state.inbox.sender("left")
    assert len(sender.secrets(api.services.clock())) == 2


async def test_no_worker_calls_the_thief(flow: Flow, db: asyncpg.Pool) -> None:
    """Work, polls and open writes wait, and the person on call sees why."""
    await flow.mode("live")
    thief = JiraSite("thief", "cloud", seed=9)
    async with serve(thief) as [there]:
        await db.execute("UPDATE sites SET base_url = $1 WHERE name = 'left'", there.base_url)
        await db.execute("UPDATE sites SET poll_due_at = to_timestamp(0)")
        await db.execute("UPDATE work SET generation = generation + 1, due_at = now()")
        flow.ctx.sites._fresh_until.clear()  # the client of a moment ago has the right address
        await poll.run_once(flow.ctx)
        await run_once(flow.ctx, size=10, lease=60.0)
        await secrets_watch.run_once(flow.ctx, flow.api.services.vault)
        await watch.run_once(flow.ctx)
        assert len(thief.requests) == 0
    waiting = await db.fetch("SELECT DISTINCT waiting FROM work")
    assert [row["waiting"] for row in waiting] == ["site:secret_misplaced"]
    kinds = {row["kind"] for row in await db.fetch("SELECT kind FROM incidents")}
    assert kinds == {"secret_misplaced", "site_refused"}
