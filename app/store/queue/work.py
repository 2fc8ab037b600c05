"""Work: twin pairs that need another look, by the rules of the Kubernetes work queue.

An event raises a pair's generation. A claim takes pairs under a lease and a fencing number. A pair
whose generation was raised meanwhile stays dirty when its claim is settled. A claim empties
`causes` and `look` in the row, so a pair whose lease ran out is looked at whole the next time.

A claim whose lease ran out is lost: its process ended, and perhaps one of its pairs was the cause.
`lost` counts such claims until a look at the pair ends. A pair that was lost once is claimed with
few others, one that was lost twice alone, and after the third time it is not looked at any more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.store.pool import Connection, Row
from app.store.queue.due_work import CLAIM

# A fifth of each claim is bulk when bulk waits: neither starves the other (ARCHITECTURE.md).
BULK_SHARE = 5
# This many claims of a pair may be lost; then the pair is parked.
MOST_LOST = 3
# The part of a claim's size in which pairs that were lost once are tried.
COMPANY = 10


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something is done: `webhook`, `poll`, `resync`, `twin`, `plan`, `confirm`."""

    kind: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One pair under our lease. Without `look`, the inbox rows in `causes` are all that happened.
    The row must still have this `fence` when we commit anything for it. `lost` counts the claims of
    the pair whose process ended, since a look at it ended last."""

    connection_id: int
    twin_id: int
    generation: int
    fence: int
    look: bool
    causes: tuple[int, ...]
    cause: Cause
    tries: int
    bulk: bool
    dirty_since: datetime
    lost: int = 0


@dataclass(slots=True)
class Tally:
    """What a look did for one pair; a resync adds these up."""

    created: int = 0
    removed: int = 0
    held: int = 0
    skipped: int = 0
    failed: int = 0

    @classmethod
    def total(cls, tallies: Iterable["Tally"]) -> "Tally":
        total = cls()
        for it in tallies:
            total.created += it.created
            total.removed += it.removed
            total.held += it.held
            total.skipped += it.skipped
            total.failed += it.failed
        return total


@dataclass(slots=True)
class Settlement:
    """How a look at one pair ended.

    `again` (seconds) asks for another try; `waiting` says what is not known, for people;
    `failure` gives up until something changes. None of them: the pair is done.
    """

    claimed: Claimed
    tally: Tally = field(default_factory=Tally)
    again: float | None = None
    keep_causes: bool = False
    count_try: bool = True
    waiting: str | None = None
    failure: str | None = None


async def raise_pairs(
    conn: Connection,
    connection_id: int,
    twin_ids: Sequence[int],
    *,
    cause: Cause,
    now: datetime,
    bulk: bool = False,
) -> dict[int, int]:
    """Ask for a whole look at these pairs; answers their new generations. A pair that is
    already waiting for a live look stays live."""
    rows = await conn.fetch(
        """
        INSERT INTO work AS w (connection_id, twin_id, look, bulk, cause_kind, cause_id,
                               dirty_since, due_at)
        SELECT $1, id, true, $5, $3, $4, $6, $6 FROM twins
        WHERE connection_id = $1 AND id = ANY($2::bigint[]) ORDER BY id
        -- One that is being unpaired in this moment is waited for, and then left out.
        FOR KEY SHARE
        ON CONFLICT (connection_id, twin_id) DO UPDATE SET
            generation = w.generation + 1, look = true, tries = 0, waiting = NULL,
            failure = NULL, failed_at = NULL,
            bulk = excluded.bulk AND (w.bulk OR w.generation = w.done),
            cause_kind = excluded.cause_kind, cause_id = excluded.cause_id,
            due_at = LEAST(excluded.due_at, CASE WHEN w.generation > w.done THEN w.due_at
                                            ELSE excluded.due_at END),
            dirty_since = CASE WHEN w.generation > w.done THEN w.dirty_since
                               ELSE excluded.dirty_since END
        RETURNING twin_id, generation
        """,
        connection_id,
        list(twin_ids),
        cause.kind,
        cause.id,
        bulk,
        now,
    )
    return {row["twin_id"]: row["generation"] for row in rows}


_BULK_GATE = 0x7477696E6C696E6B
"""An advisory lock's number; no other statement of ours takes it."""


