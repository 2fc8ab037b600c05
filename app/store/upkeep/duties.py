"""Duties of the installation: which are due, and that one worker does each.

One statement answers both, whatever the number of workers and of connections. A duty is due when
its time has come; those that wait for something (a resync, a plan to seal) are due as soon as it is
there, as their condition here says. The condition may say yes too often, never too seldom; as a net
below it, the time comes for those as well.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.store.pool import Connection

_NOT_PAUSED = "NOT EXISTS (SELECT FROM installation WHERE paused_at IS NOT NULL)"

WAITS_FOR = {
    "confirm": """
        SELECT FROM intents WHERE state = 'open' AND confirm_after <= $1
        UNION ALL SELECT FROM intents WHERE suspected_at <= $1 AND suspected_at IS NOT NULL
          AND cleared_at IS NULL AND state IN ('noop', 'failed')""",
    "resync": """
        SELECT FROM resyncs r JOIN connections c ON c.id = r.connection_id
        WHERE r.status IN ('queued', 'running') AND coalesce(r.lease_until < $1, true)
          AND (c.paused_at IS NULL OR r.cancel_requested OR c.deleted_at IS NOT NULL)""",
    "plan_restores": """
        SELECT FROM restores WHERE sealed_at IS NULL AND failed_at IS NULL
          AND coalesce(lease_until < $1, true)""",
    "apply_restores": """
        SELECT FROM plans WHERE status = 'applying' AND kind IN ('restore', 'undo', 'rescue')""",
    "adopt": """
        SELECT FROM plans p JOIN adoptions a ON a.plan_id = p.id
        WHERE p.kind = 'adoption' AND p.status IN ('gathering', 'applying')
          AND coalesce(a.lease_until <= $1, true)""",
    "rehome": """
        SELECT FROM plans p JOIN rehomings r ON r.plan_id = p.id
        WHERE p.kind = 'rehoming' AND p.status IN ('gathering', 'applying')
          AND coalesce(r.lease_until <= $1, true)""",
    "plans": """
        SELECT FROM plans WHERE status IN ('gathering', 'applying')
        UNION ALL SELECT FROM plans
        WHERE status IN ('held', 'approved', 'applying') AND expires_at <= $1
        UNION ALL SELECT FROM vanished_mirrors WHERE counted_at IS NULL AND plan_after <= $1
        UNION ALL SELECT FROM former_twins WHERE until <= $1""",
    "discover": "SELECT FROM discoveries",
    "poll": f"""
        SELECT FROM sites s JOIN connections c ON s.id IN (c.left_site_id, c.right_site_id)
          AND c.deleted_at IS NULL AND c.paused_at IS NULL
        WHERE s.poll_due_at <= $1 AND {_NOT_PAUSED}""",
    "verify": """
        SELECT FROM audit_verifications
        WHERE status = 'queued' OR (status = 'running' AND coalesce(lease_until < $1, true))""",
    "circuits": "SELECT FROM sites WHERE circuit_open_since IS NOT NULL",
    "notify": """
        SELECT FROM notifications WHERE addressed_at IS NULL
        UNION ALL SELECT FROM notification_sends WHERE status = 'waiting' AND due_at <= $1""",
}
"""What makes a duty due, by its name: a query with rows, at the time `$1`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`every`: seconds after which it is due again in any case. `gap`: seconds between two turns
    that something waits for. `gap` is None where nothing but time makes it due."""

    name: str
    every: float
    gap: float | None = None


async def know(conn: Connection, names: Sequence[str], now: datetime) -> None:
    """Enter the duties that the installation did not have before; they are due at once."""
    await conn.execute(
        """INSERT INTO duties (name, due_at, taken_at) SELECT name, $2, '-infinity'
           FROM unnest($1::text[]) name ORDER BY name ON CONFLICT DO NOTHING""",
        list(names),
        now,
    )


# Each condition is asked only once the gap is over.
_WAITS = "\n".join(
    f"WHEN '{name}' THEN EXISTS ({condition})" for name, condition in WAITS_FOR.items()
)
_TAKE = f"""
    WITH due AS MATERIALIZED (
        SELECT d.name, u.every FROM duties d
        JOIN unnest($2::text[], $3::float8[], $4::float8[]) u (name, every, gap) USING (name)
        -- What is due later than its own time was due by a clock that went ahead.
        WHERE d.due_at <= $1 OR d.due_at > $1::timestamptz + make_interval(secs => u.every)
           OR CASE WHEN u.gap IS NULL
                     OR d.taken_at BETWEEN $1::timestamptz - make_interval(secs => u.gap) AND $1
                   THEN false
                   ELSE CASE d.name {_WAITS} ELSE false END END
        ORDER BY d.name FOR UPDATE OF d SKIP LOCKED)
    UPDATE duties d SET taken_at = $1, due_at = $1::timestamptz + make_interval(secs => due.every)
    FROM due WHERE d.name = due.name RETURNING d.name
"""  # noqa: S608 - texts of ours


async def take(
    conn: Connection, paces: Collection[Pace], now: datetime, *, but: Collection[str] = ()
) -> list[str]:
    """The names of the duties that this worker is to do now; no other one is told them before
    their gap is over. *but*: those that it is doing still."""
    wanted = [it for it in paces if it.name not in but]
    rows = await conn.fetch(
        _TAKE,
        now,
        [it.name for it in wanted],
        [it.every for it in wanted],
        [it.gap for it in wanted],
    )
    return [row["name"] for row in rows]
