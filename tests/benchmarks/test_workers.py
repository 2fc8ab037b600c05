"""One worker beside two: where Jira's latency binds, and on two thousand events in any order."""

import asyncio
import time
from pathlib import Path

import pytest

from app.settings import Settings
from tests.benchmarks.conftest import opened
from tests.benchmarks.report import Report
from tests.scenarios.processes import oracle
from tests.support.crowd import Crowd, disturb
from tests.support.servers import Database, Servers
from tests.support.twinsites import ACCOUNT, on_air

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

LINKS = 120
NARROW = {"worker_concurrency": 1, "claim_size": 6}
"""With the usual ten runners one worker alone reaches Jira's budget, and two cannot do more. So few
leave the processors idle as well: what binds is Jira's latency."""
CREATED = 1640
REMOVED_PER_SITE = 180


Places = tuple[Servers, Database, Settings, Path]


@pytest.fixture
def places(
    servers: Servers, template_database: Database, bench_settings: Settings, tmp_path: Path
) -> Places:
    return servers, template_database, bench_settings, tmp_path


async def test_two_workers_do_the_work_of_two(places: Places, report: Report) -> None:
    rates = [await _rate(places, workers) for workers in (1, 2)]
    report.least("work of 2 workers by that of 1, Jira at 100 ms", 1.8, rates[1] / rates[0])
    report.note("  links per second, 1 and 2 workers", f"{rates[0]:.1f}, {rates[1]:.1f}")
    assert rates[1] / rates[0] >= 1.8


async def _rate(places: Places, workers: int) -> float:
    """Mirrors per second from the first to the last, of a comparison that makes them all. No
    webhooks: echoes take their turn before a comparison, and here each would take a whole one."""
    async with on_air(2 * LINKS) as sites, opened(*places) as bench:
        for number in range(LINKS):
            sites.link(0, ("Blocks", 2 * number + 1, 2 * number + 2))
        await bench.operator.connect(sites)
        await bench.pair_first(sites, 2 * LINKS)
        await bench.calm()
        await asyncio.gather(*(bench.processes.worker(**NARROW) for _ in range(workers)))
        sites.latency(0.1)
        await bench.operator.mode("live")
        await bench.operator.settled(sites, seconds=120)
        made = [it.at for it in sites.right.site.mutations.select("created", ACCOUNT)]
    assert len(made) == LINKS
    return (LINKS - 1) / ((made[-1] - made[0]) / 1000)


async def test_two_thousand_events(places: Places, report: Report) -> None:
    """Duplicated and shuffled, over 300 twins; the end is right however many workers there are."""
    seconds = [await _two_thousand(places, workers) for workers in (1, 2)]
    shown = ", ".join(f"{it:.1f} s" for it in seconds)
    report.note("2,000 link events on 300 twins, 1 and 2 workers", shown)


async def _two_thousand(places: Places, workers: int) -> float:
    async with on_air(300) as sites, opened(*places) as bench:
        await asyncio.gather(*(bench.processes.worker() for _ in range(workers)))
        sites.listen(bench.api.url)
        await bench.operator.live(sites)
        await bench.calm()
        sites.latency(0.05)
        disturb(sites)
        began = time.monotonic()
        await Crowd(sites, links=CREATED, removed=REMOVED_PER_SITE).act()
        await bench.operator.settled(sites, seconds=300)
        took = time.monotonic() - began
        # Four of an issue's first five links may go before the others are made: a person decides.
        await bench.operator.approves_what_is_held()
        await bench.operator.settled(sites)
        oracle.check(sites, await bench.operator.audit())
    return took
