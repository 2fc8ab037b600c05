"""Two workers and deliveries in any order, some of them twice: the end is right.

People's events and those of our own writes count alike: two thousand on three hundred issues in
`make soak`, some two hundred each time. `make bench` takes two thousand events of people alone,
and compares with one worker.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.scenarios.processes import oracle
from tests.support.crowd import Crowd, disturb
from tests.support.operator import ADMIN, Operator
from tests.support.processes import Processes, ask
from tests.support.twinsites import on_air

pytestmark = pytest.mark.slow

SIZES = [
    pytest.param(25, 90, 12, id="some"),
    # 80 removed on each site: below the 200 an hour that no configuration raises.
    pytest.param(150, 840, 80, id="many", marks=pytest.mark.soak),
]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("pairs", "created", "removed_per_site"), SIZES)
async def test_two_workers_on_many_issues(
    processes: Processes,
    db: asyncpg.Pool,
    superuser: asyncpg.Connection,
    tmp_path: Path,
    pairs: int,
    created: int,
    removed_per_site: int,
) -> None:
    async with on_air(pairs) as sites:
        api = await processes.api()
        await asyncio.gather(processes.worker(), processes.worker())
        sites.listen(api.url)
        sites.latency(0.03)
        async with Operator(api.url) as operator:
            await operator.live(sites)
            disturb(sites)
            began = time.monotonic()
            async with _one_open_intent_per_link(db):
                await Crowd(sites, links=created, removed=removed_per_site).act()
                await operator.settled(sites, seconds=150)
            took = time.monotonic() - began
            told = f"{sites.delivered} deliveries on {2 * pairs} issues, 2 workers: {took:.1f} s"
            print(told)
            rows = await operator.audit()
            assert await operator.removals_held() == []
            assert (await operator.status())["failed"] == 0
        oracle.check(sites, rows)
        assert await db.fetchval("SELECT count(*) FROM intents WHERE state = 'open'") == 0
        await _whole(processes, api.url, tmp_path / "audit.ndjson")
        await _tampered_with(processes, api.url, superuser)


@asynccontextmanager
async def _one_open_intent_per_link(db: asyncpg.Pool) -> AsyncIterator[None]:
    """At any time; the unique index makes it so, and this would see it gone."""

    async def watch() -> None:
        while True:
            twice = await db.fetch(
                """
                SELECT site_id, type_id, key_source_id, key_destination_id FROM intents
                WHERE state = 'open' GROUP BY 1, 2, 3, 4 HAVING count(*) > 1
                """
            )
            assert not twice
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        [ended] = await asyncio.gather(watching, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError), ended


async def _whole(processes: Processes, api: str, file: Path) -> None:
    """The service says so, and so does whoever holds nothing but an export."""
    assert (await _verdict(processes, api))["status"] == "accepted"
    export = await ask(f"{api}/api/v1/audit/export", headers={"Authorization": f"Bearer {ADMIN}"})
    await asyncio.to_thread(file.write_bytes, export.content)
    status, said = await processes.command("audit", "verify", str(file), "--json")
    assert status == 0, said


async def _tampered_with(processes: Processes, api: str, superuser: asyncpg.Connection) -> None:
    """One changed byte, or the last row gone: refused, and the place is named."""
    last = await superuser.fetchval("SELECT max(seq) FROM audit")
    actor = await superuser.fetchval("SELECT actor FROM audit WHERE seq = 42")
    await superuser.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
    await superuser.execute("UPDATE audit SET actor = 'X' || substr(actor, 2) WHERE seq = 42")
    assert await _places(processes, api) == [(42, "hash")]
    await superuser.execute("UPDATE audit SET actor = $1 WHERE seq = 42", actor)
    await superuser.execute("DELETE FROM audit WHERE seq = $1", last)
    assert await _places(processes, api) == [(last, "cut_off")]


async def _places(processes: Processes, api: str) -> list[tuple[int, str]]:
    verdict = await _verdict(processes, api)
    assert verdict["status"] == "refused"
    return [(place["seq"], place["fault"]) for place in verdict["places"]]


async def _verdict(processes: Processes, api: str) -> dict[str, Any]:
    """What `twinlink audit verify` says of the running service."""
    status, said = await processes.command(
        "audit", "verify", "--json", api_url=api, api_token=ADMIN
    )
    verdict: dict[str, Any] = json.loads(said)
    assert status == (0 if verdict["status"] == "accepted" else 1)
    return verdict
