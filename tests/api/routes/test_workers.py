"""Which workers run, and who notices that none does."""

from datetime import timedelta

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.cli.checks import installation
from app.sync.incidents import absence, watch
from app.sync.upkeep.presence import Presence
from tests.api.conftest import Api
from tests.support.deliveries import build_world
from tests.support.readiness import ready


async def raised(db: asyncpg.Pool, ago: timedelta) -> None:
    """One pair that has been due for so long."""
    world = await build_world(db)
    await db.execute(
        """INSERT INTO work (connection_id, twin_id, look, cause_kind, dirty_since, due_at)
           VALUES ($1, $2, true, 'webhook', now(), now() - $3::interval)""",
        world.connection,
        world.twins[0],
        ago,
    )


async def incidents(db: asyncpg.Pool) -> list[tuple[str, str]]:
    rows = await db.fetch("SELECT kind, state FROM incidents ORDER BY id")
    return [tuple(row) for row in rows]


async def test_a_worker_is_listed_while_it_gives_signs(
    api: Api, client: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    assert (await client.get(f"{V1}/workers")).json() == {"items": [], "next": None}
    one, other = Presence(api.services.context), Presence(api.services.context)
    for presence in (one, other, one):
        await presence.run_once()
    first, second = (await client.get(f"{V1}/workers")).json()["items"]
    assert (first["alive"], second["alive"]) == (True, True)
    assert first["engine"] == api.services.engine
    assert first["host"]
    await one.end()
    await db.execute("UPDATE workers SET seen_at = now() - interval '61 seconds'")
    [left] = (await client.get(f"{V1}/workers")).json()["items"]
    assert (left["id"], left["alive"]) == (second["id"], False)
    await other.run_once()
    [back] = (await client.get(f"{V1}/workers")).json()["items"]
    assert (back["id"], back["alive"]) == (second["id"], True)


async def test_a_worker_whose_row_was_purged_is_listed_again(
    api: Api, client: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    presence = Presence(api.services.context)
    await presence.run_once()
    await db.execute("DELETE FROM workers")
    await presence.run_once()
    assert len((await client.get(f"{V1}/workers")).json()["items"]) == 1


async def test_readiness_says_whether_a_worker_runs(api: Api, client: httpx.AsyncClient) -> None:
    await ready(client, workers="none", status="degraded")
    presence = Presence(api.services.context)
    await presence.run_once()
    await ready(client, workers="ok", status="ok")


@pytest.mark.parametrize(
    ("minutes", "sign", "opens"), [(3, False, True), (1, False, False), (3, True, False)]
)
async def test_work_that_is_due_and_no_worker_is_an_incident(
    api: Api, db: asyncpg.Pool, minutes: int, sign: bool, opens: bool
) -> None:
    await raised(db, timedelta(minutes=minutes))
    if sign:
        await Presence(api.services.context).run_once()
    assert await absence.run_once(api.services.context) is opens
    assert await incidents(db) == ([("workers_absent", "investigating")] if opens else [])


async def test_the_next_worker_sees_that_it_is_over(api: Api, db: asyncpg.Pool) -> None:
    ctx = api.services.context
    await raised(db, timedelta(minutes=3))
    for _ in range(2):
        await absence.run_once(ctx)
    await Presence(ctx).run_once()
    await watch.run_once(ctx)
    assert await incidents(db) == [("workers_absent", "monitoring")]


async def test_doctor_says_so(api: Api, db: asyncpg.Pool) -> None:
    async def said() -> tuple[str, str]:
        async with api.services.database.connection() as conn:
            check = await installation._workers(conn)
        return check.status, check.detail

    assert await said() == ("warn", "none runs")
    await raised(db, timedelta(minutes=3))
    status, detail = await said()
    assert (status, detail[:34]) == ("fail", "none runs, and work is due since 2")
    await Presence(api.services.context).run_once()
    assert await said() == ("ok", f"1 running, {api.services.engine}")
