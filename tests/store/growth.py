"""A database with a long history, filled by `generate_series`, and what a call reads of it.

Counts are the evidence: how many rows the statements of one transaction touched, as PostgreSQL
itself counts them. A plan that is fast on a small table and reads all of a large one shows here
at once, whatever the machine.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from tests.support.servers import Database, Servers, database_url

TWINS = 20_000
AUDIT = 60_000
"""Rows of history: far beyond what any of these calls may read."""


def history(twins: int, audit: int) -> str:
    """Two connections over two sites with so many twins, as many links, and so many rows of the
    audit and deliveries. Twenty links are orphaned however long it is: what rests now is state, and
    the statement that looks for most of a project at rest costs some 35 blocks for each of it."""
    return _FILL.replace("{TWINS}", str(twins)).replace("{AUDIT}", str(audit))


_FILL = """
INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed, webhook_secret_sealed)
    SELECT n, 'https://' || n || '.example.net', 'cloud', 'bearer', '', '' FROM
    unnest(ARRAY['left', 'right']) n;
INSERT INTO connections (name, left_site_id, right_site_id, revision)
    VALUES ('ab', 1, 2, 1), ('cd', 1, 2, 1);
INSERT INTO revisions (connection_id, revision, config, author)
    VALUES (1, 1, '{}', 'test'), (2, 1, '{}', 'test');
INSERT INTO twins (connection_id, left_site_id, left_issue_id, left_key,
                   right_site_id, right_issue_id, right_key, source)
    SELECT 1 + i % 2, 1, 10000 + i, 'A-' || i, 2, 10000 + i, 'B-' || i, 'api'
    FROM generate_series(1, {TWINS}) i;
INSERT INTO audit (connection_id, seq, at, connection, site, operation, status, link_id, type_id,
        type, source_id, source_key, destination_id, destination_key, managed, cause_kind,
        cause_id, intent_id, revision, engine, evidence, actor, prev_hash, hash)
    SELECT 1 + i % 2, i, now() - i * interval '1 minute', (ARRAY['ab', 'cd'])[1 + i % 2],
        (ARRAY['left', 'right'])[1 + i % 2],
        CASE WHEN i % 2000 = 1 THEN 'adopt' WHEN i / 2 % 2 = 0 THEN 'create' ELSE 'remove' END,
        CASE WHEN i % 1000 = 0 THEN 'failed' WHEN i % 1000 = 3 THEN 'noop' ELSE 'applied' END,
        i, 1, 'Blocks',
        10000 + i % {TWINS}, (ARRAY['A-', 'B-'])[1 + i % 2] || i % {TWINS},
        10001 + i % {TWINS}, (ARRAY['A-', 'B-'])[1 + i % 2] || (i % {TWINS} + 1), true,
        'webhook', (i % 5000)::text, i, 1, 'twinlink/test', '{}', 'test', '', ''
    FROM generate_series(1, {AUDIT}) i;
INSERT INTO ledger (connection_id, left_type_id, right_type_id, source_twin_id, destination_twin_id,
        left_source_id, left_source_key, left_destination_id, left_destination_key, right_source_id,
        right_source_key, right_destination_id, right_destination_key, origin, state, authorship,
        left_link_id, right_link_id, mirror_site_id, mirror_type_id, mirror_source_id,
        mirror_destination_id)
    SELECT 1 + i % 2, 1 + i / 2 % 2, 1 + i / 2 % 2, i, i + 2, 10000 + i, 'A-' || i, 10002 + i,
        'A-' || i + 2, 10000 + i, 'B-' || i, 10002 + i, 'B-' || i + 2, 'left',
        CASE WHEN i % ({TWINS} / 20) = 1 THEN 'orphaned' WHEN i % 50 = 1 THEN 'released'
             WHEN i % 3 = 0 THEN 'preexisting' ELSE 'managed' END,
        'ours', i, i, 2, 1, 10000 + i, 10002 + i
    FROM generate_series(1, {TWINS}) i;
INSERT INTO link_types (site_id, type_id, name, inward, outward)
    VALUES (1, 1, 'Blocks', 'i', 'o'), (1, 2, 'Relates', 'i', 'o'), (2, 1, 'Blocks', 'i', 'o'),
           (2, 2, 'Relates', 'i', 'o');
