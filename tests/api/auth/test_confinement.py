"""Confinement to connections: what a token names when it is made is all that it reaches, by
whatever path, query, cursor or body, and however names are used again later."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.core.incidents import Impact, IncidentKind
from app.sync.incidents import timeline
from tests.api.conftest import Api, Jira, connection_body

MINE = {
    "left": {"site": "left", "projects": ["AX"]},
    "right": {"site": "right", "projects": ["BX"]},
}


@pytest.fixture
async def mine(client: httpx.AsyncClient, connected: Jira) -> None:
    """A second tenant beside `ab`, on projects of its own of the same two sites."""
    put = await client.put(f"{V1}/connections/mine", json=connection_body(**MINE))
    assert put.status_code == 201, put.text


async def test_a_confined_administrator_names_no_sites_and_no_projects(
    api: Api, client: httpx.AsyncClient, connected: Jira, mine: None
) -> None:
    """The attack: put a stranger's project under one's own connection, pair, go live, adopt the
    links that a person made there, and unlink one's own side."""
    holder = await api.token("admin", connections=["mine"])
    reach = connection_body(left=MINE["left"], right={"site": "right", "projects": ["B"]})
    put = await holder.put(f"{V1}/connections/mine", json=reach)
    assert put.status_code == 403
    for rollout in ("full", "shadow"):
        body = {"config": reach, "rollout": rollout}
        posted = await holder.post(f"{V1}/connections/mine/revisions", json=body)
        assert posted.status_code == 403
    made = await client.get(f"{V1}/connections/mine")
    assert made.json()["right"]["projects"] == ["BX"]
    assert made.json()["revision"] == 1


@pytest.mark.parametrize("role", ["approver", "admin"])
async def test_a_roll_back_reaches_no_project_that_was_taken_away(
    api: Api, client: httpx.AsyncClient, connected: Jira, role: str
) -> None:
    wide = connection_body(right={"site": "right", "projects": ["B", "BX"]})
    for body in (wide, connection_body(), connection_body(on_mirror_removed="recreate")):
        assert (await client.put(f"{V1}/connections/ab", json=body)).status_code == 200
    holder = await api.token(role, connections=["ab"])
    back = await holder.post(f"{V1}/connections/ab/rollback", json={"revision": 2})
    assert back.status_code == 403
    assert (await client.get(f"{V1}/connections/ab")).json()["revision"] == 4
    within = await holder.post(f"{V1}/connections/ab/rollback", json={"revision": 3})
    assert within.status_code == 200
    shop = await api.token("approver")
    assert (await shop.post(f"{V1}/connections/ab/rollback", json={"revision": 2})).status_code == (
        403
    )
    admin = await client.post(f"{V1}/connections/ab/rollback", json={"revision": 2})
    assert admin.status_code == 200


async def test_a_name_used_again_gives_nobody_anything(
    api: Api, client: httpx.AsyncClient, connected: Jira, db: asyncpg.Pool
) -> None:
    """Neither has the former tenant's token the new connection, nor the new tenant's the former
    one's audit, resyncs, plans, restores and incidents."""
    old = await api.token("approver", connections=["ab"])
    await leave_traces(api, db)
    before = {path: (await old.get(V1 + path)).json()["items"] for path in TRACES}
    assert all(before.values()), before
    assert (await client.delete(f"{V1}/connections/ab")).status_code == 200
    again = await client.put(f"{V1}/connections/ab", json=connection_body(**MINE))
    assert again.status_code == 201
    new = await api.token("approver", connections=["ab"])

    assert (await new.get(f"{V1}/connections/ab")).status_code == 200
    for path in TRACES:
        assert (await new.get(V1 + path)).json()["items"] == [], path
        assert (await new.get(f"{V1}{path}?connection=ab")).json()["items"] == [], path
    export = await new.get(f"{V1}/audit/export")
    assert "A-1" not in export.text
    restore = await new.post(f"{V1}/restores", json={"connection": "ab", "operation": "remove"})
    assert restore.status_code == 409, restore.text
    for path, items in before.items():
        if path not in LISTS_ONLY:
            assert (await new.get(f"{V1}{path}/{items[0]['id']}")).status_code == 404, path

    assert (await old.get(f"{V1}/connections/ab")).status_code == 404
    assert (await old.get(f"{V1}/connections")).json()["items"] == []
    assert (await old.post(f"{V1}/connections/ab/pause")).status_code == 404
    assert (await old.post(f"{V1}/connections/ab/resyncs", json={})).status_code == 404


TRACES = ("/audit", "/plans", "/restores", "/resyncs", "/incidents")
LISTS_ONLY = {"/audit"}


