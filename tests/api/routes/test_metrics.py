"""The API's `/metrics`: what an alert looks at is there, from the database, without any worker."""

from datetime import UTC, datetime

import asyncpg
import httpx

from app import __version__
from app.sync.upkeep.presence import Presence
from tests.api.conftest import Api
from tests.api.flow import Flow


async def _told(client: httpx.AsyncClient) -> str:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return answer.text


async def test_the_installations_gauges_are_there(flow: Flow, client: httpx.AsyncClient) -> None:
    await flow.mode("live")
    await flow.mirrored(("A-1", "Blocks", "A-2"))
    await Presence(flow.ctx).run_once()
    told = await _told(client)
    for line in (
        f'twinlink_build_info{{version="{__version__}"}} 1.0',
        "twinlink_workers 1.0",
        'twinlink_links{connection="ab",state="managed"} 1.0',
        'twinlink_backlog{connection="ab",state="backlog"} 0.0',
        'twinlink_guard_tripped{connection="ab"} 0.0',
        'twinlink_guard_limit{connection="ab",scope="hour"} 10.0',
        'twinlink_guard_used{connection="ab",scope="hour"} 0.0',
        'twinlink_circuit_open{site="left"} 0.0',
        'twinlink_projects_unseen{site="left"} 0.0',
        'twinlink_incidents_open{impact="critical"} 0.0',
        "twinlink_monitor_waiting",
        "twinlink_intents_unconfirmed 0.0",
    ):
        assert f"\n{line}" in told


async def test_the_alarm_counts_what_any_monitor_found(
    api: Api, client: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    assert "\ntwinlink_unmanaged_links_removed_total 0.0\n" in await _told(client)
    await db.execute(
        """INSERT INTO monitor_findings (site_id, place, issue_id, history_id, removed_at, verdict,
               found_at)
           SELECT 1, n::text, n, n, now(), v, now()
           FROM unnest(ARRAY[1, 2], ARRAY['unmanaged', 'unclear']) AS f (n, v)"""
    )
    for _ in range(2):  # each finding once
        await api.services.gauges.run_once()
        assert "\ntwinlink_unmanaged_links_removed_total 1.0\n" in await _told(client)


async def test_the_last_delivery_of_each_site(
    flow: Flow, client: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    site = await db.fetchval("SELECT id FROM sites WHERE name = 'left'")
    await db.execute(
        """INSERT INTO inbox (site_id, delivery, kind, received_at)
           VALUES ($1, 'one', 'issue_created', '2030-01-01T00:00:00Z')""",
        site,
    )
    told = await _told(client)
    begin = 'twinlink_last_delivery_timestamp_seconds{site="left"} '
    value = next(it for it in told.splitlines() if it.startswith(begin))
    assert float(value.removeprefix(begin)) == datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    assert 'delivery_timestamp_seconds{site="right"}' not in told


async def test_postgres_away_leaves_the_process_its_own(
    client: httpx.AsyncClient, flow: Flow
) -> None:
    await flow.api.services.database.close()
    assert "twinlink_ingest_seconds" in await _told(client)
