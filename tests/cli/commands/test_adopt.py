"""`twinlink adopt`: asked for, planned, and left to a person."""

import json
from typing import Any

import httpx
import pytest

from tests.cli.conftest import FakeService, Line, problem

MADE = (202, {"id": "4", "plan_id": "9", "status": "planning"})
STATE: dict[str, Any] = {
    "id": "4", "connection": "main", "plan_id": "9", "status": "held", "pairs": 3, "adoptable": 2,
    "paired": 2, "unpaired": 0, "adopted": 0, "skipped": 1, "failed": 0,
    "since": "2030-01-01T00:00:00Z",
    "until": "2030-02-01T00:00:00Z", "requested_by": "ann", "planned_at": None,
    "created_at": "2030-01-01T00:00:00Z",
}  # fmt: skip
ASK = ("adopt", "main", "--account", "sync", "--since", STATE["since"], "--until", STATE["until"])


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.client.follow.pause", lambda: None)


def planned(service: FakeService, *states: dict[str, Any]) -> None:
    left = [STATE | state for state in states]

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0])

    service.answers["POST /connections/main/adoptions"] = MADE
    service.answers["GET /connections/main/adoptions/4"] = answer


def test_it_is_planned_and_waits_for_its_approval(line: Line, service: FakeService) -> None:
    planned(service, {"status": "planning", "pairs": 1}, {})
    result = line(*ASK)
    assert result.exit_code == 3
    asked = {"account_id": "sync", "since": STATE["since"], "until": STATE["until"]}
    assert service.bodies == [asked]
    assert len(service.asked) == 3, "asked until it was planned"
    assert "twinlink plan show 9" in result.stderr
    assert "adoptable" in result.stdout


@pytest.mark.parametrize(("status", "code"), [("succeeded", 0), ("applying", 3), ("expired", 1)])
def test_how_it_ends(line: Line, service: FakeService, status: str, code: int) -> None:
    planned(service, {"status": status})
    result = line(*ASK, "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout) == STATE | {"status": status}


def test_without_waiting_it_says_where_to_look(line: Line, service: FakeService) -> None:
    planned(service, {})
    result = line(*ASK, "--no-wait")
    assert result.exit_code == 0
    assert "its plan is 9" in result.stdout
    assert len(service.asked) == 1


def test_a_refusal_names_the_field(line: Line, service: FakeService) -> None:
    errors = [{"pointer": "/until", "detail": "must be after since"}]
    service.answers["POST /connections/main/adoptions"] = problem(422, "validation", errors=errors)
    result = line(*ASK)
    assert result.exit_code != 0
    assert "must be after since" in result.stderr


def test_who_and_when_have_to_be_said(line: Line, service: FakeService) -> None:
    for missing in ("--account", "--since", "--until"):
        at = ASK.index(missing)
        assert line(*ASK[:at], *ASK[at + 2 :]).exit_code == 2
    assert service.asked == []


def test_an_account_that_looks_like_a_persons_is_said_with_numbers(
    line: Line, service: FakeService
) -> None:
    planned(service, {"status": "refused", "paired": 3, "unpaired": 17})
    result = line(*ASK)
    assert result.exit_code == 1
    assert "wrote 17 links" in " ".join(result.stderr.split())
    assert "--confirm-account" in result.stderr
    line(*ASK, "--confirm-account", "sync")
    assert service.bodies[-1]["confirm_account"] == "sync"
