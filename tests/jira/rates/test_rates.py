"""Workers as processes of their own share one site's rate, counted where it is felt: there."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from app.sandbox import JiraSite, serve, token_of
from tests.jira.rates.test_budget import most_in
from tests.support.waiting import until

RATE = 50
ACCOUNT = "twinlink"


@dataclass
class Counted:
    """A site that counts, and refuses what is more than a twentieth above the rate."""

    site: JiraSite
    workers: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def times(self) -> list[float]:
        return [it.at / 1000 for it in self.site.requests.select(account=ACCOUNT)]

    async def asked_for(self, seconds: float, since: float) -> None:
        """Calls arrived over so many seconds."""
        await until(
            lambda: bool(self.times) and self.times[-1] - since >= seconds,
            f"calls for {seconds} s",
            seconds=seconds + 30,
        )


def counting_site() -> JiraSite:
    site = JiraSite("counted", "datacenter")
    site.add_user(ACCOUNT)
    site.limits.enabled = True
    site.limits.per_user = int(RATE * 1.05)
    return site


@asynccontextmanager
async def at_work(site: JiraSite, redis_url: str, workers: int) -> AsyncIterator[Counted]:
    """All of them begin together, and are ended by their own standard input."""
    counted = Counted(site)
    async with serve(site) as (served,):
        command = (sys.executable, "-m", "tests.jira.rates.rate_worker", served.base_url)
        rest = (token_of(site, ACCOUNT), redis_url, str(RATE))
        pipe = asyncio.subprocess.PIPE
        counted.workers = [
            await asyncio.create_subprocess_exec(*command, *rest, stdin=pipe, stdout=pipe)
            for _ in range(workers)
        ]
        try:
            for worker in counted.workers:
                assert worker.stdout is not None
                assert await worker.stdout.readline() == b"ready\n"
            _tell(counted)
            yield counted
            _tell(counted)
            assert [await worker.wait() for worker in counted.workers] == [0] * workers
        finally:
            for worker in counted.workers:
                if worker.returncode is None:
                    worker.kill()
                    await worker.wait()


def _tell(counted: Counted) -> None:
    for worker in counted.workers:
        assert worker.stdin is not None
        worker.stdin.write(b"\n")


async def test_two_processes_share_the_rate_of_a_site(redis_url: str) -> None:
    site = counting_site()
    async with at_work(site, redis_url, 2) as counted:
        await until(lambda: bool(counted.times), "the first call")
        await counted.asked_for(2.5, counted.times[0])
        times = counted.times
    # How much of the rate is used depends on what else this machine does: see the longer one.
    _hold(site, times, least=0)


@pytest.mark.soak
async def test_six_processes_over_a_minute_and_a_flush(redis_url: str) -> None:
    site = counting_site()
    async with at_work(site, redis_url, 6) as counted:
        await until(lambda: bool(counted.times), "the first call")
        await counted.asked_for(20, counted.times[0])
        async with Redis.from_url(redis_url) as redis:
            await redis.flushall()
        await counted.asked_for(60, counted.times[0])
        times = counted.times
    _hold(site, times, least=0.9)


def _hold(site: JiraSite, times: list[float], *, least: float) -> None:
    share = (len(times) - 1) / (times[-1] - times[0]) / RATE
    print(
        f"\n{len(times)} calls, busiest second {most_in(1, times)} of {RATE},"
        f" {site.limits.refused} refused, {share:.3f} of the rate"
    )
    assert most_in(1, times) <= RATE * 1.05
    assert site.limits.refused <= 0.01 * len(times)
    assert share >= least
