"""Answers to POST calls with an `Idempotency-Key`, kept 24 hours per token and key.

An answer is stored after the call's own transaction. If the process dies between the two, the
claim expires and the same key runs the call again: at least once, and never two at a time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.store.pool import Connection

KEPT = timedelta(hours=24)
# No call lasts longer, because `api.route` ends it before. An older claim's process has died.
RUNNING_AT_MOST = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored answer: HTTP status, headers and raw body."""

    status: int
    headers: dict[str, str]
    body: bytes


Claim = Literal["ours", "running", "other_request"] | Stored


async def claim(
    conn: Connection, token_id: str, key: str, request_hash: bytes, now: datetime
) -> Claim:
    """`ours`: run the call, then `store` or `release`. A row that is too old, or whose
    process died, is taken over."""
    taken = await conn.fetchval(
        """
        INSERT INTO idempotency AS i (token_id, key, request_hash, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (token_id, key) DO UPDATE
            SET request_hash = $3, created_at = $4, status = NULL, headers = NULL, body = NULL
            WHERE i.created_at < $5
               OR (i.status IS NULL AND i.created_at < $6 AND i.request_hash = $3)
        RETURNING true
        """,
        token_id,
        key,
        request_hash,
        now,
        now - KEPT,
        now - RUNNING_AT_MOST,
    )
    if taken:
        return "ours"
    row = await conn.fetchrow(
        "SELECT * FROM idempotency WHERE token_id = $1 AND key = $2", token_id, key
    )
    if row is None:  # released meanwhile: the next try gets it
        return "running"
    if bytes(row["request_hash"]) != request_hash:
        return "other_request"
    if row["status"] is None:
        return "running"
    return Stored(row["status"], row["headers"], bytes(row["body"]))


async def store(conn: Connection, token_id: str, key: str, answer: Stored) -> None:
    """Keep the answer of a call that `claim` gave to us."""
    await conn.execute(
        """UPDATE idempotency SET status = $3, headers = $4, body = $5
           WHERE token_id = $1 AND key = $2""",
        token_id,
        key,
        answer.status,
        answer.headers,
        answer.body,
    )


async def release(conn: Connection, token_id: str, key: str) -> None:
    """The call was refused and changed nothing: the key is free again."""
    await conn.execute(
        "DELETE FROM idempotency WHERE token_id = $1 AND key = $2 AND status IS NULL",
        token_id,
        key,
    )


async def purge(conn: Connection, now: datetime, *, limit: int = 1000) -> int:
    """Delete up to *limit* answers older than 24 hours; returns how many."""
    rows = await conn.fetch(
        """
        DELETE FROM idempotency WHERE (token_id, key) IN
            (SELECT token_id, key FROM idempotency WHERE created_at < $1 LIMIT $2)
        RETURNING 1
        """,
        now - KEPT,
        limit,
    )
    return len(rows)
