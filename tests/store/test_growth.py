"""What people ask costs what the answer holds, not what three years of history hold."""

from typing import Any

import asyncpg
import pytest

from app.store.recovery import restore_select
from app.store.views import audit, deliveries, links, twins
from tests.store.growth import counted, fill
from tests.store.plans import carried
from tests.store.questions import AUDIT, DELIVERIES, LINKS, PAGE, hot, lists
from tests.support.servers import Database, Servers

# A page, both ends of its issues, and the rows beside them in an index.
MOST = 12 * PAGE


@pytest.fixture
async def history(servers: Servers, database: Database, db: asyncpg.Pool) -> asyncpg.Pool:
    await fill(servers, database)
    return db


async def test_lists_read_what_they_show(history: asyncpg.Pool) -> None:
    """All on one history: filling it takes longer than reading."""
    for look in (
        _a_page_of_the_audit,
        _the_newest_rows_come_first_where_asked,
        _a_page_of_links,
        _a_page_of_deliveries,
        _an_issue_is_found_at_both_ends_in_order,
        _twins_are_found_by_key,
        _nothing_reads_a_growing_table_whole,
    ):
        await look(history)


async def _a_page_of_the_audit(history: asyncpg.Pool) -> None:
    async with history.acquire() as conn:
        for name, given in AUDIT.items():
            async with counted(conn) as reads:
                rows = await audit.page(conn, audit.Filters(**given), after=0, limit=PAGE)
            assert len(rows) <= PAGE
            assert bool(rows) != name.startswith("no such"), name
            assert reads.rows <= MOST, f"{name}: {reads.rows} rows read for {len(rows)}"


async def _the_newest_rows_come_first_where_asked(history: asyncpg.Pool) -> None:
    async with history.acquire() as conn:
        for name, given in AUDIT.items():
            filters = audit.Filters(**given)
            async with counted(conn) as reads:
                rows = await audit.page(conn, filters, after=None, limit=PAGE, newest=True)
            assert reads.rows <= MOST, f"{name}: {reads.rows} rows read for {len(rows)}"
            ids = [int(it["id"]) for it in rows]
            assert ids == sorted(ids, reverse=True)
            if len(rows) == PAGE:
                rest = await audit.page(conn, filters, after=ids[9], limit=40, newest=True)
                assert [int(it["id"]) for it in rest] == ids[10:]


async def _a_page_of_links(history: asyncpg.Pool) -> None:
    async with history.acquire() as conn:
        for name, filters in LINKS.items():
            async with counted(conn) as reads:
                rows = await links.page(conn, 2, filters, after="", limit=PAGE, confined=False)
            assert bool(rows) != name.startswith("no such"), name
            assert reads.rows <= MOST, f"{name}: {reads.rows} rows read for {len(rows)}"
            if len(rows) < PAGE:
                continue
            async with counted(conn) as reads:
                rest = await links.page(
                    conn, 2, filters, after=rows[-1].position, limit=PAGE, confined=False
                )
            assert int(rest[0].id) > int(rows[-1].id)
            assert reads.rows <= MOST, f"{name}: {reads.rows} rows read for {len(rest)}"


async def _a_page_of_deliveries(history: asyncpg.Pool) -> None:
    async with history.acquire() as conn:
        for name, given in DELIVERIES.items():
            asked: dict[str, Any] = {"within": None, "site": None, "kind": None, "since": None}
            asked |= given
            async with counted(conn) as reads:
                rows = await deliveries.page(conn, **asked, before=10**9, limit=PAGE)
            assert bool(rows) != name.startswith("no such"), name
            assert reads.rows <= MOST, f"{name}: {reads.rows} rows read for {len(rows)}"


async def _an_issue_is_found_at_both_ends_in_order(history: asyncpg.Pool) -> None:
    async with history.acquire() as conn:
        found = await audit.page(conn, audit.Filters(issue="A-78"), after=0, limit=PAGE)
        ends = [(it["source"]["key"], it["destination"]["key"]) for it in found]
        assert all("A-78" in end for end in ends)
        ids = [int(it["id"]) for it in found]
        assert ids == sorted(ids)
        rest = await audit.page(conn, audit.Filters(issue="A-78"), after=ids[0], limit=PAGE)
        assert [int(it["id"]) for it in rest] == ids[1:]


async def _twins_are_found_by_key(history: asyncpg.Pool) -> None:
    keys = [f"A-{number}" for number in range(2, 402, 2)] + ["B-500", "NO-1"]
    async with history.acquire() as conn:
        async with counted(conn) as reads:
            found = await twins.by_keys(conn, 1, keys, confined=False)
        assert len(found) == 201
        assert reads.rows <= 2 * len(keys)
        async with counted(conn) as reads:
            page = await twins.page(conn, 1, issue="B-500", after=0, limit=PAGE, confined=False)
        assert [it.left for it in page] == ["A-500"]
        assert reads.rows <= MOST


async def _nothing_reads_a_growing_table_whole(history: asyncpg.Pool) -> None:
    """However few the rows are that it answers."""
    async with history.acquire() as conn:
        for name, call in {**lists(), **hot()}.items():
            for it in await carried(conn, call):
                assert not it.scans, f"{name} reads {it.scans} whole: {it.query}"


RESTORES: tuple[dict[str, Any], ...] = (
    {"issues": ["A-78", "B-79"]},
    {"cause": "webhook:77"},
    {"link_ids": [77]},
)


async def test_a_restore_reads_what_it_names(history: asyncpg.Pool) -> None:
    for given in RESTORES:
        await _restore(history, given)


async def _restore(history: asyncpg.Pool, given: dict[str, Any]) -> None:
    async with history.acquire() as conn, counted(conn) as reads:
        plan = await conn.fetchval(
            """INSERT INTO plans (connection_id, kind, status, reason, revision, created_at)
               VALUES (1, 'restore', 'gathering', 'test', 1, now()) RETURNING id"""
        )
        when = await conn.fetchval("SELECT now()")
        await restore_select.put_removed(conn, plan, restore_select.Filters(**given), when)
    assert reads.rows <= MOST
