"""Writes recorded as failed that later evidence shows did take effect in Jira.

Code that sees such evidence marks the write as suspected; `app.sync.writes.late_writes` reads
Jira, and corrects the outcome or clears the suspicion.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from app.core.links import LinkId, PhysicalKey
from app.core.operations import Ended
from app.store.pool import Connection
from app.store.writes.intents import Intent, read

# Seconds to the next try if the site is away or the issue cannot be read.
AGAIN = timedelta(minutes=1)

# The request may have left: a request that was certainly not sent cannot act late.
_MAY_ACT = """state IN ('noop', 'failed')
    AND (outcome LIKE 'confirmed%' OR outcome = 'two_candidates') AND cleared_at IS NULL"""


async def creates_at(conn: Connection, keys: Sequence[PhysicalKey]) -> dict[PhysicalKey, list[int]]:
    """Creates of exactly these physical links that may have taken effect after all."""
    rows = await conn.fetch(
        f"""SELECT i.* FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
                u (site, type, source, destination)
            JOIN intents i ON i.site_id = u.site AND i.type_id = u.type
             AND i.key_source_id = u.source AND i.key_destination_id = u.destination
            WHERE operation = 'create' AND {_MAY_ACT}""",  # noqa: S608
        [key.site for key in keys],
        [int(key.type_id) for key in keys],
        [int(key.source) for key in keys],
        [int(key.destination) for key in keys],
    )
    found: dict[PhysicalKey, list[int]] = {}
    for it in map(read, rows):
        found.setdefault(it.wanted.physical, []).append(it.id)
    return found


async def not_made(
    conn: Connection, connection_id: int, keys: Sequence[PhysicalKey]
) -> list[Intent]:
    """Creates of this connection at these physical links that may have left and that confirmation
    did not find made. The newest first."""
    rows = await conn.fetch(
        """SELECT i.* FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
               u (site, type, source, destination)
           JOIN intents i ON i.connection_id = $1 AND i.site_id = u.site AND i.type_id = u.type
            AND i.key_source_id = u.source AND i.key_destination_id = u.destination
           WHERE operation = 'create' AND state = 'failed' AND outcome = 'confirmed_not_made'
             AND cleared_at IS NULL
             -- One that was made since is what the changelogs show.
             AND NOT EXISTS (
               SELECT FROM intents j WHERE j.connection_id = $1 AND j.id > i.id
                AND j.operation = 'create' AND j.state = 'applied' AND j.site_id = u.site
                AND j.type_id = u.type AND j.key_source_id = u.source
                AND j.key_destination_id = u.destination)
           ORDER BY i.id DESC""",
        connection_id,
        [key.site for key in keys],
        [int(key.type_id) for key in keys],
        [int(key.source) for key in keys],
        [int(key.destination) for key in keys],
    )
    return [read(row) for row in rows]


async def suspect(conn: Connection, intent_ids: Iterable[int], now: datetime) -> None:
    """Mark writes that may have taken effect after all; an earlier mark stays."""
    await conn.execute(
        f"""UPDATE intents SET suspected_at = coalesce(suspected_at, $2)
            WHERE id = ANY($1::bigint[]) AND {_MAY_ACT}""",  # noqa: S608
        sorted(intent_ids),
        now,
    )


async def take(conn: Connection, *, now: datetime, limit: int = 100) -> list[Intent]:
    """Claim the due suspects for a while; the newest of a link first."""
    rows = await conn.fetch(
        """UPDATE intents SET suspected_at = $2
           WHERE id IN (SELECT id FROM intents WHERE suspected_at <= $1 AND cleared_at IS NULL
                          AND state IN ('noop', 'failed')
                        ORDER BY suspected_at LIMIT $3 FOR UPDATE SKIP LOCKED)
           RETURNING *""",
        now,
        now + AGAIN,
        limit,
    )
    return sorted((read(row) for row in rows), key=lambda it: -it.id)


async def clear(conn: Connection, intent_ids: Iterable[int], now: datetime) -> None:
    """Record that these writes did not create the link that exists now."""
    await conn.execute(
        "UPDATE intents SET cleared_at = $2 WHERE id = ANY($1::bigint[])", list(intent_ids), now
    )


async def correct(
    conn: Connection, ended: Sequence[tuple[int, Ended, str]], *, now: datetime
) -> set[int]:
    """As `intents.close`, for writes recorded without effect. Returns the ids of those that this
    call has corrected."""
    rows = await conn.fetch(
        f"""UPDATE intents i SET state = u.state, outcome = u.code, closed_at = $4
            FROM unnest($1::bigint[], $2::text[], $3::text[]) u (id, state, code)
            WHERE i.id = u.id AND {_MAY_ACT.replace("state", "i.state", 1)}
            RETURNING i.id""",  # noqa: S608
        [intent_id for intent_id, _, _ in ended],
        [state for _, state, _ in ended],
        [code for _, _, code in ended],
        now,
    )
    return {row["id"] for row in rows}


async def accounted(conn: Connection, site: int, links: Iterable[LinkId]) -> set[LinkId]:
    """Links of a site that we made, according to an outcome, or took over."""
    rows = await conn.fetch(
        """SELECT DISTINCT a.link_id FROM audit a JOIN sites s ON s.name = a.site
           WHERE s.id = $1 AND a.link_id = ANY($2::bigint[]) AND a.status = 'applied'
             AND a.operation IN ('create', 'adopt')""",
        site,
        [int(link) for link in links],
    )
    return {LinkId(str(row["link_id"])) for row in rows}
