"""A pair that ends the process that looks at it is found, alone in the end, and parked."""

from typing import Any

import httpx
import pytest

from app.store.queue import failed_pairs, work
from app.sync.incidents import watch
from app.sync.reconcile import loop
from tests.scenarios.conftest import Duo
from tests.scenarios.reconcile.test_errors import failed, healed, retry, through, work_of
from tests.support.crash import Died
from tests.support.engine import LEASE


class Killing(httpx.AsyncBaseTransport):
    """Whatever asks for one of these issues dies of the answer."""

    def __init__(self, inner: httpx.AsyncBaseTransport, issues: set[str]) -> None:
        self._inner = inner
        self._issues = issues

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        answer = await self._inner.handle_async_request(request)
        if any(it.encode() in body for it in self._issues):
            raise Died
        return answer


@pytest.fixture
def killer(duo: Duo) -> str:
    """The twin of P-4 kills."""
    issue = duo.right.ref("P-4").id
    through(duo, lambda http: Killing(http, {issue}))
    return issue


async def dies(duo: Duo) -> bool:
    """Whether one pass of a worker kills it. The next one comes after its lease."""
    try:
        await loop.run_once(duo.world.ctx, size=100, lease=LEASE)
    except Died:
        duo.world.clock.tick(LEASE + 1)
        return True
    return False


async def incidents(duo: Duo) -> list[dict[str, Any]]:
    await watch.run_once(duo.world.ctx)
    return await duo.world.rows(
        """SELECT kind, state, facts FROM incidents WHERE connection_id = ANY($1::bigint[])
           AND kind = 'pairs_parked'"""
    )


async def parked(duo: Duo) -> int:
    """How many passes died until it was parked."""
    deaths = 0
    await duo.world.resync()
    for _ in range(20):
        deaths += await dies(duo)
        if await failed(duo):
            return deaths
    raise AssertionError("it is not parked")


@pytest.mark.usefixtures("killer")
async def test_three_lost_claims_park_a_pair_and_no_other(duo: Duo) -> None:
    duo.ann.link("P-1", "Blocks", "P-2")
    assert await parked(duo) == 3
    assert await failed(duo) == {duo.twins["P-4"]: "worker_lost"}
    await duo.world.settle()
    assert len(duo.right.ours) == 1, "the others of its claim are done"
    assert (await work_of(duo, "P-1"))["lost"] == 0
    [it] = await incidents(duo)
    assert (it["kind"], it["facts"]["pairs"]) == ("pairs_parked", 1)


@pytest.mark.usefixtures("killer")
async def test_tried_again_it_is_tried_alone_and_once(duo: Duo) -> None:
    assert await parked(duo) == 3
    await duo.world.settle()
    assert await retry(duo, "P-4")
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    assert await dies(duo)
    await duo.world.settle()
    assert len(duo.right.ours) == 1
    assert await failed(duo) == {duo.twins["P-4"]: "worker_lost"}
    assert len(await incidents(duo)) == 1
    healed(duo)
    assert await retry(duo, "P-4")
    await duo.world.settle()
    assert await failed(duo) == {}
    assert (await work_of(duo, "P-4"))["lost"] == 0
    [it] = await incidents(duo)
    assert it["state"] == "monitoring", "it ends by itself"


@pytest.mark.usefixtures("killer")
async def test_a_dismissed_one_is_no_incident(duo: Duo) -> None:
    await parked(duo)
    async with duo.world.database.transaction() as conn:
        twin = duo.twins["P-4"]
        assert await failed_pairs.dismiss(
            conn, duo.connection, twin, reason="known", by="eva", now=duo.world.now()
        )
    assert await incidents(duo) == []


async def test_a_slow_look_that_ends_after_its_lease_parks_nothing(duo: Duo) -> None:
    """Workers that take over one after the other, while the first one goes on."""
    duo.ann.link("P-1", "Blocks", "P-2")
    await duo.world.deliver()
    held: list[httpx.Request] = []

    class Slow(httpx.AsyncBaseTransport):
        def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
            self._inner = inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            while len(held) < 3:
                held.append(request)
                duo.world.clock.tick(LEASE + 1)
                async with duo.world.database.connection() as conn:
                    assert await work.claim(conn, now=duo.world.now(), size=100, lease=LEASE)
            return await self._inner.handle_async_request(request)

    through(duo, Slow)
    await loop.run_once(duo.world.ctx, size=100, lease=LEASE)
    assert (await work_of(duo, "P-1"))["lost"] == 0
    duo.world.clock.tick(LEASE + 1)
    await duo.world.settle()
    assert await failed(duo) == {}
