"""Intents: the small mutable table that says which physical links are being written now.

At most one intent is open per physical link, whatever connection wants it. `reserve` must be
followed by the audit rows of the same transaction, and any close by its outcome row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.core.ledger import LinkKey
from app.core.links import IssueId, IssueRef, LinkId, PhysicalKey, Side, TypeId
from app.core.operations import Ended, Write, as_write
from app.store.columns import issue_ref, link_id
from app.store.config.active_connection import Running
from app.store.links.ledger import Place
from app.store.pool import Connection, Row
from app.store.queue.work import Cause

# Checked right before the request; a later request is not sent.
SEND_WITHIN = timedelta(seconds=10)
# Confirmation starts this long after `send_before`. It exceeds the request's time-out of 20 s,
# so a request that was sent at the last moment has ended by then.
CONFIRM_AFTER = timedelta(seconds=30)


Purpose = Literal["sync", "restore", "rescue", "undo"]
"""`restore` puts a link back as managed, if its twins allow; `rescue` puts it back unmanaged;
`undo` removes it and detaches its row, so that its origin does not make it again."""


Mirror = tuple[int, LinkId]
"""A link by its site and its id: two sites give out the same ids."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One write to be reserved. `link_id` is the mirror's for a removal, None for a create.

    `read_at` is Jira's Date of the read on which this write is based. `key` is `UNTWINNED` for a
    link that is put back between issues without twins; its origin has no meaning then.
    """

    operation: Write
    site: int
    type_id: TypeId
    source: IssueRef
    destination: IssueRef
    physical: PhysicalKey
    key: LinkKey
    right_type: TypeId
    origin: Side
    origin_link: LinkId | None
    origin_source: IssueRef
    origin_destination: IssueRef
    link_id: LinkId | None
    ledger_id: int | None
    read_at: datetime | None
    guarded: bool
    cause: Cause
    plan_id: int | None = None
    purpose: Purpose = "sync"

    @property
    def mirror(self) -> Mirror | None:
        """The site and id of the link to remove."""
        return None if self.link_id is None else (self.site, self.link_id)

    @property
    def place(self) -> Place:
        """The key of this link's ledger row."""
        mirror = (self.source, self.destination)
        origin = (self.origin_source, self.origin_destination)
        left, right = self.origin.order(origin, mirror)
        return Place(*left, *right, self.physical)


@dataclass(frozen=True, slots=True)
class Intent:
    """A reserved write, with the id of its intent."""

    id: int
    connection_id: int
    revision: int
    send_before: datetime
    wanted: Wanted
    confirm_tries: int = 0
    created_at: datetime | None = None


async def insert(
    conn: Connection, running: Running, wanted: Sequence[Wanted], *, now: datetime
) -> list[Intent]:
    """Open an intent for each, in key order; those whose physical link has an open intent of
    anybody's are left out of the answer. One round trip, since the connection is locked."""
    by_link = {it.physical: it for it in sorted(wanted, key=lambda each: each.physical)}
    rows = await conn.fetchmany(
        """
        INSERT INTO intents (connection_id, site_id, operation, type_id, source_id, source_key,
            destination_id, destination_key, key_source_id, key_destination_id, link_id,
            left_type_id, right_type_id, source_twin_id, destination_twin_id, origin,
            origin_link_id, origin_source_id, origin_source_key, origin_destination_id,
            origin_destination_key, ledger_id, guarded, plan_id, cause_kind, cause_id,
            revision, read_at, created_at, send_before, confirm_after, purpose)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)
        ON CONFLICT (site_id, type_id, key_source_id, key_destination_id)
            WHERE state = 'open' DO NOTHING
        RETURNING id, site_id, type_id, key_source_id, key_destination_id, created_at
        """,
        [_values(running, it, now) for it in by_link.values()],
    )
    return [
        Intent(
            row["id"],
            running.id,
            running.revision,
            now + SEND_WITHIN,
            by_link[physical_of(row)],
            0,
            row["created_at"],
        )
        for row in rows
    ]


def _values(running: Running, it: Wanted, now: datetime) -> tuple[object, ...]:
    return (
        running.id,
        it.site,
        it.operation,
        int(it.type_id),
        int(it.source.id),
        it.source.key,
        int(it.destination.id),
        it.destination.key,
        int(it.physical.source),
        int(it.physical.destination),
        _int(it.link_id),
        int(it.key.left_type),
        int(it.right_type),
        it.key.source_twin,
        it.key.destination_twin,
        it.origin.value,
        _int(it.origin_link),
        int(it.origin_source.id),
        it.origin_source.key,
        int(it.origin_destination.id),
        it.origin_destination.key,
        it.ledger_id,
        it.guarded,
        it.plan_id,
        it.cause.kind,
        it.cause.id,
        running.revision,
        it.read_at,
        _counted_at(running, it, now),
        now + SEND_WITHIN,
        now + SEND_WITHIN + CONFIRM_AFTER,
        it.purpose,
    )


