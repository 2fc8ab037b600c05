"""Held plans: sealing, deciding, and what became of each change."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.ledger import Authorship
from app.core.links import LinkId
from app.core.operations import Operation
from app.core.plan import GATHER_SECONDS, LARGEST, Plan, PlanChange, PlanKind, PlanStatus
from app.store.guard import vanished_mirrors
from app.store.pool import Connection, Row

EXPIRES = timedelta(days=7)
# The pass that is due may be minutes late; a plan is never sealed before its time.
GATHER = timedelta(seconds=GATHER_SECONDS)


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """A plan's own row. `digest` is None until it is sealed. `left_over_of` is the approved undo of
    which the guard refused the changes of this plan."""

    id: int
    connection_id: int
    kind: PlanKind
    status: PlanStatus
    digest: str | None
    revision: int
    expires_at: datetime | None
    approved_by: str | None
    left_over_of: int | None = None
    reason: str = ""

    @property
    def waits(self) -> bool:
        """For a person, who can still approve or reject it. Until then it expires."""
        return self.status.waits

    @property
    def of_guard(self) -> bool:
        """Whether the guard held its changes: it is not armed again before the plan is decided."""
        return (
            self.kind is PlanKind.REMOVALS
            or self.left_over_of is not None
            or self.reason == vanished_mirrors.REASON
        )


async def lock(conn: Connection, plan_id: int) -> HeldPlan | None:
    """The plan, locked; take the connection's lock first."""
    row = await conn.fetchrow("SELECT * FROM plans WHERE id = $1 FOR UPDATE", plan_id)
    return _held(row) if row else None


async def connection_of(conn: Connection, plan_id: int) -> int | None:
    found: int | None = await conn.fetchval(
        "SELECT connection_id FROM plans WHERE id = $1", plan_id
    )
    return found


async def ripe(conn: Connection, now: datetime) -> list[tuple[int, int]]:
    """(connection, plan) of every gathering plan that is to be sealed."""
    rows = await conn.fetch(
        """SELECT p.connection_id, p.id FROM plans p WHERE p.status = 'gathering'
           AND p.kind IN ('removals', 'unpairings') AND (p.created_at <= $1
                OR (SELECT count(*) FROM plan_changes c WHERE c.plan_id = p.id) >= $2)
           ORDER BY p.id""",
        now - GATHER,
        LARGEST,
    )
    return [(row["connection_id"], row["id"]) for row in rows]


async def overdue(conn: Connection, now: datetime) -> list[tuple[int, int]]:
    """(connection, plan) of every plan whose time is over: held, or with changes that its approval
    has not applied by then."""
    rows = await conn.fetch(
        """SELECT connection_id, id FROM plans
           WHERE expires_at <= $1 AND (status IN ('held', 'approved') OR (status = 'applying'
               AND EXISTS (SELECT 1 FROM plan_changes WHERE plan_id = plans.id
                           AND result IS NULL)))""",
        now,
    )
    return [(row["connection_id"], row["id"]) for row in rows]


async def applying(conn: Connection) -> list[tuple[int, int]]:
    """(connection, plan) of the plans of removals, which looks carry out, and of unpairings that
    are being applied. Plans of other kinds end by themselves."""
    rows = await conn.fetch(
        """SELECT connection_id, id FROM plans
           WHERE status = 'applying' AND kind IN ('removals', 'unpairings')"""
    )
    return [(row["connection_id"], row["id"]) for row in rows]


async def value(conn: Connection, plan_id: int) -> Plan:
    """The plan with its changes, as it is digested and rendered."""
    head = await conn.fetchrow(
        """SELECT p.id, p.kind, p.revision, c.name FROM plans p
           JOIN connections c ON c.id = p.connection_id WHERE p.id = $1""",
        plan_id,
    )
    assert head is not None
    rows = await conn.fetch(
        """SELECT x.*, s.name AS site, coalesce(t.name, '') AS type FROM plan_changes x
           JOIN sites s ON s.id = x.site_id
           LEFT JOIN link_types t ON t.site_id = x.site_id AND t.type_id = x.type_id
           WHERE x.plan_id = $1""",
        plan_id,
    )
    changes = tuple(_change(row) for row in rows)
    kind = PlanKind(head["kind"])
    return Plan(str(head["id"]), head["name"], kind, head["revision"], changes)


async def seal(conn: Connection, plan_id: int, digest: str, now: datetime) -> None:
    """Seal a plan that gathers. It expires after a week, and never asks for fewer owners than
    now."""
    await conn.execute(
        """UPDATE plans SET status = 'held', digest = $2, sealed_at = $3, expires_at = $4,
               owners = $5 WHERE id = $1 AND status = 'gathering'""",
        plan_id,
        digest,
        now,
        now + EXPIRES,
        await approvals(conn, plan_id),
    )


async def decide(
    conn: Connection, plan_id: int, status: PlanStatus, *, by: str, note: str, now: datetime
) -> None:
    """Give the plan the status that a decision led to, or the lack of one. Adds *note* to its
    notes."""
    await conn.execute(
        """UPDATE plans SET status = $2, decided_by = $3, decided_at = $5,
               note = concat_ws(E'\n', nullif(note, ''), nullif($4, '')) WHERE id = $1""",
        plan_id,
        status,
        by,
        note,
        now,
    )


