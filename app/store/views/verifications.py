"""Requests to check the chains of the audit, which workers carry out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.store.columns import from_row
from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class VerificationShown:
    """`status` is `queued`, `running`, `accepted`, `refused` or `failed`. `rows` were checked so
    far. `place` says where a chain does not hold, `detail` why the check failed."""

    id: int
    status: str
    rows: int
    detail: str
    place: dict[str, Any] | None
    created_at: datetime
    finished_at: datetime | None


async def insert(conn: Connection, now: datetime) -> int:
    """Queue a verification; returns its id."""
    made: int = await conn.fetchval(
        "INSERT INTO audit_verifications (created_at) VALUES ($1) RETURNING id", now
    )
    return made


async def by_id(conn: Connection, verification_id: int) -> VerificationShown | None:
    row = await conn.fetchrow("SELECT * FROM audit_verifications WHERE id = $1", verification_id)
    return from_row(VerificationShown, row) if row else None


async def page(conn: Connection, *, before: int, limit: int) -> list[VerificationShown]:
    """Newest first."""
    rows = await conn.fetch(
        "SELECT * FROM audit_verifications WHERE id < $1 ORDER BY id DESC LIMIT $2", before, limit
    )
    return [from_row(VerificationShown, row) for row in rows]
