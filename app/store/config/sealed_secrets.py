"""The encrypted secrets of all sites, to bind them to their places and to encrypt them again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.store.pool import Connection
from app.store.secret_homes import COLUMNS, Home


@dataclass(frozen=True, slots=True)
class SealedSite:
    """The secrets of one site: `sealed` bytes by column, without empty columns."""

    id: int
    home: Home
    sealed: Mapping[str, bytes] = field(repr=False)


async def site_ids(conn: Connection) -> list[int]:
    return [row["id"] for row in await conn.fetch("SELECT id FROM sites ORDER BY id")]


async def lock(conn: Connection, site_id: int) -> SealedSite | None:
    """The secrets of one site, locked until this transaction ends."""
    row = await conn.fetchrow(f"{_SELECT} WHERE id = $1 FOR NO KEY UPDATE", site_id)
    return None if row is None else _site(dict(row))


async def every(conn: Connection, *, lock: bool = False) -> list[SealedSite]:
    """*lock*: until this transaction ends."""
    query = f"{_SELECT} ORDER BY id{' FOR NO KEY UPDATE' if lock else ''}"
    return [_site(dict(row)) for row in await conn.fetch(query)]


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


async def binding_is_known(conn: Connection) -> bool:
    """Whether the schema is one that has `are_bound`."""
    found: bool = await conn.fetchval("SELECT to_regclass('secrets_bound') IS NOT NULL")
    return found


async def are_bound(conn: Connection) -> bool:
    """Whether every secret of this installation was bound to its place once. From then on one
    that is not has been put there by somebody else."""
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT FROM secrets_bound)")
    return found


async def say_bound(conn: Connection, now: datetime) -> None:
    """For good: the role of the service cannot take it back."""
    await conn.execute(
        "INSERT INTO secrets_bound (bound_at) VALUES ($1) ON CONFLICT DO NOTHING", now
    )


_SELECT = f"SELECT id, name, base_url, identity, ca_certificates, {', '.join(COLUMNS)} FROM sites"  # noqa: S608 - columns of ours


def _site(row: dict[str, object]) -> SealedSite:
    sealed = {name: held for name in COLUMNS if isinstance(held := row[name], bytes)}
    site_id, *home = (
        row[name] for name in ("id", "name", "base_url", "identity", "ca_certificates")
    )
    return SealedSite(int(str(site_id)), _home(*home), sealed)


def _home(site: object, base_url: object, *rest: object) -> Home:
    identity, authorities = (None if it is None else str(it) for it in rest)
    return Home(str(site), str(base_url), identity, authorities)
