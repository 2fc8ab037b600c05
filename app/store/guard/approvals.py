"""What an approval of a held plan needs, and when it ends before its plan does."""

from app.store.guard import vanished_mirrors
from app.store.pool import Connection

# Plans that the guard waits for: see `held_plans.HeldPlan.of_guard`.
_OF_GUARD = "(p.kind = 'removals' OR p.left_over_of IS NOT NULL OR p.reason = $3)"


async def rejected_since_approval(conn: Connection, connection_id: int, plan_id: int) -> bool:
    """Whether a person rejected another plan of the guard after approving this one."""
    found: bool = await conn.fetchval(
        f"""SELECT EXISTS (SELECT 1 FROM plans p JOIN plans a ON a.id = $2
            WHERE p.connection_id = $1 AND p.status = 'rejected' AND {_OF_GUARD}
              AND p.decided_at >= a.decided_at)""",  # noqa: S608 - texts of ours
        connection_id,
        plan_id,
        vanished_mirrors.REASON,
    )
    return found


_WAITS_AGAIN = """UPDATE plans p SET status = 'held', approved_by = NULL, approved_at = NULL,
        decided_by = NULL, decided_at = NULL, note = concat_ws(E'\n', nullif(p.note, ''), $2::text)
    WHERE p.status IN ('approved', 'applying') AND p.digest IS NOT NULL
      AND EXISTS (SELECT 1 FROM plan_changes x WHERE x.plan_id = p.id AND x.result IS NULL"""


async def revoke(conn: Connection, plan_id: int, note: str) -> bool:
    """Let one plan with open changes wait for a decision again. Under the connection's lock."""
    found = await conn.fetchval(
        f"{_WAITS_AGAIN}) AND p.id = $1 RETURNING p.id",
        plan_id,
        note,
    )
    return found is not None


async def being_written(conn: Connection, plan_id: int) -> bool:
    """Whether a write that this plan let go has no outcome yet."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT 1 FROM intents WHERE plan_id = $1 AND state = 'open')", plan_id
    )
    return found


async def void(conn: Connection, connection_id: int, note: str) -> list[int]:
    """Let the plans with open changes in this connection wait for a decision again, at the digest
    and until the time that they have. Under the connection's lock; answers their ids."""
    rows = await conn.fetch(
        f"""{_WAITS_AGAIN} AND coalesce(x.connection_id, p.connection_id) = $1)
            RETURNING p.id""",
        connection_id,
        note,
    )
    return sorted(row["id"] for row in rows)
