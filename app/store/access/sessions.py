"""Sessions of the console, and links that sign in once. Only hashes of their secrets are kept.

A session is the sign-in of one token and ends with it: revoking the token ends its sessions.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.store.pool import Connection, Row

SIGNED_IN = "twinlink.signed_in"
"""Where a request that is made inside the process carries whose session it acts for, as
`SignedIn`. It lies in the ASGI scope, which nothing that comes over a socket can fill."""
IDLE = timedelta(hours=2)
"""An unused session ends after this time."""
LONGEST = timedelta(hours=12)
"""Every session ends after this time, used or not."""
LINK_LIVES = timedelta(minutes=10)
_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose session it is. `token_id` None: the administrator's token of the environment, whose
    digest must still be `token_hash`."""

    token_id: int | None
    token_hash: bytes
    owner: str


async def start(conn: Connection, digest: bytes, who: SignedIn, now: datetime) -> None:
    """*digest* is the SHA-256 of the cookie."""
    await conn.execute(
        """INSERT INTO sessions (hash, token_id, token_hash, owner, created_at, seen_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $5, $6)""",
        digest,
        who.token_id,
        who.token_hash,
        who.owner,
        now,
        now + LONGEST,
    )


async def find(conn: Connection, digest: bytes, now: datetime) -> SignedIn | None:
    """The session of this cookie, if it is neither idle too long nor too old."""
    row = await conn.fetchrow(
        "SELECT * FROM sessions WHERE hash = $1 AND expires_at > $2 AND seen_at > $3",
        digest,
        now,
        now - IDLE,
    )
    if row is None:
        return None
    if now - row["seen_at"] >= _SEEN_EVERY:
        await conn.execute("UPDATE sessions SET seen_at = $2 WHERE hash = $1", digest, now)
    return _signed_in(row)


async def end(conn: Connection, digest: bytes) -> None:
    await conn.execute("DELETE FROM sessions WHERE hash = $1", digest)


async def end_all(conn: Connection, who: SignedIn) -> None:
    """Delete every session of the same token."""
    await conn.execute("DELETE FROM sessions WHERE token_hash = $1", who.token_hash)


async def purge(conn: Connection, now: datetime) -> None:
    """Delete ended sessions and links. Each sign-in calls it, so it needs no timer."""
    await conn.execute(
        "DELETE FROM sessions WHERE expires_at <= $1 OR seen_at <= $2", now, now - IDLE
    )
    await conn.execute("DELETE FROM sign_in_links WHERE expires_at <= $1", now)


async def put_link(conn: Connection, digest: bytes, token_hash: bytes, now: datetime) -> None:
    """Store a link that signs in once with the token of this hash."""
    await conn.execute(
        "INSERT INTO sign_in_links (hash, token_hash, expires_at) VALUES ($1, $2, $3)",
        digest,
        token_hash,
        now + LINK_LIVES,
    )


async def take_link(conn: Connection, digest: bytes, now: datetime) -> bytes | None:
    """Use the link, which works once: the hash of its token, or None."""
    token_hash: bytes | None = await conn.fetchval(
        "DELETE FROM sign_in_links WHERE hash = $1 AND expires_at > $2 RETURNING token_hash",
        digest,
        now,
    )
    return token_hash


def _signed_in(row: Row) -> SignedIn:
    return SignedIn(row["token_id"], bytes(row["token_hash"]), row["owner"])
