"""The changes of plans that put back or undo links, as workers claim and close them.

A claim gives a change a fence and moves its `due_at` forward as its lease; the intent's
transaction asks for the fence again. A change ends with a `result`, once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.core.links import Ends, IssueId, IssueRef, LinkId, TypeId
from app.core.operations import Operation
from app.core.plan import PlanKind
from app.store.columns import issue_ref, link_id
from app.store.pool import Connection, Row
from app.store.recovery.restores import KINDS


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Which change: a plan names a link and an operation once."""

    plan_id: int
    site: int
    type_id: TypeId
    source: IssueId
    destination: IssueId
    operation: Operation


@dataclass(frozen=True, slots=True)
class PlanLink:
    """A claimed change. `cause` is for the audit. `outside`: it does not count in the guard's
    windows, because they refused it and it was then approved itself. `was_managed` is about a
    removed link. `confined`: who asked for it, or approved it, reaches no more than its connection
    does. `again`: the request names it, or says that what was removed since comes back as well."""

    place: Place
    connection_id: int
    source: IssueRef
    destination: IssueRef
    link_id: LinkId | None
    was_managed: bool
    cause: tuple[str, str]
    kind: PlanKind
    outside: bool
    confined: bool
    again: bool
    fence: int
    tries: int
    evidence: Mapping[str, str]

    @property
    def both(self) -> tuple[IssueId, IssueId]:
        return self.source.id, self.destination.id

    @property
    def ends(self) -> Ends:
        return Ends(self.source.id, self.destination.id)


_CHOSEN = """
    SELECT x.*, coalesce(x.connection_id, p.connection_id) AS under, p.kind,
           p.left_over_of IS NOT NULL AS outside,
           r.asked ?| ARRAY['confined_to', 'approved_within'] AS confined,
           r.asked ?| ARRAY['issues', 'link_ids', 'again'] AS again,
           r.id AS restore_id, r.cause_kind
    FROM plan_changes x JOIN plans p ON p.id = x.plan_id
    JOIN restores r ON r.plan_id = coalesce(p.left_over_of, p.id)
    JOIN connections c ON c.id = coalesce(x.connection_id, p.connection_id)
"""
_AT = """x.plan_id = u.plan_id AND x.site_id = u.site AND x.type_id = u.type
    AND x.source_id = u.source AND x.destination_id = u.destination
    AND x.operation = u.operation"""
_NAMES = "plan_id, site, type, source, destination, operation"


def _unnest(*more: str) -> str:
    """The columns of places as parameters from $1 on, and more of these types after them."""
    types = (*("bigint",) * 5, "text", *more)
    marks = ", ".join(f"${at}::{name}[]" for at, name in enumerate(types, start=1))
    return f"unnest({marks})"


async def unsurveyed(conn: Connection, plan_id: int, limit: int) -> list[PlanLink]:
    """Changes of a plan that were not checked in Jira yet."""
    rows = await conn.fetch(
        f"{_CHOSEN} WHERE x.plan_id = $1 AND NOT x.surveyed ORDER BY x.site_id LIMIT $2",
        plan_id,
        limit,
    )
    return [_link(row) for row in rows]


async def surveyed(conn: Connection, found: Sequence[tuple[PlanLink, str | None]]) -> None:
    """Store the result of the survey: None if the change can be made, otherwise the reason. Updates
    the keys of the issues to the present ones."""
    await conn.execute(
        f"""UPDATE plan_changes x SET surveyed = true, source_key = u.source_key,
                destination_key = u.destination_key, result = u.result
            FROM {_unnest("text", "text", "text")}
                u ({_NAMES}, source_key, destination_key, result)
            WHERE {_AT} AND NOT x.surveyed""",  # noqa: S608 - texts of ours
        *_columns([it.place for it, _ in found]),
        [it.source.key for it, _ in found],
        [it.destination.key for it, _ in found],
        [None if why is None else f"skipped:{why}" for _, why in found],
    )


