"""API tokens. Only the SHA-256 of a token's text is kept: the text has 256 random bits, so a
plain hash is enough and cannot be reversed."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.store.pool import Connection, Row

PREFIX = "twl_"
BOOTSTRAP = "bootstrap"
"""Instead of an id: the administrator's token of the environment, which has no row."""
_OURS = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
# `last_used_at` is for people, who do not need a write per request.
_USE_RECORDED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """`confined_to` are ids of connections, `connections` their names; None means all."""

    id: int
    role: str
    owner: str
    confined_to: list[int] | None
    connections: list[str] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None


_COLUMNS = """
    id, role, owner, confined_to, created_at, created_by, expires_at, last_used_at,
    CASE WHEN confined_to IS NOT NULL THEN ARRAY(
        SELECT name FROM connections c WHERE c.id = ANY(confined_to) ORDER BY name) END
        AS connections
"""


def new_text() -> str:
    """A new token: 256 random bits after the prefix that marks it as ours."""
    return PREFIX + secrets.token_urlsafe(32)


def is_unguessable(text: str) -> bool:
    """Whether the text has the form of a token, which cannot be guessed."""
    return _OURS.fullmatch(text) is not None


def digest(text: str) -> bytes:
    """What is stored of a token: SHA-256, which is enough for a text that cannot be guessed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


async def insert(
    conn: Connection,
    text: str,
    *,
    role: str,
    owner: str,
    confined_to: Sequence[int] | None,
    created_by: str,
    expires_at: datetime | None,
    now: datetime,
) -> TokenRow:
    [row] = await conn.fetch(
        f"""
        INSERT INTO tokens (hash, role, owner, confined_to, created_by, expires_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_COLUMNS}
        """,  # noqa: S608 - column names of ours
        digest(text),
        role,
        owner,
        confined_to,
        created_by,
        expires_at,
        now,
    )
    return _token(row)


async def authenticate(conn: Connection, text: str, now: datetime) -> TokenRow | None:
    """The token with this text, if it is neither revoked nor expired."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM tokens WHERE hash = $1 AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > $2)
        """,  # noqa: S608
        digest(text),
        now,
    )
    if row is None:
        return None
    await _record_use(conn, row, now)
    return _token(row)


async def by_id(conn: Connection, token_id: int, now: datetime) -> TokenRow | None:
    """The token, if it is neither revoked nor expired."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM tokens WHERE id = $1 AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > $2)
        """,  # noqa: S608
        token_id,
        now,
    )
    return None if row is None else _token(row)


async def page(conn: Connection, *, after: int, limit: int) -> list[TokenRow]:
    """Tokens that are not revoked, oldest first."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM tokens WHERE revoked_at IS NULL AND id > $1 ORDER BY id LIMIT $2",  # noqa: S608
        after,
        limit,
    )
    return [_token(row) for row in rows]


async def any_confined(conn: Connection, now: datetime) -> bool:
    """Whether a valid token is confined to connections."""
    found: bool = await conn.fetchval(
        """SELECT EXISTS (SELECT FROM tokens WHERE confined_to IS NOT NULL AND revoked_at IS NULL
               AND (expires_at IS NULL OR expires_at > $1))""",
        now,
    )
    return found


async def forget_connection(conn: Connection, connection_id: int) -> None:
    """Remove a deleted connection from the tokens that are confined to it. They stay confined to
    the others, even to none: such a token reaches nothing."""
    await conn.execute(
        "UPDATE tokens SET confined_to = array_remove(confined_to, $1) WHERE $1 = ANY(confined_to)",
        connection_id,
    )


async def revoke(conn: Connection, token_id: int, now: datetime) -> bool:
    """Revoke a token, and keep its row. False if there is none or it was revoked before."""
    done = await conn.fetchval(
        "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING true",
        token_id,
        now,
    )
    return bool(done)


async def _record_use(conn: Connection, row: Row, now: datetime) -> None:
    used: datetime | None = row["last_used_at"]
    if used is None or now - used >= _USE_RECORDED_EVERY:
        await conn.execute("UPDATE tokens SET last_used_at = $2 WHERE id = $1", row["id"], now)


def _token(row: Row) -> TokenRow:
    return TokenRow(**dict(row))
