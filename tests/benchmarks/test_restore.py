"""Putting back thousands of links: near what the rate budget allows, planning aside."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.jira.rates.budget import Limits
from tests.benchmarks.conftest import Bench
from tests.benchmarks.report import Report
from tests.support.operator import CONNECTION
from tests.support.removals import record_removals
from tests.support.twinsites import ACCOUNT, on_air
from tests.support.waiting import until

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

LINKS = 5000
PER_SECOND = Limits().per_second["POST"]
"""Writes that Jira Cloud takes, and counts here."""


async def test_restoring_goes_at_the_rate_of_the_budget(bench: Bench, report: Report) -> None:
    async with on_air(LINKS + 1) as sites:
        right = sites.right.site
        await bench.operator.connect(sites)
        await bench.pair_first(sites, LINKS + 1)
        await bench.calm()
        links = [(number, number + 1) for number in range(1, LINKS + 1)]
        url = bench.settings.database_url
        assert url is not None
        await record_removals(url.get_secret_value(), CONNECTION, right, links)
        worker = await bench.processes.worker()
        sites.latency(0.1)
        right.limits.enabled = True
        began = time.monotonic()
        made = await bench.operator.call("POST", "/restores", json={"engine": "bad/1"})
        await _reached(bench, made["id"], "held")
        planned = time.monotonic()
        plan = await bench.operator.call("GET", f"/plans/{made['plan_id']}?limit=1")
        before = right.requests.count(account=ACCOUNT)
        await bench.operator.call(
            "POST", f"/plans/{plan['id']}/approval", json={"digest": plan["digest"]}
        )
        approved, busy = time.monotonic(), _cpu(worker.pid)
        figures = await _reached(bench, made["id"], "succeeded")
        took = time.monotonic() - approved
        busy = _cpu(worker.pid) - busy
        calls = right.requests.count(account=ACCOUNT) - before
        written = [it.at for it in right.mutations.select("created", ACCOUNT)]
    assert (figures["restored"], figures["verified"]) == (LINKS, LINKS)
    assert len(written) == len(right.links) == LINKS
    report.note(f"planning to restore {LINKS:,} links", f"{planned - began:.1f} s")
    report.note("  calls per restored link", f"{calls / LINKS:.2f}")
    report.note("  worker's processor time per link", f"{busy / LINKS * 1000:.1f} ms")
    rate = (LINKS - 1) / ((written[-1] - written[0]) / 1000)
    report.note("  links per second, first to last", f"{rate:.1f}")
    share = LINKS / PER_SECOND / took
    report.least(f"restoring {LINKS:,} links, share of the budget", 0.9, share)
    report.most("  calls that were refused for the rate", 0.01, right.limits.refused / calls)
    report.note("  links within the busiest second", f"{_busiest_second(written)}")
    assert right.limits.refused / calls < 0.01
    assert share >= 0.9


def _busiest_second(times: Sequence[int]) -> int:
    """The most writes within any thousand milliseconds."""
    found, first = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - 1000:
            first += 1
        found = max(found, last - first + 1)
    return found


def _cpu(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _reached(bench: Bench, restore: str, status: str) -> dict[str, Any]:
    figures: dict[str, Any] = {}

    async def there() -> bool:
        figures.update(await bench.operator.call("GET", f"/restores/{restore}"))
        return bool(figures["status"] == status)

    await until(there, f"a restore that is {status}", seconds=300, every=0.5)
    return figures
