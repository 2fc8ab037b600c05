"""The audit for people and auditors: filtered lists, and whole chains for export."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.store.pool import Connection, Database
from app.store.writes.audit import exported

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Filters:
    """None: any. `within` are the connections that the reader may see. `issue` is a key of
    either end as it was written down; `cause` a kind, or `kind:id`."""

    within: Sequence[int] | None = None
    connection: str | None = None
    site: str | None = None
    operation: str | None = None
    status: str | None = None
    issue: str | None = None
    link_id: int | None = None
    cause: str | None = None
    revision: int | None = None
    plan: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def where(self, issue: str = "$ IN (source_key, destination_key)") -> tuple[str, list[Any]]:
        """Conditions with their parameters, from `$1` on, and only for the filters that are set, so
        that an index can serve them. *issue* is the comparison of an issue's key."""
        kind, _, cause_id = (self.cause or "").partition(":")
        asked: list[tuple[str, Any]] = [
            ("connection_id = ANY($)", self.within),
            ("connection = $", self.connection),
            ("site = $", self.site),
            ("operation = $", self.operation),
            ("status = $", self.status),
            (issue, self.issue),
            ("link_id = $", self.link_id),
            ("cause_kind = $", kind or None),
            ("cause_id = $", cause_id or None),
            ("revision = $", self.revision),
            ("plan_id = $", self.plan),
            ("at >= $", self.since),
            ("at < $", self.until),
        ]
        given = [(text, value) for text, value in asked if value is not None]
        texts = [text.replace("$", f"${at}") for at, (text, _) in enumerate(given, start=1)]
        return " AND ".join(texts) or "true", [value for _, value in given]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of one connection's chain at one moment."""

    chain: int
    connection: str
    seq: int
    hash: str

    def plain(self) -> dict[str, Any]:
        return {
            "chain": str(self.chain),
            "connection": self.connection,
            "seq": self.seq,
            "hash": self.hash,
        }


async def page(
    conn: Connection, filters: Filters, *, after: int | None, limit: int, newest: bool = False
) -> list[dict[str, Any]]:
    """Rows in the order of their ids, which within a connection is the order of its chain; *newest*
    in the opposite order. They begin beyond the row *after*."""
    # An issue is the source or the destination: each has its index, and no index serves both.
    ends = ["source_key = $", "destination_key = $"] if filters.issue is not None else ["true"]
    rest = replace(filters, connection=None, within=None)
    values = rest.where()[1]
    beyond, first, direction = ("<", 2**63 - 1, "DESC") if newest else (">", 0, "ASC")
    reach, also = _reach(filters, len(values) + 3)
    at = len(values)
    branches = " UNION ".join(
        f"(SELECT * FROM audit WHERE {rest.where(end)[0]} {also} AND id {beyond} ${at + 1}"  # noqa: S608
        f" ORDER BY id {direction} LIMIT ${at + 2})"
        for end in ends
    )
    rows = await conn.fetch(
        f"SELECT page.* FROM {reach} CROSS JOIN LATERAL ({branches}) page"  # noqa: S608 - conditions of ours, values bound
        f" ORDER BY id {direction} LIMIT ${at + 2}",
        *values,
        first if after is None else after,
        limit,
        *(it for it in (filters.connection, filters.within) if it is not None),
    )
    return [exported(row) for row in rows]


def _reach(filters: Filters, at: int) -> tuple[str, str]:
    """The connections whose rows may be on the page, each read by itself in the order of its rows.
    A name may have been given to several, one after another."""
    if filters.connection is None and filters.within is None:
        return "(SELECT 1) everything", ""
    conditions = []
    if filters.connection is not None:
        conditions.append(f"name = ${at}")
        at += 1
    if filters.within is not None:
        conditions.append(f"id = ANY(${at}::bigint[])")
    named = " AND ".join(conditions)
    return f"(SELECT id AS reached FROM connections WHERE {named}) c", "AND connection_id = reached"  # noqa: S608


async def of_link(
    conn: Connection, connection_id: int, places: Sequence[tuple[str, str, str, str]]
) -> list[dict[str, Any]]:
    """All audit rows about one link, oldest first. *places* are (site, type id, source id,
    destination id) of its two sides; the audit may have a symmetric link in either direction."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT a.* FROM audit a
        JOIN unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
             AS p (site, type_id, source_id, destination_id)
          ON a.site = p.site AND a.type_id = p.type_id
         AND ((a.source_id, a.destination_id) = (p.source_id, p.destination_id)
           OR (a.source_id, a.destination_id) = (p.destination_id, p.source_id))
        WHERE a.connection_id = $1 ORDER BY a.seq LIMIT 200
        """,
        connection_id,
        [site for site, *_ in places],
        *([int(place[at]) for place in places] for at in (1, 2, 3)),
    )
    return [exported(row) for row in rows]


async def heads(conn: Connection, filters: Filters) -> list[Head]:
    """The present heads of the chains that match."""
    rows = await conn.fetch(
        """
        SELECT h.connection_id, c.name, h.seq, h.hash FROM audit_heads h
        JOIN connections c ON c.id = h.connection_id
        WHERE ($1::bigint[] IS NULL OR c.id = ANY($1)) AND ($2::text IS NULL OR c.name = $2)
        ORDER BY h.connection_id
        """,
        filters.within,
        filters.connection,
    )
    return [Head(r["connection_id"], r["name"], r["seq"], bytes(r["hash"]).hex()) for r in rows]


async def chain(
    database: Database, filters: Filters, head: Head
) -> AsyncIterator[list[dict[str, Any]]]:
    """One chain's rows up to its head, in pages: flat memory, and no connection is held while
    the reader takes its time."""
    where, values = filters.where()
    at, seq = len(values), 0
    query = f"""
        SELECT * FROM audit WHERE {where} AND connection_id = ${at + 1}
          AND seq > ${at + 2} AND seq <= ${at + 3} ORDER BY seq LIMIT {_PAGE}
    """  # noqa: S608
    while True:
        async with database.connection() as conn:
            rows = await conn.fetch(query, *values, head.chain, seq, head.seq)
        if rows:
            yield [exported(row) for row in rows]
            seq = rows[-1]["seq"]
        if len(rows) < _PAGE:
            return
