"""A pair that ends each worker that looks at it: three processes, and then the others go on."""

import os
import signal
from typing import Any

import asyncpg
import pytest

from app.sandbox import Fault
from tests.support.operator import CONNECTION, Operator
from tests.support.processes import Processes
from tests.support.twinsites import on_air, standing
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(240), pytest.mark.soak]

PAIRS = 12
SHORT = {"lease_seconds": 3}


class Killer:
    """While a worker has this pair, whatever asks the right site for issues is killed."""

    def __init__(self, db: asyncpg.Pool, processes: Processes, twin: int) -> None:
        self._db = db
        self._processes = processes
        self._twin = twin
        self._claims = set[int]()

    @property
    def killed(self) -> int:
        return len(self._claims)

    async def strike(self) -> None:
        """Once for each claim: the next worker may read while the lease of the killed one runs."""
        claim = await self._db.fetchval(
            "SELECT fence FROM work WHERE twin_id = $1 AND lease_until > now()", self._twin
        )
        if claim is not None and claim not in self._claims:
            last = self._processes.running[-1]
            if last.process.returncode is None:
                self._claims.add(claim)
                os.kill(last.pid, signal.SIGKILL)
                await last.process.wait()

    async def restart(self) -> None:
        """As an orchestrator does: a worker that ended is started again. It may end at once."""
        if self._processes.running[-1].process.returncode is not None:
            await self._processes.begin_worker(**SHORT)


async def test_a_pair_that_kills_its_worker_is_parked_after_three(
    processes: Processes, db: asyncpg.Pool
) -> None:
    async with on_air(PAIRS) as sites:
        api = await processes.api()
        await processes.worker(**SHORT)
        sites.listen(api.url)
        async with Operator(api.url) as operator:
            await operator.live(sites)
            twin = await db.fetchval("SELECT id FROM twins WHERE left_key = $1", f"A-{PAIRS}")
            killer = Killer(db, processes, twin)
            sites.right.site.faults.add(
                Fault("before", "POST", "/bulkfetch$", action=killer.strike)
            )
            for number in range(1, PAIRS - 1):
                sites.link(0, ("Blocks", number, number + 1))
            await operator.call("POST", f"/connections/{CONNECTION}/resyncs", json={})
            [it] = await _failures(operator, killer)
            assert (it["id"], it["failure"], killer.killed) == (str(twin), "worker_lost", 3)
            await operator.settled(sites)
            made = standing(sites.right.site, "twinlink")
            assert made.total() == PAIRS - 2, "the others are done"
            await until(lambda: _told(operator), "the incident", every=0.2)

            sites.right.site.faults.clear()
            await operator.call("POST", f"/failures/{twin}/retry")
            await operator.settled(sites)
            assert (await operator.call("GET", "/failures"))["items"] == []


async def _failures(operator: Operator, killer: Killer) -> list[Any]:
    found: list[Any] = []

    async def shown() -> bool:
        await killer.restart()
        found[:] = (await operator.call("GET", "/failures"))["items"]
        return bool(found)

    await until(shown, "a failure", seconds=150, every=0.1)
    return found


async def _told(operator: Operator) -> bool:
    incidents = (await operator.call("GET", "/incidents"))["items"]
    return "pairs_parked" in {it["kind"] for it in incidents}
