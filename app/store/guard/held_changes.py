"""The changes of held plans: which removals wait or are approved, and what became of each."""

from collections.abc import Mapping, Sequence

from app.core.ledger import LinkKey
from app.core.links import LinkId, TypeId
from app.store.columns import link_id
from app.store.pool import Connection, Row
from app.store.writes.intents import Mirror


async def keys(conn: Connection, plan_id: int) -> list[tuple[LinkKey, LinkId | None]]:
    """The link keys of a plan's open changes, with the ids of their mirrors."""
    rows = await conn.fetch(
        """SELECT left_type_id, source_twin_id, destination_twin_id, link_id FROM plan_changes
           WHERE plan_id = $1 AND result IS NULL""",
        plan_id,
    )
    return [(_key(row), link_id(row["link_id"])) for row in rows]


async def approved(
    conn: Connection, connection_id: int, mirrors: Sequence[Mirror]
) -> Mapping[Mirror, int]:
    """Which of these mirrors a person approved to be removed, with the plan's id."""
    rows = await conn.fetch(
        """SELECT c.site_id, c.link_id, p.id FROM plans p JOIN plan_changes c ON c.plan_id = p.id
           JOIN unnest($2::bigint[], $3::bigint[]) u (site, link)
             ON c.site_id = u.site AND c.link_id = u.link
           WHERE p.connection_id = $1 AND p.status = 'applying' AND p.kind = 'removals'
             AND c.operation = 'remove' AND c.result IS NULL""",
        connection_id,
        *_columns(mirrors),
    )
    return {_mirror(row): row["id"] for row in rows}


async def approved_unknown(
    conn: Connection, connection_id: int, mirrors: Sequence[Mirror]
) -> set[Mirror]:
    """Which of these mirrors two owners approved to be removed although their author is unknown:
    that was the reason that they read."""
    return await approved_for(conn, connection_id, mirrors, "authorship_unknown", owners=2)


async def approved_for(
    conn: Connection, connection_id: int, mirrors: Sequence[Mirror], reason: str, *, owners: int
) -> set[Mirror]:
    """Which of these mirrors one owner, or two, approved to be removed for this *reason*: it is
    what they read when they decided."""
    rows = await conn.fetch(
        """SELECT c.site_id, c.link_id FROM plans p JOIN plan_changes c ON c.plan_id = p.id
           JOIN unnest($2::bigint[], $3::bigint[]) u (site, link)
             ON c.site_id = u.site AND c.link_id = u.link
           WHERE p.connection_id = $1 AND p.status = 'applying' AND p.kind = 'removals'
             AND c.operation = 'remove' AND c.result IS NULL
             AND c.reason = $4 AND (p.approved_by IS NOT NULL OR $5 < 2)""",
        connection_id,
        *_columns(mirrors),
        reason,
        owners,
    )
    return {_mirror(row) for row in rows}


async def held_mirrors(
    conn: Connection, connection_id: int, mirrors: Sequence[Mirror]
) -> set[Mirror]:
    """Which of these mirrors are in a plan that is not decided, so that they are not held twice. In
    plans that are not sealed yet, only changes with a reason that no later read may undo count: the
    end of a long pause, or other links that an issue has got meanwhile."""
    rows = await conn.fetch(
        """SELECT c.site_id, c.link_id FROM plans p JOIN plan_changes c ON c.plan_id = p.id
           JOIN unnest($2::bigint[], $3::bigint[]) u (site, link)
             ON c.site_id = u.site AND c.link_id = u.link
           WHERE p.connection_id = $1 AND p.kind = 'removals'
             AND (p.status IN ('held', 'approved')
                  OR (p.status = 'gathering' AND (p.reason = 'long_pause'
                      OR c.evidence ->> 'held_for' IN ('long_pause', 'issue_share'))))
             AND c.result IS NULL""",
        connection_id,
        *_columns(mirrors),
    )
    return {_mirror(row) for row in rows}


async def note_result(conn: Connection, plan_id: int, mirror: Mirror, result: str) -> None:
    """Close the open change about this mirror with a result; an existing result stays."""
    await conn.execute(
        """UPDATE plan_changes SET result = $4
           WHERE plan_id = $1 AND site_id = $2 AND link_id = $3 AND result IS NULL""",
        plan_id,
        mirror[0],
        int(mirror[1]),
        result,
    )


async def skip(conn: Connection, connection_id: int, skipped: Mapping[LinkKey, str]) -> None:
    """Close changes of an applied plan that are no longer true, with their reason."""
    wanted = list(skipped)
    await conn.execute(
        """UPDATE plan_changes c SET result = 'skipped:' || u.reason
           FROM plans p, unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
               u (type, source, destination, reason)
           WHERE p.id = c.plan_id AND p.connection_id = $1 AND p.status = 'applying'
             AND p.kind = 'removals'
             AND c.result IS NULL AND c.left_type_id = u.type
             AND c.source_twin_id = u.source AND c.destination_twin_id = u.destination""",
        connection_id,
        [int(key.left_type) for key in wanted],
        [key.source_twin for key in wanted],
        [key.destination_twin for key in wanted],
        [skipped[key] for key in wanted],
    )


async def skip_lost(conn: Connection, plan_id: int) -> None:
    """Changes that no job will reach: their twins are unpaired, or nothing more is known of
    them after all tries, or their pair has failed, or the link was forgotten while the plan
    waited."""
    await conn.execute(
        """UPDATE plan_changes c SET result = CASE
               WHEN s.id IS NULL OR d.id IS NULL THEN 'skipped:unpaired'
               WHEN l.id IS NULL THEN 'skipped:forgotten'
               ELSE 'skipped:' || coalesce(w.failure, w.waiting, 'unknown') END
           FROM plan_changes x
           LEFT JOIN twins s ON s.id = x.source_twin_id
           LEFT JOIN twins d ON d.id = x.destination_twin_id
           LEFT JOIN work w ON w.twin_id = x.source_twin_id
           LEFT JOIN ledger l ON l.connection_id = s.connection_id AND l.state <> 'released'
               AND l.left_type_id = x.left_type_id AND l.source_twin_id = x.source_twin_id
               AND l.destination_twin_id = x.destination_twin_id
           WHERE c.plan_id = $1 AND x.plan_id = $1 AND c.result IS NULL
             AND (x.site_id, x.type_id, x.source_id, x.destination_id, x.operation)
               = (c.site_id, c.type_id, c.source_id, c.destination_id, c.operation)
             AND (s.id IS NULL OR d.id IS NULL OR w.failure IS NOT NULL
                  OR (l.id IS NULL AND w.generation = w.done)
                  OR (w.waiting IS NOT NULL AND w.generation = w.done))""",
        plan_id,
    )


async def reject_changes(conn: Connection, plan_id: int, result: str) -> None:
    """Close all open changes of a plan with this result."""
    await conn.execute(
        "UPDATE plan_changes SET result = $2 WHERE plan_id = $1 AND result IS NULL",
        plan_id,
        result,
    )


def _key(row: Row) -> LinkKey:
    return LinkKey(
        TypeId(str(row["left_type_id"])), row["source_twin_id"], row["destination_twin_id"]
    )


def _columns(mirrors: Sequence[Mirror]) -> tuple[list[int], list[int]]:
    return [site for site, _ in mirrors], [int(link) for _, link in mirrors]


def _mirror(row: Row) -> Mirror:
    return row["site_id"], LinkId(str(row["link_id"]))
