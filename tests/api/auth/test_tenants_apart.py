"""What one tenant could still learn, or have done, of another: what it had once, what a person of
the house asked for across tenants, and what a field of its own issues says."""

from typing import Any

import asyncpg
import httpx
import pytest

from app.api.auth.roles import V1
from app.sandbox.people import person_on
from app.store.config import connections
from app.store.migrations.run import migrate
from app.sync.recovery import restore
from tests.api.conftest import Api, connection_body
from tests.api.flow import AB, Flow
from tests.support.servers import Database

WINDOW = {"since": "2026-01-01T00:00:00Z", "until": "2026-12-31T00:00:00Z"}


async def test_a_rescue_across_tenants_is_shown_to_none_of_them(api: Api, flow: Flow) -> None:
    """Before it is scanned its plan has no changes, and stands under one of the connections."""
    await api.other()
    ann = flow.jira.left.site.user("ann").account_id
    made = await flow.call("POST", f"{V1}/rescues", {"site": "left", "account_id": ann, **WINDOW})
    first = await api.token("approver", connections=["ab"])
    both = await api.token("approver", connections=["ab", "other"])
    for when in ("asked", "scanned"):
        assert (await first.get(f"{V1}/rescues")).json()["items"] == [], when
        assert (await first.get(f"{V1}/rescues/{made['id']}")).status_code == 404, when
        assert (await first.get(f"{V1}/plans/{made['plan_id']}")).status_code == 404, when
        assert made["plan_id"] not in [
            it["id"] for it in (await first.get(f"{V1}/plans")).json()["items"]
        ]
        assert (await both.get(f"{V1}/rescues/{made['id']}")).status_code == 200, when
        await restore.plan_once(flow.ctx)


async def test_a_restore_across_tenants_names_no_issue_of_the_other(
    api: Api, flow: Flow, db: asyncpg.Pool
) -> None:
    await flow.mode("live")
    await flow.mirrored(("A-1", "Blocks", "A-2"))
    await api.other()
    asked = {"issues": ["A-1", "AX-1"], "operation": "create"}
    made = await flow.call("POST", f"{V1}/restores", asked)
    viewer = await api.token("viewer", connections=["ab"])
    assert "AX-1" not in (await viewer.get(f"{V1}/restores/{made['id']}")).text


async def narrowed(flow: Flow) -> None:
    """The projects of `ab` are another tenant's from now on."""
    body = connection_body(
        left={"site": "left", "projects": ["AX"]}, right={"site": "right", "projects": ["BX"]}
    )
    await flow.call("PUT", AB, body)
    await flow.compare()
    await flow.call("PUT", f"{V1}/connections/next", connection_body())


async def test_a_restore_writes_nothing_in_a_project_that_was_taken_away(
    api: Api, flow: Flow
) -> None:
    await flow.mode("live")
    [link] = await flow.mirrored(("A-1", "Blocks", "A-2"))
    flow.ann.unlink(link)
    await flow.compare()
    assert flow.mirrors == []
    await narrowed(flow)
    holder = await api.token("approver", connections=["ab"])
    asked = {"connection": "ab", "operation": "remove"}
    made = await holder.post(f"{V1}/restores", json=asked)
    if made.status_code == 202:
        await restore.plan_once(flow.ctx)
        plan = (await holder.get(f"{V1}/plans/{made.json()['plan_id']}")).json()
        await holder.post(
            f"{V1}/plans/{plan['id']}/approval", json={"digest": plan["digest"], "note": ""}
        )
        await flow.run()
    assert flow.mirrors == []


