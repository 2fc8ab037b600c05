"""The audit as the monitor reads it: the recorded removals on a site."""

from collections.abc import Iterable
from datetime import datetime

from app.core.links import IssueId, IssueKey, IssueRef, TypeId
from app.core.monitor import Record, Written
from app.core.operations import Status
from app.store.pool import Connection, Row


async def removals(
    conn: Connection, site: str, issues: Iterable[IssueId], since: datetime
) -> list[Written]:
    """Every removal at these issues in the audit from *since* on, with the other facts that it has
    about the link. An intent and its outcomes are one removal; the last outcome counts."""
    rows = await conn.fetch(
        """
        WITH about AS (
            SELECT * FROM audit WHERE site = $1 AND operation = 'remove' AND at >= $3
              AND source_id = ANY($2::bigint[])
            UNION
            SELECT * FROM audit WHERE site = $1 AND operation = 'remove' AND at >= $3
              AND destination_id = ANY($2::bigint[]))
        SELECT min(id) AS id, min(link_id) AS link_id, min(type_id) AS type_id,
               min(source_id) AS source_id, min(source_key) AS source_key,
               min(destination_id) AS destination_id, min(destination_key) AS destination_key,
               min(at) AS since, max(at) FILTER (WHERE status <> 'intended') AS until,
               (array_agg(status ORDER BY id DESC))[1] AS status,
               (array_agg(evidence ->> 'outcome' ORDER BY id DESC))[1] AS outcome,
               min(intent_id) AS intent_id
        FROM about GROUP BY coalesce(intent_id, -id) ORDER BY 1
        """,
        site,
        [int(issue) for issue in issues],
        since,
    )
    links = {row["link_id"] for row in rows} - {None}
    records = await _records(conn, site, links)
    made = await _creations(conn, site, links)
    return [
        _written(row, records.get(row["link_id"], Record.NOTHING), made.get(row["link_id"]))
        for row in rows
    ]


async def _creations(
    conn: Connection, site: str, links: Iterable[int]
) -> dict[int, tuple[datetime, datetime]]:
    """When we last made these link ids: the time from the intent to its outcome."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (o.link_id) o.link_id, i.at AS since, o.at AS until
        FROM audit o JOIN audit i ON i.intent_id = o.intent_id AND i.status = 'intended'
        WHERE o.site = $1 AND o.link_id = ANY($2::bigint[]) AND o.operation = 'create'
          AND o.status = 'applied'
        ORDER BY o.link_id, o.id DESC
        """,
        site,
        list(links),
    )
    return {row["link_id"]: (row["since"], row["until"]) for row in rows}


async def _records(conn: Connection, site: str, links: Iterable[int]) -> dict[int, Record]:
    """Management that moved to another connection is no adoption, but leaves an older one as it
    is; only a person's approval proves that another account's link became ours."""
    rows = await conn.fetch(
        """
        SELECT link_id, (array_agg(operation ORDER BY id DESC))[1] AS last,
               bool_or(operation = 'adopt' AND plan_id IS NOT NULL) AS approved
        FROM audit WHERE site = $1 AND link_id = ANY($2::bigint[]) AND status = 'applied'
          AND operation IN ('adopt', 'release')
        GROUP BY link_id
        """,
        site,
        list(links),
    )
    return {row["link_id"]: _record(row["last"], approved=row["approved"]) for row in rows}


def _record(last: str, *, approved: bool) -> Record:
    if last == "release":
        return Record.RELEASED
    return Record.ADOPTED if approved else Record.NOTHING


def _written(row: Row, record: Record, made: tuple[datetime, datetime] | None) -> Written:
    undone = Status(row["status"]) in (Status.NOOP, Status.FAILED)
    return Written(
        id=row["id"],
        type_id=TypeId(str(row["type_id"])),
        source=IssueRef(IssueId(str(row["source_id"])), IssueKey(row["source_key"])),
        destination=IssueRef(IssueId(str(row["destination_id"])), IssueKey(row["destination_key"])),
        since=row["since"],
        until=row["until"],
        acted=not undone,
        record=record,
        # Only writes that were sent, or may have been, are ever confirmed.
        late=undone and (row["outcome"] or "").startswith("confirmed"),
        intent=row["intent_id"],
        created=made,
    )


async def suspect(conn: Connection, intents: Iterable[int], now: datetime) -> None:
    """Mark writes that took effect in Jira after all, so that they are confirmed again."""
    await conn.execute(
        """UPDATE intents SET suspected_at = $2 WHERE id = ANY($1::bigint[])
           AND state IN ('noop', 'failed') AND suspected_at IS NULL""",
        sorted(intents),
        now,
    )