async def claim(conn: Connection, *, now: datetime, limit: int, lease: float) -> list[PlanLink]:
    """Claim due changes of plans that are being applied, for *lease* seconds. Links with an open
    intent are left out: its outcome, or a confirmation, ends or frees them."""
    rows = await conn.fetch(
        f"""
        WITH chosen AS (
            {_CHOSEN}
            WHERE p.status = 'applying' AND p.kind = ANY($1) AND x.result IS NULL
              AND (x.due_at IS NULL OR x.due_at <= $2) AND c.paused_at IS NULL
              AND NOT EXISTS (SELECT 1 FROM installation WHERE paused_at IS NOT NULL)
              AND NOT EXISTS (SELECT 1 FROM intents i WHERE i.state = 'open'
                AND i.site_id = x.site_id AND i.type_id = x.type_id
                AND (i.key_source_id, i.key_destination_id) IN
                    ((x.source_id, x.destination_id), (x.destination_id, x.source_id)))
            ORDER BY x.plan_id, x.due_at NULLS FIRST LIMIT $4 FOR UPDATE OF x SKIP LOCKED),
        fence AS MATERIALIZED (SELECT nextval('fences') AS fence)
        UPDATE plan_changes x SET due_at = $3, fence = fence.fence FROM chosen u, fence
        WHERE x.plan_id = u.plan_id AND x.site_id = u.site_id AND x.type_id = u.type_id
          AND x.source_id = u.source_id AND x.destination_id = u.destination_id
          AND x.operation = u.operation
        RETURNING x.*, u.under, u.kind, u.outside, u.confined, u.again, u.restore_id, u.cause_kind
        """,  # noqa: S608
        list(KINDS),
        now,
        now + timedelta(seconds=lease),
        limit,
    )
    return [_link(row) for row in rows]


async def standing(conn: Connection, links: Sequence[PlanLink]) -> set[Place]:
    """Our changes whose claim is still valid, locked until this transaction ends."""
    rows = await conn.fetch(
        f"""SELECT x.* FROM plan_changes x
            JOIN {_unnest("bigint")} u ({_NAMES}, fence) ON {_AT} AND x.fence = u.fence
            JOIN plans p ON p.id = x.plan_id AND p.status = 'applying'
            WHERE x.result IS NULL ORDER BY x.plan_id, x.site_id, x.type_id, x.source_id,
                x.destination_id, x.operation FOR UPDATE OF x""",  # noqa: S608
        *_columns([it.place for it in links]),
        [it.fence for it in links],
    )
    return {_place(row) for row in rows}


async def close(
    conn: Connection, results: Mapping[Place, str], *, links: Mapping[Place, LinkId] | None = None
) -> None:
    """Close these changes; *links* are the ids of the links made. An existing result stays."""
    places = sorted(results)
    if not places:
        return
    made = links or {}
    await conn.execute(
        f"""UPDATE plan_changes x SET result = u.result,
                evidence = x.evidence || CASE WHEN u.made IS NULL THEN '{{}}'::jsonb
                    ELSE jsonb_build_object('restored_link', u.made) END,
                verified = u.operation = 'create' AND u.result LIKE 'applied:%'
            FROM {_unnest("text", "text")} u ({_NAMES}, result, made)
            WHERE {_AT} AND x.result IS NULL""",  # noqa: S608
        *_columns(places),
        [results[it] for it in places],
        [made.get(it) for it in places],
    )


async def put_off(
    conn: Connection, places: Mapping[Place, datetime], *, counted: bool = False
) -> None:
    """Release these changes until that time."""
    names = sorted(places)
    if not names:
        return
    await conn.execute(
        f"""UPDATE plan_changes x SET due_at = u.due, tries = x.tries + $8::int
            FROM {_unnest("timestamptz")} u ({_NAMES}, due)
            WHERE {_AT} AND x.result IS NULL""",  # noqa: S608
        *_columns(names),
        [places[it] for it in names],
        int(counted),
    )


