"""From issue keys, as a person names them, to the twins that they belong to."""

from collections.abc import Sequence

from app.core.config import Problem
from app.store.pool import Connection
from app.store.views import twins
from app.sync.runtime.refusals import invalid


async def twins_of(
    conn: Connection, connection_id: int, keys: Sequence[str], *, confined: bool
) -> list[int]:
    """Each twin once. Raises `Refused` naming every key that belongs to none; for a caller who is
    *confined* to connections, a key out of scope does."""
    found = await twins.by_keys(conn, connection_id, list(dict.fromkeys(keys)), confined=confined)
    unknown = [
        Problem(f"/issues/{at}", "belongs to no twin of this connection")
        for at, key in enumerate(keys)
        if key not in found
    ]
    if unknown:
        raise invalid(*unknown)
    return sorted({twin for ids in found.values() for twin in ids})
