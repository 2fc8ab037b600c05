"""What makes ids, authors and clocks say something else than before: a backup that is restored,
mirrors that a person makes again by hand, our account replaced by another."""

from dataclasses import replace
from random import Random

from app.sandbox import Link
from app.sandbox.backup import Backup
from app.store.config import sites
from app.store.config.sites import Pins, SiteValues
from tests.simulation import back_in_time
from tests.simulation.ground import Ground
from tests.support import mixed
from tests.support.engine import OUR_ACCOUNTS

RENAMED = "Q"
_VALUES = SiteValues.__dataclass_fields__


class History:
    """Every method is one act; it answers a line for the trace."""

    def __init__(self, ground: Ground, random: Random) -> None:
        self.ground = ground
        self.random = random
        self._backups: dict[str, Backup] = {}
        self._newest = ""

    # -- backups

    def backs_up(self) -> str:
        name = self.random.choice(self.ground.names)
        self._newest = name
        self._backups[name] = back_in_time.take(self.ground.world.stations[name].jira)
        return f"{name}: a backup is taken"

    async def goes_back(self) -> str:
        """Mostly a person makes by hand what is lost by that, and so gets its ids again. Not while
        a link is being written there: what became of that write, only the log would know."""
        if not self._backups:
            return ""
        name = self._newest
        if await self._being_written(name):
            return ""
        lost = back_in_time.go_back(self.ground.world.stations[name].jira, self._backups[name])
        told = [f"{name}: the backup is restored, {[it.id for it in lost]} are lost"]
        if self.random.random() < 0.7:
            told += [self._by_hand(name, it) for it in lost]
        return "; ".join(told)

    def makes_lost_mirrors_by_hand(self) -> str:
        """A mirror that went, with the same ends; and now and then the other way round beside
        one of ours that stands."""
        name = self.random.choice(self.ground.names)
        jira = self.ground.world.stations[name].jira
        made = [it for it in jira.mutations.select("created") if it.actor in OUR_ACCOUNTS]
        gone = [
            Link(it.link_id, it.type_id, it.source, it.destination, it.at)
            for it in made
            if (it.type_id, it.source, it.destination) not in jira.triples
        ]
        return self._by_hand(name, self.random.choice(gone)) if gone else ""

    def reverses_beside_ours(self) -> str:
        """Of a type without direction, the same link once more."""
        name = self.random.choice(self.ground.names)
        station = self.ground.world.stations[name]
        links = [station.jira.links[it] for it in sorted(station.ours)]
        ours = [it for it in links if station.jira.types[it.type_id].symmetric]
        if not ours:
            return ""
        it = self.random.choice(ours)
        return self._by_hand(name, replace(it, source=it.destination, destination=it.source))

    # -- keys

    def renames_the_project(self) -> str:
        """To another key, or back. Now and then the former one leads nowhere from then on."""
        name = self.random.choice(self.ground.names)
        key = RENAMED if self.ground.project(name).key == mixed.PROJECT else mixed.PROJECT
        forgotten = self.random.random() < 0.3
        self.ground.rename(name, key, forgotten=forgotten)
        return f"{name}: the project is now {key}{', not the former one' if forgotten else ''}"

    # -- accounts

    async def changes_the_account(self) -> str:
        """A PUT of the site with the other account's credentials: the former one's mirrors are
        ours as before."""
        name = self.random.choice(self.ground.names)
        station, database = self.ground.world.stations[name], self.ground.world.database
        now = self.ground.world.now()
        async with database.transaction() as conn:
            row = await sites.lock(conn, station.access.name)
            assert row is not None
            auth, account = next(it for it in self.ground.accounts[name] if it[1] != row.account_id)
            values = SiteValues(**{it: getattr(row, it) for it in _VALUES})
            await sites.update(conn, row.id, values, Pins(row.identity, account), now)
            row = await sites.by_id(conn, row.id)
        assert row is not None
        station.access = replace(
            station.access,
            auth=auth,
            account_id=row.account_id,
            account_since=row.account_since,
            former_accounts=row.former_accounts,
            version=row.version,
        )
        return f"{name}: we are another account now"

    # -- inside

    def _by_hand(self, name: str, link: Link) -> str:
        jira = self.ground.world.stations[name].jira
        if link.source not in jira.issues or link.destination not in jira.issues:
            return f"{name}: an end of {link.id} is gone"
        ends = tuple(self.ground.number(name, it) for it in (link.source, link.destination))
        return self.ground.link(name, "bob", jira.types[link.type_id].name, (ends[0], ends[1]))

    async def _being_written(self, name: str) -> bool:
        async with self.ground.world.database.connection() as conn:
            return bool(
                await conn.fetchval(
                    "SELECT EXISTS (SELECT 1 FROM intents WHERE state = 'open' AND site_id = $1)",
                    self.ground.world.stations[name].id,
                )
            )
