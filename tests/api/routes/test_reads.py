"""What people look at: status, links, plans, failures, open writes. Rows as the workers leave
them are put there by hand."""

from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from tests.api.conftest import Api, Jira

AB = f"{V1}/connections/ab"


@pytest.fixture
async def twins(client: httpx.AsyncClient, connected: Jira) -> list[int]:
    body = {"twins": [{"left": f"A-{n}", "right": f"B-{n}"} for n in (1, 2, 3, 4)]}
    made = (await client.post(f"{AB}/twins", json=body)).json()["items"]
    return [int(it["id"]) for it in made]


async def ledger(db: asyncpg.Pool, source: int, destination: int, **changes: Any) -> int:
    values: dict[str, Any] = {
        "connection_id": 1, "left_type_id": 10000, "right_type_id": 10000,
        "source_twin_id": source, "destination_twin_id": destination,
        "left_source_id": 10000 + source, "left_source_key": f"A-{source}",
        "left_destination_id": 10000 + destination, "left_destination_key": f"A-{destination}",
        "right_source_id": 20000 + source, "right_source_key": f"B-{source}",
        "right_destination_id": 20000 + destination, "right_destination_key": f"B-{destination}",
        "origin": "left", "state": "managed", "authorship": "ours", "left_link_id": 500,
        "right_link_id": 600, "mirror_site_id": 2, "mirror_type_id": 10000,
        "mirror_source_id": 20000 + source, "mirror_destination_id": 20000 + destination,
        **changes,
    }  # fmt: skip
    return await insert(db, "ledger", values)


async def intent(db: asyncpg.Pool, source: int, destination: int, **changes: Any) -> int:
    values: dict[str, Any] = {
        "connection_id": 1, "site_id": 2, "operation": "create", "type_id": 10000,
        "source_id": 20000 + source, "source_key": f"B-{source}",
        "destination_id": 20000 + destination, "destination_key": f"B-{destination}",
        "key_source_id": 20000 + source, "key_destination_id": 20000 + destination,
        "left_type_id": 10000, "right_type_id": 10000, "source_twin_id": source,
        "destination_twin_id": destination, "origin": "left", "origin_link_id": 500,
        "origin_source_id": 10000 + source, "origin_source_key": f"A-{source}",
        "origin_destination_id": 10000 + destination,
        "origin_destination_key": f"A-{destination}",
        "cause_kind": "webhook", "cause_id": "d1", "revision": 1, **changes,
    }  # fmt: skip
    made = await insert(
        db, "intents", values, created_at="now()", send_before="now()", confirm_after="now()"
    )
    await db.execute("UPDATE intents SET unconfirmed_since = now() WHERE id = $1", made)
    return made


async def insert(db: asyncpg.Pool, table: str, values: dict[str, Any], **raw: str) -> int:
    names = [*values, *raw]
    marks = [f"${at}" for at in range(1, len(values) + 1)] + list(raw.values())
    query = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(marks)}) RETURNING id"  # noqa: S608
    made: int = await db.fetchval(query, *values.values())
    return made


async def test_status_counts_each_pair_where_it_stands(
    client: httpx.AsyncClient, twins: list[int], db: asyncpg.Pool
) -> None:
    await db.execute("UPDATE work SET dirty_since = now() - interval '90 seconds'")
    await db.execute("UPDATE work SET lease_until = now() + interval '1 minute' WHERE twin_id = 1")
    await db.execute("UPDATE work SET due_at = now() + interval '1 minute' WHERE twin_id = 2")
    await db.execute(
        "UPDATE work SET done = generation, waiting = 'unknown:archived' WHERE twin_id = 3"
    )
    status = (await client.get(f"{AB}/status")).json()
    age = status.pop("oldest_seconds")
    assert 90 <= age < 120
    assert status == {
        "backlog": 1,
        "in_flight": 1,
        "delayed": 1,
        "resyncs": 0,
        "waiting": 1,
        "unknown": 1,
        "held": 0,
        "unpairing": 0,
        "let_go": 0,
        "failed": 0,
        "dismissed": 0,
        "unconfirmed": 0,
        "pairs_suspended": 0,
        "suspended": 0,
        "orphaned": 0,
        "detached": 0,
        "released": 0,
    }
    await db.execute("UPDATE work SET waiting = 'mode' WHERE twin_id = 3")
    await db.execute("UPDATE work SET failed_at = now(), failure = 'x' WHERE twin_id = 4")
    await db.execute("UPDATE work SET lease_until = now() - interval '1 second'")
    await intent(db, 1, 2)
    status = (await client.get(f"{AB}/status")).json()
    assert (status["backlog"], status["in_flight"]) == (1, 0)
    assert (status["waiting"], status["unknown"]) == (1, 0)
    assert (status["failed"], status["unconfirmed"]) == (1, 1)


async def test_an_idle_connection_is_quiet(client: httpx.AsyncClient, connected: Jira) -> None:
    status = (await client.get(f"{AB}/status")).json()
    assert set(status.values()) == {0, None}


