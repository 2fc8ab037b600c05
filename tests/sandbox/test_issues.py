"""Issues over REST: bulk reads, changelogs, moves, deletion, edits, properties, remote links."""

from __future__ import annotations

from app.sandbox import Fault, JiraSite, ManualClock
from app.sandbox.people import person_on
from tests.sandbox.conftest import Connect

V3 = "/rest/api/3"
DOCUMENT = {
    "type": "doc",
    "version": 1,
    "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}],
}


async def test_bulkfetch_ascends_and_leaves_out_what_is_not_seen(
    site: JiraSite, connect: Connect
) -> None:
    ann = person_on(site, "ann")
    ann.hide("A-3", "twinlink")
    refs = ["A-5", "a-1", "A-3", "A-99", "10001", "A-2"]
    body = {"issueIdsOrKeys": refs, "fields": ["issuelinks", "updated"]}
    made = (await connect(site).post(f"{V3}/issue/bulkfetch", json=body)).json()
    assert [issue["key"] for issue in made["issues"]] == ["A-1", "A-2", "A-5"]
    assert set(made["issues"][0]["fields"]) == {"issuelinks", "updated"}
    assert made["issueErrors"] == []


async def test_bulkfetch_bounds(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    for refs in ([], [str(number) for number in range(101)]):
        answer = await client.post(f"{V3}/issue/bulkfetch", json={"issueIdsOrKeys": refs})
        assert answer.status_code == 400


async def test_bulkfetch_retriable_errors(site: JiraSite, connect: Connect) -> None:
    site.faults.add(Fault("issue_error", path="bulkfetch", times=1, issues=frozenset({"10001"})))
    client = connect(site)
    body = {"issueIdsOrKeys": ["A-1", "A-2"]}
    made = (await client.post(f"{V3}/issue/bulkfetch", json=body)).json()
    assert [issue["id"] for issue in made["issues"]] == ["10000"]
    assert [error["id"] for error in made["issueErrors"]] == ["10001"]
    made = (await client.post(f"{V3}/issue/bulkfetch", json=body)).json()
    assert len(made["issues"]) == 2


async def test_bulk_changelog_is_cut_at_forty_newest_first(
    site: JiraSite, clock: ManualClock, connect: Connect
) -> None:
    ann = person_on(site, "ann")
    for number in range(45):
        clock.tick(1)
        ann.edit("A-1", summary=f"Take {number}")
    client = connect(site)
    body = {"issueIdsOrKeys": ["A-1"], "fields": ["updated"], "expand": ["changelog"]}
    made = (await client.post(f"{V3}/issue/bulkfetch", json=body)).json()
    page = made["issues"][0]["changelog"]
    assert (page["total"], len(page["histories"])) == (45, 40)
    assert page["histories"][0]["items"][0]["toString"] == "Take 44"

    first = (await client.get(f"{V3}/issue/A-1/changelog?maxResults=30")).json()
    assert (first["total"], first["isLast"], len(first["values"])) == (45, False, 30)
    assert first["values"][0]["items"][0]["toString"] == "Take 0"
    rest = (await client.get(f"{V3}/issue/A-1/changelog?maxResults=30&startAt=30")).json()
    assert rest["isLast"] is True


async def test_changelog_bulkfetch_pages(
    site: JiraSite, clock: ManualClock, connect: Connect
) -> None:
    ann = person_on(site, "ann")
    for key in ("A-1", "A-2", "A-1"):
        clock.tick(1)
        ann.edit(key, summary=f"{key} {clock.now()}")
    client = connect(site)
    body: dict[str, object] = {"issueIdsOrKeys": ["A-1", "A-2", "A-99"], "maxResults": 2}
    first = (await client.post(f"{V3}/changelog/bulkfetch", json=body)).json()
    assert [len(one["changeHistories"]) for one in first["issueChangeLogs"]] == [2]
    body["nextPageToken"] = first["nextPageToken"]
    rest = (await client.post(f"{V3}/changelog/bulkfetch", json=body)).json()
    assert [one["issueId"] for one in rest["issueChangeLogs"]] == ["10001"]
    assert "nextPageToken" not in rest


async def test_move_keeps_the_id_and_old_keys_resolve(site: JiraSite, connect: Connect) -> None:
    ann = person_on(site, "ann")
    link = ann.link("A-1", "Blocks", "A-2")
    assert ann.move("A-1", "X") == "X-2"
    client = connect(site)
    made = (await client.get(f"{V3}/issue/A-1?fields=project&expand=changelog")).json()
    assert (made["id"], made["key"], made["fields"]["project"]["key"]) == ("10000", "X-2", "X")
    items = made["changelog"]["histories"][0]["items"]
    assert [item["field"] for item in items] == ["project", "Workflow", "Key"]
    assert (items[2]["fromString"], items[2]["toString"]) == ("A-1", "X-2")
    body = {"issueIdsOrKeys": ["A-1"], "fields": ["issuelinks"]}
    bulk = (await client.post(f"{V3}/issue/bulkfetch", json=body)).json()["issues"]
    assert bulk[0]["key"] == "X-2"
    assert bulk[0]["fields"]["issuelinks"][0]["id"] == str(link.id)
    assert site.issue("A-2").history[0].items[0].after == "A-1"  # history keeps the old key


async def test_delete_takes_the_links_without_a_trace(site: JiraSite, connect: Connect) -> None:
    person_on(site, "ann").link("A-1", "Blocks", "A-2")
    history = len(site.issue("A-2").history)
    client = connect(site)
    assert (await client.delete(f"{V3}/issue/A-1")).status_code == 204
    assert (await client.get(f"{V3}/issue/A-1")).status_code == 404
    assert not site.links
    assert len(site.issue("A-2").history) == history
    assert site.mutations.entries[-1].cause == "issue_deleted"


async def test_create_and_edit(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    field = next(iter(site.custom_fields))
    fields = {
        "project": {"key": "A"},
        "summary": "New",
        "issuetype": {"name": "Bug"},
        "description": DOCUMENT,
        field: "B-7",
    }
    made = (await client.post(f"{V3}/issue", json={"fields": fields})).json()
    assert made["key"] == "A-6"
    assert (await client.post(f"{V3}/issue", json={"fields": {}})).status_code == 400
    answer = await client.put(f"{V3}/issue/A-6", json={"fields": {field: "B-8", "summary": "S"}})
    assert answer.status_code == 204
    items = site.issue("A-6").history[-1].items
    assert {(item.field, item.fieldtype) for item in items} == {
        ("Twin", "custom"),
        ("summary", "jira"),
    }
    shown = (await client.get(f"{V3}/issue/A-6")).json()["fields"]
    assert (shown["description"], shown[field]) == (DOCUMENT, "B-8")
    old = (await client.get("/rest/api/2/issue/A-6?fields=description")).json()
    assert old["fields"] == {"description": "Hello"}
    bad = await client.put(f"{V3}/issue/A-6", json={"fields": {"description": "text"}})
    assert bad.status_code == 400
    site.permit("twinlink", "EDIT_ISSUES", "A", allowed=False)
    denied = await client.put(f"{V3}/issue/A-6", json={"fields": {"summary": "No"}})
    assert denied.status_code == 403


async def test_field_notation(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    everything = (await client.get(f"{V3}/issue/A-1?fields=*all,-comment")).json()["fields"]
    assert "issuelinks" in everything
    assert "comment" not in everything
    navigable = (await client.get(f"{V3}/issue/A-1?fields=*navigable")).json()["fields"]
    assert "comment" not in navigable
    two = (await client.get(f"{V3}/issue/A-1?fields=summary&fields=updated")).json()["fields"]
    assert set(two) == {"summary", "updated"}


async def test_properties(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    where = f"{V3}/issue/A-1/properties/twin"
    codes = [(await client.put(where, json={"key": "B-1"})).status_code for _ in range(2)]
    assert codes == [201, 200]
    assert (await client.get(where)).json() == {"key": "twin", "value": {"key": "B-1"}}
    keys = (await client.get(f"{V3}/issue/A-1/properties")).json()["keys"]
    assert [key["key"] for key in keys] == ["twin"]
    assert (await client.delete(where)).status_code == 204
    assert (await client.get(where)).status_code == 404


async def test_remote_links_update_by_global_id(site: JiraSite, connect: Connect) -> None:
    client = connect(site)
    where = f"{V3}/issue/A-1/remotelink"
    body = {
        "globalId": "g",
        "relationship": "twin",
        "object": {"url": "http://b/B-1", "title": "B"},
    }
    assert (await client.post(where, json=body)).status_code == 201
    del body["relationship"]
    assert (await client.post(where, json=body)).status_code == 200
    shown = (await client.get(where)).json()
    assert [("relationship" in one, one["globalId"]) for one in shown] == [(False, "g")]
    assert (await client.delete(f"{where}?globalId=g")).status_code == 204
    assert (await client.get(f"{where}?globalId=g")).status_code == 404
