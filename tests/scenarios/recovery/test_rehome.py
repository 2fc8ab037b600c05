"""A Data Center that moves to Cloud: new ids everywhere, in one go and in phases."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from app.core.config import Mode
from app.core.errors import PermanentError
from app.sandbox import JiraSite, Link
from app.store.config import connections, sites
from app.store.guard import held_plans as plans_held
from app.sync.connections import rehome, rehome_apply
from app.sync.connections.admin import ConnectionAdmin
from app.sync.guard import held_plans
from app.sync.resync import walk
from tests.scenarios.conftest import TWINS, Build, Duo
from tests.support import mixed
from tests.support.engine import ACCOUNT, Station
from tests.support.migration import Migration


@dataclass(slots=True)
class Moving:
    """*duo* whose right site, a Data Center, moves to the Cloud site `there`."""

    duo: Duo
    there: Station
    migration: Migration
    connection: int = 0

    async def rehome(self) -> dict[str, Any]:
        """Ask, plan, approve by two owners, apply; the plan's changes."""
        await self.ask()
        await self.approve()
        return await self.results()

    async def ask(self) -> None:
        world = self.duo.world

        async def compare(connection_id: int, *, cause: str, by: str) -> int:
            raise AssertionError("nothing is compared by asking")

        admin = ConnectionAdmin(world.database, world.sites, compare)
        async with world.database.connection() as conn:
            site = await sites.by_id(conn, self.duo.right.id)
        assert site is not None
        [asked] = await rehome.request(
            admin, site, self.there.access.name, None, by="ann", now=world.now()
        )
        async with world.database.connection() as conn:
            row = await connections.by_name(conn, asked.connection)
        assert row is not None
        self.connection = row.id
        if row.id not in world.connections:
            world.connections.append(row.id)
        self.plan = asked.plan_id
        await rehome_apply.run_once(world.ctx)

    plan: int = 0

    async def approve(self) -> None:
        world = self.duo.world
        async with world.database.connection() as conn:
            digest = (await plans_held.value(conn, self.plan)).digest
        for by in ("ann", "bob"):
            await held_plans.approve(
                world.database, self.plan, digest, by=by, note="", now=world.now()
            )
        await rehome_apply.run_once(world.ctx)
        await self.settle()

    async def settle(self) -> None:
        while await walk.run_once(self.duo.world.ctx):
            await self.duo.world.settle()
        await self.duo.world.settle()

    async def results(self) -> dict[str, Any]:
        """By link, as the left site's keys have it."""
        async with self.duo.world.database.connection() as conn:
            rows = await conn.fetch("SELECT * FROM plan_changes WHERE plan_id = $1", self.plan)
        return {f"{it['source_key']} {it['destination_key']}": it["result"] for it in rows}

    async def states(self, connection: int) -> list[str]:
        return sorted(it["state"] for it in await self.duo.world.ledger(connection))

    @property
    def removed(self) -> int:
        """By our account, on any site."""
        stations = self.duo.world.stations.values()
        return sum(len(it.jira.mutations.select("removed", ACCOUNT)) for it in stations)


Move = Callable[..., Any]


@pytest.fixture
async def moving(build: Build) -> Moving:
    return await moved(await build())


async def moved(duo: Duo) -> Moving:
    cloud = JiraSite("cloud", "cloud", clock=duo.world.clock, first_id=90_000)
    for user in duo.right.jira.users.values():
        cloud.add_user(user.name, admin=user.admin)
    for key in (mixed.PROJECT, mixed.ELSEWHERE):
        cloud.add_project(key)
    for kind in duo.right.jira.types.values():
        cloud.add_link_type(kind.name, kind.outward, kind.inward)
    there = await duo.world.add_site("cloud", cloud)
    return Moving(duo, there, Migration(duo.right.jira, cloud))


async def both_ways(duo: Duo) -> tuple[Link, Link]:
    """One mirror on the site that moves, and one on the site that stays."""
    one = await duo.mirrored("P-1", "Blocks", "P-2")
    other = duo.bob.link("P-2", "Relates", "P-1")
    await duo.world.settle()
    assert await duo.world.states() == ["managed", "managed"]
    return one, other