async def leave_over(conn: Connection, places: Sequence[Place], plan_id: int) -> None:
    """Copy these changes into the plan with its own decision, and close them in the decided plan
    with the number of the other as their result."""
    await conn.execute(
        f"""INSERT INTO plan_changes (plan_id, operation, connection_id, site_id, type_id,
                source_id, source_key, destination_id, destination_key, link_id, reason, evidence,
                created_at)
            SELECT $7, x.operation, x.connection_id, x.site_id, x.type_id, x.source_id,
                x.source_key, x.destination_id, x.destination_key, x.link_id, x.reason,
                x.evidence, x.created_at
            FROM plan_changes x JOIN {_unnest()} u ({_NAMES}) ON {_AT}
            ON CONFLICT DO NOTHING""",  # noqa: S608
        *_columns(sorted(places)),
        plan_id,
    )
    await close(conn, dict.fromkeys(places, f"held:{plan_id}"))


async def tries(conn: Connection, places: Sequence[Place]) -> dict[Place, int]:
    """How often each open change was tried. Locks them."""
    rows = await conn.fetch(
        f"""SELECT x.* FROM plan_changes x JOIN {_unnest()} u ({_NAMES}) ON {_AT}
            WHERE x.result IS NULL ORDER BY x.plan_id, x.site_id, x.type_id, x.source_id,
                x.destination_id, x.operation FOR UPDATE OF x""",  # noqa: S608
        *_columns(sorted(places)),
    )
    return {_place(row): row["tries"] for row in rows}


async def verify(conn: Connection, places: Sequence[Place]) -> None:
    """Mark changes that a later read of Jira has verified."""
    await conn.execute(
        f"""UPDATE plan_changes x SET verified = true FROM {_unnest()} u ({_NAMES})
            WHERE {_AT} AND x.result LIKE 'applied:%'""",  # noqa: S608
        *_columns(sorted(places)),
    )


async def recent_writes(
    conn: Connection, site: int, issues: Sequence[IssueId], now: datetime, seconds: float
) -> dict[IssueId, list[float]]:
    """Seconds since we last wrote to each of these issues, from any connection."""
    rows = await conn.fetch(
        """SELECT u.issue, extract(epoch FROM $3::timestamptz - i.created_at)::float8 AS age
           FROM connections c JOIN intents i ON i.connection_id = c.id
            AND i.created_at > $3::timestamptz - make_interval(secs => $4) AND i.site_id = $1
           JOIN unnest($2::bigint[]) u (issue) ON u.issue IN (i.source_id, i.destination_id)
           WHERE $1 IN (c.left_site_id, c.right_site_id)""",
        site,
        [int(issue) for issue in issues],
        now,
        seconds,
    )
    found: dict[IssueId, list[float]] = {}
    for row in rows:
        found.setdefault(IssueId(str(row["issue"])), []).append(row["age"])
    return found


def _link(row: Row) -> PlanLink:
    evidence = dict(row["evidence"])
    return PlanLink(
        place=_place(row),
        connection_id=row["under"],
        source=issue_ref(row, "source"),
        destination=issue_ref(row, "destination"),
        link_id=link_id(row["link_id"]),
        was_managed=evidence.get("former") == "managed",
        cause=(row["cause_kind"], str(row["restore_id"])),
        kind=PlanKind(row["kind"]),
        outside=row["outside"],
        confined=row["confined"],
        again=row["again"],
        fence=row["fence"],
        tries=row["tries"],
        evidence=evidence,
    )


def _place(row: Row) -> Place:
    return Place(
        row["plan_id"],
        row["site_id"],
        TypeId(str(row["type_id"])),
        IssueId(str(row["source_id"])),
        IssueId(str(row["destination_id"])),
        Operation(row["operation"]),
    )


def _values(it: Place) -> tuple[Any, ...]:
    return (
        it.plan_id, it.site, int(it.type_id), int(it.source), int(it.destination), it.operation,
    )  # fmt: skip


def _columns(places: Sequence[Place]) -> list[list[Any]]:
    rows = [_values(it) for it in places]
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(6)]
