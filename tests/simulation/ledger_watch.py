"""Promises about what is committed, judged after commits: the ledger claims nothing that the
sites' logs and the audit do not bear out, and forgets nothing that is there."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.simulation.truth import Place, Truth
from tests.support.engine import World

LOOK_SECONDS = 65.0
"""A look ends within its lease of a minute: what it saw may be that old."""

_ROWS = """
    SELECT l.*, left_site_id, right_site_id,
           EXISTS (SELECT 1 FROM audit a JOIN sites s ON s.name = a.site
                   WHERE a.connection_id = l.connection_id AND s.id = l.mirror_site_id
                     AND a.status = 'applied' AND a.operation IN ('create', 'adopt')
                     AND a.link_id = CASE origin WHEN 'left' THEN l.right_link_id
                                                 ELSE l.left_link_id END) AS audited,
           EXISTS (SELECT 1 FROM vanished_mirrors v
                   WHERE v.site_id = l.mirror_site_id AND v.counted_at IS NOT NULL
                     AND v.left_type_id = l.left_type_id AND v.source_twin_id = l.source_twin_id
                     AND v.destination_twin_id = l.destination_twin_id) AS slot
    FROM ledger l JOIN connections c ON c.id = l.connection_id
    WHERE l.state <> 'released' ORDER BY l.id
"""


_LET_GO = """
    SELECT c.name, (v.config -> 'guard' -> 'hour' ->> 'max')::int AS most,
        (SELECT count(*) FROM ledger l WHERE l.connection_id = c.id AND l.state = 'suspended'
            AND l.former = 'managed' AND l.changed_at > $1::timestamptz - interval '1 hour'
            AND (SELECT count(*) FROM twins t
                 WHERE t.id IN (l.source_twin_id, l.destination_twin_id)) < 2)
      + (SELECT count(*) FROM audit a WHERE a.connection_id = c.id AND a.operation = 'release'
            AND a.at > $1::timestamptz - interval '1 hour' AND a.plan_id IS NULL
            AND a.actor <> 'twinlink') AS used
    FROM connections c
    JOIN revisions v ON v.connection_id = c.id AND v.revision = c.revision
    WHERE c.deleted_at IS NULL ORDER BY c.id
"""

_ASKED = """
    SELECT site_id, link_id FROM intents
    WHERE operation = 'remove' AND state <> 'failed' AND link_id IS NOT NULL
"""
"""Links for whose removal by us a slot was taken, whoever was first in the end."""


class LedgerWatch:
    """`alarm` hears of the first broken promise."""

    def __init__(self, world: World, truth: Truth, alarm: Callable[[str], None]) -> None:
        self._world = world
        self._truth = truth
        self._alarm = alarm
        self._rows: dict[int, Any] = {}
        self._asked: set[tuple[int, int]] = set()
        self._seen_at = 0.0

    async def look(self) -> None:
        async with self._world.database.connection() as conn:
            rows = {row["id"]: row for row in await conn.fetch(_ROWS)}
            self._asked = {(row["site_id"], row["link_id"]) for row in await conn.fetch(_ASKED)}
            for row in await conn.fetch("SELECT connection FROM oracle_heirs ORDER BY id"):
                self._alarm(f"promise 1: {row['connection']} takes over a link in shadow")
            gone = [row for row_id, row in self._rows.items() if row_id not in rows]
            kept = (
                {
                    row["id"]
                    for row in await conn.fetch(
                        "SELECT id FROM ledger WHERE id = ANY($1::bigint[])",
                        [it["id"] for it in gone],
                    )
                }
                if gone
                else set()
            )
        managed = {(it["mirror_site_id"], _mirror(it)) for it in rows.values()}
        for row in rows.values():
            if row["state"] == "managed":
                self._managed(row)
        for row_id in rows.keys() & self._rows.keys():
            self._without_mirror(self._rows[row_id], rows[row_id])
        for row in gone:
            if row["id"] not in kept and (row["mirror_site_id"], _mirror(row)) not in managed:
                self._forgotten(row)
        await self._let_go()
        self._rows, self._seen_at = rows, self._world.clock.now()

    async def _let_go(self) -> None:
        """Within no hour are more links let go than the guard allows, but by a plan's approval."""
        async with self._world.database.connection() as conn:
            for row in await conn.fetch(
                _LET_GO, datetime.fromtimestamp(self._world.clock.now(), UTC)
            ):
                if row["used"] > row["most"]:
                    told = f"{row['name']} let {row['used']} links of {row['most']} an hour go"
                    self._alarm(f"promise 7: {told}")

    def _managed(self, row: Any) -> None:
        told = f"the ledger manages {self._told(row)}"
        if not row["audited"]:
            self._alarm(f"promise 3: {told} without an outcome in the audit")
        site = self._site(row["mirror_site_id"])
        if row["authorship"] == "ours" and not self._truth.ever_made_by_us(site, _mirror(row)):
            self._alarm(f"promise 1: {told} as ours, which others made")

    def _without_mirror(self, before: Any, now: Any) -> None:
        """What others removed takes a slot of the guard before its row lets it go. One id has one
        slot, also where a site that went back gave it out twice."""
        vanished = before["state"] == "managed" and now["reason"] == "row_5"
        if vanished and now["state"] == "detached" and not before["slot"] and not now["slot"]:
            site = self._site(now["mirror_site_id"])
            once = self._truth.times_made_by_us(site, _mirror(before)) == 1
            asked = (now["mirror_site_id"], _mirror(before)) in self._asked
            if once and not asked and not self._truth.removed_by_us(site, _mirror(before)):
                self._alarm(f"promise 7: {self._told(before)} vanished without a slot")

    def _forgotten(self, row: Any) -> None:
        """A row goes only when both sides have lost the link; on the mirror's side it is enough
        that ours is gone by our own hand, whatever else stands there."""
        since = self._seen_at - LOOK_SECONDS
        origin = row["origin"]
        mirror = "right" if origin == "left" else "left"
        removed = self._truth.removed_by_us(self._site(row["mirror_site_id"]), _mirror(row))
        for side in (origin,) if removed else (origin, mirror):
            place = self._place(row, side)
            if not self._truth.ever_absent(place, since):
                self._alarm(f"promise 2: {self._told(row)} is forgotten while {place} stands")

    def _told(self, row: Any) -> str:
        return f"{self._site(row['mirror_site_id'])} {_mirror(row)} ({row['reason']})"

    def _site(self, site_id: int) -> str:
        return next(name for name, it in self._world.stations.items() if it.id == site_id)

    def _place(self, row: Any, side: str) -> Place:
        site = self._site(row[f"{side}_site_id"])
        kind = self._world.stations[site].jira.types[row[f"{side}_type_id"]]
        ends = row[f"{side}_source_id"], row[f"{side}_destination_id"]
        return Place(site, kind.id, *ends, kind.symmetric)


def _mirror(row: Any) -> int:
    """The recorded mirror's id, 0 where there is none."""
    return int(row["right_link_id" if row["origin"] == "left" else "left_link_id"] or 0)