def _counted_at(running: Running, it: Wanted, now: datetime) -> datetime:
    """What the guard lets go under the connection's lock belongs to the windows that began last,
    though *now* may be older: it was taken before the lock was waited for, or the clock went
    back."""
    if not it.guarded:
        return now
    return max(now, running.guard_reset_at + timedelta(microseconds=1))


async def close(
    conn: Connection, ended: Sequence[tuple[int, Ended, str]], *, now: datetime
) -> set[int]:
    """End open intents, each given with its state (`applied`, `noop`, `failed`) and code.
    Returns the ids of those that this call has ended."""
    rows = await conn.fetch(
        """UPDATE intents i SET state = u.state, outcome = u.code, closed_at = $4,
               unconfirmed_since = NULL
           FROM unnest($1::bigint[], $2::text[], $3::text[]) u (id, state, code)
           WHERE i.id = u.id AND i.state = 'open' RETURNING i.id""",
        [intent_id for intent_id, _, _ in ended],
        [state for _, state, _ in ended],
        [code for _, _, code in ended],
        now,
    )
    return {row["id"] for row in rows}


async def mark_unconfirmed(conn: Connection, intent_ids: Iterable[int], now: datetime) -> None:
    """Mark writes of which it is not known whether they acted; people see them with their age."""
    await conn.execute(
        """UPDATE intents SET unconfirmed_since = coalesce(unconfirmed_since, $2)
           WHERE id = ANY($1::bigint[]) AND state = 'open'""",
        list(intent_ids),
        now,
    )


async def take_unconfirmed(
    conn: Connection, *, now: datetime, limit: int = 100, retry: float = 15
) -> list[Intent]:
    """Open intents past their time, each kept from other confirmers for *retry* seconds and
    for twice as long at every further try, at most ten minutes."""
    rows = await conn.fetch(
        """
        UPDATE intents SET confirm_tries = confirm_tries + 1,
            unconfirmed_since = coalesce(unconfirmed_since, $1::timestamptz),
            confirm_after = $1::timestamptz
                + make_interval(secs => LEAST(600, $3 * 2 ^ LEAST(confirm_tries, 6)))
        WHERE id IN (SELECT id FROM intents WHERE state = 'open' AND confirm_after <= $1
                     ORDER BY confirm_after LIMIT $2 FOR UPDATE SKIP LOCKED)
        RETURNING *
        """,
        now,
        limit,
        float(retry),
    )
    return [read(row) for row in rows]


def read(row: Row) -> Intent:
    """The intent of a row."""
    wanted = Wanted(
        operation=as_write(row["operation"]),
        site=row["site_id"],
        type_id=TypeId(str(row["type_id"])),
        source=issue_ref(row, "source"),
        destination=issue_ref(row, "destination"),
        origin_source=issue_ref(row, "origin_source"),
        origin_destination=issue_ref(row, "origin_destination"),
        physical=physical_of(row),
        key=LinkKey(
            TypeId(str(row["left_type_id"])), row["source_twin_id"], row["destination_twin_id"]
        ),
        right_type=TypeId(str(row["right_type_id"])),
        origin=Side(row["origin"]),
        origin_link=link_id(row["origin_link_id"]),
        link_id=link_id(row["link_id"]),
        ledger_id=row["ledger_id"],
        read_at=row["read_at"],
        guarded=row["guarded"],
        cause=Cause(row["cause_kind"], row["cause_id"]),
        plan_id=row["plan_id"],
        purpose=row["purpose"],
    )
    return Intent(
        row["id"],
        row["connection_id"],
        row["revision"],
        row["send_before"],
        wanted,
        row["confirm_tries"],
        row["created_at"],
    )


def physical_of(row: Row) -> PhysicalKey:
    """The physical key of an intent's row."""
    return PhysicalKey(
        row["site_id"],
        TypeId(str(row["type_id"])),
        IssueId(str(row["key_source_id"])),
        IssueId(str(row["key_destination_id"])),
    )


def _int(link: LinkId | None) -> int | None:
    return None if link is None else int(link)
