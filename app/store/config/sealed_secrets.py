"""Everything that is sealed at rest, named, so that it can be sealed anew with another key.

A column that holds sealed bytes has to stand here: a test compares this with the schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from app.store.pool import Connection

COLUMNS: Final = ("auth_sealed", "webhook_secret_sealed", "previous_secret_sealed")
"""Of `sites`, the only table with secrets that can be read back."""


@dataclass(frozen=True, slots=True)
class SealedSite:
    """`sealed` by column; a column that holds nothing is left out."""

    id: int
    name: str
    sealed: Mapping[str, bytes] = field(repr=False)


async def site_ids(conn: Connection) -> list[int]:
    return [row["id"] for row in await conn.fetch("SELECT id FROM sites ORDER BY id")]


async def lock(conn: Connection, site_id: int) -> SealedSite | None:
    """One site's secrets, which nobody else changes until this transaction ends."""
    row = await conn.fetchrow(f"{_SELECT} WHERE id = $1 FOR NO KEY UPDATE", site_id)
    return None if row is None else _site(dict(row))


async def every(conn: Connection) -> list[SealedSite]:
    return [_site(dict(row)) for row in await conn.fetch(f"{_SELECT} ORDER BY id")]


async def store(conn: Connection, site_id: int, sealed: Mapping[str, bytes]) -> None:
    """The version moves: whoever read the site before and stores it now is told to read again,
    else he would put back what the former key sealed."""
    sets = ", ".join(f"{column} = ${at}" for at, column in enumerate(sealed, start=2))
    await conn.execute(
        f"UPDATE sites SET version = version + 1, {sets} WHERE id = $1",  # noqa: S608
        site_id,
        *sealed.values(),
    )


async def forget_replaced(conn: Connection, now: datetime) -> int:
    """Webhook secrets that were replaced and whose day is over: nothing may use them."""
    rows = await conn.fetch(
        """
        UPDATE sites SET previous_secret_sealed = NULL, previous_secret_until = NULL,
               version = version + 1
        WHERE previous_secret_sealed IS NOT NULL AND previous_secret_until <= $1 RETURNING id
        """,
        now,
    )
    return len(rows)


_SELECT = f"SELECT id, name, {', '.join(COLUMNS)} FROM sites"  # noqa: S608 - columns of ours


def _site(row: dict[str, object]) -> SealedSite:
    sealed = {name: held for name in COLUMNS if isinstance(held := row[name], bytes)}
    return SealedSite(int(str(row["id"])), str(row["name"]), sealed)
