"""Restores and rescues from the command line: planned, shown, approved only when it is said."""

import json
from typing import Any

import httpx
import pytest

from tests.cli.conftest import Answer, FakeService, Line, listed, problem

MADE = (202, {"id": "4", "plan_id": "9", "status": "planning"})
STATE: dict[str, Any] = {
    "id": "4",
    "kind": "restore",
    "connection": "main",
    "plan_id": "9",
    "status": "held",
    "asked": {},
    "links": 3,
    "restorable": 2,
    "restored": 0,
    "skipped": 1,
    "failed": 0,
    "held": 0,
    "verified": 0,
    "unread": {},
    "detail": "",
    "requested_by": "ann",
    "created_at": "2030-01-01T00:00:00Z",
    "planned_at": "2030-01-01T00:00:00Z",
}
PLAN = {"id": "9", "digest": "d" * 64, "status": "held", "approved_by": None}


def states(*them: dict[str, Any]) -> Answer:
    """What `GET` says, one after the other; the last one from then on."""
    left = list(them)

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0])

    return answer


@pytest.fixture
def planned(service: FakeService) -> FakeService:
    service.answers["POST /restores"] = MADE
    service.answers["GET /restores/4"] = (200, STATE)
    service.answers["GET /plans/9"] = (200, PLAN)
    return service


def test_it_is_planned_and_waits(line: Line, planned: FakeService) -> None:
    result = line(
        *("restore", "--connection", "main", "--revision", "4", "--plan", "7", "--issue", "A-1"),
        *("--issue", "B-2", "--link-id", "11", "--since", "2030-01-01T00:00:00Z", "--json"),
    )
    assert result.exit_code == 3
    assert json.loads(result.stdout) == STATE
    assert planned.bodies == [
        {
            "connection": "main",
            "since": "2030-01-01T00:00:00Z",
            "revision": 4,
            "plan": "7",
            "issues": ["A-1", "B-2"],
            "link_ids": ["11"],
            "operation": "remove",
        }
    ]
    assert "approval" not in " ".join(planned.lines)
    told = line("restore", "--connection", "main")
    assert "next: twinlink plan approve 9" in told.stderr


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "succeeded", "restored": 2, "verified": 2}, 0),
        ({"status": "succeeded", "restored": 1, "held": 1}, 3),
        ({"status": "partial", "restored": 1, "failed": 1}, 1),
        ({"status": "expired"}, 1),
    ],
)
def test_applied_only_when_it_is_said(
    line: Line, planned: FakeService, change: dict[str, Any], code: int
) -> None:
    planned.answers["GET /restores/4"] = states(STATE, STATE | change)
    planned.answers["POST /plans/9/approval"] = (200, PLAN | {"status": "applying"})
    result = line("restore", "--site", "cloud", "--undo-creates", "--apply", "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout)["status"] == change["status"]
    assert planned.bodies[0] == {"site": "cloud", "operation": "create"}
    assert planned.bodies[1]["digest"] == PLAN["digest"]


def test_a_second_owner_decides(line: Line, planned: FakeService) -> None:
    answer = PLAN | {"status": "approved", "approved_by": "ann"}
    planned.answers["POST /plans/9/approval"] = (200, answer)
    result = line("restore", "--connection", "main", "--apply")
    assert result.exit_code == 3
    assert "a second owner must approve it too" in result.stderr


def test_nothing_to_do_is_done(line: Line, planned: FakeService) -> None:
    planned.answers["GET /restores/4"] = (200, STATE | {"status": "succeeded", "restorable": 0})
    assert line("restore", "--connection", "main", "--apply").exit_code == 0
    assert "POST /api/v1/plans/9/approval" not in planned.lines


def test_asked_for_in_a_way_that_cannot_work(line: Line, service: FakeService) -> None:
    assert line("restore").exit_code == 2
    assert line("restore", "--undo-creates").exit_code == 2
    assert line("restore", "--connection", "main", "--apply", "--no-wait").exit_code == 2
    assert line("rescue", "cloud", "--account", "x").exit_code == 2
    assert service.asked == []
    service.answers["POST /restores"] = problem(409, "nothing_selected")
    assert line("restore", "--connection", "main").exit_code == 1


def test_nobody_has_to_wait(line: Line, planned: FakeService) -> None:
    result = line("restore", "--connection", "main", "--no-wait")
    assert result.stdout == "4 is planning; its plan is 9\n"


def test_a_rescue(line: Line, service: FakeService) -> None:
    service.answers["POST /rescues"] = MADE
    service.answers["GET /rescues/4"] = (200, STATE | {"kind": "rescue"})
    window = ("--since", "2030-01-01T00:00:00Z", "--until", "2030-01-02T00:00:00Z")
    result = line("rescue", "cloud", "--account", "5b10", *window)
    assert result.exit_code == 3
    assert service.bodies == [
        {
            "site": "cloud",
            "account_id": "5b10",
            "since": "2030-01-01T00:00:00Z",
            "until": "2030-01-02T00:00:00Z",
        }
    ]


def test_lists_and_one(line: Line, service: FakeService) -> None:
    service.answers["GET /restores"] = listed(STATE)
    service.answers["GET /rescues"] = listed()
    service.answers["GET /restores/4"] = (200, STATE)
    assert "restore" in line("restores", "list").stdout
    assert "none" in line("restores", "list", "--rescues").stderr
    assert line.json("restores", "show", "4") == STATE
    service.answers["GET /restores/4"] = (200, STATE | {"status": "succeeded"})
    assert line("restores", "follow", "4").exit_code == 0
