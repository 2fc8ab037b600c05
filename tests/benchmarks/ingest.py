"""Durable ingest against the same route without a store, in one run on one machine.

Rates of a shared machine mean nothing by themselves; their ratios within a run do. Everything is
on loopback. ``python -m tests.benchmarks.ingest`` prints the table.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from urllib.request import urlopen

import asyncpg

from app.embedded import bootstrap_roles, start_postgres, start_valkey, throwaway_directory
from app.store.migrations import migrate
from app.store.vault import Vault
from tests.benchmarks.ingest_server import KEY, Variant
from tests.benchmarks.load import Load, Measured, run

SITE = "left"
SECRET = "benchmark"
TWINS = 300
VARIANTS: tuple[Variant, ...] = ("empty", "validated", "single", "durable")


@dataclass(frozen=True, slots=True)
class Result:
    """``half`` is the durable route at half of its own highest rate. ``lost``: deliveries that
    were answered with 202 and are not in the inbox."""

    highest: Mapping[Variant, Measured]
    half: Measured
    lost: int

    @property
    def ratio(self) -> float:
        return self.highest["durable"].rate / self.highest["validated"].rate


async def _prepare(admin_url: str) -> str:
    """Two sites, one live connection, ``TWINS`` pairs. Returns the run role's URL."""
    migrate_url, run_url = await bootstrap_roles(admin_url)
    await migrate(migrate_url)
    conn = await asyncpg.connect(run_url)
    sealed = Vault([KEY]).seal(SECRET)
    for name in (SITE, "right"):
        await conn.execute(
            "INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed, "
            "webhook_secret_sealed) VALUES ($1, 'https://jira.example', 'cloud', 'basic', $2, $2)",
            name,
            sealed,
        )
    await conn.execute(
        "INSERT INTO connections (name, left_site_id, right_site_id, revision) VALUES "
        "('bench', 1, 2, 1)"
    )
    await conn.execute(
        "INSERT INTO revisions (connection_id, revision, config, author) VALUES (1, 1, "
        """'{"twins": {"source": "api", "side": null, "field": null}}', 'bench')"""
    )
    await conn.execute(
        "INSERT INTO twins (connection_id, left_site_id, left_issue_id, left_key, "
        "right_site_id, right_issue_id, right_key, source) "
        "SELECT 1, 1, 10000 + n, 'A-' || n, 2, 20000 + n, 'B-' || n, 'api' "
        "FROM generate_series(1, $1::int) n",
        TWINS,
    )
    await conn.close()
    return run_url


@contextmanager
def _server(variant: Variant, database_url: str, redis_url: str) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.ingest_server", variant, database_url, redis_url],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with suppress(OSError):  # any answer will do: it listens, and its lifespan has begun
            urlopen(f"http://127.0.0.1:{port}/", timeout=30).close()
        yield port
    finally:
        process.terminate()
        process.wait(30)


async def _stored(url: str) -> int:
    conn = await asyncpg.connect(url)
    try:
        count: int = await conn.fetchval("SELECT count(*) FROM inbox")
        return count
    finally:
        await conn.close()


def measure(seconds: float = 5.0) -> Result:
    """About five times *seconds*. PostgreSQL runs with fsync on, as it does for users."""
    with ExitStack() as stack:
        directory = stack.enter_context(throwaway_directory())
        postgres = stack.enter_context(start_postgres(directory, durable=True))
        valkey = stack.enter_context(start_valkey(directory, durable=True))
        url = asyncio.run(_prepare(postgres.url))
        highest: dict[Variant, Measured] = {}
        for variant in VARIANTS:
            with _server(variant, url, valkey.url) as port:
                load = _load(port, seconds)
                highest[variant] = run(load)
        before = asyncio.run(_stored(url))
        with _server("durable", url, valkey.url) as port:
            half = run(_load(port, seconds, highest["durable"].rate / 2))
        answered = round(half.rate * seconds)
        return Result(highest, half, max(0, answered - (asyncio.run(_stored(url)) - before)))


def _load(port: int, seconds: float, rate: float | None = None) -> Load:
    issues = tuple(range(10001, 10001 + TWINS))
    return Load(port, f"/webhooks/jira/{SITE}", SECRET, issues, seconds, rate=rate)


def table(result: Result) -> str:
    """One line per variant, as text."""
    lines = [f"{'':24}{'per s':>9}{'p50 ms':>9}{'p99 ms':>9}{'failed':>8}{'of validated':>14}"]
    base = result.highest["validated"].rate
    rows = [*result.highest.items(), ("durable, half the rate", result.half)]
    for name, m in rows:
        lines.append(
            f"{name:24}{m.rate:9.0f}{m.p50:9.1f}{m.p99:9.1f}{m.failed:8}{m.rate / base:14.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(measure(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)))
