"""Promises held at every moment, judged when Jira acts on a request of ours: by the sites' own
logs (`truth`), by what is committed, and by what this process has asked before.

Nothing here believes the service's own conclusions.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.simulation.ledger_watch import LOOK_SECONDS, LedgerWatch
from tests.simulation.process import Process
from tests.simulation.truth import Place, Truth
from tests.support.engine import Station, World

CONFIRM_SECONDS = 30.0
"""After `send_before` nothing of a request may be on its way for longer."""

_BEGUN_BY_RIGHT = """
    SELECT c.guard_reset_at = c.created_at
        OR EXISTS (SELECT 1 FROM guard_resets r
                   WHERE r.connection_id = c.id AND r.at = c.guard_reset_at)
        OR EXISTS (SELECT 1 FROM plans a
                   WHERE a.connection_id = c.id AND a.status = 'applied' AND a.decided_by = 'ann'
                     AND a.decided_at <= c.guard_reset_at
                     AND NOT EXISTS (SELECT 1 FROM plans r
                         WHERE r.connection_id = c.id AND r.status = 'rejected'
                           AND r.decided_at BETWEEN a.decided_at AND c.guard_reset_at))
    FROM connections c WHERE c.id = $1
"""
"""The windows of a connection's guard: by its beginning, a reset, or an approval of all that was
held. A rejection begins none."""


class Watch:
    """`alarm` hears of the first broken promise."""

    def __init__(
        self, world: World, truth: Truth, random: Random, alarm: Callable[[str], None]
    ) -> None:
        self.world = world
        self.ledger = LedgerWatch(world, truth, alarm)
        self._random = random
        self.truth = truth
        self.kept: dict[tuple[int, int], float] = {}
        """When a person decided to keep a link, by site and link id."""
        self.receipts: dict[tuple[int, str], str] = {}
        # Answered as duplicates: known by their identifier, or by the first half of their body's
        # hash.
        self.known: dict[tuple[int, str], bytes] = {}
        """Deliveries that were answered with 202."""
        self._alarm = alarm
        self._sent: set[int] = set()
        self._read: dict[tuple[Process, str, str], float] = {}

    async def committed(self) -> None:
        """Some of the many moments after which a process may die."""
        if self._random.random() < 0.2:
            await self.ledger.look()

    # -- requests

    async def acting(
        self, process: Process, site: str, method: str, path: str, body: bytes
    ) -> None:
        if method == "POST" and path == "/issueLink":
            await self._creating(site, json.loads(body))
        elif method == "DELETE" and path.startswith("/issueLink/"):
            await self._removing(process, site, int(path.rpartition("/")[2]))

    def answered(self, process: Process, site: str, method: str, path: str, status: int) -> None:
        if method == "GET" and path.startswith("/issueLink/"):
            at = self._now() if status == 200 else float("-inf")
            self._read[process, site, path] = at

    async def _creating(self, site: str, body: dict[str, Any]) -> None:
        ends = int(body["inwardIssue"]["id"]), int(body["outwardIssue"]["id"])
        told = f"{site} create {ends}"
        intents = await self._open(site)
        place = self._place(site, int(body["type"]["id"]), *ends)
        here = [it for it in intents if place.holds(it["type_id"], *_ends(it))]
        mine = [it for it in here if it["operation"] == "create" and _ends(it) == ends]
        self._one_intent(told, here, mine)
        if mine and mine[0]["purpose"] == "sync":
            await self._origin_is_theirs(told, mine[0])

    async def _removing(self, process: Process, site: str, link_id: int) -> None:
        told = f"{site} remove {link_id}"
        intents = await self._open(site)
        mine = [it for it in intents if it["operation"] == "remove" and it["link_id"] == link_id]
        if not mine:
            self._alarm(f"promise 3: {told} without an intent")
            return
        intent = mine[0]
        place = self._place(site, intent["type_id"], *_ends(intent))
        self._one_intent(
            told, [it for it in intents if place.holds(it["type_id"], *_ends(it))], mine
        )
        created = intent["created_at"].timestamp()
        if not self.truth.is_ours(site, link_id):
            self._alarm(f"promise 1: {told}, which others made")
        read = self._read.get((process, site, f"/issueLink/{link_id}"), float("-inf"))
        if read < created:
            self._alarm(f"promise 1: {told} without a read right before it")
        if intent["purpose"] == "sync":
            await self._origin_is_gone(told, site, link_id, intent)
        if intent["guarded"]:
            await self._within_limit(told, intent)

    def _one_intent(self, told: str, here: list[Any], mine: list[Any]) -> None:
        """Committed before the request leaves, in the audit, alone, in time, and used once."""
        if not mine:
            self._alarm(f"promise 3: {told} without an intent")
            return
        intent = mine[0]
        if len(here) > 1:
            self._alarm(f"promise 3: {told} while {len(here)} intents are open for that link")
        if not intent["intended"]:
            self._alarm(f"promise 3: {told} with an intent that the audit lacks")
        if intent["id"] in self._sent:
            self._alarm(f"promise 3: {told} twice under one intent")
        self._sent.add(intent["id"])
        if self._now() > intent["send_before"].timestamp() + CONFIRM_SECONDS:
            self._alarm(f"promise 3: {told} later than anybody waits for it")

    async def _origin_is_gone(self, told: str, site: str, link_id: int, it: Any) -> None:
        """It was absent at some moment of the look, and was there at some moment since it was
        mirrored, or since somebody decided to keep the mirror."""
        place = await self._origin(it)
        if not self.truth.ever_absent(place, it["created_at"].timestamp() - LOOK_SECONDS):
            self._alarm(f"promise 2: {told}, whose origin {place} was there all the time")
        kept = self.kept.get((it["site_id"], link_id))
        if kept is not None and not self.truth.ever_present(place, kept):
            self._alarm(f"promise 6: {told}, which a person decided to keep")
        made = self.truth.made_at(site, link_id)
        never = not self.truth.ever_present(place, made - LOOK_SECONDS)
        if it["plan_id"] is None and never and not await self._inherited(it):
            self._alarm(f"promise 6: {told}, whose origin {place} was never there")

    async def _origin_is_theirs(self, told: str, it: Any) -> None:
        """Somebody else made it, and it stood within the look: what we made is no origin."""
        place = await self._origin(it)
        if not self.truth.ever_theirs(place, it["created_at"].timestamp() - LOOK_SECONDS):
            self._alarm(f"promise 1: {told}, whose origin {place} is only a link of ours")

    async def _within_limit(self, told: str, it: Any) -> None:
        async with self.world.database.connection() as conn:
            row = await conn.fetchrow(
                """SELECT (v.config -> 'guard' -> 'hour' ->> 'max')::int AS most,
                          count(i.id) AS used
                   FROM connections c
                   JOIN revisions v ON v.connection_id = c.id AND v.revision = c.revision
                   JOIN intents i ON i.connection_id = c.id AND i.operation = 'remove'
                    AND i.guarded AND (i.state <> 'failed' OR i.outcome LIKE 'confirmed%')
                    AND i.created_at > greatest(c.guard_reset_at,
                                                $2::timestamptz - interval '1 hour')
                   WHERE c.id = $1 GROUP BY 1""",
                it["connection_id"],
                it["created_at"],
            )
            begun = await conn.fetchval(_BEGUN_BY_RIGHT, it["connection_id"])
        if not begun:
            self._alarm(f"promise 7: {told} in windows that neither a reset nor an approval began")
        if row is not None and row["used"] > row["most"]:
            self._alarm(f"promise 7: {told} is removal {row['used']} of {row['most']} an hour")

    # -- inside

    def _now(self) -> float:
        return self.world.clock.now()

    def _station(self, site: str) -> Station:
        return self.world.stations[site]

    def _place(self, site: str, type_id: int, source: int, destination: int) -> Place:
        kind = self._station(site).jira.types[type_id]
        return Place(site, type_id, source, destination, kind.symmetric)

    async def _open(self, site: str) -> list[Any]:
        async with self.world.database.connection() as conn:
            return list(
                await conn.fetch(
                    """SELECT i.*, EXISTS (SELECT 1 FROM audit a WHERE a.intent_id = i.id
                                           AND a.status = 'intended') AS intended
                       FROM intents i WHERE i.state = 'open' AND i.site_id = $1 ORDER BY i.id""",
                    self._station(site).id,
                )
            )

    async def _origin(self, it: Any) -> Place:
        async with self.world.database.connection() as conn:
            row = await conn.fetchrow(
                "SELECT left_site_id, right_site_id FROM connections WHERE id = $1",
                it["connection_id"],
            )
        assert row is not None
        site_id, type_id = row[f"{it['origin']}_site_id"], it[f"{it['origin']}_type_id"]
        site = next(name for name, at in self.world.stations.items() if at.id == site_id)
        return self._place(site, type_id, it["origin_source_id"], it["origin_destination_id"])

    async def _inherited(self, it: Any) -> bool:
        async with self.world.database.connection() as conn:
            return bool(
                await conn.fetchval(
                    """SELECT EXISTS (SELECT 1 FROM audit WHERE operation = 'adopt'
                       AND connection_id = $1 AND link_id = $2)""",
                    it["connection_id"],
                    it["link_id"],
                )
            )


def _ends(it: Any) -> tuple[int, int]:
    return it["source_id"], it["destination_id"]
