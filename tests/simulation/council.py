"""People who decide: about plans, restores, roll-backs and the guard itself."""

import contextlib

from app.core.errors import PermanentError
from app.store.config import active_connection, connections
from app.store.guard import held_plans as plans_held
from app.store.recovery.restore_select import Filters
from app.sync.guard import held_plans
from app.sync.recovery import restore
from tests.simulation.town import Town

NOTE = {"by": "ann", "note": ""}


class Council(Town):
    """The part of a town that decides."""

    async def _decide(self, pick: int, what: str) -> None:
        connection = self.world.connections[pick % len(self.world.connections)]
        if what == "restore":
            await self._restore()
        elif what == "roll_back":
            await self._roll_back(connection)
        elif what == "reset":
            async with self.world.database.transaction() as conn:
                await active_connection.lock(conn, connection)
                await held_plans.arm(conn, connection, self.world.now())
            await self._note_resets()
        else:
            await self._decide_plans(what)

    async def _restore(self) -> None:
        """All that the audit says we removed here."""
        found = await self.world.rows("SELECT id FROM connections WHERE id = ANY($1::bigint[])")
        filters = Filters(within=[it["id"] for it in found])
        with contextlib.suppress(PermanentError):
            await restore.request(
                self.world.database,
                "remove",
                filters,
                asked={},
                requested_by="ann",
                now=self.world.now(),
            )

    async def _roll_back(self, connection: int) -> None:
        """To what was before the active revision, with an undo of what was done under it."""
        async with self.world.database.transaction() as conn:
            state = await active_connection.lock(conn, connection)
            assert state is not None
            now = self.world.now()
            await connections.append_revision(
                conn, connection, state.config, author="ann", note="", now=now
            )
            await restore.build_undo(conn, connection, state.revision, requested_by="ann", now=now)

    async def _decide_plans(self, what: str) -> int:
        """Approve or reject all that waits, once it is sealed; how many there were."""
        self.clock.tick(60)
        await self._upkeep()
        while await restore.plan_once(self.world.ctx):
            pass
        waiting = await self.world.rows(
            """SELECT id, digest FROM plans WHERE connection_id = ANY($1::bigint[])
               AND status = 'held' ORDER BY id"""
        )
        call = held_plans.approve if what == "approve" else held_plans.reject
        for plan in waiting:
            await call(
                self.world.database, plan["id"], plan["digest"], now=self.world.now(), **NOTE
            )
            await self._note_resets()
        return len(waiting)

    async def _undecided(self) -> bool:
        async with self.world.database.connection() as conn:
            return any([await plans_held.undecided(conn, it) for it in self.world.connections])

    async def _conclude(self) -> None:
        """Nothing waits any more, and every guard is armed."""
        for _ in range(20):
            await self._decide_plans("approve")
            await self.world.settle()
            await self._upkeep()
            await self.world.settle()
            if not await self._undecided():
                for connection in self.world.connections:
                    async with self.world.database.transaction() as conn:
                        state = await active_connection.lock(conn, connection)
                        if state is not None and state.guard_tripped_at is not None:
                            await held_plans.arm(conn, connection, self.world.now())
                await self._note_resets()
                await self.world.settle()
                if not await self._undecided():
                    return
        waiting = await self.world.rows(
            """SELECT p.id, p.kind, p.status, p.reason, x.* FROM plans p
               LEFT JOIN plan_changes x ON x.plan_id = p.id AND x.result IS NULL
               WHERE p.connection_id = ANY($1::bigint[])
                 AND p.status IN ('gathering', 'held', 'approved', 'applying')"""
        )
        raise AssertionError("something is never decided", waiting)
