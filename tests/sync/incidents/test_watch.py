"""What the database shows to be wrong opens one incident, whoever looks and however many do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from app.core.incidents import KINDS, Impact, IncidentKind
from app.store.alerts import incidents as stored
from app.store.queue import stray_deliveries, webhook_sources
from app.store.views import verifications
from app.sync.incidents import watch as incidents_watch
from app.sync.incidents.timeline import open_or_note
from app.sync.upkeep import audit_chain
from app.sync.upkeep.gauges import Gauges
from tests.sync.discovery.fields import FieldWorld, open_fields

Bring = Callable[[FieldWorld], Awaitable[None]]


@pytest.fixture
async def fields(db_url: str) -> AsyncIterator[FieldWorld]:
    async with open_fields(db_url) as made:
        yield made


async def linked(fields: FieldWorld) -> None:
    """One mirrored link: P-1 and P-2 are paired."""
    fields.claim("P-1", "P-3")
    fields.claim("P-2", "P-4")
    await fields.discover()
    fields.left.person().link("P-1", "Blocks", "P-2")
    await fields.world.settle()


async def found(fields: FieldWorld) -> list[dict[str, Any]]:
    return await fields.world.rows(
        "SELECT * FROM incidents WHERE $1::bigint[] IS NOT NULL ORDER BY id"
    )


async def pages(fields: FieldWorld) -> list[bool]:
    rows = await fields.world.rows(
        "SELECT paging FROM notifications WHERE $1::bigint[] IS NOT NULL ORDER BY id"
    )
    return [row["paging"] for row in rows]


async def watch(fields: FieldWorld, workers: int = 1) -> None:
    await asyncio.gather(*(incidents_watch.run_once(fields.world.worker()) for _ in range(workers)))


async def unconfirmed(fields: FieldWorld) -> None:
    await linked(fields)
    await fields.world.execute(
        "UPDATE intents SET state = 'open', closed_at = NULL, created_at = $1",
        fields.world.now() - timedelta(minutes=15),
    )


async def rejected(fields: FieldWorld) -> None:
    async with fields.world.database.transaction() as conn:
        await webhook_sources.reject(conn, {fields.left.id: 5}, now=fields.world.now())


async def astray(fields: FieldWorld) -> None:
    async with fields.world.database.transaction() as conn:
        name: str = await conn.fetchval("SELECT name FROM sites WHERE id = $1", fields.left.id)
        await stray_deliveries.count(conn, {(name, "path"): 5}, now=fields.world.now())


async def another_jira(fields: FieldWorld) -> None:
    await waiting(fields, "site:identity_changed")


async def let_in_no_more(fields: FieldWorld) -> None:
    await waiting(fields, "site:unauthorized")


async def waiting(fields: FieldWorld, reason: str) -> None:
    await linked(fields)
    await fields.world.execute(
        "UPDATE work SET generation = done + 1, waiting = $1, due_at = $2",
        reason,
        fields.world.now() + timedelta(seconds=60),
    )


async def silent(fields: FieldWorld) -> None:
    now = fields.world.now()
    await fields.world.execute(
        "UPDATE sites SET polled_until = $1, poll_due_at = $2 WHERE id = $3",
        now - timedelta(minutes=31),
        now + timedelta(seconds=20),
        fields.left.id,
    )


async def tripped(fields: FieldWorld) -> None:
    await fields.world.execute(
        "UPDATE connections SET guard_tripped_at = $1, guard_trip_reason = 'day'",
        fields.world.now(),
    )


async def locked(fields: FieldWorld) -> None:
    await fields.world.execute(
        "UPDATE sites SET locked_since = $1 WHERE id = $2", fields.world.now(), fields.left.id
    )


CONDITIONS: dict[str, tuple[Bring, str]] = {
    "guard_tripped": (tripped, "minor"),
    "write_unconfirmed": (unconfirmed, "major"),
    "deliveries_rejected": (rejected, "minor"),
    "deliveries_astray": (astray, "minor"),
    "site_identity_changed": (another_jira, "major"),
    "site_refused": (let_in_no_more, "major"),
    "circuit_open": (silent, "major"),
    "site_locked": (locked, "major"),
}


@pytest.mark.parametrize("kind", CONDITIONS)
async def test_each_condition_opens_one_and_ends(fields: FieldWorld, kind: str) -> None:
    bring, impact = CONDITIONS[kind]
    await watch(fields)
    assert await found(fields) == []
    await bring(fields)
    await watch(fields, workers=5)
    [it] = await found(fields)
    assert (it["kind"], it["impact"], it["state"]) == (kind, impact, "investigating")
    assert len(await pages(fields)) == 1
    await fields.world.execute(
        "UPDATE intents SET state = 'noop', closed_at = $1", fields.world.now()
    )
    await fields.world.execute("UPDATE work SET done = generation, waiting = NULL")
    await fields.world.execute("UPDATE connections SET guard_tripped_at = NULL")
    await fields.world.execute("DELETE FROM stray_deliveries")
    await fields.world.execute(
        "UPDATE sites SET rejected_recent = 0, locked_since = NULL, polled_until = $1",
        fields.world.now(),
    )
    await watch(fields, workers=5)
    [it] = await found(fields)
    assert it["state"] == "monitoring"
    assert it["quiet_since"] is not None


async def test_what_comes_for_deleted_sites_is_one_incident(fields: FieldWorld) -> None:
    async with fields.world.database.transaction() as conn:
        for name in ("gone", "lost"):
            await stray_deliveries.deleted(conn, name, now=fields.world.now())
        now = fields.world.now()
        await stray_deliveries.count(
            conn, {("gone", "deleted"): 5, ("lost", "deleted"): 4}, now=now
        )
    await watch(fields)
    [it] = await found(fields)
    assert (it["kind"], it["site_id"]) == ("deliveries_astray", None)
    [entry, *_] = await fields.world.rows(
        "SELECT text FROM incident_updates WHERE $1::bigint[] IS NOT NULL ORDER BY id"
    )
    assert "5 deliveries came for gone, which was deleted here." in entry["text"]


@pytest.mark.parametrize("kind", CONDITIONS)
async def test_who_is_woken(fields: FieldWorld, kind: str) -> None:
    """Unconfirmed writes at once, failing intake after ten minutes, nobody for the rest."""
    await CONDITIONS[kind][0](fields)
    await watch(fields)
    assert await pages(fields) == [kind == "write_unconfirmed"]
    fields.let_pass(600)
    await watch(fields)
    assert (await pages(fields))[1:] == ([True] if kind == "deliveries_rejected" else [])


@pytest.mark.parametrize(
    "almost",
    [
        (
            "UPDATE intents SET state = 'open', closed_at = NULL, created_at = $1::timestamptz"
            " - interval '14 minutes 59 seconds'"
        ),
        "UPDATE sites SET rejected_recent = 4, rejected_since = $1",
        "UPDATE work SET waiting = 'site:identity_changed', done = generation, dirty_since = $1",
        (
            "UPDATE sites SET polled_until = $1::timestamptz - interval '29 minutes',"
            " poll_due_at = $1::timestamptz + interval '10 seconds'"
        ),
        # The first poll after a long pause is under way.
        (
            "UPDATE sites SET polled_until = $1::timestamptz - interval '5 days',"
            " poll_due_at = $1::timestamptz + interval '50 seconds'"
        ),
        (
            "UPDATE sites SET polled_until = $1::timestamptz - interval '5 days',"
            " poll_due_at = $1::timestamptz - interval '4 days'"
        ),
        "UPDATE connections SET guard_tripped_at = $1, deleted_at = $1",
    ],
)
async def test_what_is_not_wrong_yet(fields: FieldWorld, almost: str) -> None:
    await linked(fields)
    await fields.world.execute(almost, fields.world.now())
    await watch(fields)
    assert await found(fields) == []


async def test_a_paused_connections_sites_may_be_silent(fields: FieldWorld) -> None:
    await silent(fields)
    await fields.world.execute("UPDATE connections SET paused_at = now()")
    await watch(fields)
    assert await found(fields) == []


async def test_a_broken_audit_wakes_somebody(fields: FieldWorld, migrate_url: str) -> None:
    await linked(fields)
    owner = await asyncpg.connect(migrate_url)
    await owner.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    await owner.execute("UPDATE audit SET site = 'elsewhere' WHERE seq = 2")
    await owner.close()
    for _ in range(2):
        async with fields.world.database.transaction() as conn:
            await verifications.insert(conn, fields.world.now())
        await audit_chain.run_once(fields.world.ctx)
    [it] = await found(fields)
    assert (it["kind"], it["impact"]) == ("audit_broken", "critical")
    assert (it["connection_id"], it["facts"]["seq"]) == (fields.connection, 2)
    assert await pages(fields) == [True]
    fields.let_pass(30 * 24 * 3600)
    await watch(fields)
    assert (await found(fields))[0]["state"] == "investigating", "only a person ends this"


@pytest.mark.parametrize("kind", KINDS)
async def test_many_open_one(fields: FieldWorld, kind: IncidentKind) -> None:
    """At once, from transactions of their own."""

    async def note(number: int) -> int:
        async with fields.world.database.transaction() as conn:
            return await open_or_note(
                conn,
                kind,
                connection_id=fields.connection,
                now=fields.world.now(),
                detail={"number": number},
                impact=Impact.MINOR,
            )

    made = await asyncio.gather(*(note(number) for number in range(6)))
    assert len(set(made)) == 1
    [it] = await found(fields)
    entries = await fields.world.rows(
        "SELECT times FROM incident_updates WHERE $1::bigint[] IS NOT NULL"
    )
    assert [entry["times"] for entry in entries] == [6]
    assert it["state"] == "investigating"


async def test_places_are_kept_apart(fields: FieldWorld) -> None:
    async with fields.world.database.transaction() as conn:
        made = [
            await open_or_note(
                conn,
                IncidentKind.CIRCUIT_OPEN,
                now=fields.world.now(),
                detail={},
                impact=Impact.MINOR,
                **place,
            )
            for place in (
                {},
                {"connection_id": fields.connection},
                {"site_id": fields.left.id},
                {"site_id": fields.right.id},
            )
        ]
    assert len(set(made)) == 4


async def test_what_is_rolled_back_was_not_opened(fields: FieldWorld) -> None:
    async def fail() -> None:
        async with fields.world.database.transaction() as conn:
            await open_or_note(
                conn,
                IncidentKind.CIRCUIT_OPEN,
                now=fields.world.now(),
                detail={},
                impact=Impact.MINOR,
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await found(fields) == []
    assert await pages(fields) == []


async def test_the_gauge_counts_by_impact(fields: FieldWorld) -> None:
    await rejected(fields)
    await silent(fields)
    ctx = fields.world.ctx
    assert await incidents_watch.run_once(ctx) == 2
    await Gauges(ctx).run_once()
    value = ctx.metrics.registry.get_sample_value
    shown = {
        impact: value("twinlink_incidents_open", {"impact": impact})
        for impact in ("none", "minor", "major", "critical")
    }
    assert shown == {"none": 0, "minor": 1, "major": 1, "critical": 0}


async def test_an_incident_of_a_site_names_it(fields: FieldWorld) -> None:
    await rejected(fields)
    await watch(fields)
    name = fields.left.access.name
    async with fields.world.database.connection() as conn:
        [it] = await stored.open_ones(conn)
    assert it.site == name
