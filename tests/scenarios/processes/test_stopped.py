"""A worker that is stopped past its lease and goes on later: by then others have done its work,
and it commits neither an intent on what it had seen nor an outcome over a newer one."""

import signal

import asyncpg
import pytest

from tests.scenarios.processes import oracle
from tests.support.operator import Operator
from tests.support.processes import Process, Processes
from tests.support.turnstile import Turnstile
from tests.support.twinsites import ACCOUNT, TwinSites, on_air
from tests.support.waiting import until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(240)]

SHORT = {"lease_seconds": 1, "worker_concurrency": 1}
READ = ("POST", "/issue/bulkfetch$")
WRITE = ("POST", "/issueLink$")


async def _live(processes: Processes, operator: Operator, sites: TwinSites, url: str) -> Process:
    worker = await processes.worker(**SHORT)
    sites.listen(url)
    await operator.live(sites)
    return worker


async def _lapsed(db: asyncpg.Pool) -> bool:
    held = await db.fetchval("SELECT count(*) FROM work WHERE lease_until > now()")
    return bool(held == 0)


async def _wakes_and_ends(worker: Process) -> None:
    """What it had begun is over when it has drained."""
    worker.send(signal.SIGCONT)
    assert await worker.end(signal.SIGTERM) == 0


async def test_no_intent_on_what_it_saw_before(processes: Processes, db: asyncpg.Pool) -> None:
    async with on_air(2) as sites:
        api = await processes.api()
        async with Operator(api.url) as operator:
            worker = await _live(processes, operator, sites, api.url)
            turnstile = Turnstile()
            turnstile.install(sites.right.site, *READ)
            read_before = sites.left.site.requests.count(*_counted(READ))
            link = sites.link(0, ("Blocks", 1, 2))
            await turnstile.holds(1)
            await until(
                lambda: sites.left.site.requests.count(*_counted(READ)) > read_before,
                "the origin read",
            )
            worker.send(signal.SIGSTOP)
            await turnstile.open()  # that no such link is there yet, it hears when it wakes up
            await until(lambda: _lapsed(db), "the end of the lease")
            sites.people().unlink(link)
            await processes.worker()
            await operator.settled(sites)
            await _wakes_and_ends(worker)
            assert await operator.audit() == []
    assert await db.fetchval("SELECT count(*) FROM intents") == 0
    assert sites.right.site.mutations.select(actor=ACCOUNT) == []


async def test_no_outcome_over_a_newer_one(processes: Processes, db: asyncpg.Pool) -> None:
    async with on_air(2) as sites:
        api = await processes.api()
        async with Operator(api.url) as operator:
            worker = await _live(processes, operator, sites, api.url)
            posting, reading_back = Turnstile(), Turnstile()
            posting.install(sites.right.site, *WRITE)
            link = sites.link(0, ("Blocks", 1, 2))
            await posting.holds(1)
            reading_back.install(sites.right.site, *READ)
            await posting.open()
            await reading_back.holds(1)
            worker.send(signal.SIGSTOP)
            await reading_back.open()  # the mirror is there, it hears when it wakes up
            # Nobody confirms an intent in its first forty seconds; this one is old enough.
            await db.execute(
                """UPDATE intents SET confirm_after = now() - interval '1 s',
                       created_at = created_at - interval '41 s'"""
            )
            await until(lambda: _lapsed(db), "the end of the lease")
            await processes.worker()
            await operator.settled(sites)
            assert await _states(db) == ["managed"]
            sites.people().unlink(link)
            await operator.settled(sites)
            assert await _states(db) == []

            await _wakes_and_ends(worker)
            rows = await operator.audit()
        oracle.check(sites, rows)
        assert await _states(db) == [], "what it made is gone since"
        said = [(row["operation"], row["status"], row["evidence"].get("outcome")) for row in rows]
        assert ("create", "applied", "confirmed_read_back_ours") in said
        assert len(said) == 4


async def _states(db: asyncpg.Pool) -> list[str]:
    return [row["state"] for row in await db.fetch("SELECT state FROM ledger")]


def _counted(call: tuple[str, str]) -> tuple[str, str]:
    """As the log of requests names it."""
    method, path = call
    return method, path.removesuffix("$")
