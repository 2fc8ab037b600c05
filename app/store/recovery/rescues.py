"""Rescues: which connections read a site, and the links that were found missing there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.chain import instant
from app.core.links import AccountId
from app.core.own_accounts import Tenure
from app.core.rescue import Removed
from app.store.config import sites
from app.store.pool import Connection
from app.store.recovery.restores import Restore


@dataclass(frozen=True, slots=True)
class Lost:
    """A link that another account removed, and the connection that puts it back."""

    connection_id: int
    link: Removed


async def is_own_account(
    conn: Connection, site: int, account: AccountId, since: datetime, until: datetime
) -> bool:
    """Whether this was an account of the installation on the site within that time."""
    row = await sites.by_id(conn, site)
    if row is None:
        return False
    present = () if row.account_id is None else (Tenure(row.account_id, row.account_since),)
    return any(
        it.account == account
        and (it.since is None or it.since < until)
        and (it.until is None or it.until > since)
        for it in (*row.former_accounts, *present)
    )


async def connections_of(conn: Connection, site: int) -> list[int]:
    """The live connections of a site, oldest first."""
    rows = await conn.fetch(
        """SELECT id FROM connections WHERE $1 IN (left_site_id, right_site_id)
           AND deleted_at IS NULL ORDER BY id""",
        site,
    )
    return [row["id"] for row in rows]


async def put(conn: Connection, it: Restore, lost: Sequence[Lost], *, now: datetime) -> None:
    """Add links to the plan; they are surveyed like any other links to put back."""
    await conn.executemany(
        """INSERT INTO plan_changes (plan_id, operation, connection_id, site_id, type_id,
               source_id, source_key, destination_id, destination_key, reason, evidence, surveyed,
               created_at)
           VALUES ($1, 'create', $2, $3, $4, $5, $6, $7, $8, 'removed', $9, false, $10)
           ON CONFLICT DO NOTHING""",
        [
            (
                it.plan_id,
                found.connection_id,
                it.site,
                int(found.link.kind.id),
                int(found.link.source.id),
                found.link.source.key,
                int(found.link.destination.id),
                found.link.destination.key,
                {"former": "unmanaged", "removed_at": instant(found.link.at)},
                now,
            )
            for found in lost
        ],
    )
