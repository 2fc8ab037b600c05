"""What the installation has to do is done once, and an idle fleet costs next to nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.store.pool import Connection, Database, Pool, open_pool
from app.store.upkeep import duties
from app.store.upkeep.duties import WAITS_FOR, Pace
from app.sync.incidents.notify import Targets
from app.sync.reconcile.loop import Pass, run_once
from app.sync.runtime.context import Context
from app.sync.runtime.jira_clients import Sites
from app.sync.upkeep.presence import Presence
from app.telemetry import Metrics
from tests.support import servers
from workers.passes import Passes
from workers.upkeep import Duty, Rota, Shared
from workers.upkeep import duties as own_duties
from workers.upkeep import shared as shared_duties

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = 60.0
STEP = 0.5
FLEETS = (1, 8)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Counting(Database):
    """Counts the statements that go out, BEGIN and COMMIT among them."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.said: Counter[str] = Counter()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as conn:
            with conn.query_logger(self._count):
                yield conn

    def _count(self, query: asyncpg.connection.LoggedQuery) -> None:
        # Of a new connection the driver asks once how its types are built.
        if "typeinfo_tree" not in query.query and "set_config" not in query.query:
            self.said[query.query] += 1


@pytest.fixture
async def pool(database: servers.Database) -> AsyncIterator[Pool]:
    made = await open_pool(database.run_url, low=2, high=8)
    async with made:
        yield made


def _context(database: Database, clock: Clock) -> Context:
    def never(_: object) -> None:
        raise AssertionError("an idle worker asks no Jira")

    return Context(database, Sites(never, never), Metrics(), clock, "twinlink/test")  # type: ignore[arg-type]


async def _connections(db: asyncpg.Pool, first: int, last: int) -> None:
    """Each of two sites of its own, all polled and compared just now."""
    await db.execute(
        """INSERT INTO sites (name, base_url, deployment, auth_kind, auth_sealed,
               webhook_secret_sealed, account_dedicated, poll_due_at, polled_until)
           SELECT s || n, 'https://' || s || n || '.example.net', 'cloud', 'bearer', '', '', true,
               $3::timestamptz + interval '1 hour', $3
           FROM generate_series($1::int, $2::int) n, unnest(ARRAY['left', 'right']) s""",
        first,
        last,
        NOW,
    )
    await db.execute(
        """INSERT INTO connections (name, left_site_id, right_site_id, revision, compared_at)
           SELECT 'c' || n, l.id, r.id, 1, $3 FROM generate_series($1::int, $2::int) n
           JOIN sites l ON l.name = 'left' || n JOIN sites r ON r.name = 'right' || n""",
        first,
        last,
        NOW,
    )


