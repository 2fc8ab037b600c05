"""Sites: where each Jira is, its sealed credentials, and its pins."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Literal

from app.core.links import AccountId
from app.core.own_accounts import Tenure
from app.store.pool import Connection, Row
from app.store.secret_homes import Home

Deployment = Literal["cloud", "datacenter"]
AuthKind = Literal["basic", "bearer", "oauth"]
ProxyKind = Literal["installation", "direct", "own"]

# Two sites that prove to be the same Jira must not both be pinned.
_ADMIN_LOCK = 0x7477_5341


@dataclass(frozen=True, slots=True)
class SiteRow:
    """`version` moves with every change that a client of the site must notice, pins included."""

    id: int
    name: str
    base_url: str
    web_url: str | None
    deployment: Deployment
    auth_kind: AuthKind
    auth_sealed: bytes = field(repr=False)
    webhook_secret_sealed: bytes = field(repr=False)
    previous_secret_sealed: bytes | None = field(repr=False)
    previous_secret_until: datetime | None
    account_dedicated: bool
    requests_per_second: float | None
    token_expires_at: datetime | None
    second_token: bool
    token_replaced_at: datetime | None
    webhook_basic: bool
    ca_certificates: str | None
    proxy_kind: ProxyKind
    proxy_sealed: bytes | None = field(repr=False)
    identity: str | None
    account_id: AccountId | None
    account_since: datetime | None
    former_accounts: tuple[Tenure, ...]
    checked_at: datetime | None
    circuit_open_since: datetime | None
    locked_since: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def pinned(self) -> bool:
        return self.identity is not None and self.account_id is not None

    @property
    def home(self) -> Home:
        return Home(self.name, self.base_url, self.identity, self.ca_certificates)


@dataclass(frozen=True, slots=True)
class SiteValues:
    """The settings of an administrator, with sealed secrets."""

    base_url: str
    web_url: str | None
    deployment: Deployment
    auth_kind: AuthKind
    auth_sealed: bytes = field(repr=False)
    webhook_secret_sealed: bytes = field(repr=False)
    previous_secret_sealed: bytes | None = field(repr=False)
    previous_secret_until: datetime | None
    account_dedicated: bool
    requests_per_second: float | None = None
    token_expires_at: datetime | None = None
    second_token: bool = False
    token_replaced_at: datetime | None = None
    webhook_basic: bool = False
    ca_certificates: str | None = None
    proxy_kind: ProxyKind = "installation"
    proxy_sealed: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Pins:
    """The identity and account at the first successful check."""

    identity: str | None
    account_id: AccountId | None


_COLUMNS = ", ".join(f.name for f in fields(SiteRow))
_VALUES = tuple(f.name for f in fields(SiteValues))


async def by_name(conn: Connection, name: str) -> SiteRow | None:
    return _site(await conn.fetchrow(f"SELECT {_COLUMNS} FROM sites WHERE name = $1", name))  # noqa: S608 - column names of ours


async def by_id(conn: Connection, site_id: int) -> SiteRow | None:
    return _site(await conn.fetchrow(f"SELECT {_COLUMNS} FROM sites WHERE id = $1", site_id))  # noqa: S608


async def lock(conn: Connection, name: str) -> SiteRow | None:
    """The site, locked until this transaction ends."""
    query = f"SELECT {_COLUMNS} FROM sites WHERE name = $1 FOR NO KEY UPDATE"  # noqa: S608
    return _site(await conn.fetchrow(query, name))


async def lock_admin(conn: Connection) -> None:
    """Allow one change of a site at a time, over all API processes."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _ADMIN_LOCK)


async def with_identity(conn: Connection, identity: str, *, other_than: str) -> str | None:
    """The name of another site that is pinned to this Jira."""
    found: str | None = await conn.fetchval(
        "SELECT name FROM sites WHERE identity = $1 AND name <> $2", identity, other_than
    )
    return found


async def page(
    conn: Connection, *, within: Sequence[int] | None, after: str, limit: int
) -> list[SiteRow]:
    """Sites in the order of their names; with *within*, only the sites of these connections."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM sites s WHERE name > $1
          AND ($2::bigint[] IS NULL OR EXISTS (SELECT 1 FROM connections c
               WHERE c.id = ANY($2) AND c.deleted_at IS NULL
                 AND s.id IN (c.left_site_id, c.right_site_id)))
        ORDER BY name LIMIT $3
        """,  # noqa: S608
        after,
        within,
        limit,
    )
    return [_row(row) for row in rows]


async def insert(
    conn: Connection, name: str, values: SiteValues, pins: Pins, now: datetime
) -> int | None:
    """The new site's id; None if the name was taken meanwhile."""
    columns = ", ".join(_VALUES)
    marks = ", ".join(f"${at}" for at in range(5, 5 + len(_VALUES)))
    site_id: int | None = await conn.fetchval(
        f"""
        INSERT INTO sites
            (name, identity, account_id, created_at, updated_at, checked_at, {columns})
        VALUES ($1, $2, $3, $4, $4,
                CASE WHEN $2::text IS NOT NULL THEN $4::timestamptz END, {marks})
        ON CONFLICT (name) DO NOTHING RETURNING id
        """,  # noqa: S608
        name,
        pins.identity,
        pins.account_id,
        now,
        *(getattr(values, name) for name in _VALUES),
    )
    return site_id