INSERT INTO inbox (site_id, delivery, kind, received_at, issue_id)
    SELECT 1 + i % 2, 'd' || i, CASE WHEN i % 5000 = 0 THEN 'issue_deleted'
               WHEN i % 4 = 0 THEN 'link_deleted' ELSE 'link_created' END,
        now() - ({AUDIT} - i) * interval '20 seconds', i
    FROM generate_series(1, {AUDIT}) i;
INSERT INTO plans (connection_id, kind, status, revision)
    SELECT 1 + n % 2, 'removals', CASE WHEN n > 2 THEN 'applied' ELSE 'held' END, 1
    FROM generate_series(1, {TWINS} / 100) n;
INSERT INTO plan_changes (plan_id, operation, site_id, type_id, source_id, source_key,
        destination_id, destination_key, left_type_id, source_twin_id, destination_twin_id, reason,
        result)
    SELECT 1 + i % ({TWINS} / 100), 'remove', 2, 1, i, 'B-' || i, i + 2, 'B-' || i + 2, 1, i, i + 2,
        'guard_hour', CASE WHEN i % ({TWINS} / 100) > 1 THEN 'applied:gone' END
    FROM generate_series(1, {TWINS}) i;
INSERT INTO work (connection_id, twin_id, look, bulk, cause_kind, generation, done, due_at,
        waiting, failure, failed_at)
    SELECT connection_id, id, true, id % 3 = 0, 'webhook', 2,
        CASE WHEN id % 1000 = 0 THEN 1 ELSE 2 END,
        now() - id * interval '1 second', CASE WHEN id % 700 = 0 THEN 'unknown:x' END,
        CASE WHEN id % 900 = 0 THEN 'f' END, CASE WHEN id % 900 = 0 THEN now() END
    FROM twins;
INSERT INTO intents (connection_id, site_id, operation, type_id, source_id, source_key,
        destination_id, destination_key, key_source_id, key_destination_id, link_id, left_type_id,
        right_type_id, source_twin_id, destination_twin_id, origin, origin_source_id,
        origin_source_key, origin_destination_id, origin_destination_key, guarded, cause_kind,
        cause_id, revision, state, created_at, send_before, confirm_after, closed_at)
    SELECT 1 + i % 2, 2, CASE WHEN i % 100 = 0 THEN 'remove' ELSE 'create' END, 1, i, 'B-' || i,
        i + 1, 'B-' || i + 1, i, i + 1, i, 1, 1, i, i + 2, 'left', i, 'A-' || i, i + 1,
        'A-' || i + 1, i % 100 = 0, 'webhook', '', 1, 'applied', now() - i * interval '1 minute',
        now(), now(), now()
    FROM generate_series(1, {TWINS}) i;
INSERT INTO link_counts (connection_id, state, links)
    SELECT connection_id, state, count(*) FROM ledger GROUP BY 1, 2;
INSERT INTO write_minutes (connection_id, minute, created, removed)
    SELECT connection_id, date_trunc('minute', created_at, 'UTC'),
        count(*) FILTER (WHERE operation = 'create'), count(*) FILTER (WHERE operation = 'remove')
    FROM intents GROUP BY 1, 2;
INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed, webhook_secret_sealed)
    VALUES ('quiet', 'https://quiet.example.net', 'cloud', 'bearer', '', '');
ANALYZE;
"""
_READ = """
    SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
    WHERE relname IN ('audit', 'twins', 'inbox', 'work', 'ledger', 'discoveries', 'intents')"""


@dataclass
class Reads:
    """Rows that the statements of one transaction read, over all tables of history."""

    rows: int = 0


async def fill(servers: Servers, database: Database) -> None:
    await fill_unchecked(servers, database, history(TWINS, AUDIT))


async def fill_unchecked(servers: Servers, database: Database, text: str) -> None:
    """Without looking up what each foreign key names: most of the time that filling takes."""
    conn = await asyncpg.connect(database_url(servers.postgres, database.name))
    try:
        await conn.execute(f"SET session_replication_role = replica; {text}")
    finally:
        await conn.close()


@asynccontextmanager
async def counted(conn: asyncpg.pool.PoolConnectionProxy) -> AsyncIterator[Reads]:
    """What is done inside, counted; nothing of it is kept."""
    reads = Reads()
    transaction = conn.transaction()
    await transaction.start()
    try:
        await conn.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        # What this session did just before may still be counted with it.
        before = await conn.fetchval(_READ)
        yield reads
        reads.rows = await conn.fetchval(_READ) - before
    finally:
        await transaction.rollback()
