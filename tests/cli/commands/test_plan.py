"""`twinlink plan`: showing, and deciding about nothing that was not shown."""

import json
from typing import Any

import httpx
import pytest

from app.cli.commands import plan as commands
from tests.cli.conftest import FakeService, Line, problem

DIGEST = "5" * 64
CHANGE: dict[str, Any] = {
    "operation": "remove",
    "site": "dc",
    "type": "Blocks",
    "source": {"id": "1", "key": "B-1"},
    "destination": {"id": "2", "key": "B-2"},
    "link_id": "77",
    "reason": "row_7",
    "evidence": {},
    "result": None,
}
PLAN: dict[str, Any] = {
    "id": "4",
    "connection": "main",
    "kind": "removals",
    "status": "held",
    "digest": DIGEST,
    "reason": "guard_hour",
    "counts": {"create": 0, "remove": 2},
    "revision": 1,
    "created_at": "2030-01-01T00:00:00Z",
    "sealed_at": "2030-01-01T00:00:30Z",
    "expires_at": "2030-01-08T00:00:30Z",
    "approved_at": None,
    "approved_by": None,
    "decided_at": None,
    "decided_by": None,
    "note": "",
    "changes": [CHANGE],
    "next": None,
}


def paged(request: httpx.Request) -> httpx.Response:
    """Two pages of one change each."""
    if "cursor" in request.url.params:
        second = CHANGE | {"link_id": "78"}
        return httpx.Response(200, json=PLAN | {"changes": [second], "next": None})
    return httpx.Response(200, json=PLAN | {"next": "more"})


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a terminal with a person at it."""
    monkeypatch.setattr(commands, "can_ask", lambda: True)


@pytest.mark.parametrize(
    ("command", "what", "status"),
    [("approve", "approval", "applying"), ("reject", "rejection", "rejected")],
)
def test_with_the_digest(
    line: Line, service: FakeService, command: str, what: str, status: str
) -> None:
    service.answers[f"POST /plans/4/{what}"] = (200, PLAN | {"status": status})
    service.answers["GET /plans/4"] = (200, PLAN | {"status": "applied"})
    more = ("--no-wait",) if command == "approve" else ()
    result = line("plan", command, "4", "--digest", DIGEST, "--note", "seen", *more)
    assert result.exit_code == 0
    assert result.stdout == f"plan 4 is {status}\n"
    assert service.bodies == [{"digest": DIGEST, "note": "seen"}]
    assert line.json("plan", command, "4", "--digest", DIGEST, *more)["status"] == status


def test_an_approval_ends_at_the_outcome(line: Line, service: FakeService) -> None:
    states = iter(["applying", "applied", "applied"])
    done = [CHANGE | {"result": "applied"}, CHANGE | {"result": "skipped:changed"}]

    def plan(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=PLAN | {"status": next(states), "changes": done})

    service.answers["POST /plans/4/approval"] = (200, PLAN | {"status": "applying"})
    service.answers["GET /plans/4"] = plan
    result = line("plan", "approve", "4", "--digest", DIGEST)
    assert result.stdout == "plan 4 is applied: 1 applied, 1 skipped:changed\n"


@pytest.mark.usefixtures("somebody")
def test_a_decided_plan_is_not_asked_about(line: Line, service: FakeService) -> None:
    service.answers["GET /plans/4"] = (200, PLAN | {"status": "rejected", "decided_by": "ann"})
    refused = line("plan", "approve", "4", input="y\n")
    assert refused.exit_code == 1
    assert "plan 4 is rejected" in refused.stderr
    assert "ann" in refused.stderr
    assert service.bodies == []


@pytest.mark.usefixtures("somebody")
def test_the_question_names_the_plan_and_its_effect(line: Line, service: FakeService) -> None:
    service.answers["GET /plans/4"] = paged
    asked = line("plan", "approve", "4", input="n\n").stderr
    assert "Approve plan 4 of main (remove 2 links on " in asked


@pytest.mark.parametrize("command", ["approve", "reject"])
@pytest.mark.usefixtures("somebody")
def test_without_it_the_whole_plan_is_shown_first(
    line: Line, service: FakeService, command: str
) -> None:
    what = {"approve": "approval", "reject": "rejection"}[command]
    service.answers["GET /plans/4"] = paged
    service.answers[f"POST /plans/4/{what}"] = (200, PLAN | {"status": "rejected"})
    refused = line("plan", command, "4", input="n\n")
    assert refused.exit_code == 1
    assert {"77", "78"} <= set(refused.stdout.split())
    assert service.bodies == [], "no answer, no decision"
    assert line("plan", command, "4", input="y\n").exit_code == 0
    assert service.bodies == [{"digest": DIGEST, "note": ""}]


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_where_nobody_can_be_asked_the_digest_is_needed(
    line: Line, service: FakeService, command: str
) -> None:
    for more in ((), ("--json",)):
        result = line("plan", command, "4", *more)
        assert result.exit_code == 2
        assert "--digest" in result.stderr
    assert service.asked == []


@pytest.mark.usefixtures("somebody")
def test_json_asks_nobody(line: Line, service: FakeService) -> None:
    assert line("plan", "approve", "4", "--json", input="y\n").exit_code == 2
    assert service.asked == []


@pytest.mark.usefixtures("somebody")
def test_a_plan_without_a_digest_cannot_be_decided(line: Line, service: FakeService) -> None:
    service.answers["GET /plans/4"] = (200, PLAN | {"status": "gathering", "digest": None})
    result = line("plan", "approve", "4", input="y\n")
    assert result.exit_code == 1
    assert "gathering" in result.stderr
    assert service.bodies == []


def test_an_approval_is_revoked(line: Line, service: FakeService) -> None:
    service.answers["DELETE /plans/4/approval"] = (200, PLAN)
    assert line("plan", "revoke", "4", "--note", "not today").stdout == "plan 4 is held\n"
    assert str(service.asked[0].url).endswith("/plans/4/approval?note=not+today")


def test_a_second_owner_is_waited_for(line: Line, service: FakeService) -> None:
    first = PLAN | {"status": "approved", "approved_by": "Ann"}
    service.answers["POST /plans/4/approval"] = (200, first)
    result = line("plan", "approve", "4", "--digest", DIGEST, "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["approved_by"] == "Ann"
    assert "a second owner" in result.stderr


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "plan_digest"),
        (409, "plan_decided"),
        (409, "second_owner"),
        (410, "plan_expired"),
        (403, "forbidden"),
        (404, "plan_unknown"),
    ],
)
def test_refusals_are_said(line: Line, service: FakeService, status: int, code: str) -> None:
    service.answers["POST /plans/4/approval"] = problem(status, code)
    service.answers["POST /plans/4/rejection"] = problem(status, code)
    for command in ("approve", "reject"):
        result = line("plan", command, "4", "--digest", DIGEST)
        assert result.exit_code == 1
        assert code in result.stderr


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_renderings(line: Line, service: FakeService, form: str) -> None:
    def rendered(request: httpx.Request) -> httpx.Response:
        assert request.url.params["format"] == form
        return httpx.Response(200, text="Plan 4\x1b[31m\n- dc: B-1\n")

    service.answers["GET /plans/4"] = rendered
    result = line("plan", "show", "4", "--format", form)
    assert result.stdout == "Plan 4\N{REPLACEMENT CHARACTER}[31m\n- dc: B-1\n"
    service.answers["GET /plans/4"] = problem(406, "not_acceptable")
    assert line("plan", "show", "4", "--format", form).exit_code == 1


def test_as_json(line: Line, service: FakeService) -> None:
    service.answers["GET /plans/4"] = paged
    shown = json.loads(line("plan", "show", "4", "--format", "json").stdout)
    assert [change["link_id"] for change in shown["changes"]] == ["77", "78"]
    assert line("plan", "show", "4", "--format", "pdf").exit_code == 2


def test_a_held_plan_says_who_removed_the_origins(line: Line, service: FakeService) -> None:
    told = {"first": "2030-01-01T03:00:00Z", "last": "2030-01-01T03:00:04Z"}
    plan = PLAN | {"origins_removed": {"removals": 60, "accounts": 1, **told}}
    service.answers["GET /plans/4"] = (200, plan)
    shown = line("plan", "show", "4").stdout
    assert "one account, 60 removals within 4 s, from 2030-01-01T03:00:00Z on" in shown
    assert line.json("plan", "show", "4")["origins_removed"]["accounts"] == 1
    service.answers["GET /plans/4"] = (200, PLAN)
    assert "60 removals" not in line("plan", "show", "4").stdout