async def claim(
    conn: Connection, *, now: datetime, size: int, lease: float, lost: bool = True
) -> list[Claimed]:
    """Take up to *size* due pairs for *lease* seconds, live ones before bulk. Pairs with lost
    claims come first and are claimed apart from the others; with *lost* false they are left out."""
    rows = await conn.fetch(
        CLAIM,
        now,
        size,
        size // BULK_SHARE,
        now + timedelta(seconds=lease),
        _BULK_GATE,
        lost,
        max(1, size // COMPANY),
    )
    return [_claimed(row) for row in rows]


_SETTLE = """
    WITH u AS (
        SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bool[],
            $7::bool[], $8::bool[], $9::bool[], $10::text[], $11::float8[], $12::text[],
            $13::text[], $14::int[])
            u (connection_id, twin_id, generation, fence, ended, again, whole, count_try, causes,
               delay, waiting, failure, lost)),
    outlived AS (
        -- Our lease ran out, and still the look ended here: this pair ends no process.
        UPDATE work w SET lost = 0, failure = NULL, failed_at = NULL FROM u
        WHERE w.connection_id = u.connection_id AND w.twin_id = u.twin_id AND w.fence > u.fence
          AND w.lost > 0)
    UPDATE work w SET
        lease_until = NULL,
        lost = u.lost,
        done = CASE WHEN u.ended THEN u.generation ELSE w.done END,
        -- What is not known or failed is looked at whole by whatever comes next.
        look = w.look OR (u.again AND u.whole) OR u.waiting IS NOT NULL OR u.failure IS NOT NULL,
        -- Kept also for a whole look: they name links that a listing may not show yet.
        causes = CASE WHEN u.again THEN u.causes::bigint[] || w.causes ELSE w.causes END,
        tries = CASE WHEN w.generation > u.generation OR NOT u.again THEN 0
                     WHEN u.count_try THEN w.tries + 1 ELSE w.tries END,
        due_at = CASE WHEN w.generation > u.generation OR NOT u.again THEN w.due_at
                      ELSE $1::timestamptz + make_interval(secs => u.delay) END,
        dirty_since = CASE WHEN u.ended AND w.generation > u.generation THEN $1::timestamptz
                           ELSE w.dirty_since END,
        bulk = w.bulk AND NOT (u.ended AND w.generation = u.generation),
        waiting = CASE WHEN w.generation > u.generation THEN NULL ELSE u.waiting END,
        failure = CASE WHEN w.generation > u.generation THEN NULL ELSE u.failure END,
        failed_at = CASE WHEN w.generation > u.generation OR u.failure IS NULL THEN NULL
                         ELSE $1 END,
        -- A pair that ended well has no cause that a person knows of: the next failure shows.
        dismissed_failure = CASE WHEN u.ended THEN NULL ELSE w.dismissed_failure END
    FROM u
    WHERE w.connection_id = u.connection_id AND w.twin_id = u.twin_id AND w.fence = u.fence
      AND w.lease_until IS NOT NULL
    RETURNING w.twin_id, w.generation > w.done AND w.failed_at IS NULL AS dirty
"""

# A resync's pair is done when a look that began at its generation or later has ended.
_COUNT = """
    WITH ended AS (
        DELETE FROM resync_pairs p
        USING unnest($1::bigint[], $2::bigint[], $3::int[], $4::int[], $5::int[], $6::int[],
                     $7::int[]) u (twin_id, generation, created, removed, held, skipped, failed)
        WHERE p.twin_id = u.twin_id AND p.generation <= u.generation
        RETURNING p.resync_id, u.created, u.removed, u.held, u.skipped, u.failed),
    locked AS (
        -- In one order everywhere: work rows first, then resyncs by id.
        SELECT id FROM resyncs WHERE id IN (SELECT resync_id FROM ended) ORDER BY id FOR UPDATE),
    sums AS (
        SELECT resync_id, count(*) AS done, sum(created) AS created, sum(removed) AS removed,
               sum(held) AS held, sum(skipped) AS skipped, sum(failed) AS failed
        FROM ended GROUP BY resync_id)
    UPDATE resyncs r SET issues_done = r.issues_done + s.done, created = r.created + s.created,
        removed = r.removed + s.removed, held = r.held + s.held,
        skipped = r.skipped + s.skipped, failed = r.failed + s.failed
    FROM sums s JOIN locked l ON l.id = s.resync_id WHERE r.id = s.resync_id
"""


async def settle(conn: Connection, settlements: Sequence[Settlement], *, now: datetime) -> int:
    """End our claims. A row that another worker has claimed since, or that is settled already, is
    left alone. Events since the claim (a higher generation) keep the pair dirty. Answers how many
    of our pairs are still dirty. Run in a transaction."""
    if not settlements:
        return 0
    # In key order, as ingest does: rows locked in any other order deadlock with it.
    await conn.execute(
        """SELECT 1 FROM unnest($1::bigint[], $2::bigint[]) u (connection_id, twin_id)
           JOIN work w USING (connection_id, twin_id)
           ORDER BY w.connection_id, w.twin_id FOR UPDATE OF w""",
        [s.claimed.connection_id for s in settlements],
        [s.claimed.twin_id for s in settlements],
    )
    rows = await conn.fetch(
        _SETTLE,
        now,
        [s.claimed.connection_id for s in settlements],
        [s.claimed.twin_id for s in settlements],
        [s.claimed.generation for s in settlements],
        [s.claimed.fence for s in settlements],
        [s.again is None and s.failure is None for s in settlements],
        [s.again is not None for s in settlements],
        [s.claimed.look or not s.keep_causes for s in settlements],
        [s.count_try for s in settlements],
        ["{" + ",".join(map(str, s.claimed.causes)) + "}" for s in settlements],
        [s.again or 0.0 for s in settlements],
        [s.waiting for s in settlements],
        [s.failure for s in settlements],
        # A parked pair is tried alone when something changes, and parked again if it is lost.
        [MOST_LOST - 1 if s.claimed.lost >= MOST_LOST else 0 for s in settlements],
    )
    ours = {row["twin_id"] for row in rows}
    over = [s for s in settlements if s.again is None and s.claimed.twin_id in ours]
    await conn.execute(
        _COUNT,
        [s.claimed.twin_id for s in over],
        [s.claimed.generation for s in over],
        [s.tally.created for s in over],
        [s.tally.removed for s in over],
        [s.tally.held for s in over],
        [s.tally.skipped for s in over],
        [s.tally.failed + int(s.failure is not None) for s in over],
    )
    return sum(row["dirty"] for row in rows)


async def held_fences(
    conn: Connection, connection_id: int, pairs: Sequence[tuple[int, int]], now: datetime
) -> set[int]:
    """The twins among (twin, fence) whose claim is still valid, by this clock."""
    rows = await conn.fetch(
        """
        SELECT w.twin_id FROM unnest($2::bigint[], $3::bigint[]) u (twin_id, fence)
        JOIN work w ON w.connection_id = $1 AND w.twin_id = u.twin_id AND w.fence = u.fence
        WHERE w.lease_until > $4
        """,
        connection_id,
        [twin for twin, _ in pairs],
        [fence for _, fence in pairs],
        now,
    )
    return {row["twin_id"] for row in rows}


def _claimed(row: Row) -> Claimed:
    return Claimed(
        connection_id=row["connection_id"],
        twin_id=row["twin_id"],
        generation=row["generation"],
        fence=row["fence"],
        look=row["whole"],
        causes=tuple(row["taken"]),
        cause=Cause(row["cause_kind"], row["cause_id"]),
        tries=row["tries"],
        bulk=row["bulk"],
        dirty_since=row["dirty_since"],
        lost=row["lost"],
    )
