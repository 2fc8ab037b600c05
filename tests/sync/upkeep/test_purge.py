"""Forgetting: what is old goes, what is needed stays, and no lock is long."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from app.sync.upkeep import purge
from tests.sync.discovery.fields import FieldWorld, open_fields


@pytest.fixture
async def fields(db_url: str) -> AsyncIterator[FieldWorld]:
    async with open_fields(db_url) as made:
        await made.world.pair(made.connection, ("left", "P-1"), ("right", "P-3"))
        await made.world.settle()
        yield made


def ago(fields: FieldWorld, **age: float) -> datetime:
    return fields.world.now() - timedelta(**age)


async def put(fields: FieldWorld, query: str, *args: object) -> int:
    async with fields.world.database.transaction() as conn:
        made: int = await conn.fetchval(query, *args)
    return made


async def ids(fields: FieldWorld, table: str) -> set[int]:
    query = f"SELECT id FROM {table} WHERE $1::bigint[] IS NOT NULL"  # noqa: S608
    rows = await fields.world.rows(query)
    return {it["id"] for it in rows}


async def delivery(fields: FieldWorld, **age: float) -> int:
    at = ago(fields, **age)
    return await put(
        fields,
        """INSERT INTO inbox (site_id, delivery, kind, received_at)
           VALUES ($1, $2, 'link_created', $3) RETURNING id""",
        fields.left.id,
        at.isoformat(),
        at,
    )


async def intent(fields: FieldWorld, state: str, **age: float) -> int:
    at = ago(fields, **age)
    return await put(
        fields,
        """INSERT INTO intents (connection_id, site_id, operation, type_id, source_id, source_key,
               destination_id, destination_key, key_source_id, key_destination_id, left_type_id,
               right_type_id, source_twin_id, destination_twin_id, origin, origin_source_id,
               origin_source_key, origin_destination_id, origin_destination_key, cause_kind,
               cause_id, revision, state, created_at, send_before, confirm_after, closed_at)
           VALUES ($1, $2, 'create', 1, 1, 'P-1', 2, 'P-2', 1, 2, 1, 1, 1, 2, 'left', 1, 'P-1', 2,
                   'P-2', 'twin', '', 1, $3, $4, $4, $4, $5) RETURNING id""",
        fields.connection,
        fields.right.id,
        state,
        at,
        None if state == "open" else at,
    )


async def test_deliveries_go_after_fourteen_days(fields: FieldWorld) -> None:
    old, kept = await delivery(fields, days=14.1), await delivery(fields, days=13.9)
    await purge.run_once(fields.world.ctx)
    found = await ids(fields, "inbox")
    assert old not in found
    assert kept in found


async def test_a_delivery_that_work_waits_for_stays(fields: FieldWorld) -> None:
    waited_for, other = await delivery(fields, days=40), await delivery(fields, days=41)
    await fields.world.execute("UPDATE work SET causes = $1, generation = done + 1", [waited_for])
    await purge.run_once(fields.world.ctx)
    assert waited_for in await ids(fields, "inbox")
    assert other not in await ids(fields, "inbox")

    await fields.world.execute("UPDATE work SET done = generation")
    await purge.run_once(fields.world.ctx)
    assert waited_for not in await ids(fields, "inbox")


async def test_only_closed_intents_go(fields: FieldWorld) -> None:
    old = await intent(fields, "applied", days=14.1)
    kept = {await intent(fields, "failed", days=13.9), await intent(fields, "open", days=90)}
    await purge.run_once(fields.world.ctx)
    assert await ids(fields, "intents") == kept
    assert old not in kept


async def test_an_intent_that_was_open_for_long_is_kept_from_its_end(fields: FieldWorld) -> None:
    made = await intent(fields, "applied", days=90)
    await fields.world.execute("UPDATE intents SET closed_at = $1", ago(fields, days=1))
    await purge.run_once(fields.world.ctx)
    assert await ids(fields, "intents") == {made}


async def test_finished_resyncs_go_after_thirty_days(fields: FieldWorld) -> None:
    made = [
        await put(
            fields,
            """INSERT INTO resyncs (connection_id, status, created_at, finished_at)
               VALUES ($1, 'running', $2, $3) RETURNING id""",
            fields.connection,
            ago(fields, days=60),
            finished,
        )
        for finished in (ago(fields, days=30.1), ago(fields, days=29.9), None)
    ]
    await purge.run_once(fields.world.ctx)
    assert await ids(fields, "resyncs") == set(made[1:])


async def test_a_dry_run_goes_with_its_resync(fields: FieldWorld) -> None:
    old, kept, young = [
        await put(
            fields,
            """INSERT INTO plans (connection_id, kind, status, revision, created_at)
               VALUES ($1, 'dry_run', 'shadow', 1, $2) RETURNING id""",
            fields.connection,
            ago(fields, days=days),
        )
        for days in (60, 60, 29)
    ]
    await fields.world.execute(
        """INSERT INTO resyncs (connection_id, status, dry_run, plan_id, created_at)
           VALUES ($1, 'running', true, $2, $3)""",
        fields.connection,
        kept,
        ago(fields, days=60),
    )
    await purge.run_once(fields.world.ctx)
    assert await ids(fields, "plans") == {kept, young}
    assert old not in {kept, young}


async def test_what_verified_the_audit_long_ago_goes_but_for_the_last(fields: FieldWorld) -> None:
    made = [
        await put(
            fields,
            """INSERT INTO audit_verifications (status, created_at, finished_at)
               VALUES ($1, $2, $2) RETURNING id""",
            status,
            ago(fields, days=days),
        )
        for status, days in (
            ("accepted", 900), ("refused", 800), ("accepted", 700), ("accepted", 500),
        )
    ]  # fmt: skip
    await purge.run_once(fields.world.ctx)
    assert await ids(fields, "audit_verifications") == {made[1], made[3]}


async def test_minutes_go_that_no_window_reaches(fields: FieldWorld) -> None:
    for days in (1.9, 2.1):
        await fields.world.execute(
            "INSERT INTO write_minutes VALUES ($1, $2, 1, 0)",
            fields.connection,
            ago(fields, days=days),
        )
    await purge.run_once(fields.world.ctx)
    rows = await fields.world.rows(
        "SELECT minute FROM write_minutes WHERE $1::bigint[] IS NOT NULL"
    )
    assert [it["minute"] > ago(fields, days=2) for it in rows] == [True]


async def test_answers_and_marks_go_after_a_day(fields: FieldWorld) -> None:
    for number, hours in enumerate((24.1, 23.9)):
        await fields.world.execute(
            """INSERT INTO idempotency (token_id, key, request_hash, created_at)
               VALUES ('1', $1, '', $2)""",
            str(number),
            ago(fields, hours=hours),
        )
        await fields.world.execute(
            "INSERT INTO poll_marks (site_id, issue_id, mark, seen_at) VALUES ($1, $2, '', $3)",
            fields.left.id,
            number,
            ago(fields, hours=hours),
        )
    await purge.run_once(fields.world.ctx)
    rows = await fields.world.rows(
        """SELECT key FROM idempotency WHERE $1::bigint[] IS NOT NULL
           UNION ALL SELECT issue_id::text FROM poll_marks"""
    )
    assert [it["key"] for it in rows] == ["1", "1"]


async def test_nobody_waits_for_a_deleted_connection(fields: FieldWorld) -> None:
    fields.claim("P-2", "P-4")
    await fields.world.deliver()
    assert len(await fields.discoveries()) == 1
    await purge.run_once(fields.world.ctx)
    assert len(await fields.discoveries()) == 1
    await fields.world.execute("UPDATE connections SET deleted_at = $1", ago(fields, days=0))
    fields.let_pass(1)
    await purge.run_once(fields.world.ctx)
    assert await fields.discoveries() == []


async def test_batches_end_only_when_nothing_is_left(
    fields: FieldWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "BATCH", 3)
    made = {await delivery(fields, days=20 + number) for number in range(7)}
    assert await purge.run_once(fields.world.ctx) == 7
    assert not made & await ids(fields, "inbox")
