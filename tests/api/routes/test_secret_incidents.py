"""A worker says that somebody moved a secret in the database, before anything needs it."""

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.core.incidents import Impact, IncidentKind, wakes
from app.settings import Settings
from app.sync.incidents import watch
from app.sync.upkeep import secrets_watch
from tests.api.conftest import Api, Jira
from tests.support.waiting import until
from tests.workers.test_serve import worker

KIND = IncidentKind.SECRET_MISPLACED
MOVED = "UPDATE sites SET base_url = 'https://other.example' WHERE name = 'left'"


@pytest.mark.slow
async def test_it_reaches_the_person_on_call(
    client: httpx.AsyncClient, sites: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    await db.execute(MOVED)
    async with worker(settings):
        await until(lambda: db.fetchval("SELECT facts FROM incidents"), "the incident")
    [it] = (await client.get(f"{V1}/incidents")).json()["items"]
    assert (it["kind"], it["impact"], it["site"]) == (KIND, "major", "left")
    shown = await client.get(f"{V1}/incidents/{it['id']}")
    assert "auth, webhook_secret" in shown.text
    assert "twinlink site show left" in shown.text
    assert wakes(KIND, Impact.MAJOR)
    told = await db.fetch("SELECT title FROM notifications")
    assert any("left" in row["title"] for row in told)


async def test_it_is_said_while_it_is_so_and_of_no_other_site(
    api: Api, client: httpx.AsyncClient, sites: Jira, db: asyncpg.Pool
) -> None:
    ctx, vault = api.services.context, api.services.vault
    assert await secrets_watch.run_once(ctx, vault) == 0
    await db.execute(MOVED)
    for _ in range(2):
        assert await secrets_watch.run_once(ctx, vault) == 1
    assert await db.fetchval("SELECT count(*) FROM incidents") == 1
    assert (await client.put(f"{V1}/sites/left", json=sites.body(sites.left))).status_code == 200
    assert await secrets_watch.run_once(ctx, vault) == 0
    await db.execute("UPDATE incidents SET last_seen_at = last_seen_at - interval '6 minutes'")
    await watch.run_once(ctx)
    assert await db.fetchval("SELECT state FROM incidents") == "monitoring"