async def test_links_are_carried_over_by_key_type_ends_and_author(moving: Moving) -> None:
    duo = moving.duo
    one, _ = await both_ways(duo)
    theirs = duo.bob.link("P-3", "Blocks", "P-4")
    duo.ann.link("P-2", "Blocks", "P-4")
    await duo.world.settle()
    moving.migration.bring()
    results = await moving.rehome()

    assert set(results.values()) == {"applied:rehomed"}
    assert len(results) == 2
    # What was nobody's before is recorded anew, by the first comparison.
    assert await moving.states(moving.connection) == ["managed", "managed", "preexisting"]
    assert await moving.states(duo.connection) == ["preexisting"]
    assert moving.removed == 0
    assert len(moving.there.jira.links) == len(duo.right.jira.links)
    assert theirs.id in duo.right.jira.links

    # In review a removal is held; live, the mirror on the new site goes with its origin.
    mirror = moving.migration.links[duo_mirror(duo, one)]
    duo.ann.unlink(one)
    await moving.settle()
    assert mirror in moving.there.jira.links
    assert moving.removed == 0
    assert [it["status"] for it in await duo.world.held()] == ["gathering"]
    async with duo.world.database.transaction() as conn:
        row = await connections.by_id(conn, moving.connection)
        assert row is not None
        assert (row.mode, row.paused_at) == (Mode.REVIEW, None)
        await connections.set_mode(conn, moving.connection, Mode.LIVE)
    await duo.world.resync()
    await moving.settle()
    assert mirror not in moving.there.jira.links
    assert moving.removed == 1


def duo_mirror(duo: Duo, origin: Link) -> int:
    """The mirror's id on the former site."""
    ends = [TWINS[duo.left.jira.issues[end].key] for end in (origin.source, origin.destination)]
    jira = duo.right.jira
    return next(
        link.id
        for link in jira.links.values()
        if [jira.issues[end].key for end in (link.source, link.destination)] == ends
    )


async def test_what_does_not_match_is_listed_and_stays(moving: Moving) -> None:
    """A link that is lost on the way, one whose author is another there."""
    duo = moving.duo
    await duo.mirrored("P-1", "Blocks", "P-2")
    await duo.mirrored("P-2", "Blocks", "P-3")
    await duo.mirrored("P-3", "Blocks", "P-1")
    moving.migration.bring()
    cloud = moving.there.jira
    lost, foreign, _ = sorted(cloud.links)
    gone = cloud.links.pop(lost)
    for end in (gone.source, gone.destination):
        cloud.issues[end].links.pop(lost)
    del cloud.triples[gone.type_id, gone.source, gone.destination]
    link = cloud.links[foreign]
    other = cloud.issues[link.destination].key
    for entry in cloud.issues[link.source].history:
        if entry.items[0].after == other:
            entry.author = "bob"
    source = cloud.issues[link.source].key
    for entry in cloud.issues[link.destination].history:
        if entry.items[0].after == source:
            entry.author = "bob"
    results = await moving.rehome()
    assert sorted(results.values()) == [
        "applied:rehomed",
        "skipped:author_theirs",
        "skipped:link_not_moved",
    ]
    assert await moving.states(duo.connection) == ["managed", "managed"], "with the former one"
    assert moving.removed == 0
    async with duo.world.database.connection() as conn:
        former = await connections.by_id(conn, duo.connection)
    assert former is not None
    assert former.paused


async def test_a_phased_migration_is_followed_phase_by_phase(moving: Moving) -> None:
    duo = moving.duo
    await duo.mirrored("P-1", "Blocks", "P-2")
    await duo.mirrored("P-2", "Blocks", "P-4")
    moving.migration.bring([TWINS["P-1"], TWINS["P-2"]])
    results = await moving.rehome()
    assert sorted(results.values()) == ["applied:rehomed", "skipped:issue_not_moved"]
    assert await moving.states(moving.connection) == ["managed"]
    assert await moving.states(duo.connection) == ["managed"]

    first = moving.connection
    moving.migration.bring()
    results = await moving.rehome()
    assert moving.connection == first, "the same successor"
    assert set(results.values()) == {"applied:rehomed"}
    assert await moving.states(moving.connection) == ["managed", "managed"]
    assert await moving.states(duo.connection) == []
    assert moving.removed == 0


async def test_a_decision_of_a_person_moves_along(moving: Moving) -> None:
    """A mirror that somebody removed on purpose is not made again on the new site."""
    duo = moving.duo
    await duo.mirrored("P-1", "Blocks", "P-2")
    duo.bob.unlink(duo.mirror)
    await duo.world.settle()
    assert await duo.world.states() == ["detached"]
    moving.migration.bring()
    assert set((await moving.rehome()).values()) == {"applied:rehomed"}
    assert await moving.states(moving.connection) == ["detached"]
    assert not moving.there.jira.links


async def test_nothing_happens_before_two_owners_approved(moving: Moving) -> None:
    duo = moving.duo
    await duo.mirrored("P-1", "Blocks", "P-2")
    moving.migration.bring()
    await moving.ask()
    await moving.settle()
    assert await moving.states(moving.connection) == []
    async with duo.world.database.connection() as conn:
        former = await connections.by_id(conn, duo.connection)
        digest = (await plans_held.value(conn, moving.plan)).digest
    assert former is not None
    assert not former.paused, "the former connection goes on until then"
    now = duo.world.now()
    await held_plans.approve(duo.world.database, moving.plan, digest, by="ann", note="", now=now)
    await rehome_apply.run_once(duo.world.ctx)
    assert await moving.states(moving.connection) == []
    with pytest.raises(PermanentError, match="concurrent_change"):
        await moving.ask()
