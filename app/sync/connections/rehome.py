"""Re-homing: a site has moved to another Jira, and its connections follow by a plan.

Each connection of the former site gets a successor that joins the new one: the same projects, types
by name, and whatever protects links; paused until its plan is applied, and in review from then on,
so that nothing is removed because of the move. The former connection stays, paused, with what was
not carried over: a phased migration re-homes it again and again. Nothing in Jira changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from app.core.config import Mode, Problem, TwinSource
from app.core.links import Side
from app.store.config import active_connection, connections, sites
from app.store.config.connections import ConnectionRow
from app.store.config.sites import SiteRow
from app.store.pool import Connection
from app.store.recovery import rehomings
from app.sync.connections.admin import ConnectionAdmin, refuse_conflicts
from app.sync.connections.spec import ConnectionSpec, TypeWish
from app.sync.connections.switches import refuse_unready
from app.sync.runtime.refusals import Refused, invalid

_LOG = structlog.get_logger(__name__)

PAUSED_BY = "rehoming"


@dataclass(frozen=True, slots=True)
class Asked:
    id: int
    former: str
    connection: str
    plan_id: int


async def request(
    admin: ConnectionAdmin,
    site: SiteRow,
    to: str,
    connection: str | None,
    *,
    by: str,
    now: datetime,
) -> list[Asked]:
    """Plan to carry over the connections of *site*, or one of them, to the site *to*. Raises
    `Refused`, and `TransientError` where a site had to be asked and is away."""
    async with admin.database.connection() as conn:
        new = await sites.by_name(conn, to)
        rows = [
            await connections.by_id(conn, it) for it in await connections.of_site(conn, site.id)
        ]
    if new is None or new.id == site.id:
        raise invalid(Problem("/to", "there is no such other site"))
    if not new.pinned:
        raise Refused("site_unchecked", f"check the site {new.name} first")
    if not new.account_dedicated:
        raise Refused("account_not_dedicated", f"declare it on the site {new.name}")
    chosen = [
        row
        for row in rows
        if row is not None
        and connection in (None, row.name)
        and new.id not in (row.left_site_id, row.right_site_id)
    ]
    if not chosen:
        raise invalid(Problem("/connection", f"{site.name} is joined by no such connection"))
    return [await _one(admin, row, site, new, by=by, now=now) for row in chosen]


async def _one(
    admin: ConnectionAdmin,
    row: ConnectionRow,
    site: SiteRow,
    new: SiteRow,
    *,
    by: str,
    now: datetime,
) -> Asked:
    side = Side.LEFT if row.left_site_id == site.id else Side.RIGHT
    _, config = await admin.resolve(_spec(row, side, new))
    ends = {side: new.id, side.other: row.site_id(side.other)}
    async with admin.database.transaction() as conn:
        await connections.lock_admin(conn)
        await active_connection.lock_sites(conn, set(ends.values()))
        await _refuse_busy(conn, row)
        target = await rehomings.target(conn, row.id, new.id)
        if target is None:
            name = f"{row.name}-{new.name}"
            await refuse_conflicts(conn, name, ends, None, config)
            if await connections.by_name(conn, name) is not None:
                raise Refused("concurrent_change", f"there is a connection {name} already")
            pair = (ends[Side.LEFT], ends[Side.RIGHT])
            target = await connections.insert(conn, name, pair, config, author=by, now=now)
            mode = min(row.mode, Mode.REVIEW, key=lambda it: it.rank)
            if mode is not Mode.SHADOW:
                await refuse_unready(conn, ends)
            await connections.set_mode(conn, target, mode)
            await connections.set_paused(conn, target, at=now, by=PAUSED_BY)
        made, plan_id = await rehomings.insert(conn, row.id, target, side, requested_by=by, now=now)
        successor = await connections.by_id(conn, target)
    assert successor is not None
    _LOG.warning("rehoming_asked", former=row.name, connection=successor.name, plan=plan_id, by=by)
    return Asked(made, row.name, successor.name, plan_id)


async def _refuse_busy(conn: Connection, row: ConnectionRow) -> None:
    if await rehomings.under_way(conn, row.id):
        raise Refused("concurrent_change", f"a plan to re-home {row.name} is open")


def _spec(row: ConnectionRow, side: Side, new: SiteRow) -> ConnectionSpec:
    """The same with the new site on one side: types by name there, by id on the other."""
    config = row.config
    wishes: Sequence[TypeWish] = [
        TypeWish(
            *side.order(pair.on(side).name, str(pair.on(side.other).id)), reversed=pair.reversed
        )
        for pair in config.link_types
    ]
    moved = replace(config.end(side), site=new.name)
    left, right = side.order(moved, config.end(side.other))
    # Custom fields have other ids there; keys in a field of the side that stays still lead there.
    twins = TwinSource() if config.twins.side is side else config.twins
    return ConnectionSpec(
        left=left,
        right=right,
        direction=config.direction,
        link_types=tuple(wishes),
        on_mirror_removed=config.on_mirror_removed,
        on_issue_deleted=config.on_issue_deleted,
        guard=config.guard,
        twins=twins,
        approvals=config.approvals,
    )