async def approvals(conn: Connection, plan_id: int) -> int:
    """How many owners have to approve: as many as the strictest of its connections asks for, never
    fewer than when it was sealed. Two if it removes a link whose author is not known, or adopts:
    what it takes over was made by another account and may be removed later."""
    wanted: int = await conn.fetchval(
        """
        SELECT greatest(coalesce(max((v.config ->> 'approvals')::integer), 1),
                        (SELECT owners FROM plans WHERE id = $1),
                        CASE WHEN EXISTS (SELECT FROM plan_changes x WHERE x.plan_id = $1
                            AND x.reason = 'authorship_unknown' AND x.result IS NULL)
                          OR EXISTS (SELECT FROM plans
                                     WHERE id = $1 AND kind IN ('adoption', 'rehoming'))
                        THEN 2 ELSE 1 END)
        FROM connections c
        JOIN revisions v ON v.connection_id = c.id AND v.revision = c.revision
        WHERE c.id IN (SELECT connection_id FROM plans WHERE id = $1
                       UNION SELECT connection_id FROM plan_changes WHERE plan_id = $1)
        """,
        plan_id,
    )
    return wanted


async def approve_first(
    conn: Connection, plan_id: int, *, by: str, note: str, now: datetime
) -> None:
    """Record the first of two approvals."""
    await conn.execute(
        """UPDATE plans SET status = 'approved', approved_by = $2, note = $3, approved_at = $4
           WHERE id = $1""",
        plan_id,
        by,
        note,
        now,
    )


async def finish(conn: Connection, plan_id: int) -> bool:
    """Set `applied` if no change is open. False if one is, or if it is not being applied."""
    done = await conn.fetchval(
        """UPDATE plans SET status = 'applied' WHERE id = $1 AND status = 'applying'
           AND NOT EXISTS (SELECT 1 FROM plan_changes WHERE plan_id = $1 AND result IS NULL)
           AND NOT EXISTS (SELECT 1 FROM twins WHERE unpair_plan = $1)
           RETURNING true""",
        plan_id,
    )
    return bool(done)


async def undecided(conn: Connection, connection_id: int) -> int:
    """The number of plans of the guard that wait for a person or are not applied to their end. One
    more where mirrors are withheld that no plan holds yet."""
    total: int = await conn.fetchval(
        """SELECT count(*) FROM plans WHERE connection_id = $1
           AND (kind = 'removals' OR left_over_of IS NOT NULL OR reason = $2)
           AND status IN ('gathering', 'held', 'approved', 'applying')""",
        connection_id,
        vanished_mirrors.REASON,
    )
    return total + await vanished_mirrors.undecided(conn, connection_id)


async def undecided_removals(conn: Connection, connection_id: int) -> list[int]:
    """Plans of removals that gather or wait for a person, oldest first."""
    rows = await conn.fetch(
        """SELECT id FROM plans WHERE connection_id = $1 AND kind = 'removals'
           AND status IN ('gathering', 'held', 'approved') ORDER BY id""",
        connection_id,
    )
    return [row["id"] for row in rows]


# Changes that no later look may release: they are held for the end of a long pause, or because an
# issue has got other links meanwhile, or they end a pair. A plan that began before its changes had
# `held_for` has it as its reason.
_HOLDS_ON = """c.result IS NULL AND (p.kind = 'unpairings' OR (p.kind = 'removals' AND (
    p.reason = 'long_pause' OR c.evidence ->> 'held_for' IN ('long_pause', 'issue_share'))))"""


async def holds_on(conn: Connection, plan_id: int) -> bool:
    """Whether a plan has open changes that only a person may let go."""
    found: bool = await conn.fetchval(
        f"""SELECT EXISTS (SELECT 1 FROM plans p JOIN plan_changes c ON c.plan_id = p.id
            WHERE p.id = $1 AND {_HOLDS_ON})""",  # noqa: S608 - texts of ours
        plan_id,
    )
    return found


async def carry_over(conn: Connection, plan_id: int, to: int) -> None:
    """Copy the changes of a plan that only a person may let go to another plan."""
    await conn.execute(
        f"""INSERT INTO plan_changes (plan_id, operation, site_id, type_id, source_id, source_key,
                destination_id, destination_key, link_id, left_type_id, source_twin_id,
                destination_twin_id, reason, evidence, created_at)
            SELECT $2, c.operation, c.site_id, c.type_id, c.source_id, c.source_key,
                c.destination_id, c.destination_key, c.link_id, c.left_type_id, c.source_twin_id,
                c.destination_twin_id, c.reason, c.evidence, c.created_at
            FROM plans p JOIN plan_changes c ON c.plan_id = p.id
            WHERE p.id = $1 AND {_HOLDS_ON} ON CONFLICT DO NOTHING""",  # noqa: S608
        plan_id,
        to,
    )


def _held(row: Row) -> HeldPlan:
    return HeldPlan(
        row["id"],
        row["connection_id"],
        PlanKind(row["kind"]),
        PlanStatus(row["status"]),
        row["digest"],
        row["revision"],
        row["expires_at"],
        row["approved_by"],
        row["left_over_of"],
        row["reason"],
    )


def _change(row: Row) -> PlanChange:
    return PlanChange(
        site=row["site"],
        operation=Operation(row["operation"]),
        type_id=str(row["type_id"]),
        source_id=str(row["source_id"]),
        destination_id=str(row["destination_id"]),
        link_id=_link(row["link_id"]),
        type=row["type"],
        source_key=row["source_key"],
        destination_key=row["destination_key"],
        reason=row["reason"],
        adopted=row["evidence"].get("authorship") == Authorship.ADOPTED,
    )


def _link(value: int | None) -> LinkId | None:
    return None if value is None else LinkId(str(value))