async def test_links_show_both_sides(
    client: httpx.AsyncClient, twins: list[int], db: asyncpg.Pool
) -> None:
    made = await ledger(db, 1, 2)
    [link] = (await client.get(f"{AB}/links")).json()["items"]
    del link["changed_at"]
    assert link == {
        "id": str(made),
        "state": "managed",
        "origin": "left",
        "authorship": "ours",
        "reason": "",
        "left": {
            "link_id": "500",
            "type": "Blocks",
            "source": {"id": "10001", "key": "A-1"},
            "destination": {"id": "10002", "key": "A-2"},
        },
        "right": {
            "link_id": "600",
            "type": "Blocks",
            "source": {"id": "20001", "key": "B-1"},
            "destination": {"id": "20002", "key": "B-2"},
        },
    }


async def test_links_are_filtered_and_paged(
    client: httpx.AsyncClient, twins: list[int], db: asyncpg.Pool
) -> None:
    await ledger(db, 1, 2)
    await ledger(db, 2, 3, state="preexisting", authorship=None)
    await ledger(db, 3, 4, left_type_id=10001, right_type_id=10001, state="detached")
    pending = await intent(db, 4, 1)

    async def found(**params: Any) -> list[str]:
        items = (await client.get(f"{AB}/links", params=params)).json()["items"]
        return [it["id"] for it in items]

    assert await found() == ["1", "2", "3", f"intent-{pending}"]
    assert await found(state="preexisting") == ["2"]
    assert await found(state="unconfirmed") == [f"intent-{pending}"]
    [waiting] = (await client.get(f"{AB}/links", params={"state": "unconfirmed"})).json()["items"]
    assert waiting["left"]["source"] == {"id": "10004", "key": "A-4"}
    assert waiting["right"]["destination"] == {"id": "20001", "key": "B-1"}
    assert (waiting["left"]["link_id"], waiting["right"]["link_id"]) == ("500", None)
    assert await found(issue="A-2") == ["1", "2"]
    assert await found(issue="B-1") == ["1", f"intent-{pending}"]
    assert await found(type="Relates") == ["3"]
    assert await found(type="10000") == ["1", "2", f"intent-{pending}"]
    assert await found(type="Nope") == []
    walked, cursor = [], None
    while True:
        params = {"limit": 1, **({"cursor": cursor} if cursor else {})}
        page = (await client.get(f"{AB}/links", params=params)).json()
        walked += [it["id"] for it in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert walked == ["1", "2", "3", f"intent-{pending}"]


async def test_a_link_that_is_being_written_is_unconfirmed(
    client: httpx.AsyncClient, twins: list[int], db: asyncpg.Pool
) -> None:
    row = await ledger(db, 1, 2)
    await intent(db, 1, 2, operation="remove", link_id=600, ledger_id=row)
    [link] = (await client.get(f"{AB}/links")).json()["items"]
    assert (link["id"], link["state"]) == (str(row), "unconfirmed")
    assert (await client.get(f"{AB}/links", params={"state": "managed"})).json()["items"] == []


async def test_open_writes(client: httpx.AsyncClient, twins: list[int], db: asyncpg.Pool) -> None:
    unconfirmed, under_way = await intent(db, 1, 2), await intent(db, 2, 3)
    await db.execute("UPDATE intents SET unconfirmed_since = NULL WHERE id = $1", under_way)
    path = f"{V1}/intents"
    [it] = (await client.get(path, params={"status": "unconfirmed"})).json()["items"]
    assert (it["id"], it["status"], it["operation"]) == (str(unconfirmed), "unconfirmed", "create")
    assert (it["connection"], it["site"], it["type"]) == ("ab", "right", "Blocks")
    assert it["source"] == {"id": "20001", "key": "B-1"}
    both = (await client.get(path, params={"status": "open"})).json()["items"]
    assert [it["id"] for it in both] == [str(unconfirmed), str(under_way)]
    other = await client.get(path, params={"connection": "other"})
    assert other.json()["items"] == []


async def test_failures_and_their_retry(
    client: httpx.AsyncClient, twins: list[int], db: asyncpg.Pool
) -> None:
    path = f"{V1}/failures"
    assert (await client.get(path)).json()["items"] == []
    assert (await client.post(f"{path}/2/retry")).status_code == 404
    await db.execute(
        """UPDATE work SET failed_at = now(), failure = 'link_limit', tries = 5, done = generation
           WHERE twin_id = 2"""
    )
    [it] = (await client.get(path)).json()["items"]
    assert (it["id"], it["failure"], it["tries"]) == ("2", "link_limit", 5)
    assert (it["left"]["key"], it["right"]["key"]) == ("A-2", "B-2")
    retried = await client.post(f"{path}/2/retry")
    assert retried.status_code == 202
    assert retried.json() == {"id": "2", "status": "queued"}
    assert (await client.get(path)).json()["items"] == []
    work = await db.fetchrow("SELECT *, generation > done AS dirty FROM work WHERE twin_id = 2")
    assert work is not None
    assert (work["dirty"], work["failed_at"]) == (True, None)


async def fail(db: asyncpg.Pool, code: str) -> None:
    await db.execute(
        """UPDATE work SET failed_at = now(), failure = $1, tries = 5, done = generation
           WHERE twin_id = 2""",
        code,
    )


async def test_a_failure_is_dismissed_with_a_reason(
    api: Api, client: httpx.AsyncClient, twins: list[int], db: asyncpg.Pool
) -> None:
    path, reason = f"{V1}/failures", {"reason": "the customer knows"}
    assert (await client.post(f"{path}/2/dismissal", json=reason)).status_code == 404
    await fail(db, "link_limit")
    assert (await client.post(f"{path}/2/dismissal", json={"reason": ""})).status_code == 422
    stranger = await api.stranger("operator")
    assert (await stranger.post(f"{path}/2/dismissal", json=reason)).status_code == 404
    answer = (await client.post(f"{path}/2/dismissal", json=reason)).json()
    assert (answer["dismissal"]["reason"], answer["dismissal"]["by"]) == (
        "the customer knows", "bootstrap",
    )  # fmt: skip
    assert (await client.get(path)).json()["items"] == []
    [it] = (await client.get(path, params={"dismissed": "true"})).json()["items"]
    assert it == answer
    status = (await client.get(f"{V1}/connections/ab/status")).json()
    assert (status["failed"], status["dismissed"]) == (0, 1)
    await fail(db, "issue_gone")
    [it] = (await client.get(path)).json()["items"]
    assert (it["failure"], it["dismissal"]) == ("issue_gone", None), "another cause"
    await fail(db, "link_limit")
    assert (await client.post(f"{path}/2/retry")).status_code == 202
    await fail(db, "link_limit")
    assert len((await client.get(path)).json()["items"]) == 1, "a person asked again"


async def plan(db: asyncpg.Pool, kind: str, status: str, changes: int) -> str:
    made = await insert(
        db, "plans", {"connection_id": 1, "kind": kind, "status": status, "revision": 1}
    )
    await db.execute(
        """INSERT INTO plan_changes (plan_id, operation, site_id, type_id, source_id, source_key,
               destination_id, destination_key, link_id, left_type_id, source_twin_id,
               destination_twin_id, reason)
           SELECT $1, CASE n % 3 WHEN 0 THEN 'create' ELSE 'remove' END, 2, 10000, n, 'B-' || n,
                  n + 1, 'B-' || (n + 1), n, 10000, 1, 2, 'row_7' FROM generate_series(1, $2) n""",
        made,
        changes,
    )
    return str(made)


async def test_plans(client: httpx.AsyncClient, twins: list[int], db: asyncpg.Pool) -> None:
    shadow = await plan(db, "shadow", "shadow", 3)
    held = await plan(db, "removals", "held", 7)
    path = f"{V1}/plans"
    listed = (await client.get(path)).json()["items"]
    assert [it["id"] for it in listed] == [held, shadow]
    assert [it["counts"] for it in listed] == [
        {"create": 2, "remove": 5, "adopt": 0, "release": 0},
        {"create": 1, "remove": 2, "adopt": 0, "release": 0},
    ]
    [it] = (await client.get(path, params={"status": "held", "connection": "ab"})).json()["items"]
    assert it["id"] == held
    refused = (await client.get(path, params={"status": "hled"})).json()
    assert refused["errors"][0]["detail"].startswith("Input should be 'gathering', 'held', ")
    shown = (await client.get(f"{path}/{held}")).json()
    assert len(shown["changes"]) == 7
    assert shown["next"] is None
    assert shown["changes"][0] == {
        "operation": "remove",
        "site": "right",
        "type": "Blocks",
        "source": {"id": "1", "key": "B-1"},
        "destination": {"id": "2", "key": "B-2"},
        "link_id": "1",
        "reason": "row_7",
        "evidence": {},
        "result": None,
    }
    status = (await client.get(f"{AB}/status")).json()
    assert status["held"] == 7
    assert (await client.get(f"{path}/99")).status_code == 404


async def test_a_long_plan_has_pages(
    client: httpx.AsyncClient, twins: list[int], db: asyncpg.Pool
) -> None:
    made = await plan(db, "shadow", "shadow", 1005)
    first = (await client.get(f"{V1}/plans/{made}")).json()
    assert len(first["changes"]) == 1000
    rest = await client.get(f"{V1}/plans/{made}", params={"cursor": first["next"]})
    ids = [it["link_id"] for it in first["changes"] + rest.json()["changes"]]
    assert ids == [str(n) for n in range(1, 1006)]


async def test_deliveries(client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool) -> None:
    await db.execute(
        """INSERT INTO inbox (site_id, delivery, kind, issue_id, link_id, type_id, source_id,
               destination_id, fields, occurred_at)
           VALUES (1, 'x-1', 'link_created', NULL, 5, 10000, 1, 2, '{}', now())"""
    )
    [it] = (await client.get(f"{V1}/deliveries")).json()["items"]
    assert (it["site"], it["delivery"], it["kind"]) == ("left", "x-1", "link_created")
    assert (it["link_id"], it["source_id"], it["issue_id"]) == ("5", "1", None)
    future = await client.get(f"{V1}/deliveries", params={"since": "2999-01-01T00:00:00Z"})
    assert future.json()["items"] == []
