"""A connection as the workers need it: its state, its active revision, and its lock.

Everything that changes pause, mode, revision, guard or twins takes `lock` first in its
transaction, and so does every intent: once such a change has returned, no older intent commits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.config import ConnectionConfig, Mode
from app.core.connection.projects import Pin, Projects
from app.core.links import LinkType, Side, TypeId
from app.store.config import project_pins
from app.store.config.site_types import former_names
from app.store.migrations.head import latest
from app.store.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class Running:
    """One connection at one moment. `paused` holds for its own pause and the global one, and in a
    database whose schema is another version's: no intent commits there. `open_plans`: a plan may
    name links that a look judges again; `first_pass`: the comparison after a long pause has not
    ended yet."""

    id: int
    name: str
    left_site: int
    right_site: int
    left_name: str
    right_name: str
    revision: int
    mode: Mode
    paused: bool
    guard_tripped_at: datetime | None
    guard_reset_at: datetime
    open_plans: bool
    first_pass: bool
    config: ConnectionConfig
    pins: Mapping[Side, tuple[Pin, ...]]

    def projects(self, side: Side) -> Projects:
        """What the connection covers on this side."""
        return Projects(self.config.end(side).projects, self.pins[side])

    def site(self, side: Side) -> int:
        return side.pick(self.left_site, self.right_site)

    def site_name(self, side: Side) -> str:
        return side.pick(self.left_name, self.right_name)

    def side_of(self, site: int) -> Side:
        return Side.LEFT if site == self.left_site else Side.RIGHT


_SELECT = f"""
    SELECT c.*, l.name AS left_name, r.name AS right_name, v.config,
           {project_pins.AGGREGATED} AS pins,
           EXISTS (SELECT 1 FROM plans p WHERE p.connection_id = c.id
                   AND p.status IN ('gathering', 'shadow', 'applying')) AS open_plans,
           -- One that was cancelled or failed proves nothing; a later whole one does.
           EXISTS (SELECT 1 FROM resyncs f WHERE f.id = c.first_pass_resync
                   AND f.status NOT IN ('succeeded', 'held')
                   AND NOT EXISTS (
                       SELECT 1 FROM resyncs n WHERE n.connection_id = c.id AND n.id > f.id
                       AND n.twin_ids IS NULL AND NOT n.dry_run
                       AND n.status IN ('succeeded', 'held'))) AS first_pass,
           -- Types that have another name, or other wordings, than before.
           (SELECT jsonb_agg(jsonb_build_array(
                       t.site_id, t.type_id::text, t.name, t.inward, t.outward, f.names))
            FROM (SELECT site_id, type_id, array_agg(name) AS names FROM former_wordings
                  WHERE site_id IN (c.left_site_id, c.right_site_id)
                  GROUP BY site_id, type_id) f
            JOIN link_types t USING (site_id, type_id)) AS renamed,
           c.paused_at IS NOT NULL
             OR EXISTS (SELECT 1 FROM installation WHERE paused_at IS NOT NULL)
             OR NOT EXISTS (SELECT 1 FROM alembic_version WHERE version_num = '{latest()}')
             AS paused
    FROM connections c JOIN sites l ON l.id = c.left_site_id JOIN sites r ON r.id = c.right_site_id
    JOIN revisions v ON v.connection_id = c.id AND v.revision = c.revision
    WHERE c.id = $1 AND c.deleted_at IS NULL
"""  # noqa: S608 - the number of a file of ours


async def load(conn: Connection, connection_id: int) -> Running | None:
    """The connection as it is; None once it is deleted."""
    row = await conn.fetchrow(_SELECT, connection_id)
    return _running(row) if row else None


async def load_all(conn: Connection, ids: Sequence[int]) -> dict[int, Running]:
    """Those of these connections that are not deleted, by id, in one statement."""
    rows = await conn.fetch(_SELECT.replace("c.id = $1", "c.id = ANY($1::bigint[])"), list(ids))
    return {row["id"]: _running(row) for row in rows}


async def lock(conn: Connection, connection_id: int) -> Running | None:
    """Lock the row, *then* read it in a later statement, so that it reads what the
    last holder of the lock committed.

    `NO KEY` because ingest's foreign keys share-lock this row: webhooks never wait for us.
    """
    await conn.execute("SELECT 1 FROM connections WHERE id = $1 FOR NO KEY UPDATE", connection_id)
    return await load(conn, connection_id)


async def lock_any(conn: Connection, connection_id: int) -> Running:
    """As `lock`, but also for a deleted connection: outcomes of its writes are still recorded."""
    await conn.execute("SELECT 1 FROM connections WHERE id = $1 FOR NO KEY UPDATE", connection_id)
    row = await conn.fetchrow(_SELECT.replace("AND c.deleted_at IS NULL", ""), connection_id)
    assert row is not None
    return _running(row)


async def lock_sites(conn: Connection, site_ids: set[int]) -> None:
    """Before `lock` where a removal counts in its site's window, in id order."""
    await conn.execute(
        "SELECT 1 FROM sites WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE",
        sorted(site_ids),
    )


async def trip(conn: Connection, connection_id: int, reason: str, now: datetime) -> bool:
    """Latch the guard. False if it was latched before."""
    done = await conn.fetchval(
        """UPDATE connections SET guard_tripped_at = $2, guard_trip_reason = $3
           WHERE id = $1 AND guard_tripped_at IS NULL RETURNING true""",
        connection_id,
        now,
        reason,
    )
    return bool(done)


def _running(row: Row) -> Running:
    return Running(
        id=row["id"],
        name=row["name"],
        left_site=row["left_site_id"],
        right_site=row["right_site_id"],
        left_name=row["left_name"],
        right_name=row["right_name"],
        revision=row["revision"],
        mode=Mode(row["mode"]),
        paused=row["paused"],
        guard_tripped_at=row["guard_tripped_at"],
        guard_reset_at=row["guard_reset_at"],
        open_plans=row["open_plans"],
        first_pass=row["first_pass"],
        config=_spelled(row),
        pins=project_pins.read(row["pins"]),
    )


def _spelled(row: Row) -> ConnectionConfig:
    """The active configuration, with its link types as they are spelled now: a revision keeps the
    names of its day."""
    config = ConnectionConfig.from_json(row["config"])
    if not row["renamed"]:
        return config
    types = {
        (site, type_id): LinkType(
            TypeId(type_id), name, inward, outward, former_names=former_names(name, names)
        )
        for site, type_id, name, inward, outward, names in row["renamed"]
    }

    def now(side: Side, type_id: TypeId) -> LinkType | None:
        return types.get((side.pick(row["left_site_id"], row["right_site_id"]), type_id))

    return config.respelled(now)
