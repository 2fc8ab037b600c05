"""Revisions: with a note, in shadow beside the active one, and what the difference would be."""

from typing import Any

import pytest

from app.api.auth.roles import V1
from tests.api.conftest import connection_body
from tests.api.flow import AB, Flow

BLOCKS = {"left": "Blocks", "right": "Blocks"}
RELATES = {"left": "Relates", "right": "Relates"}
BOTH = connection_body(link_types=[BLOCKS, RELATES])


def body(rollout: str = "shadow", note: str = "", **changes: Any) -> dict[str, Any]:
    return {"config": connection_body(**changes), "rollout": rollout, "note": note}


async def tried(flow: Flow, **changes: Any) -> dict[str, Any]:
    """A revision in shadow whose comparison is over."""
    made = await flow.client.post(f"{AB}/revisions", json=body(**changes))
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == f"{AB}/revisions/{made.json()['revision']}"
    await flow.run()
    whole: dict[str, Any] = await flow.call("GET", made.headers["Location"])
    assert whole["comparison"]["status"] == "succeeded"
    return whole


async def test_what_it_would_do_more(flow: Flow) -> None:
    await flow.mode("live")
    await flow.mirrored(("A-1", "Blocks", "A-2"))
    flow.ann.link("A-2", "Relates", "A-3")
    written = len(flow.jira.right.site.mutations)
    whole = await tried(flow, link_types=[BLOCKS, RELATES])
    assert (whole["revision"], whole["active"], whole["rollout"]) == (2, False, "shadow")
    comparison = whole["comparison"]
    assert comparison["more"] == {"create": 1, "remove": 0}
    assert comparison["less"] == {"create": 0, "remove": 0}
    assert (comparison["against"], comparison["twins_done"]) == (1, 5)
    [change] = comparison["changes"]
    assert (change["effect"], change["type"], change["site"]) == ("more", "Relates", "right")
    assert {change["source"]["key"], change["destination"]["key"]} == {"B-2", "B-3"}
    await flow.compare()
    assert len(flow.jira.right.site.mutations) == written, "it is only tried"
    assert (await flow.call("GET", AB))["revision"] == 1


async def test_what_it_would_do_less(flow: Flow) -> None:
    """Narrowed, the removal that waits in review would rest instead."""
    await flow.mode("review")
    [origin, _] = await flow.mirrored(("A-1", "Blocks", "A-2"), ("A-2", "Blocks", "A-3"))
    flow.ann.unlink(origin)
    flow.ann.link("A-3", "Blocks", "A-4")
    whole = await tried(flow, link_types=[RELATES])
    comparison = whole["comparison"]
    assert comparison["more"] == {"create": 0, "remove": 0}
    assert comparison["less"] == {"create": 1, "remove": 1}
    removal = next(it for it in comparison["changes"] if it["operation"] == "remove")
    assert removal["link_id"] == str(flow.mirrors[0].id)
    states = await flow.db.fetch("SELECT state FROM ledger")
    assert {row["state"] for row in states} == {"managed"}, "nothing rests because of a trial"


async def test_projects_decide_in_memory_alone(flow: Flow) -> None:
    """Under a candidate for other projects, every link would rest."""
    await flow.mode("live")
    flow.ann.link("A-1", "Blocks", "A-2")
    whole = await tried(flow, left={"site": "left", "projects": ["AX"]})
    assert whole["comparison"]["less"] == {"create": 1, "remove": 0}
    twins = await flow.db.fetch("SELECT suspended FROM twins")
    assert {row["suspended"] for row in twins} == {None}


async def test_the_same_plan_makes_no_difference(flow: Flow) -> None:
    flow.ann.link("A-1", "Blocks", "A-2")
    comparison = (await tried(flow, on_mirror_removed="recreate"))["comparison"]
    assert comparison["changes"] == []
    assert comparison["twins_total"] == 5


