"""Three sites and the connections between them, for the stories of who manages a link."""

from dataclasses import dataclass

from app.core.config import Direction, Mode
from app.store.guard import held_plans as plans_held
from app.sync.connections.switches import Switches
from app.sync.guard import held_plans
from tests.support import mixed
from tests.support.engine import ACCOUNT, Station, World

ISSUES = ("P-1", "P-2", "P-3")


@dataclass(slots=True)
class Trio:
    """Sites l, m, r, each with P-1 to P-3. Twins: number n of l is n+1 of m and n of r."""

    world: World
    stations: dict[str, Station]

    async def join(
        self,
        left: str,
        right: str,
        direction: Direction = Direction.LEFT_TO_RIGHT,
        mode: Mode = Mode.LIVE,
    ) -> int:
        one, other = self.stations[left], self.stations[right]
        config = mixed.config(one, other, direction=direction)
        made = await self.world.connect(left, right, config, mode)
        for number in range(3):
            await self.world.pair(
                made, (left, self.key(left, number)), (right, self.key(right, number))
            )
        await self.world.settle()
        return made

    def key(self, station: str, number: int) -> str:
        return ISSUES[(number + (station == "m")) % 3]

    def link(self, station: str, person: str = "ann") -> int:
        """The one link of these stories: twin 0 blocks twin 1."""
        at = self.stations[station]
        return at.person(person).link(self.key(station, 0), "Blocks", self.key(station, 1)).id

    def unlink(self, station: str, link: int) -> None:
        self.stations[station].person().unlink(link)

    def ours(self, station: str) -> int:
        return len(self.stations[station].ours)

    async def reject(self, connection: int) -> None:
        """All removals that it holds."""
        plan, digest = await self._held(connection)
        database, now = self.world.database, self.world.now()
        await held_plans.reject(database, plan, digest, by="ann", note="", now=now)

    async def approve(self, connection: int) -> None:
        """All removals that it holds."""
        plan, digest = await self._held(connection)
        database, now = self.world.database, self.world.now()
        await held_plans.approve(database, plan, digest, by="ann", note="", now=now)

    async def seal(self) -> None:
        """Whatever gathers waits for a person from now on."""
        self.world.clock.tick(60)
        await held_plans.run_once(self.world.ctx)

    async def _held(self, connection: int) -> tuple[int, str]:
        await self.seal()
        (plan,) = await self.world.rows(
            f"SELECT id FROM plans WHERE connection_id = {connection}"  # noqa: S608
            " AND status = 'held' AND $1::bigint[] IS NOT NULL"
        )
        async with self.world.database.connection() as conn:
            return plan["id"], (await plans_held.value(conn, plan["id"])).digest

    async def handed(self) -> list[tuple[str, str]]:
        """What the audit says of links that changed hands: the operation and its cause."""
        return sorted(
            (row["operation"], row["cause_kind"])
            for row in await self.world.audit()
            if row["intent_id"] is None
        )

    def removed(self) -> int:
        return sum(
            len(it.jira.mutations.select("removed", ACCOUNT)) for it in self.stations.values()
        )

    @property
    def switches(self) -> Switches:
        """Without the comparison that a raised mode asks for: what happens then is due to it."""

        async def compare(connection_id: int, *, cause: str, by: str) -> int:
            return 0

        return Switches(self.world.database, compare, lambda: None)

    async def name(self, connection: int) -> str:
        """As `switches` know it."""
        rows = await self.world.rows("SELECT id, name FROM connections WHERE id = ANY($1)")
        return next(str(row["name"]) for row in rows if row["id"] == connection)

    async def operate(self, connection: int, mode: Mode | None) -> None:
        """Put a connection into a mode; None pauses it."""
        name, now = await self.name(connection), self.world.now()
        if mode is None:
            await self.switches.pause(name, by="ann", now=now)
        else:
            await self.switches.mode(name, mode, by="ann", now=now)
