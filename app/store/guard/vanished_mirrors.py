"""Our mirrors that others removed: counted in the guard's windows, or withheld.

Take the connection's lock first, and its sites' before that where slots are given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.ledger import LinkKey
from app.core.links import IssueRef, LinkId, TypeId
from app.core.plan import GATHER_SECONDS
from app.store.pool import Connection, Row
from app.store.writes.intents import Mirror

REASON = "mirrors_vanished"
"""Reason of plans that would put them back; the guard is not armed before these are decided."""
GATHER = timedelta(seconds=GATHER_SECONDS)
# Wait after a plan that could not be made or was not decided; there is no hurry.
AGAIN = timedelta(hours=1)
# No plan that a person can still decide holds it.
_UNPLANNED = """v.counted_at IS NULL AND (v.plan_id IS NULL OR EXISTS (
    SELECT 1 FROM plans p WHERE p.id = v.plan_id AND p.status = 'expired'))"""


@dataclass(frozen=True, slots=True)
class Gone:
    """A managed row's mirror that is proven absent, as it stood."""

    mirror: Mirror
    type_id: TypeId
    source: IssueRef
    destination: IssueRef
    key: LinkKey


@dataclass(frozen=True, slots=True)
class Figures:
    """`counted` within the windows, and `withheld`; when the first and the last were seen."""

    counted: int
    withheld: int
    first: datetime | None
    last: datetime | None


async def settled(conn: Connection, gone: Sequence[Gone]) -> set[Mirror]:
    """Mirrors that need no slot: they have one, or a removal of ours may have acted on them. What
    came before the link was made that had the id last concerns another one."""
    rows = await conn.fetch(
        """SELECT u.site, u.link FROM unnest($1::bigint[], $2::bigint[]) u (site, link)
           LEFT JOIN made_links m ON m.site_id = u.site AND m.link_id = u.link
           WHERE EXISTS (SELECT 1 FROM vanished_mirrors v WHERE v.site_id = u.site
                         AND v.link_id = u.link
                         AND v.counted_at >= coalesce(m.made_at, '-infinity'))
              OR EXISTS (SELECT 1 FROM intents i WHERE i.site_id = u.site AND i.link_id = u.link
                         AND i.operation = 'remove'
                         AND i.created_at >= coalesce(m.made_at, '-infinity')
                         AND (i.state <> 'failed' OR i.outcome LIKE 'confirmed%'))""",
        [it.mirror[0] for it in gone],
        [int(it.mirror[1]) for it in gone],
    )
    return {(row["site"], LinkId(str(row["link"]))) for row in rows}


async def put(
    conn: Connection, connection_id: int, gone: Sequence[Gone], now: datetime, *, counted: bool
) -> int:
    """Give them slots, or record them as withheld; returns how many were not recorded before."""
    known = await _count_withheld(conn, connection_id, gone, now) if counted else set()
    fresh = [it for it in gone if it.mirror not in known]
    if not fresh:
        return 0
    rows = await conn.fetchmany(
        """
        INSERT INTO vanished_mirrors AS v (site_id, link_id, connection_id, type_id, source_id,
            source_key, destination_id, destination_key, left_type_id, source_twin_id,
            destination_twin_id, seen_at, counted_at, plan_after)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (site_id, link_id) WHERE counted_at IS NULL DO UPDATE SET
            connection_id = excluded.connection_id
        RETURNING v.xmax = 0 AS fresh
        """,
        [
            (
                it.mirror[0],
                int(it.mirror[1]),
                connection_id,
                int(it.type_id),
                int(it.source.id),
                it.source.key,
                int(it.destination.id),
                it.destination.key,
                int(it.key.left_type),
                it.key.source_twin,
                it.key.destination_twin,
                now,
                now if counted else None,
                now + GATHER,
            )
            for it in fresh
        ],
    )
    return sum(row["fresh"] for row in rows)


async def _count_withheld(
    conn: Connection, connection_id: int, gone: Sequence[Gone], now: datetime
) -> set[Mirror]:
    """Give slots to those of *gone* that were withheld until now; which these are."""
    rows = await conn.fetch(
        """UPDATE vanished_mirrors v SET counted_at = $4, connection_id = $3
           FROM unnest($1::bigint[], $2::bigint[]) u (site, link)
           WHERE v.site_id = u.site AND v.link_id = u.link AND v.counted_at IS NULL
           RETURNING v.site_id, v.link_id""",
        [it.mirror[0] for it in gone],
        [int(it.mirror[1]) for it in gone],
        connection_id,
        now,
    )
    return {(row["site_id"], LinkId(str(row["link_id"]))) for row in rows}