async def update(
    conn: Connection, site_id: int, values: SiteValues, pins: Pins, now: datetime
) -> None:
    """Write all settings and pins, and raise the version. Keeps a replaced account and its time."""
    sets = ", ".join(f"{name} = ${at}" for at, name in enumerate(_VALUES, start=5))
    await conn.execute(
        f"""
        UPDATE sites SET identity = $2, account_id = $3, updated_at = $4, version = version + 1,
               -- What the former account made is ours for its time; of the first one, always.
               former_accounts = former_accounts || CASE
                   WHEN account_id IS DISTINCT FROM $3 AND account_id IS NOT NULL
                   THEN jsonb_build_array(jsonb_build_object('account', account_id,
                       'since', account_since, 'until', $4::timestamptz))
                   ELSE '[]' END,
               account_since = CASE
                   WHEN account_id IS NOT DISTINCT FROM $3 THEN account_since
                   WHEN account_id IS NULL AND former_accounts = '[]' THEN NULL
                   ELSE $4::timestamptz END,
               {sets} WHERE id = $1
        """,  # noqa: S608
        site_id,
        pins.identity,
        pins.account_id,
        now,
        *(getattr(values, name) for name in _VALUES),
    )


async def record_lock(conn: Connection, site_id: int, version: int, now: datetime) -> bool:
    """Lock the site, because a caller that read it at *version* got a request for a CAPTCHA. False
    if it has changed since: a late answer must not undo the unlock of a person."""
    status: str = await conn.execute(
        """UPDATE sites SET locked_since = $3, version = version + 1
           WHERE id = $1 AND version = $2 AND locked_since IS NULL""",
        site_id,
        version,
        now,
    )
    return status == "UPDATE 1"


async def unlock(conn: Connection, site_id: int) -> bool:
    """Calls go again, and the site is polled at once; until that has ended its silence is no
    news. Whether it was locked."""
    status: str = await conn.execute(
        """UPDATE sites SET locked_since = NULL, version = version + 1,
               poll_due_at = to_timestamp(0)
           WHERE id = $1 AND locked_since IS NOT NULL""",
        site_id,
    )
    return status == "UPDATE 1"


async def record_check(conn: Connection, site_id: int, pins: Pins, now: datetime) -> None:
    """Record a successful check. Pins never change; the version moves only if one was set."""
    await conn.execute(
        """
        UPDATE sites SET checked_at = $4,
               identity = coalesce(identity, $2), account_id = coalesce(account_id, $3),
               account_since = CASE WHEN account_id IS NULL AND former_accounts <> '[]'
                   THEN $4::timestamptz ELSE account_since END,
               version = version + CASE WHEN (identity IS NULL AND $2::text IS NOT NULL)
                   OR (account_id IS NULL AND $3::text IS NOT NULL) THEN 1 ELSE 0 END
        WHERE id = $1
        """,
        site_id,
        pins.identity,
        pins.account_id,
        now,
    )


async def replace_token(
    conn: Connection, site_id: int, version: int, sealed: bytes, now: datetime
) -> bool:
    """Store the second token as the only one, if the site is as it was read at *version*. When it
    expires is not known."""
    status: str = await conn.execute(
        """UPDATE sites SET auth_sealed = $3, second_token = false, token_replaced_at = $4,
               token_expires_at = NULL, version = version + 1, updated_at = $4
           WHERE id = $1 AND version = $2 AND second_token""",
        site_id,
        version,
        sealed,
        now,
    )
    return status == "UPDATE 1"


@dataclass(frozen=True, slots=True)
class Users:
    """Names of the connections that join a site, and of those that did before they were deleted:
    their audit names it."""

    living: tuple[str, ...]
    deleted: tuple[str, ...]


async def users(conn: Connection, site_id: int) -> Users:
    rows = await conn.fetch(
        """SELECT name, deleted_at IS NULL AS living FROM connections
           WHERE $1 IN (left_site_id, right_site_id) ORDER BY name""",
        site_id,
    )
    living = tuple(row["name"] for row in rows if row["living"])
    return Users(living, tuple(row["name"] for row in rows if not row["living"]))


async def is_joined_by(conn: Connection, site_id: int, connections: Sequence[int]) -> bool:
    """Whether one of these living connections joins the site."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM connections WHERE $1 IN (left_site_id, right_site_id)
            AND deleted_at IS NULL AND id = ANY($2))
        """,
        site_id,
        connections,
    )
    return found


async def writers(conn: Connection, site_id: int) -> list[str]:
    """Names of the connections on this site that may write."""
    rows = await conn.fetch(
        """
        SELECT name FROM connections WHERE $1 IN (left_site_id, right_site_id)
          AND deleted_at IS NULL AND mode <> 'shadow' ORDER BY name
        """,
        site_id,
    )
    return [row["name"] for row in rows]


async def delete(conn: Connection, site_id: int) -> None:
    """Delete the site and its deliveries. Only for a site that no connection has ever used."""
    await conn.execute("DELETE FROM inbox WHERE site_id = $1", site_id)
    await conn.execute("DELETE FROM sites WHERE id = $1", site_id)


def _site(row: Row | None) -> SiteRow | None:
    return None if row is None else _row(row)


def _row(row: Row) -> SiteRow:
    values = dict(row)
    former = tuple(_tenure(it) for it in values.pop("former_accounts"))
    return SiteRow(**values, former_accounts=former)


def _tenure(stored: dict[str, str | None]) -> Tenure:
    since, until = (
        None if at is None else datetime.fromisoformat(at)
        for at in (stored["since"], stored["until"])
    )
    return Tenure(AccountId(stored["account"] or ""), since, until)
