"""The origins of the mirrors that a plan of removals holds, and who removed them."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.links import Link, LinkId, TypeId
from app.store.columns import issue_ref
from app.store.pool import Connection, Row
from app.store.writes.intents import Mirror


@dataclass(frozen=True, slots=True)
class Origin:
    """Of the mirror of one change: the link that is gone, on its *site*. *web* is the site's
    address for people."""

    mirror: Mirror
    site: int
    web: str
    link: Link


async def of_plan(conn: Connection, plan_id: int) -> list[Origin]:
    """Those of the plan's open removals, as the ledger knows them."""
    rows = await conn.fetch(
        """
        SELECT c.site_id AS mirror_site, c.link_id AS mirror_link, s.id AS site,
               coalesce(s.web_url, s.base_url) AS web, o.*
        FROM plan_changes c JOIN plans p ON p.id = c.plan_id
        JOIN connections n ON n.id = p.connection_id
        JOIN ledger l ON l.connection_id = p.connection_id AND l.state <> 'released'
          AND l.left_type_id = c.left_type_id AND l.source_twin_id = c.source_twin_id
          AND l.destination_twin_id = c.destination_twin_id
        CROSS JOIN LATERAL (VALUES
            ('left', n.left_site_id, l.left_link_id, l.left_type_id, l.left_source_id,
             l.left_source_key, l.left_destination_id, l.left_destination_key),
            ('right', n.right_site_id, l.right_link_id, l.right_type_id, l.right_source_id,
             l.right_source_key, l.right_destination_id, l.right_destination_key)
        ) o (side, site_id, link_id, type_id, source_id, source_key, destination_id,
             destination_key)
        JOIN sites s ON s.id = o.site_id
        WHERE c.plan_id = $1 AND c.operation = 'remove' AND c.result IS NULL
          AND c.link_id IS NOT NULL AND o.side = l.origin
          AND o.source_id IS NOT NULL AND o.destination_id IS NOT NULL
        """,
        plan_id,
    )
    return [_origin(row) for row in rows]


async def note(conn: Connection, plan_id: int, told: Mapping[Mirror, Mapping[str, str]]) -> None:
    """Add to the evidence of the plan's changes. Its digest, of what it would change, stays."""
    mirrors = list(told)
    await conn.execute(
        """UPDATE plan_changes c SET evidence = c.evidence || u.evidence
           FROM unnest($2::bigint[], $3::bigint[], $4::jsonb[]) u (site, link, evidence)
           WHERE c.plan_id = $1 AND c.site_id = u.site AND c.link_id = u.link
             AND c.operation = 'remove'""",
        plan_id,
        [site for site, _ in mirrors],
        [int(link) for _, link in mirrors],
        [dict(told[mirror]) for mirror in mirrors],
    )


async def known(
    conn: Connection, plan_of: Mapping[Mirror, int]
) -> Mapping[Mirror, Mapping[str, str]]:
    """What the plans of these mirrors know of who removed their origins, for the audit."""
    rows = await conn.fetch(
        """SELECT c.site_id, c.link_id, c.evidence ->> 'origin_removed_by' AS account,
                  c.evidence ->> 'origin_removed_at' AS at
           FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) u (plan, site, link)
           JOIN plan_changes c ON c.plan_id = u.plan AND c.site_id = u.site AND c.link_id = u.link
           WHERE c.evidence ? 'origin_removed_at'""",
        list(plan_of.values()),
        [site for site, _ in plan_of],
        [int(link) for _, link in plan_of],
    )
    return {
        (row["site_id"], LinkId(str(row["link_id"]))): {
            "origin_removed_by": row["account"],
            "origin_removed_at": row["at"],
        }
        for row in rows
    }


def _origin(row: Row) -> Origin:
    return Origin(
        mirror=(row["mirror_site"], LinkId(str(row["mirror_link"]))),
        site=row["site"],
        web=row["web"].rstrip("/"),
        link=Link(
            LinkId(str(row["link_id"] or 0)),
            TypeId(str(row["type_id"])),
            issue_ref(row, "source"),
            issue_ref(row, "destination"),
        ),
    )
