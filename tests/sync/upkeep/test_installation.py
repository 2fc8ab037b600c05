"""A worker on another installation's database writes nothing; one whose database went back in
time holds every removal until a person acknowledges it."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.core.config import Mode
from app.core.errors import PermanentError, TransientError
from app.core.incidents import State
from app.jira.client import JiraClient, Options
from app.sandbox import Fault
from app.store.upkeep import database_identity
from app.sync.incidents import timeline
from app.sync.incidents import watch as incidents_watch
from app.sync.upkeep.installation import InstallationWatch
from tests.support import full_disk, mixed
from tests.support.servers import Database, Servers, database_url
from tests.sync.discovery.fields import FieldWorld, open_fields


@pytest.fixture
async def fields(db_url: str) -> AsyncIterator[FieldWorld]:
    async with open_fields(db_url) as made:
        yield made


def watch(fields: FieldWorld, named: str | None = "here") -> InstallationWatch:
    return InstallationWatch(fields.world.worker(), named)


async def stored(fields: FieldWorld, id: str = "here") -> None:
    await fields.world.execute("INSERT INTO installation (id) VALUES ($1)", id)


async def found(fields: FieldWorld) -> list[dict[str, Any]]:
    return [
        dict(row)
        for row in await fields.world.rows(
            "SELECT kind, state, facts FROM incidents WHERE $1::bigint[] IS NOT NULL ORDER BY id"
        )
    ]


async def modes(fields: FieldWorld) -> list[str]:
    rows = await fields.world.rows(
        "SELECT mode FROM connections WHERE id = ANY($1::bigint[]) ORDER BY id"
    )
    return [row["mode"] for row in rows]


async def test_the_first_worker_names_the_database(fields: FieldWorld) -> None:
    assert await watch(fields).run_once()
    assert not await watch(fields, "elsewhere").run_once()


async def test_a_worker_without_a_name_gives_none(fields: FieldWorld) -> None:
    """Else the name that somebody sets afterwards would be refused for ever."""
    nameless = watch(fields, None)
    assert await nameless.run_once(), "neither has a name: neither is a copy of a named one"
    assert await found(fields) == []
    assert await watch(fields, "here").run_once()
    assert not await nameless.run_once(), "by now the database has a name, and this one none"


async def test_a_beat_that_was_not_committed_is_no_sign(
    fields: FieldWorld, servers: Servers, database: Database
) -> None:
    """A full disk refuses the look's own commit; afterwards time has not gone back."""
    superuser = database_url(servers.postgres, database.name)
    await full_disk.install(superuser)
    it = watch(fields)
    assert await it.run_once()
    async with full_disk.full_disk(superuser):
        for _ in range(2):
            with pytest.raises(TransientError):
                await it.run_once()
    assert await it.run_once()
    assert await found(fields) == []


@pytest.mark.parametrize("named", ["staging", None])
async def test_another_installations_database(fields: FieldWorld, named: str | None) -> None:
    await stored(fields, "production")
    ctx = fields.world.ctx
    it = InstallationWatch(ctx, named)
    assert not ctx.permit.granted, "nobody looked yet"
    assert not await it.run_once()
    fields.claim("P-1", "P-3")
    fields.claim("P-2", "P-4")
    await fields.discover()
    fields.left.person().link("P-1", "Blocks", "P-2")
    await fields.world.deliver()
    assert await fields.world.look() == 0
    assert fields.right.jira.triples_of() == set()
    [incident] = await found(fields)
    assert incident["kind"] == "installation_mismatch"
    assert incident["facts"] == {"configured": named or "nothing", "stored": "production"}


async def test_nothing_is_reserved_that_was_looked_at_before(fields: FieldWorld) -> None:
    """The last look began while writing was allowed."""
    fields.claim("P-1", "P-3")
    fields.claim("P-2", "P-4")
    await fields.discover()
    await fields.world.settle()
    fields.left.person().link("P-1", "Blocks", "P-2")
    await fields.world.deliver()

    async def refuse() -> None:
        fields.world.ctx.permit.refuse("test")

    fields.right.jira.faults.add(Fault("after", "POST", "bulkfetch", times=1, action=refuse))
    await fields.world.look()
    assert not fields.world.ctx.permit.granted
    assert fields.right.jira.triples_of() == set()
    assert await fields.world.rows("SELECT 1 FROM intents WHERE connection_id = ANY($1)") == []


