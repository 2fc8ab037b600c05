"""A worker ends in the middle of a restore: killed, others resume it, and no link is doubled; asked
to stop, it ends the writes that it has begun."""

import signal
from collections import Counter
from typing import Any

import asyncpg
import pytest

from app.sandbox import Served
from tests.support.operator import CONNECTION, Operator
from tests.support.processes import Processes
from tests.support.removals import record_removals
from tests.support.twinsites import ACCOUNT, on_air
from tests.support.waiting import until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(240)]

LINKS = 400


async def test_a_kill_in_the_middle_doubles_nothing(
    processes: Processes, db: asyncpg.Pool, db_url: str
) -> None:
    async with on_air(LINKS + 1) as sites:
        api = await processes.api()
        async with Operator(api.url) as operator:
            await operator.connect(sites)
            await operator.pair(sites.keys)
            links = [(number, number + 1) for number in range(1, LINKS + 1)]
            await record_removals(db_url, CONNECTION, sites.right.site, links)
            first = await processes.worker()
            sites.latency(0.1)
            made = await operator.call("POST", "/restores", json={"engine": "bad/1"})
            await _reached(operator, made["id"], "held")
            plan = await operator.call("GET", f"/plans/{made['plan_id']}?limit=1")
            await operator.call(
                "POST", f"/plans/{plan['id']}/approval", json={"digest": plan["digest"]}
            )
            await until(lambda: _made(sites.right) > LINKS / 4, "a quarter of the links")
            assert await first.end(signal.SIGKILL) == -signal.SIGKILL
            done = _made(sites.right)
            assert done < LINKS, "it was over before it was killed"
            left_open = await db.fetchval("SELECT count(*) FROM intents WHERE state = 'open'")
            assert left_open > 0, "nothing was under way"
            # What it had sent ends within a tenth of a second, long before another one has started;
            # so nobody has to wait for the half minute to pass.
            await db.execute(
                """UPDATE intents SET confirm_after = now() WHERE state = 'open';
                   UPDATE plan_changes SET due_at = now() WHERE result IS NULL"""
            )
            await processes.worker()
            await processes.worker()
            figures = await _reached(operator, made["id"], "succeeded")
    assert (figures["restored"], figures["verified"], figures["failed"]) == (LINKS, LINKS, 0)
    created = sites.right.site.mutations.select("created", ACCOUNT)
    assert Counter((it.source, it.destination) for it in created).most_common(1)[0][1] == 1
    assert len(sites.right.site.links) == len(created) == LINKS
    twice = await db.fetch(
        """SELECT source_id, destination_id FROM intents WHERE state = 'applied'
           GROUP BY 1, 2 HAVING count(*) > 1"""
    )
    assert twice == []
    unsent = await db.fetchval("SELECT count(*) FROM intents WHERE outcome = 'confirmed_not_made'")
    posted = sites.right.site.requests.count("POST", "/issueLink", ACCOUNT)
    assert LINKS <= posted <= LINKS + unsent, "a request that may have acted was repeated"
    assert await db.fetchval("SELECT count(*) FROM intents WHERE state = 'open'") == 0


async def test_a_stop_ends_the_writes_that_have_begun(
    processes: Processes, db: asyncpg.Pool, db_url: str
) -> None:
    async with on_air(LINKS + 1) as sites:
        api = await processes.api()
        async with Operator(api.url) as operator:
            await operator.connect(sites)
            await operator.pair(sites.keys)
            links = [(number, number + 1) for number in range(1, LINKS + 1)]
            await record_removals(db_url, CONNECTION, sites.right.site, links)
            worker = await processes.worker()
            sites.latency(0.5)
            made = await operator.call("POST", "/restores", json={"engine": "bad/1"})
            await _reached(operator, made["id"], "held")
            plan = await operator.call("GET", f"/plans/{made['plan_id']}?limit=1")
            await operator.call(
                "POST", f"/plans/{plan['id']}/approval", json={"digest": plan["digest"]}
            )
            await until(lambda: _made(sites.right) > 20, "some links")
            assert _made(sites.right) < LINKS, "it was over before it was asked to stop"
            assert await worker.end(signal.SIGTERM) == 0
            assert await db.fetchval("SELECT count(*) FROM intents WHERE state = 'open'") == 0
            sites.latency(0)
            await processes.worker()
            figures = await _reached(operator, made["id"], "succeeded")
    assert (figures["restored"], figures["verified"], figures["failed"]) == (LINKS, LINKS, 0)


def _made(served: Served) -> int:
    return len(served.site.links)


async def _reached(operator: Operator, restore: str, status: str) -> dict[str, Any]:
    figures: dict[str, Any] = {}

    async def there() -> bool:
        figures.update(await operator.call("GET", f"/restores/{restore}"))
        return bool(figures["status"] == status)

    await until(there, f"a restore that is {status}", seconds=90, every=0.2)
    return figures
