"""Checking the audit: every chain, row by row, against the head that was stored with it.

A chain that breaks is a fact about the database, not about this run: the request is *refused*
with the first place that does not hold. Heads are logged, so that somebody who rewrites chain
and head together is contradicted by a log kept elsewhere.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from app.core.chain import Break, Verifier
from app.core.errors import TransientError
from app.core.incidents import Impact, IncidentKind
from app.store.pool import Connection
from app.store.upkeep import verification_runs
from app.store.upkeep.verification_runs import Outcome
from app.store.writes import audit
from app.sync.incidents import timeline
from app.sync.runtime.context import Context

_LOG = structlog.get_logger(__name__)

# Rows between two renewals of the lease: a second or two of work.
RENEW_EVERY = 20_000
# Rows that come out of one fetch are hashed without a pause; live work shares this loop.
YIELD_EVERY = 100


async def run_once(ctx: Context) -> int:
    """Carry out one request; answers how many were (0 or 1)."""
    async with ctx.database.transaction() as conn:
        verification = await verification_runs.claim(conn, ctx.clock())
    if verification is None:
        return 0
    try:
        outcome = await _verify(ctx, verification)
    except TransientError:
        raise  # its lease runs out, and another worker takes it up
    except Exception as error:
        _LOG.exception("verification_broke", verification=verification)
        outcome = Outcome(0, failed=type(error).__name__)
    async with ctx.database.transaction() as conn:
        await verification_runs.finish(conn, verification, outcome, ctx.clock())
        if outcome.place is not None:
            _LOG.error("audit_refused", verification=verification, **outcome.place)
            await _open_incident(conn, outcome.place, ctx.clock())
    return 1


async def _open_incident(conn: Connection, place: Mapping[str, str | int], now: datetime) -> None:
    await timeline.open_or_note(
        conn,
        IncidentKind.AUDIT_BROKEN,
        # A chain without a name belongs to a connection whose row was deleted.
        connection_id=int(place["chain"]) if place["connection"] else None,
        now=now,
        detail=place,
        impact=Impact.CRITICAL,
    )


async def log_heads(ctx: Context) -> int:
    """Log every chain's head; answers how many there are."""
    async with ctx.database.connection() as conn:
        heads = await audit.heads(conn)
    for head in heads:
        _LOG.info("audit_head", **head)
    return len(heads)


async def _verify(ctx: Context, verification: int) -> Outcome:
    """All chains in one snapshot: rows written while we read belong to neither side."""
    rows = 0
    async with (
        ctx.database.connection() as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        heads = {int(head["chain"]): head for head in await audit.heads(conn)}
        for connection_id, name in (await verification_runs.chains(conn)).items():
            check = Verifier(str(connection_id))
            broken = await _walk(ctx, conn, verification, check)
            rows += check.seq
            broken = broken or _against_head(check, heads.get(connection_id))
            if broken is not None:
                return Outcome(rows, _place(name, broken))
    return Outcome(rows)


async def _walk(ctx: Context, conn: Connection, verification: int, check: Verifier) -> Break | None:
    async for row in audit.chain_rows(conn, int(check.chain)):
        try:
            broken = check.step(row)
        except TypeError:  # a float in the evidence: we never wrote one
            broken = Break(check.chain, check.seq + 1, "hash")
        if broken is not None:
            return broken
        if check.seq % YIELD_EVERY == 0:
            await asyncio.sleep(0)
        if check.seq % RENEW_EVERY == 0:
            async with ctx.database.transaction() as other:
                await verification_runs.renew(other, verification, ctx.clock())
    return None


def _against_head(check: Verifier, head: Mapping[str, Any] | None) -> Break | None:
    if head is None:
        return Break(check.chain, check.seq + 1, "head_missing" if check.seq else "chain_missing")
    return check.finish(head["seq"], head["hash"])


def _place(name: str, broken: Break) -> dict[str, str | int]:
    return {
        "connection": name,
        "chain": broken.chain,
        "seq": broken.seq,
        "fault": broken.fault,
    }