async def test_a_client_asks_before_every_write(fields: FieldWorld) -> None:
    permit = fields.world.ctx.permit
    access = fields.left.access
    client = JiraClient(access, Options(read_only=lambda: not permit.granted))
    permit.refuse("test")
    with pytest.raises(PermanentError, match="read_only"):
        await client.delete_link("1")  # type: ignore[arg-type]
    await client.aclose()


async def test_named_right_again_it_is_watched(fields: FieldWorld) -> None:
    await stored(fields)
    wrong = watch(fields, "there")
    await wrong.run_once()
    await incidents_watch.run_once(fields.world.ctx)
    assert [it["state"] for it in await found(fields)] == ["investigating"]
    fields.let_pass(301)
    await incidents_watch.run_once(fields.world.ctx)
    assert [it["state"] for it in await found(fields)] == ["monitoring"]
    await wrong.run_once()
    assert [it["state"] for it in await found(fields)] == ["investigating"]


async def test_an_unchanged_database_is_no_news(fields: FieldWorld) -> None:
    it = watch(fields)
    for _ in range(3):
        assert await it.run_once()
    assert await found(fields) == []
    assert await modes(fields) == ["live"]
    async with fields.world.database.connection() as conn:
        known = await database_identity.stored(conn)
    assert known.system is not None
    assert known.timeline == "00000001"
    assert known.beat == 3


CHANGES = {
    "place": "place = '1/2'",
    "system": "system_identifier = '1'",
    "timeline": "timeline = '00000009'",
    "beat": "beat = 0",
}


@pytest.mark.parametrize("sign", CHANGES)
async def test_a_database_that_went_back(fields: FieldWorld, sign: str) -> None:
    world = fields.world
    others = [
        await world.connect("right", "left", mixed.config(fields.right, fields.left), mode)
        for mode in (Mode.SHADOW, Mode.CREATE_ONLY)
    ]
    assert len(others) == 2
    it = watch(fields)
    assert await it.run_once()
    await world.execute(f"UPDATE installation SET {CHANGES[sign]}")  # noqa: S608
    assert await it.run_once(), "the process may write, once somebody has looked"
    assert await modes(fields) == ["review", "shadow", "create_only"], "no mode is raised"
    pause = await world.rows("SELECT paused_by FROM installation WHERE $1::bigint[] IS NOT NULL")
    assert pause == [{"paused_by": "database_went_back"}]
    [incident] = await found(fields)
    assert incident["kind"] == "database_went_back"
    assert incident["facts"] == {"sign": sign, "connections": 1}
    await it.run_once()
    await incidents_watch.run_once(world.ctx)
    assert [it["state"] for it in await found(fields)] == ["investigating"], "said once"


async def test_what_nobody_may_ask_is_no_difference(fields: FieldWorld) -> None:
    here = database_identity.Identity("1", "2")
    assert here.differs(database_identity.Identity(None, None)) is None
    assert database_identity.Identity(None, None).differs(here) is None
    assert here.differs(database_identity.Identity("1", "3")) == "timeline"


async def test_a_role_that_may_not_ask_goes_by_the_rest(
    fields: FieldWorld, servers: Any, database: Any
) -> None:
    admin = await asyncpg.connect(servers.postgres.rpartition("/")[0] + "/" + database.name)
    await admin.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    await admin.close()
    assert await watch(fields).run_once()
    async with fields.world.database.connection() as conn:
        known = await database_identity.stored(conn)
    assert (known.system, known.timeline) == (None, "00000001")


async def test_only_a_person_ends_it(fields: FieldWorld) -> None:
    it = watch(fields)
    await it.run_once()
    await fields.world.execute("UPDATE installation SET timeline = '00000009'")
    await it.run_once()
    fields.let_pass(3 * 24 * 3600)
    assert await incidents_watch.run_once(fields.world.ctx) == 1
    rows = await fields.world.rows("SELECT id FROM incidents WHERE $1::bigint[] IS NOT NULL")
    await timeline.update(
        fields.world.database,
        rows[0]["id"],
        state=State.RESOLVED,
        impact=None,
        text="restored on purpose",
        by="me",
        now=fields.world.now(),
    )
    await it.run_once()
    assert await incidents_watch.run_once(fields.world.ctx) == 0
