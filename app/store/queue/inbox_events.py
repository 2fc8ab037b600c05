"""Reading the inbox: the events behind a claim."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.core.links import Ends, IssueId, LinkId, TypeId
from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One delivery about a link, as the site named it; it has no actor."""

    id: int
    site: int
    kind: str
    link: LinkId
    type_id: TypeId
    ends: Ends


async def link_events(conn: Connection, ids: Iterable[int]) -> list[LinkEvent]:
    """The link events among these inbox rows. A purged row is missing. So is one without the link's
    id, which says only that its issues changed."""
    rows = await conn.fetch(
        """SELECT id, site_id, kind, link_id, type_id, source_id, destination_id FROM inbox
           WHERE id = ANY($1::bigint[]) AND kind IN ('link_created', 'link_deleted')
             AND link_id IS NOT NULL AND type_id IS NOT NULL
             AND source_id IS NOT NULL AND destination_id IS NOT NULL""",
        list(ids),
    )
    return [
        LinkEvent(
            row["id"],
            row["site_id"],
            row["kind"],
            LinkId(str(row["link_id"])),
            TypeId(str(row["type_id"])),
            Ends(IssueId(str(row["source_id"])), IssueId(str(row["destination_id"]))),
        )
        for row in rows
    ]


async def deleted_issues(
    conn: Connection, site: int, issues: Iterable[IssueId]
) -> dict[IssueId, tuple[str, datetime]]:
    """Those of *issues* for which an authenticated `jira:issue_deleted` came that nothing
    contradicts, with the delivery's name and the time when it came."""
    rows = await conn.fetch(
        """SELECT DISTINCT ON (issue_id) issue_id, delivery, received_at FROM inbox
           WHERE site_id = $1 AND kind = 'issue_deleted' AND issue_id = ANY($2::bigint[])
             AND NOT fields @> '{contradicted}'
           ORDER BY issue_id, received_at""",
        site,
        [int(issue) for issue in issues],
    )
    return {IssueId(str(row["issue_id"])): (row["delivery"], row["received_at"]) for row in rows}


async def contradict_deletions(
    conn: Connection, site: int, issues: Iterable[IssueId], before: datetime
) -> None:
    """These issues were seen, although it was delivered *before* that time that they are deleted:
    their Jira went back in time, or the delivery was another Jira's. It proves nothing any more."""
    await conn.execute(
        """UPDATE inbox SET fields = '{contradicted}'
           WHERE site_id = $1 AND kind = 'issue_deleted' AND issue_id = ANY($2::bigint[])
             AND received_at < $3 AND NOT fields @> '{contradicted}'""",
        site,
        [int(issue) for issue in issues],
        before,
    )