async def test_a_roll_back_puts_back_nothing_in_a_project_that_was_taken_away(
    api: Api, flow: Flow
) -> None:
    """What was removed under a wide revision, undone from a narrow one to one as narrow."""
    narrow = connection_body(
        left={"site": "left", "projects": ["AX"]}, right={"site": "right", "projects": ["BX"]}
    )
    wide = connection_body(
        left={"site": "left", "projects": ["A", "AX"]},
        right={"site": "right", "projects": ["B", "BX"]},
    )
    await flow.mode("live")
    [link] = await flow.mirrored(("A-1", "Blocks", "A-2"))
    await flow.call("PUT", AB, narrow)
    await flow.call("PUT", AB, wide)
    await flow.compare()
    flow.ann.unlink(link)
    await flow.compare()
    assert flow.mirrors == []
    await flow.call("PUT", AB, narrow)
    await flow.compare()
    await flow.call("PUT", f"{V1}/connections/next", connection_body())
    holder = await api.token("approver", connections=["ab"])
    await flow.call("PUT", AB, {**narrow, "on_mirror_removed": "recreate"})
    back = await holder.post(f"{AB}/rollback", json={"revision": 2, "undo": True})
    assert back.status_code == 200, back.text
    await restore.plan_once(flow.ctx)
    plan = (await holder.get(f"{V1}/plans/{back.json()['plan_id']}")).json()
    assert [it["operation"] for it in plan["changes"]] == ["create"]
    decision = {"digest": plan["digest"], "note": ""}
    await holder.post(f"{V1}/plans/{plan['id']}/approval", json=decision)
    await flow.run()
    assert flow.mirrors == []


async def test_a_tenant_approves_nothing_in_a_project_that_was_taken_away(
    api: Api, flow: Flow
) -> None:
    """A plan that a person of the house, or the service itself, made before."""
    await flow.mode("live")
    [link] = await flow.mirrored(("A-1", "Blocks", "A-2"))
    flow.ann.unlink(link)
    await flow.compare()
    asked = {"connection": "ab", "operation": "remove"}
    made = await flow.call("POST", f"{V1}/restores", asked)
    await restore.plan_once(flow.ctx)
    await narrowed(flow)
    holder = await api.token("approver", connections=["ab"])
    plan = (await holder.get(f"{V1}/plans/{made['plan_id']}")).json()
    decision = {"digest": plan["digest"], "note": ""}
    approved = await holder.post(f"{V1}/plans/{plan['id']}/approval", json=decision)
    assert approved.status_code == 200
    await flow.run()
    assert flow.mirrors == []
    assert "approved" not in (await flow.call("GET", f"{V1}/restores/{made['id']}"))["asked"]


async def test_a_plan_from_before_removes_nothing_in_a_project_that_was_taken_away(
    api: Api, flow: Flow
) -> None:
    await flow.mode("live")
    await flow.mirrored(("A-1", "Blocks", "A-2"))
    holder = await api.token("approver", connections=["ab"])
    asked = {"connection": "ab", "operation": "create"}
    made = (await holder.post(f"{V1}/restores", json=asked)).json()
    await restore.plan_once(flow.ctx)
    plan = (await holder.get(f"{V1}/plans/{made['plan_id']}")).json()
    await narrowed(flow)
    decision = {"digest": plan["digest"], "note": ""}
    approved = await holder.post(f"{V1}/plans/{plan['id']}/approval", json=decision)
    assert approved.status_code == 200
    await flow.run()
    assert len(flow.mirrors) == 1
    [change] = (await holder.get(f"{V1}/plans/{plan['id']}")).json()["changes"]
    assert change["result"] == "skipped:out_of_scope"


async def test_nothing_is_explained_of_a_project_that_was_taken_away(api: Api, flow: Flow) -> None:
    await narrowed(flow)
    bob = person_on(flow.jira.right.site, "ann")
    bob.link("B-1", "Relates", "B-5")
    holder = await api.token("viewer", connections=["ab"])
    answer = await holder.get(f"{AB}/explain", params={"issue": "A-1"})
    assert "B-5" not in answer.text


@pytest.mark.parametrize("status", ["wrong_project", "unknown_issue"])
async def test_a_twin_field_tells_no_tenant_which_issues_there_are(
    api: Api, flow: Flow, db: asyncpg.Pool, status: str
) -> None:
    """`wrong_project` says that the issue exists, `unknown_issue` that it may not."""
    answers: list[Any] = []
    holder = await api.token("viewer", connections=["ab"])
    for claim in ("wrong_project", "unknown_issue"):
        await db.execute("DELETE FROM twin_claims")
        await db.execute(
            """INSERT INTO twin_claims (connection_id, side, issue_id, issue_key, claimed_key,
                   status, seen_at)
               VALUES (1, 'left', 10000, 'A-1', 'BX-1', $1, '2026-01-01T00:00:00Z')""",
            claim,
        )
        found = await holder.get(f"{AB}/twins", params={"status": status})
        answers.append(found.json()["items"])
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "path",
    [
        "/connections/ab/activity?until=0001-01-01T00:00:00Z",
        "/connections/ab/activity?since=0001-01-01T00:00:00%2B14:00&until=0001-01-01T00:00:00%2B14:00",
        "/connections/ab/activity?since=9999-12-31T23:00:00Z&until=9999-12-31T23:59:59-12:00",
        "/audit?since=0001-01-01T00:00:00%2B14:00",
        "/audit?until=9999-12-31T23:59:59-12:00",
        "/deliveries?since=0001-01-01T00:00:00Z",
        "/deliveries?since=0001-01-01T00:00:00%2B14:00",
    ],
)
async def test_the_ends_of_time_break_nothing(
    api: Api, client: httpx.AsyncClient, connected: object, path: str
) -> None:
    viewer = await api.token("viewer", connections=["ab"])
    assert (await viewer.get(V1 + path)).status_code in {200, 422}


