"""The API's `/metrics`: what an alert looks at is there, from the database, without any worker."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from app import __version__
from app.api.auth.roles import V1
from app.core.errors import TransientError
from app.settings import Settings
from app.sync.upkeep.gauges import Gauges
from app.sync.upkeep.presence import Presence
from tests.api.conftest import ADMIN, Api, Jira, connection_body, running
from tests.api.flow import Flow
from tests.api.routes.test_secrets import run


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


async def test_figures_that_stay_say_how_old_they_are(flow: Flow) -> None:
    """Without PostgreSQL every gauge stays as it was: an alert looks at when they were read."""
    moments = [datetime(2030, 1, 1, tzinfo=UTC)]
    ctx = replace(flow.ctx, clock=lambda: moments[-1])
    gauges = Gauges(ctx)
    name = "twinlink_gauges_refreshed_timestamp_seconds"
    assert ctx.metrics.registry.get_sample_value(name) == 0
    await gauges.refresh()
    moments.append(moments[0] + timedelta(minutes=1))
    await gauges.refresh()
    await flow.api.services.database.close()
    moments.append(moments[1] + timedelta(minutes=6))
    with pytest.raises(TransientError):
        await gauges.refresh()
    assert ctx.metrics.registry.get_sample_value(name) == moments[1].timestamp()


SCRAPER = "a-scraper-of-the-house-0123"


async def scraped(api: Api, token: str | None) -> httpx.Response:
    return await api.client(token).get("/metrics")


async def test_an_installation_may_demand_a_token_of_scrapers(settings: Settings) -> None:
    """Metrics name the connections of all tenants: a confined token does not read them."""
    demanding = settings.model_copy(update={"metrics_token": SecretStr(SCRAPER)})
    async with running(demanding) as api:
        client = api.client()
        await client.post(f"{V1}/tokens", json={"role": "viewer", "owner": "eva"})
        viewer = await client.post(f"{V1}/tokens", json={"role": "viewer", "owner": "eva"})
        assert (await scraped(api, None)).status_code == 401
        assert (await scraped(api, None)).json()["code"] == "unauthenticated"
        assert (await scraped(api, "twl_of-nobody")).status_code == 401
        for token in (SCRAPER, ADMIN, viewer.json()["token"]):
            answer = await scraped(api, token)
            assert answer.status_code == 200
            assert "twinlink_build_info" in answer.text
        # It reads metrics, and nothing else.
        assert (await api.client(SCRAPER).get(f"{V1}/me")).status_code == 401
        assert (await api.client(None).get("/readyz")).status_code == 200


async def test_a_confined_token_reads_no_metrics_where_one_is_demanded(
    settings: Settings, jira: Jira
) -> None:
    demanding = settings.model_copy(
        update={"metrics_token": SecretStr(SCRAPER), "allow_private_sites": True}
    )
    async with running(demanding) as api:
        for served in (jira.left, jira.right):
            body = jira.body(served)
            await api.client().put(f"{V1}/sites/{served.site.name}", json=body)
        await api.client().put(f"{V1}/connections/ab", json=connection_body())
        confined = await api.token("admin", connections=["ab"])
        assert (await confined.get("/metrics")).status_code == 403


async def test_a_guesser_of_the_scrapers_token_has_to_wait(settings: Settings) -> None:
    demanding = settings.model_copy(update={"metrics_token": SecretStr(SCRAPER)})
    async with running(demanding) as api:
        answers = [await scraped(api, f"a guess, number {n}") for n in range(25)]
        assert {it.status_code for it in answers} == {401, 429}
        assert (await scraped(api, SCRAPER)).status_code == 429


async def warned(settings: Settings, **more: str) -> list[str]:
    """What the doctor says of metrics."""
    result = await run(settings, "doctor", "--json", **more)
    return [it["status"] for it in json.loads(result.stdout)["checks"] if it["name"] == "metrics"]


async def test_the_doctor_warns_of_metrics_that_tenants_can_read(
    api: Api, connected: Jira, settings: Settings, db: asyncpg.Pool
) -> None:
    """Only where a token is confined, and only where others than this machine are answered."""
    outside, proxied = {"HOST": "0.0.0.0"}, {"PUBLIC_URL": "https://twinlink.example.org"}  # noqa: S104
    assert await warned(settings, **outside) == []
    await api.token("viewer", connections=["ab"])
    assert await warned(settings) == []
    assert await warned(settings, **outside) == ["warn"]
    assert await warned(settings, **proxied) == ["warn"]
    assert await warned(settings, **outside, METRICS_TOKEN=SCRAPER) == []
    await db.execute("UPDATE tokens SET revoked_at = now()")
    assert await warned(settings, **outside) == []