async def figures(conn: Connection, connection_id: int, since: datetime) -> Figures:
    """Of a connection: what has a slot since then, and all that is withheld."""
    row = await conn.fetchrow(
        """SELECT count(*) FILTER (WHERE counted_at > $2) AS counted,
                  count(*) FILTER (WHERE counted_at IS NULL) AS withheld,
                  min(seen_at) AS first, max(seen_at) AS last
           FROM vanished_mirrors
           WHERE connection_id = $1 AND (counted_at > $2 OR counted_at IS NULL)""",
        connection_id,
        since,
    )
    assert row is not None
    return Figures(row["counted"], row["withheld"], row["first"], row["last"])


async def ripe(conn: Connection, now: datetime) -> list[int]:
    """Connections with withheld mirrors that need a plan."""
    rows = await conn.fetch(
        f"""SELECT DISTINCT v.connection_id FROM vanished_mirrors v
            JOIN connections c ON c.id = v.connection_id AND c.deleted_at IS NULL
            WHERE v.plan_after <= $1 AND {_UNPLANNED} ORDER BY 1""",  # noqa: S608 - texts of ours
        now,
    )
    return [row["connection_id"] for row in rows]


async def plan(
    conn: Connection, plan_id: int, connection_id: int, since: datetime, now: datetime
) -> int:
    """Put into a plan all that is withheld, and what took its slot since *since*: the first of
    the same wave. How many; none where another worker has planned them."""
    rows = await conn.fetch(
        f"""
        WITH chosen AS (
            UPDATE vanished_mirrors v SET plan_id = $1, plan_after = $5
            WHERE v.connection_id = $2 AND ({_UNPLANNED}
                OR (v.counted_at > $3 AND v.plan_id IS NULL))
            RETURNING v.*)
        INSERT INTO plan_changes (plan_id, operation, connection_id, site_id, type_id, source_id,
            source_key, destination_id, destination_key, link_id, reason, evidence, surveyed,
            created_at)
        SELECT $1, 'create', connection_id, site_id, type_id, source_id, source_key,
            destination_id, destination_key, link_id, 'vanished', jsonb_build_object(
                'former', 'managed', 'vanished_link', link_id::text, 'seen_gone_at',
                to_char(seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
            false, $4
        FROM chosen ON CONFLICT DO NOTHING RETURNING 1
        """,  # noqa: S608
        plan_id,
        connection_id,
        since,
        now,
        now + AGAIN,
    )
    return len(rows)


async def undecided(conn: Connection, connection_id: int) -> bool:
    """Whether there are withheld mirrors that no plan holds yet."""
    found: bool = await conn.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM vanished_mirrors v WHERE v.connection_id = $1"  # noqa: S608
        f" AND {_UNPLANNED})",
        connection_id,
    )
    return found


async def of_plan(conn: Connection, plan_id: int) -> list[tuple[LinkKey, LinkId]]:
    """The withheld ones that a plan would put back: keys, and the ids that are gone."""
    rows = await conn.fetch(
        "SELECT * FROM vanished_mirrors WHERE plan_id = $1 AND counted_at IS NULL", plan_id
    )
    return [(_key(row), LinkId(str(row["link_id"]))) for row in rows]


async def release(conn: Connection, connection_id: int) -> list[int]:
    """Withhold none any longer, but for what an open plan would put back; answers the twins of
    all that were withheld, to be looked at again."""
    rows = await conn.fetch(
        "SELECT * FROM vanished_mirrors WHERE connection_id = $1 AND counted_at IS NULL",
        connection_id,
    )
    await conn.execute(
        """DELETE FROM vanished_mirrors v WHERE v.connection_id = $1 AND v.counted_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM plans p WHERE p.id = v.plan_id
               AND p.status IN ('gathering', 'held', 'approved', 'applying'))""",
        connection_id,
    )
    return sorted({twin for row in rows for twin in _key(row).twins})


async def decided(conn: Connection, plan_id: int) -> None:
    """Mirrors of a plan that a person decided: they need no slot any more."""
    await conn.execute(
        "DELETE FROM vanished_mirrors WHERE plan_id = $1 AND counted_at IS NULL", plan_id
    )


def _key(row: Row) -> LinkKey:
    return LinkKey(
        TypeId(str(row["left_type_id"])), row["source_twin_id"], row["destination_twin_id"]
    )
