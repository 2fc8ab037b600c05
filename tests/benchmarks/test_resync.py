"""A whole comparison: what it asks of Jira where nothing has changed, and that memory is flat."""

import pytest

from tests.benchmarks.conftest import Bench
from tests.benchmarks.report import Report
from tests.benchmarks.test_jira_calls import Meter
from tests.support.twinsites import TwinSites, on_air

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

SMALL, LARGE = 10_000, 100_000
TIMES = 3
"""A comparison's calls may not depend on how its claims fell."""
EVERY = 5
"""Each fifth pair is linked with the next, by people, on both sides."""


async def test_resyncs_of_ten_and_a_hundred_thousand(bench: Bench, report: Report) -> None:
    async with on_air(LARGE) as sites:
        for number in range(1, LARGE, EVERY):
            for side in (0, 1):
                sites.link(side, ("Blocks", number, number + 1))
        await bench.operator.connect(sites)
        await bench.pair_first(sites, SMALL)
        await bench.calm()
        await bench.operator.mode("live")

        worker = await bench.processes.worker()
        await bench.operator.settled(sites, seconds=300)
        calls = [await _verified(bench, sites) for _ in range(TIMES)]
        report.most("Jira calls to verify 10,000 unchanged issues, per side", 100, max(calls))
        await worker.end()

        small = await _peak(bench, sites, SMALL)
        await bench.pair_first(sites, LARGE)
        large = await _peak(bench, sites, LARGE)
    ratio = large / small
    report.most("memory of a resync, 100,000 issues by 10,000", 1.2, ratio)
    report.note("  peak of the worker", f"{small >> 20}, {large >> 20} MB")
    assert calls == [SMALL / 100] * TIMES
    assert ratio <= 1.2


async def _verified(bench: Bench, sites: TwinSites) -> int:
    """The calls that one comparison of all pairs cost, on the side that was asked more."""
    meter = Meter(sites)
    figures = await bench.operator.resync(sites, seconds=300)
    assert (figures["issues_done"], figures["created"]) == (SMALL, 0)
    print(f"\nverified {SMALL:,} issues: {meter.by_endpoint()}")
    return max(meter.by_site())


async def _peak(bench: Bench, sites: TwinSites, pairs: int) -> int:
    """Bytes resident at most, of a worker that has done nothing else."""
    for served in sites.both:
        served.site.requests.clear()
    worker = await bench.processes.worker()
    figures = await bench.operator.resync(sites, seconds=900)
    assert figures["issues_done"] == pairs
    peak = worker.peak_memory
    await worker.end()
    return peak