async def test_changes_are_paged(flow: Flow) -> None:
    for number in (1, 2, 3):
        flow.ann.link(f"A-{number}", "Relates", f"A-{number + 1}")
    whole = await tried(flow, link_types=[BLOCKS, RELATES])
    url = f"{AB}/revisions/{whole['revision']}"
    seen, cursor = [], None
    while True:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await flow.client.get(url, params=params)).json()["comparison"]
        seen += [it["source"]["key"] for it in page["changes"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == ["B-1", "B-2", "B-3"]


async def test_another_revision_meanwhile_ends_the_comparison(flow: Flow) -> None:
    made = await flow.call("POST", f"{AB}/revisions", body(link_types=[RELATES]))
    put = await flow.call("PUT", AB, BOTH)
    assert (made["revision"], put["revision"]) == (2, 3), "numbers are given once"
    await flow.run()
    comparison = (await flow.call("GET", f"{AB}/revisions/2"))["comparison"]
    assert (comparison["status"], comparison["detail"]) == ("failed", "revision_changed")


async def test_in_full_it_is_active_at_once(flow: Flow) -> None:
    first = await flow.client.post(f"{AB}/revisions", json=body("full", "the same"))
    assert (first.status_code, first.json()["revision"]) == (200, 1)
    await tried(flow, link_types=[BLOCKS, RELATES])
    made = await flow.client.post(
        f"{AB}/revisions", json=body("full", "tried it", link_types=[BLOCKS, RELATES])
    )
    shown = made.json()
    assert (made.status_code, shown["revision"], shown["active"]) == (201, 3, True)
    assert (shown["note"], shown["author"]) == ("tried it", "bootstrap")
    assert shown["comparison"] is None
    assert made.headers["ETag"] == '"3"'
    listed = (await flow.call("GET", f"{AB}/revisions"))["items"]
    assert [(it["revision"], it["active"], it["rollout"]) for it in listed] == [
        (3, True, "full"),
        (2, False, "shadow"),
        (1, False, "full"),
    ]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"link_types": [{"left": "Nope", "right": "Blocks"}]}, "/config/link_types/0/left"),
        ({"left": {"site": "none", "projects": ["A"]}}, "/config/left/site"),
        ({"guard": {"hour": {"max": 501}}}, "/config/guard/hour/max"),
        ({"direction": "up"}, "/config/direction"),
        ({"approvals": 3}, "/config/approvals"),
    ],
)
@pytest.mark.parametrize("rollout", ["shadow", "full"])
async def test_what_is_wrong_is_named(
    flow: Flow, changes: dict[str, Any], pointer: str, rollout: str
) -> None:
    refused = await flow.client.post(f"{AB}/revisions", json=body(rollout, **changes))
    assert refused.status_code == 422
    assert pointer in {error["pointer"] for error in refused.json()["errors"]}
    assert len((await flow.call("GET", f"{AB}/revisions"))["items"]) == 1


async def test_refusals(flow: Flow) -> None:
    bodies: list[Any] = [{}, {"config": BOTH}, {**body(), "rollout": "canary"}, [], None]
    for wrong in [*bodies, {**body(), "mode": "live"}, body(note="x" * 2001)]:
        assert (await flow.client.post(f"{AB}/revisions", json=wrong)).status_code == 422
    missing = await flow.client.post(f"{V1}/connections/none/revisions", json=body())
    assert (missing.status_code, missing.json()["code"]) == (404, "connection_unknown")
    swapped = body(
        left={"site": "right", "projects": ["B"]}, right={"site": "left", "projects": ["A"]}
    )
    fixed = await flow.client.post(f"{AB}/revisions", json=swapped)
    assert (fixed.status_code, fixed.json()["code"]) == (409, "sites_fixed")
    approver = await flow.api.token("approver")
    assert (await approver.post(f"{AB}/revisions", json=body())).status_code == 403
    for number in ("2", "0", "x", "99999999999"):
        unknown = await flow.client.get(f"{AB}/revisions/{number}")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "revision_unknown")


async def test_a_dry_run_sees_what_would_rest(flow: Flow) -> None:
    """Also before any real look has put the pairs to rest."""
    await flow.mode("live")
    [origin] = await flow.mirrored(("A-1", "Blocks", "A-2"))
    await flow.call("PUT", AB, connection_body(left={"site": "left", "projects": ["AX"]}))
    [queued] = (await flow.call("GET", f"{V1}/resyncs?status=queued"))["items"]
    await flow.call("POST", f"{V1}/resyncs/{queued['id']}/cancel")
    flow.ann.unlink(origin)
    dry = await flow.call("POST", f"{AB}/resyncs", {"dry_run": True})
    await flow.run()
    figures = await flow.call("GET", f"{V1}/resyncs/{dry['id']}")
    assert (figures["status"], figures["removed"]) == ("succeeded", 0)
    assert await flow.db.fetchval("SELECT state FROM ledger") == "managed"
