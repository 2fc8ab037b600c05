"""The ledger: one row per connection and link key. Every write checks the version it saw."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.ledger import Authorship, LinkKey, Row, State
from app.core.links import IssueId, IssueKey, IssueRef, LinkId, PhysicalKey, Side, TypeId
from app.store.pool import Connection
from app.store.pool import Row as Record


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a link key: its ends on both sides as in Jira, and which side is the mirror."""

    left_source: IssueRef
    left_destination: IssueRef
    right_source: IssueRef
    right_destination: IssueRef
    mirror: PhysicalKey

    def source(self, side: Side) -> IssueRef:
        return side.pick(self.left_source, self.right_source)

    def destination(self, side: Side) -> IssueRef:
        return side.pick(self.left_destination, self.right_destination)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRow:
    """A row to insert, with the link ids that were seen or made."""

    key: LinkKey
    right_type: TypeId
    place: Place
    origin: Side
    state: State
    left_link: LinkId | None
    right_link: LinkId | None
    authorship: Authorship | None = None
    authored_after: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The next version of a row. Everything is written except its key, origin and ends."""

    row: Row
    state: State
    former: State | None = None
    authorship: Authorship | None = None
    authored_after: datetime | None = None
    left_link: LinkId | None = None
    right_link: LinkId | None = None
    reason: str = ""

    @classmethod
    def keeping(
        cls, row: Row, state: State, reason: str, *, former: State | None = None
    ) -> "Change":
        """A change of the state alone, which keeps what is known of the links."""
        return cls(
            row=row,
            state=state,
            former=former,
            authorship=row.authorship,
            authored_after=row.authored_after,
            left_link=row.left_link,
            right_link=row.right_link,
            reason=reason,
        )


async def touching(conn: Connection, connection_id: int, twins: Iterable[int]) -> list[Row]:
    """The rows with an end at one of these twins; released rows are history and left out."""
    records = await conn.fetch(
        """
        SELECT * FROM ledger WHERE connection_id = $1 AND state <> 'released'
          AND source_twin_id = ANY($2::bigint[])
        UNION
        SELECT * FROM ledger WHERE connection_id = $1 AND state <> 'released'
          AND destination_twin_id = ANY($2::bigint[])
        """,
        connection_id,
        list(twins),
    )
    return [row_value(record) for record in records]


async def by_id(conn: Connection, row_id: int) -> Row | None:
    record = await conn.fetchrow("SELECT * FROM ledger WHERE id = $1", row_id)
    return row_value(record) if record else None


async def by_key(conn: Connection, connection_id: int, key: LinkKey) -> Row | None:
    """The row of a link; a released one does not count."""
    record = await conn.fetchrow(
        """SELECT * FROM ledger WHERE connection_id = $1 AND left_type_id = $2
           AND source_twin_id = $3 AND destination_twin_id = $4 AND state <> 'released'""",
        connection_id,
        int(key.left_type),
        key.source_twin,
        key.destination_twin,
    )
    return row_value(record) if record else None


async def by_keys(
    conn: Connection, connection_id: int, keys: Sequence[LinkKey]
) -> dict[LinkKey, Row]:
    """The existing rows of these keys."""
    records = await conn.fetch(
        """SELECT l.* FROM unnest($2::bigint[], $3::bigint[], $4::bigint[])
               u (type, source, destination)
           JOIN ledger l ON l.connection_id = $1 AND l.left_type_id = u.type
            AND l.source_twin_id = u.source AND l.destination_twin_id = u.destination
            AND l.state <> 'released'""",
        connection_id,
        [int(key.left_type) for key in keys],
        [key.source_twin for key in keys],
        [key.destination_twin for key in keys],
    )
    return {_key(record): row_value(record) for record in records}


async def by_mirrors(
    conn: Connection, connection_id: int, site_id: int, links: Iterable[LinkId | None]
) -> dict[LinkId | None, Row]:
    """The rows of a connection by the id of their mirror on this site."""
    records = await conn.fetch(
        """
        SELECT * FROM ledger
        WHERE connection_id = $1 AND mirror_site_id = $2 AND state <> 'released'
          AND ((origin = 'left' AND right_link_id = ANY($3::bigint[]))
            OR (origin = 'right' AND left_link_id = ANY($3::bigint[])))
        """,
        connection_id,
        site_id,
        [int(link) for link in links if link is not None],
    )
    return {row.mirror_id: row for row in map(row_value, records)}


async def known_links(
    conn: Connection, connection_id: int, links: Iterable[LinkId]
) -> set[tuple[Side, LinkId]]:
    """The (side, link id) pairs that rows in step hold: their events say nothing new."""
    records = await conn.fetch(
        """
        SELECT left_link_id, right_link_id FROM ledger
        WHERE connection_id = $1 AND state IN ('managed', 'preexisting')
          AND (left_link_id = ANY($2::bigint[]) OR right_link_id = ANY($2::bigint[]))
        """,
        connection_id,
        [int(link) for link in links],
    )
    known = {(Side.LEFT, _link(record["left_link_id"])) for record in records}
    known |= {(Side.RIGHT, _link(record["right_link_id"])) for record in records}
    return {(side, link) for side, link in known if link is not None}


async def insert(conn: Connection, connection_id: int, new: NewRow, *, now: datetime) -> int | None:
    """The new row's id; None if a row for that key, or a managed one for that physical link,
    is there already (then nothing was written)."""
    row_id: int | None = await conn.fetchval(
        f"{_INSERT} RETURNING id", *_values(connection_id, new, now)
    )
    return row_id


async def insert_all(
    conn: Connection, connection_id: int, news: Sequence[NewRow], *, now: datetime
) -> None:
    """Insert many rows; the result leaves out those for which `insert` would return None."""
    if news:
        await conn.executemany(_INSERT, [_values(connection_id, new, now) for new in news])


_INSERT = """
    INSERT INTO ledger (connection_id, left_type_id, right_type_id, source_twin_id,
        destination_twin_id, left_source_id, left_source_key, left_destination_id,
        left_destination_key, right_source_id, right_source_key, right_destination_id,
        right_destination_key, origin, state, authorship, authored_after, left_link_id,
        right_link_id, mirror_site_id, mirror_type_id, mirror_source_id,
        mirror_destination_id, reason, created_at, changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
            $18, $19, $20, $21, $22, $23, $24, $25, $25)
    ON CONFLICT DO NOTHING
