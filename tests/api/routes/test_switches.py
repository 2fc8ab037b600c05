"""Mode, pause and guard: what may be written, and when."""

import asyncio

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.sandbox import Fault
from tests.api.conftest import Jira, connection_body
from tests.support.waiting import until

AB = f"{V1}/connections/ab"


@pytest.mark.parametrize("mode", ["create_only", "review", "live"])
async def test_every_writing_mode_needs_dedicated_accounts(
    client: httpx.AsyncClient, jira: Jira, mode: str
) -> None:
    await client.put(f"{V1}/sites/left", json=jira.body(jira.left))
    shared = jira.body(jira.right, account_dedicated=False)
    await client.put(f"{V1}/sites/right", json=shared)
    await client.put(AB, json=connection_body())
    refused = await client.put(f"{AB}/mode", json={"mode": mode})
    assert refused.status_code == 409
    assert refused.json()["code"] == "account_not_dedicated"
    assert (await client.get(AB)).json()["mode"] == "shadow"
    await client.put(f"{V1}/sites/right", json=jira.body(jira.right))
    raised = await client.put(f"{AB}/mode", json={"mode": mode})
    assert raised.status_code == 200
    assert raised.json()["mode"] == mode


async def test_dedication_is_not_taken_back_while_a_mode_is_raised(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    """Each of the two checks what the other one writes: only one of them may go through."""
    shared = connected.body(connected.left, account_dedicated=False)
    async with db.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("SELECT 1 FROM sites FOR NO KEY UPDATE")
        taking = asyncio.create_task(client.put(f"{V1}/sites/left", json=shared))
        await until(lambda: _waiting(db, 1), "the site's change at its lock")
        raising = asyncio.create_task(client.put(f"{AB}/mode", json={"mode": "live"}))

        async def decided() -> bool:
            return raising.done() or await _waiting(db, 2)

        await until(decided, "the mode at the same lock")
        await transaction.rollback()
    answers = [await taking, await raising]
    assert sorted(it.status_code for it in answers) == [200, 409]
    [refused] = [it for it in answers if it.status_code == 409]
    assert refused.json()["code"] == "account_not_dedicated"
    mode = (await client.get(AB)).json()["mode"]
    dedicated = (await client.get(f"{V1}/sites/left")).json()["account_dedicated"]
    assert (mode, dedicated) in {("live", True), ("shadow", False)}


async def _waiting(db: asyncpg.Pool, many: int) -> bool:
    found: int = await db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return found >= many


async def test_writing_needs_both_sites_checked(
    client: httpx.AsyncClient, sites: Jira, db: asyncpg.Pool
) -> None:
    await client.put(AB, json=connection_body())
    await db.execute("UPDATE sites SET account_id = NULL WHERE name = 'right'")
    refused = await client.put(f"{AB}/mode", json={"mode": "live"})
    assert refused.status_code == 409
    assert refused.json()["code"] == "site_unchecked"
    await client.post(f"{V1}/sites/right/check")
    assert (await client.put(f"{AB}/mode", json={"mode": "live"})).status_code == 200


async def test_raising_the_mode_looks_at_all_twins(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    await client.put(f"{AB}/mode", json={"mode": "review"})
    [resync] = (await client.get(f"{V1}/resyncs")).json()["items"]
    assert resync["cause"] == "mode"
    await client.post(f"{V1}/resyncs/{resync['id']}/cancel")
    await client.put(f"{AB}/mode", json={"mode": "review"})
    await client.put(f"{AB}/mode", json={"mode": "create_only"})
    await client.put(f"{AB}/mode", json={"mode": "shadow"})
    assert len((await client.get(f"{V1}/resyncs")).json()["items"]) == 1


async def test_the_mode_is_no_revision(client: httpx.AsyncClient, connected: Jira) -> None:
    put = await client.put(f"{AB}/mode", json={"mode": "live"})
    assert put.headers["ETag"] == '"1"'
    kept = await client.put(AB, json=connection_body(direction="left_to_right"))
    assert kept.json()["mode"] == "live"


async def test_modes_that_are_none(client: httpx.AsyncClient, connected: Jira) -> None:
    for body in ({"mode": "LIVE"}, {}, {"mode": None}, {"mode": "live", "force": True}):
        assert (await client.put(f"{AB}/mode", json=body)).status_code == 422
    assert (await client.put(f"{V1}/connections/no/mode", json={"mode": "live"})).status_code == 404


async def test_pause_and_resume(client: httpx.AsyncClient, connected: Jira) -> None:
    first = (await client.post(f"{AB}/pause")).json()
    again = (await client.post(f"{AB}/pause")).json()
    assert first["paused"] is True
    assert again["paused_at"] == first["paused_at"]
    resumed = (await client.post(f"{AB}/resume")).json()
    assert (resumed["paused"], resumed["paused_at"]) == (False, None)


async def test_the_pause_of_everything(client: httpx.AsyncClient, connected: Jira) -> None:
    paused = (await client.post(f"{V1}/pause")).json()
    assert paused["paused"] is True
    assert paused["paused_by"] == "bootstrap"
    assert (await client.get(AB)).json()["paused"] is True
    assert (await client.post(f"{V1}/pause")).json() == paused
    await client.post(f"{AB}/pause")
    ended = (await client.post(f"{V1}/resume")).json()
    assert ended == {"paused": False, "paused_at": None, "paused_by": None}
    assert (await client.get(AB)).json()["paused"] is True


async def test_resume_without_a_pause(client: httpx.AsyncClient, connected: Jira) -> None:
    assert (await client.post(f"{V1}/resume")).json()["paused"] is False
    assert (await client.post(f"{AB}/resume")).json()["paused"] is False


@pytest.mark.parametrize("path", [f"{AB}/pause", f"{V1}/pause"])
async def test_a_pause_waits_for_the_intent_that_is_being_committed(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool, path: str
) -> None:
    """Once it has returned, no older intent can commit: it takes the same lock."""
    async with db.acquire() as intent:
        transaction = intent.transaction()
        await transaction.start()
        await intent.execute("SELECT 1 FROM connections FOR NO KEY UPDATE")
        pausing = asyncio.create_task(client.post(path))
        while not await db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not pausing.done()
        await transaction.commit()
    assert (await pausing).status_code == 200


async def test_a_guard_is_armed_again(
    client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    await db.execute("UPDATE connections SET guard_tripped_at = now(), guard_trip_reason = 'hour'")
    tripped = (await client.get(AB)).json()["guard"]
    assert (tripped["state"], tripped["reason"]) == ("tripped", "hour")
    armed = (await client.post(f"{AB}/guard/reset")).json()["guard"]
    assert (armed["state"], armed["reason"], armed["tripped_at"]) == ("armed", None, None)


async def test_nothing_here_asks_a_site(client: httpx.AsyncClient, connected: Jira) -> None:
    """At three in the morning, with the sites down."""
    for served in (connected.left, connected.right):
        served.site.faults.add(Fault("error_before", status=503))
    for path in ("pause", "resume", "guard/reset"):
        assert (await client.post(f"{AB}/{path}")).status_code == 200
    for mode in ("live", "shadow"):
        assert (await client.put(f"{AB}/mode", json={"mode": mode})).status_code == 200
    for path in ("status", "links", "twins", "revisions"):
        assert (await client.get(f"{AB}/{path}")).status_code == 200