async def leave_traces(api: Api, db: asyncpg.Pool) -> None:
    """A removed link in the audit, a plan that restores it, a resync and an incident of `ab`."""
    await removed(db, 1)
    client = api.client()
    asked = {"connection": "ab", "operation": "remove"}
    assert (await client.post(f"{V1}/restores", json=asked)).status_code == 202
    assert (await client.post(f"{V1}/connections/ab/resyncs", json={})).status_code == 202
    await opened(api, connection_id=1)


async def removed(db: asyncpg.Pool, connection_id: int) -> None:
    await db.execute(
        """INSERT INTO audit (connection_id, seq, at, connection, site, operation, status, link_id,
               type_id, type, source_id, source_key, destination_id, destination_key, managed,
               cause_kind, cause_id, revision, engine, evidence, actor, prev_hash, hash)
           SELECT $1, 1, now(), name, 'right', 'remove', 'applied', 10000, 10000, 'Blocks', 10000,
               'A-1', 10001, 'A-2', true, 'webhook', '1', 1, 'e', '{}', 'twinlink', '', ''
           FROM connections WHERE id = $1""",
        connection_id,
    )


async def opened(api: Api, kind: str = "guard_tripped", **place: Any) -> str:
    async with api.services.database.transaction() as conn:
        made = await timeline.open_or_note(
            conn,
            IncidentKind(kind),
            now=datetime.now(UTC),
            detail={"rejected": 5},
            impact=Impact.MINOR,
            **place,
        )
    return str(made)


async def test_a_token_names_connections_that_there_are(
    client: httpx.AsyncClient, connected: Jira
) -> None:
    body = {"role": "viewer", "owner": "eva", "connections": ["ab", "elsewhere"]}
    answer = await client.post(f"{V1}/tokens", json=body)
    assert answer.status_code == 422
    assert [it["pointer"] for it in answer.json()["errors"]] == ["/connections/1"]


async def test_a_rescue_reads_a_whole_site(api: Api, connected: Jira) -> None:
    """It may write on issues of any project there."""
    holder = await api.token("admin", connections=["ab"])
    window = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
    body = {"site": "left", "account_id": "ann", **window}
    assert (await holder.post(f"{V1}/rescues", json=body)).status_code == 403


async def test_deliveries_of_a_site_show_what_concerns_its_own_pairs(
    api: Api, client: httpx.AsyncClient, connected: Jira, mine: None, db: asyncpg.Pool
) -> None:
    for name, key in (("ab", ("A-1", "B-1")), ("ab", ("A-2", "B-2")), ("mine", ("AX-1", "BX-1"))):
        body = {"twins": [{"left": key[0], "right": key[1]}]}
        paired = await client.post(f"{V1}/connections/{name}/twins", json=body)
        assert [it["status"] for it in paired.json()["items"]] == ["paired"]
    own, other, stranger = [
        row["left_issue_id"]
        for row in await db.fetch("SELECT left_issue_id FROM twins ORDER BY left_key")
    ]
    await db.executemany(
        """INSERT INTO inbox (site_id, delivery, kind, issue_id, source_id, destination_id)
           SELECT id, $1, $2, $3, $4, $5 FROM sites WHERE name = 'left'""",
        [
            ("own issue", "issue_updated", own, None, None),
            ("own link", "link_created", None, own, other),
            ("across", "link_created", None, own, stranger),
            ("their issue", "issue_updated", stranger, None, None),
            ("no twin", "issue_created", 424242, None, None),
            ("of nothing", "link_deleted", None, None, None),
        ],
    )
    holder = await api.token("viewer", connections=["ab"])
    seen = (await holder.get(f"{V1}/deliveries")).json()["items"]
    assert [it["delivery"] for it in seen] == ["own link", "own issue"]
    assert len((await client.get(f"{V1}/deliveries")).json()["items"]) == 6


async def test_an_incident_of_a_site_hides_what_others_did_and_wrote(
    api: Api, client: httpx.AsyncClient, connected: Jira, mine: None
) -> None:
    for place in ({"site_id": 1}, {}):
        made = await opened(api, "deliveries_rejected", **place)
        path = f"{V1}/incidents/{made}"
        said = {"text": "mine imported BX-1", "state": "resolved"}
        assert (await client.post(f"{path}/updates", json=said)).status_code == 201
        holder = await api.token("operator", connections=["ab"])
        shown = (await holder.get(path)).json()
        assert (shown["connections"], shown["state"]) == (["ab"], "resolved")
        assert (shown["facts"], shown["timeline"], shown["calls"]) == ({}, [], [])
        assert (shown["issues"], shown["resolved_by"]) == (None, None)
        [listed] = [it for it in (await holder.get(f"{V1}/incidents")).json()["items"]
                    if it["id"] == made]  # fmt: skip
        assert listed["resolved_by"] is None
        assert "BX-1" in (await client.get(path)).text
