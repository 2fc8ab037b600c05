"""Pages: complete, without repeats, and a cursor that fits only its own list."""

from typing import Any

import asyncpg
import httpx

from app.api.auth.roles import V1
from tests.api.conftest import Jira

DELIVERIES = f"{V1}/deliveries"


async def fill(db: asyncpg.Pool, number: int) -> None:
    await db.execute(
        """INSERT INTO inbox (site_id, delivery, kind, link_id)
           SELECT s.id, 'd' || n, CASE n % 2 WHEN 0 THEN 'link_created' ELSE 'link_deleted' END, n
           FROM sites s, generate_series(1, $1::int) n WHERE s.name = 'left'""",
        number,
    )


async def walk(client: httpx.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        asked = {**params, **({"cursor": cursor} if cursor else {})}
        page = (await client.get(DELIVERIES, params=asked)).json()
        items += page["items"]
        assert len(page["items"]) <= params["limit"]
        cursor = page["next"]
        if cursor is None:
            return items


async def test_pages_are_complete_and_newest_first(
    client: httpx.AsyncClient, sites: Jira, db: asyncpg.Pool
) -> None:
    await fill(db, 25)
    for limit in (1, 5, 7, 25, 26):
        found = await walk(client, limit=limit)
        assert [it["delivery"] for it in found] == [f"d{n}" for n in range(25, 0, -1)]
    even = await walk(client, limit=4, kind="link_created")
    assert [it["link_id"] for it in even] == [str(n) for n in range(24, 0, -2)]
    assert await walk(client, limit=4, site="right") == []


async def test_the_default_is_a_hundred(
    client: httpx.AsyncClient, sites: Jira, db: asyncpg.Pool
) -> None:
    await fill(db, 101)
    page = (await client.get(DELIVERIES)).json()
    assert len(page["items"]) == 100
    assert page["next"] is not None


async def test_a_cursor_belongs_to_its_list_and_filters(
    client: httpx.AsyncClient, sites: Jira, db: asyncpg.Pool
) -> None:
    await fill(db, 3)
    params: dict[str, Any] = {"limit": 1, "kind": "link_deleted"}
    cursor = (await client.get(DELIVERIES, params=params)).json()["next"]
    good = await client.get(DELIVERIES, params={**params, "limit": 2, "cursor": cursor})
    assert good.status_code == 200
    for path, asked in (
        (DELIVERIES, {"cursor": cursor}),
        (DELIVERIES, {"cursor": cursor, "kind": "link_created"}),
        (f"{V1}/resyncs", {"cursor": cursor}),
    ):
        answer = await client.get(path, params=asked)
        assert answer.status_code == 400
        assert answer.json()["code"] == "cursor_mismatch"


async def test_cursors_that_nobody_gave(client: httpx.AsyncClient, sites: Jira) -> None:
    for text in ("", "x", "!!!", "e30", "bnVsbA", "W10", "WzEsMl0", "\u00e4", "a" * 999):
        answer = await client.get(f"{V1}/sites", params={"cursor": text})
        assert answer.status_code == 400, text
        assert answer.json()["code"] == "cursor_mismatch"


async def test_names_are_pages_too(client: httpx.AsyncClient, sites: Jira) -> None:
    first = (await client.get(f"{V1}/sites", params={"limit": 1})).json()
    assert [it["name"] for it in first["items"]] == ["left"]
    rest = await client.get(f"{V1}/sites", params={"limit": 1, "cursor": first["next"]})
    assert [it["name"] for it in rest.json()["items"]] == ["right"]
    assert rest.json()["next"] is None
