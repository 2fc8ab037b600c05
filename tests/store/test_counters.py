"""What is kept counted is what a count would find, and costs no more the longer a history is."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.core.guard import DAY, HOUR
from app.store.guard import counts
from app.store.views import figures, status
from tests.store.growth import counted
from tests.support.servers import Database

NOW = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)
Conn = asyncpg.pool.PoolConnectionProxy

_BASE = """
INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed, webhook_secret_sealed)
    SELECT n, 'https://' || n || '.example.net', 'cloud', 'bearer', '', '' FROM
    unnest(ARRAY['left', 'right']) n;
INSERT INTO connections (name, left_site_id, right_site_id, revision)
    VALUES ('ab', 1, 2, 1), ('cd', 1, 2, 1);
"""
_LINKS = """
INSERT INTO ledger (connection_id, left_type_id, right_type_id, source_twin_id, destination_twin_id,
    left_source_id, left_source_key, left_destination_id, left_destination_key, right_source_id,
    right_source_key, right_destination_id, right_destination_key, origin, state, authorship,
    left_link_id, right_link_id, mirror_site_id, mirror_type_id, mirror_source_id,
    mirror_destination_id)
SELECT 1 + i % 2, 1, 1, i, i + 1, i, 'A-' || i, i + 1, 'A-' || i + 1, i, 'B-' || i, i + 1,
    'B-' || i + 1, 'left', (ARRAY['managed', 'preexisting', 'managed', 'detached'])[1 + i % 4],
    'ours', i, i, 2, 1, i, i + 1
FROM generate_series($1::int, $2::int) i"""
_INTENTS = """
INSERT INTO intents (connection_id, site_id, operation, type_id, source_id, source_key,
    destination_id, destination_key, key_source_id, key_destination_id, link_id, left_type_id,
    right_type_id, source_twin_id, destination_twin_id, origin, origin_source_id, origin_source_key,
    origin_destination_id, origin_destination_key, guarded, cause_kind, cause_id, revision, state,
    created_at, send_before, confirm_after)
SELECT 1 + i % 2, 2, CASE WHEN i % 50 = 0 THEN 'remove' ELSE 'create' END, 1, i, 'B-' || i, i + 1,
    'B-' || i + 1, i, i + 1, i, 1, 1, i, i + 1, 'left', i, 'A-' || i, i + 1, 'A-' || i + 1,
    i % 50 = 0, 'webhook', '', 1, 'open', $3::timestamptz - (i / 10.0) * interval '1 second', $3, $3
FROM generate_series($1::int, $2::int) i"""
_COUNTED = """
SELECT count(*) FILTER (WHERE operation = 'create' AND state = 'applied') AS created,
    count(*) FILTER (WHERE operation = 'remove' AND state = 'applied') AS removed,
    count(*) FILTER (WHERE operation = 'remove' AND guarded
        AND (state <> 'failed' OR outcome LIKE 'confirmed%')) AS used,
    (SELECT count(*) FROM ledger WHERE connection_id = $1 AND state = 'managed') AS managed
