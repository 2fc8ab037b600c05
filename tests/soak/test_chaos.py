"""Under load everything that can die or stop does so at random moments; then all is as it must be.

`make soak` runs it; a seed gives the same acts and strikes in the same order, though never at
the same instants.
"""

import json
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from app.embedded import PostgresServer, ValkeyServer, bootstrap_roles
from app.embedded.roles import DATABASE
from app.settings import Settings
from app.store.migrations.run import migrate
from tests.soak.fleet import Fleet, fleet
from tests.soak.judgement import Figures, judge
from tests.soak.report import given_up, report
from tests.soak.size import LEASE_SECONDS, Size
from tests.soak.strikes import Chaos, Strike, schedule
from tests.soak.town import RETRIES_SCALE, People, Standing, town, unmanaged
from tests.support import full_disk
from tests.support.operator import ADMIN, Operator
from tests.support.processes import Processes
from tests.support.servers import database_url
from tests.support.twinsites import TwinSites

WORKERS = 3
QUIET_WITHIN = 600.0
"""Seconds. Writes that were open at the end are confirmed, some after several tries."""


@pytest.fixture
async def soaked(
    own_postgres: PostgresServer, own_valkey: ValkeyServer, tmp_path: Path
) -> AsyncIterator[Processes]:
    migrate_url, run_url = await bootstrap_roles(own_postgres.url)
    await migrate(migrate_url)
    await full_disk.install(superuser(own_postgres))
    settings = Settings(
        database_url=SecretStr(run_url),
        redis_url=SecretStr(own_valkey.url),
        admin_token=SecretStr(ADMIN),
        secret_key=(SecretStr("test-secret-key-0123456789abcdef"),),
        installation="soak",
        allow_private_sites=True,
        sweep_seconds=1.0,
        poll_delay_seconds=0.05,
        worker_concurrency=4,
        claim_size=25,
        lease_seconds=LEASE_SECONDS,
        log_level="warning",
    )
    async with Processes(settings, tmp_path) as made:
        yield made


def superuser(postgres: PostgresServer) -> str:
    """In the service's database, whom no grant holds back."""
    return database_url(postgres.url, DATABASE)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_nothing_is_lost_doubled_or_touched(
    soaked: Processes, own_postgres: PostgresServer, own_valkey: ValkeyServer
) -> None:
    size = Size.of_environment()
    dice = random.Random(size.seed)
    began = time.monotonic()
    async with town(size.twins, seed=size.seed) as sites, fleet(soaked, workers=WORKERS) as manned:
        await _connected(sites, manned, size)
        before = {served.site.name: unmanaged(served.site) for served in sites.both}
        people = People(sites, size.twins, size.seed)
        chaos = Chaos(manned, own_postgres, superuser(own_postgres), own_valkey, dice)
        await _storm(chaos, people, schedule(size, dice), size)
        stormed = time.monotonic() - began
        figures = await _afterwards(sites, manned, people, before, chaos)
    print(report(size, sites, chaos, figures, stormed, time.monotonic() - began))
    assert not figures.off, figures


async def _connected(sites: TwinSites, manned: Fleet, size: Size) -> None:
    sites.listen(manned.url)
    for served in sites.both:
        served.site.outbox.scale = RETRIES_SCALE
        served.site.latency = 0.02
    async with Operator(manned.url) as operator:
        await operator.connect(sites)
        await operator.pair(sites.keys[: size.twins])
        await operator.mode("live")
        await operator.settled(sites)


async def _storm(chaos: Chaos, people: People, strikes: list[Strike], size: Size) -> None:
    """A share of the acts before each strike and after the last one."""
    ends = [size.events * number // (len(strikes) + 1) for number in range(len(strikes) + 2)]
    for number, strike in enumerate(strikes):
        await people.act(ends[number + 1] - ends[number])
        await chaos.strike(strike)
    await people.act(ends[-1] - ends[-2])
    await chaos.over()


async def _afterwards(
    sites: TwinSites,
    manned: Fleet,
    people: People,
    before: dict[str, Standing],
    chaos: Chaos,
) -> Figures:
    async with Operator(manned.url) as operator:
        await operator.settled(sites, seconds=QUIET_WITHIN)
        if given_up(sites):
            # Nobody was told of these; the daily comparison would find them.
            await operator.resync(sites, seconds=QUIET_WITHIN)
        status, said = await manned.processes.command(
            "audit", "verify", "--json", api_url=manned.url, api_token=ADMIN
        )
        verdict = json.loads(said)
        assert status in (0, 1), said
        return judge(
            sites,
            people,
            before,
            rows=await operator.audit(),
            broken=len(verdict["places"]) or status,
            inbox=await _stored(chaos.database),
            given_up=(await operator.status())["failed"] + len(await operator.removals_held()),
        )


async def _stored(url: str) -> set[str]:
    conn = await asyncpg.connect(url)
    try:
        return {row["delivery"] for row in await conn.fetch("SELECT delivery FROM inbox")}
    finally:
        await conn.close()
