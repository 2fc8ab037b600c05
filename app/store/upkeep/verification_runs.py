"""Requests to check the audit, as workers carry them out: claims, leases, outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.store.pool import Connection

_LEASE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`rows` were read. `place` says where the first chain breaks: connection, chain, seq,
    fault; None where all hold. `failed` says that the check itself did not come to an end."""

    rows: int
    place: Mapping[str, str | int] | None = None
    failed: str = ""

    @property
    def status(self) -> str:
        """As it is stored: `failed`, `accepted` or `refused`."""
        if self.failed:
            return "failed"
        return "accepted" if self.place is None else "refused"


async def claim(conn: Connection, now: datetime) -> int | None:
    """Claim the oldest request that no worker has."""
    found: int | None = await conn.fetchval(
        """
        UPDATE audit_verifications SET status = 'running', lease_until = $2
        WHERE id = (
            SELECT id FROM audit_verifications
            WHERE status = 'queued' OR (status = 'running' AND coalesce(lease_until < $1, true))
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id
        """,
        now,
        now + _LEASE,
    )
    return found


async def renew(conn: Connection, verification_id: int, now: datetime) -> None:
    """Extend the lease of a running request."""
    await conn.execute(
        "UPDATE audit_verifications SET lease_until = $2 WHERE id = $1 AND status = 'running'",
        verification_id,
        now + _LEASE,
    )


async def finish(conn: Connection, verification_id: int, outcome: Outcome, now: datetime) -> None:
    """Store the outcome, unless there is one."""
    await conn.execute(
        """UPDATE audit_verifications SET status = $2, rows = $3, place = $4, detail = $5,
               finished_at = $6, lease_until = NULL
           WHERE id = $1 AND status = 'running'""",
        verification_id,
        outcome.status,
        outcome.rows,
        dict(outcome.place) if outcome.place is not None else None,
        outcome.failed,
        now,
    )


async def chains(conn: Connection) -> dict[int, str]:
    """Every connection that must have a chain, by id: one with rows, with a head, or with
    writes whose intent is kept still."""
    rows = await conn.fetch(
        """
        SELECT x.connection_id, c.name
        FROM (SELECT connection_id FROM audit_heads
              UNION SELECT connection_id FROM audit
              UNION SELECT connection_id FROM intents) x
        LEFT JOIN connections c ON c.id = x.connection_id
        ORDER BY x.connection_id
        """
    )
    return {row["connection_id"]: row["name"] or "" for row in rows}
