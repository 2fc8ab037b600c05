"""Store deliveries and the work that they raise, in one statement and so in one transaction.

Rows are locked in key order (inbox, then work, then discoveries): two batches that lock the same
rows in different orders would deadlock.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import asyncpg

from app.core.errors import PermanentError, TransientError
from app.store.pool import Connection

Kind = Literal["link_created", "link_deleted", "issue_created", "issue_updated", "issue_deleted"]
Key = tuple[int, str]
"""Site and delivery identify an event, however often it arrives."""

MOST_CAUSES = 50
"""Above this many link events, reading the pair is cheaper than judging each event."""

_SECONDS = 10.0
"""Our time limit: Jira stops waiting for an answer after about 20 s."""


class Arrival(NamedTuple):
    """One delivery as it is stored: metadata, validated (ids within bigint, text without NUL).

    `issue_id` is that of an issue event; link events have source and destination.
    `fields` are the parser's words for what changed. `project` limits discovery, where known.
    `digest` is of the whole body: another delivery of the site with the same one is the same
    event. None where two events may have the same body.
    """

    site_id: int
    delivery: str
    kind: Kind
    occurred_at: datetime | None = None
    issue_id: int | None = None
    link_id: int | None = None
    type_id: int | None = None
    source_id: int | None = None
    destination_id: int | None = None
    digest: bytes | None = None
    fields: tuple[str, ...] = ()
    project: str | None = None

    @property
    def key(self) -> Key:
        return (self.site_id, self.delivery)


class Ingested(NamedTuple):
    """`known` deliveries were stored before; the others are new. `raised`: work waits."""

    known: frozenset[Key]
    raised: bool


class Conflict(TransientError):
    """A conflict with another transaction (a deadlock, a twin deleted meanwhile): try again."""


_INGEST = """
WITH arrived AS (
    SELECT *
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[],
                $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[],
                $11::text[], $12::text[])
        WITH ORDINALITY AS a (site_id, delivery, kind, occurred_at, issue_id, link_id, type_id,
                              source_id, destination_id, digest, fields, project, place)
),
stored AS (
    INSERT INTO inbox (site_id, delivery, kind, received_at, occurred_at, issue_id,
                       link_id, type_id, source_id, destination_id, digest, fields)
    SELECT site_id, delivery, kind, $13, occurred_at, issue_id,
           link_id, type_id, source_id, destination_id, digest, string_to_array(fields, ' ')
    FROM arrived
    ORDER BY site_id, delivery
    -- Known by its identifier, which nothing signs, or by its body.
    ON CONFLICT DO NOTHING
    RETURNING id, site_id, delivery, kind, issue_id, source_id, destination_id, fields
),
-- Only what is new raises anything: one row per issue that it names. A custom field matters only
-- where a connection pairs by it ('custom': Jira did not say which one changed).
named AS (
    SELECT s.id, s.delivery, s.site_id, issue.id AS issue_id, s.fields,
           s.kind IN ('link_created', 'link_deleted') AS judged_later,
           s.kind <> 'issue_updated' OR s.fields && '{link,key,project,security}' AS certain
    FROM stored s
    CROSS JOIN LATERAL (VALUES (s.issue_id), (s.source_id), (s.destination_id)) AS issue (id)
    WHERE issue.id IS NOT NULL
),
touched AS (
    SELECT t.connection_id, t.id AS twin_id, 'left' AS side, n.*
    FROM named n JOIN twins t ON t.left_site_id = n.site_id AND t.left_issue_id = n.issue_id
    UNION ALL
    SELECT t.connection_id, t.id, 'right', n.*
    FROM named n JOIN twins t ON t.right_site_id = n.site_id AND t.right_issue_id = n.issue_id
),
-- One row per pair: a burst is one look. Aggregated here, as an upsert may meet a row only once.
pairs AS (
    SELECT t.connection_id, t.twin_id,
           bool_or(NOT t.judged_later) AS look,
           coalesce(array_agg(DISTINCT t.id) FILTER (WHERE t.judged_later), '{}') AS causes,
           (array_agg(t.delivery ORDER BY t.id DESC))[1] AS delivery
    FROM touched t JOIN connections c ON c.id = t.connection_id AND c.deleted_at IS NULL
    WHERE t.certain OR EXISTS (
        SELECT FROM revisions r
        WHERE r.connection_id = c.id AND r.revision = c.revision
          AND r.config -> 'twins' ->> 'source' = 'field'
          AND r.config -> 'twins' ->> 'side' = t.side
          AND t.fields && ARRAY[r.config -> 'twins' ->> 'field', 'custom'])
    GROUP BY t.connection_id, t.twin_id
),
raised AS (
    INSERT INTO work AS w (connection_id, twin_id, look, causes, cause_kind, cause_id,
                           dirty_since, due_at)
    SELECT connection_id, twin_id,
           look OR cardinality(causes) > $14,
           CASE WHEN cardinality(causes) > $14 THEN '{}' ELSE causes END,
           'webhook', delivery, $13, $13
    FROM pairs
    ORDER BY connection_id, twin_id
    ON CONFLICT (connection_id, twin_id) DO UPDATE SET
        generation = w.generation + 1,
        dirty_since = CASE WHEN w.generation > w.done THEN w.dirty_since ELSE $13 END,
        -- A pair that is due keeps its place, else a busy one would never have its turn.
        due_at = CASE WHEN w.generation > w.done THEN least(w.due_at, $13) ELSE $13 END,
        -- What the last look did not learn has to be read, whatever this event names.
        look = w.look OR excluded.look OR w.waiting IS NOT NULL OR w.failed_at IS NOT NULL
            OR cardinality(w.causes) + cardinality(excluded.causes) > $14,
        causes = CASE WHEN cardinality(w.causes) + cardinality(excluded.causes) > $14
            THEN '{}' ELSE w.causes || excluded.causes END,
        bulk = false, cause_kind = 'webhook', cause_id = excluded.cause_id,
        tries = 0, waiting = NULL, failure = NULL, failed_at = NULL
    RETURNING 1
),
-- Issues that have or had no  their twin field may pair them now.
found AS (
    SELECT c.id AS connection_id, r.config -> 'twins' ->> 'side' AS side, s.issue_id,
           (array_agg(s.delivery ORDER BY s.id DESC))[1] AS delivery
    FROM stored s
    JOIN arrived a ON a.site_id = s.site_id AND a.delivery = s.delivery
    JOIN connections c ON s.site_id IN (c.left_site_id, c.right_site_id) AND c.deleted_at IS NULL
    JOIN revisions r ON r.connection_id = c.id AND r.revision = c.revision
    WHERE s.kind IN ('issue_created', 'issue_updated')
      AND r.config -> 'twins' ->> 'source' = 'field'
      AND s.site_id = CASE r.config -> 'twins' ->> 'side'
          WHEN 'left' THEN c.left_site_id ELSE c.right_site_id END
      AND (s.kind = 'issue_created' OR s.fields && '{key,project}'
           OR s.fields && ARRAY[r.config -> 'twins' ->> 'field', 'custom'])
      AND (a.project IS NULL
           OR r.config -> (r.config -> 'twins' ->> 'side') -> 'projects' ? a.project
           OR EXISTS (SELECT FROM project_pins p WHERE p.connection_id = c.id
                      AND p.side = r.config -> 'twins' ->> 'side' AND p.key = a.project))
    GROUP BY c.id, r.config -> 'twins' ->> 'side', s.issue_id
),
discovered AS (
    INSERT INTO discoveries AS d (connection_id, side, issue_id, cause, due_at, created_at)
    SELECT connection_id, side, issue_id, delivery, $13, $13
    FROM found
    ORDER BY connection_id, side, issue_id
    ON CONFLICT (connection_id, side, issue_id) DO UPDATE SET
        generation = d.generation + 1, cause = excluded.cause, tries = 0,
        due_at = least(d.due_at, $13)
    RETURNING 1
)
SELECT EXISTS (SELECT FROM raised) OR EXISTS (SELECT FROM discovered) AS raised,
       ARRAY(SELECT place FROM arrived a WHERE NOT EXISTS (
           SELECT FROM stored s WHERE s.site_id = a.site_id AND s.delivery = a.delivery)) AS known
"""


async def ingest(conn: Connection, arrivals: Sequence[Arrival], *, now: datetime) -> Ingested:
    """Store *arrivals* (keys distinct) and raise what they name, all or nothing.

    Errors: `Conflict` for a second try; `PermanentError("delivery_unstorable")` if one of
    them cannot be stored at all. When PostgreSQL is away, what `Database` makes of it.
    """
    try:
        row = await conn.fetchrow(_INGEST, *_columns(arrivals), now, MOST_CAUSES, timeout=_SECONDS)
    except (asyncpg.TransactionRollbackError, asyncpg.ForeignKeyViolationError) as error:
        raise Conflict("ingest_conflict", type(error).__name__) from error
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError) as error:
        raise PermanentError("delivery_unstorable", type(error).__name__) from error
    assert row is not None
    return Ingested(frozenset(arrivals[place - 1].key for place in row["known"]), row["raised"])


def _columns(rows: Sequence[Arrival]) -> Iterable[Sequence[object]]:
    """One typed array per column, in the order of the statement's parameters."""
    *columns, fields, projects = zip(*rows, strict=True)
    # unnest splits only one level of arrays; the words contain no space.
    return (*columns, [" ".join(words) for words in fields], projects)
