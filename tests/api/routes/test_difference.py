"""What another configuration would change, with counts, before it is stored."""

from typing import Any

from app.api.auth.roles import V1
from tests.api.conftest import connection_body
from tests.api.flow import AB, Flow

TWO = [{"left": "Blocks", "right": "Blocks"}, {"left": "Relates", "right": "Relates"}]


async def _asked(flow: Flow, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await flow.call("POST", f"{AB}/difference", connection_body(**changes))
    return answer


async def _live(flow: Flow) -> None:
    """Two mirrors of Blocks, one of Relates."""
    await flow.call("PUT", AB, connection_body(link_types=TWO))
    await flow.mode("live")
    await flow.mirrored(
        ("A-1", "Blocks", "A-2"), ("A-3", "Blocks", "A-4"), ("A-1", "Relates", "A-5")
    )


async def test_an_equal_body_changes_nothing(flow: Flow) -> None:
    found = await _asked(flow)
    assert found["changes"] == []
    assert (found["revision"], found["mode"]) == (1, "shadow")


async def test_a_type_that_is_not_mapped_any_more_suspends_its_links(flow: Flow) -> None:
    await _live(flow)
    found = await _asked(flow)
    assert found["changes"] == [
        {
            "field": "link_types",
            "before": ["Blocks = Blocks", "Relates = Relates"],
            "after": ["Blocks = Blocks"],
        }
    ]
    assert (found["managed"], found["suspended"], found["resumed"]) == (3, 1, 0)
    assert (await flow.call("GET", AB))["revision"] == found["revision"] == 2


async def test_what_was_counted_is_what_follows(flow: Flow) -> None:
    """Suspended as foretold; and the way back resumes as many."""
    await _live(flow)
    narrow = connection_body(link_types=TWO, direction="right_to_left")
    assert (await flow.call("POST", f"{AB}/difference", narrow))["suspended"] == 3
    await flow.call("PUT", AB, narrow)
    await flow.compare()
    resting = await flow.call("GET", f"{AB}/links?state=suspended")
    assert len(resting["items"]) == 3
    back = await _asked(flow, link_types=TWO)
    assert (back["managed"], back["suspended"], back["resumed"]) == (0, 0, 3)
    assert back["newly_written"] == ["right"]


async def test_a_project_taken_away_or_a_type_turned_round_suspends(flow: Flow) -> None:
    await _live(flow)
    away = await _asked(flow, right={"site": "right", "projects": ["BX"]}, link_types=TWO)
    assert away["suspended"] == 3
    turned = [TWO[0] | {"reversed": True}, TWO[1]]
    assert (await _asked(flow, link_types=turned))["suspended"] == 2


async def test_the_wider_direction_names_the_site_that_it_writes_to(flow: Flow) -> None:
    one_way = connection_body(direction="left_to_right")
    await flow.call("PUT", AB, one_way)
    wider = await _asked(flow)
    assert wider["newly_written"] == ["left"]
    assert [it["field"] for it in wider["changes"]] == ["direction"]


async def test_a_type_that_is_not_there_is_refused_as_by_put(flow: Flow) -> None:
    body = connection_body(link_types=[{"left": "Blocks", "right": "Nope"}])
    answer = await flow.client.post(f"{V1}/connections/ab/difference", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/link_types/0/right"
