"""Tokens: shown once, kept as hashes, expiring, revoked, confined to connections."""

from datetime import UTC, datetime, timedelta

import asyncpg
import httpx

from app.api.auth.roles import V1
from tests.api.conftest import Api, Jira, connection_body


async def test_a_token_is_shown_once_and_kept_as_a_hash(
    api: Api, client: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    made = await client.post(f"{V1}/tokens", json={"role": "viewer", "owner": "Eva"})
    assert made.status_code == 201
    text = made.json()["token"]
    assert text.startswith("twl_")
    assert made.headers["Location"] == f"{V1}/tokens/{made.json()['id']}"
    listed = await client.get(f"{V1}/tokens")
    assert text not in listed.text
    [row] = await db.fetch("SELECT t.*, t::text AS everything FROM tokens t")
    assert text not in row["everything"]
    assert row["created_by"] == "bootstrap"
    assert (await api.client(text).get(f"{V1}/sites")).status_code == 200


async def test_a_revoked_token_is_nobody_at_once(api: Api, client: httpx.AsyncClient) -> None:
    made = (await client.post(f"{V1}/tokens", json={"role": "viewer", "owner": "Eva"})).json()
    holder = api.client(made["token"])
    assert (await holder.get(f"{V1}/sites")).status_code == 200
    assert (await client.delete(f"{V1}/tokens/{made['id']}")).status_code == 204
    assert (await holder.get(f"{V1}/sites")).status_code == 401
    assert (await client.delete(f"{V1}/tokens/{made['id']}")).status_code == 404
    assert (await client.get(f"{V1}/tokens")).json()["items"] == []


async def test_an_expired_token_is_nobody(
    api: Api, client: httpx.AsyncClient, db: asyncpg.Pool
) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    body = {"role": "viewer", "owner": "Eva", "expires_at": at.isoformat()}
    holder = api.client((await client.post(f"{V1}/tokens", json=body)).json()["token"])
    assert (await holder.get(f"{V1}/sites")).status_code == 200
    await db.execute("UPDATE tokens SET expires_at = now() - interval '1 second'")
    assert (await holder.get(f"{V1}/sites")).status_code == 401


async def test_an_expiry_must_lie_ahead_and_have_a_zone(client: httpx.AsyncClient) -> None:
    for at in ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00", "tomorrow"):
        body = {"role": "viewer", "owner": "Eva", "expires_at": at}
        answer = await client.post(f"{V1}/tokens", json=body)
        assert answer.status_code == 422
        assert [e["pointer"] for e in answer.json()["errors"]] == ["/expires_at"]


async def test_last_use_is_recorded_once_a_minute(api: Api, db: asyncpg.Pool) -> None:
    holder = await api.token("viewer")
    await holder.get(f"{V1}/sites")
    first = await db.fetchval("SELECT last_used_at FROM tokens")
    assert first is not None
    await holder.get(f"{V1}/sites")
    assert await db.fetchval("SELECT last_used_at FROM tokens") == first
    await db.execute("UPDATE tokens SET last_used_at = now() - interval '61 seconds'")
    await holder.get(f"{V1}/sites")
    assert await db.fetchval("SELECT last_used_at FROM tokens") > first


async def test_a_confined_token_sees_only_its_connections(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    other = connection_body(
        left={"site": "left", "projects": ["AX"]}, right={"site": "right", "projects": ["BX"]}
    )
    assert (await client.put(f"{V1}/connections/other", json=other)).status_code == 201
    for name in ("ab", "other"):
        asked = await client.post(f"{V1}/connections/{name}/resyncs", json={})
        assert asked.status_code == 202
    resyncs = (await client.get(f"{V1}/resyncs")).json()["items"]
    hidden = next(r["id"] for r in resyncs if r["connection"] == "other")

    holder = await api.token("operator", connections=["ab"])
    names = [c["name"] for c in (await holder.get(f"{V1}/connections")).json()["items"]]
    assert names == ["ab"]
    seen = (await holder.get(f"{V1}/resyncs")).json()["items"]
    assert [r["connection"] for r in seen] == ["ab"]
    for path in ("connections/other", "connections/other/status", f"resyncs/{hidden}"):
        assert (await holder.get(f"{V1}/{path}")).status_code == 404
    assert (await holder.post(f"{V1}/resyncs/{hidden}/cancel")).status_code == 404
    assert (await holder.post(f"{V1}/connections/other/pause")).status_code == 404
    assert (await holder.post(f"{V1}/pause")).status_code == 403
    assert len((await holder.get(f"{V1}/sites")).json()["items"]) == 2


async def test_a_token_whose_connection_was_deleted_sees_no_site(
    api: Api, client: httpx.AsyncClient, connected: Jira
) -> None:
    holder = await api.stranger("viewer")
    assert (await client.delete(f"{V1}/connections/other")).status_code == 200
    assert (await holder.get(f"{V1}/sites")).json()["items"] == []
    assert (await holder.get(f"{V1}/sites/left")).status_code == 404


async def test_a_confined_administrator_cannot_widen_himself(api: Api, connected: Jira) -> None:
    holder = await api.token("admin", connections=["ab"])
    body = {"role": "admin", "owner": "me"}
    assert (await holder.post(f"{V1}/tokens", json=body)).status_code == 403
    assert (await holder.delete(f"{V1}/sites/left")).status_code == 403
    for name in ("ab", "another"):
        put = await holder.put(f"{V1}/connections/{name}", json=connection_body())
        assert put.status_code == 403


async def test_token_bodies_name_what_is_wrong(client: httpx.AsyncClient) -> None:
    cases = [
        ({"role": "king", "owner": "x"}, "/role"),
        ({"role": "viewer"}, "/owner"),
        ({"role": "viewer", "owner": ""}, "/owner"),
        ({"role": "viewer", "owner": "eva@example.com"}, "/owner"),
        ({"role": "viewer", "owner": "Eva <eva@intranet>"}, "/owner"),
        ({"role": "viewer", "owner": "a\x00b"}, "/owner"),
        ({"role": "viewer", "owner": "x", "connections": []}, "/connections"),
        ({"role": "viewer", "owner": "x", "connections": ["NO!"]}, "/connections/0"),
        ({"role": "viewer", "owner": "x", "more": 1}, "/more"),
    ]
    for body, pointer in cases:
        answer = await client.post(f"{V1}/tokens", json=body)
        assert answer.status_code == 422
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]