CALLS = [
    ("POST", "/pause", None),
    ("POST", "/resume", None),
    ("POST", "/guard/reset", None),
    ("PUT", "/mode", {"mode": "review"}),
    ("POST", "/rollback", {"revision": 1}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_a_call_reaches_no_connection_that_got_the_name_meanwhile(
    api: Api,
    flow: Flow,
    db: asyncpg.Pool,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: Any,
) -> None:
    """Between the look at who may call and the lock, the name goes to another tenant's."""
    await api.other()
    changed = connection_body(on_mirror_removed="recreate")
    for side in ("left", "right"):
        changed[side]["projects"] = [f"{changed[side]['projects'][0]}X"]
    await flow.call("PUT", f"{V1}/connections/other", changed)
    await flow.call("PUT", AB, connection_body(on_mirror_removed="recreate"))
    if path == "/resume":
        await flow.call("POST", f"{V1}/connections/other/pause")
    holder = await api.token("approver", connections=["ab"])
    before = str(await db.fetchrow("SELECT * FROM connections WHERE id = 2"))
    known = connections.by_name

    async def by_name(conn: Any, name: str) -> Any:
        found = await known(conn, name)
        monkeypatch.setattr(connections, "by_name", known)
        await db.execute("UPDATE connections SET deleted_at = now() WHERE id = 1")
        await db.execute("UPDATE connections SET name = 'ab' WHERE id = 2")
        return found

    monkeypatch.setattr(connections, "by_name", by_name)
    answer = await holder.request(method, f"{AB}{path}", json=body)
    await db.execute("UPDATE connections SET name = 'other' WHERE id = 2")
    assert str(await db.fetchrow("SELECT * FROM connections WHERE id = 2")) == before
    assert answer.status_code in {404, 409}, answer.text


async def moved_away(flow: Flow) -> Api:
    """A-1 of `ab` is an issue of another tenant's project AX now, under a key of that project."""
    await flow.mode("live")
    await flow.mirrored(("A-1", "Blocks", "A-2"))
    await flow.api.other()
    person_on(flow.jira.left.site, "ann").move("A-1", "AX")
    await flow.compare()
    [twin] = (await flow.client.get(f"{AB}/twins", params={"issue": "AX-2"})).json()["items"]
    assert (twin["left"], twin["suspended"]) == ("AX-2", "moved_out_of_scope")
    return flow.api


async def test_an_issue_that_moved_away_is_called_as_it_was(flow: Flow, db: asyncpg.Pool) -> None:
    """A confined reader learns no key of the project that it moved to, in no list."""
    api = await moved_away(flow)
    holder = await api.token("admin", connections=["ab"])
    await db.execute(
        """UPDATE work SET failed_at = now(), failure = 'x', tries = 9 WHERE twin_id = 1;
           INSERT INTO work (connection_id, twin_id, failed_at, failure, tries, cause_kind,
               cause_id, dirty_since)
           SELECT 1, 1, now(), 'x', 9, 'poll', '', now()
           WHERE NOT EXISTS (SELECT FROM work WHERE twin_id = 1)"""
    )
    lists = ("twins", "links", "status", "resyncs", "plans", "audit", "failures", "intents")
    shown = ""
    for name in lists:
        for path in (f"{V1}/{name}", f"{AB}/{name}"):
            answer = await holder.get(path)
            shown += answer.text if answer.status_code == 200 else ""
    shown += (await holder.get(f"{V1}/twins", params={"issue": "A-1"})).text
    for key in ("A-1", "A-2", "B-1", "B-2"):
        shown += (await holder.get(f"{AB}/explain", params={"issue": key})).text
    assert "A-1" in shown
    assert "AX-2" not in shown


async def test_a_link_to_another_tenants_issue_does_not_name_it(flow: Flow) -> None:
    """A person links across projects: the end that is not the caller's is hidden."""
    await flow.api.other()
    flow.ann.link("A-1", "Blocks", "AX-1")
    await flow.compare()
    holder = await flow.api.token("viewer", connections=["ab"])
    asked = {"issue": "A-1"}
    [mine] = (await holder.get(f"{AB}/explain", params=asked)).json()["items"]
    assert mine["outcome"] == "no_twin"
    assert mine["left"]["destination"] == {"id": "", "key": "hidden"}
    [whole] = (await flow.client.get(f"{AB}/explain", params=asked)).json()["items"]
    assert whole["left"]["destination"]["key"] == "AX-1"


async def test_deliveries_about_an_issue_that_moved_away_are_not_shown(
    flow: Flow, db: asyncpg.Pool
) -> None:
    """What happens to it now is another tenant's business."""
    api = await moved_away(flow)
    holder = await api.token("viewer", connections=["ab"])
    moved, stayed = (flow.jira.left.site.issue(key).id for key in ("AX-2", "A-3"))
    await db.execute(
        """INSERT INTO inbox (site_id, delivery, kind, issue_id)
           SELECT s.id, 'd' || n, 'issue_updated', n FROM sites s, unnest($1::bigint[]) n
           WHERE s.name = 'left'""",
        [int(moved), int(stayed)],
    )
    seen = (await holder.get(f"{V1}/deliveries")).json()["items"]
    assert [it["issue_id"] for it in seen] == [str(stayed)]
    await db.execute("UPDATE twins SET suspended = 'gone' WHERE left_issue_id = $1", int(moved))
    seen = (await holder.get(f"{V1}/deliveries")).json()["items"]
    assert [it["issue_id"] for it in seen] == [str(stayed)], "suspended for another reason as well"
    assert len((await flow.client.get(f"{V1}/deliveries")).json()["items"]) == 2


async def test_a_confined_reader_cannot_try_where_an_issue_moved_to(flow: Flow) -> None:
    """What a key finds says whether it is the right one."""
    api = await moved_away(flow)
    holder = await api.token("admin", connections=["ab"])
    for key in ("AX-2", "AX-99"):
        asked = {"issue": key}
        for path in (f"{V1}/twins", f"{AB}/twins", f"{AB}/links"):
            answer = await holder.get(path, params=asked)
            assert answer.json()["items"] == [], path
        assert (await holder.get(f"{AB}/explain", params=asked)).status_code == 404
        resync = await holder.post(f"{AB}/resyncs", json={"issues": [key]})
        assert resync.status_code == 422
        restore = {"connection": "ab", "issues": [key], "operation": "create"}
        assert (await holder.post(f"{V1}/restores", json=restore)).status_code == 409
    claim = {"twins": [{"left": "A-2", "right": "B-1"}]}
    said = (await holder.post(f"{AB}/twins", json=claim)).json()["items"][0]
    assert said["status"] == "already_paired"
    assert "AX-2" not in said["detail"]


async def test_a_person_of_the_house_finds_an_issue_where_it_is(flow: Flow) -> None:
    """By the key that it had in scope, and by the one that it has."""
    api = await moved_away(flow)
    viewer = await api.token("approver")
    for key in ("A-1", "AX-2"):
        [twin] = (await viewer.get(f"{V1}/twins", params={"issue": key})).json()["items"]
        assert twin["left"] == "AX-2"
        [link] = (await viewer.get(f"{AB}/links", params={"issue": key})).json()["items"]
        assert link["left"]["source"]["key"] in {"A-1", "AX-2"}
        assert (await viewer.get(f"{AB}/explain", params={"issue": key})).status_code == 200
        restore = {"connection": "ab", "issues": [key], "operation": "create"}
        assert (await viewer.post(f"{V1}/restores", json=restore)).status_code == 202


async def test_an_issue_that_comes_back_is_called_as_it_is_now(flow: Flow) -> None:
    api = await moved_away(flow)
    holder = await api.token("viewer", connections=["ab"])
    key = person_on(flow.jira.left.site, "ann").move("AX-2", "A")
    assert key not in {"A-1", "AX-2"}
    await flow.compare()
    [twin] = (await holder.get(f"{AB}/twins", params={"issue": key})).json()["items"]
    assert (twin["left"], twin["suspended"]) == (key, None)
    assert (await flow.client.get(f"{AB}/twins", params={"issue": "A-1"})).json()["items"] == []


async def test_an_issue_whose_project_is_joined_later_is_called_as_it_is(flow: Flow) -> None:
    api = await moved_away(flow)
    await flow.call("DELETE", f"{V1}/connections/other")
    body = connection_body(left={"site": "left", "projects": ["A", "AX"]})
    await flow.call("PUT", AB, body)
    await flow.compare()
    holder = await api.token("viewer", connections=["ab"])
    [twin] = (await holder.get(f"{AB}/twins", params={"issue": "AX-2"})).json()["items"]
    assert (twin["left"], twin["suspended"]) == ("AX-2", None)


async def as_before(database: Database, db: asyncpg.Pool) -> None:
    """Write what the version before 0056 wrote of moved issues, and migrate again from there."""
    await db.execute(
        """UPDATE twins SET left_key = left_moved_key, left_moved_key = NULL
           WHERE left_moved_key IS NOT NULL"""
    )
    owner = await asyncpg.connect(database.migrate_url)
    try:
        await owner.execute("UPDATE alembic_version SET version_num = '0057'")
    finally:
        await owner.close()
    await migrate(database.migrate_url)


async def test_an_issue_that_moved_before_the_upgrade_is_called_as_it_was(
    flow: Flow, db: asyncpg.Pool, database: Database
) -> None:
    api = await moved_away(flow)
    await as_before(database, db)
    holder = await api.token("viewer", connections=["ab"])
    [twin] = (await holder.get(f"{AB}/twins", params={"issue": "A-1"})).json()["items"]
    assert (twin["left"], twin["right"]) == ("A-1", "B-1")
    assert "AX-2" not in (await holder.get(f"{AB}/twins")).text
    [twin] = (await flow.client.get(f"{AB}/twins", params={"issue": "AX-2"})).json()["items"]
    assert twin["left"] == "AX-2"
    person_on(flow.jira.left.site, "ann").move("AX-2", "A")
    await flow.compare()
    [twin] = (await holder.get(f"{AB}/twins", params={"issue": twin["right"]})).json()["items"]
    assert (twin["left"].partition("-")[0], twin["suspended"]) == ("A", None)


async def test_one_of_which_nothing_is_known_is_called_by_no_project(
    flow: Flow, db: asyncpg.Pool, database: Database
) -> None:
    api = await moved_away(flow)
    issue = await db.fetchval("SELECT left_issue_id FROM twins WHERE left_moved_key = 'AX-2'")
    await db.execute("UPDATE ledger SET left_source_key = 'AX-9', left_destination_key = 'AX-9'")
    await as_before(database, db)
    holder = await api.token("viewer", connections=["ab"])
    [twin] = (await holder.get(f"{AB}/twins", params={"issue": "B-1"})).json()["items"]
    assert twin["left"] == f"hidden-{issue}"


async def test_one_whose_project_was_taken_out_keeps_its_name(
    flow: Flow, db: asyncpg.Pool, database: Database
) -> None:
    """The ledger has its key, so the tenant knows it. Of a pair that never had a link nothing shows
    whether it moved."""
    await flow.mode("live")
    await flow.mirrored(("A-1", "Blocks", "A-2"))
    await flow.call("PUT", AB, connection_body(left={"site": "left", "projects": ["AX"]}))
    await flow.compare()
    query = (
        "SELECT left_key, left_moved_key, right_key, right_moved_key FROM twins ORDER BY id LIMIT 3"
    )
    before = [tuple(row) for row in await db.fetch(query)]
    assert before == [(f"A-{n}", None, f"B-{n}", None) for n in (1, 2, 3)]
    await as_before(database, db)
    alone = await db.fetchval("SELECT left_issue_id FROM twins WHERE right_key = 'B-3'")
    after = [tuple(row) for row in await db.fetch(query)]
    assert after == [*before[:2], (f"hidden-{alone}", "A-3", "B-3", None)]
