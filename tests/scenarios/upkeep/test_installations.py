"""Copies, other sites, older dumps: each writes nothing until a person decides, and says so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.core.config import Mode
from app.core.errors import PermanentError
from app.core.incidents import State
from app.sandbox import JiraSite, SiteApp
from app.sync.connections.switches import Switches
from app.sync.guard import held_plans
from app.sync.incidents import timeline
from app.sync.incidents import watch as incidents_watch
from app.sync.recovery import restore
from app.sync.resync import poll
from app.sync.runtime.refusals import Refused
from app.sync.upkeep.installation import InstallationWatch
from app.sync.writes import confirm
from tests.scenarios.conftest import Duo
from tests.support.copies import put_back
from tests.support.engine import World, open_lab
from tests.support.servers import Database, Servers, fresh_database

PRODUCTION = "production"


@pytest.fixture
async def other(servers: Servers, template_database: Database) -> AsyncIterator[Database]:
    """Where the dump goes. On the same cluster, where nothing but the place tells it apart."""
    async with fresh_database(servers, template_database) as database:
        yield database


@asynccontextmanager
async def copy(servers: Servers, duo: Duo, source: str, target: Database) -> AsyncIterator[World]:
    """A worker on a copy of *duo*'s database as it is now, with production's sites."""
    await put_back(servers.postgres, source, target.run_url)
    async with open_lab(target.run_url) as lab:
        world = lab.world(duo.world.clock)
        world.stations.update(duo.world.stations)
        world.connections.extend(duo.world.connections)
        yield world
        await world.inbox.aclose()
        await world.wake.aclose()
        await world.sites.aclose()


def written(duo: Duo) -> int:
    """Links that our account ever made or removed, by the sites' own logs."""
    return sum(
        1
        for station in (duo.left, duo.right)
        for entry in station.jira.mutations
        if entry.actor == "twinlink"
    )


async def everything(world: World) -> None:
    """What a worker does, all of it, more than once."""
    for _ in range(3):
        await world.deliver()
        await world.execute("UPDATE sites SET poll_due_at = to_timestamp(0)")
        await poll.run_once(world.ctx)
        await world.resync(bulk=False)
        while await world.look():
            pass
        await confirm.run_once(world.ctx)
        await restore.run_once(world.ctx)
        await held_plans.run_once(world.ctx)
        await incidents_watch.run_once(world.ctx)
        world.clock.tick(61)


async def open_incidents(world: World) -> list[dict[str, Any]]:
    return await world.rows(
        """SELECT id, kind, facts FROM incidents
           WHERE state <> 'resolved' AND $1::bigint[] IS NOT NULL ORDER BY id"""
    )


def switches(world: World) -> Switches:
    async def compare(connection_id: int, *, cause: str, by: str) -> int:
        await world.resync(bulk=False)
        return 0

    return Switches(world.database, compare, world.wake.soon)


async def test_a_staging_copy_writes_nothing(
    duo: Duo, servers: Servers, db_url: str, other: Database
) -> None:
    """It has production's credentials, its webhooks' secrets, and more to do than production."""
    assert await InstallationWatch(duo.world.ctx, PRODUCTION).run_once()
    origin = await duo.mirrored()
    async with copy(servers, duo, db_url, other) as staging:
        watch = InstallationWatch(staging.ctx, "staging")
        assert not await watch.run_once()
        duo.ann.unlink(origin)
        duo.ann.link("P-2", "Relates", "P-3")
        before = written(duo)
        await everything(staging)
        assert not await watch.run_once()
        assert written(duo) == before
        [incident] = await open_incidents(staging)
        assert incident["kind"] == "installation_mismatch"
        assert incident["facts"] == {"configured": "staging", "stored": PRODUCTION}
    await duo.world.resync()
    await duo.world.settle()
    assert duo.right.jira.triples_of() == {("P-3", "Relates", "P-1")}, "production goes on"
    assert await open_incidents(duo.world) == []


async def test_a_restored_older_dump_writes_nothing_until_somebody_decides(
    duo: Duo, servers: Servers, db_url: str, other: Database
) -> None:
    """After the dump somebody decided that a mirror stays. The dump knows nothing of it."""
    world = duo.world
    assert await InstallationWatch(world.ctx, PRODUCTION).run_once()
    origin = await duo.mirrored()
    async with copy(servers, duo, db_url, other) as restored:
        duo.ann.unlink(origin)
        duo.ann.link("P-2", "Relates", "P-3")
        before = written(duo)
        watch = InstallationWatch(restored.ctx, PRODUCTION)
        assert await watch.run_once(), "it is production"
        await everything(restored)
        await watch.run_once()
        assert written(duo) == before
        [incident] = await open_incidents(restored)
        assert incident["kind"] == "database_went_back"
        assert incident["facts"] == {"sign": "place", "connections": 1}
        [name] = [it["name"] for it in await restored.rows(CONNECTIONS)]

        # Whoever resumes lets creations go on; no removal leaves by itself.
        switch = switches(restored)
        await switch.resume_all(by="ann", now=restored.now())
        await everything(restored)
        assert duo.right.jira.triples_of() == {("P-2", "Blocks", "P-3"), ("P-3", "Relates", "P-1")}
        assert [it["operation"] for it in await restored.held()] == ["remove"]
        with pytest.raises(Refused, match="database_went_back"):
            await switch.mode(name, Mode.LIVE, by="ann", now=restored.now())

        # Whoever resolves it has decided.
        await timeline.update(
            restored.database,
            incident["id"],
            state=State.RESOLVED,
            impact=None,
            text="restored on purpose",
            by="ann",
            now=restored.now(),
        )
        assert (await switch.mode(name, Mode.LIVE, by="ann", now=restored.now())).mode is Mode.LIVE
        await watch.run_once()
        assert await open_incidents(restored) == [], "said once"


CONNECTIONS = "SELECT name FROM connections WHERE id = ANY($1::bigint[])"


@pytest.mark.parametrize("also_made", [True, False])
async def test_another_jira_behind_a_known_address(duo: Duo, also_made: bool) -> None:
    """The right site's name leads to a copy of it now: the same issues, links and accounts. What
    is proven of a removal is proven of the left site; the right one shows the very link."""
    origin = await duo.mirrored()
    real = duo.right.jira
    foreign = JiraSite("foreign", "datacenter", clock=duo.world.clock, seed=77)
    for name in (
        "users", "credentials", "projects", "project_keys", "types", "issues", "issue_keys",
        "links", "triples",
    ):  # fmt: skip
        setattr(foreign, name, getattr(real, name))
    foreign.base_url = "https://other.example.org"
    duo.right.app = SiteApp(foreign)
    duo.world.ctx = duo.world.worker()
    duo.ann.unlink(origin)
    if also_made:
        duo.ann.link("P-2", "Relates", "P-3")
    before = written(duo)
    await everything(duo.world)
    assert written(duo) == before
    assert not list(foreign.mutations)
    kinds = {it["kind"] for it in await open_incidents(duo.world)}
    assert kinds == {"site_identity_changed"}
    client = await duo.world.ctx.sites.client(duo.right.id)
    with pytest.raises(PermanentError, match="identity_changed"):
        await client.assure()

    await duo.world.ctx.sites.aclose()
    duo.right.app = SiteApp(real)
    duo.world.ctx = duo.world.worker()
    await duo.world.resync()
    await duo.world.settle()
    expected = {("P-3", "Relates", "P-1")} if also_made else set()
    assert real.triples_of() == expected, "the known one is back"
    await duo.world.ctx.sites.aclose()
