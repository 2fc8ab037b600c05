"""`twinlink incident`: what it asks, sends and prints."""

from typing import Any

from tests.cli.conftest import FakeService, Line, listed

INCIDENT: dict[str, Any] = {
    "id": "7",
    "kind": "guard_tripped",
    "title": "The guard holds removals",
    "state": "identified",
    "impact": "minor",
    "wakes": False,
    "connection": "main",
    "site": None,
    "opened_at": "2030-01-01T12:00:00Z",
    "last_seen_at": "2030-01-01T12:01:00Z",
    "quiet_since": None,
    "resolved_at": None,
    "resolved_by": None,
}
WHOLE = INCIDENT | {
    "connections": ["main"],
    "facts": {"removed": 10},
    "issues": ["A-1", "A-2"],
    "calls": [
        {
            "purpose": "roll back to revision 2",
            "method": "POST",
            "path": "/connections/main/rollback",
            "body": {"revision": 2, "undo": True},
            "command": "twinlink rollback main --to 2 --undo",
        }
    ],
    "publication": None,
    "timeline": [
        {
            "at": "2030-01-01T12:00:00Z",
            "last_at": "2030-01-01T12:00:30Z",
            "times": 3,
            "author": "twinlink",
            "state": "identified",
            "impact": "minor",
            "text": "10 removals went through.",
            "detail": {"removed": 10},
        }
    ],
}


def test_list(line: Line, service: FakeService) -> None:
    service.answers["GET /incidents"] = listed(INCIDENT)
    shown = line("incident", "list", "--state", "open", "--connection", "main")
    assert shown.exit_code == 0, shown.stderr
    assert "The guard holds removals" in shown.stdout
    assert dict(service.asked[0].url.params) == {
        "state": "open",
        "connection": "main",
        "limit": "100",
    }
    assert line.json("incident", "list")["items"] == [INCIDENT]


def test_nothing_wrong_is_said_beside_the_answer(line: Line, service: FakeService) -> None:
    service.answers["GET /incidents"] = listed()
    shown = line("incident", "list")
    assert (shown.stdout, shown.stderr) == ("", "no incidents\n")


def test_show_ends_with_what_to_do(line: Line, service: FakeService) -> None:
    service.answers["GET /incidents/7"] = (200, WHOLE)
    shown = line("incident", "show", "7")
    assert "A-1, A-2" in shown.stdout
    assert "10 removals went through." in shown.stdout
    assert shown.stdout.splitlines()[-2:] == [
        "to roll back to revision 2:",
        "  twinlink rollback main --to 2 --undo",
    ]
    assert line.json("incident", "show", "7") == WHOLE


def test_update_sends_only_what_was_said(line: Line, service: FakeService) -> None:
    service.answers["POST /incidents/7/updates"] = (201, WHOLE)
    assert line("incident", "update", "7", "A bad revision.").exit_code == 0
    line("incident", "update", "7", "Over.", "--state", "resolved", "--impact", "none")
    assert service.bodies == [
        {"text": "A bad revision."},
        {"text": "Over.", "state": "resolved", "impact": "none"},
    ]
    assert line("incident", "update", "7").exit_code == 2


def test_publish_and_withdraw(line: Line, service: FakeService) -> None:
    shown = {"component": "links", "impact": "minor", "title": "Delays", "updates": []}
    service.answers["PUT /incidents/7/publication"] = 200, WHOLE | {"publication": shown}
    service.answers["DELETE /incidents/7/publication"] = 200, WHOLE
    done = line("incident", "publish", "7", "Some links are late.", "--impact", "minor")
    assert done.exit_code == 0, done.stderr
    assert "Delays" in done.stdout
    assert service.bodies == [{"impact": "minor", "text": "Some links are late."}]
    assert line.json("incident", "withdraw", "7")["publication"] is None
