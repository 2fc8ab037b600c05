"""Twelve removers in three processes, small batches, a limit of five: five removals."""

import asyncio

import asyncpg
import pytest

from tests.scenarios.processes import oracle
from tests.support.operator import WIDE, Operator
from tests.support.processes import Processes
from tests.support.twinsites import ACCOUNT, on_air

pytestmark = pytest.mark.slow

LINKS = 80
REMOVED = 60
LIMIT = {"share": 0.001, "min": 5, "max": 5}


@pytest.mark.timeout(240)
async def test_twelve_removers_stop_at_the_limit(processes: Processes, db: asyncpg.Pool) -> None:
    async with on_air(2 * LINKS) as sites:
        api = await processes.api()
        runners = {"worker_concurrency": 4, "claim_size": 2}
        await asyncio.gather(*(processes.worker(**runners) for _ in range(3)))
        sites.listen(api.url)
        made = [sites.link(0, ("Blocks", 2 * n + 1, 2 * n + 2)) for n in range(LINKS)]
        async with Operator(api.url) as operator:
            await operator.live(sites, guard={**WIDE, "hour": LIMIT})
            assert len(sites.right.site.mutations.select("created", ACCOUNT)) == LINKS
            sites.latency(0.02)
            for link in made[:REMOVED]:
                sites.people().unlink(link)
            await operator.settled(sites, seconds=120)

            removed = sites.right.site.mutations.select("removed", ACCOUNT)
            assert len(removed) == LIMIT["max"]
            held = await operator.removals_held()
            assert len(held) == REMOVED - LIMIT["max"]
            assert {int(change["link_id"]) for change in held}.isdisjoint(
                it.link_id for it in removed
            )
            guard = (await operator.call("GET", "/connections/ab"))["guard"]
            assert guard["state"] == "tripped"

            # Creations go on.
            sites.link(0, ("Relates", 1, 4))
            await operator.settled(sites)
            assert len(sites.right.site.mutations.select("created", ACCOUNT)) == LINKS + 1
            rows = await operator.audit()
        oracle.only_ours_removed(sites)
        oracle.never_repeated(sites)
        oracle.audited(sites, rows)
    # Several removers were at it: the five did not come from one batch of one of them.
    assert await db.fetchval("SELECT max(fence) FROM work") > 12
