"""What one ingest statement stores and raises."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from app.core.errors import PermanentError
from app.store.queue.inbox import MOST_CAUSES, Arrival, Conflict, Ingested, ingest
from tests.support.deliveries import World, add_connection, add_twin, build_world

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


class Box:
    """Ingests into one database, and looks at it."""

    def __init__(self, db: asyncpg.Pool, world: World) -> None:
        self.db = db
        self.world = world

    async def take(self, *arrivals: Arrival, now: datetime = NOW) -> Ingested:
        async with self.db.acquire() as conn:
            return await ingest(conn, arrivals, now=now)

    async def work(self, twin: int) -> dict[str, Any]:
        row = await self.db.fetchrow("SELECT * FROM work WHERE twin_id = $1", twin)
        return dict(row) if row else {}

    async def dirty(self) -> set[int]:
        rows = await self.db.fetch("SELECT twin_id FROM work WHERE generation > done")
        return {row["twin_id"] for row in rows}

    async def settle(self, twin: int, waiting: str | None = None) -> None:
        """Leave the row as a look would that is over."""
        await self.db.execute(
            "UPDATE work SET done = generation, causes = '{}', look = false, waiting = $2 "
            "WHERE twin_id = $1",
            twin,
            waiting,
        )

    async def discoveries(self) -> list[tuple[int, str, int, int]]:
        rows = await self.db.fetch(
            "SELECT connection_id, side, issue_id, generation FROM discoveries ORDER BY 1, 2, 3"
        )
        return [tuple(row) for row in rows]

    def link(self, delivery: str, source: int = 100, destination: int = 900) -> Arrival:
        return Arrival(
            self.world.left,
            delivery,
            "link_created",
            link_id=5,
            type_id=6,
            source_id=source,
            destination_id=destination,
        )

    def updated(self, delivery: str, *fields: str, issue: int = 100) -> Arrival:
        return Arrival(self.world.left, delivery, "issue_updated", issue_id=issue, fields=fields)


@pytest.fixture
async def box(db: asyncpg.Pool) -> Box:
    return Box(db, await build_world(db))


async def test_both_ends_of_a_link_are_raised_and_judged_later(box: Box) -> None:
    ingested = await box.take(box.link("d1", 100, 101))
    assert ingested == Ingested(frozenset(), raised=True)
    inbox_id = await box.db.fetchval("SELECT id FROM inbox WHERE delivery = 'd1'")
    for twin in box.world.twins[:2]:
        row = await box.work(twin)
        assert (row["generation"], row["done"], row["look"]) == (1, 0, False)
        assert (row["causes"], row["cause_kind"], row["cause_id"]) == ([inbox_id], "webhook", "d1")
        assert (row["dirty_since"], row["due_at"]) == (NOW, NOW)
    assert await box.dirty() == set(box.world.twins[:2])


async def test_the_right_side_finds_its_twin(box: Box) -> None:
    await box.take(Arrival(box.world.right, "d", "issue_deleted", issue_id=202))
    row = await box.work(box.world.twins[2])
    assert (row["look"], row["causes"]) == (True, [])


async def test_ids_of_one_site_say_nothing_about_the_other(box: Box) -> None:
    ingested = await box.take(Arrival(box.world.right, "d", "issue_deleted", issue_id=100))
    assert not ingested.raised
    assert await box.dirty() == set()
    assert await box.db.fetchval("SELECT count(*) FROM inbox") == 1


async def test_a_known_delivery_raises_nothing(box: Box) -> None:
    await box.take(box.link("d1"))
    await box.settle(box.world.twins[0])
    again = await box.take(box.link("d1"), now=LATER)
    assert again == Ingested(frozenset({(box.world.left, "d1")}), raised=False)
    assert await box.dirty() == set()


async def test_a_known_body_raises_nothing_under_whatever_identifier(box: Box) -> None:
    same = [box.link(f"d{n}")._replace(digest=bytes(16)) for n in range(3)]
    first = await box.take(*same[:2])
    assert (len(first.known), first.raised) == (1, True), "also inside one batch"
    await box.settle(box.world.twins[0])
    again = await box.take(same[2], now=LATER)
    assert again == Ingested(frozenset({(box.world.left, "d2")}), raised=False)
    assert await box.dirty() == set()


async def test_the_same_identifier_from_two_sites_is_two_deliveries(box: Box) -> None:
    other = box.link("d1")._replace(site_id=box.world.right)
    ingested = await box.take(box.link("d1"), other)
    assert ingested.known == frozenset()
    assert await box.db.fetchval("SELECT count(*) FROM inbox") == 2


async def test_a_burst_on_one_pair_is_one_generation(box: Box) -> None:
    await box.take(*(box.link(f"d{n}") for n in range(10)))
    row = await box.work(box.world.twins[0])
    assert (row["generation"], row["look"], len(row["causes"])) == (1, False, 10)


async def test_an_event_makes_a_failed_pair_due_and_looked_at(box: Box) -> None:
    await box.take(box.link("d1"))
    await box.db.execute(
        "UPDATE work SET failed_at = $1, failure = 'x', tries = 7, bulk = true, due_at = $2",
        NOW,
        LATER + timedelta(hours=1),
    )
    await box.take(box.link("d2"), now=LATER)
    row = await box.work(box.world.twins[0])
    assert (row["failed_at"], row["failure"], row["tries"], row["bulk"]) == (None, None, 0, False)
    assert (row["generation"], row["due_at"], row["dirty_since"]) == (2, LATER, NOW)
    assert row["look"], "what the failed look did not learn has to be read"


async def test_a_waiting_pair_is_read_whatever_the_link_event_names(box: Box) -> None:
    await box.take(box.link("d1"))
    await box.settle(box.world.twins[0], waiting="archived")
    await box.take(box.link("d2"), now=LATER)
    row = await box.work(box.world.twins[0])
    assert (row["waiting"], row["look"], row["dirty_since"]) == (None, True, LATER)


async def test_a_due_pair_keeps_its_place(box: Box) -> None:
    await box.take(box.link("d1"))
    await box.take(box.link("d2"), now=LATER)
    assert (await box.work(box.world.twins[0]))["due_at"] == NOW


@pytest.mark.parametrize("together", [True, False])
async def test_too_many_link_events_become_a_look(box: Box, *, together: bool) -> None:
    events = [box.link(f"d{n:03}") for n in range(MOST_CAUSES + 1)]
    if together:
        await box.take(*events)
    else:
        await box.take(*events[:-1])
        assert (await box.work(box.world.twins[0]))["look"] is False
        await box.take(events[-1])
    row = await box.work(box.world.twins[0])
    assert (row["look"], row["causes"]) == (True, [])


async def test_pausing_stores_and_raises_and_deleting_does_not(box: Box) -> None:
    await box.db.execute("UPDATE connections SET paused_at = now()")
    assert (await box.take(box.link("d1"))).raised
    await box.settle(box.world.twins[0])
    await box.db.execute("UPDATE connections SET deleted_at = now()")
    assert not (await box.take(box.link("d2"))).raised


async def test_two_connections_of_one_issue_are_both_raised(box: Box) -> None:
    world = box.world
    second = await add_connection(box.db, world.left, world.right, "second")
    twin = await add_twin(box.db, second, world.left, world.right, 0)
    await box.take(box.link("d1"))
    assert await box.dirty() == {world.twins[0], twin}


@pytest.mark.parametrize("word", ["link", "key", "project", "security"])
async def test_an_update_that_matters_is_a_look(box: Box, word: str) -> None:
    await box.take(box.updated("d1", "customfield_1", word))
    assert (await box.work(box.world.twins[0]))["look"] is True


async def test_a_custom_field_that_nobody_pairs_by_raises_nothing(box: Box) -> None:
    assert not (await box.take(box.updated("d1", "customfield_7"))).raised


@pytest.mark.parametrize("field", ["customfield_7", "custom"])
async def test_the_twin_field_raises_a_pair_and_a_discovery(db: asyncpg.Pool, field: str) -> None:
    box = Box(db, await build_world(db, field="customfield_7"))
    await box.take(box.updated("d1", field))
    assert await box.dirty() == {box.world.twins[0]}
    await box.take(box.updated("d2", field), box.updated("d3", "customfield_8", issue=101))
    assert await box.dirty() == {box.world.twins[0]}
    assert await box.discoveries() == [(box.world.connection, "left", 100, 2)]


async def test_new_issues_are_discoveries_where_a_field_pairs(db: asyncpg.Pool) -> None:
    box = Box(db, await build_world(db, field="customfield_7"))
    created = Arrival(box.world.left, "d1", "issue_created", issue_id=999, project="A")
    ingested = await box.take(
        created,
        created._replace(delivery="d2", issue_id=998, project="ELSEWHERE"),
        created._replace(delivery="d3", site_id=box.world.right),
        created._replace(delivery="d4", kind="issue_updated", issue_id=997, fields=("project",)),
        created._replace(delivery="d5", kind="issue_updated", issue_id=996, fields=("link",)),
    )
    assert ingested.raised
    connection = box.world.connection
    assert await box.discoveries() == [(connection, "left", 997, 1), (connection, "left", 999, 1)]


async def test_without_a_twin_field_nothing_is_discovered(box: Box) -> None:
    await box.take(Arrival(box.world.left, "d1", "issue_created", issue_id=999, project="A"))
    assert await box.discoveries() == []


@pytest.mark.parametrize(
    "odd",
    [
        {"delivery": "with a \x00 in it"},
        {"delivery": "half \ud83d of an emoji"},
        {"issue_id": 2**63},
        {"fields": ("\x00",)},
        {"kind": "nonsense"},
    ],
)
async def test_what_cannot_be_stored_is_refused_and_leaves_nothing(
    box: Box, odd: dict[str, Any]
) -> None:
    good = box.link("good")
    with pytest.raises(PermanentError) as refused:
        await box.take(good, Arrival(box.world.left, "bad", "issue_deleted")._replace(**odd))
    assert refused.value.code == "delivery_unstorable"
    assert await box.db.fetchval("SELECT count(*) FROM inbox") == 0
    assert await box.dirty() == set()


async def test_a_site_or_twin_that_goes_meanwhile_asks_for_another_try(box: Box) -> None:
    with pytest.raises(Conflict):
        await box.take(box.link("d1")._replace(site_id=box.world.left + 1000))


async def test_batches_that_meet_in_another_order_do_not_deadlock(db: asyncpg.Pool) -> None:
    box = Box(db, await build_world(db, twins=80))

    async def batches(worker: int) -> None:
        chance = random.Random(worker)
        for round_ in range(12):
            shared = [box.link(f"{round_}-{n}", 100 + n) for n in range(80)]
            own = [box.link(f"{round_}-{n}-{worker}", 100 + n) for n in range(80)]
            await box.take(*chance.sample([*shared, *own], 80))

    await asyncio.gather(*(batches(worker) for worker in range(8)))
    assert await box.dirty() == set(box.world.twins)