"""


def _values(connection_id: int, new: NewRow, now: datetime) -> tuple[Any, ...]:
    place = new.place
    return (
        connection_id,
        int(new.key.left_type),
        int(new.right_type),
        new.key.source_twin,
        new.key.destination_twin,
        *_ref(place.left_source),
        *_ref(place.left_destination),
        *_ref(place.right_source),
        *_ref(place.right_destination),
        new.origin.value,
        new.state.value,
        new.authorship.value if new.authorship else None,
        new.authored_after,
        _int(new.left_link),
        _int(new.right_link),
        *physical_columns(place.mirror),
        new.reason,
        now,
    )


async def change(conn: Connection, it: Change, *, now: datetime) -> bool:
    """Write the next version of a row. False, and nothing written, if its version has changed."""
    done = await conn.fetchval(
        """
        UPDATE ledger SET state = $3, former = $4, authorship = $5, authored_after = $6,
            left_link_id = $7, right_link_id = $8, reason = $9, version = version + 1,
            changed_at = $10
        WHERE id = $1 AND version = $2 RETURNING true
        """,
        it.row.id,
        it.row.version,
        it.state.value,
        it.former.value if it.former else None,
        it.authorship.value if it.authorship else None,
        it.authored_after,
        _int(it.left_link),
        _int(it.right_link),
        it.reason,
        now,
    )
    return bool(done)


async def forget(conn: Connection, row: Row) -> bool:
    """Delete a row whose link is proven absent on both sides. False if its version has changed."""
    done = await conn.fetchval(
        "DELETE FROM ledger WHERE id = $1 AND version = $2 RETURNING true", row.id, row.version
    )
    return bool(done)


async def versions(conn: Connection, rows: Iterable[Row]) -> set[int]:
    """The ids of *rows* whose version has not changed."""
    seen = list(rows)
    records = await conn.fetch(
        """SELECT l.id FROM unnest($1::bigint[], $2::int[]) u (id, version)
           JOIN ledger l ON l.id = u.id AND l.version = u.version""",
        [row.id for row in seen],
        [row.version for row in seen],
    )
    return {record["id"] for record in records}


async def occupied(conn: Connection, connection_id: int, keys: Sequence[LinkKey]) -> set[LinkKey]:
    """The keys among *keys* that have a row."""
    records = await conn.fetch(
        """SELECT l.left_type_id, l.source_twin_id, l.destination_twin_id
           FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) u (type, source, destination)
           JOIN ledger l ON l.connection_id = $1 AND l.left_type_id = u.type
            AND l.source_twin_id = u.source AND l.destination_twin_id = u.destination
            AND l.state <> 'released'""",
        connection_id,
        [int(key.left_type) for key in keys],
        [key.source_twin for key in keys],
        [key.destination_twin for key in keys],
    )
    return {_key(record) for record in records}


def row_value(record: Record) -> Row:
    return Row(
        id=record["id"],
        key=_key(record),
        right_type=TypeId(str(record["right_type_id"])),
        origin=Side(record["origin"]),
        state=State(record["state"]),
        former=State(record["former"]) if record["former"] else None,
        authorship=Authorship(record["authorship"]) if record["authorship"] else None,
        authored_after=record["authored_after"],
        left_link=_link(record["left_link_id"]),
        right_link=_link(record["right_link_id"]),
        version=record["version"],
        right_source=IssueId(str(record["right_source_id"])),
    )


def place_of(record: Record) -> Place:
    """The ends as they were when the row was written: they outlive twins and issues."""

    def ref(name: str) -> IssueRef:
        return IssueRef(IssueId(str(record[f"{name}_id"])), IssueKey(record[f"{name}_key"]))

    return Place(
        ref("left_source"),
        ref("left_destination"),
        ref("right_source"),
        ref("right_destination"),
        mirror_of(record),
    )


def mirror_of(record: Record) -> PhysicalKey:
    """The physical key of a row's mirror, from its `mirror_*` columns."""
    return PhysicalKey(
        record["mirror_site_id"],
        TypeId(str(record["mirror_type_id"])),
        IssueId(str(record["mirror_source_id"])),
        IssueId(str(record["mirror_destination_id"])),
    )


def _key(record: Record) -> LinkKey:
    return LinkKey(
        TypeId(str(record["left_type_id"])),
        record["source_twin_id"],
        record["destination_twin_id"],
    )


def physical_columns(key: PhysicalKey) -> tuple[int, int, int, int]:
    """Site, type, source and destination as integers, in the order of the columns."""
    return (key.site, int(key.type_id), int(key.source), int(key.destination))


def _ref(ref: IssueRef) -> tuple[int, str]:
    return (int(ref.id), str(ref.key))


def _link(value: Any) -> LinkId | None:
    return None if value is None else LinkId(str(value))


def _int(link: LinkId | None) -> int | None:
    return None if link is None else int(link)
