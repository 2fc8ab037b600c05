"""Checking the audit: whoever changes it, cuts it off or loses its head is found out."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.core.operations import Operation, Status
from app.store.config import active_connection
from app.store.queue.work import Cause
from app.store.upkeep import verification_runs
from app.store.views import verifications
from app.store.views.verifications import VerificationShown
from app.store.writes import audit
from app.store.writes.audit import Entry
from app.sync.upkeep import audit_chain
from tests.support import mixed
from tests.sync.discovery.fields import FieldWorld, open_fields


@pytest.fixture
async def fields(db_url: str) -> AsyncIterator[FieldWorld]:
    async with open_fields(db_url) as made:
        yield made


@pytest.fixture
async def owner(migrate_url: str) -> AsyncIterator[Any]:
    """Somebody who owns the schema, and switches the trigger off that stops everybody else."""
    conn = await asyncpg.connect(migrate_url)
    await conn.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    yield conn
    await conn.close()


async def write(fields: FieldWorld, rows: int, connection: int | None = None) -> None:
    connection = connection or fields.connection
    entries = [
        Entry(
            site="left",
            operation=Operation.CREATE,
            status=Status.INTENDED,
            link_id=None,
            type_id="1",
            type="Blocks",
            source_id=str(number),
            source_key="P-1",
            destination_id="2",
            destination_key="P-2",
            managed=False,
            cause=Cause("twin", "1"),
            revision=1,
            evidence={"read_at": "now"},
        )
        for number in range(rows)
    ]
    async with fields.world.database.transaction() as conn:
        state = await active_connection.lock(conn, connection)
        assert state is not None
        await audit.append(
            conn, connection, state.name, entries, engine="test", now=fields.world.now()
        )


async def check(fields: FieldWorld) -> VerificationShown:
    async with fields.world.database.transaction() as conn:
        asked = await verifications.insert(conn, fields.world.now())
    assert await audit_chain.run_once(fields.world.ctx) == 1
    async with fields.world.database.connection() as conn:
        found = await verifications.by_id(conn, asked)
    assert found is not None
    assert found.finished_at is not None
    return found


def refused(fields: FieldWorld, seq: int, fault: str) -> dict[str, Any]:
    chain = str(fields.connection)
    return {"chain": chain, "seq": seq, "fault": fault}


async def assert_refused(fields: FieldWorld, seq: int, fault: str) -> None:
    found = await check(fields)
    assert found.status == "refused"
    assert found.place is not None
    assert found.place.pop("connection").startswith("left-right")
    assert found.place == refused(fields, seq, fault)


async def test_whole_chains_are_accepted(fields: FieldWorld) -> None:
    assert (await check(fields)).status == "accepted", "nothing written, nothing wrong"
    other = await fields.world.connect("right", "left", mixed.config(fields.right, fields.left))
    await write(fields, 3)
    await write(fields, 2, other)
    await write(fields, 1)
    found = await check(fields)

    assert (found.status, found.rows, found.place) == ("accepted", 6, None)
    assert await audit_chain.run_once(fields.world.ctx) == 0


async def test_a_real_link_leaves_a_chain_that_holds(fields: FieldWorld) -> None:
    fields.claim("P-1", "P-3")
    fields.claim("P-2", "P-4")
    await fields.discover()
    fields.left.person().link("P-1", "Blocks", "P-2")
    await fields.world.settle()
    found = await check(fields)

    assert (found.status, found.rows) == ("accepted", 2)


@pytest.mark.parametrize(
    "change",
    [
        "site = 'elsewhere'",
        "source_id = 999",
        "evidence = '{}'",
        "evidence = '{\"read_at\": 1.5}'",
        "at = at + interval '1 microsecond'",
        "hash = '\\x00'",
    ],
)
async def test_a_changed_row_is_found(fields: FieldWorld, owner: Any, change: str) -> None:
    await write(fields, 4)
    await owner.execute(f"UPDATE audit SET {change} WHERE seq = 3")  # noqa: S608
    await assert_refused(fields, 3, "hash")


async def test_a_row_taken_out_is_found(fields: FieldWorld, owner: Any) -> None:
    await write(fields, 4)
    await owner.execute("DELETE FROM audit WHERE seq = 2")
    await assert_refused(fields, 2, "gap")


async def test_a_chain_cut_off_is_found(fields: FieldWorld, owner: Any) -> None:
    await write(fields, 4)
    await owner.execute("DELETE FROM audit WHERE seq = 4")
    await assert_refused(fields, 4, "cut_off")


async def test_rows_all_gone_are_found(fields: FieldWorld, owner: Any) -> None:
    await write(fields, 4)
    await owner.execute("DELETE FROM audit")
    await assert_refused(fields, 1, "cut_off")


async def test_a_head_removed_is_found(fields: FieldWorld, owner: Any) -> None:
    await write(fields, 4)
    await owner.execute("DELETE FROM audit_heads")
    await assert_refused(fields, 5, "head_missing")


async def test_a_chain_gone_with_its_head_is_missed(fields: FieldWorld, owner: Any) -> None:
    fields.claim("P-1", "P-3")
    fields.claim("P-2", "P-4")
    await fields.discover()
    fields.left.person().link("P-1", "Blocks", "P-2")
    await fields.world.settle()
    await owner.execute("DELETE FROM audit")
    await owner.execute("DELETE FROM audit_heads")
    await assert_refused(fields, 1, "chain_missing")


async def test_a_head_set_back_is_found(fields: FieldWorld, owner: Any) -> None:
    await write(fields, 4)
    await owner.execute(
        "UPDATE audit_heads SET seq = 3, hash = (SELECT hash FROM audit WHERE seq = 3)"
    )
    await assert_refused(fields, 4, "beyond_head")


async def test_rows_written_meanwhile_belong_to_neither_side(
    fields: FieldWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(fields, 3)
    heads = audit.heads

    async def then_write(conn: Any) -> list[dict[str, Any]]:
        found = await heads(conn)
        monkeypatch.undo()
        await write(fields, 2)
        return found

    monkeypatch.setattr(audit, "heads", then_write)
    found = await check(fields)
    assert (found.status, found.rows) == ("accepted", 3)


async def test_a_request_is_taken_once_and_outlives_its_worker(fields: FieldWorld) -> None:
    async with fields.world.database.transaction() as conn:
        asked = await verifications.insert(conn, fields.world.now())
        assert await audit_chain.run_once(fields.world.ctx) == 0, "not committed yet"
    async with fields.world.database.transaction() as conn:
        assert await verification_runs.claim(conn, fields.world.now()) == asked
    assert await audit_chain.run_once(fields.world.ctx) == 0, "somebody is at it"
    fields.let_pass(121)
    assert await audit_chain.run_once(fields.world.ctx) == 1


async def test_a_long_walk_keeps_its_lease(
    fields: FieldWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_chain, "RENEW_EVERY", 2)
    renewed: list[int] = []

    async def note(_conn: object, verification: int, _now: object) -> None:
        renewed.append(verification)

    monkeypatch.setattr(verification_runs, "renew", note)
    await write(fields, 5)
    await check(fields)
    assert len(renewed) == 2


async def test_what_breaks_our_code_is_not_called_a_verdict(
    fields: FieldWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> dict[int, str]:
        raise ValueError

    monkeypatch.setattr(verification_runs, "chains", breaks)
    found = await check(fields)
    assert (found.status, found.detail) == ("failed", "ValueError")


async def test_heads_are_logged(fields: FieldWorld) -> None:
    await write(fields, 2)
    with capture_logs() as logs:
        assert await audit_chain.log_heads(fields.world.ctx) == 1
    async with fields.world.database.connection() as conn:
        (head,) = await audit.heads(conn)
    assert logs == [{"event": "audit_head", "log_level": "info", **head}]
    assert head["seq"] == 2
