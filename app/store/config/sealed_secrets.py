"""All columns that hold encrypted secrets, so that a rotation can encrypt them with a new key.

Every column with sealed bytes must be listed here; a test compares this with the schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from app.store.pool import Connection

WEBHOOK: Final = "webhook_secret_sealed"
COLUMNS: Final = ("auth_sealed", WEBHOOK, "previous_secret_sealed", "proxy_sealed")
"""Columns of `sites`, the only table with secrets that can be read back."""


@dataclass(frozen=True, slots=True)
class SealedSite:
    """The secrets of one site: `sealed` bytes by column, without empty columns."""

    id: int
    name: str
    sealed: Mapping[str, bytes] = field(repr=False)


async def site_ids(conn: Connection) -> list[int]:
    return [row["id"] for row in await conn.fetch("SELECT id FROM sites ORDER BY id")]


async def lock(conn: Connection, site_id: int) -> SealedSite | None:
    """The secrets of one site, locked until this transaction ends."""
    row = await conn.fetchrow(f"{_SELECT} WHERE id = $1 FOR NO KEY UPDATE", site_id)
    return None if row is None else _site(dict(row))


async def every(conn: Connection) -> list[SealedSite]:
    return [_site(dict(row)) for row in await conn.fetch(f"{_SELECT} ORDER BY id")]


async def store(conn: Connection, site_id: int, sealed: Mapping[str, bytes]) -> None:
    """Store new sealed bytes and raise the version, so that a concurrent change of the site must
    read it again and cannot put back bytes that the old key sealed."""
    sets = ", ".join(f"{column} = ${at}" for at, column in enumerate(sealed, start=2))
    await conn.execute(
        f"UPDATE sites SET version = version + 1, {sets} WHERE id = $1",  # noqa: S608
        site_id,
        *sealed.values(),
    )


async def forget_replaced(conn: Connection, now: datetime) -> int:
    """Delete replaced webhook secrets after their last day; nothing may use them."""
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
