"""What a link costs in calls to Jira, by the sandbox's own count: no clock is involved."""

from collections import Counter

import pytest

from tests.benchmarks.conftest import Bench
from tests.benchmarks.report import Report
from tests.support.twinsites import ACCOUNT, TwinSites, on_air

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ALONE = 10
BULK = 1000
NOT_OF_A_LINK = {"/search/jql", "/issueLinkType", "/myself"}
"""Polls and checks happen whatever is linked, and who we are is asked at most once a minute."""


class Meter:
    """Our account's calls since it was made, per site."""

    def __init__(self, sites: TwinSites) -> None:
        self._logs = [served.site.requests for served in sites.both]
        self._since = [len(log.entries) for log in self._logs]

    def by_site(self) -> list[int]:
        return [
            sum(it.endpoint not in NOT_OF_A_LINK for it in log.select(account=ACCOUNT, since=since))
            for log, since in zip(self._logs, self._since, strict=True)
        ]

    @property
    def calls(self) -> int:
        return sum(self.by_site())

    def by_endpoint(self) -> str:
        """Such as `POST /issueLink 10`."""
        counts = Counter(
            f"{it.method} {it.endpoint}"
            for log, since in zip(self._logs, self._since, strict=True)
            for it in log.select(account=ACCOUNT, since=since)
            if it.endpoint not in NOT_OF_A_LINK
        )
        return ", ".join(f"{what} {count}" for what, count in counts.most_common())


async def test_calls_for_links_one_at_a_time(bench: Bench, report: Report) -> None:
    async with on_air(2 * ALONE) as sites:
        await bench.processes.worker()
        sites.listen(bench.api.url)
        await bench.operator.live(sites)
        # It stays: the last link of a connection would be held, and cost less.
        sites.link(0, ("Relates", 1, 2 * ALONE))
        await bench.calm()
        await bench.operator.settled(sites)
        whole = Meter(sites)
        created: list[int] = []
        removed: list[int] = []
        links = []
        for number in range(ALONE):
            meter = Meter(sites)
            links.append(sites.link(number % 2, ("Blocks", 2 * number + 1, 2 * number + 2)))
            await bench.operator.settled(sites)
            created.append(meter.calls)
        print(f"\ncreated one at a time {created}: {whole.by_endpoint()}")
        whole = Meter(sites)
        for number, link in enumerate(links):
            meter = Meter(sites)
            sites.people(number % 2).unlink(link)
            await bench.operator.settled(sites)
            removed.append(meter.calls)
        print(f"removed one at a time {removed}: {whole.by_endpoint()}")
    report.most("Jira calls for one created link, echo included", 4, sum(created) / ALONE)
    report.most("Jira calls for one removed link, echo included", 6, sum(removed) / ALONE)
    report.note("  besides, where a minute has passed: who we are, which Jira it is", "2 a site")
    assert max(created) <= 4
    assert sum(removed) / ALONE <= 6


async def test_calls_per_link_in_bulk(bench: Bench, report: Report) -> None:
    async with on_air(BULK) as sites:
        sites.listen(bench.api.url)
        await bench.operator.connect(sites)
        await bench.pair_first(sites, BULK)
        await bench.calm()
        for number in range(BULK):
            sites.link(0, ("Blocks", number + 1, (number + 1) % BULK + 1))
        # The events of these links are for nobody: what makes the mirrors is the comparison.
        await bench.operator.settled_deliveries(sites)
        await bench.sql("UPDATE work SET done = generation")
        meter = Meter(sites)
        await bench.operator.mode("live")
        await bench.processes.worker()
        await bench.operator.settled(sites, seconds=300)
        calls = meter.calls
        print(f"\n{BULK} links in bulk: {meter.by_endpoint()}")
        made = sum(len(it.site.mutations.select("created", ACCOUNT)) for it in sites.both)
    assert made == BULK
    report.most("Jira calls per created link in bulk (1,000 links)", 1.1, calls / BULK)
    assert calls / BULK <= 1.1
