"""No page reads more than it shows: what a page costs does not grow with what lies behind it.

Statements are counted as they leave for PostgreSQL, and rows as it returns them. What the driver
asks about types, once for each of its connections, is not a page's.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
import pytest

from app.store.pool import Connection, Database
from tests.api.flow import Flow
from tests.console.conftest import Browser
from tests.console.test_pages import linked

MANY = 100
_DRIVERS = ("typeinfo_tree", "set_config('jit'")
_CHANCE = 5
"""A session's or a site's mark may be due in either look; a statement a connection would be 70."""

_CONNECTIONS = """
WITH made AS (
    INSERT INTO connections (name, left_site_id, right_site_id, revision)
    SELECT 'c' || lpad(n::text, 3, '0'), left_site_id, right_site_id, revision
    FROM connections, generate_series($1::int, $2) n WHERE name = 'ab' RETURNING id
)
INSERT INTO revisions (connection_id, revision, config, author)
SELECT made.id, r.revision, r.config, r.author FROM made, revisions r
WHERE r.connection_id = 1 AND r.revision = 1
"""
_CHANGES = """
INSERT INTO plan_changes (plan_id, connection_id, site_id, operation, type_id, source_id,
    source_key, destination_id, destination_key, link_id, reason, evidence)
SELECT x.plan_id, x.connection_id, x.site_id, x.operation, x.type_id, 100000 + n, 'B-' || n,
    x.destination_id, x.destination_key, 900000 + n, x.reason, x.evidence
FROM plan_changes x, generate_series(1, 10000) n WHERE x.plan_id = $1
"""
_AUDIT = """
INSERT INTO audit (connection_id, seq, at, connection, site, operation, status, link_id, type_id,
    type, source_id, source_key, destination_id, destination_key, managed, cause_kind, cause_id,
    intent_id, revision, engine, evidence, actor, prev_hash, hash)
SELECT connection_id, seq + n * 1000, at, connection, site, operation, status, link_id, type_id,
    type, source_id, source_key, destination_id, destination_key, managed, cause_kind, cause_id,
    intent_id, revision, engine, evidence, actor, prev_hash, hash
FROM (SELECT * FROM audit ORDER BY id LIMIT 1) a, generate_series(1, 20000) n
"""


class Meter:
    def __init__(self) -> None:
        self.statements: list[str] = []

    def heard(self, query: str) -> None:
        if not any(it in query for it in _DRIVERS):
            self.statements.append(query)

    @contextmanager
    def running(self) -> Iterator[None]:
        self.statements.clear()
        yield

    async def of(self, browser: Browser, path: str) -> int:
        with self.running():
            await browser.get(path)
        return len(self.statements)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    made = Meter()
    plain = Database.connection

    @asynccontextmanager
    async def counted(self: Database) -> AsyncIterator[Connection]:
        async with plain(self) as conn:
            with conn.query_logger(lambda it: made.heard(it.query)):
                yield conn

    monkeypatch.setattr(Database, "connection", counted)
    return made


@pytest.mark.parametrize(
    "path",
    ["/", "/recover", "/explore?issue=A-1", "/incidents", "/plans", "/setup", "/recover/adopt"],
)
async def test_more_connections_cost_no_more_statements(
    flow: Flow, browser: Browser, meter: Meter, path: str
) -> None:
    await linked(flow)
    await flow.db.execute(_CONNECTIONS, 1, 30)
    few = await meter.of(browser, path)
    await flow.db.execute(_CONNECTIONS, 31, MANY)
    many = await meter.of(browser, path)
    assert many <= few + _CHANCE


async def test_a_plan_of_ten_thousand_changes_is_read_a_page_at_a_time(
    flow: Flow, browser: Browser, meter: Meter
) -> None:
    await linked(flow)
    plan = await flow.sealed()
    path = f"/plans/{plan['id']}"
    few = await meter.of(browser, path)
    await flow.db.execute(_CHANGES, int(plan["id"]))
    many = await meter.of(browser, path)
    page = await browser.get(path)
    assert many == few
    assert page.count('class="badge remove"') == 200
    assert "More changes" in page
    found = await browser.get(f"{path}?find=b-9999")
    assert found.count('class="badge remove"') == 1


async def test_many_audit_rows_cost_no_more(
    flow: Flow, browser: Browser, meter: Meter, db: asyncpg.Pool
) -> None:
    await linked(flow)
    few = await meter.of(browser, "/audit")
    await db.execute(_AUDIT)
    assert await meter.of(browser, "/audit") == few
    assert (await browser.get("/audit")).count("<tr>") == 101
