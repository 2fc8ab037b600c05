"""Adoptions: the request, the progress of planning or applying, and the worker's lease.

The plan holds the pairs. The worker that works on it holds the lease of this row, so that only one
worker at a time processes a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.adoption import Window
from app.core.ledger import LinkKey, Row, State
from app.core.links import AccountId, IssueId, LinkId, TypeId
from app.core.operations import Operation
from app.core.own_accounts import Tenure
from app.core.plan import PlanKind
from app.store.links.ledger import row_value
from app.store.pool import Connection
from app.store.pool import Row as Record
from app.store.recovery import plan_lease, restores
from app.store.recovery.restore_changes import Place

_OPEN = (State.PREEXISTING.value, State.DETACHED.value)


@dataclass(frozen=True, slots=True)
class Adoption:
    """An adoption that we have claimed. `planning`: its plan is not sealed yet; otherwise it is
    being applied, and `approver` approved it."""

    id: int
    connection_id: int
    plan_id: int
    window: Window
    cursor: int
    planning: bool
    approver: str
    fence: int
    tries: int
    confirmed: bool
    """The account was named twice: it is adopted whatever else it wrote."""
    twin_cursor: int
    surveyed: bool


@dataclass(frozen=True, slots=True)
class Agreed:
    """One pair of an approved plan, with the mirror that was reviewed."""

    place: Place
    key: LinkKey
    link_id: LinkId


async def insert(
    conn: Connection,
    connection_id: int,
    window: Window,
    *,
    confirmed: bool,
    requested_by: str,
    now: datetime,
) -> tuple[int, int]:
    """Insert an adoption and its plan, which cannot be decided yet; returns both ids."""
    plan_id = await restores.begin_plan(
        conn, PlanKind.ADOPTION, connection_id, reason="adoption", now=now
    )
    adoption_id: int = await conn.fetchval(
        """INSERT INTO adoptions (connection_id, plan_id, account, since, until, requested_by,
               created_at, confirmed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id""",
        connection_id,
        plan_id,
        window.account,
        window.since,
        window.until,
        requested_by,
        now,
        confirmed,
    )
    return adoption_id, plan_id


async def claim(conn: Connection, *, now: datetime, lease: timedelta) -> Adoption | None:
    """Claim an adoption that is being planned or applied and that no worker has."""
    return await plan_lease.claim(
        conn, "adoptions", PlanKind.ADOPTION, _adoption, now=now, lease=lease
    )


async def holds(conn: Connection, it: Adoption) -> bool:
    """Whether our claim is still valid; locks the row until this transaction ends."""
    return await plan_lease.holds(conn, "adoptions", it.id, it.fence)


async def let_go(conn: Connection, it: Adoption, until: datetime | None, *, tried: bool) -> None:
    """Release the claim from *until* on, or at once. *tried* counts an attempt without progress."""
    await conn.execute(
        """UPDATE adoptions SET lease_until = $3, tries = CASE WHEN $4 THEN tries + 1 ELSE 0 END
           WHERE id = $1 AND fence = $2""",
        it.id,
        it.fence,
        until,
        tried,
    )


async def advance(conn: Connection, it: Adoption, cursor: int) -> None:
    """Record that the candidates up to this ledger row are judged."""
    await conn.execute("UPDATE adoptions SET cursor = $2 WHERE id = $1", it.id, cursor)


async def sealed(conn: Connection, it: Adoption, now: datetime) -> None:
    """End planning, and count the pairs that can be adopted."""
    await conn.execute(
        """UPDATE adoptions SET sealed_at = $2, adoptable =
               (SELECT count(*) FROM plan_changes WHERE plan_id = $3 AND result IS NULL)
           WHERE id = $1""",
        it.id,
        now,
        it.plan_id,
    )


async def candidates(conn: Connection, connection_id: int, *, after: int, limit: int) -> list[Row]:
    """The rows of existing links that are not managed, in the order of their ids."""
    records = await conn.fetch(
        """SELECT * FROM ledger WHERE connection_id = $1 AND state = ANY($2) AND id > $3
           ORDER BY id LIMIT $4""",
        connection_id,
        _OPEN,
        after,
        limit,
    )
    return [row_value(record) for record in records]


async def agreed(conn: Connection, plan_id: int, *, limit: int) -> list[Agreed]:
    """Pairs of the plan that are not decided yet, in its order."""
    records = await conn.fetch(
        """SELECT * FROM plan_changes WHERE plan_id = $1 AND operation = 'adopt' AND result IS NULL
           ORDER BY site_id, type_id, source_id, destination_id LIMIT $2""",
        plan_id,
        limit,
    )
    return [
        Agreed(
            Place(
                it["plan_id"],
                it["site_id"],
                TypeId(str(it["type_id"])),
                IssueId(str(it["source_id"])),
                IssueId(str(it["destination_id"])),
                Operation(it["operation"]),
            ),
            LinkKey(
                TypeId(str(it["left_type_id"])), it["source_twin_id"], it["destination_twin_id"]
            ),
            LinkId(str(it["link_id"])),
        )
        for it in records
    ]


def _adoption(it: Record) -> Adoption:
    return Adoption(
        it["id"],
        it["connection_id"],
        it["plan_id"],
        Window(AccountId(it["account"]), it["since"], it["until"]),
        it["cursor"],
        it["planning"],
        it["approver"],
        it["fence"],
        it["tries"],
        it["confirmed"],
        it["twin_cursor"],
        it["surveyed"],
    )


async def adopted_from(
    conn: Connection, site: str, links: Sequence[LinkId]
) -> dict[LinkId, Tenure]:
    """Those of *links* on a site that a person approved to adopt, with the account that they were
    adopted from, keyed, until then: what it made later nobody adopted. Management that moved
    between connections is no adoption."""
    rows = await conn.fetch(
        """SELECT DISTINCT ON (link_id) link_id, at, evidence ->> 'account' AS account FROM audit
           WHERE site = $1 AND link_id = ANY($2::bigint[]) AND operation = 'adopt'
             AND status = 'applied' AND plan_id IS NOT NULL AND evidence ? 'account'
           ORDER BY link_id, id DESC""",
        site,
        [int(link) for link in links],
    )
    return {
        LinkId(str(row["link_id"])): Tenure(AccountId(row["account"]), until=row["at"])
        for row in rows
    }
