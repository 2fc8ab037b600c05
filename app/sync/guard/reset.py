"""An approver's reset of the guard: fresh windows, at most three times a day and connection.

What the guard held is judged again under the new windows, so its plans end, sealed ones too.
What only a person may let go (`long_pause`, `issue_share`) goes on waiting in a new plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.guard import DAY, RESETS_A_DAY, next_reset
from app.core.incidents import IncidentKind
from app.store.config import active_connection
from app.store.guard import held_plans as stored
from app.store.guard import resets
from app.store.guard.resets import Reset
from app.store.pool import Connection
from app.sync.guard import held_plans
from app.sync.incidents import timeline
from app.sync.runtime.refusals import Refused

_DAY = timedelta(seconds=DAY)


@dataclass(frozen=True, slots=True)
class Resets:
    """`used` within the last day of the `limit`; `next_at` is None where one is possible now."""

    limit: int
    used: int
    next_at: datetime | None
    last: Reset | None


async def shown(
    conn: Connection, connection_ids: Sequence[int], now: datetime
) -> dict[int, Resets]:
    """The resets of each connection, for people."""
    found = await resets.of_connections(conn, connection_ids, now - _DAY)
    return {it: _shown(those, now) for it, those in found.items()}


def _shown(those: Sequence[Reset], now: datetime) -> Resets:
    recent = [it.at for it in those if it.at > now - _DAY]
    last = those[-1] if those else None
    return Resets(RESETS_A_DAY, len(recent), next_reset(recent, now), last)


async def reset(conn: Connection, connection_id: int, *, by: str, now: datetime) -> None:
    """Under the connection's lock. Raises `Refused`: `guard_resets_spent`."""
    found = (await shown(conn, [connection_id], now))[connection_id]
    if found.next_at is not None:
        raise Refused(
            "guard_resets_spent",
            f"{found.limit} a day; the next is possible at {_at(found.next_at)}",
            retry_after=(found.next_at - now).total_seconds(),
        )
    await resets.note(conn, connection_id, by=by, now=now)
    await held_plans.arm(conn, connection_id, now)
    await _judge_again(conn, connection_id, by=by, now=now)
    detail = {"resets_left": found.limit - found.used - 1}
    await timeline.note_open(conn, IncidentKind.GUARD_TRIPPED, connection_id, detail, now)


async def _judge_again(conn: Connection, connection_id: int, *, by: str, now: datetime) -> None:
    state = await active_connection.lock_any(conn, connection_id)
    for plan_id in await stored.undecided_removals(conn, connection_id):
        plan = await stored.lock(conn, plan_id)
        if plan is not None:
            await held_plans.plan_again(
                conn, state, plan, by=by, note="the guard was reset", now=now
            )


def _at(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
