"""Durable ingest against the same route without a store, in one run on one machine.

Rates of a shared machine mean nothing by themselves; their ratios within a run do. Everything is
on loopback. `python -m tests.benchmarks.ingest` prints the table.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from statistics import median
from urllib.request import urlopen

import asyncpg

from app.embedded import bootstrap_roles, start_postgres, start_valkey, throwaway_directory
from app.store.config.vault import Vault
from app.store.migrations.run import migrate
from app.store.secret_homes import WEBHOOK, Home
from tests.benchmarks.ingest_server import KEY, Variant
from tests.benchmarks.load import Load, Measured, run

SITE = "left"
SECRET = "benchmark"
TWINS = 300
VARIANTS: tuple[Variant, ...] = ("empty", "validated", "single", "durable")


ROUNDS = 5
"""Variants take turns, so that what else the machine does meets all of them."""


@dataclass(frozen=True, slots=True)
class Result:
    """Each variant's slices at its highest rate, in the order of the rounds; `half` is the
    durable route at half of its own. `lost`: answered with 202 and not in the inbox."""

    highest: Mapping[Variant, Sequence[Measured]]
    half: Measured
    lost: int

    @property
    def ratio(self) -> float:
        """Durable to validated, the median of the rounds."""
        return self.of_validated("durable")

    def of_validated(self, variant: Variant) -> float:
        pairs = zip(self.highest[variant], self.highest["validated"], strict=True)
        return median(one.rate / base.rate for one, base in pairs)


async def _prepare(admin_url: str) -> str:
    """Two sites, one live connection, `TWINS` pairs. Returns the run role's URL."""
    migrate_url, run_url = await bootstrap_roles(admin_url)
    await migrate(migrate_url)
    conn = await asyncpg.connect(run_url)
    vault = Vault([KEY])
    for name in (SITE, "right"):
        await conn.execute(
            "INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed, "
            "webhook_secret_sealed) VALUES ($1, 'https://jira.example', 'cloud', 'basic', $2, $2)",
            name,
            vault.seal(SECRET, Home(name, "https://jira.example", None, None), WEBHOOK),
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
        process.communicate(timeout=30)


async def _stored(url: str) -> int:
    conn = await asyncpg.connect(url)
    try:
        count: int = await conn.fetchval("SELECT count(*) FROM inbox")
        return count
    finally:
        await conn.close()


def measure(seconds: float = 2.0) -> Result:
    """About 25 times *seconds*, plus warming up. PostgreSQL runs with fsync on, as for users."""
    with ExitStack() as stack:
        directory = stack.enter_context(throwaway_directory())
        postgres = stack.enter_context(start_postgres(directory, durable=True))
        valkey = stack.enter_context(start_valkey(directory, durable=True))
        url = asyncio.run(_prepare(postgres.url))
        ports = {v: stack.enter_context(_server(v, url, valkey.url)) for v in VARIANTS}
        highest: dict[Variant, list[Measured]] = {variant: [] for variant in VARIANTS}
        for _ in range(ROUNDS):
            for variant, port in ports.items():
                highest[variant].append(run(_load(port, seconds)))
        before = asyncio.run(_stored(url))
        half_rate = median(it.rate for it in highest["durable"]) / 2
        half = run(_load(ports["durable"], 2 * seconds, half_rate))
        answered = round(half.rate * 2 * seconds)
        lost = max(0, answered - (asyncio.run(_stored(url)) - before))
        return Result(highest, half, lost)


def _load(port: int, seconds: float, rate: float | None = None) -> Load:
    issues = tuple(range(10001, 10001 + TWINS))
    return Load(port, f"/webhooks/jira/{SITE}", SECRET, issues, seconds, rate=rate)


def table(result: Result) -> str:
    """Medians of the rounds, one line per variant."""
    lines = [f"{'':24}{'per s':>9}{'p50 ms':>9}{'p99 ms':>9}{'failed':>8}{'of validated':>14}"]
    for variant, slices in result.highest.items():
        ratio = result.of_validated(variant)
        lines.append(_line(variant, slices) + f"{ratio:14.2f}")
    return "\n".join([*lines, _line("durable, half the rate", [result.half])])


def _line(name: str, slices: Sequence[Measured]) -> str:
    rate, p50, p99 = (
        median(values) for values in zip(*((m.rate, m.p50, m.p99) for m in slices), strict=True)
    )
    failed = sum(m.failed for m in slices)
    return f"{name:24}{rate:9.0f}{p50:9.1f}{p99:9.1f}{failed:8}"


if __name__ == "__main__":
    print(table(measure(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)))
