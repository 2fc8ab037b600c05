"""One report for the whole run, and the service in processes as users have it."""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from app.settings import Settings
from tests.benchmarks.report import Report
from tests.support.operator import Operator
from tests.support.processes import Process, Processes
from tests.support.servers import Database, Servers, fresh_database
from tests.support.twinsites import TwinSites


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """Shared by all benchmarks of a run, printed when the last one is over."""
    made = Report()
    yield made
    if made.rows:
        print(f"\n\n{made.table()}\n")


@pytest.fixture(autouse=True)
def _settled_heap() -> Iterator[None]:
    """The sandbox answers from this process. A collection of all that pytest has loaded would
    keep every answer for a tenth of a second, and count requests that came apart as one burst."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@dataclass(frozen=True, slots=True)
class Bench:
    """A service with a database of its own. No worker runs before one is started."""

    settings: Settings
    database: Database
    processes: Processes
    api: Process
    operator: Operator

    async def calm(self) -> None:
        """Polls and the daily comparison have been: the nets below are not what is measured."""
        await self.sql(
            """
            UPDATE connections SET compared_at = now() + interval '1 h';
            UPDATE sites SET poll_due_at = now() + interval '1 h'
            """
        )

    async def sql(self, statement: str) -> None:
        conn = await asyncpg.connect(self.database.migrate_url)
        try:
            await conn.execute(statement)
        finally:
            await conn.close()

    async def pair_first(self, sites: TwinSites, pairs: int) -> None:
        """Twins of the first *pairs* issues, past the REST interface and its look-ups."""
        first = [next(iter(served.site.issues)) for served in sites.both]
        await self.sql(
            f"""
            INSERT INTO twins (connection_id, left_site_id, left_issue_id, left_key,
                               right_site_id, right_issue_id, right_key, source)
            SELECT c.id, c.left_site_id, {first[0]} + n - 1, 'A-' || n,
                   c.right_site_id, {first[1]} + n - 1, 'B-' || n, 'api'
            FROM connections c, generate_series(1, {pairs}) n
            ON CONFLICT DO NOTHING
            """  # noqa: S608 - numbers
        )


@pytest.fixture
def bench_settings(settings: Settings) -> Settings:
    """What a user has who sets nothing."""
    usual = {
        name: Settings.model_fields[name].default
        for name in ("sweep_seconds", "poll_delay_seconds", "log_level")
    }
    return settings.model_copy(update=usual)


@asynccontextmanager
async def opened(
    servers: Servers, template: Database, settings: Settings, directory: Path
) -> AsyncIterator[Bench]:
    async with fresh_database(servers, template) as database:
        own = settings.model_copy(
            update={
                "database_url": SecretStr(database.run_url),
                "migrate_database_url": SecretStr(database.migrate_url),
            }
        )
        async with Processes(own, directory) as processes:
            api = await processes.api()
            async with Operator(api.url) as operator:
                yield Bench(own, database, processes, api, operator)


@pytest.fixture
async def bench(
    servers: Servers, template_database: Database, bench_settings: Settings, tmp_path: Path
) -> AsyncIterator[Bench]:
    async with opened(servers, template_database, bench_settings, tmp_path) as made:
        yield made
