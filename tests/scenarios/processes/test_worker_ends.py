"""A worker that is killed leaves nothing that another cannot finish; one that is asked to stop
leaves nothing at all."""

import asyncio
import signal

import asyncpg
import pytest

from app.sandbox import Served
from tests.scenarios.processes import oracle
from tests.support.operator import Operator
from tests.support.processes import Process, Processes, ask
from tests.support.turnstile import Turnstile
from tests.support.twinsites import ACCOUNT, TwinSites, on_air
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LINKS = 40
DIES_AFTER = 10


def _bulk(sites: TwinSites) -> None:
    for number in range(1, LINKS + 1):
        sites.link(0, ("Blocks", number, number + 1))


def _made(served: Served) -> int:
    return len(served.site.mutations.select("created", ACCOUNT))


async def in_the_middle(
    processes: Processes, operator: Operator, sites: TwinSites, api: Process, **more: object
) -> tuple[Process, Turnstile]:
    """A worker some of whose creates have acted, and some are on their way."""
    turnstile = Turnstile(passes=DIES_AFTER)
    turnstile.install(sites.right.site, "POST", "/issueLink$")
    sites.listen(api.url)
    await operator.connect(sites)
    await operator.pair(sites.keys)
    _bulk(sites)
    await operator.mode("live")
    worker = await processes.worker(**more)
    await turnstile.holds(4)
    assert _made(sites.right) == DIES_AFTER
    return worker, turnstile


async def test_killedin_the_middle_of_many_creates(processes: Processes, db: asyncpg.Pool) -> None:
    async with on_air(LINKS + 1) as sites:
        api = await processes.api()
        async with Operator(api.url) as operator:
            worker, turnstile = await in_the_middle(
                processes, operator, sites, api, lease_seconds=5
            )
            assert await worker.end(signal.SIGKILL) == -signal.SIGKILL
            await turnstile.open()
            made = _made(sites.right)
            assert DIES_AFTER < made < LINKS
            opened = await db.fetchval("SELECT count(*) FROM intents WHERE state = 'open'")
            assert opened >= made

            await processes.worker()
            # Nobody confirms an intent in its first forty seconds; these are old enough.
            await db.execute(
                """UPDATE intents SET confirm_after = now() - interval '1 s',
                       created_at = created_at - interval '41 s'
                   WHERE state = 'open'"""
            )
            await operator.settled(sites)
            rows = await operator.audit()
        oracle.check(sites, rows)
        assert _made(sites.right) == LINKS
        outcomes = await db.fetch("SELECT outcome, count(*) FROM intents GROUP BY 1")
        confirmed = {row["outcome"]: row["count"] for row in outcomes}
        assert confirmed.get("confirmed_read_back_ours") == made, confirmed
        assert await db.fetchval("SELECT count(*) FROM ledger WHERE state = 'managed'") == LINKS


async def test_asked_to_stop_it_finishes_what_is_under_way(
    processes: Processes, db: asyncpg.Pool
) -> None:
    async with on_air(LINKS + 1) as sites:
        api = await processes.api()
        async with Operator(api.url) as operator:
            worker, turnstile = await in_the_middle(processes, operator, sites, api)
            ending = asyncio.create_task(worker.end(signal.SIGTERM))
            await turnstile.open()
            assert await ending == 0
            assert await db.fetchval("SELECT count(*) FROM intents WHERE state = 'open'") == 0
            rows = await operator.audit()
            oracle.never_repeated(sites)
            oracle.audited(sites, rows)
            assert await db.fetchval("SELECT count(*) FROM work WHERE lease_until > now()") == 0


async def test_a_worker_answers_probes(processes: Processes, superuser: asyncpg.Connection) -> None:
    worker = await processes.worker()
    assert (await ask(f"{worker.url}/healthz")).json() == {"status": "ok"}
    assert (await ask(f"{worker.url}/readyz")).status_code == 200
    told = (await ask(f"{worker.url}/metrics")).text
    assert "twinlink_unmanaged_links_removed_total 0.0" in told
    await superuser.execute("UPDATE alembic_version SET version_num = '0000'")

    async def outdated() -> bool:
        answer = await ask(f"{worker.url}/readyz")
        return answer.status_code == 503 and answer.json()["schema"] == "outdated"

    await until(outdated, "the schema in the readiness")
    assert (await ask(f"{worker.url}/healthz")).status_code == 200
