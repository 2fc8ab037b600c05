"""The audit: one append-only table, hash-chained per connection. See `core.chain`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.core.chain import GENESIS, instant, link
from app.core.operations import Operation, Status
from app.store.links import made_links
from app.store.links.made_links import NewlyMade
from app.store.pool import Connection, Row
from app.store.queue.work import Cause


@dataclass(frozen=True, slots=True)
class Entry:
    """An audit row to append.

    `evidence` holds words, identifiers and times as text; never issue content.
    """

    site: str
    operation: Operation
    status: Status
    link_id: str | None
    type_id: str
    type: str
    source_id: str
    source_key: str
    destination_id: str
    destination_key: str
    managed: bool
    cause: Cause
    revision: int
    intent_id: int | None = None
    plan_id: int | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    actor: str = "twinlink"


async def append(
    conn: Connection,
    connection_id: int,
    connection: str,
    entries: Sequence[Entry],
    *,
    engine: str,
    now: datetime,
) -> int:
    """Extend the chain of a connection; answers the new head's sequence number. What it says we
    made or adopted is known as such from this transaction on.

    The caller's transaction holds the connection's row lock, so that heads never fork and
    locks are always taken in one order.
    """
    head = await _lock_head(conn, connection_id)
    seq: int = head["seq"]
    previous = bytes(head["hash"])
    records = []
    for entry in entries:
        seq += 1
        fields = _fields(entry, connection_id, connection, seq, engine, now)
        following = link(previous, fields)
        records.append(_record(fields, now, previous, following))
        previous = following
    await conn.copy_records_to_table("audit", records=records, columns=_COLUMNS)
    made = [it for entry in entries if (it := _made(entry)) is not None]
    if made:
        await made_links.put(conn, made, now)
    await conn.execute(
        "UPDATE audit_heads SET seq = $2, hash = $3 WHERE connection_id = $1",
        connection_id,
        seq,
        previous,
    )
    await _count(conn, connection_id, entries, now)
    return seq


async def _count(
    conn: Connection, connection_id: int, entries: Sequence[Entry], now: datetime
) -> None:
    """Add the numbers of links made and removed to their hour."""
    done = [entry.operation for entry in entries if entry.status is Status.APPLIED]
    created, removed = done.count(Operation.CREATE), done.count(Operation.REMOVE)
    if created or removed:
        await conn.execute(
            """INSERT INTO activity_hours (connection_id, hour, created, removed)
               VALUES ($1, date_trunc('hour', $2::timestamptz, 'UTC'), $3, $4)
               ON CONFLICT (connection_id, hour) DO UPDATE SET
                   created = activity_hours.created + excluded.created,
                   removed = activity_hours.removed + excluded.removed""",
            connection_id,
            now,
            created,
            removed,
        )


def _made(entry: Entry) -> NewlyMade | None:
    """The link that an outcome says is ours by our own doing. What a rescue put back is not: it
    belongs to those whose link another tool removed."""
    if entry.operation not in (Operation.CREATE, Operation.ADOPT):
        return None
    if entry.status is not Status.APPLIED or not entry.managed or entry.link_id is None:
        return None
    return NewlyMade(
        site=entry.site,
        link_id=entry.link_id,
        type_id=entry.type_id,
        source_id=entry.source_id,
        destination_id=entry.destination_id,
        adopted=entry.operation is Operation.ADOPT and entry.evidence.get("account") is not None,
        doubted=entry.evidence.get("outcome") == "read_back_unknown",
    )


async def heads(conn: Connection) -> list[dict[str, Any]]:
    """Every chain's head: to be logged and kept elsewhere, as proof of the chain's length."""
    rows = await conn.fetch(
        """SELECT h.connection_id, c.name, h.seq, h.hash FROM audit_heads h
           JOIN connections c ON c.id = h.connection_id ORDER BY h.connection_id"""
    )
    return [
        {
            "chain": str(row["connection_id"]),
            "connection": row["name"],
            "seq": row["seq"],
            "hash": bytes(row["hash"]).hex(),
        }
        for row in rows
    ]


async def chain_rows(
    conn: Connection, connection_id: int, *, after: int = 0
) -> AsyncIterator[dict[str, Any]]:
    """One chain in order, as `exported` rows, in flat memory. Needs a transaction."""
    query = "SELECT * FROM audit WHERE connection_id = $1 AND seq > $2 ORDER BY seq"
    async for row in conn.cursor(query, connection_id, after, prefetch=1000):
        yield exported(row)


async def rights(conn: Connection) -> list[str]:
    """What this role may do to existing rows: nothing, if the roles are set up correctly."""
    rows = await conn.fetch(
        """SELECT right_name FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS right_name
           WHERE has_table_privilege('audit', right_name)"""
    )
    return [row["right_name"] for row in rows]


def exported(row: Row) -> dict[str, Any]:
    """A stored row in the form that is hashed and exported, complete for an offline check."""
    return {
        "id": str(row["id"]),
        "chain": str(row["connection_id"]),
        "seq": row["seq"],
        "at": instant(row["at"]),
        "connection": row["connection"],
        "site": row["site"],
        "operation": row["operation"],
        "status": row["status"],
        "link_id": _text(row["link_id"]),
        "type_id": str(row["type_id"]),
        "type": row["type"],
        "source": {"id": str(row["source_id"]), "key": row["source_key"]},
        "destination": {"id": str(row["destination_id"]), "key": row["destination_key"]},
        "managed": row["managed"],
        "cause": {"kind": row["cause_kind"], "id": row["cause_id"]},
        "intent_id": _text(row["intent_id"]),
        "plan_id": _text(row["plan_id"]),
        "revision": row["revision"],
        "engine": row["engine"],
        "evidence": row["evidence"],
        "actor": row["actor"],
        "prev_hash": bytes(row["prev_hash"]).hex(),
        "hash": bytes(row["hash"]).hex(),
    }


async def _lock_head(conn: Connection, connection_id: int) -> Row:
    await conn.execute(
        "INSERT INTO audit_heads (connection_id, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        connection_id,
        GENESIS,
    )
    head = await conn.fetchrow(
        "SELECT seq, hash FROM audit_heads WHERE connection_id = $1 FOR UPDATE", connection_id
    )
    assert head is not None
    return head


def _fields(
    entry: Entry, connection_id: int, connection: str, seq: int, engine: str, now: datetime
) -> dict[str, Any]:
    return {
        "chain": str(connection_id),
        "seq": seq,
        "at": instant(now),
        "connection": connection,
        "site": entry.site,
        "operation": entry.operation.value,
        "status": entry.status.value,
        "link_id": entry.link_id,
        "type_id": entry.type_id,
        "type": entry.type,
        "source": {"id": entry.source_id, "key": entry.source_key},
        "destination": {"id": entry.destination_id, "key": entry.destination_key},
        "managed": entry.managed,
        "cause": {"kind": entry.cause.kind, "id": entry.cause.id},
        "intent_id": _text(entry.intent_id),
        "plan_id": _text(entry.plan_id),
        "revision": entry.revision,
        "engine": engine,
        "evidence": dict(entry.evidence),
        "actor": entry.actor,
    }


_COLUMNS = (
    "connection_id", "seq", "at", "connection", "site", "operation", "status", "link_id",
    "type_id", "type", "source_id", "source_key", "destination_id", "destination_key", "managed",
    "cause_kind", "cause_id", "intent_id", "plan_id", "revision", "engine", "evidence", "actor",
    "prev_hash", "hash",
)  # fmt: skip


def _record(
    fields: Mapping[str, Any], now: datetime, previous: bytes, following: bytes
) -> tuple[Any, ...]:
    """The columns of `exported`'s fields, in the order of `_COLUMNS`."""
    source, destination, cause = fields["source"], fields["destination"], fields["cause"]
    return (
        int(fields["chain"]), fields["seq"], now, fields["connection"], fields["site"],
        fields["operation"], fields["status"], _number(fields["link_id"]),
        int(fields["type_id"]), fields["type"], int(source["id"]), source["key"],
        int(destination["id"]), destination["key"], fields["managed"], cause["kind"],
        cause["id"], _number(fields["intent_id"]), _number(fields["plan_id"]),
        fields["revision"], fields["engine"], fields["evidence"], fields["actor"],
        previous, following,
    )  # fmt: skip


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
