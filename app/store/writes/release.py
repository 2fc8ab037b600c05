"""Release links: they become unmanaged, stay in Jira, and stay in the ledger as history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.ledger import Row
from app.core.operations import Operation, Status
from app.store.config.active_connection import Running
from app.store.links.ledger import Place, place_of, row_value
from app.store.pool import Connection
from app.store.queue.work import Cause
from app.store.writes import audit_entry
from app.store.writes.audit import Entry


@dataclass(frozen=True, slots=True)
class Released:
    """A row that was released just now, and whether it managed its link before."""

    row: Row
    place: Place
    was_managed: bool


async def release_rows(
    conn: Connection,
    state: Running,
    twin_ids: Sequence[int] | None,
    *,
    keep_lost: bool,
    now: datetime,
) -> list[Released]:
    """Release the rows at these twins, or all of the connection; where *keep_lost*, not those that
    are suspended without a mirror."""
    rows = await conn.fetch(
        """
        UPDATE ledger l SET state = 'released', former = NULL, version = version + 1,
            changed_at = $3, reason = 'withdrawn'
        FROM (SELECT id, state AS was, former AS was_former FROM ledger
              WHERE connection_id = $1 AND state <> 'released'
                AND ($2::bigint[] IS NULL OR source_twin_id = ANY($2)
                     OR destination_twin_id = ANY($2))
                AND NOT ($4 AND state = 'suspended' AND former = 'detached'
                     AND CASE origin WHEN 'left' THEN right_link_id
                              ELSE left_link_id END IS NULL) FOR UPDATE) o
        WHERE l.id = o.id RETURNING l.*, o.was, o.was_former
        """,
        state.id,
        list(twin_ids) if twin_ids is not None else None,
        now,
        keep_lost,
    )
    return [
        Released(row_value(row), place_of(row), "managed" in (row["was"], row["was_former"]))
        for row in rows
    ]


async def open_writes(conn: Connection, connection_id: int, twin_ids: Sequence[int] | None) -> int:
    """Count open intents at these twins, or of the whole connection. Until they are closed, it is
    not known which links would be released."""
    total: int = await conn.fetchval(
        """SELECT count(*) FROM intents WHERE connection_id = $1 AND state = 'open'
           AND ($2::bigint[] IS NULL OR source_twin_id = ANY($2)
                OR destination_twin_id = ANY($2))""",
        connection_id,
        list(twin_ids) if twin_ids is not None else None,
    )
    return total


async def end_connection(conn: Connection, connection_id: int, *, by: str, now: datetime) -> None:
    """Delete twins, claims and guard counts, and expire open plans; audit and ledger stay."""
    await conn.execute("DELETE FROM twins WHERE connection_id = $1", connection_id)
    await conn.execute("DELETE FROM former_twins WHERE connection_id = $1", connection_id)
    await conn.execute("DELETE FROM twin_claims WHERE connection_id = $1", connection_id)
    await conn.execute("DELETE FROM vanished_mirrors WHERE connection_id = $1", connection_id)
    await conn.execute(
        """UPDATE plans SET status = 'expired', decided_at = $2, decided_by = $3
           WHERE connection_id = $1
             AND status IN ('gathering', 'held', 'approved', 'shadow')""",
        connection_id,
        now,
        by,
    )
    await conn.execute("UPDATE connections SET deleted_at = $2 WHERE id = $1", connection_id, now)


async def type_names(conn: Connection, site_id: int) -> dict[int, str]:
    """The names of a site's link types by their ids."""
    rows = await conn.fetch("SELECT type_id, name FROM link_types WHERE site_id = $1", site_id)
    return {row["type_id"]: row["name"] for row in rows}


def entry(
    state: Running, it: Released, names: dict[int, str], actor: str, plan_id: int | None
) -> Entry:
    """The audit row of one released link. *names* are those of the link types of its site;
    *plan_id* is that of an approved plan that let it go."""
    place, mirror = it.place, it.row.mirror
    return audit_entry.entry(
        state,
        mirror,
        Operation.RELEASE,
        Status.APPLIED,
        link_id=it.row.mirror_id,
        type_id=place.mirror.type_id,
        type_name=names.get(int(place.mirror.type_id), ""),
        source=place.source(mirror),
        destination=place.destination(mirror),
        managed=False,
        cause=Cause("twin", str(it.row.key.source_twin)),
        evidence={},
        plan_id=plan_id,
        actor=actor,
    )