class Idle:
    """One worker's timers, as time passes."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.presence = Presence(ctx)

        async def one_pass(full: Callable[[], object]) -> Pass:
            return await run_once(ctx, size=100, lease=60, full=full)

        passes = Passes(one_pass, lambda: None, most=10)
        shared = shared_duties(ctx, passes, lambda: None, Targets, sweep_seconds=5.0)
        self.rota = Rota(ctx, shared, lambda: self.presence.workers)
        self.own = [
            *own_duties(ctx, passes, sweep_seconds=5.0),
            Duty("presence", 10.0, self.presence.run_once),
        ]
        self.next = dict.fromkeys([*(it.name for it in self.own), "rota"], 0.0)

    async def at(self, seconds: float) -> None:
        for duty in self.own:
            if self._due(duty.name, seconds, duty.seconds):
                await duty.run_once()
        if self._due("rota", seconds, self.rota.pause):
            await self.rota.turn()
            await self.rota.done()

    def _due(self, name: str, seconds: float, every: float) -> bool:
        if seconds < self.next[name]:
            return False
        self.next[name] = seconds + every
        return True


async def _idle_minute(pool: Pool, workers: int) -> Counter[str]:
    clock, database = Clock(), Counting(pool)
    fleet = [Idle(_context(database, clock)) for _ in range(workers)]
    for step in range(1 + round(MINUTE / STEP)):
        if step == 1:  # what is due at a start is over
            database.said.clear()
        clock.now = NOW + timedelta(seconds=step * STEP)
        for worker in fleet:
            await worker.at(step * STEP)
    said = Counter(database.said)
    for worker in fleet:
        await worker.presence.end()
    async with database.connection() as conn:
        await conn.execute("DELETE FROM duties")
    return said


async def test_an_idle_fleet_costs_as_much_whatever_it_serves(db: asyncpg.Pool, pool: Pool) -> None:
    await _connections(db, 1, 1)
    few = {workers: (await _idle_minute(pool, workers)).total() for workers in FLEETS}
    await _connections(db, 2, 100)
    many = {workers: (await _idle_minute(pool, workers)).total() for workers in FLEETS}
    assert many == few
    assert many[1] / MINUTE <= 5
    # Of each further worker: its own sweep and its sign of life, and its share of the rota's turns.
    assert many[8] / MINUTE <= 14


@pytest.fixture
async def conn(db: asyncpg.Pool) -> AsyncIterator[Connection]:
    async with db.acquire() as made:
        yield made


PACES = [Pace(name, MINUTE, 1.0) for name in WAITS_FOR]


async def _later(conn: Connection, seconds: float, *, but: Sequence[str] = ()) -> set[str]:
    now = NOW + timedelta(seconds=seconds)
    return set(await duties.take(conn, [*PACES, Pace("timed", 10.0)], now, but=but))


@pytest.fixture
async def begun(conn: Connection) -> None:
    """Each duty was done at the start."""
    names = [*WAITS_FOR, "timed"]
    await duties.know(conn, names, NOW)
    await duties.know(conn, names, NOW + timedelta(hours=1))
    assert await _later(conn, 0) == set(names)


@pytest.mark.usefixtures("begun")
async def test_each_is_done_when_its_time_comes_and_by_one(db: asyncpg.Pool) -> None:
    async with db.acquire() as conn:
        assert await _later(conn, 9.9) == set()

    async def worker() -> set[str]:
        async with db.acquire() as conn:
            return await _later(conn, 10.1)

    taken = await asyncio.gather(*(worker() for _ in range(6)))
    assert Counter(name for names in taken for name in names) == {"timed": 1}
    async with db.acquire() as conn:
        assert await _later(conn, 61, but=["timed"]) == set(WAITS_FOR)
        assert await _later(conn, 62) == {"timed"}


@pytest.mark.usefixtures("begun")
async def test_a_clock_that_went_ahead_keeps_nothing_for_later(conn: Connection) -> None:
    assert await _later(conn, 86_400) == {*WAITS_FOR, "timed"}
    assert await _later(conn, 5) == {*WAITS_FOR, "timed"}
    assert await _later(conn, 6) == set()


_RESTORE = """WITH p AS (INSERT INTO plans (connection_id, kind, status, revision)
    VALUES (1, 'restore', '{}', 1) RETURNING id)"""
_FOUND = {
    "confirm": [
        """INSERT INTO intents (connection_id, site_id, operation, type_id, source_id, source_key,
               destination_id, destination_key, key_source_id, key_destination_id, left_type_id,
               right_type_id, source_twin_id, destination_twin_id, origin, origin_source_id,
               origin_source_key, origin_destination_id, origin_destination_key, cause_kind,
               cause_id, revision, created_at, send_before, confirm_after)
           VALUES (1, 1, 'create', 1, 1, 'A-1', 2, 'A-2', 1, 2, 1, 1, 1, 2, 'left', 1, 'A-1', 2,
               'A-2', 'twin', '', 1, $1, $1, $1)"""
    ],
    "resync": ["INSERT INTO resyncs (connection_id) SELECT 1 WHERE $1::timestamptz IS NOT NULL"],
    "plan_restores": [
        f"""{_RESTORE.format("gathering")} INSERT INTO restores (kind, plan_id, asked, cause_kind,
               scanned, requested_by, created_at)
            SELECT 'restore', id, '{{}}', 'restore', true, 'ann', $1 FROM p"""  # noqa: S608
    ],
    "apply_restores": [f"{_RESTORE.format('applying')} SELECT $1::timestamptz FROM p"],  # noqa: S608
    "adopt": [
        """WITH p AS (INSERT INTO plans (connection_id, kind, status, revision)
               VALUES (1, 'adoption', 'applying', 1) RETURNING id)
           INSERT INTO adoptions (connection_id, plan_id, account, since, until, requested_by,
               created_at)
           SELECT 1, id, repeat('a', 64), $1, $1::timestamptz + interval '1 h', 'ann', $1 FROM p"""
    ],
    "rehome": [
        """WITH p AS (INSERT INTO plans (connection_id, kind, status, revision)
               VALUES (1, 'rehoming', 'applying', 1) RETURNING id)
           INSERT INTO rehomings (former_id, connection_id, side, plan_id, requested_by, created_at)
           SELECT 1, 1, 'left', id, 'ann', $1 FROM p"""
    ],
    "plans": [
        """INSERT INTO plans (connection_id, kind, status, revision, created_at)
           VALUES (1, 'removals', 'gathering', 1, $1)""",
        """INSERT INTO plans (connection_id, kind, status, revision, created_at)
           VALUES (1, 'unpairings', 'applying', 1, $1)""",
        """INSERT INTO plans (connection_id, kind, status, revision, expires_at)
           VALUES (1, 'undo', 'held', 1, $1)""",
        """INSERT INTO former_twins (twin_id, connection_id, left_issue_id, left_key,
               right_issue_id, right_key, source, version, let_go_at, until)
           VALUES (1, 1, 1, 'A-1', 1, 'B-1', 'field', 1, $1, $1)""",
        """INSERT INTO vanished_mirrors (site_id, link_id, connection_id, type_id, source_id,
               source_key, destination_id, destination_key, left_type_id, source_twin_id,
               destination_twin_id, seen_at, plan_after)
           VALUES (1, 1, 1, 1, 1, 'A-1', 2, 'A-2', 1, 1, 2, $1, $1)""",
    ],
    "discover": [
        """INSERT INTO discoveries (connection_id, side, issue_id, cause, due_at)
           VALUES (1, 'left', 1, 'poll', $1)"""
    ],
    "poll": ["UPDATE sites SET poll_due_at = $1"],
    "verify": ["INSERT INTO audit_verifications (created_at) VALUES ($1)"],
    "circuits": ["UPDATE sites SET circuit_open_since = $1"],
    "notify": [
        """INSERT INTO notifications (key, paging, title, body, created_at)
           VALUES ('k', false, 't', 'b', $1)""",
        """WITH n AS (INSERT INTO notifications (key, paging, title, body, created_at, addressed_at)
               VALUES ('k', false, 't', 'b', $1, $1) RETURNING id)
           INSERT INTO notification_sends (notification_id, target, due_at)
           SELECT id, 'notify-1', $1 FROM n""",
    ],
}  # fmt: skip


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize("name", WAITS_FOR)
async def test_what_comes_is_done_at_once(db: asyncpg.Pool, conn: Connection, name: str) -> None:
    await _connections(db, 1, 1)
    for change in _FOUND[name]:
        transaction = conn.transaction()
        await transaction.start()
        assert await _later(conn, 2) == set()
        await conn.execute(change, NOW + timedelta(seconds=2))
        assert await _later(conn, 0.5) == set(), "its gap is not over"
        assert name in await _later(conn, 2)
        assert await _later(conn, 2.9) == set()
        assert name in await _later(conn, 3.1), "the worker that took it may have died"
        await transaction.rollback()


async def test_a_duty_that_breaks_has_its_next_turn(pool: Pool) -> None:
    clock, said = Clock(), list[str]()

    async def breaks() -> None:
        said.append("breaks")
        raise ValueError

    rota = Rota(_context(Database(pool), clock), [Shared(Pace("breaks", 5.0), breaks)])
    for turns in (1, 2):
        assert await rota.turn() == ["breaks"]
        await rota.done()
        assert len(said) == turns
        assert await rota.turn() == []
        clock.now += timedelta(seconds=6)


async def test_what_one_worker_does_still_another_may_begin(pool: Pool) -> None:
    clock, said, go = Clock(), list[str](), asyncio.Event()

    async def lasts() -> None:
        said.append("lasts")
        await go.wait()

    ctx = _context(Database(pool), clock)
    one, other = (Rota(ctx, [Shared(Pace("lasts", 5.0), lasts)]) for _ in range(2))
    assert await one.turn() == ["lasts"]
    assert await other.turn() == []
    clock.now += timedelta(seconds=6)
    assert await one.turn() == [], "it does it still"
    assert await other.turn() == ["lasts"]
    go.set()
    await asyncio.gather(one.done(), other.done())
    clock.now += timedelta(seconds=6)
    assert await one.turn() == ["lasts"]
    await one.done()
    assert said == ["lasts"] * 3
