"""What administrators, operators and approvers of the service ask of its API."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from app.core.config import ConnectionConfig, Direction, Mode, OnMirrorRemoved
from app.core.incidents import State
from app.store.config import active_connection, connections
from app.store.links import twins
from app.store.recovery.restore_select import Filters
from app.store.views import plans
from app.sync.connections.admin import ConnectionAdmin
from app.sync.connections.revisions import Revisions
from app.sync.connections.spec import ConnectionSpec, TypeWish
from app.sync.connections.switches import Switches
from app.sync.guard import held_plans, unpairings
from app.sync.incidents import timeline
from app.sync.recovery import restore
from app.sync.resync import walk
from app.sync.runtime.context import Context
from tests.simulation.ground import Ground
from tests.simulation.service import Service


class Owners:
    """Every method is one act; what it asks goes on in the API process."""

    def __init__(self, service: Service, ground: Ground, random: Random) -> None:
        self.service = service
        self.ground = ground
        self.random = random
        self.edited: int | None = None
        """The connection whose field was edited last, by its place."""

    # -- twins

    def unpairs(self) -> str:
        """Mostly for a moment only: twins are paired again."""
        at = self.random.randrange(len(self.ground.joins))
        connection, (left, right, *_) = self.ground.world.connections[at], self.ground.joins[at]
        number, back = self.random.randrange(self.ground.twinned), self.random.random() < 0.7
        key = self.ground.key(left, number)
        ctx = self._ctx

        async def act() -> str:
            async with ctx.database.connection() as conn:
                ids = await twins.page(conn, connection, after=0, limit=100)
                found = await twins.by_ids(conn, connection, ids)
            twin = next((it for it in found.values() if it.left.key == key), None)
            if twin is not None:
                await unpairings.unpair(ctx, connection, twin.id, actor="ann")
            if twin is None or back:
                await self.ground.pair_on(ctx.database, connection, left, right, number)
            return "paired" if twin is None else "renewed" if back else "unpaired"

        return self._ask(f"unpair {left} {key}", act)

    def unpairs_many(self, at: int | None = None) -> str:
        """A bulk edit, and its undoing: all twins of a connection go, and mostly come back."""
        at = self.random.randrange(len(self.ground.joins)) if at is None else at
        connection, (left, right, *_) = self.ground.world.connections[at], self.ground.joins[at]
        back, ctx = self.random.random() < 0.8, self._ctx

        async def act() -> str:
            async with ctx.database.connection() as conn:
                ids = await twins.page(conn, connection, after=0, limit=100)
            for twin in ids:
                await unpairings.unpair(ctx, connection, twin, actor="ann")
            for number in range(self.ground.twinned if back else 0):
                await self.ground.pair_on(ctx.database, connection, left, right, number)
            return f"{len(ids)} unpaired{', and paired again' if back else ''}"

        return self._ask(f"unpair all of {left}-{right}", act)

    def edits_the_field(self) -> str:
        """A bulk edit of the twin field, as discovery sees it: most pairs are named no more."""
        at = self.random.randrange(len(self.ground.joins))
        connection, (left, right, *_) = self.ground.world.connections[at], self.ground.joins[at]
        kept, ctx = self.random.choice((0, 1, 1, 2)), self._ctx
        self.edited = at

        async def act() -> str:
            async with ctx.database.connection() as conn:
                ids = (await twins.page(conn, connection, after=0, limit=100))[kept:]
            # In two bulk reads, as of two workers.
            busy = await self._let_go(connection, ids[::2]) | await self._let_go(
                connection, ids[1::2]
            )
            return f"{len(ids)} are to be let go, {len(busy)} are being written"

        return self._ask(f"edit the field of {left}-{right}", act)

    async def _let_go(self, connection: int, ids: Sequence[int]) -> set[int]:
        async with self._ctx.database.transaction() as conn:
            state = await active_connection.lock(conn, connection)
            assert state is not None
            return await unpairings.let_go(conn, self._ctx, state, ids, ())

    def undoes_the_edit(self) -> str:
        """All issues name their twins again."""
        if self.edited is None:
            return ""
        connection = self.ground.world.connections[self.edited]
        (left, right, *_), ctx = self.ground.joins[self.edited], self._ctx

        async def act() -> None:
            for number in range(self.ground.twinned):
                await self.ground.pair_on(ctx.database, connection, left, right, number)

        return self._ask(f"undo the edit of {left}-{right}", act)

    async def edits_and_undoes(self) -> str:
        """A bulk edit of the twin field, and mostly its undoing after some looks."""
        told = [self.edits_the_field()]
        await self.service.finish()
        told.append(await self.service.all_look())
        await self.service.finish()
        if self.random.random() < 0.7:
            told.append(self.undoes_the_edit())
        return "; ".join(told)

    def gives_to_an_heir(self) -> str:
        """Whatever mode the heir is in, or paused: another connection lets all its twins go."""
        if len(self.ground.joins) < 2:
            return ""
        return f"{self.sets_any_mode()}; {self.unpairs_many()}"

    # -- operating

    def sets_the_mode(self) -> str:
        name, mode = self._connection(), self.random.choice((*[Mode.LIVE] * 3, *Mode))
        now = self._ctx.clock()
        return self._ask(
            f"mode {name} {mode.value}", lambda: self._switches.mode(name, mode, by="ann", now=now)
        )

    def sets_any_mode(self, at: int | None = None) -> str:
        """Each as likely, and a pause as well."""
        mode, name = self.random.choice((None, *Mode)), self._connection(at)
        now = self._ctx.clock()
        if mode is None:
            return self._ask(f"pause {name}", lambda: self._switches.pause(name, by="ann", now=now))
        return self._ask(
            f"mode {name} {mode.value}",
            lambda: self._switches.mode(name, mode, by="ann", now=now),
        )

    def pauses(self) -> str:
        name, now = self._connection(), self._ctx.clock()
        if self.random.random() < 0.5:
            return self._ask(f"pause {name}", lambda: self._switches.pause(name, by="ann", now=now))
        return self._ask(f"resume {name}", lambda: self._switches.resume(name, by="ann", now=now))

    def acknowledges(self) -> str:
        """That a site went back in time."""
        return self._ask("acknowledge", lambda: acknowledge(self._ctx, self._switches))

    def resets_the_guard(self) -> str:
        name, now = self._connection(), self._ctx.clock()
        return self._ask(
            f"reset guard {name}", lambda: self._switches.reset_guard(name, by="ann", now=now)
        )

    def compares(self) -> str:
        connection = self.random.choice(self.ground.world.connections)
        ctx = self._ctx
        return self._ask(
            "resync",
            lambda: walk.request(
                ctx.database, connection, twin_ids=None, dry_run=False, requested_by="ann",
                now=ctx.clock(),
            ),
        )  # fmt: skip

    # -- plans

    def decides_a_plan(self) -> str:
        """Approves or rejects the newest plan that waits."""
        return self._decides(approve=self.random.random() < 0.5)

    def rejects_a_plan(self) -> str:
        return self._decides(approve=False)

    def _decides(self, *, approve: bool) -> str:
        ctx = self._ctx

        async def act() -> str:
            async with ctx.database.connection() as conn:
                rows = await plans.page(
                    conn, within=None, connection=None, status="held", before=2**62, limit=1
                )
            if not rows:
                return "nothing waits"
            plan, digest = rows[0].id, rows[0].digest
            assert digest is not None, "it is sealed"
            if approve:
                await held_plans.approve(
                    ctx.database, plan, digest, by="ann", note="", now=ctx.clock()
                )
                return f"plan {plan} approved"
            await held_plans.reject(ctx.database, plan, digest, by="ann", note="", now=ctx.clock())
            await self._keep(plan)
            return f"plan {plan} rejected"

        return self._ask("decide", act)

    async def _keep(self, plan: int) -> None:
        """What was rejected stays: the watch knows from now on."""
        async with self.ground.world.database.connection() as conn:
            rows = await conn.fetch(
                """SELECT site_id, link_id FROM plan_changes JOIN plans p ON p.id = plan_id
                   WHERE plan_id = $1 AND kind = 'removals' AND result = 'rejected'
                     AND link_id IS NOT NULL""",
                plan,
            )
        for row in rows:
            self.service.house.watch.kept[row["site_id"], row["link_id"]] = (
                self.ground.world.clock.now()
            )

    def wants_links_back(self) -> str:
        """A restore, or an undo of what was made, of one connection."""
        ctx, at = self._ctx, self.random.choice(self.ground.world.connections)
        operation = "remove" if self.random.random() < 0.8 else "create"
        return self._ask(
            f"restore {operation} {at}",
            lambda: restore.request(
                ctx.database, operation, Filters(connection=at), asked={}, requested_by="ann",
                now=ctx.clock(),
            ),
        )  # fmt: skip

    # -- revisions

    def revises(self) -> str:
        """Another direction, another rule for vanished mirrors, another map."""
        ctx, name = self._ctx, self._connection()
        what = self.random.choice(("direction", "vanished", "turned", "types"))
        direction = self.random.choice(list(Direction))
        vanished = self.random.choice(list(OnMirrorRemoved))
        admin = self._admin

        async def act() -> str:
            async with ctx.database.connection() as conn:
                row = await connections.by_name(conn, name)
            assert row is not None
            spec = spec_of(row.config)
            if what == "direction":
                spec = replace(spec, direction=direction)
            elif what == "vanished":
                spec = replace(spec, on_mirror_removed=vanished)
            else:
                spec = replace(spec, link_types=_other(spec.link_types, what))
            put = await admin.put(name, spec, author="ann", expect=lambda _: None, now=ctx.clock())
            return f"{name} is at revision {put.connection.revision}"

        return self._ask(f"revise {name} {what}", act)

    def rolls_back(self) -> str:
        ctx, name, undo = self._ctx, self._connection(), self.random.random() < 0.5
        revisions = Revisions(self._admin, lambda: None)
        return self._ask(
            f"roll back {name}",
            lambda: revisions.roll_back(
                name, 1, undo=undo, note="", by="ann", may_widen=True, now=ctx.clock()
            ),
        )

    # -- inside

    @property
    def _ctx(self) -> Context:
        return self.service.api.ctx

    @property
    def _switches(self) -> Switches:
        return Switches(self._ctx.database, self._compare(self._ctx), lambda: None)

    @property
    def _admin(self) -> ConnectionAdmin:
        return ConnectionAdmin(self._ctx.database, self._ctx.sites, self._compare(self._ctx))

    def _compare(self, ctx: Context) -> Any:
        async def compare(connection_id: int, *, cause: str, by: str) -> int:
            return await walk.request(
                ctx.database, connection_id, twin_ids=None, dry_run=False, cause=cause,
                requested_by=by, now=ctx.clock(),
            )  # fmt: skip

        return compare

    def _connection(self, at: int | None = None) -> str:
        at = self.random.randrange(len(self.ground.joins)) if at is None else at
        left, right, *_ = self.ground.joins[at]
        return f"{left}-{right}-{self.ground.world.serial}-{at}"

    def _ask(self, told: str, act: Callable[[], Any]) -> str:
        async def said() -> object:
            answer = await act()
            return told if not isinstance(answer, str) else f"{told}: {answer}"

        return self.service.ask(told.replace(" ", "-"), said)


async def acknowledge(ctx: Context, switches: Switches) -> str:
    """Every incident of a site that went back is resolved, and all that it stopped goes on."""
    async with ctx.database.connection() as conn:
        open_ = await conn.fetch(
            """SELECT id, site_id FROM incidents WHERE kind = 'site_went_back'
               AND state <> 'resolved' ORDER BY id"""
        )
        stopped = await conn.fetch(
            """SELECT name FROM connections WHERE left_site_id = ANY($1::bigint[])
               OR right_site_id = ANY($1::bigint[]) ORDER BY id""",
            [it["site_id"] for it in open_],
        )
    for it in open_:
        await timeline.update(
            ctx.database, it["id"], state=State.RESOLVED, impact=None, text="a backup", by="ann",
            now=ctx.clock(),
        )  # fmt: skip
    for it in stopped:
        await switches.resume(it["name"], by="ann", now=ctx.clock())
        await switches.mode(it["name"], Mode.LIVE, by="ann", now=ctx.clock())
    return f"{len(open_)} sites went back"


def spec_of(config: ConnectionConfig) -> ConnectionSpec:
    wishes = tuple(TypeWish(it.left.id, it.right.id, it.reversed) for it in config.link_types)
    return ConnectionSpec(
        config.left, config.right, config.direction, wishes, config.on_mirror_removed,
        config.on_issue_deleted, config.guard, config.twins, config.approvals,
    )  # fmt: skip


def _other(wishes: tuple[TypeWish, ...], what: str) -> tuple[TypeWish, ...]:
    """The first type turned round, or the second one gone."""
    if what == "turned":
        return (replace(wishes[0], reversed=not wishes[0].reversed), *wishes[1:])
    return wishes[:1]
