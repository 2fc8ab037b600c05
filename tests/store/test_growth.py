"""What people ask costs what the answer holds, not what three years of history hold."""

from typing import Any

import asyncpg
import pytest

from app.store.recovery import restore_select
from app.store.views import audit, twins
from tests.store.growth import counted, fill

PAGE = 50
# A page, both ends of its issues, and the rows beside them in an index.
MOST = 12 * PAGE

FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "connection": {"connection": "ab"},
    "issue": {"issue": "A-77"},
    "issue of a connection": {"issue": "A-77", "connection": "ab"},
    "no such issue": {"issue": "NO-1"},
    "cause": {"cause": "webhook:77"},
    "no such cause": {"cause": "webhook:none"},
    "failed": {"status": "failed"},
    "link": {"link_id": 77},
    "link of a site": {"link_id": 77, "site": "right"},
}


@pytest.fixture
async def history(migrate_url: str, db: asyncpg.Pool) -> asyncpg.Pool:
    await fill(migrate_url)
    return db


async def test_a_page_of_the_audit_reads_a_page(history: asyncpg.Pool) -> None:
    async with history.acquire() as conn:
        for name, given in FILTERS.items():
            async with counted(conn) as reads:
                rows = await audit.page(conn, audit.Filters(**given), after=0, limit=PAGE)
            assert len(rows) <= PAGE
            assert bool(rows) != name.startswith("no such"), name
            assert reads.rows <= MOST, f"{name}: {reads.rows} rows read for {len(rows)}"


async def test_an_issue_is_found_at_both_ends_in_order(history: asyncpg.Pool) -> None:
    async with history.acquire() as conn:
        found = await audit.page(conn, audit.Filters(issue="A-78"), after=0, limit=PAGE)
        ends = [(it["source"]["key"], it["destination"]["key"]) for it in found]
        assert all("A-78" in end for end in ends)
        ids = [int(it["id"]) for it in found]
        assert ids == sorted(ids)
        rest = await audit.page(conn, audit.Filters(issue="A-78"), after=ids[0], limit=PAGE)
        assert [int(it["id"]) for it in rest] == ids[1:]


async def test_twins_are_found_by_key(history: asyncpg.Pool) -> None:
    keys = [f"A-{number}" for number in range(2, 402, 2)] + ["B-500", "NO-1"]
    async with history.acquire() as conn:
        async with counted(conn) as reads:
            found = await twins.by_keys(conn, 1, keys)
        assert len(found) == 201
        assert reads.rows <= 2 * len(keys)
        async with counted(conn) as reads:
            page = await twins.page(conn, 1, issue="B-500", after=0, limit=PAGE)
        assert [it.left for it in page] == ["A-500"]
        assert reads.rows <= MOST


@pytest.mark.parametrize(
    "given", [{"issues": ["A-78", "B-79"]}, {"cause": "webhook:77"}, {"link_ids": [77]}]
)
async def test_a_restore_reads_what_it_names(history: asyncpg.Pool, given: dict[str, Any]) -> None:
    async with history.acquire() as conn, counted(conn) as reads:
        plan = await conn.fetchval(
            """INSERT INTO plans (connection_id, kind, status, reason, revision, created_at)
               VALUES (1, 'restore', 'gathering', 'test', 1, now()) RETURNING id"""
        )
        when = await conn.fetchval("SELECT now()")
        await restore_select.put_removed(conn, plan, restore_select.Filters(**given), when)
    assert reads.rows <= MOST
