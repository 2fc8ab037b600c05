"""The audit: filters that all hold, and an export that can be checked without us."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.core import chain
from app.core.operations import Operation, Status
from app.store.queue.work import Cause
from app.store.views import audit as views_audit
from app.store.writes.audit import Entry, append
from tests.api.conftest import Api, Jira, connection_body

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


async def write(api: Api, connection: str, *entries: Entry, now: datetime = AT) -> None:
    async with api.services.database.transaction() as conn:
        connection_id = await conn.fetchval(
            "SELECT id FROM connections WHERE name = $1", connection
        )
        await append(conn, connection_id, connection, entries, engine="twinlink/test", now=now)


def entry(status: str = "applied", **changes: Any) -> Entry:
    values: dict[str, Any] = {
        "site": "right",
        "operation": "create",
        "status": status,
        "link_id": "77",
        "type_id": "10000",
        "type": "Blocks",
        "source_id": "1",
        "source_key": "B-1",
        "destination_id": "2",
        "destination_key": "B-2",
        "managed": True,
        "cause": Cause("webhook", "delivery-1"),
        "revision": 1,
        "intent_id": 5,
        "evidence": {"row": "2"},
        **changes,
    }
    values["operation"] = Operation(values["operation"])
    values["status"] = Status(values["status"])
    return Entry(**values)


async def test_rows_have_the_documented_shape(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    await write(api, "ab", entry("intended"), entry("applied"))
    items = (await client.get(f"{V1}/audit")).json()["items"]
    assert [it["status"] for it in items] == ["intended", "applied"]
    row = items[0]
    assert row["at"] == "2026-03-01T12:00:00.123456Z"
    assert row["cause"] == {"kind": "webhook", "id": "delivery-1"}
    assert row["source"] == {"id": "1", "key": "B-1"}
    assert (row["link_id"], row["intent_id"], row["plan_id"]) == ("77", "5", None)
    assert items[1]["prev_hash"] == row["hash"]


async def test_every_filter(api: Api, client: httpx.AsyncClient, connected: Jira) -> None:
    """One row is found by each; the other differs in all of them."""
    one = entry()
    other = entry(
        "failed",
        site="left",
        operation="release",
        link_id="78",
        source_key="A-5",
        destination_key="A-6",
        cause=Cause("resync", "9"),
        revision=2,
        plan_id=4,
    )
    await write(api, "ab", one)
    await write(api, "ab", other, now=AT + timedelta(hours=1))
    later = (AT + timedelta(minutes=30)).isoformat()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"site": "right"}, "77"),
        ({"operation": "create"}, "77"),
        ({"status": "applied"}, "77"),
        ({"issue": "B-2"}, "77"),
        ({"link_id": "77"}, "77"),
        ({"cause": "webhook"}, "77"),
        ({"cause": "webhook:delivery-1"}, "77"),
        ({"revision": 1}, "77"),
        ({"until": later}, "77"),
        ({"plan": "4"}, "78"),
        ({"since": later}, "78"),
        ({"issue": "A-5", "cause": "resync:9"}, "78"),
    ]
    for params, found in cases:
        items = (await client.get(f"{V1}/audit", params=params)).json()["items"]
        assert [it["link_id"] for it in items] == [found], params
    nothings: list[dict[str, Any]] = [
        {"cause": "webhook:x"},
        {"connection": "x"},
        {"site": "left", "revision": 1},
    ]
    for nothing in nothings:
        assert (await client.get(f"{V1}/audit", params=nothing)).json()["items"] == []
    both = await client.get(f"{V1}/audit", params={"connection": "ab"})
    assert len(both.json()["items"]) == 2


async def test_an_export_can_be_checked_offline(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    other = connection_body(left={"site": "left", "projects": ["AX"]})
    await client.put(f"{V1}/connections/other", json=other)
    for number in range(30):
        await write(api, "ab", *(entry(link_id=str(number * 100 + n)) for n in range(50)))
    await write(api, "other", entry(evidence={"words": "Grüße \u2028 ✓"}))
    answer = await client.get(f"{V1}/audit/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.split("\n") if line]
    heads = [line["head"] for line in lines if "head" in line]
    assert [(head["connection"], head["seq"]) for head in heads] == [("ab", 1500), ("other", 1)]
    assert lines[-2:] == [{"head": head} for head in heads]
    for head in heads:
        rows = [line for line in lines if line.get("chain") == head["chain"]]
        assert chain.verify(head["chain"], rows, head["seq"], head["hash"]) is None
        rows[0] = {**rows[0], "managed": False}
        broken = chain.verify(head["chain"], rows, head["seq"], head["hash"])
        assert broken is not None


async def test_an_export_of_one_connection(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    await write(api, "ab", entry(), entry())
    answer = await client.get(f"{V1}/audit/export", params={"connection": "ab", "link_id": "1"})
    assert [list(json.loads(line)) for line in answer.text.split()] == [["head"]]
    holder = await api.stranger("viewer")
    assert (await holder.get(f"{V1}/audit/export")).text == ""
    assert (await holder.get(f"{V1}/audit")).json()["items"] == []
    refused = await client.get(f"{V1}/audit/export", headers={"Accept": "application/json"})
    assert refused.status_code == 406


async def test_a_deleted_connection_keeps_its_audit(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    await write(api, "ab", entry())
    await client.delete(f"{V1}/connections/ab")
    await client.put(f"{V1}/connections/ab", json=connection_body())
    lines = (await client.get(f"{V1}/audit/export")).text.split("\n")
    assert sum('"chain"' in line and '"head"' not in line for line in lines) == 1


async def test_verifications_are_queued(client: httpx.AsyncClient, db: asyncpg.Pool) -> None:
    made = await client.post(f"{V1}/audit/verifications")
    assert made.status_code == 202
    path = made.headers["Location"]
    shown = (await client.get(path)).json()
    assert (shown["id"], shown["status"], shown["rows"]) == (made.json()["id"], "queued", 0)
    await db.execute(
        """UPDATE audit_verifications SET status = 'refused', finished_at = now(),
           place = '{"chain": "1", "seq": 7, "fault": "hash"}'"""
    )
    assert (await client.get(path)).json()["place"]["seq"] == 7
    assert len((await client.get(f"{V1}/audit/verifications")).json()["items"]) == 1
    assert (await client.get(f"{V1}/audit/verifications/99")).status_code == 404


async def streamed(api: Api, token: str, after_first: Callable[[], Awaitable[object]]) -> list[Any]:
    """The lines of an export whose reader takes its first page, and the rest after that call."""
    body, seen = bytearray(), False

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        nonlocal seen
        body.extend(message.get("body", b""))
        if message.get("body") and not seen:
            seen = True
            await after_first()

    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": f"{V1}/audit/export", "raw_path": f"{V1}/audit/export".encode(), "root_path": "",
        "query_string": b"", "headers": [(b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1), "server": ("twinlink", 80), "asgi": {"version": "3.0"},
    }  # fmt: skip
    await api.app(scope, receive, send)
    return [json.loads(line) for line in body.decode().splitlines()]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("revoked_at = now()", "unauthenticated"),
        ("expires_at = now() - interval '1 second'", "unauthenticated"),
        ("confined_to = '{}'", "forbidden"),
    ],
)
async def test_an_export_goes_no_further_than_its_token(
    api: Api,
    client: httpx.AsyncClient,
    connected: Jira,
    db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    code: str,
) -> None:
    """It ends with a line that says so, and without heads: nobody takes it for whole."""
    monkeypatch.setattr(views_audit, "_PAGE", 2)
    await write(api, "ab", *(entry(intent_id=n) for n in range(1, 8)))
    body = {"role": "viewer", "owner": "eva", "connections": ["ab"]}
    token = (await client.post(f"{V1}/tokens", json=body)).json()["token"]
    whole = await streamed(api, token, lambda: db.fetchval("SELECT 1"))
    assert ["head" in line for line in whole] == [False] * 7 + [True]
    cut = await streamed(api, token, lambda: db.execute(f"UPDATE tokens SET {change}"))  # noqa: S608
    assert [line.get("seq") for line in cut[:2]] == [1, 2]
    assert cut[2:] == [{"incomplete": code}]
