"""A worker as those start it who know arq: `arq workers.main.WorkerSettings`."""

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from arq.connections import RedisSettings, create_pool
from redis.asyncio import Redis

from app.settings import Settings
from app.sync.ingest.wakeups import TASK
from tests.scenarios.processes import oracle
from tests.support.operator import Operator
from tests.support.processes import ROOT, Processes, environment
from tests.support.twinsites import on_air
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@asynccontextmanager
async def arq_worker(
    settings: Settings, log: Path, *more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    program = f"from arq.cli import cli; cli({[*more, 'workers.main.WorkerSettings']!r})"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program),
            stdin=DEVNULL,
            stdout=out,
            stderr=STDOUT,
            cwd=ROOT,
            env=environment(settings),
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()


async def check(settings: Settings, directory: Path) -> int:
    """The exit status of `arq --check`."""
    async with arq_worker(settings, directory / "check.log", "--check") as process:
        return await process.wait()


async def test_arq_starts_a_worker_whose_jobs_are_passes(
    service_settings: Settings, processes: Processes, redis_url: str, tmp_path: Path
) -> None:
    settings = service_settings.model_copy(update={"log_level": "info"})
    log = tmp_path / "arq.log"
    assert await check(settings, tmp_path) == 1
    async with on_air(11) as sites, arq_worker(settings, log) as worker:
        api = await processes.api()
        sites.listen(api.url)
        async with Operator(api.url) as operator:
            await operator.live(sites)
            for number in range(1, 11):
                sites.link(0, ("Blocks", number, number + 1))
            await operator.settled(sites)
            oracle.check(sites, await operator.audit())
        async with await create_pool(RedisSettings.from_dsn(redis_url)) as arq:
            job = await arq.enqueue_job(TASK)
            assert job is not None
            assert (await job.result(timeout=30))["claimed"] == 0
        assert await check(settings, tmp_path) == 0
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 40) == 0, log.read_text()[-3000:]
    assert await check(settings, tmp_path) == 1
    lines = [line for line in log.read_text().splitlines() if '"at"' in line]
    assert [line for line in lines if "arq" in line] == []
    assert len(lines) < 10, lines


async def test_a_worker_of_ours_has_the_same_sign_of_life(
    service_settings: Settings, processes: Processes, redis_url: str, tmp_path: Path
) -> None:
    await processes.worker()
    async with Redis.from_url(redis_url) as redis:
        await until(lambda: _alive(redis), "a sign of life", seconds=30)
    assert await check(service_settings, tmp_path) == 0


async def _alive(redis: "Redis") -> bool:
    return bool(await redis.keys("arq:queue:health-check:*"))
