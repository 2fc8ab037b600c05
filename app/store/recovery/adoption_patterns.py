"""What an account that is to be adopted wrote besides, counted page by page while it is planned."""

from datetime import datetime

from app.core.adoption import Pattern
from app.core.links import AccountId
from app.store.pool import Connection
from app.store.recovery.adoptions import Adoption


async def add(conn: Connection, it: Adoption, page: Pattern, *, cursor: int) -> None:
    """The twins up to *cursor* are counted."""
    await conn.execute(
        """UPDATE adoptions SET twin_cursor = $2, paired = paired + $3, unpaired = unpaired + $4
           WHERE id = $1""",
        it.id,
        cursor,
        page.paired,
        page.unpaired,
    )


async def counted(conn: Connection, it: Adoption) -> None:
    """All twins are."""
    await conn.execute("UPDATE adoptions SET surveyed = true WHERE id = $1", it.id)


async def of(conn: Connection, it: Adoption) -> Pattern:
    row = await conn.fetchrow("SELECT paired, unpaired FROM adoptions WHERE id = $1", it.id)
    assert row is not None
    return Pattern(row["paired"], row["unpaired"])


async def refuse(conn: Connection, it: Adoption, now: datetime) -> None:
    """End it, with every pair that would have been taken over left alone."""
    await conn.execute(
        """UPDATE plan_changes SET result = 'skipped:account_unconfirmed'
           WHERE plan_id = $1 AND result IS NULL""",
        it.plan_id,
    )
    await conn.execute("UPDATE adoptions SET refused_at = $2 WHERE id = $1", it.id, now)


async def refused_since(
    conn: Connection, connection_id: int, account: AccountId, since: datetime
) -> Pattern | None:
    """The numbers for which the last adoption of this account was refused, if after *since*."""
    row = await conn.fetchrow(
        """SELECT paired, unpaired, refused_at FROM adoptions
           WHERE connection_id = $1 AND account = $2 ORDER BY id DESC LIMIT 1""",
        connection_id,
        account,
    )
    if row is None or row["refused_at"] is None or row["refused_at"] <= since:
        return None
    return Pattern(row["paired"], row["unpaired"])