FROM intents WHERE connection_id = $1 AND created_at > $2"""


@dataclass(frozen=True)
class Guarded:
    id: int
    guard_reset_at: datetime = NOW - timedelta(days=9)


@pytest.fixture
async def conn(database: Database) -> AsyncIterator[Conn]:
    made = await asyncpg.create_pool(database.run_url, min_size=1, max_size=1)
    async with made, made.acquire() as it:
        await it.execute(_BASE)
        yield it


async def _agree(conn: Conn, now: datetime = NOW) -> None:
    found = await counts.of_windows(conn, [Guarded(1), Guarded(2)], now)
    for connection_id, windows in found.items():
        for window, seconds in zip(windows, (HOUR, DAY), strict=True):
            row = await conn.fetchrow(_COUNTED, connection_id, now - timedelta(seconds=seconds))
            assert row is not None
            assert (window.created, window.removed) == (row["created"], row["removed"])
            assert (window.used, window.managed) == (row["used"], row["managed"])
    rows = await conn.fetch(
        """SELECT c.name, l.state, count(*) AS n FROM ledger l
           JOIN connections c ON c.id = l.connection_id GROUP BY 1, 2"""
    )
    shown = await figures.links(conn)
    assert shown == {(row["name"], row["state"]): row["n"] for row in rows}


async def _change(conn: Conn, dice: random.Random) -> None:
    """As writes do: some rows at a time, each from any state to any."""
    those = dice.sample(range(1, 400), dice.randint(1, 40))
    match dice.randrange(6):
        case 0:
            state = dice.choice(["managed", "detached", "preexisting", "released", "suspended"])
            await conn.execute(
                "UPDATE ledger SET state = $2, former = NULL WHERE source_twin_id = ANY($1)",
                those,
                state,
            )
        case 1:
            await conn.execute("DELETE FROM ledger WHERE source_twin_id = ANY($1)", those[:3])
        case 2:
            await conn.execute(
                """UPDATE ledger SET connection_id = 3 - connection_id
                   WHERE source_twin_id = ANY($1)""",
                those[:3],
            )
        case _:
            state = dice.choice(["applied", "applied", "noop", "failed"])
            await conn.execute(
                """UPDATE intents SET state = $2, closed_at = $3, outcome = 'told'
                   WHERE source_twin_id = ANY($1)""",
                those,
                state,
                NOW,
            )


@pytest.mark.parametrize("seed", range(3))
async def test_counters_are_what_a_count_finds(conn: Conn, seed: int) -> None:
    dice = random.Random(seed)
    await conn.execute(_LINKS, 1, 400)
    # Half an hour at the edge of the hour's window, and the rest of a day.
    await conn.execute(_INTENTS, 1, 400, NOW - timedelta(minutes=59, seconds=40))
    await conn.execute(_INTENTS, 401, 500, NOW - timedelta(hours=23, minutes=59, seconds=55))
    await _agree(conn)
    for _ in range(60):
        await _change(conn, dice)
    await _agree(conn)
    for seconds in (1, 29, 31, 60, 90):
        await _agree(conn, NOW + timedelta(seconds=seconds))


async def test_windows_read_a_minute_not_a_day(conn: Conn) -> None:
    await conn.execute(_LINKS, 1, 4000)
    await conn.execute(_INTENTS, 1, 40_000, NOW)
    await conn.execute("UPDATE intents SET state = 'applied', closed_at = $1", NOW)
    used = await conn.fetchval(
        "SELECT count(*) FROM intents WHERE guarded AND created_at > $1", NOW - timedelta(days=1)
    )
    async with counted(conn) as reads:
        found = await counts.of_windows(conn, [Guarded(1), Guarded(2)], NOW)
    assert found[2][1].created > 19_000
    # Removals that count in a window are few by its limit; here as many as there are, in two.
    assert reads.rows <= 2 * used + 3000, reads.rows


async def test_status_reads_what_there_is_to_say(conn: Conn, migrate_url: str) -> None:
    await conn.execute(
        """INSERT INTO twins (connection_id, left_site_id, left_issue_id, left_key, right_site_id,
               right_issue_id, right_key, source)
           SELECT 1, 1, i, 'A-' || i, 2, i, 'B-' || i, 'api' FROM generate_series(1, 10000) i"""
    )
    await conn.execute(
        """INSERT INTO work (connection_id, twin_id, look, bulk, cause_kind, generation, done,
               dirty_since, due_at, lease_until, waiting, failure, failed_at, dismissed_failure)
           SELECT 1, i, true, i % 2 = 0, 'webhook', 5, CASE WHEN i % 500 = 0 THEN 4 ELSE 5 END,
               $1::timestamptz - i * interval '1 s', $1::timestamptz + (i - 4000) * interval '1 s',
               CASE WHEN i % 1000 = 0 THEN $1::timestamptz + interval '1 s' END,
               CASE WHEN i % 300 = 0 THEN 'unknown:x' WHEN i % 301 = 0 THEN 'site:y' END,
               CASE WHEN i % 700 = 0 THEN 'f' END, CASE WHEN i % 700 = 0 THEN $1::timestamptz END,
               CASE WHEN i % 1400 = 0 THEN 'f' END
           FROM generate_series(1, 10000) i""",
        NOW,
    )
    owner = await asyncpg.connect(migrate_url)
    await owner.execute("ANALYZE work, twins")
    await owner.close()
    async with counted(conn) as reads:
        load = await status.of_connection(conn, 1, NOW)
    row = await conn.fetchrow(_LOAD, NOW)
    assert row is not None
    assert {name: getattr(load, name) for name in row.keys()} == dict(row)  # noqa: SIM118
    assert load.backlog
    assert load.delayed
    assert load.in_flight
    assert reads.rows <= 200, reads.rows


_LOAD = """
SELECT count(*) FILTER (WHERE dirty AND NOT leased AND due_at <= $1) AS backlog,
    count(*) FILTER (WHERE leased) AS in_flight,
    count(*) FILTER (WHERE dirty AND NOT leased AND due_at > $1) AS delayed,
    count(*) FILTER (WHERE waiting IS NOT NULL) AS waiting,
    count(*) FILTER (WHERE waiting LIKE 'unknown:%') AS unknown,
    count(*) FILTER (WHERE failed_at IS NOT NULL AND NOT dismissed) AS failed,
    count(*) FILTER (WHERE failed_at IS NOT NULL AND dismissed) AS dismissed,
    extract(epoch FROM $1 - min(dirty_since) FILTER (WHERE dirty))::float8 AS oldest_seconds
FROM (SELECT due_at, dirty_since, waiting, failed_at,
             coalesce(dismissed_failure = failure, false) AS dismissed,
             generation > done AND failed_at IS NULL AS dirty,
             coalesce(lease_until > $1, false) AND generation > done AND failed_at IS NULL AS leased
      FROM work WHERE connection_id = 1) pairs"""
